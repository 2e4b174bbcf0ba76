"""Pages that show files of the project as they are, for links that lead to them."""

import ast
from pathlib import Path
from typing import Final

from docs.site.addresses import Addresses

__all__ = ["file_page", "folder_page", "shown_files"]

_KINDS: Final = {".py": "python", ".json": "json", ".toml": "toml", ".js": "javascript", ".css": "css"}
_SHOWN: Final = {*_KINDS, ".txt", ".md"}
_LARGEST: Final = 200_000  # bytes; a larger file is named and not shown
_HEAD: Final = ["---", "orphan: true", "nosearch: true", "---", ""]


def shown_files(folder: Path) -> list[Path]:
    """The files of a folder that have a page: texts of a size that somebody reads."""
    return [file for file in _entries(folder) if file.is_file() and file.suffix in _SHOWN and _is_small(file)]


def file_page(path: str, root: Path) -> str:
    """A file, with its lines numbered."""
    file = root / path
    text = file.read_text("utf-8")
    kind = "bash" if text.startswith("#!/usr/bin/env bash") else _KINDS.get(file.suffix, "text")
    fence = "`" * 6
    return "\n".join(
        [*_HEAD, f"# {path}", "", f"{fence}{{code-block}} {kind}", ":linenos:", "", text.rstrip(), fence, ""]
    )


def folder_page(path: str, addresses: Addresses) -> str:
    """What is in a folder, each Python file with the first line of what it says of itself."""
    own, shown = addresses.page(path), set(shown_files(addresses.root / path))
    lines = [*_HEAD, f"# {path}", "", "| file | what it is |", "|---|---|"]
    for entry in _entries(addresses.root / path):
        name = f"{path}/{entry.name}"
        if entry in shown or name in addresses.files:
            title = f"[`{entry.name}`]({addresses.link(own, addresses.page(name))})"
        else:
            title = f"`{entry.name}`"
        lines.append(f"| {title} | {_first_line(entry)} |")
    return "\n".join(lines) + "\n"


def _entries(folder: Path) -> list[Path]:
    hidden = (".", "__pycache__")
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith(hidden))


def _is_small(file: Path) -> bool:
    return file.stat().st_size <= _LARGEST


def _first_line(file: Path) -> str:
    """Of a Python file or a package, the first line of its docstring."""
    module = file / "__init__.py" if file.is_dir() else file
    if module.suffix != ".py" or not module.is_file():
        return ""
    said = ast.get_docstring(ast.parse(module.read_text("utf-8"))) or ""
    return said.partition("\n")[0].replace("|", "\\|").replace("<", "\\<")
