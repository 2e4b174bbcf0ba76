"""One process at a time: a lock on a folder that ends with the process that holds it, however that ends."""

import errno
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from byhand.errors import DataError

__all__ = ["LOCK", "held"]

LOCK: Final = ".lock"
"""The name of a folder's lock. One that a killed process left locks nothing: the system's lock ended with it."""

_NO_LOCKS: Final = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}  # some network file systems have none


@contextmanager
def held(folder: Path) -> Generator[None]:
    """Hold the lock of a folder; its file is removed afterwards. Where the file system knows no locks, there is none.

    Raises:
        DataError: another process holds it, or nothing can be written there.
    """
    handle = _take(folder)
    try:
        yield
    finally:
        steps = [lambda: os.unlink(folder / LOCK), lambda: os.close(handle)]
        for step in steps[::-1] if sys.platform == "win32" else steps:  # Windows removes no open file
            with suppress(OSError):  # the folder may be gone, or read-only by now; the work is done
                step()


def _take(folder: Path) -> int:
    path = folder / LOCK
    try:
        while True:
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                _lock(handle)
                if os.path.samestat(os.fstat(handle), os.stat(path)):
                    return handle
            except FileNotFoundError:  # the one before removed it in between
                os.close(handle)
            except BaseException:
                os.close(handle)
                raise
            else:
                os.close(handle)
    except (BlockingIOError, PermissionError) as error:
        if isinstance(error, BlockingIOError) or (sys.platform == "win32" and error.filename is None):
            raise DataError(f"{folder} is in use: another process is at work in it; wait until it has ended") from error
        raise DataError(f"cannot write {path}: {error.strerror}; choose another folder") from error
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror}; choose another folder or make room") from error


def _lock(handle: int) -> None:
    """BlockingIOError (on Windows PermissionError) if another process has it."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        return
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
