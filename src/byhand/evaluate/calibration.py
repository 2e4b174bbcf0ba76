"""Whether the probabilities mean what they say: of the images named with 80 %, are 80 % right?

Everything here takes ``probs`` (N, C), a row of probabilities an image, and ``labels`` (N,), and raises ValueError if
they are not that. The confidence of a row is its largest probability, and a hit is a row whose largest probability is
the label's, the first of equal ones.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from byhand.evaluate.statistics import Proportion, wilson

__all__ = [
    "Bin",
    "Calibration",
    "CalibrationError",
    "brier",
    "calibration",
    "expected_calibration_error",
    "log_loss",
    "reliability",
]

Probs = NDArray[np.floating[Any]]
Labels = NDArray[np.integer[Any]]
Floats = NDArray[np.float64]

_BINS = 15  # the number that papers use
_SUM = 1e-3  # how far a row may be from 1: float16 rounds by less


@final
@dataclass(frozen=True, slots=True)
class Bin:
    """Rows of about the same confidence: how sure the model is of them on average, and how often it is right."""

    confidence: float
    accuracy: Proportion  # with Wilson's interval
    count: int


@final
@dataclass(frozen=True, slots=True)
class CalibrationError:
    """The expected calibration error, its interval, and what chance alone would make of a model without any."""

    value: float
    low: float
    high: float
    by_chance: float


@final
@dataclass(frozen=True, slots=True)
class Calibration:
    """All of this file about one model. Compare ``ece`` with ``ece_by_chance`` before reading anything into it."""

    log_loss: float  # nats; inf if a label had probability 0
    brier: float  # 0 to 2
    ece: float
    ece_low: float
    ece_high: float
    ece_by_chance: float
    bins: list[Bin]


def calibration(probs: Probs, labels: Labels, seed: int = 0) -> Calibration:
    """Both proper scores, the calibration error with its interval, and the bins of the reliability diagram."""
    error = expected_calibration_error(probs, labels, seed=seed)
    return Calibration(
        log_loss=log_loss(probs, labels),
        brier=brier(probs, labels),
        ece=error.value,
        ece_low=error.low,
        ece_high=error.high,
        ece_by_chance=error.by_chance,
        bins=reliability(probs, labels),
    )


def log_loss(probs: Probs, labels: Labels) -> float:
    """The mean of −log p over the rows, p being the probability of the label, in nats.

    Nothing is clipped: a label that was given probability 0 costs inf, and so does the mean.
    """
    p, labels = _checked(probs, labels)
    with np.errstate(divide="ignore"):
        return float(0.0 - np.log(p[np.arange(len(p)), labels]).mean())  # 0.0 − 0.0, where −0.0 would be printed


def brier(probs: Probs, labels: Labels) -> float:
    """The mean over the rows of Σ_c (p_c − [c = label])²: 0 if always sure and right, 2 if always sure and wrong.

    Source: Brier, Monthly Weather Review 78 (1950). Some halve it for two classes; this is his own.
    """
    p, labels = _checked(probs, labels)
    p[np.arange(len(p)), labels] -= 1
    return float(np.square(p).sum(axis=1).mean())


def reliability(probs: Probs, labels: Labels, bins: int = _BINS) -> list[Bin]:
    """The rows in bins of equal size by confidence, least sure first.

    Rows of the same confidence share a bin, so bins can differ in size, and many ties, or few rows, make fewer of them.
    """
    top, hits = _by_confidence(probs, labels)
    edges = [*_starts(top, bins).tolist(), len(top)]
    return [Bin(float(top[a:b].mean()), wilson(int(hits[a:b].sum()), b - a), b - a) for a, b in pairwise(edges)]


def expected_calibration_error(
    probs: Probs, labels: Labels, bins: int = _BINS, resamples: int = 500, seed: int = 0
) -> CalibrationError:
    """The mean over the rows of |accuracy − mean confidence| of their bin (bins as in ``reliability``).

    This plug-in estimate is biased upwards: chance alone parts accuracy and confidence in every bin, the more the
    fewer rows it has, and the absolute value never lets it cancel. So it comes with two more things.

    ``by_chance`` is what a perfectly calibrated model with these confidences shows on average: hits are drawn with the
    confidences as their probabilities. An error near it is no sign of bad calibration.

    The interval is for the error without the bias. Rows are resampled and bins made anew; resampling adds the bias once
    more, so a percentile interval would lie too high, often above the estimate itself. Its mirror image in the
    estimate takes the bias off instead (the basic bootstrap). It is widened to hold the estimate, and 0 where
    the estimate is within the lower 97.5 % of what chance makes. In our simulations (100 to 10,000 rows, errors of
    0 to 21 points) such intervals, meant for 95 %, held the true value in 82 to 98 % of the data sets, and percentile
    intervals in none where the model was calibrated.

    Source: Naeini et al., AAAI 2015, for the error; Nixon et al., CVPR workshops 2019, for bins of equal size; Kumar et
    al., NeurIPS 2019, for the bias; Davison and Hinkley, Bootstrap Methods (1997), for the basic interval.
    """
    if resamples < 1:
        raise ValueError(f"resamples must be at least 1, not {resamples}")
    top, hits = _by_confidence(probs, labels)
    rng = np.random.default_rng(seed)
    value = _error(top, hits, bins)
    chance = np.array([_error(top, rng.random(len(top)) < top, bins) for _ in range(resamples)])
    again = np.array([_error(top[rows], hits[rows], bins) for rows in _resampled(len(top), resamples, rng)])
    low, high = np.quantile(again, [0.025, 0.975])
    calibrated = value <= np.quantile(chance, 0.975)
    return CalibrationError(
        value=value,
        low=0.0 if calibrated else min(value, max(0.0, float(2 * value - high))),
        high=max(value, float(2 * value - low)),
        by_chance=float(chance.mean()),
    )


def _error(top: Floats, hits: NDArray[np.bool_], bins: int) -> float:
    """Σ over bins of |hits − expected hits| / N, from sorted confidences (N,)."""
    return float(np.abs(np.add.reduceat(hits - top, _starts(top, bins))).sum()) / len(top)


def _starts(top: Floats, bins: int) -> NDArray[np.intp]:
    """The first row of each bin of sorted confidences (N,): every N / bins rows, moved to the first of its ties."""
    if bins < 1:
        raise ValueError(f"bins must be at least 1, not {bins}")
    return np.unique(np.searchsorted(top, top[np.arange(bins) * len(top) // bins]))


def _resampled(n: int, resamples: int, rng: np.random.Generator) -> Iterator[NDArray[np.intp]]:
    """Rows (n,) drawn with replacement, in order, so that what was sorted stays sorted."""
    for _ in range(resamples):
        yield np.repeat(np.arange(n), np.bincount(rng.integers(n, size=n), minlength=n))


def _by_confidence(probs: Probs, labels: Labels) -> tuple[Floats, NDArray[np.bool_]]:
    """Each row's confidence and whether it is a hit, both (N,), the least sure first."""
    p, labels = _checked(probs, labels)
    top, hits = p.max(axis=1), p.argmax(axis=1) == labels  # (N,)
    order = top.argsort(kind="stable")  # (N,)
    return top[order], hits[order]


def _checked(probs: Probs, labels: Labels) -> tuple[Floats, Labels]:
    """The probabilities as float64 of their own, what rounding put above 1 taken off."""
    if probs.ndim != 2 or not len(probs) or labels.shape != probs.shape[:1] or labels.dtype.kind not in "iu":
        kinds = f"{probs.shape} and {labels.dtype} {labels.shape}"
        raise ValueError(f"probs (N, C) and integer labels (N,) are needed, not {kinds}")
    p = probs.astype(np.float64)  # (N, C)
    if not (p >= 0).all() or not (np.abs(p.sum(axis=1) - 1) <= _SUM).all():
        raise ValueError("the rows of probs must be probabilities that sum to 1: apply softmax to logits")
    if labels.min() < 0 or labels.max() >= p.shape[1]:
        raise ValueError(f"labels must be between 0 and {p.shape[1] - 1}, not {labels.min()} to {labels.max()}")
    return np.minimum(p, 1), labels
