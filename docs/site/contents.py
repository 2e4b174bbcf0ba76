"""The table of contents: what docs/README.md links to in its sections, in its order. A new page needs a line there."""

import re
from pathlib import Path
from typing import NamedTuple

from docs.site.addresses import LINK, without_code

__all__ = ["TOUR", "Entry", "Section", "contents"]

TOUR = "docs/README.md"


class Entry(NamedTuple):
    """A page: the file that it is made from, named from the project's root, and its title in the contents."""

    file: str
    title: str


class Section(NamedTuple):
    """A heading of the tour, and the pages below it."""

    caption: str
    entries: tuple[Entry, ...]


def contents(root: Path) -> list[Section]:
    """The sections of the tour; a page that is linked twice stands where it is linked first."""
    seen: set[str] = set()
    sections: list[Section] = []
    for part in re.split(r"^## ", (root / TOUR).read_text("utf-8"), flags=re.MULTILINE)[1:]:
        caption, _, text = part.partition("\n")
        entries: list[Entry] = []
        for m in LINK.finditer(without_code(text)):
            file = _file(m["to"])
            if file and file not in seen:
                seen.add(file)
                entries.append(Entry(file, " ".join(m["text"].replace("`", "").split())))
        sections.append(Section(caption.strip(), tuple(entries)))
    return sections


def _file(link: str) -> str | None:
    """What a link of the tour leads to, from the root; None where that is no file."""
    path = link.partition("#")[0]
    if not path or re.match(r"[a-z]+:", path):
        return None
    return path[3:] if path.startswith("../") else f"docs/{path}"
