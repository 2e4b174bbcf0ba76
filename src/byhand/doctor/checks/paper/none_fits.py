"""Updates of which none is the gradient of any loss, because the derivative that all of them begin with is another one.

Then the loss that the program shows is the measure, if the updates are exactly what comes of a known mistake in its
derivative, or in that of another usual loss of the same outputs. A loss of one's own, weights on the rows or classes,
rows that are left out, and rules that are no gradients come out like none of them, and nothing is said.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.paper.probe_words import directions, listed, loss_of, names
from byhand.doctor.checks.paper.probes import Reference, gradient, known, moving, origin, reference, smooth
from byhand.doctor.checks.paper.resembles import in_words
from byhand.doctor.checks.paper.shown import is_shown
from byhand.doctor.finding import Finding
from byhand.doctor.place import Place
from byhand.doctor.slopes import ALIKE, Array, Probe, Slopes, Straight, cosine, of_one_row

__all__ = ["none_fits"]


@final
@dataclass(frozen=True, slots=True)
class _Mistake:
    straight: Straight
    shown: int  # in Probe.scalars
    of: int  # whose derivative has the mistake: the shown loss, or a usual one of the same outputs
    gradients: tuple[Array, ...]  # (K,) each, of the parameters that move


def none_fits(evidence: Evidence) -> Iterator[Finding]:
    """If what is shown is a usual loss, and all gradients are its own but for one derivative where they begin."""
    for probe in reversed(evidence.trace.probes):
        if reference(probe) is None and (mistake := _mistake(evidence, probe)) is not None:
            yield _finding(evidence, probe, mistake)
            return


def _mistake(evidence: Evidence, probe: Probe) -> _Mistake | None:
    parameters = [probe.parameters[i] for i in moving(probe)]
    is_told = is_shown(evidence)
    usual = [i for i, one in enumerate(probe.scalars) if one.assumed and not of_one_row(one.assumed)]
    for shown, scalar in enumerate(probe.scalars):
        if not is_told(scalar) or not all(known(probe, one, shown) for one in parameters):
            continue
        same = [i for i in usual if all(_alike(probe, one.slopes[i], one.slopes[shown]) for one in parameters)]
        if not parameters or not same or not all(smooth(probe, one, shown) for one in parameters):
            continue
        for straight in parameters[0].straight:
            for of in (shown, *usual):
                gradients = [_of_mistake(probe, one, straight, of) for one in parameters]
                if all(found is not None for found in gradients):
                    return _Mistake(straight, shown, of, tuple(found for found in gradients if found is not None))
    return None


def _alike(probe: Probe, left: Array, right: Array) -> bool:
    return cosine(left, right[: len(left)]) >= ALIKE[probe.single]


def _of_mistake(probe: Probe, parameter: Slopes, like: Straight, of: int) -> Array | None:
    """The update, or what it was made of, if it is the gradient with this mistake."""
    for other in parameter.straight:
        if (other.what, other.places) == (like.what, like.places):
            found = gradient(parameter)
            made = [] if found is None else [np.copysign(1.0, found.like) * found.along]
            fitting = (along for along in (parameter.taken, *made) if _alike(probe, other.slopes[of], along))
            return next(fitting, None)
    return None


def _finding(evidence: Evidence, probe: Probe, mistake: _Mistake) -> Finding:
    parameters = [probe.parameters[i] for i in moving(probe)]
    of = probe.scalars[mistake.of]
    fits = [cosine(one.slopes[mistake.shown], along) for one, along in zip(parameters, mistake.gradients, strict=True)]
    place = _beginning(parameters) or mistake.straight.places[0]
    what = in_words(mistake.straight, mistake.straight.places[0])
    other = f" of the {of.assumed}, which is another loss," if of.assumed else ""
    return Finding(
        "gradient-wrong",
        "error",
        place,
        f"the updates of {names(probe, moving(probe))} have cosine about {listed([f'{fit:.2f}' for fit in fits])} with "
        f"the gradient of {loss_of(probe, Reference(mistake.shown, 1.0, frozenset()))}, by finite differences along "
        f"{directions(parameters[0])}; all are what comes out{other} {what}",
        f"all layers get what begins with it: at most {max(fits):.0%} of a step lead downhill, whatever the rate"
        if max(fits) > 0
        else "no step leads downhill, whatever the rate",
        _instead(evidence, probe, mistake),
        proof="arithmetic",
    )


def _beginning(parameters: Sequence[Slopes]) -> Place | None:
    """Where the array was made that the gradients of the last layer begin with."""
    begun = [origin(one, found) for one in parameters if (found := gradient(one)) is not None]
    begun.sort(key=lambda one: one.time)
    if not begun or not begun[0].sources:
        return None
    shared = [place for place in begun[0].sources if any(place in other.sources for other in begun[1:])]
    return (shared or list(begun[0].sources))[-1]


def _instead(evidence: Evidence, probe: Probe, mistake: _Mistake) -> str:
    """What the derivative by the scores is, in the program's words where it subtracts outputs and targets."""
    scalar = probe.scalars[mistake.shown]
    apart = next((one.place for one in probe.scalars if one.assumed == "squared error"), None)
    difference = evidence.program.text(apart) if apart else "outputs - targets"
    usual = {
        one.assumed
        for i, one in enumerate(probe.scalars)
        if one.assumed
        and all(
            _alike(probe, probe.parameters[k].slopes[i], probe.parameters[k].slopes[mistake.shown])
            for k in moving(probe)
        )
    }
    kind = mistake.straight.kind
    fits = {"softmax": "cross-entropy", "sigmoid": "binary cross-entropy"}.get(kind, "")
    if fits in usual:
        return f"{difference}: that is the whole derivative of {kind} and {fits} together, by the scores"
    if kind == "softmax":
        return (
            f"a * (g - (g * a).sum(axis, keepdims=True)) with g = {difference}, or the cross-entropy and {difference}"
        )
    return f"the derivative of {scalar.name or 'the loss'} by the scores, with the {kind}'s own derivative"
