"""Places as SARIF has them: a file relative to the source root, a region of its text, lines and columns from 1.

Columns count UTF-16 units, as JavaScript, and with it every code host and editor, counts them. A notebook's region is
in the .ipynb file itself, where a code host shows it; the cell is named beside it.
"""

import os
import re
import urllib.parse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, final

from byhand.doctor.finding import Edit
from byhand.doctor.place import Place
from byhand.doctor.show import sentences
from byhand.doctor.text.program import Program
from byhand.doctor.text.stored import Stored, edited, read_stored, span
from byhand.errors import DataError
from byhand.text import one_line

__all__ = ["ROOT", "Regions"]

ROOT: Final = "%SRCROOT%"
_END: Final = re.compile(r"\r\n|\r|\n")


def _source_root(program: Program) -> Path:
    """The folder that locations are relative to: the repository's, else where byhand runs, else the program's own."""
    folder = program.folder.resolve()
    for above in (folder, *folder.parents):
        if (above / ".git").exists():
            return above
    here = Path.cwd().resolve()
    return here if folder.is_relative_to(here) else folder


@final
class Regions:
    """Finds places in the program's files as they are stored, each file read once."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._root = _source_root(program)
        self._stored: dict[str, Stored | None] = {}

    def artifact(self, file: str) -> dict[str, Any]:
        """The artifactLocation of a file that places name."""
        path = self._program.stored(file).resolve()
        if not path.is_relative_to(self._root):
            return {"uri": path.as_uri()}
        name = os.path.relpath(path, self._root).replace(os.sep, "/")
        return {"uri": urllib.parse.quote(os.fsencode(name)), "uriBaseId": ROOT}

    def location(self, place: Place | None) -> dict[str, Any]:
        """The location of a place; of the program's first line where there is none."""
        physical: dict[str, Any] = {
            "artifactLocation": self.artifact(place.file if place else self._program.path.name),
            "region": self._region(place),
        }
        found: dict[str, Any] = {"physicalLocation": physical}
        if place and place.cell is not None:
            name = one_line(f"{place.file}, {sentences.where(place)}")
            found["logicalLocations"] = [{"name": f"cell {place.cell}", "fullyQualifiedName": name, "kind": "cell"}]
        return found

    def fix(self, edits: Sequence[Edit], about: dict[str, str]) -> dict[str, Any] | None:
        """The fix that makes these edits, with a message about it.

        None where the files are not what they were, or the edits do not fit.
        """
        changes: list[dict[str, Any]] = []
        for file in sorted({edit.place.file for edit in edits}):
            stored = self._read(file)
            if stored is None:
                return None
            try:
                found = edited(self._program, stored, [edit for edit in edits if edit.place.file == file])
            except (DataError, ValueError):
                return None
            replacements = [
                {"deletedRegion": _region(stored.text, start, end), "insertedContent": {"text": new}}
                for start, end, new in found
            ]
            changes.append({"artifactLocation": self.artifact(file), "replacements": replacements})
        return {"description": about, "artifactChanges": changes} if changes else None

    def _region(self, place: Place | None) -> dict[str, Any]:
        stored = self._read(place.file) if place else None
        if place and stored:
            try:
                return _region(stored.text, *span(self._program, stored, place))
            except (DataError, ValueError):
                pass
        line = place.line if place and place.cell is None else 1
        return {"startLine": line, "startColumn": 1, "endLine": line, "endColumn": 1}

    def _read(self, file: str) -> Stored | None:
        if file not in self._stored:
            try:
                self._stored[file] = read_stored(self._program, file)
            except DataError:
                self._stored[file] = None
        return self._stored[file]


def _region(text: str, start: int, end: int) -> dict[str, Any]:
    (line, column), (end_line, end_column) = _point(text, start), _point(text, end)
    return {"startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column}


def _point(text: str, at: int) -> tuple[int, int]:
    """Line and column of a character, from 1."""
    ends = [end.end() for end in _END.finditer(text, 0, at)]
    begun = text[ends[-1] if ends else 0 : at]
    return len(ends) + 1, len(begun.encode("utf-16-le", "surrogatepass")) // 2 + 1
