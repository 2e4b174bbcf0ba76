"""Scratch copies of the user's folders: one as it was before the first run, and a fresh one for each replay.

Folders are real; small files are copied, large ones are symbolic links to the user's. A program also finds what stands
beside its folder (``../data``): two folders up, everything else is there as a link.
"""

import itertools
import os
import shutil
import stat
import tempfile
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Self, final

__all__ = ["Scratch", "own", "remove"]

_SMALL: Final = 1 << 20  # bytes
_HUGE: Final = 1 << 29
_MANY: Final = 1_000  # files of one folder; where there are more, they are data, and linked
_ROOM: Final = 1 << 28  # bytes of small files together
_ENTRIES: Final = 20_000  # further folders are linked as a whole
_BESIDE: Final = 1_000  # entries of a folder above
_UP: Final = 2
_HOPS: Final = 100
# Written by code that no hook of Python's sees; it would write through a link.
_NATIVE: Final = (".pt", ".pth", ".ckpt", ".bin", ".h5", ".hdf5", ".keras", ".safetensors", ".db", ".sqlite", ".onnx")
_LINKED: Final = {".git", ".venv", "venv", "node_modules", "__pycache__"}


@final
class Scratch:
    """A copy of some folders, taken on entering and removed on leaving.

    Args:
        folders: the working folder, the program's folder, ...
        inside: where the copies go; a temporary folder of its own by default. A workshop's folder outlives nobody.
    """

    def __init__(self, *folders: Path, inside: Path | None = None) -> None:
        self._whole = _outermost([Path(os.path.realpath(folder)) for folder in folders])
        self._tops = _outermost([_above(folder) for folder in self._whole])
        self._inside = inside
        self._count = itertools.count(1)

    def __enter__(self) -> Self:
        self._base = Path(os.path.realpath(tempfile.mkdtemp(prefix="byhand-scratch-", dir=self._inside)))
        try:
            self.refresh()
        except BaseException:
            remove(self._base)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        remove(self._base)

    def fresh(self) -> Mapping[Path, Path]:
        """A new copy, as the folders were at first: original folder → its copy. It is for one run."""
        number = next(self._count)
        copies = self._copies(str(number))
        for pristine, copy in zip(self._copies("0").values(), copies.values(), strict=True):
            copy.parent.mkdir(parents=True)
            _clone(str(pristine), str(copy))
        return copies

    def drop(self, copies: Mapping[Path, Path]) -> None:
        """Remove a copy that has served."""
        for copy in copies.values():
            remove(copy.parent)

    def refresh(self) -> None:
        """Take in what is new in the folders, as downloads are; what was there already stays as it was."""
        for top, copy in self._copies("0").items():
            copy.parent.mkdir(parents=True, exist_ok=True)
            _surround(top, copy, self._whole, (self._base, self._inside or self._base))

    def _copies(self, number: str) -> dict[Path, Path]:
        # The name of the folder stays what it was.
        return {top: self._base / number / str(i) / top.name for i, top in enumerate(self._tops)}


def own(path: Path, copy: Path, originals: Sequence[str], *, emptied: bool = False) -> None:
    """Replace every link on the way to a path of a copy that leads to an original by what it leads to.

    Args:
        path: in ``copy``, which need not exist.
        copy: the folder that is a copy.
        originals: the folders that were copied.
        emptied: the file is about to be emptied, so that its content need not be copied.
    """
    for _ in range(_HOPS):
        link = next((place for place in _way(path, copy) if place.is_symlink()), None)
        if not link:
            return
        target = Path(os.path.normpath(link.parent / os.readlink(link)))
        if target.is_relative_to(copy):  # the user's own link
            path = target / path.relative_to(link)
        elif any(target.is_relative_to(original) for original in originals):
            _materialize(link, target, emptied=emptied and link == path)
        else:
            return


def remove(folder: Path) -> None:
    """Remove a folder and all in it, read-only folders too; whatever cannot be removed stays."""
    for root, names, _ in os.walk(folder):
        for name in names:
            place = os.path.join(root, name)
            with suppress(OSError):
                if not os.path.islink(place) and os.stat(place).st_mode & stat.S_IRWXU != stat.S_IRWXU:
                    os.chmod(place, stat.S_IRWXU)
    shutil.rmtree(folder, ignore_errors=True)


def _way(path: Path, top: Path) -> list[Path]:
    """The places from ``top``, without it, down to ``path``."""
    parts = path.relative_to(top).parts
    return [top.joinpath(*parts[: i + 1]) for i in range(len(parts))]


def _outermost(folders: Iterable[Path]) -> list[Path]:
    """The folders that are in no other one of them."""
    kept: list[Path] = []
    for folder in sorted(set(folders)):  # a folder sorts before what is in it
        if not any(folder.is_relative_to(other) for other in kept):
            kept.append(folder)
    return kept


def _above(folder: Path) -> Path:
    """The folder so far above that ``../..`` is still in it; never the root."""
    for _ in range(_UP):
        if folder.parent != folder.parent.parent:
            folder = folder.parent
    return folder


def _surround(source: Path, target: Path, whole: Sequence[Path], skip: Sequence[Path]) -> None:
    """Make the folders that lead to those of ``whole``, fill these, and link what stands beside them."""
    if source in whole:
        _fill(source, target, skip)
        return
    target.mkdir(exist_ok=True)
    inner = {source / folder.relative_to(source).parts[0] for folder in whole if folder.is_relative_to(source)}
    for folder in inner:
        _surround(folder, target / folder.name, whole, skip)
    with suppress(OSError), os.scandir(source) as entries:  # a folder of others', which only lets pass
        for entry in itertools.islice(entries, _BESIDE):
            if Path(entry.path) not in inner and Path(entry.path) not in skip:
                _link(Path(entry.path), target / entry.name)


def _fill(top: Path, copy: Path, skip: Sequence[Path]) -> None:
    """Copy a folder, breadth first; what is there already stays."""
    count = room = 0
    device = top.stat().st_dev
    waiting = deque([(top, copy)])
    while waiting:
        source, target = waiting.popleft()
        try:
            with os.scandir(source) as scan:
                entries = [entry for entry in scan if Path(entry.path) not in skip]
        except OSError:  # not ours to read
            _link(source, target)
            continue
        if source != top and count + len(entries) > _ENTRIES:
            _link(source, target)
            continue
        count += len(entries)
        target.mkdir(exist_ok=True)
        for entry in entries:
            place, to = Path(entry.path), target / entry.name
            with suppress(FileNotFoundError):  # gone since
                status = entry.stat(follow_symlinks=False)
                if entry.is_symlink():
                    _link_again(place, to, top)
                elif entry.is_dir() and entry.name not in _LINKED and status.st_dev == device:
                    if not os.path.lexists(to) or (to.is_dir() and not to.is_symlink()):
                        waiting.append((place, to))
                elif os.path.lexists(to):
                    continue
                elif _copied(entry.name, status, room, len(entries)) and _try_copy(place, to):
                    room += status.st_size
                else:
                    _link(place, to)


def _copied(name: str, status: os.stat_result, room: int, beside: int) -> bool:
    """Whether a file is copied rather than linked, when ``room`` bytes have been copied."""
    if not stat.S_ISREG(status.st_mode):
        return False
    if name.endswith(_NATIVE):
        return status.st_size <= _HUGE
    return status.st_size <= _SMALL and room + status.st_size <= _ROOM and beside <= _MANY


def _clone(source: str, target: str) -> None:
    """Copy a folder that this module made, links as links."""
    os.mkdir(target)
    with os.scandir(source) as entries:
        for entry in entries:
            to = os.path.join(target, entry.name)
            if entry.is_symlink():
                os.symlink(os.readlink(entry.path), to)
            elif entry.is_dir():
                _clone(entry.path, to)
            else:
                _copy(entry.path, to)


def _try_copy(source: Path, target: Path) -> bool:
    try:
        _copy(source, target)
    except OSError:
        target.unlink(missing_ok=True)
        return False
    return True


def _copy(source: str | Path, target: str | Path) -> None:
    """Copy a file with its mode and times, on a file system that can by sharing its blocks."""
    with open(source, "rb") as reader, open(target, "wb") as writer:
        try:
            while os.copy_file_range(reader.fileno(), writer.fileno(), 1 << 30):
                pass
        except (AttributeError, OSError):  # goes on where that stopped
            shutil.copyfileobj(reader, writer)
        status = os.fstat(reader.fileno())
    os.chmod(target, stat.S_IMODE(status.st_mode))
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def _link(source: Path, target: Path) -> None:
    if not os.path.lexists(target):
        target.symlink_to(source)


def _link_again(source: Path, target: Path, top: Path) -> None:
    """Make a link of the user's anew: within the copy if it stays within the folders, else to where it leads."""
    aim = Path(os.path.normpath(source.parent / os.readlink(source)))
    _link(Path(os.path.relpath(aim, source.parent)) if aim.is_relative_to(top) else aim, target)


def _materialize(link: Path, target: Path, *, emptied: bool) -> None:
    """Put a copy in the place of a link: a file's content, or a folder of links to what is in it."""
    new = link.with_name(f".{link.name}.byhand")
    if target.is_dir():
        new.mkdir()
        for entry in os.scandir(target):
            (new / entry.name).symlink_to(entry.path)
        link.unlink()
        new.rename(link)
    elif emptied or not target.exists():
        link.unlink()
    else:
        _copy(target, new)
        new.replace(link)
