"""Predictions, their comparisons with labels, and the losses that a library computed."""

from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from byhand.doctor.place import Place
from byhand.doctor.trace import Comparison, LossCall, Prediction
from byhand.doctor.watch.arrays import as_numpy
from byhand.doctor.watch.coarse import Coarse
from byhand.doctor.watch.drafts import ForwardDraft
from byhand.doctor.watch.forwards import Forwards
from byhand.doctor.watch.labels import COMPARED, Labels
from byhand.doctor.watch.lineage import Lineage

__all__ = ["Evaluations"]

_MOST: Final = 60_000  # records of one kind
_SCORES: Final = 6_000_000  # numbers of scores that are kept for training forwards


@final
class Evaluations:
    """All of them so far; each belongs to a forward, where one is known."""

    def __init__(self, lineage: Lineage, forwards: Forwards, labels: Labels) -> None:
        self.predictions: list[tuple[int, ForwardDraft | None, Prediction]] = []
        self.comparisons: list[tuple[int, ForwardDraft | None, Comparison]] = []
        self.loss_calls: list[tuple[ForwardDraft | None, LossCall]] = []
        self.coarse = Coarse(lineage)
        self._lineage, self._forwards, self._labels = lineage, forwards, labels
        self._kept = 0

    def lose(self, call: LossCall) -> None:
        """A library computed a loss."""
        if len(self.loss_calls) < _MOST:
            self.loss_calls.append((self._forwards.current, call))

    def predict(self, name: str, scores: Any, axis: int | None, chosen: Any, place: Place | None) -> None:
        """One class was chosen a row."""
        numbers, choice = as_numpy(scores), as_numpy(chosen)
        if numbers is None or choice is None or not 0 < numbers.ndim <= 2 or not numbers.size:
            return
        before = self.coarse.before(scores)
        if before is not None:
            self._keep(name, before[0], axis, choice, place, before[1])
            self._lineage.derive(chosen, True)
            return
        if self._lineage.role(scores) != "derived" and (numbers.dtype.kind != "f" or _is_one_hot(numbers)):
            return
        self._keep(name, numbers, axis, choice, place)
        self._lineage.derive(chosen, True)

    def divide(self, sign: str, left: Any, right: Any, chosen: Any, place: Place | None) -> None:
        """One score a row was compared with a number, as to tell two classes apart."""
        turned = isinstance(left, int | float)
        scores, least = (right, left) if turned else (left, right)
        numbers, choice, draft = as_numpy(scores), as_numpy(chosen), self._forwards.current
        if numbers is None or choice is None or not isinstance(least, int | float) or numbers.dtype.kind != "f":
            return
        single = numbers.ndim == 1 or (numbers.ndim == 2 and 1 in numbers.shape)
        if not single or numbers.size < 2 or (draft is not None and draft.n != numbers.size):
            return
        if self._lineage.role(scores) == "derived":
            above = (sign[0] == ">") != turned
            margin = (numbers.reshape(-1) - least) * (1 if above else -1)  # (N,)
            self._keep("threshold", np.stack([-margin, margin], axis=1), 1, choice.reshape(-1), place)

    def _keep(
        self,
        name: str,
        scores: NDArray[Any],
        axis: int | None,
        chosen: NDArray[Any],
        place: Place | None,
        rounded: tuple[Place, ...] = (),
    ) -> None:
        if len(self.predictions) >= _MOST:
            return
        draft = self._forwards.current
        if draft is not None and draft.kind == "train":
            self._kept += scores.size
        kept = scores.astype(np.float32) if self._kept < _SCORES else np.zeros((0, 0), np.float32)
        record = Prediction(None, place, name, axis, kept, chosen.astype(np.int64), rounded)
        self.predictions.append((self._forwards.event, draft, record))

    def rank(self, scores: Any, axis: int | None, order: Any, *, falling: bool, place: Place | None) -> None:
        """Classes were sorted: the first of them was chosen as argmax or argmin would, the last the other way round."""
        if axis != order.ndim - 1:
            return
        self.predict("argmax" if falling else "argmin", scores, axis, order[..., 0], place)
        if order.shape == scores.shape:
            self.predict("argmin" if falling else "argmax", scores, axis, order[..., -1], place)

    def compare(self, name: str, left: Any, right: Any, outcome: Any, place: Place | None) -> None:
        """Two arrays were compared, or handed to a metric; kept if one of them is a prediction, by value."""
        if len(self.comparisons) >= _MOST:
            return
        a, b = as_numpy(left), as_numpy(right)
        if a is None or b is None or not a.size or not b.size:
            return
        flat = a.reshape(-1), b.reshape(-1)
        for mine, other in ((0, 1), (1, 0)):
            index = self._predicted(flat[mine])
            if index is None or not is_label_like(flat[other]):
                continue
            labels = flat[other].astype(np.int64)
            found = as_numpy(outcome) if outcome is not None else None
            if found is None:
                n = min(len(flat[0]), len(flat[1]))
                equal, total, shape = int((flat[0][:n] == flat[1][:n]).sum()), n, (n,)
            else:
                equal, total, shape = int(found.sum()), found.size, tuple(found.shape)
                equal = total - equal if name == "!=" else equal
            self._compared(index, Comparison(None, index, place, name, a.shape, b.shape, shape, equal, total, labels))
            return
        if outcome is not None:
            self._compare_one_hot(name, a, b, as_numpy(outcome), place)

    def _compare_one_hot(
        self, name: str, left: NDArray[Any], right: NDArray[Any], found: NDArray[Any] | None, place: Place | None
    ) -> None:
        """Two arrays of ones and zeros, a one a row: kept as the comparison of C elements a row that it is."""
        sizes = {one[2].chosen.size for one in self.predictions[-1:]}
        if found is None or left.ndim != 2 or not left.shape == right.shape == found.shape or not sizes & {*left.shape}:
            return
        classes = [one_hot_classes(side, sizes) for side in (left, right)]
        for mine, labels in (classes, classes[::-1]):
            index = None if mine is None else self._predicted(mine)
            if index is not None and labels is not None:
                equal = int(found.sum())
                equal = found.size - equal if name == "!=" else equal
                shape = found.shape
                record = Comparison(None, index, place, name, shape, shape, shape, equal, found.size, labels)
                self._compared(index, record)
                return

    def _compared(self, index: int, record: Comparison) -> None:
        """Keep a comparison with a prediction: what it was compared with are its forward's labels, perhaps."""
        draft = self.predictions[index][1]
        self.comparisons.append((self._forwards.event, draft, record))
        self._labels.note(draft, record.labels, COMPARED)

    def _predicted(self, flat: NDArray[Any]) -> int | None:
        for index in range(len(self.predictions) - 1, max(-1, len(self.predictions) - 6), -1):
            chosen = self.predictions[index][2].chosen
            if chosen.size == len(flat) and np.array_equal(chosen.reshape(-1), flat):
                return index
        return self._concatenated(flat)

    def _concatenated(self, flat: NDArray[Any]) -> int | None:
        """Predictions of several batches that were put together: the index of the last one."""
        n = len(self.predictions)
        if not n or len(flat) <= self.predictions[-1][2].chosen.size:
            return None
        end = len(flat)
        for index in range(n - 1, -1, -1):
            chosen = self.predictions[index][2].chosen.reshape(-1)
            start = end - len(chosen)
            if start < 0 or not np.array_equal(flat[start:end], chosen):
                return None
            end = start
            if end == 0:
                return n - 1
        return None

    def owner(self, event: int, draft: ForwardDraft | None) -> ForwardDraft | None:
        """The forward of a record; one that was found only afterwards, for a record from before it was known."""
        if draft is not None:
            return draft
        return next((late for began, late in reversed(self._forwards.late) if began <= event), None)


def is_label_like(flat: NDArray[Any]) -> bool:
    """Whether these numbers may be class numbers: whole, not negative, not huge."""
    return bool(
        flat.dtype.kind in "iub"
        or (flat.dtype.kind == "f" and np.isfinite(flat).all() and (flat == np.rint(flat)).all())
    ) and bool(flat.min() >= 0 and flat.max() < 10_000)


def one_hot_classes(numbers: NDArray[Any], sizes: set[int]) -> NDArray[np.int64] | None:
    """The class (N,) of each row of (N, C), or of each column of (C, N), that holds a single one; N is in ``sizes``."""
    if not _is_one_hot(numbers):
        return None
    for axis in (1, 0):
        if numbers.shape[1 - axis] in sizes and bool((numbers.sum(axis) == 1).all()):
            return numbers.argmax(axis).astype(np.int64)
    return None


def _is_one_hot(numbers: NDArray[Any]) -> bool:
    return bool(((numbers == 0) | (numbers == 1)).all())
