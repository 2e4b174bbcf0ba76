"""What a run reached, and how much better one run is than another."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal, final

import numpy as np
from numpy.typing import NDArray

from byhand.doctor.audit.passes import Pass
from byhand.doctor.trace import Trace

__all__ = ["Gain", "Measure", "Outcome", "difference", "mean_gain", "outcome"]

Measure = Literal["accuracy", "loss"]

_LAST: Final = 0.1  # the part of the training whose mean loss stands for its end
_Z: Final = 1.96  # of a 95 % interval


@final
@dataclass(frozen=True, slots=True)
class Outcome:
    """The accuracy on the rows that the program evaluates, or the loss at the end of its training."""

    measure: Measure
    value: float
    error: float  # its standard error
    right: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))  # (N,) by row; (0,) if unknown
    rows: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))  # (N,) fingerprints
    labels: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))  # (N,)

    @property
    def score(self) -> float:
        """The value, or its negative where smaller is better."""
        return self.value if self.measure == "accuracy" else -self.value


@final
@dataclass(frozen=True, slots=True)
class Gain:
    """What a fix gives: the same measure without it (``before``) and with it (``after``)."""

    measure: Measure
    before: float
    after: float
    value: float  # positive where the fix makes it better
    error: float  # standard error of ``value``
    low: float  # after − before: a 95 % interval over the rows, or the range over the seeds
    high: float


def outcome(trace: Trace, main: Pass | None) -> Outcome | None:
    """What a run reached: the accuracy of its main pass, else the mean loss of the last tenth of its steps.

    A loss that is no number counts as infinite. None where the run has neither.
    """
    if main is not None and main.accuracy is not None and main.n:
        p = main.accuracy
        return Outcome("accuracy", p, math.sqrt(p * (1 - p) / main.n), main.right, main.rows, main.labels)
    losses = [backward.loss for backward in trace.backwards if backward.loss is not None]
    last = np.array(losses[-max(1, round(_LAST * len(losses))) :])  # (steps,)
    if not last.size:
        return None
    finite = bool(np.isfinite(last).all())
    error = float(last.std()) / math.sqrt(last.size) if finite else 0.0
    return Outcome("loss", float(last.mean()) if finite else math.inf, error)


def difference(before: Outcome, after: Outcome) -> Gain | None:
    """The gain from one outcome to another: paired row by row where both judged the same rows.

    None where they measure different things, or the second is not finite.
    """
    if before.measure != after.measure or not math.isfinite(after.value):
        return None
    change = after.value - before.value
    pairs = _paired(before, after)
    if pairs is None:
        error = math.hypot(before.error, after.error)
    else:
        steps = pairs[1].astype(np.int64) - pairs[0]  # (N,) −1, 0 or 1
        error = float(steps.std() / math.sqrt(steps.size))
    value = after.score - before.score
    return Gain(after.measure, before.value, after.value, value, error, change - _Z * error, change + _Z * error)


def mean_gain(gains: Sequence[Gain]) -> Gain:
    """The mean over several seeds; its interval is their range, its error the larger of rows' and seeds'."""
    if len(gains) == 1:
        return gains[0]
    values = np.array([gain.value for gain in gains])
    changes = [gain.after - gain.before for gain in gains]
    of_seeds = float(values.std(ddof=1)) / math.sqrt(len(gains))
    of_rows = math.sqrt(sum(gain.error**2 for gain in gains)) / len(gains)
    return replace(
        gains[0],
        before=float(np.mean([gain.before for gain in gains])),
        after=float(np.mean([gain.after for gain in gains])),
        value=float(values.mean()),
        error=max(of_seeds, of_rows),
        low=min(changes),
        high=max(changes),
    )


def _paired(before: Outcome, after: Outcome) -> tuple[NDArray[np.bool_], NDArray[np.bool_]] | None:
    """Both arms' hits, row by row; None where their rows cannot be matched."""
    n = before.right.size
    if not n or after.right.size != n:
        return None
    if before.rows.size == after.rows.size == n:
        first, second = np.argsort(before.rows, kind="stable"), np.argsort(after.rows, kind="stable")
        if np.array_equal(before.rows[first], after.rows[second]):
            return before.right[first], after.right[second]
    # A fix that scales the rows changes their fingerprints; the labels then tell that the order is the same.
    if before.labels.size == n and np.array_equal(before.labels, after.labels):
        return before.right, after.right
    return None
