"""Gradients that grow from layer to layer, or from step to step of a recurrence, until one update ruins the weights."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, final

import numpy as np

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.model import starts
from byhand.doctor.checks.reading.chain import products
from byhand.doctor.checks.reading.course import best, chance, course, ends_well, number_of_classes, short
from byhand.doctor.checks.reading.literals import rate_of
from byhand.doctor.checks.reading.tapes import name_of, readings
from byhand.doctor.checks.steps.clipped import clipped
from byhand.doctor.finding import Finding
from byhand.doctor.text import edits
from byhand.doctor.text.edits import Edits
from byhand.doctor.trace import Parameter, Training

__all__ = ["exploding_gradients"]

_RESTS: Final = 0.7  # of the loss at chance, or of the first one: below that it learns
_DEEP: Final = 4  # products, one after another
_GROWN: Final = 10.0  # times, from the first of them to the last
_MOSTLY: Final = 0.75  # of them, the share that is larger than the one before
_LONG: Final = 3.0  # times its weights: a gradient at the start
_MOVES: Final = 0.5  # of its weights: the first step
_LARGER: Final = 1.1  # times the deviation that keeps the size of a signal
_HALVES: Final = frozenset({"relu", "leaky_relu", "gelu", "elu", "silu", "clamp", "maximum"})
"""Units that leave half of a signal's square."""


@final
@dataclass(frozen=True, slots=True)
class _Growth:
    """The deviations of what a chain of hidden products gives, from the first to the last."""

    deviations: tuple[float, ...]
    weights: tuple[Parameter, ...]  # the one that is used again and again, or those of the layers
    recurrent: bool
    keep: float  # deviation × √inputs of weights that keep the size of a signal

    @property
    def times(self) -> float:
        return self.deviations[-1] / self.deviations[0]


@final
@dataclass(frozen=True, slots=True)
class _Leap:
    """A weight's gradient and step, the first that were seen."""

    weight: Parameter
    which: str  # "first" or "second"
    size: float  # of the weights before it
    gradient: float
    step: float


def exploding_gradients(evidence: Evidence) -> Iterator[Finding]:
    """What goes through the layers grows at each; the first gradients are many times as long as their weights."""
    trace, index = evidence.trace, best(evidence)
    harm = _harm(evidence, index) if index is not None else None
    if index is None or harm is None:
        return
    training = trace.trainings[index]
    if any(clip.fresh and training.first <= clip.clock <= training.last for clip in trace.clips):
        return
    growth = _growth(evidence, index)
    leap = _leap(evidence, index, training)
    if growth is None or leap is None:
        return
    fix = _smaller(evidence, growth)
    if growth.recurrent or not fix:
        fix += clipped(evidence, training)  # what is used again and again can grow later, too
    name = leap.weight.name or "a weight"
    many = len(growth.deviations)
    used = growth.weights[0].name or "the same weight"
    where = f"over {many} products with {used}" if growth.recurrent else f"over {many} hidden layers"
    yield Finding(
        "exploding-gradients",
        "warning",
        fix[0].place if fix else growth.weights[0].place,
        saw=f"{where} the deviation of what goes through grows from {short(growth.deviations[0])} to"
        f" {short(growth.deviations[-1])}; the {leap.which} gradient of {name} is {short(leap.gradient)} long, its"
        f" weights {short(leap.size)}; {harm}",
        so=f"the {leap.which} step moves {name} by {short(leap.step / leap.size)} times its own length:"
        " nothing is left of the start",
        instead=edits.written_if_any(evidence.program, fix)
        or "smaller weights where they are used again and again, or clipped gradients",
        edits=(fix,) if fix else (),
        needs_proof=bool(fix),
    )


def _harm(evidence: Evidence, index: int) -> str | None:
    """How the loss or the weights break, or that the loss ends no better than answers by chance; None where neither."""
    trace, how = evidence.trace, course(evidence, index)
    if ends_well(evidence, index):
        return None
    if how is None:
        lost = [p for p in trace.parameters if p.training == index and p.start.finite and not p.end.finite]
        return f"{lost[0].name or 'the weights'} ends as NaN" if lost else None
    classes = number_of_classes(trace, index)
    level = min(how.first, chance(classes)) if classes else how.first
    start = f"the loss starts at {short(how.first)} and"
    if how.broken is not None:
        return f"{start} is not finite from step {how.broken:,} on"
    return f"{start} ends at {short(how.last)}" if how.first > 0 and how.last > _RESTS * level else None


def _growth(evidence: Evidence, index: int) -> _Growth | None:
    """How signals grow in the forwards before any update; None where they do not."""
    found = [one for one in _chains(evidence, index) if _grows(one.deviations)]
    return max(found, key=lambda one: one.times, default=None)


def _chains(evidence: Evidence, index: int) -> Iterator[_Growth]:
    """The products with each weight, and those with one weight after another, on the weights as they were drawn."""
    trace, halved = evidence.trace, False
    latest = trace.trainings[index].first + (0 if trace.backwards else 1)  # without autograd the first update tells
    seen: dict[int, list[float]] = {}
    for reading in readings(trace):
        if not reading.of(index) or reading.tape.clock > latest:
            continue  # a recurrence that reads rows at each step is several forwards
        halved = halved or any(name_of(op) in _HALVES for op in reading.tape.ops)
        for product in products(reading):
            deviation = reading.value(product.op.output).summary.std
            if product.weight is not None and deviation and trace.parameters[product.weight].training == index:
                seen.setdefault(product.weight, []).append(deviation)
    for weight, deviations in seen.items():
        yield _Growth(tuple(deviations), (trace.parameters[weight],), True, 1.0)
    layers = [*seen][:-1]  # the last one's scores have a size of their own
    keep = math.sqrt(2) if halved else 1.0
    yield _Growth(tuple(seen[i][0] for i in layers), tuple(trace.parameters[i] for i in layers), False, keep)


def _grows(deviations: Sequence[float]) -> bool:
    """Whether a chain is long and grows at most of its links, not at one of them."""
    if len(deviations) < _DEEP or not all(map(math.isfinite, deviations)):
        return False
    growing = np.mean([after > before for before, after in pairwise(deviations)])
    largest = max(after / before for before, after in pairwise(deviations))
    times = deviations[-1] / deviations[0]
    return bool(growing >= _MOSTLY and times >= _GROWN and largest < times**0.75)


def _leap(evidence: Evidence, index: int, training: Training) -> _Leap | None:
    """The weight whose first gradient is the longest beside it, where the first step really went that far."""
    rate = rate_of(evidence.program, evidence.trace, training)
    found: list[_Leap] = []
    for weight in evidence.trace.parameters:
        start = weight.start
        if weight.training != index or weight.frozen or len(weight.shape) < 2 or not weight.samples or not start.std:
            continue
        sample = weight.samples[0]
        size = math.sqrt(math.prod(weight.shape) * (start.std**2 + (start.mean or 0.0) ** 2))
        gradient = sample.gradient if sample.gradient is not None or not rate else (sample.step or 0.0) / rate
        if gradient is None or sample.step is None or sample.clock > training.first + 1:
            continue
        if math.isfinite(gradient) and gradient >= _LONG * size and _MOVES * size <= sample.step < math.inf:
            which = "first" if sample.clock <= training.first else "second"
            found.append(_Leap(weight, which, size, gradient, sample.step))
    return max(found, key=lambda one: one.gradient / one.size, default=None)


def _smaller(evidence: Evidence, growth: _Growth) -> Edits:
    """Weights drawn so that each keeps the size of its input, where they are larger."""
    trace, least = evidence.trace, _LARGER * growth.keep
    large = [p for p in growth.weights if (p.start.std or 0.0) * math.sqrt(starts.fan_in(trace, p)) > least]
    return starts.scaled(evidence, large, growth.keep, 2) if large else ()
