"""Shards: a data set larger than memory, split into its parts once, in ``.npy`` files of some ten megabytes each.

    shards.json                what the others hold: sizes, classes, hashes
    train-00000.images.npy     (n, H, W) uint8
    train-00000.labels.npy     (n,)      int64
    train-00001.…  valid-00000.…  test-00000.…

``np.load(file, mmap_mode="r")`` opens each. The training images stand in a random order, drawn when they were written:
any stretch of them is a sample of all. The order of the others is the source's.
"""

import hashlib
import math
import os
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final

import numpy as np
from numpy.typing import NDArray

from byhand.data.content import content_hash, row_digests
from byhand.data.dataset import Dataset, Part, Rows, empty_rows
from byhand.data.files import MAX_BYTES, open_file
from byhand.errors import DataError
from byhand.text import one_line

if TYPE_CHECKING:
    from byhand.data.loader import DataLoaders

MANIFEST: Final = "shards.json"
_SAMPLE: Final = 256 << 20  # bytes of a part that are taken for a sample
_PIECE: Final = 1 << 24  # bytes that are checked at a time


@final
@dataclass(frozen=True, slots=True)
class Column:
    """One file of a shard, as it was when it was opened."""

    path: Path
    offset: int  # of its numbers, behind the header
    row: int  # bytes
    changed: int  # when, in nanoseconds since 1970
    sha256: str  # of the whole file, when it was written

    def read_into(self, into: NDArray[Any], first: int) -> None:
        """Fill a contiguous array with rows from ``first`` on."""
        with open_file(self.path) as file:
            if os.fstat(file.fileno()).st_mtime_ns != self.changed:
                raise changed(self.path, "it was written to meanwhile")
            file.seek(self.offset + first * self.row)
            if file.readinto(into.reshape(-1).view(np.uint8).data) != into.nbytes:
                raise changed(self.path, "it ends too early")


@final
@dataclass(frozen=True, slots=True)
class Shards:
    """A part of a data set that stays on the disk. ``hash`` names its content, as that of a ``Part``."""

    columns: tuple[tuple[Column, Column], ...]  # images and labels of each shard
    starts: tuple[int, ...]  # the first row of each shard, and the number of all rows
    shape: tuple[int, int]  # H, W
    counts: tuple[int, ...]  # rows of each class
    classes: tuple[str, ...]
    hash: str

    def __len__(self) -> int:
        return self.starts[-1]

    def rows(self, start: int, stop: int) -> Rows:
        """Rows ``start`` to ``stop``, read from the files: images (n, H, W) and labels (n,).

        Raises:
            DataError: a file is gone or has changed.
        """
        rows = empty_rows(max(0, min(stop, len(self)) - start), self.shape)
        self.read_into(rows, start)
        return rows

    def read_into(self, rows: Rows, start: int) -> None:
        """Fill ``rows`` with those from ``start`` on.

        Raises:
            DataError: a file is gone or has changed.
        """
        done, end = 0, len(rows.labels)
        while done < end:
            which = bisect_right(self.starts, start + done) - 1
            first = start + done - self.starts[which]
            stop = min(end, done + self.starts[which + 1] - self.starts[which] - first)
            (images, labels), there = self.columns[which], rows.labels[done:stop]
            images.read_into(rows.images[done:stop], first)
            labels.read_into(there, first)
            if there.min() < 0 or there.max() >= len(self.classes):
                raise changed(labels.path, f"a label lies outside 0..{len(self.classes) - 1}")
            done = stop

    def first(self, most: int) -> Part:
        """The first rows, at most ``most``, in memory. Of a training part they are a random sample.

        Raises:
            DataError: a file is gone or has changed.
        """
        rows = self.rows(0, most)
        whole = len(rows.labels) == len(self)
        name = self.hash if whole else content_hash(row_digests(rows, self.classes), self.classes)
        return Part(*rows, self.classes, name)

    def check(self) -> tuple[int, int] | None:
        """Read every file and hold it against its checksum; the least and the largest value of a pixel, if any.

        Raises:
            DataError: a file is gone or has changed.
        """
        low, high = 255, 0
        for columns in self.columns:
            for column in columns:
                digest = hashlib.sha256()
                with open_file(column.path) as file:
                    digest.update(file.read(column.offset))
                    while piece := file.read(_PIECE):
                        digest.update(piece)
                        if column is columns[0]:
                            pixels = np.frombuffer(piece, np.uint8)
                            low, high = min(low, int(pixels.min())), max(high, int(pixels.max()))
                if digest.hexdigest() != column.sha256:
                    raise changed(column.path, "its checksum is another")
        return (low, high) if len(self) else None


@final
@dataclass(frozen=True, slots=True)
class Sharded:
    """A data set in shards. Everything means what it means in ``Dataset``."""

    source: str
    train: Shards
    valid: Shards
    test: Shards
    classes: tuple[str, ...]
    hash: str

    @property
    def shape(self) -> tuple[int, int]:
        """H, W."""
        return self.train.shape

    def loaders(self, batch_size: int = 256, seed: int = 42, augment: bool = False) -> "DataLoaders":
        """As ``Dataset.loaders``; the batches are read from the files as they are asked for."""
        from byhand.data.loader import loaders  # here, because it imports torch

        return loaders(self.train, self.valid, batch_size, seed, augment=augment)

    def in_memory(self, sample: bool = False) -> Dataset:
        """The data set in memory.

        Args:
            sample: take of the training part, and of the validation part, the first 256 MiB only.

        Raises:
            DataError: a part has more than 2 GiB, or a file is gone or has changed.
        """
        most = _SAMPLE // math.prod(self.shape)
        train, valid = (p.first(most) if sample else _whole(p) for p in (self.train, self.valid))
        return Dataset(self.source, train, valid, _whole(self.test), self.classes, self.hash)


def changed(path: Path, how: str) -> DataError:
    """What to say of a file that is not as it was."""
    return DataError(f"{one_line(path)}: is not as {MANIFEST} says: {how}; make the shards again")


def _whole(part: Shards) -> Part:
    size = len(part) * math.prod(part.shape)
    if size > MAX_BYTES:
        raise DataError(
            f"{one_line(part.columns[0][0].path.parent)}: a part has {size:,} bytes, more than the {MAX_BYTES:,} that "
            "are read into memory; byhand train takes it as it is, and so does byhand.open_data"
        )
    return part.first(len(part))
