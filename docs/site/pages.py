"""All pages of the site in one folder, as Sphinx reads them."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from docs.site import api, checks, notebook, sources
from docs.site.addresses import HOMES, Addresses
from docs.site.contents import TOUR, Section, contents

__all__ = ["markdown", "write"]


def write(root: Path, folder: Path) -> Addresses:
    """Make the pages of the project at ``root`` in an empty ``folder``.

    Raises:
        FileNotFoundError: a page links to a file that is not there.
    """
    addresses = Addresses(root, [check for kind in checks.kinds(root) for check in kind.checks])
    for name, text in markdown(root, addresses):
        file = folder / f"{name}.md"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    for picture, place in addresses.pictures.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / picture, folder / place)
    return addresses


def markdown(root: Path, addresses: Addresses) -> Iterator[tuple[str, str]]:
    """Each page's name and text."""
    sections = contents(root)
    written = [file for file in HOMES if file.endswith(".md")]
    written += [f"docs/{file.relative_to(root / 'docs').as_posix()}" for file in _own(root)]
    for file in written:
        text = addresses.rewrite((root / file).read_text("utf-8"), file)
        yield addresses.page(file), text if file != "README.md" else f"{text}\n{toctrees(sections, addresses)}"

    table = checks.kinds(root)
    yield "checks/index", checks.index(table, addresses)
    for kind in table:
        for check in kind.checks:
            yield f"checks/{check}", checks.page(check, addresses)

    yield "notebook", notebook.page(root / "examples" / "by_hand.ipynb")

    found = api.modules([root / "README.md", *_own(root)])
    yield "api/index", api.index(found)
    for module in found:
        yield f"api/{module.name}", api.page(module)

    linked = list(addresses.files)  # now all links are known
    for path in linked:
        if (root / path).is_dir():
            for file in sources.shown_files(root / path):
                addresses.page(file.relative_to(root).as_posix())
    for path in addresses.files:
        if (root / path).is_dir():
            yield addresses.page(path), sources.folder_page(path, addresses)
        else:
            yield addresses.page(path), sources.file_page(path, root)


def toctrees(sections: list[Section], addresses: Addresses) -> str:
    """The contents for Sphinx, a tree a section."""
    lines = ["```{toctree}", ":hidden:", "", f"The tour <{HOMES[TOUR]}>", "```", ""]
    for section in sections:
        lines += ["```{toctree}", ":hidden:", f":caption: {section.caption}", ""]
        lines += [f"{entry.title} <{addresses.page(entry.file)}>" for entry in section.entries]
        lines += ["```", ""]
    return "\n".join(lines)


def _own(root: Path) -> list[Path]:
    """The pages of docs/ but for the tour, which has another name on the site."""
    return [file for file in sorted((root / "docs").glob("*.md")) if file.name != "README.md"]
