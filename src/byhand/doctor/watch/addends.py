"""Arrays that the model adds, or multiplies by, and that live longer than an iteration: biases and weights, perhaps."""

import weakref
from typing import Any, Final, final

import numpy as np

from byhand.doctor.place import Place
from byhand.doctor.watch.arrays import is_float, is_numpy
from byhand.doctor.watch.hooks import Hooks
from byhand.doctor.watch.listening import on_result
from byhand.doctor.watch.numpy_names import PRODUCTS
from byhand.doctor.watch.recorder import Recorder

__all__ = ["Addends"]

_MOST: Final = 64
_LARGEST: Final = 100_000  # elements
_WIDEST: Final = 1_000_000  # elements of a matrix
_RECENT: Final = 8  # forwards whose number of rows is looked at


@final
class _Addend:
    def __init__(self, array: Any, place: Place, clock: int) -> None:
        self.array, self.place, self.clock = weakref.ref(array), place, clock
        self.first = np.array(array)
        self.times: set[int] = {clock}
        self.moved = False


@final
class Addends:
    """Remembers what is added to something that comes of rows and parameters, from the moment it is made on.

    And the matrices that rows, or what comes of rows, are multiplied by.
    """

    def __init__(self, hooks: Hooks, recorder: Recorder, places: list[Place]) -> None:
        self._recorder, self._places = recorder, places
        self._of: dict[int, _Addend] = {}
        self._first: int | None = None
        on_result(hooks, self._result)

    @property
    def rounds(self) -> int:
        """Updates since the first look."""
        return self._recorder.forwards.clock - (self._first or 0) if self._first is not None else 0

    def others(self) -> list[tuple[Place, Any]]:
        """Those that are no parameters to the recorder, were used after several updates, and are still there.

        A matrix with an axis as long as a batch may be the batch itself, or its labels, and is none.
        """
        rows = {draft.n for draft in self._recorder.forwards.drafts[-_RECENT:]}
        found: list[tuple[Place, Any]] = []
        for addend in self._of.values():
            array = addend.array()
            if array is None or len(addend.times) < 2 or self._recorder.lineage.parameters.held(array) is not None:
                continue
            if not _is_matrix(array) or not rows.intersection(array.shape):
                found.append((addend.place, array))
        return found

    def still(self, array: Any) -> bool:
        """Whether an array has been the same at each look."""
        return any(
            one.array() is array and not one.moved and np.array_equal(one.first, array) for one in self._of.values()
        )

    def _result(self, k: int, name: str, operands: tuple[Any, ...], result: Any) -> None:
        product = name in PRODUCTS
        if name != "add" and not product:
            return
        if len(operands) != 2 or not all(is_numpy(one) and is_float(one) for one in operands):
            return
        with self._recorder.safe:
            clock = self._recorder.forwards.clock
            for one, other in (operands, operands[::-1]):
                known = self._of.get(id(one))
                if known is not None and known.array() is one:
                    known.times.add(clock)
                    known.moved = known.moved or not np.array_equal(known.first, one)
                elif (
                    clock
                    and len(self._of) < _MOST
                    and (self._is_factor(one) if product else self._is_added(one, other))
                ):
                    self._first = clock if self._first is None else self._first
                    self._of[id(one)] = _Addend(one, self._places[k], clock)
            if len(self._of) == _MOST:
                self._of = {key: one for key, one in self._of.items() if one.array() is not None}

    def _is_factor(self, array: Any) -> bool:
        return _is_matrix(array) and array.size <= _WIDEST and self._recorder.lineage.role(array) == "data"

    def _is_added(self, small: Any, large: Any) -> bool:
        return _beside(small, large) and self._recorder.lineage.role(large) == "derived"


def _is_matrix(array: Any) -> bool:
    return array.ndim == 2 and min(array.shape) > 1


def _beside(small: Any, large: Any) -> bool:
    """Whether one number is added for each unit: of a column or a row, or of a matrix of one or the other."""
    return (
        small.ndim > 0
        and small.size <= _LARGEST
        and small.size == max(small.shape)
        and (small.size < large.size or small.shape == large.shape)
    )
