"""A look at a run from aside: a copy of the process writes down what there is so far, and the run goes on.

The copy is nobody's child: the program may wait for any of its own, and meets no other. It says nothing, holds no file
or pipe of the program's open, and has a time, after which it is ended.
"""

import os
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy as np

from byhand.doctor.run.mailbox import SO_FAR
from byhand.doctor.watch.forked import be_quiet

__all__ = ["write_so_far"]

_SECONDS: Final = 60.0  # that a copy may take
_NICE: Final = 5


def write_so_far(write: Callable[[Path], None], folder: Path) -> None:
    """Let a copy of this process ``write`` into a new folder, which becomes ``folder / SO_FAR`` when it is whole.

    Raises:
        OSError: the system has no process left to give.
    """
    filters: Any = warnings.filters  # not catch_warnings: it makes warnings that were shown once show again
    filters.insert(0, ("ignore", None, Warning, None, 0))
    try:
        process = os.fork()
    finally:
        filters.pop(0)
    if process:
        with suppress(ChildProcessError):  # a handler of the program's may have waited for it
            os.waitpid(process, 0)
        return
    try:
        if os.fork() == 0:
            _settle()
            parts = folder / f"{SO_FAR}-{os.getpid()}"
            parts.mkdir()
            write(parts)
            parts.rename(folder / SO_FAR)
    finally:
        os._exit(0)


def _settle() -> None:
    """Let go of all that is the program's."""
    be_quiet(_SECONDS)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # another may wait for a pipe to be closed
    os.nice(_NICE)
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
