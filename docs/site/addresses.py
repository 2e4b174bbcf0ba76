"""Links between files become links between pages.

The pages are written to be read on a code host, where a link leads to a file or a folder of the project. On the site
each such link leads to a page: of docs/, of a check, of the notebook, or one that shows the file.
"""

import posixpath
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from markdown_it import MarkdownIt

__all__ = ["CASES", "HOMES", "LINK", "Addresses", "without_code"]

CASES: Final = "src/byhand/doctor/cases"
HOMES: Final = {
    "README.md": "index",
    "docs/README.md": "tour",
    "examples/by_hand.ipynb": "notebook",
    "src/byhand/__init__.py": "api/index",
    "CHANGELOG.md": "changelog",
    "CONTRIBUTING.md": "contributing",
    "LOG.md": "log",
    CASES: "checks/index",
}
"""Files that have a page of their own, and its name; pages of docs/ keep their names."""

LINK: Final = re.compile(r"(?P<image>!?)\[(?P<text>(?:[^\[\]]|\[[^\[\]]*\])*)\]\((?P<to>[^()\s]+)\)")
_LINK_OR_CODE: Final = re.compile(rf"{LINK.pattern}|(?<!`)`(?P<code>[^`\n]+)`(?!`)")
_PICTURES: Final = (".png", ".svg", ".jpg")


class Addresses:
    """Which page stands for which file; remembers what pages were asked for that nobody has written."""

    def __init__(self, root: Path, checks: Collection[str] = ()) -> None:
        """Args: ``root``: the project's; ``checks``: the doctor's, whose names in code become links to their pages."""
        self.root = root
        self.checks = frozenset(checks)
        self.files: dict[str, None] = {}  # shown as they are, each on a page; in the order in which they were asked for
        self.pictures: dict[str, str] = {}  # a file, and its place on the site

    def page(self, path: str) -> str:
        """The name of the page that stands for a file or a folder of the project.

        Raises:
            FileNotFoundError: there is no such file.
        """
        if path in HOMES:
            return HOMES[path]
        if not (self.root / path).exists():
            raise FileNotFoundError(f"there is no {path}")
        if path.startswith(f"{CASES}/"):
            return f"checks/{path.removeprefix(CASES).split('/')[1]}"
        if path.startswith("docs/") and path.endswith(".md"):
            return path[5:-3]
        self.files.setdefault(path)
        return f"source/{path}/index" if (self.root / path).is_dir() else f"source/{path}"

    def link(self, page: str, other: str) -> str:
        """What leads from one page to another, for Markdown."""
        return posixpath.relpath(f"{other}.md", posixpath.dirname(page) or ".")

    def rewrite(self, text: str, file: str, page: str | None = None) -> str:
        """A file's Markdown with links that lead to pages; ``page`` is its own, if it has not its usual one.

        Raises:
            FileNotFoundError: it links to a file that is not there; the message says which, and in which line.
        """
        own = page or self.page(file)

        def put_right(m: re.Match[str]) -> str:
            if name := m["code"]:
                linked = name in self.checks and own != f"checks/{name}"
                return f"[`{name}`]({self.link(own, f'checks/{name}')})" if linked else m[0]
            if re.match(r"[a-z]+:|#", m["to"]):
                return m[0]
            path, _, anchor = m["to"].partition("#")
            target = posixpath.normpath(posixpath.join(posixpath.dirname(file), path))
            try:
                to = self._picture(own, target) if path.endswith(_PICTURES) else self.link(own, self.page(target))
            except FileNotFoundError as error:
                raise FileNotFoundError(f"{file}: [{m['text']}]({m['to']}): {error}") from None
            return f"{m['image']}[{m['text']}]({to}{'#' if anchor else ''}{anchor})"

        return "".join(part if code else _LINK_OR_CODE.sub(put_right, part) for code, part in _parts(text))

    def _picture(self, page: str, path: str) -> str:
        if not (self.root / path).is_file():
            raise FileNotFoundError(f"there is no {path}")
        place = self.pictures.setdefault(path, path.removeprefix("docs/"))
        return posixpath.relpath(place, posixpath.dirname(page) or ".")


def without_code(text: str) -> str:
    """Markdown without its blocks of code."""
    return "".join(part for code, part in _parts(text) if not code)


def _parts(text: str) -> Iterator[tuple[bool, str]]:
    """Markdown cut into runs of lines, each with whether it is a block of code."""
    lines = text.splitlines(keepends=True)
    end = 0
    for token in MarkdownIt("commonmark").parse(text):
        if token.type in ("fence", "code_block") and token.map:
            start, stop = token.map
            yield False, "".join(lines[end:start])
            yield True, "".join(lines[start:stop])
            end = stop
    yield False, "".join(lines[end:])
