"""The files by which a run that is told while it goes on (``Job.live``) and whoever watches it know of each other.

All are in the job's own folder, and each appears there whole. The run leaves a line in the mailbox when it is empty,
and a trace of what there is so far when one was asked for.
"""

import json
from pathlib import Path
from typing import Any, Final

from byhand.doctor import trace_file
from byhand.doctor.run.scratch import remove
from byhand.doctor.trace import Trace

__all__ = ["LAST", "LINE", "LOOK", "SO_FAR", "ask", "take", "take_trace"]

LINE: Final = "live.json"
"""The mailbox."""
LAST: Final = "last.json"
"""The line that is left when the run is over, whether or not the mailbox is empty."""
LOOK: Final = "look"
"""An empty file that asks for a trace of the run so far."""
SO_FAR: Final = "so-far"
"""The folder of that trace."""


def take(folder: Path, name: str = LINE) -> dict[str, Any] | None:
    """Empty the mailbox; None where there is nothing in it."""
    file = folder / name
    try:
        text = file.read_text("ascii")
        file.unlink()
    except OSError:
        return None
    return json.loads(text)


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
