"""Edits as a patch that ``git apply`` takes, for scripts and for notebooks.

A notebook is patched in its own JSON text: the strings of the lines that change are replaced, and nothing is written
anew, so that the patch shows these lines and no others.
"""

import codecs
import difflib
import io
import json
import os
import re
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, cast

from byhand.doctor.finding import Edit
from byhand.doctor.text.edits import apply
from byhand.doctor.text.program import Program, Unit
from byhand.doctor.text.splice import lines, spans, splice
from byhand.errors import DataError

__all__ = ["patch"]

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_ESCAPED: Final = re.compile(r"\\u(?!00[01])[0-9a-fA-F]{4}")  # a letter that could have stood there as it is
_SOURCES: Final = ("source", "input")  # notebooks of format 4, and of format 3

_String = tuple[int, int, str]  # where a JSON string stands in its text, quotes and all, and what it says


def patch(program: Program, edits: Iterable[Edit], folder: Path | None = None) -> str:
    """A unified diff of what the edits change; empty where they change nothing.

    Write it as ``text.encode("utf-8", "surrogateescape")``: bytes of files in other encodings pass through unharmed.

    Args:
        program: what is edited.
        edits: of any of its files and cells.
        folder: where the patch will be applied; paths are relative to it, or to the program's folder if the files do
            not lie in it, and always in the latter where none is given.

    Raises:
        ValueError: the edits overlap, or the outcome is no Python.
        DataError: a file cannot be read any more, or has changed.
    """
    edits = tuple(dict.fromkeys(edits))
    apply(program, edits)
    parts: list[str] = []
    for file in sorted({edit.place.file for edit in edits}):
        own = [edit for edit in edits if edit.place.file == file]
        path = program.folder / file
        try:
            old = path.read_bytes()
            new = _notebook(program, old, own) if own[0].place.cell is not None else _script(program, old, own)
        except (OSError, SyntaxError, UnicodeError) as error:
            raise DataError(f"cannot make a patch for {path} ({error}); make the edits by hand") from error
        parts += _diff(_name(program, path, folder), old, new)
    return "".join(parts)


def _name(program: Program, path: Path, folder: Path | None) -> str:
    for start in (folder, program.folder):
        name = os.path.relpath(path.resolve(), start.resolve()) if start else ".."
        if not name.startswith(".."):
            return name.replace(os.sep, "/")
    return path.name


def _diff(name: str, old: bytes, new: bytes) -> Iterator[str]:
    before, after = (_rows(data) for data in (old, new))
    for line in difflib.unified_diff(before, after, _quoted(f"a/{name}"), _quoted(f"b/{name}")):
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _rows(data: bytes) -> list[str]:
    """The lines as git counts them: a carriage return belongs to its line."""
    return [row.decode("utf-8", "surrogateescape") for row in io.BytesIO(data)]


def _quoted(name: str) -> str:
    """A path as git writes it: a tab tells that a space is no end, and quotes are around control characters."""
    if all(c.isprintable() and c not in '"\\' for c in name):
        return f"{name}\t" if " " in name else name
    marks = {'"': '\\"', "\\": "\\\\"}
    return (
        '"' + "".join(c if c.isprintable() and c not in marks else marks.get(c, f"\\{ord(c):03o}") for c in name) + '"'
    )


def _script(program: Program, old: bytes, edits: Sequence[Edit]) -> bytes:
    encoding, _ = tokenize.detect_encoding(io.BytesIO(old).readline)
    mark, encoding = (codecs.BOM_UTF8, "utf-8") if encoding == "utf-8-sig" else (b"", encoding)
    text = old.removeprefix(mark).decode(encoding)
    unit = _same(program, edits[0], text)
    return mark + splice(text, spans(text, edits, unit.code)).encode(encoding)


def _same(program: Program, edit: Edit, text: str) -> Unit:
    """The file or cell of an edit, if it still says what it said."""
    unit = program.unit(edit.place)
    was, now = (
        [line.rstrip("\r\n") for line in lines(one.removeprefix("\ufeff"))]
        for one in (unit.source if unit else "", text)
    )
    if unit is None or was != now:
        raise DataError(f"{edit.place.file} has changed since it was run; run the doctor again")
    return unit


# Notebooks.


def _notebook(program: Program, old: bytes, edits: Sequence[Edit]) -> bytes:
    text = old.decode("utf-8")
    cells = _cells(text)
    found: list[tuple[int, int, str]] = []
    for cell in sorted({edit.place.cell or 0 for edit in edits}):
        own = [edit for edit in edits if edit.place.cell == cell]
        strings = cells[cell - 1] if 0 < cell <= len(cells) else []
        source = "".join(said for *_, said in strings)
        unit = _same(program, own[0], source)
        found += _restrung(text, strings, spans(source, own, unit.code))
    return splice(text, found).encode("utf-8")


def _restrung(text: str, strings: Sequence[_String], changes: Sequence[tuple[int, int, str]]) -> Iterator[_String]:
    """What to put into the notebook's text for changes in a cell's source: new strings for those that they touch."""
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


def _gap(text: str, strings: Sequence[_String], at: int) -> str:
    """The space before a string in its list: that after the comma or the bracket."""
    before = text[: strings[at][0]]
    return before[len(before.rstrip()) :]


def _cells(text: str) -> list[list[_String]]:
    """The strings of each code cell's source, in order."""
    notebook = cast("dict[str, Any]", json.loads(text))
    sheets = [("cells",)] if "cells" in notebook else [("worksheets", i, "cells") for i in range(99)]
    kinds: dict[tuple[str | int, ...], str] = {}
    sources: dict[tuple[str | int, ...], list[_String]] = {}
    for path, start, end in _strings(text):
        cell = next((path[: len(sheet) + 1] for sheet in sheets if path[: len(sheet)] == sheet), None)
        if cell is None:
            continue
        rest, said = path[len(cell) :], cast("str", json.loads(text[start:end]))
        if rest == ("cell_type",):
            kinds[cell] = said
        elif rest and rest[0] in _SOURCES and all(isinstance(step, int) for step in rest[1:]):
            sources.setdefault(cell, []).append((start, end, said))
    code = [cell for cell in kinds if kinds[cell] == "code"]
    return [sources.get(cell, []) for cell in sorted(code, key=lambda cell: cast("tuple[int, ...]", cell[1::2]))]


def _strings(text: str) -> Iterator[tuple[tuple[str | int, ...], int, int]]:
    """Every string value in a JSON text: its path of keys and positions, and where it begins and ends."""
    path: list[str | int] = []
    after_colon = False
    for token in _TOKEN.finditer(text):
        word = token[0]
        if word == "{":
            path.append("")
        elif word == "[":
            path.append(0)
        elif word in "}]":
            path.pop()
        elif word == ",":
            step = path[-1]
            path[-1] = step + 1 if isinstance(step, int) else ""
        elif word[0] == '"' and isinstance(path[-1], str) and not after_colon:
            path[-1] = cast("str", json.loads(word))
        elif word[0] == '"':
            yield tuple(path), token.start(), token.end()
        after_colon = word == ":"
