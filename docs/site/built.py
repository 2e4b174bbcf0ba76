"""What Sphinx made, looked at as a browser would: each link leads somewhere, and nothing is asked of anybody else."""

import posixpath
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

__all__ = ["Found", "look"]

_LOADS = {("script", "src"), ("img", "src"), ("link", "href"), ("source", "srcset"), ("iframe", "src"), ("use", "href")}
_CSS = re.compile(r"url\(\s*[\"']?([^\"')]+)|@import\s+[\"']([^\"']+)")


class Found(NamedTuple):
    """What is wrong, a line a fault, and the addresses outside that pages link to, each with a page that does."""

    faults: tuple[str, ...]
    outside: dict[str, str]
    links: int  # inside


class _Page(HTMLParser):
    """The names within a page, what it links to and what it loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: set[str] = {"", "top"}
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" or (tag, name) == ("a", "name"):
                self.names.add(value or "")
            elif (tag, name) == ("a", "href"):
                self.links.append(value or "")
            elif (tag, name) in _LOADS:
                self.loads.append(value or "")

    handle_startendtag = handle_starttag


def look(site: Path) -> Found:
    """Follow every link of every page of a site."""
    pages = {file.relative_to(site).as_posix(): _Page(file.read_text("utf-8")) for file in sorted(site.rglob("*.html"))}
    faults: list[str] = []
    outside: dict[str, str] = {}
    links = 0
    for name, page in pages.items():
        for link in page.links:
            if urlsplit(link).scheme in ("http", "https", "mailto"):
                outside.setdefault(link, name)
                continue
            links += 1
            path, anchor = _place(name, link)
            if path in pages and unquote(anchor) not in pages[path].names:
                faults.append(f"{name}: {link}: no such place on that page")
            elif path not in pages and not (site / path).is_file():
                faults.append(f"{name}: {link}: no such page")
        faults += [f"{name}: {wrong}" for wrong in _wrong_loads(site, name, page.loads)]
    for style in sorted(site.rglob("*.css")):
        name = style.relative_to(site).as_posix()
        loads = [first or second for first, second in _CSS.findall(style.read_text("utf-8"))]
        faults += [f"{name}: {wrong}" for wrong in _wrong_loads(site, name, loads)]
    return Found(tuple(faults), dict(sorted(outside.items())), links)


def _wrong_loads(site: Path, name: str, loads: list[str]) -> Iterator[str]:
    for load in loads:
        parts = urlsplit(load)
        if parts.scheme == "data":
            continue
        if parts.scheme or parts.netloc:
            yield f"{load} is asked of somebody else"
        elif parts.path and not (site / _place(name, load)[0]).is_file():
            yield f"{load}: no such file"


def _place(name: str, link: str) -> tuple[str, str]:
    """The file that a link on a page leads to, and the place in it."""
    parts = urlsplit(link)
    path = posixpath.normpath(posixpath.join(posixpath.dirname(name), unquote(parts.path))) if parts.path else name
    return path, parts.fragment
