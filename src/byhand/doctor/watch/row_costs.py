"""What the rows of a large batch cost: of a tape's arrays those that are too many to be kept still tell that."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from byhand.doctor.watch.arrays import as_numpy

__all__ = ["cost_of_rows"]

_CLASSES: Final = 1_000  # at most
_ROWS: Final = 16  # at least
_LOWEST: Final = 1e-12  # of a probability


def cost_of_rows(arrays: Sequence[Any], labels: NDArray[np.int64], kept: int) -> float | None:
    """The mean cross-entropy of the last probabilities among some arrays, where those are more than ``kept`` numbers.

    Args:
        arrays: of a forward, in order; probabilities are (N, C), or (C, N) where samples are columns.
        labels: (N,).
        kept: numbers of an array that is kept whole, and needs no such figure.

    Returns:
        None where no array of that size is of probabilities.
    """
    n = len(labels)
    if n < _ROWS:
        return None
    for array in reversed(arrays):
        if array.ndim != 2 or n not in array.shape or array.shape[0] * array.shape[1] <= kept:
            continue
        p = as_numpy(array)
        if p is None or p.dtype.kind != "f":
            continue
        p = p if len(p) == n else p.T
        if not labels.max() < p.shape[1] <= _CLASSES or not bool((abs(p.sum(axis=1) - 1) < 1e-4).all()):
            continue
        if p.shape[1] > 1 and bool((p >= 0).all()) and not bool(((p == 0) | (p == 1)).all()):  # those are labels
            return float(-np.log(np.maximum(p[np.arange(n), labels], _LOWEST)).mean())
    return None
