"""What a copy of the run's process, forked in the midst of it, has to let go of."""

import gc
import os
import signal
import sys

__all__ = ["be_quiet"]


def be_quiet(seconds: float) -> None:
    """Read and write nothing from here on, compute on one thread, and end after so many seconds at the latest."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # kills
    signal.setitimer(signal.ITIMER_REAL, seconds)
    gc.disable()  # it would touch, and so copy, every object that there is
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    os.close(nowhere)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)  # the pool of threads has not come along
