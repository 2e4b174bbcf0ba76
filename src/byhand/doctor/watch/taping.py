"""Tapes: for some forwards, every operation with what went in and what came out."""

from typing import Any, Final, final

import numpy as np

from byhand.doctor.layers import Units
from byhand.doctor.place import Place
from byhand.doctor.tape import Op, Value
from byhand.doctor.watch.arrays import as_numpy, is_array, pointer, summarize
from byhand.doctor.watch.drafts import ForwardDraft
from byhand.doctor.watch.lineage import Lineage
from byhand.doctor.watch.unit_facts import units_of

__all__ = ["TapeRecorder", "Taped"]

_KEPT: Final = 16_384  # elements of an array that are kept
_LONGEST: Final = 400  # operations
_MOST: Final = 60  # tapes
_TOTAL: Final = 8_000_000  # elements of all tapes


@final
class Taped:
    """A tape while it is written."""

    def __init__(self, draft: ForwardDraft) -> None:
        self.draft = draft
        self.values: list[Value] = []
        self.ops: list[Op] = []
        self.loss: int | None = None


@final
class TapeRecorder:
    """Decides which forwards get a tape, and writes it. Arrays live as long as their tape runs: ids are unique."""

    def __init__(self, lineage: Lineage) -> None:
        self.running = False
        self.tapes: list[Taped] = []
        self.wanted: frozenset[int] = frozenset()  # clocks that must have one
        self.only = False  # no others
        self._lineage = lineage
        self._seen: dict[tuple[Place | None, bool], int] = {}
        self._index: dict[int, int] = {}
        self._alive: list[Any] = []
        self._room = _TOTAL

    def begin(self, draft: ForwardDraft) -> None:
        """A forward begins: the first at its place, the second, and then ever rarer ones get a tape."""
        self.end()
        caller = draft.stack[1] if len(draft.stack) > 1 else draft.place
        seen = self._seen.get((caller, draft.grad), 0)
        self._seen[caller, draft.grad] = seen + 1
        early = not self.only and (seen < 3 or (seen & (seen - 1)) == 0)
        if (early or draft.clock in self.wanted) and len(self.tapes) < _MOST and self._room > 0:
            self.running = True
            self.tapes.append(Taped(draft))

    def end(self) -> None:
        """The tape that runs, if any, is whole."""
        self.running = False
        self._index.clear()
        self._alive.clear()

    def loss(self, loss: Any) -> None:
        """``backward()`` was called on this."""
        if self.running and loss is not None:
            self.tapes[-1].loss = self._value(loss)

    def op(
        self,
        name: str,
        inputs: list[Any],
        options: dict[str, Any],
        output: Any,
        place: Place | None,
        module: str | None,
    ) -> None:
        """Write one operation. ``inputs`` are arrays and plain numbers in their order."""
        tape = self.tapes[-1]
        if len(tape.ops) >= _LONGEST:
            self.end()
            return
        arrays = tuple(self._value(value) for value in inputs if is_array(value))
        numbers = tuple(float(value) for value in inputs if type(value) in (int, float))
        units = units_of(name, inputs, output, tape.draft.n)
        made = self._value(output, fresh=True, units=units)
        tape.ops.append(Op(name, place, arrays, numbers, options, made, module))

    def _value(self, array: Any, fresh: bool = False, units: Units | None = None) -> int:
        """The number of an array on this tape. An operation in place gives its array a new number."""
        known = self._index.get(id(array))
        if known is not None and not fresh:
            return known
        tape = self.tapes[-1]
        numbers = as_numpy(array)
        kept = None
        if numbers is not None and numbers.size <= _KEPT and self._room > 0:
            kept = np.array(numbers)
            self._room -= kept.size
        slot = self._lineage.parameters.find(array) if array.ndim else None
        draft = tape.draft
        is_labels = (
            known is None
            and numbers is not None
            and numbers.size == draft.n == len(draft.labels)
            and draft.n > 1
            and bool((numbers.reshape(-1) == draft.labels).all())
        )
        value = Value(
            summarize(array),
            kept,
            self._lineage.known_name(array),
            slot.index if slot else None,
            is_labels,
            pointer(array) == draft.operand,
            units,
        )
        tape.values.append(value)
        self._index[id(array)] = len(tape.values) - 1
        self._alive.append(array)
        return len(tape.values) - 1
