"""Which labels belong to the rows of a forward: as the loss, an index, the loader, a comparison or a name tells."""

import weakref
from collections import deque
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from byhand.doctor.watch.arrays import as_numpy, is_listed, is_numpy
from byhand.doctor.watch.drafts import NONE, ForwardDraft

__all__ = ["COMPARED", "INDEX", "LOADER", "LOSS", "Labels", "classes_in"]

LOSS: Final = 5  # what a source of labels is worth
INDEX: Final = 4
LOADER: Final = 3
COMPARED: Final = 2
NAMED: Final = 1
_REMEMBERED: Final = 6  # arrays of one length
_EARLY: Final = 512  # labels from before it is known what is trained
_LARGEST: Final = 1_000_000  # numbers in one of them


@final
class Labels:
    """Candidates for the labels of the forward that goes on, and what became of earlier ones."""

    def __init__(self) -> None:
        self._batch: tuple[int, int, NDArray[np.int64]] | None = None  # loader, rows, labels
        self._named: dict[int, list[Any]] = {}  # length → weak references, the newest last
        self._added: dict[int, tuple[Any, Any, bool]] = {}  # id → (weak reference, to the last sum, more than once)
        self._early: deque[tuple[int, Any, int]] = deque(maxlen=_EARLY)  # when, labels and rank
        self._axes: dict[int, int] = {}  # layer → the axis that counted the rows
        self.event = 0  # products so far, while it is not known what is trained

    def batch(self, loader: int, labels: Any, n: int) -> None:
        """A loader gave n rows with these labels, None where it has none."""
        found = None if labels is None else _class_numbers(labels, n)
        self._batch = (loader, n, NONE if found is None else found)

    def forget(self) -> None:
        """The loader's batch is done with."""
        self._batch = None

    def begin(self, draft: ForwardDraft) -> None:
        """Rows went into the model: they are the loader's if they are as many."""
        if self._batch is not None and self._batch[1] == draft.n:
            draft.loader = self._batch[0]
            if len(self._batch[2]):
                draft.labels, draft.rank = self._batch[2], LOADER

    def note(self, draft: ForwardDraft | None, labels: Any, rank: int) -> None:
        """These were used as the labels of a forward."""
        if draft is None:
            kept = as_numpy(labels)
            if kept is not None and kept.ndim <= 2 and kept.size <= _LARGEST:
                self._early.append((self.event, kept.copy(), rank))
            return
        if draft.rank >= rank:
            return
        found = _class_numbers(labels, draft.n)
        if found is not None:
            draft.labels, draft.rank = found, rank

    def picked(self, draft: ForwardDraft | None, index: tuple[Any, ...]) -> None:
        """A table of C scores for each of N rows was indexed, as by ``[arange(N), y]``: the classes are labels."""
        columns = classes_in(*index) if len(index) == 2 else None
        if columns is not None and is_numpy(columns) and columns.dtype.kind in "iu":
            self.note(draft, columns, INDEX)

    def claim(self, draft: ForwardDraft, begin: int, end: int, named: Any) -> None:
        """Give a forward that was found only afterwards the labels that were used from ``begin`` until ``end``."""
        for event, labels, rank in self._early:
            if begin <= event < end:
                self.note(draft, labels, rank)
        if named is not None:
            self.note(draft, named, NAMED)

    def candidate(self, array: Any, n: int, data: bool) -> None:
        """An array got a name; if it looks like labels it may turn out to be some."""
        if not data or array.ndim == 0 or array.ndim > 2:
            return
        for size in {n, int(array.shape[-1])}:
            kept = self._named.setdefault(size, [])
            kept[:] = [ref for ref in kept if ref() is not None and ref() is not array][-_REMEMBERED + 1 :]
            kept.append(weakref.ref(array))
        if len(self._named) > 4096:
            self._named.clear()

    def finish(self, draft: ForwardDraft) -> None:
        """The forward is over; without labels so far, take the newest array of its length that looks like some."""
        found = None if draft.rank else self.newest(draft.n)
        if found is not None:
            draft.labels, draft.rank = found, NAMED

    def newest(self, n: int) -> NDArray[np.int64] | None:
        """The newest array with a name that looks like labels of n rows."""
        for ref in reversed(self._named.get(n, [])):
            array = ref()
            found = None if array is None else _class_numbers(array, n)
            if found is not None and (n < 3 or len(np.unique(found)) < n):  # all different: an index
                return found
        return None

    def axis(self, lengths: tuple[int, int], layer: int, usual: int) -> int:
        """Which of two axes counts the rows: the one as long as the loader's batch, or as labels that have a name.

        Where that does not tell, the one that it was before in the same ``layer``, a number; else ``usual``.
        """
        batch = None if self._batch is None else self._batch[1]
        fits = [n == batch for n in lengths]
        if not any(fits):
            fits = [self.newest(n) is not None for n in lengths]
        if fits.count(True) == 1:
            self._axes[layer] = fits.index(True)
        return self._axes.get(layer, usual)

    def add(self, array: Any, result: Any) -> None:
        """An array was added to something that rows went into, as a bias is."""
        before = self._added.get(id(array))
        again = before is not None and before[0]() is array
        if again or len(self._added) < 256:
            self._added[id(array)] = weakref.ref(array), weakref.ref(result), again

    def was_added(self, array: Any, new: Any) -> bool:
        """Whether this array was added as a bias is, and not only to make its own new value of it, as a sum is."""
        ref, result, again = self._added.get(id(array), (None, None, False))
        if ref is None or result is None or ref() is not array:
            return False
        return again or new is None or result() is not new


def classes_in(first: Any, second: Any) -> Any:
    """Of the two indices of a table the one that may be the classes: the second, unless it counts the rows 0 … N−1.

    ``log_probs[arange(N), y]`` where rows are samples, ``log_probs[y, arange(N)]`` where columns are.
    """
    numbers = as_numpy(second)
    counts = numbers is not None and numbers.ndim == 1 and np.array_equal(numbers, np.arange(len(numbers)))
    return first if counts else second


def _class_numbers(labels: Any, n: int) -> NDArray[np.int64] | None:
    """(N,) class numbers out of labels (N,), (N, 1), (1, N), or one-hot (N, C) or (C, N); None if they are none."""
    array: Any = np.asarray(labels) if is_listed(labels) else as_numpy(labels)
    if array is None or array.dtype.kind not in "iufb" or not array.size:
        return None
    if array.size == n:
        flat: NDArray[Any] = array.reshape(-1)
        if array.dtype.kind == "f" and not (np.isfinite(flat).all() and (flat == np.rint(flat)).all()):
            return None
        whole = flat.astype(np.int64)
        return whole if whole.min() >= -1 and whole.max() < 10_000 else None
    if array.ndim != 2 or n not in array.shape or abs(float(array.sum()) - n) > 1e-3 * n:
        return None
    table: NDArray[Any] = array if array.shape[0] == n else array.T  # (N, C)
    ones = (table == 1).sum(axis=1)
    if array.shape[0] == array.shape[1] or not ((table == 0) | (table == 1)).all() or not (ones == 1).all():
        return None
    return table.argmax(axis=1).astype(np.int64)
