"""Edits as a patch that ``git apply`` takes, for scripts and for notebooks.

A notebook is patched in its own JSON text: the strings of the lines that change are replaced, and nothing is written
anew, so that the patch shows these lines and no others.
"""

import difflib
import io
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from byhand.doctor.finding import Edit
from byhand.doctor.text.edits import apply, key
from byhand.doctor.text.program import Program
from byhand.doctor.text.splice import splice
from byhand.doctor.text.stored import edited, read_stored
from byhand.errors import DataError

__all__ = ["cell_changes", "patch"]


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
        stored = read_stored(program, file)
        changes = edited(program, stored, [edit for edit in edits if edit.place.file == file])
        try:
            old, new = stored.encode(stored.text), stored.encode(splice(stored.text, changes))
        except UnicodeError as error:
            raise DataError(f"cannot make a patch for {file} ({error}); make the edits by hand") from error
        parts += _diff(_name(program, program.stored(file), folder), old, new)
    return "".join(parts)


def cell_changes(program: Program, edits: Iterable[Edit]) -> str:
    """What the edits change in a notebook's cells, as a reader sees them: a unified diff of each cell's source.

    Raises:
        ValueError: the edits overlap, or the outcome is no Python.
    """
    edits = tuple(dict.fromkeys(edits))
    new = apply(program, edits)
    parts: list[str] = []
    for place in dict.fromkeys(edit.place._replace(line=0, column=0, end_line=0, end_column=0) for edit in edits):
        unit = program.unit(place)
        name = place.file if place.cell is None else f"cell {place.cell}"
        old = unit.source if unit else ""
        rows = [*difflib.unified_diff(old.splitlines(), new[key(place)].splitlines(), lineterm="", n=1)]
        parts += [f"# {name}" if row.startswith("@@") else row for row in rows[2:]]
    return "".join(f"{row}\n" for row in parts)


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
