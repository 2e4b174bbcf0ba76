"""Where in the user's source something happens: the frames of the call stack that run the user's files."""

import sys
from itertools import islice
from pathlib import Path
from types import CodeType, FrameType
from typing import Final, final

from byhand.doctor.place import Place

__all__ = ["OWN", "Frames"]

OWN: Final = str(Path(__file__).parents[1])
"""The folder of the doctor's own code."""

_DEEPEST: Final = 8  # user frames of a stack
_HOOKS: Final = str(Path(__file__).with_name("hooks.py"))


@final
class Frames:
    """Knows which code is the user's, and turns an instruction into a place."""

    def __init__(self) -> None:
        self._units: dict[str, tuple[str, int | None, list[str]]] = {}
        self._places: dict[tuple[CodeType, int], Place | None] = {}

    def register(self, filename: str, file: str, cell: int | None, code: str) -> None:
        """Take the code compiled under ``filename`` for the user's file or cell."""
        self._units[filename] = (file, cell, code.split("\n"))

    def is_own(self, frame: FrameType) -> bool:
        """Whether a frame runs the user's code."""
        return frame.f_code.co_filename in self._units

    def innermost(self) -> Place | None:
        """The user's expression that is being evaluated."""
        frame: FrameType | None = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
        while frame is not None:
            if frame.f_code.co_filename in self._units:
                return self._place(frame)
            frame = frame.f_back
        return None

    def direct(self, between: str) -> Place | None:
        """The user's expression that has called, itself or through the file ``between``, what the doctor put there."""
        here = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
        frame: FrameType | None = here
        while frame is not None and frame.f_code.co_filename in (here.f_code.co_filename, _HOOKS, between):
            frame = frame.f_back
        return self._place(frame) if frame is not None and frame.f_code.co_filename in self._units else None

    def stack(self) -> tuple[Place, ...]:
        """All of the user's calls that are under way, the innermost first."""
        frame: FrameType | None = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
        places: list[Place] = []
        while frame is not None and len(places) < _DEEPEST:
            if frame.f_code.co_filename in self._units:
                place = self._place(frame)
                if place is not None:
                    places.append(place)
            frame = frame.f_back
        return tuple(places)

    def module(self) -> str | None:
        """The class of the innermost torch module whose ``forward`` is under way outside the user's files."""
        frame: FrameType | None = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
        while frame is not None and frame.f_code.co_filename not in self._units:
            if frame.f_code.co_name == "forward" and "self" in frame.f_locals:
                return type(frame.f_locals["self"]).__name__
            frame = frame.f_back
        return None

    def of_error(self, error: BaseException) -> Place | None:
        """The user's line where an exception came up, the innermost."""
        found: Place | None = None
        trace = error.__traceback__
        while trace is not None:
            code = trace.tb_frame.f_code
            if code.co_filename in self._units:
                found = self._at(code, trace.tb_lasti) or found
            trace = trace.tb_next
        return found

    def _place(self, frame: FrameType) -> Place | None:
        return self._at(frame.f_code, frame.f_lasti)

    def _at(self, code: CodeType, instruction: int) -> Place | None:
        key = (code, instruction)
        if key not in self._places:
            self._places[key] = self._look_up(code, instruction)
        return self._places[key]

    def _look_up(self, code: CodeType, instruction: int) -> Place | None:
        file, cell, lines = self._units[code.co_filename]
        position = next(islice(code.co_positions(), max(instruction, 0) // 2, None), None)
        if position is None:
            return None
        line, end_line, column, end_column = position
        if line is None:
            return None
        if end_line is None or column is None or end_column is None or end_line > len(lines):
            return Place(file, line, 0, line, 0, cell)
        start, end = _characters(lines[line - 1], column), _characters(lines[end_line - 1], end_column)
        return Place(file, line, start, end_line, end, cell)


def _characters(line: str, column: int) -> int:
    return column if line.isascii() else len(line.encode("utf-8")[:column].decode("utf-8", errors="ignore"))
