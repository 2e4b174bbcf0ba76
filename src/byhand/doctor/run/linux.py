"""What only Linux offers, by its system calls: nothing here fails elsewhere, it does nothing.

Adopted orphans and death with the parent keep a program's processes together; Landlock lets a process, and all that it
starts, write in given folders only and signal nobody else, whatever language that is done in; a namespace of its own
has no network.
"""

import ctypes
import os
import signal
import struct
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

__all__ = ["adopt_orphans", "children", "cores", "die_with", "flush", "leave_network", "write_only_in"]

_DEATH_SIGNAL: Final = 1
_SUBREAPER: Final = 36
_NO_NEW_PRIVILEGES: Final = 38
_RULESET, _RULE, _RESTRICT = 444, 445, 446  # Landlock's system calls, alike on all machines
_WRITE_FILE: Final = 1 << 1
_CHANGES: Final = _WRITE_FILE | 0x7FF << 4  # write, remove and make of every kind, refer, truncate
_CONNECT: Final = 1 << 1
_ENOUGH: Final = 4  # the first version that knows truncation and connections
_SCOPED: Final = 6  # the first one that knows scopes
_SIGNALS: Final = 1 << 1
_NEW_USERS: Final = 0x10000000
_NEW_NETWORK: Final = 0x40000000


def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends."""
    if sys.platform == "linux":
        _libc().prctl(_SUBREAPER, 1, 0, 0, 0)


def die_with(parent: int) -> None:
    """End when the parent ends, even if that has just happened."""
    if sys.platform == "linux":
        _libc().prctl(_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def children() -> list[int]:
    """The processes whose parent this one is; none where the system does not tell."""
    with suppress(OSError):
        return [int(word) for word in Path(f"/proc/self/task/{os.getpid()}/children").read_text("ascii").split()]
    return []


def flush() -> None:
    """Write out what C code has printed and the C library still holds."""
    if os.name == "posix":
        _libc().fflush(None)


def write_only_in(folders: Sequence[Path]) -> bool:
    """Forbid this process and all that it starts to change files elsewhere than in these folders and the devices.

    TCP connections are forbidden as well and, where the system can, signals to processes that are not of its own. It
    cannot be undone, and holds for a process with a single thread.

    Returns:
        Whether the system can do it.
    """
    if sys.platform != "linux":
        return False
    libc = _libc()
    version: int = libc.syscall(_RULESET, None, ctypes.c_size_t(0), 1)
    if version < _ENOUGH:
        return False
    attributes = struct.pack("QQ", _CHANGES, _CONNECT)
    if version >= _SCOPED:
        attributes += struct.pack("Q", _SIGNALS)
    ruleset: int = libc.syscall(_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    for folder in [*folders, Path("/dev"), Path("/proc")]:
        with suppress(OSError):
            handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            libc.syscall(_RULE, ruleset, 1, struct.pack("=Qi", _CHANGES, handle), 0)
            os.close(handle)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    done = libc.syscall(_RESTRICT, ruleset, 0) == 0
    os.close(ruleset)
    return done


def leave_network() -> bool:
    """Move this process, and all that it starts, to where there is no network.

    Who is not root needs a namespace of users for that, in which it stays who it is. It holds for a process with a
    single thread.

    Returns:
        Whether it is in a new namespace of users, where the system counts its processes by themselves.
    """
    if sys.platform != "linux":
        return False
    libc = _libc()
    if libc.unshare(_NEW_NETWORK) == 0:
        return False
    user, group = os.getuid(), os.getgid()
    if libc.unshare(_NEW_USERS | _NEW_NETWORK) != 0:
        return False
    for file, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with suppress(OSError):
            Path(f"/proc/self/{file}").write_text(text, "ascii")
    return True


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
