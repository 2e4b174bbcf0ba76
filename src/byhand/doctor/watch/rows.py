"""Which rows went through the model: a fingerprint of each, and the rows themselves, once."""

from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from byhand.doctor.trace import Examples

__all__ = ["Collector", "fingerprints"]

_COLUMNS: Final = 128  # of a row that are looked at: hashing whole rows would cost as much as the training
_MOST_NUMBERS: Final = 60_000_000  # of the rows that are kept
_KNOWN: Final = 64  # forwards in a row; after them the first and the last row stand for all
_SEED: Final = 20_260_901


def fingerprints(rows: NDArray[Any]) -> NDArray[np.int64]:
    """(N, P) → (N,): equal for rows that are equal to the bit, and hardly ever for others.

    The bits of up to 128 evenly spread columns, as integers, times fixed random odd numbers, summed modulo 2⁶⁴.
    """
    columns, factors = _key(rows.shape[1])
    some = rows[:, columns] if len(columns) < rows.shape[1] else rows  # (N, K)
    bits = (some.astype(np.float32) + np.float32(0)).view(np.int32)  # + 0: minus zero is zero
    return bits.astype(np.int64) @ factors  # (N,)


_keys: dict[int, tuple[NDArray[np.int64], NDArray[np.int64]]] = {}


def _key(width: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    if width not in _keys:
        generator = np.random.Generator(np.random.PCG64(_SEED))  # not default_rng, which the observer watches
        columns = np.unique(np.linspace(0, width - 1, min(width, _COLUMNS)).astype(np.int64))
        _keys[width] = columns, generator.integers(-(2**63), 2**63, len(columns), dtype=np.int64) | 1
    return _keys[width]


@final
class Collector:
    """Keeps each distinct row once, up to a limit."""

    def __init__(self) -> None:
        self.off = False
        self._seen: set[int] = set()
        self._rows: list[NDArray[Any]] = []
        self._labels: list[NDArray[np.int64]] = []
        self._prints: list[NDArray[np.int64]] = []
        self._room = _MOST_NUMBERS
        self._known = 0  # forwards in a row that brought nothing new
        self._full = False
        self.whole = True
        self._shape: tuple[int, ...] = ()

    def add(
        self, rows: NDArray[Any], prints: NDArray[np.int64], labels: NDArray[np.int64], shape: tuple[int, ...]
    ) -> None:
        """Add rows (N, P) with their fingerprints (N,), their labels (N,) or (0,), and the shape of one of them."""
        if self.off or self._full or (self._shape and rows.shape[1] != self._rows[0].shape[1]):
            return
        if self._known > _KNOWN and int(prints[0]) in self._seen and int(prints[-1]) in self._seen:
            return
        listed = prints.tolist()
        fresh: list[int] = []
        for i, one in enumerate(listed):
            if one not in self._seen:
                self._seen.add(one)
                fresh.append(i)
        self._known = 0 if fresh else self._known + 1
        if not fresh:
            return
        if rows[0].size * len(fresh) > self._room:
            self.whole, self._full = False, True
            return
        self._room -= rows[0].size * len(fresh)
        index = np.array(fresh)
        self._rows.append(rows[index])
        self._prints.append(prints[index])
        self._labels.append(labels[index] if len(labels) == len(rows) else np.full(len(fresh), -1, np.int64))
        self._shape = shape

    def examples(self) -> Examples | None:
        """All that was kept."""
        if not self._rows:
            return None
        self._leave_unlabelled()
        labels = np.concatenate(self._labels)
        labels = labels if (labels >= 0).all() else np.zeros(0, np.int64)
        scale, low = _scale(self._rows)
        rows = _small(self._rows, scale, low) if scale else None
        if rows is None:
            rows, scale, low = np.concatenate(self._rows).astype(np.float32), 1.0, 0.0
        return Examples(rows, scale, low, labels, np.concatenate(self._prints), self._shape, self.whole)

    def _leave_unlabelled(self) -> None:
        """Leave out the few rows whose labels were not seen."""
        known = [labels >= 0 for labels in self._labels]
        kept = sum(int(one.sum()) for one in known)
        if kept >= 0.8 * len(self._seen):
            parts = zip(self._rows, self._labels, self._prints, known, strict=True)
            triples = [(rows[one], labels[one], prints[one]) for rows, labels, prints, one in parts if one.any()]
            self._rows, self._labels, self._prints = (list(column) for column in zip(*triples, strict=True))


def _scale(chunks: list[NDArray[Any]]) -> tuple[float, float]:
    """Step and lowest value of rows that are scaled pixels of at most 256 levels; a step of 0 where they are none."""
    sample = np.unique(
        np.concatenate([chunk[:: max(1, len(chunk) // 8)] for chunk in chunks[:: len(chunks) // 64 + 1]])
    )
    if not 2 <= len(sample) <= 256 or not np.isfinite(sample).all():
        return 0.0, 0.0
    low, high = float(sample[0]), float(sample[-1])
    levels = round((high - low) / float(np.diff(sample).min()))
    return ((high - low) / levels, low) if 1 <= levels <= 255 else (0.0, 0.0)


def _small(chunks: list[NDArray[Any]], scale: float, low: float) -> NDArray[np.uint8] | None:
    """The rows as uint8; None where one of their numbers is between two levels, or beyond."""
    rows = np.empty((sum(map(len, chunks)), chunks[0].shape[1]), np.uint8)
    start = 0
    for chunk in chunks:
        levels = (chunk - low) / scale
        whole = np.rint(levels)
        if not (whole.min() >= 0 and whole.max() <= 255 and np.abs(levels - whole).max() < 0.02):
            return None
        rows[start : start + len(chunk)] = whole
        start += len(chunk)
    return rows
