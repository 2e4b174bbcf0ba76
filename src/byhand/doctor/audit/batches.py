"""One forward with what the program made of it: labels, scores, comparison, loss."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from byhand.doctor.audit import scores as tables
from byhand.doctor.place import Place
from byhand.doctor.trace import Comparison, Forward, LossCall, Prediction, Trace

__all__ = ["Batch", "Batches", "covers", "is_broadcast"]

_NONE: NDArray[np.int64] = np.zeros(0, dtype=np.int64)


@final
@dataclass(frozen=True, slots=True)
class Batch:
    """One forward, with what the program made of it."""

    forward: Forward
    labels: NDArray[np.int64]  # (B,); (0,) where unknown
    scores: NDArray[np.float32] | None  # (B, C), rows first
    predictions: tuple[Prediction, ...]
    comparison: Comparison | None  # of its rows with its labels
    elements: Comparison | None  # of the ones and zeros of its predictions with those of its labels
    loss: float | None  # the mean over its rows, of the program's own loss where a library computed it
    reduction: str | None  # whether the program had it as a mean or a sum, and was so divided; None where unknown


def is_broadcast(comparison: Comparison) -> bool:
    """Whether n values were compared with n values and n² outcomes came of it."""
    n = math.prod(comparison.left)
    return n > 1 and math.prod(comparison.right) == n and comparison.total == n * n


def covers(comparison: Comparison, n: int) -> bool:
    """Whether a comparison is one of n predictions with n labels, however the shapes were."""
    sizes = math.prod(comparison.left), math.prod(comparison.right)
    if () in (comparison.left, comparison.right):  # scalars in a row, not all values with one
        return comparison.total == n and (n == 1 or comparison.left == comparison.right)
    return n in sizes and min(sizes) >= n and comparison.total >= n


def _of_elements(comparison: Comparison, n: int) -> bool:
    """Whether n predictions and labels were compared as ones and zeros, C a row: (N, C) with (N, C)."""
    shape = comparison.left
    return (
        comparison.prediction is not None
        and shape == comparison.right == comparison.shape
        and len(shape) == 2
        and n in shape
        and comparison.labels.size == n < comparison.total
    )


@final
class Batches:
    """The batches of a trace; holds what is looked up again and again."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.square = tables.square_axis(trace.forwards, trace.predictions)
        self._predictions: dict[int, list[Prediction]] = defaultdict(list)
        self._comparisons: dict[int, list[Comparison]] = defaultdict(list)
        self._losses: dict[int, list[LossCall]] = defaultdict(list)
        for prediction in trace.predictions:
            if prediction.forward is not None:
                self._predictions[prediction.forward].append(prediction)
        for comparison in trace.comparisons:
            if comparison.forward is not None:
                self._comparisons[comparison.forward].append(comparison)
        for call in trace.loss_calls:
            if call.forward is not None:
                self._losses[call.forward].append(call)
        self._backward = {one.forward: one.loss for one in trace.backwards}
        self._batches: dict[int, Batch] = {}
        self._means: dict[int | None, bool] = {}

    def of(self, forward: Forward) -> Batch:
        """A forward with its labels, scores, comparison and loss."""
        if forward.index not in self._batches:
            self._batches[forward.index] = self._batch(forward)
        return self._batches[forward.index]

    def _batch(self, forward: Forward) -> Batch:
        predictions = self._predictions[forward.index]
        compared = self._comparisons[forward.index]
        made = [c for c in [*compared, *_in_a_row(compared)] if covers(c, forward.n)]
        # A comparison with a prediction is a metric; labels are compared with much else. The first is the model's:
        # a later one may be of a rival on the same rows.
        comparison = next((c for c in made if c.prediction is not None), made[0] if made else None)
        elements = next((c for c in compared if _of_elements(c, forward.n)), None)
        labels = forward.labels
        if labels.size != forward.n:
            labels = next((c.labels for c in reversed(made) if c.labels.size == forward.n), _NONE)
        scores: NDArray[np.float32] | None = None
        if comparison is not None and comparison.prediction is not None:
            scores = tables.rows_of([self.trace.predictions[comparison.prediction]], forward.n, labels, self.square)
        if scores is None:
            scores = tables.rows_of(predictions, forward.n, labels, self.square)
        loss, reduction = None, None
        for call in self._losses[forward.index]:
            if call.value is not None and call.reduction in ("mean", "sum"):
                loss, reduction = call.value if call.reduction == "mean" else call.value / forward.n, call.reduction
        if loss is None and (loss := self._backward.get(forward.index)) is not None:
            reduction = "mean" if self._is_mean(forward) else None
        elif loss is None and scores is not None and labels.size and (what := tables.kind(scores)):
            loss, reduction = tables.cross_entropy(scores, labels, what), "mean"
        return Batch(forward, labels, scores, tuple(predictions), comparison, elements, loss, reduction)

    def _is_mean(self, forward: Forward) -> bool:
        """Whether a loss by hand is a mean over its rows: a sum starts at about n ln C, a mean far below."""
        if forward.training not in self._means:
            first = next(
                (f for f in self.trace.forwards if f.training == forward.training and f.index in self._backward),
                forward,
            )
            loss, classes = self._backward[first.index], np.unique(first.labels).size
            self._means[forward.training] = (
                loss is not None and first.n >= 32 and classes > 1 and loss < first.n * math.log(classes) / 8
            )
        return self._means[forward.training]

    def comparisons(self, forward: Forward) -> list[Comparison]:
        """All comparisons that came after a forward and before the next."""
        return self._comparisons[forward.index]


def _in_a_row(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Comparisons of one row each, at one place, as the one that they are together."""
    by_place: dict[Place | None, list[Comparison]] = defaultdict(list)
    for one in comparisons:
        if one.total == one.labels.size == 1:
            by_place[one.place].append(one)
    return [
        replace(
            same[-1],
            left=(),
            right=(),
            shape=(len(same),),
            equal=sum(one.equal for one in same),
            total=len(same),
            labels=np.concatenate([one.labels for one in same]),
        )
        for same in by_place.values()
        if len(same) > 1
    ]
