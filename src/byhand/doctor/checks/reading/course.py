"""The course of a training: which one to speak of, what it was fed, and how its loss went.

Letters: T steps that were seen, N rows, C classes.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from byhand.doctor.audit import scores as tables
from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.audit.passes import Pass
from byhand.doctor.checks.reading.tapes import Reading, readings, sums_to_one
from byhand.doctor.place import Place
from byhand.doctor.trace import Backward, Forward, Trace, Training

__all__ = ["Course", "best", "chance", "course", "ends_well", "fed", "final_pass", "number_of_classes", "short"]

Array = NDArray[np.float64]

_FEW: Final = 5  # losses from which a course can be told
_SOME: Final = 100  # batches that are looked at
_GOOD: Final = 0.95  # an accuracy that leaves no five points to gain


@final
@dataclass(frozen=True, slots=True)
class Course:
    """A training's loss, one value a backward pass, and some of its moments; all over finite values."""

    losses: Array  # (T,)
    parts: Array  # (20,) the mean loss in each twentieth of the run; NaN where it has no finite value
    sure: Array  # (20,) how far chance moves each mean: one standard error

    @property
    def first(self) -> float:
        """The loss before any update."""
        return float(self.losses[0])

    @property
    def last(self) -> float:
        """The mean loss in the last tenth of the run."""
        return float(self.parts[-2:].mean())

    @property
    def broken(self) -> int | None:
        """The first step, counted from 1, whose loss is not finite."""
        bad = np.flatnonzero(~np.isfinite(self.losses))
        return int(bad[0]) + 1 if len(bad) else None

    def drop(self, before: slice, after: slice) -> tuple[float, float]:
        """How far the mean loss fell between two groups of twentieths, and one standard error of that."""
        noise = math.hypot(*(_error(self.sure[part]) for part in (before, after)))
        return float(self.parts[before].mean() - self.parts[after].mean()), noise


def course(evidence: Evidence, index: int) -> Course | None:
    """The course of the training at an index; None where too little of it was seen.

    The losses are those on which ``backward()`` was called. A program without autograd has none: there the exact losses
    of its evaluations, or of the batches that were looked at closely, stand for all between them.
    """
    losses = np.array([b.loss for b in _backwards(evidence.trace, index) if b.loss is not None], dtype=np.float64)
    if len(losses) < 20:
        losses = _between(_exact(evidence, index), evidence.trace.trainings[index])
    if len(losses) < 20 or not math.isfinite(losses[0]):
        return None
    means, errors = np.full(20, np.nan), np.full(20, np.nan)
    for i, part in enumerate(np.array_split(losses, 20)):
        good = part[np.isfinite(part)]
        if len(good):
            means[i], errors[i] = good.mean(), good.std() / math.sqrt(len(good))
    return Course(losses, means, errors)


def _exact(evidence: Evidence, index: int) -> list[tuple[int, float]]:
    """(clock, cross-entropy) where the scores and the labels were seen."""
    passes = [p for p in evidence.audit.passes if p.forward.training == index and p.loss is not None]
    found = [(p.clock, p.loss) for p in passes if p.loss is not None and p.n == passes[-1].n]
    looked = readings(evidence.trace)
    places = {
        op.place for one in looked for op in one.tape.ops if op.place and one.train and one.probabilities(op.output)
    }
    batches = [point for reading in looked if (point := _of_batch(reading, index, places))]
    for points in (found, _of_choices(evidence.trace, index)):
        if len(points) >= _FEW:
            return [*[point for point in batches[:1] if point[0] < points[0][0]], *points]
    return [*batches, *_at_the_end(batches, passes[-1:], evidence.trace.trainings[index])]


def _at_the_end(batches: list[tuple[int, float]], last: list[Pass], training: Training) -> list[tuple[int, float]]:
    """Where no batch of the last third was looked at: what rows that are judged at the end cost, if that is less."""
    found = [(one.clock, one.loss) for one in last if one.loss is not None and one.clock == training.last]
    late = training.first + training.steps * 2 / 3
    return [end for end in found if batches and batches[-1][0] < late and batches[-1][1] > end[1]]


def _of_choices(trace: Trace, index: int) -> list[tuple[int, float]]:
    """The cross-entropy of some of the batches that it learnt from and chose classes for."""
    scored = [(p, trace.forwards[p.forward]) for p in trace.predictions if p.forward is not None and p.scores.size]
    mine = [(p, f) for p, f in scored if f.kind == "train" and f.training == index and f.labels.size == f.n > 1]
    found: list[tuple[int, float]] = []
    for prediction, forward in mine[:: max(1, len(mine) // _SOME)]:
        scores = tables.rows_of([prediction], forward.n, forward.labels)
        what = tables.kind(scores) if scores is not None else None
        loss = tables.cross_entropy(scores, forward.labels, what) if scores is not None and what is not None else None
        if loss is not None:
            found.append((forward.clock, loss))
    return found


def _of_batch(reading: Reading, index: int, places: Collection[Place | None]) -> tuple[int, float] | None:
    """The cross-entropy of the probabilities that a batch got, where the program computed some.

    They may all be 0 or 1 by now, where those of other batches come from the same of these places.
    """
    clock = reading.tape.clock
    if not reading.train or not reading.of(index) or not len(reading.labels):
        return None
    if reading.tape.cost is not None:
        return clock, reading.tape.cost
    for op in reversed(reading.tape.ops):
        p = reading.rows(op.output) if op.place in places or reading.probabilities(op.output) else None
        if p is not None and sums_to_one(p) and reading.labels.max() < p.shape[1]:
            own = p[np.arange(len(p)), reading.labels]
            return clock, float(-np.log(np.maximum(own, 1e-12)).mean())
    return None


def _between(points: list[tuple[int, float]], training: Training) -> Array:
    """200 losses over the training, on straight lines between the points; () where they are too few."""
    if len(points) < _FEW:
        return np.zeros(0)
    clocks, losses = zip(*points, strict=True)
    return np.interp(np.linspace(training.first, training.last, 200), clocks, losses)


def _backwards(trace: Trace, index: int) -> list[Backward]:
    training = trace.trainings[index]
    found: list[Backward] = []
    for backward in trace.backwards:
        forward = trace.forwards[backward.forward] if backward.forward is not None else None
        if forward is not None and forward.training is not None:
            if forward.training == index:
                found.append(backward)
        elif training.first <= backward.clock <= training.last:
            found.append(backward)
    return found


def fed(trace: Trace, index: int | None) -> list[Forward]:
    """The forwards whose rows a training learnt from, in order; None asks for those of no training."""
    return [f for f in trace.forwards if f.kind == "train" and f.training == index]


def best(evidence: Evidence) -> int | None:
    """The training to speak of: the one that ends with the best evaluation, else the longest.

    A program that tries several rates is judged by its best try.
    """
    trainings = evidence.trace.trainings
    if not trainings:
        return None

    def merit(index: int) -> tuple[float, int]:
        last = final_pass(evidence, index)
        return (last.accuracy or 0.0) if last else -1.0, trainings[index].steps

    return max(range(len(trainings)), key=merit)


def final_pass(evidence: Evidence, index: int) -> Pass | None:
    """The last evaluation of a training's model whose accuracy is known; on rows held out, where there is one."""
    known = [p for p in evidence.audit.passes if p.forward.training == index and p.accuracy is not None]
    apart = [p for p in known if p.on == "held-out"]
    return (apart or known or [None])[-1]


def ends_well(evidence: Evidence, index: int) -> bool:
    """Whether a training's last evaluation is so good that nothing can have kept the model from learning."""
    end = final_pass(evidence, index)
    return end is not None and end.accuracy is not None and end.accuracy >= _GOOD


def number_of_classes(trace: Trace, index: int | None = None) -> int | None:
    """C, as the labels of the training tell, or else those of the evaluations; None where there are none or one."""
    of_model = [f for f in trace.forwards if len(f.labels) and (index is None or f.training == index)]
    labels = [f.labels for f in of_model if f.kind == "train"] or [f.labels for f in of_model]
    known = np.unique(np.concatenate(labels)) if labels else np.zeros(0)
    return len(known) if len(known) > 1 else None


def chance(classes: int) -> float:
    """The cross-entropy of giving each of C classes the same probability: ln C."""
    return math.log(classes)


def short(value: float) -> str:
    """Three digits: 2.3, 0.0123, 41.2, 5,320, 1.14e+12."""
    if not math.isfinite(value):
        return "not finite"
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e7 else f"{value:.3g}"


def _error(errors: Array) -> float:
    return float(np.sqrt((errors**2).sum()) / len(errors))
