"""Where a copy of a named data set lies on this machine, and how to get one.

A copy on the disk comes first, whoever put it there: nothing is downloaded that is there. Fashion-MNIST and KMNIST come
in files of the same names as MNIST's, so a copy is known by its content where a digest is known, and by the name of its
folder only where none is.
"""

import gzip
import hashlib
import importlib.util
import os
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from byhand.data import competition
from byhand.data.cache import home
from byhand.data.catalog import SOURCES, Source, describe
from byhand.data.download import fetch
from byhand.data.idx import find_idx_folder, idx_files
from byhand.errors import DataError

__all__ = ["find", "get"]


def find(name: str) -> Path | None:
    """Where a complete copy lies: a folder of IDX files or of images, an NPZ file, Kaggle's folder; or None.

    In this order: ``$BYHAND_DATA`` (one folder or several, as in ``$PATH``; each is the copy itself, or holds a folder
    named after the source, or torchvision's layout), torchvision's places under ``.``, ``data`` and ``~/data``,
    fastai's, Keras's, Kaggle's, and byhand's own. ``digits`` is found inside scikit-learn.

    Raises:
        UsageError: there is no source of that name.
    """
    source = describe(name)
    if not source.files:
        package = importlib.util.find_spec("sklearn")  # does not import it
        file = (
            Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz" if package and package.origin else None
        )
        return file if file and file.is_file() else None
    for place in _places(source):
        with suppress(OSError, DataError, ValueError):  # a place that cannot be looked into holds no copy for us
            found = _copy_in(place, source)
            if found is not None:
                return found
    return None


def get(name: str, quiet: bool = False) -> Path:
    """Where the source is, after fetching it if there is no copy on the disk; ``quiet`` shows no progress.

    Raises:
        UsageError: there is no source of that name.
        DataError: there is no copy and no mirror gives one. The message says what to do by hand.
    """
    source = describe(name)
    found = find(name)
    if found is not None:
        return found
    if not source.files:
        raise DataError(f"{name}: scikit-learn, which holds it, is not installed; pip install scikit-learn")
    folder = _downloads(source)
    wanted = [(file.name, file.size, file.sha256) for file in source.files]
    fetch(name, wanted, source.mirrors, folder, quiet)
    return folder


def _places(source: Source) -> Iterator[Path]:
    here, user = Path(), Path("~").expanduser()
    for root in [Path(part).expanduser() for part in os.environ.get("BYHAND_DATA", "").split(os.pathsep) if part]:
        yield root
        with suppress(OSError):
            yield from sorted(path for path in root.iterdir() if _plain(path.name) in source.folders)
    for root in (here, here / "data", user / "data"):
        yield root / source.torchvision / "raw"
    fastai = Path(os.environ.get("FASTAI_HOME", "~/.fastai")).expanduser()
    keras = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "datasets"
    if source.name == "mnist":
        yield fastai / "data" / "mnist_png"
        yield keras / "mnist.npz"
        yield from competition.folders()
    else:
        yield keras / source.name
    yield _downloads(source)


def _downloads(source: Source) -> Path:
    return home() / "data" / source.name


def _copy_in(place: Path, source: Source) -> Path | None:
    if place.suffix == ".npz":
        return place if place.is_file() else None
    if not place.is_dir():
        return None
    folder = find_idx_folder(place)
    if folder is not None:
        if len(idx_files(folder)) < len(source.files):
            return None
        who = _identify(folder)
        # MNIST's content is known, so what is not that is not MNIST; for the others the folder's name must do.
        known = source.files[0].content is not None
        return folder if who == source.name or (who is None and not known and _is_named(folder, source)) else None
    if not _is_named(place, source):
        return None
    archive, table = place / f"{source.name}.npz", next(place.glob("*train.csv"), None)
    if archive.is_file():
        return archive
    return place if table or any((place / part).is_dir() for part in ("training", "train")) else None


def _identify(folder: Path) -> str | None:
    """Which source the IDX files of a folder are, by the digest of a file of labels; None where no digest fits."""
    for file in idx_files(folder):
        if "labels" not in file.name:
            continue
        content, packed = _digests(file)
        for source in SOURCES:
            if any(content == known.content or packed == known.sha256 for known in source.files):
                return source.name
    return None


def _is_named(path: Path, source: Source) -> bool:
    """Whether the last folder of the path that has the name of any source has the name of this one."""
    for part in reversed(path.absolute().parts[-3:]):
        for other in SOURCES:
            if _plain(part) in other.folders:
                return other is source
    return False


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


def _digests(file: Path, limit: int = 2**20) -> tuple[str | None, str | None]:
    """SHA-256 of what a small file unpacks to and, if it is compressed, of itself; None where there is none."""
    packed = file.read_bytes() if file.stat().st_size <= limit else b""
    if not packed.startswith(b"\x1f\x8b"):
        return hashlib.sha256(packed).hexdigest(), None
    try:
        with gzip.open(file) as stream:
            content = hashlib.sha256(stream.read(limit)).hexdigest()
    except (OSError, EOFError, zlib.error):
        content = None
    return content, hashlib.sha256(packed).hexdigest()
