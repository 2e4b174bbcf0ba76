"""What a wrong gradient is: the right one with something forgotten."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from byhand.doctor.checks.paper.probe_words import listed
from byhand.doctor.checks.paper.probes import Judged, Reference, gradient, sum_of
from byhand.doctor.place import Place
from byhand.doctor.slopes import ALIKE, Probe, Slopes, Straight, cosine, of_one_row

__all__ = ["forgotten", "in_words", "one_row", "resembles", "summed"]

_CLEARLY: Final = 5e-4  # by which it is more like what it resembles than like the gradient


def resembles(probe: Probe, loss: Reference, wrong: Judged) -> str:
    """In words, to follow "it is"; "" where nothing known comes out like that."""
    parameter = probe.parameters[wrong.index]
    found = gradient(parameter)
    if wrong.cosine <= -ALIKE[probe.single]:
        return "minus the gradient: the step goes uphill"
    if summed(probe, parameter):
        return "the same number for every unit: a sum over all axes, where each unit has its own"
    turned = [one.turned for one in parameter.found if len(one.turned)]
    if any(cosine(wrong.slopes, one) >= ALIKE[probe.single] for one in turned):
        return "the transpose of the gradient: rows and columns are as many, so nothing stops"
    alone = one_row(probe, loss, wrong)
    if alone:
        return alone
    other = forgotten(probe, loss, wrong)
    if other is not None:
        return f"what comes out {in_words(*other)}"
    return "" if found is None or found.norm else "zero"


def in_words(what: Straight, place: Place) -> str:
    """What was forgotten, to follow "what comes out"."""
    where = f"the {what.kind} in line {place.line}"
    match what.what:
        case "dropped":
            return f"without the derivative of {where}"
        case "of its output":
            return f"if the derivative of {where} is taken at its output, not at its input"
        case "formula of its input":
            return f"if the derivative of {where} is computed from its input, not from its output"
        case "diagonal":
            return f"with a * (1 - a) for the derivative of {where}, whose outputs each depend on all scores"
        case "updated":
            lines = listed([str(line) for line in dict.fromkeys(one.line for one in what.places)])
            return f"if {what.kind} is updated before: the backward pass goes through the new one of line {lines}"
        case _:
            return f"with the derivative {what.what} in the place of that of {where}"


def one_row(probe: Probe, loss: Reference, wrong: Judged) -> str:
    """In words, which row alone the gradient is that of; "" where it is of more."""
    parameter = probe.parameters[wrong.index]
    if any(sum_of(probe, parameter, s) == loss.index for s in range(len(probe.scalars))):
        return f"that of the last of {probe.single_rows} rows alone: the others' are made, and go nowhere"
    for slopes, scalar in zip(parameter.slopes, probe.scalars, strict=True):
        if of_one_row(scalar.assumed) and abs(cosine(slopes, wrong.along)) >= ALIKE[probe.single]:
            which = "last" if scalar.assumed.endswith("last row") else "first"
            return f"that of the {which} of the {probe.rows} rows alone"
    return ""


def summed(probe: Probe, parameter: Slopes) -> bool:
    """Whether the update takes the same number away from every element."""
    found = gradient(parameter)
    size = int(np.prod(parameter.shape))
    return size > 1 and found is not None and found.even and found.norm > 0


def forgotten(probe: Probe, loss: Reference, wrong: Judged) -> tuple[Straight, Place] | None:
    """The activation whose other derivative gives this gradient; and its place."""
    best: tuple[float, Straight] | None = None
    for fit, straight in _fits(probe, loss, wrong):
        if best is None or fit > best[0]:
            best = fit, straight
    if best is None or best[0] < max(ALIKE[probe.single], wrong.cosine + _CLEARLY):
        return None
    return best[1], best[1].places[0]


def _fits(probe: Probe, loss: Reference, wrong: Judged) -> Iterator[tuple[float, Straight]]:
    for straight in probe.parameters[wrong.index].straight:
        slopes = loss.sign * straight.slopes[loss.index]
        yield cosine(slopes, wrong.along[: len(slopes)]), straight
