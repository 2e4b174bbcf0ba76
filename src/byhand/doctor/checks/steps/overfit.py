"""A training that goes on after the held-out rows have had enough of it."""

import math
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from byhand.doctor.audit import scores as tables
from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.audit.passes import Pass
from byhand.doctor.checks.metric.rejudged import losses, paired, series
from byhand.doctor.checks.reading.course import best, course, fed, short
from byhand.doctor.finding import Finding
from byhand.doctor.trace import Training

__all__ = ["ENOUGH", "overfitting"]

ENOUGH: Final = 6
"""Evaluations of the same rows from which the course of their loss can be told."""

_ROWS: Final = 100
_EARLY: Final = 0.6  # of the run, before which the least loss must come
_RISE: Final = 1.25  # times the least loss
_STEEP: Final = 2.0
_GAP: Final = 0.05  # between the accuracy on training rows and on held-out rows; smaller ones are normal
_ERRORS: Final = 3.0  # standard errors
_ALIKE: Final = 0.6  # rank correlation of the loss with time, after its least
_LOST: Final = 0.01  # of accuracy
_CROSS_ENTROPIES: Final = frozenset(("cross_entropy", "nll_loss"))


def overfitting(evidence: Evidence) -> Iterator[Finding]:
    """The held-out loss rises for a good part of the run while the training rows are learnt by heart."""
    index = best(evidence)
    if index is None or evidence.trace.end.how == "error":
        return
    for passes in series(evidence):
        mine = [one for one in passes if one.forward.training == index]
        found = _finding(evidence, index, mine)
        if found is not None:
            yield found
            return


def _finding(evidence: Evidence, index: int, passes: Sequence[Pass]) -> Finding | None:
    each = [losses(one) for one in passes]
    known = [(one, loss) for one, loss in zip(passes, each, strict=True) if loss is not None]
    if len(known) < ENOUGH or len(known) < len(passes) or passes[0].n < _ROWS:
        return None
    means = np.array([float(loss.mean()) for _, loss in known])
    least, training = int(means.argmin()), evidence.trace.trainings[index]
    (then, before), (now, after) = known[least], known[-1]
    part = (then.clock - training.first) / max(1, training.steps)
    rise, noise = paired(before, after)
    if part > _EARLY or means[-1] < _RISE * means[least] or rise < _ERRORS * noise or _trend(means[least:]) < _ALIKE:
        return None
    learnt = _on_training(evidence, index)
    held, n = now.accuracy or 0.0, now.n
    if learnt is None or learnt - held < max(_GAP, _ERRORS * math.sqrt(max(held * (1 - held), 1 / n) / n)):
        return None
    lost, luck = paired(_right(now), _right(then))
    steep = means[-1] >= _STEEP * means[least] or lost > max(_LOST, 2 * luck)
    moment = _moment(training, then.clock)
    return Finding(
        "overfitting",
        "warning" if steep else "note",
        training.loop or training.place,
        saw=f"the loss of the {n:,} held-out rows is least {moment}, {short(means[least])}, and rises to "
        f"{short(means[-1])}; at the end {learnt:.3f} of the training rows are right and {held:.3f} of these",
        so=f"after that the model learns the training rows by heart: the held-out accuracy goes from "
        f"{then.accuracy or 0.0:.3f} to {held:.3f}, and it is ever surer of its mistakes",
        instead="stop where the loss of validation rows is least, or hold the weights back: weight_decay, dropout, a "
        "smaller network; or learn from more rows",
    )


def _right(one: Pass) -> NDArray[np.float64]:
    """(N,) 1 where a row is right, in the order of the fingerprints."""
    return one.right[np.argsort(one.rows, kind="stable")].astype(np.float64)


def _trend(values: NDArray[np.float64]) -> float:
    """Spearman's rank correlation with time."""
    if len(values) < 3:
        return 0.0
    ranks = values.argsort().argsort()
    return float(np.corrcoef(ranks, np.arange(len(values)))[0, 1])


def _on_training(evidence: Evidence, index: int) -> float | None:
    """The accuracy on training rows at the end: of an evaluation of them, else of the last rows that it learnt from.

    Where no classes were chosen there, the cross-entropy gives the least that it can be: that of a row whose class is
    not the likeliest is ln 2 or more, so at a mean of l at most l / ln 2 of the rows are wrong.
    """
    last = evidence.trace.trainings[index].last
    judged = [one for one in evidence.audit.passes if one.forward.training == index and one.on == "training"]
    known = [one.accuracy for one in judged if one.accuracy is not None and one.n >= _ROWS and one.clock >= 0.9 * last]
    if known:
        return known[-1]
    scored = {one.forward: one for one in evidence.trace.predictions if one.scores.size and one.forward is not None}
    hits, rows = 0, 0
    for forward in reversed(fed(evidence.trace, index)):
        prediction = scored.get(forward.index)
        if prediction is None or rows >= 1000 or forward.clock < 0.9 * last or forward.labels.size != forward.n:
            continue
        scores = tables.rows_of([prediction], forward.n, forward.labels)
        if scores is not None:
            hits, rows = hits + int((scores.argmax(1) == forward.labels).sum()), rows + forward.n
    if rows >= _ROWS:
        return hits / rows
    calls = [one for one in evidence.trace.loss_calls if one.forward is not None]
    called = {one.name for one in calls if evidence.trace.forwards[one.forward or 0].kind == "train"}
    how = course(evidence, index) if called and called <= _CROSS_ENTROPIES else None
    return max(0.0, 1 - how.last / math.log(2)) if how is not None and 0 <= how.last < math.inf else None


def _moment(training: Training, clock: int) -> str:
    steps, last = clock - training.first, training.steps
    if training.epochs and training.epochs > 1:
        return f"after {max(1, round(steps / max(1, last) * training.epochs)):,} of {training.epochs:,} rounds"
    return f"after {steps:,} of {last:,} updates"
