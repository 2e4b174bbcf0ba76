"""Models that are linear from the rows to the scores, and what such a model can know of the rows at all.

Letters: N rows that were learnt from, P numbers a row, C classes.
"""

from typing import Final

import numpy as np

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.reading.chain import behind, products
from byhand.doctor.checks.reading.tapes import Reading, readings

__all__ = ["is_linear", "least_squares"]

_ROWS: Final = 3_000  # that a linear layer is fitted to, evenly spread
_WIDEST: Final = 1_024  # P
_SPARE: Final = 3  # rows a number, at the least: with fewer a linear layer learns them by heart


def is_linear(evidence: Evidence, training: int | None) -> bool:
    """Whether a training's model is products with weights, sums and nothing else, so that its borders are straight."""
    tapes = [reading for reading in readings(evidence.trace) if reading.train and reading.of(training)]
    return bool(tapes) and all(map(_is_linear, tapes))


def _is_linear(reading: Reading) -> bool:
    sums: set[int] = set()  # outputs that are linear in the rows
    weights: set[int | None] = set()
    for layer in products(reading):
        source, _ = behind(reading, layer.data)
        of_rows = source is None and reading.value(reading.source(layer.data)).rows
        if of_rows or (source is not None and source.output in sums):
            sums.add(layer.op.output)
            weights.add(layer.weight)
        elif layer.weight is None or layer.weight not in weights:  # else a backward pass by hand goes through it again
            return False
    return bool(sums)


def least_squares(evidence: Evidence) -> tuple[float, float] | None:
    """How well a linear layer tells the classes of the rows that were learnt from, and the share of the commonest.

    Returns:
        The share of rows that least squares on one-hot labels gets right, on the rows that it was fitted to, and the
        share of those that are of one class; None where rows or labels are unknown or too few.
    """
    known = evidence.trace.trained_on
    if known is None or len(known.labels) != len(known.rows) or not len(known.rows):
        return None
    some = slice(None, None, -(-len(known.rows) // _ROWS))
    classes, labels = np.unique(known.labels[some], return_inverse=True)
    rows = known.rows[some].reshape(len(labels), -1).astype(np.float64)  # (N, P), but for a scale
    if rows.shape[1] > _WIDEST or len(rows) < _SPARE * rows.shape[1] or len(classes) < 2 or not np.isfinite(rows).all():
        return None
    inputs = np.column_stack([rows - rows.mean(axis=0), np.ones(len(rows))])  # (N, P + 1)
    fitted, *_ = np.linalg.lstsq(inputs, np.eye(len(classes))[labels], rcond=None)  # (P + 1, C)
    right = float(((inputs @ fitted).argmax(axis=1) == labels).mean())
    return right, float(np.bincount(labels).max() / len(labels))
