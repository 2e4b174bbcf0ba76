"""Edits put into a text, with nothing else in it touched: tabs, line ends, a byte order mark, a last line's end."""

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Final

from byhand.doctor.finding import Edit

__all__ = ["lines", "spans", "splice"]

_LINE: Final = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


def lines(text: str) -> list[str]:
    """The lines as Python counts them, each with its end: a form feed or U+2028 ends none."""
    return _LINE.findall(text)


def spans(text: str, edits: Iterable[Edit], code: str | None = None) -> list[tuple[int, int, str]]:
    """The edits as (start, end, new text) in characters of ``text``, in order; line ends become those of the text.

    Identical edits count once; insertions at one point follow each other in the order given.

    Args:
        text: what is to be changed.
        edits: of one file or cell.
        code: the Python that the places count in, if the text differs from it within lines (a byte order mark, %time).

    Raises:
        ValueError: two edits overlap, or one lies outside the text.
    """
    rows, counted = lines(text), lines(text if code is None else code)
    starts = [0]
    for row in rows:
        starts.append(starts[-1] + len(row))
    newline = next((row[len(row.rstrip("\r\n")) :] for row in rows if row.endswith(("\r", "\n"))), "\n")

    def offset(line: int, column: int) -> int:
        if not 0 < line <= min(len(rows), len(counted)):
            raise ValueError(f"line {line} is not there")
        row, plain = rows[line - 1], counted[line - 1].rstrip("\r\n")
        moved = row.find(plain.strip()) - plain.find(plain.strip())
        if row.find(plain.strip()) < 0 or column > len(plain):
            raise ValueError(f"line {line}, column {column} is not there")
        return starts[line - 1] + column + moved

    found: list[tuple[int, int, str]] = []
    for edit in dict.fromkeys(edits):
        place = edit.place
        start, end = offset(place.line, place.column), offset(place.end_line, place.end_column)
        found.append((start, end, edit.text.replace("\n", newline)))
    found.sort(key=lambda span: (span[0], span[1] > span[0]))  # what is inserted comes before what is replaced
    for (start, end, _), (next_start, *_) in pairwise(found):
        if next_start < end or end < start:
            raise ValueError(f"two edits overlap at characters {next_start} to {end}")
    return found


def splice(text: str, found: Iterable[tuple[int, int, str]]) -> str:
    """The text with each span (start, end, new text) replaced; spans stand in order and do not overlap."""
    parts, at = list[str](), 0
    for start, end, new in found:
        parts += text[at:start], new
        at = end
    return "".join([*parts, text[at:]])
