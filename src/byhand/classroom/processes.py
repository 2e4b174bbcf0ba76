"""The processes below one, what they use, and their end. Only Linux tells; elsewhere there are none to be seen."""

import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = ["below", "children", "end", "memory"]

_PAGE: Final = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_PATIENCE: Final = 10.0  # seconds for processes to go


def children(process: int) -> list[int]:
    """The processes that one has started, by any of its threads, and those that it has adopted."""
    found: list[int] = []
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{process}/task"):
            with suppress(OSError):
                words = Path(f"/proc/{process}/task/{thread}/children").read_text("ascii").split()
                found += map(int, words)
    return found


def below(processes: Sequence[int]) -> list[int]:
    """All processes that these have started, and those that they have started; without these themselves."""
    found: list[int] = []
    waiting = list(processes)
    while waiting:
        inner = children(waiting.pop())
        found += inner
        waiting += inner
    return found


def memory(processes: Sequence[int], most: int) -> int:
    """Bytes that processes hold together; pages that they share are divided among them if it comes to ``most``."""
    rough = sum(map(_own, processes))
    return rough if rough <= most else sum(map(_proportional, processes))


def _own(process: int) -> int:
    """Resident bytes that are not a file's; pages from before a fork count for each."""
    with suppress(OSError, ValueError, IndexError):
        words = Path(f"/proc/{process}/statm").read_text("ascii").split()
        return (int(words[1]) - int(words[2])) * _PAGE
    return 0


def _proportional(process: int) -> int:
    with suppress(OSError, ValueError, IndexError):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text("ascii").splitlines():
            if line.startswith("Pss_Anon:"):
                return int(line.split()[1]) * 1024
    return _own(process)


def end(roots: Sequence[int], *, roots_too: bool) -> None:
    """Kill all processes below some, which are stopped first: what forks without end would outrun the killing."""
    until = time.monotonic() + _PATIENCE
    stopped: set[int] = set()
    while (fresh := set(below(roots)) - stopped) and time.monotonic() < until:
        for process in fresh:
            _send(process, signal.SIGSTOP)
        stopped |= fresh
    for process in [*stopped, *(roots if roots_too else ())]:
        _send(process, signal.SIGKILL)


def _send(process: int, what: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(process, what)
