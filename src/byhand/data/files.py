"""Opening what a user names: every fault becomes one line with the path and what to do."""

import errno
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Final

from byhand.errors import DataError
from byhand.text import one_line

MAX_BYTES: Final = 2**31
"""The most that the arrays of a file may take in memory (2 GiB), checked before anything is allocated."""

MAX_ROWS: Final = 2**24
"""The most images of a file: beside its pixels each takes 40 bytes, for its label and its digest."""

_HINTS: Final = {
    errno.ENOENT: "no such file or folder; check the path",
    errno.EACCES: "permission denied; make it readable",
    errno.EPERM: "permission denied; make it readable",
    errno.EISDIR: "is a folder; name a file in it",
    errno.ENOTDIR: "a part of this path is a file, not a folder; check the path",
    errno.ELOOP: "a symbolic link that leads to itself; name the file itself",
    errno.ENAMETOOLONG: "this path is longer than the system allows; check it",
    errno.EMFILE: "too many open files; close some or raise the limit (ulimit -n)",
    errno.EIO: "the disk reports an input/output error; copy the file again",
}


def check_rows(path: Path, count: int) -> None:
    """DataError where a file holds more images than are read into memory."""
    if count > MAX_ROWS:
        raise DataError(
            f"{one_line(path)}: holds more images than the {MAX_ROWS:,} that are read into memory; use a part of it"
        )


def os_fault(path: Path, error: OSError) -> DataError:
    """What the system refused, in words: the path, the reason, what to do."""
    reason = _HINTS.get(error.errno or 0) or f"{error.strerror or error}; check the file and its disk"
    return DataError(f"{one_line(path)}: {one_line(reason)}")


@contextmanager
def faults(path: Path) -> Generator[None]:
    """Turns the system's refusals about ``path`` into a DataError: no such file, no permission, a failing disk."""
    try:
        yield
    except OSError as error:
        raise os_fault(path, error) from error
    except MemoryError as error:
        raise DataError(f"{one_line(path)}: does not fit into this machine's memory; use a part of it") from error


@contextmanager
def open_file(path: Path) -> Generator[BufferedReader]:
    """Opens a regular file for reading; anything else (a pipe would block for ever) is a DataError."""
    with faults(path):
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode):
            raise DataError(f"{one_line(path)}: is neither a file nor a folder; name a file")
        with open(path, "rb") as file:
            yield file
