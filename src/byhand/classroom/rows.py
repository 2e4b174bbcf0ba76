"""Which of the instructor's rows a program evaluated, whatever it made of their scale and shape.

A program reads an image and divides it by 255, subtracts a mean, flattens it, adds a column of ones. So images are
compared after their own mean is taken out and their length made 1, which undoes any scale and shift, and by 32 fixed
random projections, in which near is near. Where that finds nothing, each pixel may have a scale and a shift of its
own, as from scikit-learn's StandardScaler: these are fitted to the rows that look alike, and looked for again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, Self, final

import numpy as np
from numpy.typing import NDArray

__all__ = ["NONE", "TEST", "TRAINING", "Found", "Known"]

NONE, TEST, TRAINING = 0, 1, 2
"""Where a row is from."""

_DIRECTIONS: Final = 32
_NEAR: Final = 0.03  # of a row's length; rounding to bfloat16 makes 0.002, the most alike digits differ by 0.2
_BLOCK: Final = 8192  # rows at a time
_ALIKE: Final = 0.6  # of the distance to the second nearest: who is nearer than that is a candidate
_CLIP: Final = 4.0  # standard deviations
_ENOUGH: Final = 30  # candidates that a map is fitted to
_TRIED: Final = 1000  # rows that candidates are looked for
_FEW: Final = 100  # of them at a time
_SHARE: Final = 0.2  # of the rows that a fitted map must find, or it was fitted to chance
_FLAT: Final = 1e-6

Rows = NDArray[np.float32]


@final
class Found(NamedTuple):
    """Where M rows are from."""

    part: NDArray[np.int64]  # (M,): NONE, TEST or TRAINING
    at: NDArray[np.int64]  # (M,): the row in that part; -1 for NONE


@final
@dataclass(frozen=True, slots=True)
class Known:
    """The instructor's rows, (N, P) with their labels (N,) in each part, and the sides of an image."""

    test: NDArray[np.uint8]
    test_labels: NDArray[np.int64]
    training: NDArray[np.uint8]
    training_labels: NDArray[np.int64]
    sides: tuple[int, int]

    def save(self, folder: Path) -> None:
        """Write the rows into a folder, for other processes to map."""
        for name in ("test", "test_labels", "training", "training_labels"):
            np.save(folder / f"{name}.npy", getattr(self, name))
        np.save(folder / "sides.npy", np.array(self.sides))

    @classmethod
    def open(cls, folder: Path) -> Self:
        """The rows of a folder, mapped into memory."""

        def part(name: str) -> Any:
            return np.load(folder / f"{name}.npy", mmap_mode="r")

        height, width = part("sides").tolist()
        return cls(part("test"), part("test_labels"), part("training"), part("training_labels"), (height, width))

    def find(self, rows: NDArray[Any], shape: tuple[int, ...]) -> Found:
        """Where rows are from.

        Args:
            rows: (M, P') as a program had them, on any scale.
            shape: of one of them, as its model took it.
        """
        best = _nothing(len(rows))
        for same in _views(rows, shape, self.test.shape[1], self.sides):
            for look in (self._by_row, self._by_column):
                found = look(same)
                if (found.part > 0).sum() > (best.part > 0).sum():
                    best = found
                if (best.part > 0).mean() > 0.5:
                    return best
        return best

    def _by_row(self, rows: Rows) -> Found:
        """Rows that are an image up to one scale and one shift."""
        wanted = _sketch(rows, centred=True)
        found = _nothing(len(rows))
        for part, images in ((TEST, self.test), (TRAINING, self.training)):
            open_ = found.part == NONE
            if not open_.any() or not len(images):
                continue
            sketch = _sketch(images, centred=True)
            for sign in (1, -1):  # black on white is white on black
                _enter(found, part, _nearest(sketch, sign * wanted, _NEAR), open_)
                open_ = found.part == NONE
        return found

    def _by_column(self, rows: Rows) -> Found:
        """Rows of which each column has a scale and a shift of its own."""
        found = _nothing(len(rows))
        if len(rows) < 2 * _ENOUGH:
            return found
        some = np.linspace(0, len(rows) - 1, min(len(rows), _TRIED)).astype(np.int64)
        wanted = _sketch(_standard(rows)[some], centred=False)
        for part, images in ((TEST, self.test), (TRAINING, self.training)):
            if len(images) < 2 * _ENOUGH:
                continue
            at, index = some, _candidates(_sketch(_standard(images), centred=False), wanted)
            for _ in range(2):  # the first map is of those that look alike, the second of those that it fits
                if (index >= 0).sum() < _ENOUGH:
                    break
                at, index = np.arange(len(rows)), _fitted(images, rows, at, index)
            if (index >= 0).mean() >= _SHARE and len(index) == len(rows):
                _enter(found, part, index, found.part == NONE)
        return found


def _nothing(count: int) -> Found:
    return Found(np.full(count, NONE), np.full(count, -1))


def _enter(found: Found, part: int, index: NDArray[np.int64], where: NDArray[np.bool_]) -> None:
    fresh = where & (index >= 0)
    found.part[fresh] = part
    found.at[fresh] = index[fresh]


def _views(rows: NDArray[Any], shape: tuple[int, ...], pixels: int, sides: tuple[int, int]) -> Iterator[Rows]:
    """The rows as images of that many pixels: as they are, or without what a program adds to them."""
    width = rows.shape[1]
    if width == pixels:
        yield rows.astype(np.float32)
    for column, rest in ((-1, slice(None, -1)), (0, slice(1, None))):  # of ones, for the bias
        if width == pixels + 1 and np.ptp(rows[:, column].astype(np.float32)) < _FLAT:
            yield rows[:, rest].astype(np.float32)
    if width == 3 * pixels and np.array_equal(rows[:, :pixels], rows[:, -pixels:]):  # a grey image in three colours
        yield rows[:, :pixels].astype(np.float32)
    if len(shape) >= 2 and shape[-2] * shape[-1] == width > pixels and shape[-2] >= sides[0] and shape[-1] >= sides[1]:
        top, left = (shape[-2] - sides[0]) // 2, (shape[-1] - sides[1]) // 2  # a margin around it
        table = rows.reshape(-1, shape[-2], shape[-1])
        yield table[:, top : top + sides[0], left : left + sides[1]].reshape(len(rows), -1).astype(np.float32)


def _sketch(rows: NDArray[Any], *, centred: bool) -> Rows:
    """(M, P) → (M, 32): rows of length 1, projected so that distances stay about what they are; 0 for a flat row."""
    generator = np.random.default_rng(20_261_129)
    directions = generator.standard_normal((rows.shape[1], _DIRECTIONS), np.float32) / np.float32(_DIRECTIONS**0.5)
    sketch = np.empty((len(rows), _DIRECTIONS), np.float32)
    for start in range(0, len(rows), _BLOCK):
        block = np.nan_to_num(rows[start : start + _BLOCK].astype(np.float32), posinf=0, neginf=0)
        if centred:
            block -= block.mean(axis=1, keepdims=True)
        length = np.linalg.norm(block, axis=1, keepdims=True)
        flat = length < _FLAT * (1 + np.abs(block).max(axis=1, keepdims=True))
        sketch[start : start + _BLOCK] = (block @ directions) / np.where(flat, 1, length)
    return sketch


def _nearest(known: Rows, wanted: Rows, most: float) -> NDArray[np.int64]:
    """(M,): the index of the nearest known row, -1 where it is farther than ``most``."""
    from scipy.spatial import KDTree  # here, because it is heavy

    tree: Any = KDTree(known)
    distance, index = tree.query(wanted, distance_upper_bound=most)
    return np.where(np.isfinite(distance), index, -1).astype(np.int64)


def _candidates(known: Rows, wanted: Rows) -> NDArray[np.int64]:
    """(M,): the nearest known row where no other one is about as near, else -1."""
    found = np.full(len(wanted), -1)
    sizes = (known**2).sum(axis=1)
    for start in range(0, len(wanted), _FEW):
        block = wanted[start : start + _FEW]
        square = np.maximum(sizes + (block**2).sum(axis=1)[:, None] - 2 * block @ known.T, 0)  # (B, N)
        nearest = np.argpartition(square, 1, axis=1)[:, :2]  # the two, in order
        first, second = np.take_along_axis(square, nearest, axis=1).T
        found[start : start + _FEW] = np.where(first < _ALIKE**2 * second, nearest[:, 0], -1)
    return found


def _fitted(
    images: NDArray[np.uint8], rows: Rows, some: NDArray[np.int64], candidates: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Fit row = a · image + b, column by column, to candidates of some rows, and find all rows by it."""
    kept = candidates >= 0
    x, y = images[candidates[kept]].astype(np.float32), rows[some[kept]]  # (K, P)
    dx, dy = x - x.mean(axis=0), y - y.mean(axis=0)
    spread = (dx**2).sum(axis=0)
    slope = (dx * dy).sum(axis=0) / np.where(spread > 0, spread, 1)
    residual = ((dy - slope * dx) ** 2).sum(axis=0)
    fits = (spread > 0) & (residual <= 0.5 * (dy**2).sum(axis=0))  # wrong candidates must not spoil a column
    if not fits.any():
        return np.full(len(rows), -1)
    shift = y.mean(axis=0) - slope * x.mean(axis=0)
    back = (rows[:, fits] - shift[fits]) / np.where(slope[fits] == 0, 1, slope[fits])
    return _nearest(_sketch(images[:, fits], centred=True), _sketch(back, centred=True), _NEAR)


def _standard(rows: NDArray[Any]) -> Rows:
    """Each column with mean 0 and standard deviation 1, cut off where a rare pixel would outweigh all others."""
    table = np.nan_to_num(rows.astype(np.float32), posinf=0, neginf=0)
    spread = table.std(axis=0)
    return np.clip((table - table.mean(axis=0)) / np.where(spread < _FLAT, np.inf, spread), -_CLIP, _CLIP)
