"""How sure a number is: intervals and tests for hits out of n, for two models, and for several seeds.

A model that names k of n images right has the accuracy k / n on these images. On all images that could have been drawn
it has another, and every function here says what the n drawn ones tell of that one. They take counts, draw nothing
(but for the bootstrap, whose seed is fixed), and are exact where the word stands.

A level is the share of repetitions in which an interval holds the true value: 0.95 unless told otherwise.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from operator import index
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, ndtri, stdtrit

__all__ = [
    "CHANCE_LEVEL",
    "Difference",
    "Proportion",
    "Spread",
    "better_than_chance",
    "better_than_relabelled",
    "has_learnt",
    "holm",
    "mcnemar",
    "newcombe",
    "next_accuracy",
    "over_seeds",
    "paired_bootstrap",
    "wilson",
]

CHANCE_LEVEL = 1e-4
"""A model is called better than chance if chance would do as well with a probability below this."""

_DRAWS, _BLOCK = 100, 1000  # of relabellings: 100 times 1,000, so that many classes need little memory


@final
@dataclass(frozen=True, slots=True)
class Proportion:
    """A share of ``n`` and its interval, each between 0 and 1."""

    value: float
    low: float
    high: float
    n: int


@final
@dataclass(frozen=True, slots=True)
class Difference:
    """A difference of two shares and its interval, each between −1 and 1."""

    value: float
    low: float
    high: float


@final
@dataclass(frozen=True, slots=True)
class Spread:
    """The mean over ``n`` seeds, the standard deviation of one seed's value, and the interval of the mean."""

    mean: float
    sd: float
    low: float
    high: float
    n: int


# One model.


def wilson(hits: int, n: int, level: float = 0.95) -> Proportion:
    """The accuracy ``hits`` / ``n`` with Wilson's score interval: all p that the z-test does not reject.

        (p̂ + z²/2n ± z √(p̂ (1 − p̂) / n + z²/4n²)) / (1 + z²/n),     z = Φ⁻¹((1 + level) / 2)

    It holds the true p at the stated level on average over p; at a single p it may fall somewhat short.

    Source: Wilson, J. Am. Stat. Assoc. 22 (1927). ValueError unless 0 ≤ hits ≤ n, n ≥ 1 and 0 < level < 1.
    """
    hits, n = _counts(hits, n)
    low, high = _score_interval(hits / n, n, level)
    return Proportion(hits / n, low, high, n)


def next_accuracy(hits: int, n: int, rows: int, level: float = 0.95) -> Proportion:
    """Where the accuracy on ``rows`` = m other images lies that are drawn as the ``n`` were: a prediction interval.

    Wilson's interval speaks of all images that there could be, this one of m more of them. Let s be the share of hits
    among these. The interval holds every s that the z-test for two equal shares does not reject beside p̂ = hits / n:

        |s − p̂| ≤ z √(r (1 − r) (1/n + 1/m)),     r = (n p̂ + m s) / (n + m), the share of both together.

    As s − p̂ = (1 + n/m) (r − p̂), this is Wilson's inequality for r with n (1 + n/m) rows in the place of n. So with the
    ends (l, u) of that interval, and cut off at 0 and 1,

        p̂ + (1 + n/m) (l − p̂)   to   p̂ + (1 + n/m) (u − p̂),

    wider than Wilson's interval by the sampling of the m, and the same where m is without end. It asks no more than
    that chance decided which of the n + m images were put where. The result's ``n`` is m.

    Source: Krishnamoorthy and Peng, J. Statistical Planning and Inference 141 (2011), the interval from the joint
    sample, without their correction for whole numbers. ValueError as for ``wilson``, or for ``rows`` < 1.
    """
    hits, n = _counts(hits, n)
    if rows < 1:
        raise ValueError(f"rows must be at least 1, not {rows}")
    p, widened = hits / n, 1 + n / rows
    low, high = _score_interval(p, n * widened, level)
    return Proportion(p, max(0.0, p + widened * (low - p)), min(1.0, p + widened * (high - p)), rows)


def better_than_chance(hits: int, n: int, chance: float) -> float:
    """The probability that guessing gets ``hits`` of ``n`` or more, each right with probability ``chance``.

    The exact binomial tail, one-sided; 0 where it is too small for a float, below about 1e-308. ``chance`` is the
    commonest class's share, not 1/C: always naming that class is the best of all guesses.

    A small value says that the accuracy is truly above chance, on images not drawn too, but not why: see
    ``better_than_relabelled``. ValueError unless 0 ≤ hits ≤ n, n ≥ 1 and 0 ≤ chance ≤ 1.
    """
    hits, n = _counts(hits, n)
    if not 0 <= chance <= 1:
        raise ValueError(f"chance must be between 0 and 1, not {chance}")
    return float(betainc(hits, n - hits + 1, chance)) if hits else 1.0


def better_than_relabelled(confusion: NDArray[np.int64], seed: int = 0) -> float:
    """The probability that the model's classes, named at random, fit the true ones as well as they do.

    ``confusion`` (C, C) counts images, true class × predicted class. The names of the predicted classes are permuted,
    100,000 times at random, and the hits Σ_c confusion[c, σ(c)] compared with those of the names as they are:

        p = (1 + #{permutations with as many hits or more}) / (1 + 100,000)

    Images of one class look alike, so a model that learnt from labels permuted at random still gives most of a class
    one name; where that happens to be the right one, a tenth of the images is right, now and on new images. The
    binomial test rightly calls this no accident of the drawn images. Here it counts as luck: with permuted
    labels no name is preferred to another (exactly so if all classes are equally common). With C classes p hardly
    falls below 1 / C!, so this says little for fewer than 8.

    Source: Ojala and Garriga, JMLR 11 (2010), for tests by permuted labels; Phipson and Smyth, Statistical Applications
    in Genetics and Molecular Biology 9 (2010), for the 1 in p. ValueError unless the counts are a filled square.
    """
    confusion = _square(confusion)
    rng, classes = np.random.default_rng(seed), np.arange(len(confusion))
    as_good = 0
    for _ in range(_DRAWS):
        names = rng.random((_BLOCK, len(classes))).argsort(axis=1)  # (block, C), a permutation a row
        as_good += int((confusion[classes, names].sum(axis=1) >= confusion.trace()).sum())
    return (1 + as_good) / (1 + _DRAWS * _BLOCK)


def has_learnt(confusion: NDArray[np.int64]) -> bool:
    """Whether the model is better than chance: than the commonest class, and than its own classes named at random.

    Both p-values must be below ``CHANCE_LEVEL``; with fewer than 8 classes the second cannot be, and only the first
    counts. ``confusion`` (C, C) counts images, true class × predicted class; ValueError unless it is a filled square.
    """
    confusion = _square(confusion)
    hits, n, commonest = int(confusion.trace()), int(confusion.sum()), int(confusion.sum(axis=1).max())
    if better_than_chance(hits, n, commonest / n) >= CHANCE_LEVEL:
        return False
    few = math.factorial(len(confusion)) * CHANCE_LEVEL < 1
    return few or better_than_relabelled(confusion) < CHANCE_LEVEL


# Two models, or two parts of the data.


def newcombe(hits1: int, n1: int, hits2: int, n2: int, level: float = 0.95) -> Difference:
    """The difference hits1 / n1 − hits2 / n2 of two independent shares: on other images, not on the same.

    With each share's Wilson interval (l, u), the hybrid score interval of the difference d is

        d − √((p₁ − l₁)² + (u₂ − p₂)²)   to   d + √((u₁ − p₁)² + (p₂ − l₂)²).

    Source: Newcombe, Statistics in Medicine 17 (1998), method 10. ValueError as for ``wilson``.
    """
    one, two = wilson(hits1, n1, level), wilson(hits2, n2, level)
    value = one.value - two.value
    low = value - math.hypot(one.value - one.low, two.high - two.value)
    high = value + math.hypot(one.high - one.value, two.value - two.low)
    return Difference(value, low, high)


def mcnemar(first_only: int, second_only: int) -> float:
    """The p-value of "both models are equally good", from the images on which exactly one of them is right.

    If it were so, each such image would fall to either like a coin. The exact binomial test, two-sided; 1 if there is
    no such image. Images that both get right, or neither, say nothing about the difference.

    Source: McNemar, Psychometrika 12 (1947); Dietterich, Neural Computation 10 (1998). ValueError for negative counts.
    """
    if min(first_only, second_only) < 0:
        raise ValueError(f"counts must not be negative: {first_only}, {second_only}")
    n = first_only + second_only
    return min(1.0, 2 * better_than_chance(max(first_only, second_only), n, 0.5)) if n else 1.0


def paired_bootstrap(
    first: NDArray[np.bool_], second: NDArray[np.bool_], seed: int = 0, resamples: int = 10_000, level: float = 0.95
) -> Difference:
    """The accuracy of the second model minus that of the first on the same images, with a percentile interval.

    ``first`` and ``second`` (N,) say which images each gets right. Drawing N images with replacement changes the
    difference only through how many of them the second alone, or the first alone, gets right; so these counts are
    drawn, from a multinomial distribution, and the images are not.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993). ValueError for arrays that are not boolean,
    of one length, and filled, for ``resamples`` < 1 and for a level outside (0, 1).
    """
    if first.dtype != bool or second.dtype != bool or first.ndim != 1 or first.shape != second.shape or not len(first):
        kinds = f"{first.dtype} {first.shape} and {second.dtype} {second.shape}"
        raise ValueError(f"two boolean arrays (N,) of the same images are needed, not {kinds}")
    if resamples < 1:
        raise ValueError(f"resamples must be at least 1, not {resamples}")
    n, tail = len(first), _tail(level)
    won, lost = int((second & ~first).sum()), int((first & ~second).sum())
    shares = [won / n, lost / n, (n - won - lost) / n]
    draws = np.random.default_rng(seed).multinomial(n, shares, resamples)  # (resamples, 3)
    low, high = np.quantile((draws[:, 0] - draws[:, 1]) / n, [tail, 1 - tail])
    return Difference((won - lost) / n, float(low), float(high))


# Several comparisons, several seeds.


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values adjusted for there being several, in the order given.

    The i-th smallest of m becomes the largest (m − j + 1) p₍ⱼ₎ of j ≤ i, at most 1. Calling every comparison real
    whose adjusted p-value is at most α makes one false call or more with a probability of at most α.

    Source: Holm, Scandinavian Journal of Statistics 6 (1979). ValueError for a p outside [0, 1].
    """
    for p in p_values:
        if not 0 <= p <= 1:
            raise ValueError(f"a p-value must be between 0 and 1, not {p}")
    adjusted, least = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = least
    return adjusted


def over_seeds(values: Sequence[float], level: float = 0.95) -> Spread:
    """The mean of one value a seed, the sample standard deviation (n − 1), and Student's interval of the mean.

        mean ± t sd / √n,     t = the (1 + level) / 2 quantile with n − 1 degrees of freedom

    One seed has no spread: ``sd``, ``low`` and ``high`` are nan. ValueError for no value or a level outside (0, 1).
    """
    n, tail = len(values), _tail(level)
    if n < 1:
        raise ValueError("values must hold at least one number")
    mean = math.fsum(values) / n
    if n == 1:
        return Spread(mean, math.nan, math.nan, math.nan, 1)
    sd = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1))
    half = float(stdtrit(n - 1, 1 - tail)) * sd / math.sqrt(n)
    return Spread(mean, sd, mean - half, mean + half, n)


def _counts(hits: int, n: int) -> tuple[int, int]:
    """Both as Python's integers; TypeError for a fraction, which would be a share and no count."""
    if n < 1 or not 0 <= hits <= n:
        raise ValueError(f"hits must be between 0 and n, and n at least 1, not {hits} of {n}")
    return index(hits), index(n)


def _score_interval(p: float, n: float, level: float) -> tuple[float, float]:
    """The ends of Wilson's interval for the share ``p`` of ``n``, which need not be a whole number."""
    z = float(ndtri(1 - _tail(level)))
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    # The ends are exact where rounding would step over them.
    return centre - half if p else 0.0, centre + half if p < 1 else 1.0


def _square(confusion: NDArray[np.int64]) -> NDArray[np.int64]:
    if confusion.ndim != 2 or confusion.shape[0] != confusion.shape[1] or confusion.sum() < 1 or confusion.min() < 0:
        raise ValueError(f"confusion must be a square of counts (C, C), not all 0, not {confusion.shape}")
    return confusion


def _tail(level: float) -> float:
    """What lies beyond either end of an interval."""
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, not {level}")
    return (1 - level) / 2
