"""When an iteration of a training is probed, and what comes of it: the record that the trace keeps.

An iteration is a round of the innermost loop in which both a forward and an update happen. It is gone through once in a
branch to see what it does, and then in two branches for each direction in which a parameter is moved.
"""

import time
from collections.abc import Sequence
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from byhand.doctor.place import Place
from byhand.doctor.slopes import ALIKE, Found, Probe, Scalar, Slopes, Straight, cosine, of_one_row
from byhand.doctor.watch.addends import Addends
from byhand.doctor.watch.arrays import is_float, is_numpy
from byhand.doctor.watch.branch import start
from byhand.doctor.watch.directions import Directions, answering_of
from byhand.doctor.watch.finite_differences import Differences
from byhand.doctor.watch.hooks import Hooks
from byhand.doctor.watch.iteration import Iteration, Made, Seen
from byhand.doctor.watch.listening import replacing
from byhand.doctor.watch.recorder import Recorder
from byhand.doctor.watch.ways import Way, ways

__all__ = ["Probing"]

Array = NDArray[np.float64]

_FEWEST: Final = 6  # directions, or nothing is said
_WIDE: Final = 3  # directions that are gone along once more, with a wider step
_OTHERWISE: Final = 5  # with other derivatives
_FINE: Final = 0.1  # of a step: a straight line in the place of softmax soon comes to where the logarithm bends
_LOOK: Final = 3  # of those, after which most are out of the question
_LATER: Final = 0.35  # of the time, for those
_LARGEST: Final = 4_000_000  # elements of a parameter
_WIDER: Final = 10.0


@final
class Probing:
    """Waits in a run for the iterations to probe. The run ends after the last of them.

    Args:
        hooks: of the run.
        recorder: of the run.
        places: of the hooks' events.
        clocks: probe the first iteration from each of these clocks on; in order.
        until: when the run has to be over, on the monotonic clock.
    """

    def __init__(
        self, hooks: Hooks, recorder: Recorder, places: list[Place], clocks: Sequence[int], until: float
    ) -> None:
        self._hooks, self._recorder, self._places = hooks, recorder, places
        self._clocks, self._until = list(clocks), until
        self._addends = Addends(hooks, recorder, places)
        self._rounds: dict[int, int] = {}  # by loop: the forwards before its current round
        self._top: int | None = None  # the loop whose rounds are iterations
        self._settled = False  # one look was enough
        self._called: list[str] = []  # the parameters' names, by number
        self._likely: Way | None = None  # the one that another parameter's gradient is of
        self._over: Any = None  # what this branch does when its iteration is over
        update: Any = recorder.steps.update

        def updated(*args: Any, **kwargs: Any) -> None:
            clock = recorder.forwards.clock
            update(*args, **kwargs)
            if recorder.forwards.clock != clock:
                self._find_top()

        setattr(recorder.steps, "update", updated)  # noqa: B010 - it is looked up there by name
        replacing(hooks, "tick", self._tick)
        replacing(hooks, "leave", self._leave)

    def _find_top(self) -> None:
        """An update begins: the innermost loop around it that has had a forward in this round is the one."""
        count = len(self._recorder.forwards.drafts)
        around = [key for key in self._recorder.loops.around if self._rounds.get(key, count) < count]
        if around and self._over is None:
            self._top = around[-1]

    def _tick(self, usual: Any, k: int) -> bool:
        if self._over is not None:
            if k == self._top:
                self._over()
            return usual(k)
        over = usual(k)
        self._rounds[k] = len(self._recorder.forwards.drafts)
        if not over and k == self._top and self._clocks and self._recorder.forwards.clock >= self._clocks[0]:
            self._clocks.pop(0)
            with self._recorder.safe:
                self._probe()
            if (self._settled or not self._clocks) and self._over is None:
                self._recorder.loops.stopping = True
        return over

    def _leave(self, usual: Any, k: int) -> None:
        if self._over is not None and k == self._top:
            self._over()
        usual(k)

    def _wait(self, over: Any) -> None:
        self._over = over

    # One iteration.

    def _probe(self) -> None:
        self._likely = None
        began = time.monotonic()
        until = began + (self._until - began) / (len(self._clocks) + 1)
        names, arrays, slots = self._parameters()
        seen = self._go_through(arrays, slots, until - began)
        if seen is None or self._over is not None:
            return
        single = any(array.dtype.itemsize < 8 for array in arrays.values())
        differences = Differences(self._hooks, self._recorder, arrays, seen.keys, self._wait, both=single)
        plans = {number: Directions(number, array, single) for number, array in arrays.items()}
        rounds = max(len(plan.directions) for plan in plans.values())
        moves = [(number, i) for i in range(rounds) for number, plan in plans.items() if i < len(plan.directions)]
        measured = differences.along((plans[number].move(i) for number, i in moves), until - _LATER * (until - began))
        if measured is None:
            return
        for (number, i), answer in zip(moves, measured, strict=True):
            plans[number].take(i, answer)
        complete = [plan for plan in plans.values() if plan.count >= min(_FEWEST, len(plan.directions))]
        if len(complete) < len(plans):
            return
        answering = answering_of(seen, complete)
        records: list[Slopes] = []
        asked = {
            plan.number: plan
            for plan in complete
            if seen.taken[plan.number].any()
            and plan.slopes(answering).any()  # a momentum is moved too, and no number answers to it
            and not self._explained(plan, seen, answering, single)
        }
        asked.update({plan.number: plan for plan in self._against(complete, seen, answering, single)})
        moving = all(seen.taken[number].any() for number in slots)
        self._settled = moving and not asked and not self._addends.others()
        shown = any(seen.names.get(seen.keys[key]) for key, _ in answering)
        self._called = [name for name, _ in names.values()]
        for plan in complete:
            wider, straight = np.zeros((len(answering), 0)), ()
            # Nothing fits: if it is no mistake that is known, it is none for all of them.
            alone = len(asked) >= len(slots)
            if plan.number in asked and (
                not alone or (shown and (not records or any(one.straight for one in records)))
            ):
                looked = self._look_closer(plan, seen, differences, answering, until)
                if looked is None:
                    return
                wider, straight = looked
            records.append(self._record(plan, names[plan.number], seen, answering, wider, straight))
        self._recorder.probes.append(
            Probe(
                self._recorder.forwards.clock,
                seen.rows,
                seen.single_rows,
                single,
                self._addends.rounds,
                tuple(
                    Scalar(
                        self._places[seen.keys[key][0]],
                        seen.names.get(seen.keys[key], ""),
                        seen.keys[key][1],
                        bool(summed),
                        float((seen.sums if summed else seen.last)[key]),
                    )
                    for key, summed in answering
                ),
                tuple(records),
                differences.branches,
                time.monotonic() - began,
            )
        )

    def _parameters(self) -> tuple[dict[int, tuple[str, Place | None]], dict[int, Any], dict[int, int]]:
        """What is moved: names and arrays by number, and the recorder's numbers of those that it knows."""
        names: dict[int, tuple[str, Place | None]] = {}
        arrays: dict[int, Any] = {}
        slots: dict[int, int] = {}
        last = len(self._recorder.steps.trainings) - 1
        for slot in self._recorder.lineage.parameters.slots:
            array = slot.current()
            if slot.training == last and _movable(array):
                slots[len(arrays)] = slot.index
                names[len(arrays)], arrays[len(arrays)] = (slot.name, None), array
        for place, array in self._addends.others():
            if _movable(array):
                names[len(arrays)], arrays[len(arrays)] = (self._recorder.lineage.known_name(array) or "", place), array
        return names, arrays, slots

    def _go_through(self, arrays: dict[int, Any], slots: dict[int, int], seconds: float) -> Seen | None:
        if not slots:
            return None
        branch = start(self._recorder, max(1.0, seconds))
        if branch.inside:
            iteration = Iteration(self._hooks, self._recorder, arrays, slots)
            self._wait(lambda: branch.tell(iteration.tell()))
            return None
        told = branch.answer()
        return None if told is None else Seen.read(told, arrays)

    def _explained(self, plan: Directions, seen: Seen, answering: list[tuple[int, int]], single: bool) -> bool:
        """Whether some number's slopes are those of the update, or of an array that was made before it."""
        usual = [i for i, (key, _) in enumerate(answering) if not of_one_row(seen.keys[key][1])]
        slopes = plan.slopes(answering)[usual]
        own = plan.along(np.array(plan.array, np.float64))  # a penalty's gradient says nothing of the rest of an update
        parts = [plan.along(one.values) for one in seen.made[plan.number]]
        gradients = [plan.along(seen.taken[plan.number]), *(x for x in parts if abs(cosine(x, own)) < ALIKE[single])]
        return any(abs(cosine(row, gradient)) >= ALIKE[single] for row in slopes for gradient in gradients)

    def _against(
        self, plans: list[Directions], seen: Seen, answering: list[tuple[int, int]], single: bool
    ) -> list[Directions]:
        """The fewer of those that go up and those that go down, for the number with which most of them do either."""
        best: tuple[list[Directions], list[Directions]] = [], []
        for i in range(len(answering)):
            fits = [(plan, cosine(plan.slopes(answering)[i], plan.along(seen.taken[plan.number]))) for plan in plans]
            down = [plan for plan, fit in fits if fit >= ALIKE[single]]
            up = [plan for plan, fit in fits if fit <= -ALIKE[single]]
            best = max(best, (down, up), key=lambda pair: len(pair[0]) + len(pair[1]))
        return min(best, key=len)

    def _look_closer(
        self, plan: Directions, seen: Seen, differences: Differences, answering: list[tuple[int, int]], until: float
    ) -> tuple[Array, tuple[Straight, ...]] | None:
        """Once more with a wider step, and with other activations; None where this process is a branch."""
        wider = differences.along((plan.move(i, _WIDER) for i in range(min(_WIDE, plan.count))), until)
        if wider is None:
            return None
        again = plan.rows(wider, answering, _WIDER)
        straight: list[Straight] = []
        count = min(_OTHERWISE, plan.count)
        usual = [i for i, (key, _) in enumerate(answering) if not of_one_row(seen.keys[key][1])]
        known, taken = self._likely, plan.along(seen.taken[plan.number])
        if _like(np.delete(plan.slopes(answering), usual, axis=0), [taken], ALIKE[True]):
            return again, ()
        possible = [*ways(self._hooks, self._places, seen, plan.number, self._called)]
        possible.sort(key=lambda one: known is None or (one.what, one.places) != (known.what, known.places))
        step = 1.0 if plan.array.dtype.itemsize < 8 else _FINE
        made = [plan.along(one.values) for one in seen.made[plan.number]]
        for way in possible:
            answers: list[Array | None] = []
            for i in range(count):
                if i == _LOOK and not _like(plan.rows(answers, answering, step)[usual], [taken, *made], 0.99):
                    break
                other = differences.along([plan.move(i, step, way.prepare)], until)
                if other is None:
                    return None
                answers += other
            rows = plan.rows(answers, answering, step)
            if rows.shape[1] == count:
                straight.append(Straight(way.what, way.kind, way.places, rows))
                if _like(rows[usual], [taken], ALIKE[True]):
                    self._likely = way  # it will be so for others too
                    break
        return again, tuple(straight)

    def _record(
        self,
        plan: Directions,
        name: tuple[str, Place | None],
        seen: Seen,
        answering: list[tuple[int, int]],
        wider: Array,
        straight: tuple[Straight, ...],
    ) -> Slopes:
        taken = seen.taken[plan.number]
        array = plan.array
        return Slopes(
            name[0],
            seen.updates.get(plan.number, name[1]),
            tuple(array.shape),
            plan.number in seen.updates,
            self._addends.still(array) and not taken.any(),
            not array.any(),
            plan.units,
            plan.step,
            float(np.linalg.norm(taken)),
            plan.along(taken),
            plan.along(np.array(array, np.float64)),
            plan.slopes(answering),
            wider,
            tuple(self._found(plan, one, taken) for one in seen.made[plan.number]),
            straight,
        )

    def _found(self, plan: Directions, one: Made, taken: Array) -> Found:
        values = one.values.reshape(plan.array.shape)
        square = values.ndim == 2 and values.shape[0] == values.shape[1]
        return Found(
            self._places[one.k],
            one.inputs,
            one.fresh,
            tuple(self._places[k] for k in one.sources),
            one.time,
            one.old,
            cosine(values, taken),
            float(np.linalg.norm(values)),
            bool(np.ptp(values) <= 1e-9 * abs(values).max()),
            plan.along(values),
            plan.along(one.total),
            plan.along(values.T) if square else np.zeros(0),
        )


def _movable(array: Any) -> bool:
    return (
        is_numpy(array) and is_float(array) and array.flags.writeable and 0 < array.size <= _LARGEST
        and array.ndim > 0 and bool(np.isfinite(array).all())
    )  # fmt: skip


def _like(rows: Array, gradients: Sequence[Array], least: float) -> bool:
    """Whether one of the numbers' slopes (S, K) are those of a gradient, as far as they are known."""
    return any(abs(cosine(row, one[: len(row)])) >= least for row in rows for one in gradients)
