"""The files by which a run that is told while it goes on (``Job.live``) and whoever watches it know of each other.

All are in the job's own folder, and each appears there whole. The run leaves a line in the mailbox when it is empty,
and a trace of what there is so far when one was asked for.
"""

from pathlib import Path
from typing import Any, Final, cast

from byhand.doctor import trace_file
from byhand.doctor.run.scratch import remove
from byhand.doctor.trace import Trace
from byhand.files import read_at_most
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
_LONGEST: Final = 1 << 24  # bytes of a line


def take(folder: Path, name: str = LINE) -> dict[str, Any] | None:
    """Empty the mailbox; None where there is nothing in it, or nothing that a run has left."""
    file = folder / name
    try:
        try:
            line = parsed(read_at_most(file, _LONGEST))
        finally:
            file.unlink()
    except (OSError, ValueError):
        return None
    return cast("dict[str, Any]", line) if isinstance(line, dict) else None


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
