"""A program's file as it stands on the disk, and where in its text places and edits are.

A script's text is its source; a notebook's is JSON, in which an edit replaces the strings of the lines that it changes.
"""

import codecs
import io
import json
import re
import tokenize
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, final

from byhand.doctor.finding import Edit
from byhand.doctor.place import Place
from byhand.doctor.text.program import Program, Unit
from byhand.doctor.text.raw import String, cell_strings, offset
from byhand.doctor.text.splice import lines, spans, splice
from byhand.errors import DataError
from byhand.text import brief

__all__ = ["Stored", "edited", "read_stored", "span"]

_ESCAPED: Final = re.compile(r"\\u(?!00[01])[0-9a-fA-F]{4}")  # a letter that could have stood there as it is


@final
@dataclass(frozen=True, slots=True)
class Stored:
    """A file's text and how it is written."""

    file: str  # as places name it
    text: str  # without a byte order mark
    mark: bytes  # the byte order mark
    encoding: str
    cells: tuple[tuple[String, ...], ...] | None  # the strings of each code cell of a notebook; None for a script

    def encode(self, text: str) -> bytes:
        """A text in the way in which the file is written."""
        return self.mark + text.encode(self.encoding)


def read_stored(program: Program, file: str) -> Stored:
    """A file of the program's.

    Raises:
        DataError: it cannot be read, or not as what it was.
    """
    path = program.stored(file)
    try:
        data = path.read_bytes()
        if program.notebook and file == program.path.name:
            encoding = "utf-8-sig" if data.startswith(codecs.BOM_UTF8) else "utf-8"
        else:
            encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        mark, encoding = (codecs.BOM_UTF8, "utf-8") if encoding == "utf-8-sig" else (b"", encoding)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as where the program was read
            text = data.removeprefix(mark).decode(encoding)
        if mark + text.encode(encoding) != data:  # "unicode_escape" would write another file
            raise ValueError(f"{encoding} does not give its bytes back")
        cells = None
        if program.notebook and file == program.path.name:
            cells = tuple(map(tuple, cell_strings(text)))
    except (OSError, SyntaxError, ValueError, LookupError) as error:
        raise DataError(f"{path} cannot be read as it was ({brief(error)}); run the doctor again") from error
    return Stored(file, text, mark, encoding, cells)


def span(program: Program, stored: Stored, place: Place) -> tuple[int, int]:
    """Where a place begins and ends, in characters of the file's text.

    Raises:
        DataError: the file has changed since it was run.
        ValueError: the place is not in it.
    """
    strings, source = _source(stored, place)
    unit = _same(program, place, source)
    ((start, end, _),) = spans(source, [Edit(place, "")], unit.code)
    if strings is None:
        return start, end
    return offset(stored.text, strings, start), offset(stored.text, strings, end, last=end > start)


def edited(program: Program, stored: Stored, edits: Sequence[Edit]) -> list[tuple[int, int, str]]:
    """What the edits, all of this file, put in the place of what: (start, end, new) in the file's text, in order.

    Raises:
        DataError: the file has changed since it was run.
        ValueError: two edits overlap, or one lies outside the text.
    """
    found: list[tuple[int, int, str]] = []
    for cell in sorted({edit.place.cell or 0 for edit in edits}):
        own = [edit for edit in edits if (edit.place.cell or 0) == cell]
        strings, source = _source(stored, own[0].place)
        changes = spans(source, own, _same(program, own[0].place, source).code)
        found += changes if strings is None else _restrung(stored.text, strings, changes)
    return found


def _source(stored: Stored, place: Place) -> tuple[Sequence[String] | None, str]:
    """The strings of a place's cell, if it is in one, and its source."""
    if stored.cells is None:
        return None, stored.text
    at = (place.cell or 0) - 1
    strings = stored.cells[at] if 0 <= at < len(stored.cells) else ()
    return strings, "".join(said for *_, said in strings)


def _same(program: Program, place: Place, text: str) -> Unit:
    """The file or cell of a place, if it still says what it said."""
    unit = program.unit(place)
    was, now = (
        [line.rstrip("\r\n") for line in lines(one.removeprefix("\ufeff"))]
        for one in (unit.source if unit else "", text)
    )
    if unit is None or was != now:
        raise DataError(f"{place.file} has changed since it was run; run the doctor again")
    return unit


def _restrung(text: str, strings: Sequence[String], changes: Sequence[tuple[int, int, str]]) -> Iterator[String]:
    """What to put into a notebook's text for changes in a cell's source: new strings for those that they touch."""
    starts = [0]
    for *_, said in strings:
        starts.append(starts[-1] + len(said))
    groups: list[tuple[int, int, list[tuple[int, int, str]]]] = []  # first and last string, and the changes in them
    for change in changes:
        first = max(i for i in range(len(strings)) if starts[i] <= change[0])
        last = max(first, *(i for i in range(len(strings)) if starts[i] < change[1] or i == first))
        if groups and groups[-1][1] >= first:
            first, _, together = groups.pop()
            groups.append((first, last, [*together, change]))
        else:
            groups.append((first, last, [change]))
    plain = not _ESCAPED.search(text) or not text.isascii()
    listed = text[: strings[0][0]].rstrip().endswith("[") if strings else False
    for first, last, together in groups:
        whole = "".join(said for *_, said in strings[first : last + 1])
        new = splice(whole, [(a - starts[first], b - starts[first], put) for a, b, put in together])
        rows = lines(new) if listed else [new]
        between = "," + _gap(text, strings, first)
        yield (
            strings[first][0],
            strings[last][1],
            between.join(json.dumps(row, ensure_ascii=not plain) for row in rows or [""]),
        )


def _gap(text: str, strings: Sequence[String], at: int) -> str:
    """The space before a string in its list: that after the comma or the bracket."""
    before = text[: strings[at][0]]
    return before[len(before.rstrip()) :]
