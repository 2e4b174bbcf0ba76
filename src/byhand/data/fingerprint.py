"""Whether files are as they were: their names, sizes and times, without opening any."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from byhand.data.files import faults

_DEPTH: Final = 3  # a picture stands at most in folder/part/class; the limit also ends links that lead in a circle


def fingerprint(files: Iterable[Path]) -> tuple[str, int]:
    """A text that changes when a file does, and the newest of the times in it, in nanoseconds since 1970.

    A folder stands for every file below it. The time at which the inode changed counts beside that of the content: it
    shows a file that was replaced by another of the same size and age.

    Raises:
        DataError: a file or folder cannot be looked at.
    """
    marks: list[str] = []
    newest = 0
    for file in files:
        with faults(file):
            if not file.is_dir():
                status = os.stat(file)
                marks.append(f"{file} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}")
                newest = max(newest, status.st_mtime_ns, status.st_ctime_ns)
                continue
            folders = [(str(file), 0)]
            while folders:
                path, depth = folders.pop()
                below, last = _mark_folder(path, marks)
                newest = max(newest, last)
                if depth < _DEPTH:
                    folders += [(os.path.join(path, name), depth + 1) for name in below]
    return "\n".join(marks), newest


def _mark_folder(path: str, marks: list[str]) -> tuple[list[str], int]:
    """Adds a line for each file of one folder to ``marks``; its sub-folders' names, and the newest time."""
    lines: list[str] = []
    folders: list[str] = []
    newest = 0
    # Through a descriptor the system looks each name up in its folder, not each path from the root: a third faster.
    at = os.open(path, os.O_RDONLY) if os.scandir in os.supports_fd else None
    try:
        with os.scandir(path if at is None else at) as entries:
            for entry in entries:
                if entry.is_dir():
                    folders.append(entry.name)
                    continue
                try:
                    status = entry.stat()
                except FileNotFoundError:  # a link that leads nowhere: the reader says so where it matters
                    status = entry.stat(follow_symlinks=False)
                mtime, ctime = status.st_mtime_ns, status.st_ctime_ns
                newest = max(newest, mtime, ctime)
                lines.append(f"{entry.name} {status.st_size} {mtime} {ctime}")
    finally:
        if at is not None:
            os.close(at)
    marks.append(f"\n{path}")
    marks += sorted(lines)
    return sorted(folders), newest
