"""The range test: a hundred steps at a growing rate, and what four rules read off the curve of the loss.

A picture that many people expect, and the finder of fastai. It sees one pass of growing rates and no rate for longer
than a step, so its rules differ by factors of ten, and each with the order of the batches; here they are shown, over
several orders, and do not decide.

The rate of step i is start · (end/start)^(i/n). The loss is smoothed, s ← 0.98 s + 0.02 · loss, divided by 1 − 0.98ⁱ⁺¹
to undo the start from zero, and the test ends once it is above four times its least value. The rules see the curve
without its first tenth and its last five points. Sources: Smith, WACV 2017; the rules are fastai's.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

from byhand.lr_find.rehearsal import Rehearsal

__all__ = ["RULES", "Rule", "minimum", "range_test", "slide", "steep", "suggest", "valley"]

Rule = Callable[[Sequence[float], Sequence[float], int], float]
"""From rates, smoothed losses and the number of steps asked for to one rate."""

_BETA = 0.98
_TOO_HIGH = 4.0  # times the least loss
_GAP = 15  # points between the two ends of ``slide``
_CALM = 0.005  # difference of slopes at which it stops


def range_test(
    rehearsal: Rehearsal, start_lr: float, end_lr: float, num_it: int, stop_div: bool, seed: int
) -> tuple[list[float], list[float]]:
    """Rates and smoothed losses of one order of the batches. It ends early where the loss is no number."""
    rates = [start_lr * (end_lr / start_lr) ** (i / num_it) for i in range(num_it)]
    smooth, average = list[float](), 0.0

    def stop(loss: float) -> bool:
        nonlocal average
        average = _BETA * average + (1 - _BETA) * loss
        smooth.append(average / (1 - _BETA ** (len(smooth) + 1)))
        return not math.isfinite(loss) or (stop_div and smooth[-1] > _TOO_HIGH * min(smooth))

    rehearsal.losses_along(rates, seed, stop)
    return rates[: len(smooth)], smooth


def suggest(rule: Rule, rates: Sequence[float], losses: Sequence[float], num_it: int) -> float | None:
    """What a rule reads off a whole curve; None where too little of it is left, or its answer is no rate."""
    end = next((i for i, loss in enumerate(losses) if not math.isfinite(loss)), len(losses) - 5)
    kept = slice(num_it // 10, max(0, min(end, len(losses) - 5)))
    try:
        lr = rule(rates[kept], losses[kept], num_it)
    except (IndexError, ValueError):  # no points, or fewer than the rule looks at
        return None
    return lr if math.isfinite(lr) and lr > 0 else None


def valley(lrs: Sequence[float], losses: Sequence[float], num_it: int) -> float:
    """Half-way down the longest descent, the longest subsequence of ever lower losses."""
    lengths: list[int] = []  # of the longest that ends at each point
    for i, loss in enumerate(losses):
        lengths.append(1 + max((lengths[j] for j in range(i) if losses[j] > loss), default=0))
    longest = max(lengths)
    end = lengths.index(longest)
    start = end - longest if longest > 1 else 0
    third = (end - start) / 3
    return lrs[max(0, start + int(third) + int(third / 2))]


def slide(lrs: Sequence[float], losses: Sequence[float], num_it: int) -> float:
    """The lower end of an interval of 15 points that slides down from the top until its ends are equally steep."""
    slopes = np.gradient(np.asarray(losses, dtype=float))
    right, left = len(lrs) - 1, len(lrs) - 1 - _GAP
    if left < 0:
        raise IndexError(f"{len(lrs)} points are too few for an interval of {_GAP}")
    lr = lrs[left]
    while left >= 0 and abs(slopes[right] - slopes[left]) > _CALM:
        lr = lrs[left]
        right, left = right - 1, left - 1
    return lr


def minimum(lrs: Sequence[float], losses: Sequence[float], num_it: int) -> float:
    """A tenth of the rate with the lowest loss."""
    return lrs[int(np.argmin(losses))] / 10


def steep(lrs: Sequence[float], losses: Sequence[float], num_it: int) -> float:
    """Where the loss falls fastest as log(rate) grows."""
    return lrs[int(np.argmin(np.diff(losses) / np.diff(np.log(lrs))))]


RULES: dict[str, Rule] = {"valley": valley, "slide": slide, "minimum": minimum, "steep": steep}
