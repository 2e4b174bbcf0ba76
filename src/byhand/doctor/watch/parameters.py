"""What is trained: each parameter through all the arrays that hold it in turn, with samples of its values."""

import weakref
from collections.abc import Mapping
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from byhand.doctor.place import Place, Summary
from byhand.doctor.trace import Sample
from byhand.doctor.watch.arrays import as_numpy, pointer, size, summarize
from byhand.doctor.watch.drafts import Slot

__all__ = ["Parameters"]

_COPIED: Final = 4_000_000  # numbers of one parameter that are copied to see what a step did
_MOST: Final = 2_000  # parameters
_HOLDERS: Final = 16
_RATE_FITS: Final = 1e-3  # part of a step that rate × gradient may leave unexplained


@final
class Parameters:
    """A slot for each parameter. ``W = W − lr·g`` and ``.detach().requires_grad_()`` make new arrays: lineage counts.

    Arrays are held by weak references only: what the program lets go is gone.
    """

    def __init__(self) -> None:
        self.slots: list[Slot] = []
        self._by_id: dict[int, Slot] = {}
        self._by_pointer: dict[tuple[int, int], tuple[Slot, weakref.ref[Any]]] = {}
        self._sizes: set[int] = set()  # of parameters: to find out where an array lies takes longer

    def held(self, array: Any) -> Slot | None:
        """The slot that this very array belongs to."""
        slot = self._by_id.get(id(array))
        return slot if slot is not None and any(ref() is array for ref in slot.holders) else None

    def find(self, array: Any) -> Slot | None:
        """The slot that this very array, or one that shares its memory, as its transpose does, belongs to."""
        slot = self.held(array)
        if slot is not None or size(array) not in self._sizes:
            return slot
        try:
            place = pointer(array)
        except RuntimeError:  # a tensor without memory: of torch.func, or on the device "meta"
            return None
        slot, holder = self._by_pointer.get(place, (None, None))
        held = None if slot is None else slot.current()
        if held is None or holder is None or array.shape not in (held.shape, held.shape[::-1]):
            return None
        # What a parameter has let go may be another's memory by now.
        return slot if holder() is not None or pointer(held) == place else None

    def add(self, array: Any, place: Place | None, name: str, born: int) -> Slot | None:
        """A new slot for an array that turned out to be a parameter."""
        values = as_numpy(array)
        if values is None or len(self.slots) >= _MOST:
            return None
        start = values.copy() if values.size <= _COPIED else None
        slot = Slot(len(self.slots), tuple(int(n) for n in array.shape), start, summarize(array))
        slot.place, slot.name, slot.born = place, name, born
        slot.alike = _alike(values)
        self.slots.append(slot)
        self.hold(slot, array)
        return slot

    def hold(self, slot: Slot, array: Any) -> None:
        """Let a slot be held by this array from now on."""
        slot.holders = [weakref.ref(array)]
        self._by_id[id(array)] = slot
        self._sizes.add(size(array))
        try:
            self._by_pointer[pointer(array)] = slot, slot.holders[0]
        except RuntimeError:
            return

    def share(self, slot: Slot, array: Any) -> None:
        """Another array, as ``detach()`` makes one, holds the same memory and may outlive the first."""
        if len(slot.holders) < _HOLDERS:
            slot.holders.append(weakref.ref(array))
            self._by_id[id(array)] = slot

    def remember(self, slots: list[Slot], returned: Mapping[int, Any] | None) -> None:
        """Keep the values from before an update, and the gradients: those returned, by slot, or those in ``.grad``.

        ``returned`` is None where there are none yet.
        """
        for slot in slots:
            array = slot.current()
            values = None if array is None else as_numpy(array)
            if values is None or values.size > _COPIED:
                continue
            slot.before = values.copy()
            gradient = None if returned is None else returned.get(slot.index, getattr(array, "grad", None))
            found = None if gradient is None else as_numpy(gradient)
            slot.gradient = None if found is None else found.copy()

    def look(self, slots: list[Slot], clock: int) -> None:
        """Compare the values with those that were remembered; a sample for each slot."""
        for slot in slots:
            array = slot.current()
            values = None if array is None else as_numpy(array)
            if values is None:
                continue
            self._note(slot, values)
            step = rate = size = None
            if slot.before is not None and slot.before.shape == values.shape:
                moved = (slot.before - values).astype(np.float64)
                step = float(np.linalg.norm(moved))
                if slot.gradient is not None and slot.gradient.shape == moved.shape:
                    rate = _rate(moved, slot.gradient.astype(np.float64))
            if slot.gradient is not None:
                size = float(np.linalg.norm(slot.gradient))
                slot.reached = slot.reached or size != 0  # NaN is no zero
            slot.samples.append(Sample(clock, float(np.linalg.norm(values)), size, step, rate))
            slot.before = slot.gradient = None

    def finish(self) -> None:
        """Take the last values of all that is still there."""
        for slot in self.slots:
            array = slot.current()
            values = None if array is None else as_numpy(array)
            if values is not None:
                self._note(slot, values)
                gradient = getattr(array, "grad", None)
                found = None if gradient is None else as_numpy(gradient)
                slot.reached = slot.reached or bool(found is not None and found.any())

    def _note(self, slot: Slot, values: NDArray[Any]) -> None:
        slot.end = summarize(values)
        slot.alike = _alike(values)
        if not slot.changed:
            slot.changed = (
                not np.array_equal(slot.start, values, equal_nan=True) if slot.start is not None else
                _differs(slot.summary, slot.end)
            )  # fmt: skip


def _differs(start: Summary, end: Summary) -> bool:
    return (start.low, start.high, start.mean, start.std) != (end.low, end.high, end.mean, end.std)


def _rate(moved: NDArray[np.float64], gradient: NDArray[np.float64]) -> float | None:
    """The number that makes a step out of a gradient, if there is one."""
    square = float(np.vdot(gradient, gradient))
    if not 0 < square < np.inf:
        return None
    rate = float(np.vdot(moved, gradient)) / square
    left = float(np.linalg.norm(moved - rate * gradient))
    return rate if rate > 0 and left <= _RATE_FITS * float(np.linalg.norm(moved)) else None


def _alike(values: NDArray[Any]) -> bool:
    """Whether all rows of a matrix are equal, or all columns."""
    if values.ndim != 2 or min(values.shape) < 2:
        return False
    return bool((values == values[:1]).all() or (values == values[:, :1]).all())
