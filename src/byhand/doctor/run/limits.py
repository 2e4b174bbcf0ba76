"""The limits of a run that is fenced in: the system itself refuses what goes beyond them."""

import os
import sys
from contextlib import suppress
from typing import Final

from byhand.doctor.job import Fence
from byhand.doctor.run.linux import leave_network

__all__ = ["put_limits"]

_NICE: Final = 10  # so that who watches it gets to run, however many there are of it


def put_limits(fence: Fence) -> None:
    """Put limits on this process and all that it starts, and leave the network where the system lets it.

    Too much memory is a MemoryError and too long a file an OSError, in the program's own line. The system counts the
    processes of a run by themselves only where it has let it into a user namespace; whoever starts runs for others
    counts them too (``byhand.classroom.keeper``).
    """
    import resource  # here, because Windows has none

    os.nice(_NICE)
    own_users = leave_network()
    wanted = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: fence.file,
        resource.RLIMIT_NOFILE: fence.files,
    }
    if sys.platform == "linux":
        wanted[resource.RLIMIT_DATA] = fence.memory  # on other systems it leaves out what malloc takes
        if own_users:
            wanted[resource.RLIMIT_NPROC] = fence.processes
    for what, most in wanted.items():
        _, hard = resource.getrlimit(what)
        with suppress(OSError, ValueError):
            bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(what, (bound, bound))
