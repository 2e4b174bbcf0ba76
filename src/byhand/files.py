"""Files that are there whole or not at all."""

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from byhand.errors import DataError

__all__ = ["TEMPORARY", "is_left", "read_at_most", "write_atomically"]

TEMPORARY = ".tmp"
"""How the name of an unfinished file ends; one that is left belongs to a process that was killed."""


def is_left(file: Path) -> bool:
    """Whether a process was writing this file when it was killed, or is still doing so."""
    return file.name.startswith(".") and file.name.endswith(TEMPORARY)


def read_at_most(path: Path, most: int) -> bytes:
    """The bytes of a file that is not believed to be small.

    Raises:
        OSError: it cannot be read.
        ValueError: it has more than ``most`` bytes.
    """
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"it has more than {most:,} bytes")
    return content


def write_atomically(path: Path, write: Callable[[BinaryIO], object] | bytes) -> None:
    """Write a file so that ``path`` holds its old content or all of the new one, whatever happens in between.

    The bytes go to a temporary file in the same folder, are synced to the disk, and take the name by one rename; the
    folder is synced after it, so that the name too outlasts a power cut.

    Args:
        path: the file; its folder must exist.
        write: the bytes, or a function that writes them to a binary file.

    Raises:
        DataError: the folder is missing, read-only or full.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=TEMPORARY)
        try:
            with os.fdopen(handle, "wb") as file:
                if isinstance(write, bytes):
                    file.write(write)
                else:
                    write(file)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(name, 0o666 & ~_umask())
            os.replace(name, path)
        except BaseException:
            with suppress(OSError):  # the first fault is the one to tell
                os.unlink(name)
            raise
        _sync_folder(path.parent)
    except OSError as error:
        raise DataError(
            f"cannot write {path}: {error.strerror or error}; choose another folder or make room"
        ) from error


def _umask() -> int:
    """The process's mask for new files, which mkstemp does not apply; reading it means setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # Windows opens no folders
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
