"""From a name or a path to a data set: ``load`` in memory, ``open_data`` larger than memory; ``make_shards``."""

import difflib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, cast

import numpy as np

from byhand.data import sources
from byhand.data.cache import cached
from byhand.data.catalog import NAMES, describe
from byhand.data.content import Content
from byhand.data.dataset import Dataset, Raw, Rows
from byhand.data.files import faults
from byhand.data.formats import FORMATS, find_format
from byhand.data.manifest import is_sharded, open_shards
from byhand.data.sharding import Choices, shard
from byhand.data.shards import Sharded
from byhand.data.split import check_settings, split
from byhand.data.streams import of_memory
from byhand.errors import DataError, UsageError
from byhand.text import one_line

_EMBEDDED: Final = "digits"


def load(
    source: str | Path | None = None,
    valid: float = 0.1,
    seed: int = 42,
    *,
    size: int | None = None,
    grayscale: bool = False,
    sample: bool = False,
) -> Dataset:
    """Reads a source and splits it; :func:`byhand.data.split.split` says how.

    Args:
        source: a name ("digits", "mnist", "fashion-mnist", "kmnist"); or the path of a folder of IDX files, a folder of
            images, a CSV, NPZ or Parquet file, a folder that holds ``train.csv`` or ``train-….parquet``, or one of
            shards, which are split already. None is MNIST where a copy is on the disk, else "digits". A folder that is
            called as a data set is named with a slash: "./mnist".
        valid: the share of the training rows to validate on, in [0, 1).
        seed: for the draw of the validation part; nothing else depends on it.
        size: image files are resized to ``size`` × ``size``; every other source must have that size.
        grayscale: image files in colour are made grey.
        sample: of shards, take the first 256 MiB of the training part, a random sample, and of the validation part.

    Raises:
        UsageError: no data set of that name, or an argument out of range.
        DataError: the source cannot be read. The message names the file, the place in it, and what to do.
    """
    data = open_data(source, valid, seed, size=size, grayscale=grayscale)
    return data if isinstance(data, Dataset) else data.in_memory(sample)


def open_data(
    source: str | Path | None = None,
    valid: float = 0.1,
    seed: int = 42,
    *,
    size: int | None = None,
    grayscale: bool = False,
) -> Dataset | Sharded:
    """As ``load``, but a folder of shards is not read: its loaders read what they need when they need it.

    Raises:
        UsageError, DataError: as ``load``.
    """
    check_settings(valid, seed)
    if size is not None and size < 1:
        raise UsageError(f"size={size}: give the number of pixels of a side, from 1 up")
    if source is None:
        source = "mnist" if sources.find("mnist") is not None else _EMBEDDED
    name = str(source)
    if source == _EMBEDDED:
        content = _read_digits()
    elif is_sharded(path := _locate(source)):
        data = open_shards(name, path)
        _check_size(name, size, data.shape)
        return data
    else:
        content = _read(path, size, grayscale)
    _check_size(name, size, content.raw.train.images.shape[1:])
    if source in NAMES:  # the files of Fashion-MNIST and KMNIST number their classes and do not name them
        content = content._replace(raw=content.raw._replace(classes=describe(name).classes))
    return split(name, content, valid, seed)


def make_shards(
    source: str | Path, folder: Path, choices: Choices, tell: Callable[[str, int], None] = lambda _what, _rows: None
) -> None:
    """Makes a folder of shards of any source but shards; ``sharding.shard`` says how.

    Raises:
        UsageError, DataError: as ``load`` and ``shard``.
    """
    name = str(source)
    if source == _EMBEDDED:
        stream = of_memory([], _read_digits().raw)
    elif is_sharded(path := _locate(source)):
        raise UsageError(f"{one_line(path)} holds shards already; copy the folder")
    else:
        found = find_format(path, choices.size, choices.grayscale)
        with faults(path):
            stream = found.stream()
    if choices.size is not None:
        _check_size(name, choices.size, next(stream.parts["train"](0)).images.shape[1:])
    classes = describe(name).classes if source in NAMES else None
    shard(name, stream, folder, choices, classes, tell)


def _check_size(name: str, size: int | None, shape: tuple[int, ...]) -> None:
    height, width = shape
    if size is not None and (height, width) != (size, size):
        raise UsageError(
            f"size={size}: {one_line(name)} holds images of {height} × {width} pixels; only image files are resized"
        )


def _locate(source: str | Path) -> Path:
    """The path of a source: a named one is found on the disk or fetched."""
    if isinstance(source, str) and source in NAMES:  # a path of that name is a path
        return sources.get(source)
    try:
        path = Path(source).expanduser()
    except RuntimeError as error:  # "~somebody" who is not a user here
        raise DataError(f"{one_line(source)}: there is no such user's home; check the path") from error
    if "\0" in str(path):
        raise DataError(f"{one_line(path)}: a path cannot hold a NUL character; check it")
    with faults(path):
        # A bare word that is no file was meant as a name.
        if isinstance(source, str) and path.name == source and not path.suffix and not (source and path.exists()):
            names = sorted(NAMES)
            near = difflib.get_close_matches(source.lower(), names, n=2, cutoff=0.5)
            meant = f"did you mean {' or '.join(near)}? " if near else ""
            raise UsageError(
                f"{one_line(source)}: no data set of that name, and no such file or folder; {meant}"
                f"names are {', '.join(names)}; else give the path of {FORMATS}"
            )
    return path


def _read(path: Path, size: int | None, grayscale: bool) -> Content:
    """Reads a path, from the cache where it stands there."""
    found = find_format(path, size, grayscale)
    with faults(path):
        return cached(found.files, found.settings, found.read)


def _read_digits() -> Content:
    """The 1,797 real 8×8 digits of scikit-learn, their values 0..16 scaled to 0..255: ⌊(255 v + 8) / 16⌋, rounded.

    Source: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI repository, its test part.
    """
    return cached([sources.get(_EMBEDDED)], {"reader": _EMBEDDED, "version": 1}, _decode_digits)


def _decode_digits() -> Raw:
    from sklearn.datasets import load_digits

    bunch = cast("Any", load_digits())
    images = (255 * np.asarray(bunch.data, np.int64) + 8) // 16  # (N, 64)
    rows = Rows(images.astype(np.uint8).reshape(-1, 8, 8), np.asarray(bunch.target, np.int64))
    return Raw(rows, None, None, tuple("0123456789"))
