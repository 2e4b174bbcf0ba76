"""The loss that a program shows, and the one that its updates descend."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.paper.probe_words import loss_of
from byhand.doctor.checks.paper.probes import WRONG, Reference, factor, known, moving, plain, reference
from byhand.doctor.checks.paper.shown import is_shown
from byhand.doctor.finding import Finding
from byhand.doctor.slopes import ALIKE, Probe, Slopes, cosine

__all__ = ["update_not_of_printed_loss"]

_REST: Final = 1e-3  # of slopes, that rounding may leave


def update_not_of_printed_loss(evidence: Evidence) -> Iterator[Finding]:
    """What is printed or collected as the loss is one of the usual ones, and the updates descend another.

    Or it has a penalty on the weights, and the gradients have not. All updates have to be those of the other loss, and
    to the last digits; a program that computes the one that it descends as well, and watches both, is left alone.
    """
    for probe in evidence.trace.probes[-1:]:
        loss = reference(probe)
        parameters = [probe.parameters[i] for i in moving(probe)]
        if loss is None or set(moving(probe)) - loss.right or not all(map(plain, parameters)):
            continue
        is_told = is_shown(evidence)
        shown = [i for i, one in enumerate(probe.scalars) if is_told(one) and i != loss.index]
        for index in shown[-1:]:
            if probe.scalars[loss.index].assumed:
                finding = _another(probe, loss, index, parameters)
            else:
                finding = _without_penalty(probe, loss, index, parameters)
            if finding:
                yield finding


def _another(probe: Probe, loss: Reference, shown: int, parameters: list[Slopes]) -> Finding | None:
    """If it is one of the usual losses, of which the updates are not the gradient."""
    if all(cosine(one.slopes[shown], one.taken) >= WRONG for one in parameters if known(probe, one, shown)):
        return None
    mine = np.concatenate([one.slopes[shown] for one in parameters])
    usual = [
        one.assumed
        for i, one in enumerate(probe.scalars)
        if one.assumed and cosine(mine, np.concatenate([p.slopes[i] for p in parameters])) >= ALIKE[probe.single]
    ]
    scalar, other = probe.scalars[shown], probe.scalars[loss.index]
    if not usual or other.assumed in usual:
        return None
    name = scalar.name or "what is shown"
    fits = ", ".join(f"{cosine(one.slopes[shown], one.taken):.2f}" for one in parameters)
    return Finding(
        "update-not-of-printed-loss",
        "warning",
        scalar.place,
        f"{name} is the {usual[0]}; the updates are the gradient of the {other.assumed} (cosine 1.00 for all "
        f"{len(parameters)} parameters; with {name} {fits})",
        f"{name} is not what is made smaller: it may rise while the training goes well",
        f"show the {other.assumed}, or derive the gradients of the {usual[0]}",
        proof="arithmetic",
    )


def _without_penalty(probe: Probe, loss: Reference, shown: int, parameters: list[Slopes]) -> Finding | None:
    """If it is the descended loss and a multiple of the weights' squares."""
    strengths: list[float] = []
    names: list[str] = []
    for one in parameters:
        rest = one.slopes[shown] - loss.sign * one.slopes[loss.index]
        size = float(np.linalg.norm(one.slopes[shown]))
        if float(np.linalg.norm(rest)) <= _REST * size:
            continue
        if abs(cosine(rest, one.own)) < ALIKE[probe.single]:
            return None
        strengths.append(factor(one.own, rest))
        names.append(one.name)
    if not strengths or min(strengths) <= 0 or max(strengths) > min(strengths) * 1.01:
        return None
    scalar = probe.scalars[shown]
    name = scalar.name or "what is shown"
    return Finding(
        "update-not-of-printed-loss",
        "warning",
        scalar.place,
        f"{name} has a penalty on the weights, {strengths[0] / 2:.3g} · Σ w²; the updates of {', '.join(names)} are "
        f"the gradient of {loss_of(probe, loss)} without it",
        "the penalty is added to what is shown and does nothing",
        f"add {strengths[0]:.3g} · W to the gradient of each weight that it counts",
        proof="arithmetic",
    )
