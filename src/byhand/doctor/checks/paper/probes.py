"""Reading a probe: which loss a training descends, and which of its gradients are that loss's.

A gradient is right if its products with the directions are the slopes of some number that the iteration computes, up to
one factor. Which number that is need not be known beforehand: what is no loss does not fit all parameters by accident.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from byhand.doctor.slopes import ALIKE, Found, Probe, Slopes, cosine, of_one_row

__all__ = [
    "OTHER",
    "WRONG",
    "Judged",
    "Reference",
    "factor",
    "gradient",
    "judge",
    "known",
    "moving",
    "origin",
    "plain",
    "reference",
    "smooth",
    "sum_of",
]

Array = NDArray[np.float64]

WRONG: Final = 0.98
"""Cosine below which a gradient is another one, whatever it is."""

OTHER: Final = MappingProxyType({False: 0.999, True: WRONG})
"""Cosine below which it is another one if that one is known, in float64 and in float32."""

_LOSS: Final = re.compile("loss|cost|err|nll|mse|entropy|objective")  # which of several that fit is named
_PROPORTIONAL: Final = 1 - 1e-6
_NOISE: Final = {False: 1e-10, True: 3e-5}  # relative change of a number that is more than rounding
_LEAST: Final = 1e-3  # a number nearer to 0 may be what is left of others
_SEVERAL: Final = 3  # rows, taken one by one
_SAME: Final = {False: 0.02, True: 0.1}  # relative difference of slopes at two steps that are those of a smooth number


@final
@dataclass(frozen=True, slots=True)
class Reference:
    """The number that the gradients belong to."""

    index: int  # in Probe.scalars
    sign: float  # 1.0: the updates go down, −1.0: up
    right: frozenset[int]  # in Probe.parameters: those whose gradients are its own


@final
@dataclass(frozen=True, slots=True)
class Judged:
    """A parameter whose gradient is none of those of any number of its iteration."""

    index: int  # in Probe.parameters
    slopes: Array  # (K,) of the reference, with its sign
    along: Array  # (K,) of the gradient
    cosine: float


def moving(probe: Probe) -> list[int]:
    """The parameters that the program's update has changed, by position."""
    return [i for i, one in enumerate(probe.parameters) if one.updated and one.moved > 0]


def known(probe: Probe, parameter: Slopes, scalar: int) -> bool:
    """Whether a number answers to a parameter by more than rounding."""
    if not parameter.slopes.size:
        return False
    moved = float(abs(parameter.slopes[scalar]).max()) * parameter.step
    return moved > _NOISE[probe.single] * max(abs(probe.scalars[scalar].value), _LEAST)


def plain(parameter: Slopes) -> bool:
    """Whether the update is a multiple of what was made of arrays of other shapes: no momentum, decay or clipping."""
    like = [one for one in parameter.found if abs(one.like) >= _PROPORTIONAL]
    return bool(like) and like[0].made


def gradient(parameter: Slopes) -> Found | None:
    """The array that the update is made of: the first that it is a multiple of, else the likest that begins there."""
    like = [one for one in parameter.found if abs(one.like) >= _PROPORTIONAL]
    made = [one for one in parameter.found if one.made]
    if like and like[0].even:  # every array of equal numbers is a multiple of it
        even = [one for one in like if one.even]
        return [one for one in even if not one.old or one is even[0]][-1]
    if like and (like[0].made or not made or _whole(parameter, like[0])):
        return like[0]
    return max(made, key=lambda one: abs(one.like), default=like[0] if like else None)


def origin(parameter: Slopes, found: Found) -> Found:
    """Where a gradient begins: back through sums and multiples to what was made of arrays of other shapes."""
    while not found.made and found.inputs:
        inputs = [parameter.found[i] for i in sorted(found.inputs)]
        found = next((one for one in reversed(inputs) if one.made), inputs[-1])
    return found


def _whole(parameter: Slopes, found: Found) -> bool:
    """Whether nothing went into it but what this iteration made: no momentum, no decay."""
    waiting, seen = [found], set[int]()
    while waiting:
        one = waiting.pop()
        if one.old:
            return False
        waiting += [] if one.made else [parameter.found[i] for i in one.inputs if i not in seen]
        seen.update(one.inputs)
    return True


def _explains(probe: Probe, parameter: Slopes, scalar: int, sign: float) -> bool:
    """Whether a number's slopes are those of the update, or of a gradient that it was made of."""
    slopes, alike = parameter.slopes[scalar], ALIKE[probe.single]
    if sign * cosine(slopes, parameter.taken) >= alike:
        return True
    # A penalty's gradient is the parameter itself, which is part of many updates, and says nothing of the rest.
    parts = (one.along for one in parameter.found if abs(cosine(one.along, parameter.own)) < alike)
    return not plain(parameter) and any(abs(cosine(slopes, along)) >= alike for along in parts)


def reference(probe: Probe) -> Reference | None:
    """The number whose slopes are most of the gradients; one that the program computes before one that was assumed.

    None where none fits any parameter that is updated.
    """
    best: tuple[tuple[int, bool, int, int], Reference] | None = None
    moved = moving(probe)
    for index, scalar in enumerate(probe.scalars):
        if of_one_row(scalar.assumed):
            continue
        fitting = [i for i in moved if known(probe, probe.parameters[i], index)]
        total = sum(_fits(probe, probe.parameters[i], index) for i in fitting)
        sign = 1.0 if total >= 0 else -1.0
        right = frozenset(i for i in fitting if _explains(probe, probe.parameters[i], index, sign))
        named = 2 if _LOSS.search(scalar.name.lower()) else int(bool(scalar.name))
        order = len(right), not scalar.assumed and sign > 0, named, index
        if right and (best is None or order > best[0]):
            best = order, Reference(index, sign, right)
    return _whole_sum(probe, best[1]) if best else None


def _whole_sum(probe: Probe, loss: Reference) -> Reference:
    """The loss of all rows, where a gradient is that of the last row alone, and the others' were made too."""
    sums = {s for i in loss.right if (s := sum_of(probe, probe.parameters[i], loss.index)) is not None}
    if not sums:
        return loss
    whole = sums.pop()
    updated = [i for i, one in enumerate(probe.parameters) if one.updated and known(probe, one, whole)]
    return Reference(
        whole, loss.sign, frozenset(i for i in updated if _explains(probe, probe.parameters[i], whole, loss.sign))
    )


def sum_of(probe: Probe, parameter: Slopes, scalar: int) -> int | None:
    """The sum over all rows, one after another, whose last addend's gradient is this parameter's; None where none is.

    Only if the gradients of the other rows were made at the same place: what the sum is the slopes of.
    """
    begins = gradient(parameter)
    begins = begins and origin(parameter, begins)
    one = probe.scalars[scalar]
    if begins is None or one.summed or probe.single_rows < _SEVERAL:
        return None
    alike = ALIKE[probe.single]
    for s, other in enumerate(probe.scalars):
        same = other.summed and (other.place, other.name, other.assumed) == (one.place, one.name, one.assumed)
        whole = same and abs(cosine(parameter.slopes[s], begins.total)) >= alike
        if whole and min(abs(cosine(parameter.slopes[scalar], x)) for x in (begins.along, parameter.taken)) >= alike:
            return s
    return None


def _fits(probe: Probe, parameter: Slopes, scalar: int) -> int:
    fit = cosine(parameter.slopes[scalar], parameter.taken)
    return 0 if abs(fit) < ALIKE[probe.single] else 1 if fit > 0 else -1


def judge(probe: Probe, loss: Reference) -> Iterator[Judged]:
    """The parameters whose gradient is wrong for this loss, and is that of no other number, in their order."""
    for i, parameter in enumerate(probe.parameters):
        if i in loss.right or not parameter.updated or parameter.moved == 0 or not known(probe, parameter, loss.index):
            continue
        usual = [s for s, one in enumerate(probe.scalars) if not of_one_row(one.assumed)]
        last = any(sum_of(probe, parameter, s) == loss.index for s in usual)
        others = (s for s in usual if known(probe, parameter, s) and not last)
        explained = any(_explains(probe, parameter, s, sign) for s in others for sign in (1.0, -1.0))
        if explained and not _uphill(probe, parameter, loss):
            continue
        slopes = loss.sign * parameter.slopes[loss.index]
        found = None if plain(parameter) else gradient(parameter)
        along = parameter.taken if found is None else np.copysign(1.0, found.like) * found.along
        fit = cosine(slopes, along)
        if max(fit, cosine(slopes, parameter.taken)) < OTHER[probe.single] and (
            last or smooth(probe, parameter, loss.index)
        ):
            yield Judged(i, slopes, along, fit)


def _uphill(probe: Probe, parameter: Slopes, loss: Reference) -> bool:
    """Whether the update is minus the gradient of the loss that the other updates descend."""
    return loss.sign * cosine(parameter.slopes[loss.index], parameter.taken) <= -ALIKE[probe.single]


def smooth(probe: Probe, parameter: Slopes, scalar: int) -> bool:
    """Whether a step ten times as wide shows the same slopes."""
    wide = parameter.wider[scalar]
    near = parameter.slopes[scalar][: len(wide)]
    size = float(np.linalg.norm(near))
    return len(wide) > 0 and float(np.linalg.norm(wide - near)) <= _SAME[probe.single] * size


def factor(slopes: Array, along: Array) -> float:
    """The number by which slopes have to be multiplied to give a gradient's products."""
    square = float(np.vdot(slopes, slopes))
    return float(np.vdot(slopes, along)) / square if square else 0.0
