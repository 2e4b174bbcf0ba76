"""How the test error falls with the number of training images, and what twice as many would bring.

The run is repeated on nested, stratified parts of its training images, with as many steps and the same rate, and

    error(n) = a + b · n^(−c),     a, b ≥ 0,

is fitted to what the repetitions and the run itself got wrong on the same test images. Such curves mostly look like
that, but not always (Viering and Loog, IEEE TPAMI 45 (2023)), so the fit is also made without the last point and
judged on it: an extrapolation is worth as much as that one was.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from byhand.data.dataset import Dataset, Part
from byhand.data.split import choose
from byhand.evaluate.results import Curve, CurvePoint
from byhand.evaluate.statistics import Difference, wilson

__all__ = ["fit_power_law", "learning_curve"]

_PARTS: Final = (1 / 16, 1 / 8, 1 / 4, 1 / 2)
_EXPONENTS: Final = np.linspace(0.05, 2.0, 80)  # c; of each the best a and b are known in closed form
_RESAMPLES: Final = 500

Hits = NDArray[np.bool_]


def learning_curve(
    data: Dataset, hits: Hits, train: Callable[[Dataset], Hits], deadline: float = float("inf")
) -> Curve | None:
    """The curve of a run; None where images or time did not suffice for three smaller ones.

    Args:
        data: what the run was trained on.
        hits: (N,) whether the run names each test image right.
        train: repeats the run on other training images and says the same of it.
        deadline: of ``time.monotonic()``; a repetition that would end later is not begun.
    """
    sizes: list[int] = []
    rows: list[Hits] = []
    slowest = 0.0
    for share in _PARTS:
        part = _stratified(data.train, share)
        if len(part) < 2 * len(data.classes):
            continue
        start = time.monotonic()
        if start + slowest > deadline:
            break
        rows.append(train(replace(data, train=part)))
        sizes.append(len(part))
        slowest = max(slowest, time.monotonic() - start)
    if len(sizes) < 3:
        return None
    sizes.append(len(data.train))
    return _curve(np.array(sizes), np.stack([*rows, hits]))


def fit_power_law(n: NDArray[np.int64], error: NDArray[np.float64]) -> NDArray[np.float64]:
    """a, b ≥ 0 and c (…, 3) of a + b · n^(−c), by least squares over the last axis; c between 0.05 and 2.

    For each c of a grid the best a and b are those of a straight line over u = (n / n₁)^(−c); where the line would
    begin below zero, a is 0.

    Args:
        n: (K,) numbers of images.
        error: (…, K) measured with them; each row is fitted by itself.
    """
    u = (n / n[0]) ** -_EXPONENTS[:, None]  # (E, K)
    spread = u - u.mean(axis=1, keepdims=True)
    b = np.maximum(0, error @ (spread / np.square(spread).sum(axis=1, keepdims=True)).T)  # (…, E)
    a = error.mean(axis=-1, keepdims=True) - b * u.mean(axis=1)  # (…, E)
    from_zero = error @ (u / np.square(u).sum(axis=1, keepdims=True)).T  # (…, E)
    below = a < 0
    a[below], b[below] = 0, from_zero[below]
    off = np.square(a[..., None] + b[..., None] * u - error[..., None, :]).sum(axis=-1)  # (…, E)
    best = off.argmin(axis=-1)[..., None]
    a, b = np.take_along_axis(a, best, -1), np.take_along_axis(b, best, -1)
    c = _EXPONENTS[best]
    return np.concatenate([a, b * n[0] ** c, c], axis=-1)


def _curve(sizes: NDArray[np.int64], hits: Hits) -> Curve:
    """The fit to K sizes and the hits (K, N) on the same N images, which are drawn anew for the interval."""
    n = hits.shape[1]
    error = 1 - hits.mean(axis=1)  # (K,)
    fit, last = fit_power_law(sizes, error), int(sizes[-1])
    before = fit_power_law(sizes[:-1], error[:-1])
    draws = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), _RESAMPLES)  # (R, N), how often each is drawn
    drawn = _error_of(fit_power_law(sizes, 1 - draws @ hits.T / n), 2 * last)  # (R,)
    low, high = np.quantile(drawn, [0.025, 0.975])
    a, b, c = fit.tolist()
    return Curve(
        points=tuple(
            CurvePoint(size, wilson(int(row.sum()), n)) for size, row in zip(sizes.tolist(), hits, strict=True)
        ),
        a=a,
        b=b,
        c=c,
        miss=float(_error_of(before, last) - error[-1]),
        twice=Difference(float(_error_of(fit, 2 * last)), float(low), float(high)),
    )


def _error_of(fit: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """The error (…,) that fits (…, 3) foretell for ``n`` images."""
    a, b, c = fit[..., 0], fit[..., 1], fit[..., 2]
    return a + b * float(n) ** -c


def _stratified(part: Part, share: float) -> Part:
    """A share of a part, of each class alike; a smaller share is contained in a larger one."""
    order = np.random.default_rng(0).permutation(len(part))
    rows = np.flatnonzero(choose(part.labels, order, len(part.classes), share))
    return Part(part.images[rows], part.labels[rows], part.classes, "")
