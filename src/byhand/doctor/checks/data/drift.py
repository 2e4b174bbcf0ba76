"""Whether rows that stand beside each other are alike: told by their numbers, whatever their classes."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from byhand.doctor.trace import Examples, Forward

__all__ = ["alike"]

_COLUMNS: Final = 64  # of a row that are looked at
_ROWS: Final = 6000


def alike(forwards: Sequence[Forward], known: Examples | None, size: int) -> float | None:
    """The intraclass correlation of the numbers of rows that stand side by side, over all columns together.

    Rows are taken as they come and cut into groups of at least ``size``. With n rows a group, between-group mean
    squares MSB and within-group mean squares MSW, summed over the columns, it is (MSB − MSW) / (MSB + (n − 1) MSW): 0
    on average for shuffled rows, 1 where all rows of a group are the same.

    Args:
        forwards: of one epoch, in order.
        known: the rows by their fingerprints.
        size: rows of a group, at least.

    Returns:
        The correlation; None where the rows are not known or are too few.
    """
    if known is None:
        return None
    rows = np.concatenate([one.rows for one in forwards])[:_ROWS]
    order = np.argsort(known.fingerprints, kind="stable")
    found = np.searchsorted(known.fingerprints, rows, sorter=order)
    at = order[np.minimum(found, len(order) - 1)]
    groups = len(rows) // size
    if groups < 4 or not np.array_equal(known.fingerprints[at], rows):
        return None
    flat = known.rows.reshape(len(known.rows), -1)
    columns = np.unique(np.linspace(0, flat.shape[1] - 1, min(flat.shape[1], _COLUMNS)).astype(np.int64))
    table: NDArray[np.float64] = flat[at[: groups * size]][:, columns].astype(np.float64)
    cut = table.reshape(groups, size, -1)  # (G, n, K)
    means = cut.mean(axis=1)  # (G, K)
    between = size * float(((means - table.mean(axis=0)) ** 2).sum()) / (groups - 1)
    within = float(((cut - means[:, None]) ** 2).sum()) / (groups * (size - 1))
    whole = between + (size - 1) * within
    return (between - within) / whole if whole > 0 else None
