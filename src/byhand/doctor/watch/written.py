"""What is written to standard output or error without the user's own print: a logger, ``sys.stdout.write``."""

import logging
import re
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, final

from byhand.doctor.place import Place
from byhand.doctor.watch.frames import Frames

__all__ = ["Told", "watch_streams"]

_LONGEST: Final = 2_000  # characters of a line that are kept
_BAR: Final = re.compile(r"\d+%\|.*\|")  # a progress bar counts rounds: nothing in it was measured


@final
class Told:
    """``with told:`` around output that is recorded already."""

    def __init__(self) -> None:
        self.depth = 0

    def __enter__(self) -> None:
        self.depth += 1

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.depth -= 1


def watch_streams(frames: Frames, told: Told, say: Callable[[str, Place | None], None]) -> None:
    """``say`` each line that is written from here on, and the user's line where the user's own code has written it."""
    for stream in (sys.stdout, sys.stderr):
        _watch(stream, frames, told, say)


def _watch(stream: Any, frames: Frames, told: Told, say: Callable[[str, Place | None], None]) -> None:
    usual: Any = stream.write
    pending = ""

    def write(text: str, /) -> Any:
        nonlocal pending
        result = usual(text)
        if told.depth:
            return result
        *lines, pending = (pending + text)[-10 * _LONGEST :].split("\n")
        for line in lines:
            shown = line.rpartition("\r")[2] if not line.endswith("\r") else line
            if shown.strip() and not _BAR.search(shown):
                say(shown.strip("\r")[:_LONGEST], frames.direct(logging.__file__))
        return result

    stream.write = write
