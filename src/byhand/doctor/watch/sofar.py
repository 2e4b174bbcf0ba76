"""A look at a run from aside: a copy of the process writes down what there is so far, and the run goes on.

The copy is nobody's child: the program may wait for any of its own, and meets no other. It says nothing, holds no file
or pipe of the program's open, and has a time, after which it is ended.
"""

import gc
import os
import signal
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy as np

from byhand.doctor.run.mailbox import SO_FAR

__all__ = ["aside"]

_SECONDS: Final = 60.0  # that a copy may take
_NICE: Final = 5


def aside(write: Callable[[Path], None], folder: Path) -> None:
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
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # kills
    signal.setitimer(signal.ITIMER_REAL, _SECONDS)
    gc.disable()  # it would touch, and so copy, every object that there is
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # another may wait for a pipe to be closed
    os.nice(_NICE)
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)  # the pool of threads has not come along
