"""The learning rate: a guess from the data, then short trials from the weights as they are.

The guess is exact where theory is: for one linear layer under SGD, the loss curves by L/C at W = 0 (``curvature``), and
C/L is the rate that descends fastest there. For any other model under SGD it is still of the right order, and follows
the inputs' scale. An optimizer that divides by the gradient's size, as Adam does, moves every weight by about the rate:
a logit then moves by rate · ‖x‖₁ a step, and a tenth is a good first step.

The trials decide. Each is a small image of the run to come: the same start, the same batches, the rate's whole course
squeezed into a few steps, judged afterwards by the loss on training rows that it did not use. First they go up and down
from the guess by factors of 4, as long as that helps; then, four times as long, by factors of 2 around the best. A rate
whose loss is no number or does not fall is out, and of rates that do about as well the lowest is taken, since a
long run forgives a low rate and not a high one.

Sources: Jamieson and Talwalkar, AISTATS 2016, for successive halving; LOG.md for how the constants were chosen.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, final

import torch
from torch import Tensor

from byhand.errors import DataError
from byhand.lr_find.curvature import curvature
from byhand.lr_find.rehearsal import Rehearsal
from byhand.optim import SGD, Schedule

__all__ = ["Choice", "Guess", "first_guess", "search", "trial_steps"]

_SHORT, _LONG = 0.006, 0.02  # of the run's steps: a trial of the first kind and of the second
_LINEAR = 0.3  # of these suffice for one linear layer, whose guess is good and whose loss is convex
_FEWEST, _FEWEST_LINEAR = (6, 24), (6, 12)  # steps: in 12 an MLP may not yet have met the rate that kills its units
_MOST = 20_000  # steps of a run for which longer trials would tell more
_TIE, _TIE_ADAM = 0.02, 0.03  # of what the best trial gained; Adam's best rate falls more as the run grows longer
_NEAR = 0.05  # of it: the range that is reported
_FAR = 48  # powers of √2 on either side of the guess
_FLAT = 1e-3  # of the start's loss: a trial that changed it by less has not moved


@final
@dataclass(frozen=True, slots=True)
class Choice:
    """A rate, the range of rates that do about as well in a trial of a run's first steps, and the rule in words."""

    lr: float
    low: float
    high: float
    rule: str


@final
@dataclass(frozen=True, slots=True)
class Guess:
    """Where the trials begin, and why there."""

    lr: float
    origin: str
    plain: bool  # the optimizer is SGD


def first_guess(opt: Any, x: Tensor, batch_size: float, classes: int, counts: Tensor | None = None) -> Guess:
    """The rate to begin at: (1 − momentum) · C / (L + C · weight_decay) for SGD, 0.1 / (1 + mean ‖x‖₁) for any other.

    ``x`` (N, …) are the inputs; if they are no pixels or real numbers, it is 0.1 for SGD and 1e-3 for others.
    ``batch_size`` and ``counts`` are ``curvature``'s.
    """
    plain = isinstance(opt, SGD | torch.optim.SGD)
    if not (x.is_floating_point() or x.dtype == torch.uint8):
        return Guess(0.1 if plain else 1e-3, "a usual rate", plain)
    if not plain:
        scale = 1 / 255 if x.dtype == torch.uint8 else 1.0
        some = x[:: max(1, len(x) // 1024)].flatten(1).float()  # (n, P)
        lr = 0.1 / (1 + scale * some.abs().sum(1).mean().item())
        return Guess(lr, "from the size of the inputs", plain)
    momentum, decay = _of_sgd(opt)
    lr = (1 - momentum) * classes / (curvature(x, batch_size, counts) + classes * decay)
    return Guess(lr, "from the curvature of the data", plain)


def trial_steps(total: int, linear: bool) -> tuple[int, int]:
    """The steps of a trial of the first kind and of the second, for a run of ``total`` steps; never more than these."""
    steps = min(total, _MOST) * (_LINEAR if linear else 1.0)
    fewest, total = _FEWEST_LINEAR if linear else _FEWEST, max(total, 1)
    return min(total, max(fewest[0], round(_SHORT * steps))), min(total, max(fewest[1], round(_LONG * steps)))


def search(
    rehearsal: Rehearsal,
    guess: Guess,
    steps: tuple[int, int],
    schedule: Callable[[float], Schedule],
    top: int | None = None,
) -> Choice:
    """The best rate by trials of the lengths ``steps``: the lowest of those that gain about as much as the best.

    None is higher than the guess times √2 to the power ``top``.

    Raises:
        DataError: the loss is no number before any step, or no rate makes it fall.
    """
    start = rehearsal.loss_after(0, schedule(guess.lr))
    if not math.isfinite(start):
        raise DataError(f"the loss is {start} before any step: look for NaN in the inputs and in the weights")

    def trial(length: int, power: int) -> float:
        loss = rehearsal.loss_after(length, schedule(guess.lr * 2 ** (power / 2)))
        return math.inf if math.isnan(loss) else loss

    def limit(losses: dict[int, float], share: float) -> float:
        """The loss that lacks so large a share of what the best one gained."""
        best = min(losses.values())
        return best + share * (start - best)

    top = _FAR if top is None else top
    coarse = _climb(partial(trial, steps[0]), start, at=0, stride=4, top=top, limit=partial(limit, share=0.0))
    if not coarse:
        raise DataError("no rate makes the loss fall on rows that are not learnt from: give a rate")
    at, tie = min(coarse, key=coarse.__getitem__), partial(limit, share=_TIE if guess.plain else _TIE_ADAM)
    fine = _climb(partial(trial, steps[1]), start, at, stride=2, top=top, limit=tie) or coarse
    power = min(power for power, loss in fine.items() if loss <= tie(fine))
    low, high = (guess.lr * 2 ** (_edge(fine, power, way, limit(fine, _NEAR)) / 2) for way in (-1, 1))
    return Choice(guess.lr * 2 ** (power / 2), low, high, f"by short trials around {guess.lr:.3g}, {guess.origin}")


def _climb(
    loss: Callable[[int], float],
    start: float,
    at: int,
    stride: int,
    top: int,
    limit: Callable[[dict[int, float]], float],
) -> dict[int, float]:
    """The losses at powers of √2 around ``at`` that are below the start's by more than nothing.

    Upwards, to ``top``, as long as that helps or nothing has moved yet; then downwards, as long as that is a tie with
    the best (within the ``limit``) or all were too high.
    """
    found = {at: loss(at)}
    power = at
    while power < top:
        power = min(power + stride, top)
        best = min(found.values())
        found[power] = loss(power)
        moved = max(abs(one - start) for one in found.values()) > _FLAT * abs(start)
        if found[power] >= best and moved:
            break
    power = at
    while power - stride >= -_FAR and (found[power] <= limit(found) or min(found.values()) >= start):
        power -= stride
        found[power] = loss(power)
    return {power: loss for power, loss in found.items() if start - loss > _FLAT * abs(start)}


def _edge(losses: dict[int, float], power: int, way: int, limit: float) -> float:
    """The power up to which the loss stays within ``limit``, on straight lines between the trials."""
    for other in sorted((p for p in losses if (p - power) * way > 0), key=lambda p: p * way):
        if losses[other] > limit:
            return power + (other - power) * (limit - losses[power]) / (losses[other] - losses[power])
        power = other
    return power


def _of_sgd(opt: Any) -> tuple[float, float]:
    """Momentum and weight decay."""
    if isinstance(opt, SGD):
        return opt.momentum, opt.weight_decay
    group = opt.param_groups[0]
    return float(group["momentum"]), float(group["weight_decay"])
