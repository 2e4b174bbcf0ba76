"""Tapes: for some forwards, every operation with what went in and what came out.

In a program without autograd what is trained shows at its first update. So each product before it begins a tape on
trial; that of the forward from which the update came is kept, and told then what was rows and parameters in it.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final, final

import numpy as np

from byhand.doctor.layers import Units
from byhand.doctor.place import Place
from byhand.doctor.tape import Op, Value
from byhand.doctor.watch.arrays import as_numpy, is_array, is_numpy, pointer, summarize
from byhand.doctor.watch.drafts import ForwardDraft
from byhand.doctor.watch.lineage import Lineage
from byhand.doctor.watch.row_costs import cost_of_rows
from byhand.doctor.watch.unit_facts import units_of

__all__ = ["TapeRecorder"]

_KEPT: Final = 16_384  # elements of an array that are kept
_LONGEST: Final = 400  # operations
_MOST: Final = 60  # tapes
_TOTAL: Final = 8_000_000  # elements of all tapes
_CHANGED: Final = "setitem"  # a NumPy array was changed where it is, as by p[rows, y] -= 1


@final
class Taped:
    """A tape while it is written."""

    def __init__(self, draft: ForwardDraft) -> None:
        self.draft = draft
        self.values: list[Value] = []
        self.ops: list[Op] = []
        self.loss: int | None = None
        self.cost: float | None = None


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
        self._running: Taped | None = None
        self._trial: tuple[int, Taped, list[Any]] | None = None  # when its product came, and the arrays of its values
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
            self.running, self._running = True, Taped(draft)
            self.tapes.append(self._running)

    def begin_trial(self, event: int) -> None:
        """A product that may begin a forward, at this time: a tape in the place of the last one on trial."""
        self.end()
        if self._trial is not None:
            self._room += _kept_by(self._trial[1])
        if not self.only and self._room > 0:
            self.running, self._running = True, Taped(ForwardDraft(-1, 0, 0, (), True))
            self._trial = event, self._running, self._alive

    def adopt(self, drafts: Iterable[tuple[int, ForwardDraft]]) -> None:
        """It is known now what is trained: keep the tape on trial if it is one of these forwards that led there."""
        self.end()
        trial, self._trial = self._trial, None
        draft = next((draft for event, draft in drafts if trial and trial[0] == event and draft.kind == "train"), None)
        if trial is None or draft is None:
            return
        _, taped, arrays = trial
        taped.draft = draft
        taped.cost = cost_of_rows(arrays, draft.labels, _KEPT)
        taped.values = [
            replace(
                value,
                parameter=self._parameter(array),
                labels=_is_labels(value.kept, draft),
                rows=pointer(array) == draft.operand,
            )
            for value, array in zip(taped.values, arrays, strict=True)
        ]
        self._starts(taped)
        for op in taped.ops:
            given = [taped.values[i].kept for i in op.inputs]
            made = taped.values[op.output].kept
            if made is not None and all(one is not None for one in given):
                units = units_of(op.name, [*given, *op.constants], made, draft.n)
                taped.values[op.output] = replace(taped.values[op.output], units=units)
        self.tapes.append(taped)

    def _starts(self, taped: Taped) -> None:
        """What parameters were before the first update: the update had changed them where they stand."""
        seen: set[int] = set()
        for value in taped.values:
            if value.parameter is not None and value.parameter not in seen:
                seen.add(value.parameter)
                slot = self._lineage.parameters.slots[value.parameter]
                if value.summary.shape == slot.shape:
                    slot.summary = value.summary
                    slot.start = slot.start if value.kept is None else value.kept

    def end(self) -> None:
        """The tape that runs, if any, is whole."""
        if self._running is not None and self._running.draft.index >= 0:
            self._running.cost = cost_of_rows(self._alive, self._running.draft.labels, _KEPT)
        self.running, self._running = False, None
        self._index = {}
        self._alive = []

    def loss(self, loss: Any) -> None:
        """``backward()`` was called on this."""
        if self._running is not None and loss is not None:
            self._running.loss = self._value(self._running, loss)

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
        tape = self._running
        if tape is None or len(tape.ops) >= _LONGEST:
            self.end()
            return
        arrays = tuple(self._value(tape, value) for value in inputs if is_array(value))
        numbers = tuple(float(value) for value in inputs if type(value) in (int, float))
        units = units_of(name, inputs, output, tape.draft.n)
        made = self._value(tape, output, fresh=True, units=units)
        tape.ops.append(Op(name, place, arrays, numbers, options, made, module))

    def _value(self, tape: Taped, array: Any, fresh: bool = False, units: Units | None = None) -> int:
        """The number of an array on a tape. An operation in place gives its array a new number."""
        known = self._index.get(id(array))
        if known is not None and not fresh and not (is_numpy(array) and _differs(tape.values[known], array)):
            return known
        numbers = as_numpy(array)
        kept = None
        if numbers is not None and numbers.size <= _KEPT and self._room > 0:
            kept = np.array(numbers)
            self._room -= kept.size
        value = Value(
            summarize(array),
            kept,
            self._lineage.known_name(array),
            self._parameter(array),
            known is None and _is_labels(numbers, tape.draft),
            pointer(array) == tape.draft.operand,
            units,
        )
        tape.values.append(value)
        made = len(tape.values) - 1
        if known is not None and not fresh:
            tape.ops.append(Op(_CHANGED, None, (known,), (), {}, made))
        self._index[id(array)] = made
        self._alive.append(array)
        return made

    def _parameter(self, array: Any) -> int | None:
        slot = self._lineage.parameters.find(array) if array.ndim else None
        return slot.index if slot else None


def _is_labels(numbers: Any, draft: ForwardDraft) -> bool:
    """Whether an array, None where it was not kept, is the labels of a forward."""
    return (
        numbers is not None
        and numbers.size == draft.n == len(draft.labels)
        and draft.n > 1
        and bool((numbers.reshape(-1) == draft.labels).all())
    )


def _differs(value: Value, array: Any) -> bool:
    """Whether an array is another than when it was written down."""
    if value.kept is None:
        return summarize(array) != value.summary
    return not np.array_equal(value.kept, array, equal_nan=value.kept.dtype.kind == "f")


def _kept_by(tape: Taped) -> int:
    """Elements."""
    return sum(value.kept.size for value in tape.values if value.kept is not None)
