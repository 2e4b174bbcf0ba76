"""Backward passes and updates: what is trained, by whom, at which rate."""

import math
import time
from dataclasses import replace
from typing import Any, Final, final

from byhand.doctor.place import Place
from byhand.doctor.trace import Backward, Optimizer
from byhand.doctor.watch.arrays import as_numpy, is_float, is_numpy
from byhand.doctor.watch.drafts import ForwardDraft, Slot, TrainingDraft
from byhand.doctor.watch.forwards import Forwards
from byhand.doctor.watch.labels import Labels
from byhand.doctor.watch.lineage import Lineage
from byhand.doctor.watch.loops import Loops
from byhand.doctor.watch.samples import Samples, is_looked_at
from byhand.doctor.watch.taping import TapeRecorder

__all__ = ["Steps"]

_MOST: Final = 60_000  # backward passes
_EXACT: Final = 1_000  # changes of a rate that are all kept


@final
class Steps:
    """All trainings so far."""

    def __init__(
        self,
        lineage: Lineage,
        forwards: Forwards,
        labels: Labels,
        loops: Loops,
        tape: TapeRecorder,
        samples: Samples,
    ) -> None:
        self.backwards: list[tuple[ForwardDraft | None, Backward]] = []
        self.trainings: list[TrainingDraft] = []
        self.optimizers: list[Optimizer] = []
        self._lineage, self._forwards, self._labels = lineage, forwards, labels
        self._loops, self._tape, self._samples = loops, tape, samples
        self._span: tuple[float, float] | None = None  # when the first update and the last one were made

    def seconds(self) -> float | None:
        """From the first update to the last, in seconds; None before any."""
        return self._span[1] - self._span[0] if self._span else None

    def update(self, slot: Slot, place: Place | None, *, hand: bool, rate: float | None = None) -> None:
        """A parameter was given new values."""
        first = self._forwards.updated(anew=slot.training is None)
        if first:
            self._loops.mark_updates()
        if slot.training is None:
            last = self.trainings[-1] if self.trainings else None
            fresh = last is None or (first and last.last < self._forwards.clock - 1) or last.updates > 1
            if fresh:
                last = TrainingDraft(self._forwards.clock - 1, place, hand, slot.born)
                self.trainings.append(last)
            slot.training = len(self.trainings) - 1
        training = self.trainings[slot.training]
        if training.last < self._forwards.clock:
            training.last = self._forwards.clock
            training.updates += 1
            now = time.monotonic()
            self._span = (self._span[0] if self._span else now, now)
            self._samples.updates = training.updates
            self._loops.training(training, slot.born)
        if rate is not None and _is_news(training.rates, rate):
            training.rates.append((self._forwards.clock - 1, rate))
        if hand and (not self.backwards or is_numpy(slot.current())):
            slot.reached = True

    def rebind(self, name: str, old: Any, new: Any, place: Place) -> None:
        """``W = W − ...`` made a new array of an old one."""
        slot = self._lineage.parameters.find(old)
        if slot is None:
            slot = self._become_parameter(name, old, new, place)
        if slot is not None:
            self._lineage.parameters.hold(slot, new)
            self.update(slot, place, hand=True)

    def change(self, name: str, array: Any, place: Place) -> None:
        """``W -= ...`` changed an array where it stands."""
        slot = self._lineage.parameters.find(array) or self._become_parameter(name, array, None, place)
        if slot is not None:
            self.update(slot, place, hand=True)

    def _become_parameter(self, name: str, array: Any, new: Any, place: Place) -> Slot | None:
        """An array that is updated and was an operand of a product, or stands beside one that was, is a parameter."""
        if not is_float(array) or array.ndim == 0 or self._lineage.role(array) in ("derived", "made"):
            return None
        known = bool(self._lineage.parameters.slots)
        beside = known and self._forwards.updating and not self._may_be_rows(array)
        if not self._forwards.is_pending(array) and not beside and not self._labels.was_added(array, new):
            return None
        slot = self._lineage.add_parameter(array, place)
        if slot is None:
            return None
        slot.name = slot.name or name
        slot.used = True
        return slot

    def _may_be_rows(self, array: Any) -> bool:
        """Whether a table is as wide as the last rows: ``x = x - x.mean(0)``, the first thing after an update.

        What starts at zero is no rows but a momentum, and so is what has the shape of a parameter.
        """
        if array.ndim != 2 or min(array.shape) < 2 or array.shape[0] == array.shape[1] or not array.any():
            return False
        if any(slot.shape == array.shape for slot in self._lineage.parameters.slots):
            return False
        draft = self._forwards.current
        if draft is None:
            return self._forwards.is_like_pending(array)
        return draft.shape == (array.shape[0 if draft.columns else 1],)

    def has_learnt(self, slot: Slot) -> bool:
        """Whether a change of this parameter is a step: what comes before any gradient is its start."""
        return bool(self.backwards) or slot.training is not None

    def is_given_back(self) -> bool:
        """Whether values that are copied into a parameter now are no step: autograd has gone back, and not since."""
        last = self.backwards[-1][1].clock if self.backwards else self._forwards.clock
        return not self._forwards.updating and last < self._forwards.clock

    def stepped(self, optimizer: int | None, arrays: list[Any], rate: float, place: Place | None) -> None:
        """An optimizer object made a step on these arrays."""
        slots = [self._lineage.parameters.find(array) or self._lineage.add_parameter(array) for array in arrays]
        for slot in slots:
            if slot is not None:
                slot.optimizer = optimizer
                self.update(slot, place, hand=False, rate=rate)
        if optimizer is not None:
            old = self.optimizers[optimizer]
            listed = old.parameters or tuple(slot.index for slot in slots if slot is not None)
            self.optimizers[optimizer] = replace(old, steps=old.steps + 1, parameters=listed)

    def found(self, optimizer: int, gradients: bool) -> None:
        """An optimizer object is about to step; whether its parameters have a gradient that is not zero."""
        old = self.optimizers[optimizer]
        self.optimizers[optimizer] = replace(old, idle=not gradients and (old.idle or old.steps == 0))

    def backward(self, loss: Any, place: Place | None, marks: set[int], leaves: list[Any]) -> None:
        """``backward()`` is about to run on a loss; ``leaves`` are those that its graph reaches, if it was walked."""
        drafts = (
            [draft for draft in self._forwards.waiting if draft.index in marks]
            if marks
            else self._forwards.waiting[-1:]
        )
        for draft in drafts:
            draft.kind = "train"
        found = [self._lineage.parameters.find(leaf) or self._lineage.add_parameter(leaf) for leaf in leaves]
        slots = [slot for slot in found if slot is not None]
        for slot in slots:
            slot.used = True
        value = as_numpy(loss) if loss is not None else None
        number = float(value.reshape(-1)[0]) if value is not None and value.size == 1 else None
        if number is not None and self._samples.live is not None:
            self._samples.live.loss(self._forwards.clock, number)
        owner = drafts[-1] if drafts else None
        if len(self.backwards) < _MOST:
            record = Backward(
                None, place, self._forwards.clock, number, self._stale(), tuple(slot.index for slot in slots)
            )
            self.backwards.append((owner, record))
        self._tape.loss(loss)

    def must_walk(self) -> bool:
        """Whether the graph of the next backward pass is to be looked at."""
        return is_looked_at(len(self.backwards)) or sum(draft.grad for draft in self._forwards.waiting) != 1

    def after_backward(self, returned: list[tuple[Any, Any]]) -> None:
        """The gradients are there, in ``.grad`` or with their leaves as autograd.grad has returned them."""
        gradients: dict[int, Any] = {}
        for leaf, gradient in returned:
            slot = self._lineage.parameters.find(leaf)
            if slot is not None and gradient is not None:
                slot.reached = True
                gradients[slot.index] = gradient
        self._samples.gradients(gradients)
        self._forwards.waiting = [draft for draft in self._forwards.waiting if draft.kind == "train"]

    def _stale(self) -> bool:
        """Whether gradients of before the last update are still there: small parameters stand for all."""
        if self._forwards.clock == 0 or (len(self.backwards) > 200 and len(self.backwards) % 16):
            return False
        if self.backwards and self.backwards[-1][1].clock == self._forwards.clock:
            return False  # no update since: gradients are being added up on purpose
        small = sorted(
            (slot for slot in self._lineage.parameters.slots if not slot.frozen), key=lambda slot: slot.summary.shape
        )
        for slot in small[:8]:
            array = slot.current()
            gradient = getattr(array, "grad", None)
            found = None if gradient is None else as_numpy(gradient)
            if found is not None and found.size <= 1 << 16 and found.any():
                return True
        return False

    def close(self) -> None:
        """The run is over: take the last values, and the rates that the steps show."""
        self._lineage.parameters.finish()
        for slot in self._lineage.parameters.slots:
            training = self.trainings[slot.training] if slot.training is not None else None
            if training is not None and not training.rates:
                for sample in slot.samples:
                    if sample.rate is not None and _is_other(training.rates, sample.rate):
                        training.rates.append((sample.clock, sample.rate))


def _is_news(rates: list[tuple[int, float]], rate: float) -> bool:
    """Whether a rate is another than the last one; after a thousand changes, whether it differs by a fiftieth."""
    if not rates or rates[-1][1] != rate:
        return len(rates) < _EXACT or (len(rates) < 10 * _EXACT and _is_other(rates, rate))
    return False


def _is_other(rates: list[tuple[int, float]], rate: float) -> bool:
    return not rates or not math.isclose(rates[-1][1], rate, rel_tol=0.02)
