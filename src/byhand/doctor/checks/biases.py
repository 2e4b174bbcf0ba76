"""Biases of programs without autograd: added in every forward, and never moved."""

import ast
from collections.abc import Iterator
from typing import Final

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.gradients import calls_it, loss_of
from byhand.doctor.checks.probes import Reference, known, reference
from byhand.doctor.finding import Edit, Finding
from byhand.doctor.place import Place
from byhand.doctor.slopes import ALIKE, Found, Probe, Slopes, cosine
from byhand.doctor.text.edits import replace

__all__ = ["bias_never_moves"]

_UPDATES: Final = 6  # over which it has stood still


def bias_never_moves(evidence: Evidence) -> Iterator[Finding]:
    """What the model adds stays as it was while the weights move, and the loss answers to it.

    Only if it is all zeros, as a bias starts, or its gradient is computed: an offset on purpose has neither.
    """
    for probe in evidence.trace.probes[-1:]:
        loss = reference(probe)
        if loss is None or probe.since < _UPDATES:
            continue
        for parameter in probe.parameters:
            if parameter.moved > 0 or not parameter.still or not known(probe, parameter, loss.index):
                continue
            steady = all(_still(other, parameter) for other in evidence.trace.probes)
            own = _gradients(probe, loss, parameter)
            if steady and (own or parameter.zero):
                yield _finding(evidence, probe, loss, parameter, own)


def _still(probe: Probe, parameter: Slopes) -> bool:
    key = parameter.name, parameter.shape, parameter.place
    return all(one.still for one in probe.parameters if (one.name, one.shape, one.place) == key)


def _gradients(probe: Probe, loss: Reference, parameter: Slopes) -> list[Found]:
    """The arrays that were made in this iteration and are its gradient, and what was made of them."""
    slopes = parameter.slopes[loss.index]
    found = [one for one in parameter.found if abs(cosine(slopes, one.along)) >= ALIKE[probe.single]]
    positions = {i for i, one in enumerate(parameter.found) if one in found}
    for i, one in enumerate(parameter.found):
        if positions.intersection(one.inputs):
            positions.add(i)
    return [parameter.found[i] for i in sorted(positions)]


def _finding(evidence: Evidence, probe: Probe, loss: Reference, parameter: Slopes, own: list[Found]) -> Finding:
    place = own[-1].place if own else parameter.place
    name = parameter.name or "the bias"
    stays = "at 0" if parameter.zero else "as it was"
    saw = (
        f"{calls_it(parameter)} stays {stays}, to the bit, over {probe.since} updates, while "
        f"{len(loss.right)} other parameters move; {loss_of(probe, loss)} answers to it"
    )
    if own:
        saw += f"; its gradient is computed in line {own[0].place.line}, and goes nowhere"
    text, edits = _kept(evidence, name, place) if own else ("", ())
    return Finding(
        "bias-never-moves",
        "error" if own else "warning",
        place,
        saw,
        f"the {max(parameter.shape)} units that it belongs to cannot move their thresholds",
        text or f"update {name} as the weights are updated",
        proof="arithmetic" if own else None,
        edits=edits,
    )


def _kept(evidence: Evidence, name: str, place: Place | None) -> tuple[str, tuple[tuple[Edit, ...], ...]]:
    """``b = self.b - ...`` with the attribute for its target."""
    statements = evidence.program.nodes(place, ast.Assign) if place else []
    unit = evidence.program.unit(place) if place else None
    if not statements or unit is None or len(statements[0].targets) != 1:
        return "", ()
    target, value = statements[0].targets[0], statements[0].value
    if not isinstance(target, ast.Name) or not any(ast.unparse(node) == name for node in ast.walk(value)):
        return "", ()
    where = unit.place(target)
    text = f"{name} = {evidence.program.text(unit.place(value))}"
    return text, ((replace(where, name),),)
