"""Decoded arrays on the disk, mapped into memory from the second read on.

A source is known by the paths, sizes and times of its files and the reader's settings; what it holds is not looked at
again. One file holds the images, labels and row digests of all its parts (``stored.py``), so that no content hash
needs the pixels again.

A file is written beside its place, flushed to the disk, then renamed: it is there whole or not at all. One that is
damaged, or is not ours, counts as absent. The folder keeps to ``LIMIT`` bytes; the files that were longest unused go
first. Without a folder to write to there is no cache, and everything else works.
"""

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from byhand.data.content import Content, digest
from byhand.data.dataset import Raw
from byhand.data.files import os_fault
from byhand.data.fingerprint import fingerprint
from byhand.data.stored import read_stored, write_stored
from byhand.errors import DataError
from byhand.files import TEMPORARY, write_atomically

LIMIT: Final = 4 * 2**30
"""The most that the cache's files take together, in bytes."""

_SUFFIX: Final = ".safetensors"
_FORMAT: Final = "byhand cache 2"
_SETTLED: Final = 20_000_000  # ns: file systems stamp with the tick of a coarse clock, a few milliseconds
_ABANDONED: Final = 3600  # s: after that a temporary file belongs to a process that was killed
_told = False


def home() -> Path:
    """Where byhand keeps its files: ``$BYHAND_HOME``, else the platform's folder for caches."""
    if own := os.environ.get("BYHAND_HOME"):
        return Path(own).expanduser()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME", "")
        if not os.path.isabs(base):  # as the XDG specification asks
            base = Path.home() / ".cache"
    return Path(base) / "byhand"


def cached(files: Iterable[Path], settings: Mapping[str, object], read: Callable[[], Raw]) -> Content:
    """What ``read`` returns, from the cache where it stands there.

    Args:
        files: what ``read`` depends on. A folder stands for everything below it.
        settings: the reader's name and options. Each different mapping has its own entry.
        read: decodes the source. If it raises, nothing is written.

    Raises:
        DataError: one of ``files`` cannot be looked at; and what ``read`` raises.
    """
    files = [file.absolute() for file in files]
    began = time.time_ns()
    marks, newest = fingerprint(files)
    about = json.dumps([_FORMAT, [str(file) for file in files], {key: str(value) for key, value in settings.items()}])
    key = (
        hashlib.sha256(about.encode()).hexdigest()[:24],
        hashlib.sha256((about + marks).encode("utf-8", "surrogateescape")).hexdigest()[:40],
    )
    try:
        folder = home() / "decoded"
    except RuntimeError:  # no home folder is known
        folder = None
    if folder is not None:
        stored = read_stored(entry := folder / f"{key[0]}-{key[1]}{_SUFFIX}", key[1])
        if stored is not None:
            with suppress(OSError):
                os.utime(entry)  # used now, so not among the first to go
            return stored
    content = digest(read())
    # A file that was written just now may change again within the same tick of its clock: don't keep what was read.
    if folder is not None and not 0 <= began - newest < _SETTLED:
        _keep(folder, key, content)
    return content


def _keep(folder: Path, key: tuple[str, str], content: Content) -> None:
    """Writes an entry; on any refusal of the system says so once and goes on without."""
    global _told
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / f"{key[0]}-{key[1]}{_SUFFIX}", lambda file: write_stored(file, key[1], content))
        _tidy(folder, key)
    except (OSError, DataError) as error:
        if not _told:
            _told = True
            reason = error if isinstance(error, DataError) else os_fault(folder, error)
            sys.stderr.write(f"byhand: not cached: {reason}\n")


def _tidy(folder: Path, key: tuple[str, str]) -> None:
    """Removes what the newest entry supersedes, what killed processes left, and, beyond LIMIT, the longest unused."""
    room = LIMIT
    now = time.time()
    with os.scandir(folder) as entries:
        found = sorted(((entry.stat(), entry) for entry in entries), key=lambda pair: -pair[0].st_mtime_ns)
    for status, entry in found:
        if entry.name.endswith(TEMPORARY):
            gone = now - status.st_mtime > _ABANDONED
        elif entry.name == f"{key[0]}-{key[1]}{_SUFFIX}":
            gone = False
            room -= status.st_size
        elif entry.name.endswith(_SUFFIX):
            gone = entry.name.startswith(f"{key[0]}-") or status.st_size > room
            room -= 0 if gone else status.st_size
        else:
            continue  # not ours
        if gone:
            with suppress(OSError):  # another process may be quicker, or still hold it open
                os.unlink(entry.path)
