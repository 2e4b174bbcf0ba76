"""Files from mirrors: continued where they stopped, checked, and there whole or not at all.

pooch checks the SHA-256 and gives a file its name; the transfer itself is ours, because pooch cannot continue one. What
has arrived is kept in ``NAME.part``, so that the next attempt, on the same mirror or another, asks only for the rest.
"""

import errno
import http.client
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, cast

from byhand.data.files import os_fault
from byhand.errors import DataError
from byhand.text import one_line

_PIECE: Final = 1 << 16
_ATTEMPTS: Final = 3  # on one mirror, each continuing the one before
_LOCAL: Final = {errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EIO}  # our disk's faults


def fetch(
    name: str,
    files: Sequence[tuple[str, int, str]],
    mirrors: Iterable[str],
    folder: Path,
    quiet: bool = False,
    timeout: float = 20,
    instead: str = "name a folder that has them in $BYHAND_DATA, or use digits, which needs no download",
) -> None:
    """Brings files into a folder, each from the first mirror that has it.

    Args:
        name: what is fetched, for the messages.
        files: (name, size in bytes, SHA-256) of each; one that is there already and right is left alone.
        mirrors: URLs that a file's name is added to, in the order in which they are tried.
        folder: made if it does not exist.
        quiet: shows no progress. It is shown on standard error, and only in a terminal.
        timeout: seconds without an answer after which a mirror counts as dead.
        instead: what else can be done where no mirror gives it, for the message.

    Raises:
        DataError: no mirror gave a file that fits its SHA-256, or the folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _Progress(name, sum(size for _, size, _ in files), quiet) as progress:
            for file, size, sha256 in files:
                reasons = _fetch_file(file, size, sha256, list(mirrors), folder, timeout, progress.at)
                if reasons:
                    raise DataError(
                        f"{name}: cannot be downloaded ({'; '.join(reasons)}): put {', '.join(f for f, _, _ in files)} "
                        f"into {one_line(folder)} by hand, {instead}"
                    )
                progress.done(size)
    except OSError as error:
        raise os_fault(Path(error.filename or folder), error) from error


def _fetch_file(
    file: str, size: int, sha256: str, mirrors: list[str], folder: Path, timeout: float, at: Callable[[int], None]
) -> list[str]:
    """One file from the first mirror that has it. What went wrong, a reason a mirror; empty when the file is there."""
    import pooch  # here: with requests behind it, it is slow to import, and most runs download nothing

    retrieve = cast("Any", pooch).retrieve
    pooch.get_logger().setLevel("ERROR")
    part = folder / f"{file}.part"

    def transfer(url: str, output_file: str, _pooch: Any) -> None:
        _continue(url, part, size, timeout, at)
        os.replace(part, output_file)

    reasons: list[str] = []
    for mirror in mirrors:
        reason = ""
        for _ in range(_ATTEMPTS):
            before = part.stat().st_size if part.exists() else 0
            try:
                retrieve(mirror + file, sha256, file, folder, downloader=transfer)
                return []
            except ValueError:  # pooch's word for a wrong hash; it has removed the file
                reason = "the file is not the published one"
                if before == 0:  # a clean transfer: another would bring the same; else the old part may be to blame
                    break
            except urllib.error.HTTPError as error:
                error.close()
                reason = f"HTTP {error.code}"
                break
            except (OSError, http.client.HTTPException) as error:
                if isinstance(error, OSError) and error.errno in _LOCAL:
                    raise
                reason = _reason(error)
                if not part.exists() or part.stat().st_size <= before:
                    break
        reasons.append(f"{mirror.split('/')[2]}: {reason}")
    return reasons


def _continue(url: str, part: Path, size: int, timeout: float, at: Callable[[int], None]) -> None:
    """Adds to ``part`` what it lacks of ``url``, and returns only when all ``size`` bytes are there."""
    have = part.stat().st_size if part.exists() else 0
    if have > size:
        part.unlink()
        have = 0
    if have < size:
        headers = {"Accept-Encoding": "identity", "User-Agent": "byhand"}
        if have:
            headers["Range"] = f"bytes={have}-"
        request = urllib.request.Request(url, headers=headers)  # noqa: S310  the mirrors are http(s), listed in the source
        with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310
            # A server that does not know ranges, or that starts elsewhere, sends the file from its beginning.
            more = answer.status == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
            if answer.status == 206 and not more:
                raise http.client.HTTPException("the server sent another range than was asked for")
            have = have if more else 0
            with part.open("ab" if more else "wb") as file:
                while have <= size and (piece := answer.read(_PIECE)):
                    file.write(piece)
                    have += len(piece)
                    at(min(have, size))
    if have > size:
        part.unlink()
        raise http.client.HTTPException(f"more than the {size:,} bytes of the published file")
    if have < size:
        raise http.client.HTTPException(f"ended after {have:,} of {size:,} bytes")


def _reason(error: Exception) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    text = (cause.strerror if isinstance(cause, OSError) else None) or str(cause) or type(cause).__name__
    return " ".join(one_line(text).split())


class _Progress:
    """A bar on standard error for all files together, in a terminal."""

    def __init__(self, name: str, total: int, quiet: bool) -> None:
        self._bar: Any = None
        self._finished = 0
        if not quiet and sys.stderr.isatty():
            from rich import progress
            from rich.console import Console

            columns = (
                progress.TextColumn("{task.description}"),
                progress.BarColumn(),
                progress.DownloadColumn(),
                progress.TransferSpeedColumn(),
                progress.TimeRemainingColumn(),
            )
            self._bar = progress.Progress(*columns, console=Console(stderr=True))
            self._task = self._bar.add_task(f"fetching {name}", total=total)

    def __enter__(self) -> "_Progress":
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def at(self, position: int) -> None:
        """Bytes of the file under way."""
        if self._bar is not None:
            self._bar.update(self._task, completed=self._finished + position)

    def done(self, size: int) -> None:
        """A file of that many bytes is there."""
        self._finished += size
        self.at(0)
