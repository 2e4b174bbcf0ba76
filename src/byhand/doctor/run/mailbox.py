"""The files by which a run that is told while it goes on (``Job.live``) and whoever watches it know of each other.

All are in the job's own folder, and each appears there whole. The run leaves a line in the mailbox when it is empty,
and a trace of what there is so far when one was asked for.
"""

from pathlib import Path
from typing import Any, Final, TypedDict

from byhand.doctor import trace_file
from byhand.doctor.run.scratch import remove
from byhand.doctor.trace import Trace
from byhand.files import read_at_most
from byhand.json_form import fits
from byhand.json_text import parsed

__all__ = ["LAST", "LINE", "LOOK", "SO_FAR", "ask", "take", "take_trace"]

LINE: Final = "live.json"
"""The mailbox."""
LAST: Final = "last.json"
"""The line that is left when the run is over, whether or not the mailbox is empty."""
LOOK: Final = "look"
"""An empty file that asks for a trace of the run so far."""
SO_FAR: Final = "so-far"
"""The folder of that trace."""
_LONGEST: Final = 1 << 23  # bytes of a line, most of them pictures
_PARTS: Final = 100_000  # commas of a line, which has some thousands


class _Place(TypedDict):
    clock: int  # updates before it
    file: str
    cell: int | None
    line: int


class _Shown(_Place):
    numbers: list[tuple[float | None, str]]  # with the words before each


class _Judged(_Place):
    right: int
    rows: int


class _Picture(TypedDict):
    shape: tuple[int, int]
    count: int
    shown: int
    scale: float
    data: str


class _Parameter(TypedDict):
    name: str
    shape: list[int]
    norm: float | None
    gradient: float | None
    step: float | None
    picture: _Picture | None


class _Line(TypedDict):
    clock: int
    losses: list[tuple[int, float | None]]
    shown: list[_Shown]
    judged: list[_Judged]
    parameters: list[_Parameter]


def take(folder: Path, name: str = LINE) -> dict[str, Any] | None:
    """Empty the mailbox; None where there is nothing in it, or nothing that a run has left.

    A line has ``clock``, the updates so far; ``losses``, pairs with the clock of each; ``shown``, numbers that were
    printed; ``judged``, of predictions that were compared with labels how many are right; ``parameters``, their sizes
    and pictures. ``watch.live`` writes it.
    """
    file = folder / name
    try:
        text = read_at_most(file, _LONGEST)
    except FileNotFoundError:  # one that comes from here on is left for the next time
        return None
    except (OSError, ValueError):
        text = b""  # no run has left that
    try:
        file.unlink()
        line: Any = parsed(text) if text.count(b",") < _PARTS else None
    except (OSError, ValueError):
        return None
    return line if line is not None and fits(line, _Line) and _counts(line) else None


def _counts(line: dict[str, Any]) -> bool:
    """Whether no clock of a line stands before the first update."""
    clocks = [line["clock"], *(clock for clock, _ in line["losses"])]
    clocks += [one["clock"] for one in (*line["shown"], *line["judged"])]
    return min(clocks) >= 0


def ask(folder: Path) -> None:
    """Ask for a trace of the run so far; it comes after the next update or print."""
    (folder / LOOK).touch()


def take_trace(folder: Path) -> Trace | None:
    """The trace that was asked for; None where it has not come yet.

    Raises:
        DataError: what has come is no whole trace.
    """
    place = folder / SO_FAR
    if not place.exists():
        return None
    try:
        return trace_file.read(place)
    finally:
        remove(place)
