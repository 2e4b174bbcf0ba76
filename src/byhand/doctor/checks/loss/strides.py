"""How long the steps of a gradient derived on paper are: held against the exact mean gradient of the same rows.

Letters: N rows of a forward, C classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from byhand.doctor.checks.reading.heads import heads
from byhand.doctor.checks.reading.kinds import class_scores
from byhand.doctor.checks.reading.tapes import THROUGH, Reading, name_of
from byhand.doctor.tape import Op

__all__ = ["Stride", "strides"]

Array = NDArray[np.float64]

_ALIKE: Final = 1e-2
"""Of a step's length, the part that may lie across the gradient."""


@final
@dataclass(frozen=True, slots=True)
class Stride:
    """One update of the last layer's weights: step = ``times`` × the mean gradient of the N rows before it."""

    times: float
    n: int
    layer: Op  # the product that gives the scores


def strides(tapes: Sequence[Reading]) -> list[Stride]:
    """The updates between tapes of one training that follow each other, where one number explains them.

    Momentum, weight decay and adaptive rates leave none.
    """
    found: list[Stride] = []
    for before, after in pairwise(tapes):
        if after.tape.clock != before.tape.clock + 1:
            continue
        first, second = _layer(before), _layer(after)
        if first is None or second is None or first[1].shape != second[1].shape:
            continue
        layer, weights, gradient = first
        step = weights - second[1]
        size = float((gradient**2).sum())
        times = float((step * gradient).sum()) / size if size else 0.0
        across = step - times * gradient
        if times > 0 and float((across**2).sum()) <= _ALIKE**2 * float((step**2).sum()):
            found.append(Stride(times, before.n, layer))
    return found


def _layer(reading: Reading) -> tuple[Op, Array, Array] | None:
    """The product that gives the scores, its weights, and their exact mean gradient, in the program's orientation."""
    if reading.tape.loss is not None or not len(reading.labels):
        return None
    for _, scores, _ in heads(reading):
        op = reading.maker(scores, THROUGH)
        while op and name_of(op) in ("sub", "add") and op.inputs:
            op = reading.maker(next((i for i in op.inputs if class_scores(reading, i)), op.inputs[0]), THROUGH)
        if not op or name_of(op) not in ("matmul", "dot", "mm") or len(op.inputs) != 2:
            continue
        left, right = (reading.array(i) for i in op.inputs)
        z = reading.rows(scores)
        if left is None or right is None or z is None or not np.isfinite(z).all() or left.ndim != 2 or right.ndim != 2:
            continue
        p = np.exp(z - z.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        p[np.arange(len(p)), reading.labels] -= 1
        p /= len(p)  # (N, C) the gradient of the scores
        if reading.value(reading.source(op.inputs[1])).parameter is not None and left.shape[0] == len(p):
            return op, right, left.T @ p
        if reading.value(reading.source(op.inputs[0])).parameter is not None and right.shape[1] == len(p):
            return op, left, p.T @ right.T
    return None
