"""The page of each check, and the two programs that go with it."""

import difflib
import re
import textwrap
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final

from byhand.doctor.checks.table import CHECKS
from byhand.errors import UsageError

__all__ = ["about", "example", "find", "page", "shown"]

_CHANGED: Final = 12  # lines; a longer difference is read in the programs themselves
_ITEM: Final = re.compile(r"\s*(?:[-*+]|\d+\.)\s+")


def find(name: str) -> str | None:
    """The check of this name, however it is written; None where there is none."""
    plain = re.sub(r"[\s_-]+", "-", name.strip().lower())
    return plain if plain in CHECKS else None


def page(check: str) -> str:
    """The text of a check's page, in Markdown."""
    return (_case(check) / "why.md").read_text("utf-8")


def about(check: str) -> str:
    """The first sentence of a check's page."""
    paragraphs = [block for block in page(check).split("\n\n") if not block.startswith("#")]
    text = " ".join(paragraphs[0].split())
    return re.split(r"(?<=[.:])\s(?=[A-Z])", text, maxsplit=1)[0]


def shown(check: str, width: int) -> str:
    """The page for a terminal: running text in lines of at most ``width`` columns, code as it stands."""
    return "\n".join(_lines(page(check), width)).rstrip()


def example(check: str) -> str:
    """The check's two programs: how they differ, if that is short, and where they stand."""
    bad, good = (_program(check, which) for which in ("bad", "good"))
    old, new = (file.read_text("utf-8").splitlines() for file in (bad, good))
    changes = list(difflib.unified_diff(old, new, bad.name, good.name, lineterm="", n=1))
    changed = [line for line in changes[2:] if line[:1] in "+-"]
    lines = [f"with it: {bad}", f"without: {good}"]
    if 0 < len(changed) <= _CHANGED:
        lines = ["In a program:", "", *(f"    {line}".rstrip() for line in changes), "", *lines]
    return "\n".join(lines)


def _case(check: str) -> Traversable:
    if check not in CHECKS:
        raise UsageError(f"{check} is no check; byhand doctor --list names them")
    return resources.files("byhand.doctor") / "cases" / check


def _program(check: str, which: str) -> Traversable:
    """A case's program: a script, or a notebook."""
    script = _case(check) / f"{which}.py"
    return script if script.is_file() else _case(check) / f"{which}.ipynb"


def _lines(text: str, width: int) -> Iterator[str]:
    """Markdown as plain lines: headings without their marks, paragraphs and items of lists wrapped, code untouched."""
    fenced = False
    running: list[str] = []
    for line in [*text.splitlines(), ""]:
        fence = line.lstrip().startswith("```")
        code = fenced or fence or (line.startswith("    ") and not running)
        ends = code or not line.strip() or line.startswith("#") or bool(_ITEM.match(line))
        if ends and running:
            yield from _wrapped(running, width)
            running = []
        fenced ^= fence
        if fence:
            continue
        if code or not line.strip():
            yield line if not fenced else f"    {line}".rstrip()
        elif line.startswith("#"):
            yield line.lstrip("#").strip()
        else:
            running.append(line)


def _wrapped(lines: list[str], width: int) -> list[str]:
    mark = _ITEM.match(lines[0])
    indent = " " * len(mark[0]) if mark else ""
    body = " ".join(line.strip() for line in lines)
    if mark:
        body = mark[0] + " ".join(line.strip() for line in lines)[len(mark[0].lstrip()) :].lstrip()
    return textwrap.wrap(body, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
