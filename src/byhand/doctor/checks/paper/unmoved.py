"""Biases and weights of programs without autograd: used in every forward, and never moved."""

import ast
import math
import re
from collections.abc import Iterator, Sequence
from typing import Final

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.paper.probe_words import calls_it, loss_of
from byhand.doctor.checks.paper.probes import Reference, known, reference
from byhand.doctor.checks.reading.calls import callers, ran
from byhand.doctor.checks.reading.units import units
from byhand.doctor.checks.steps.optim import parameter_never_updated
from byhand.doctor.finding import Finding
from byhand.doctor.place import Place
from byhand.doctor.slopes import ALIKE, Found, Probe, Slopes, cosine

__all__ = ["bias_never_moves", "parameter_never_moved"]

_UPDATES: Final = 6  # over which it has stood still
_ON_PURPOSE: Final = re.compile(r"trainable|frozen|freeze|fixed|requires_grad", re.IGNORECASE)


def parameter_never_moved(evidence: Evidence) -> Iterator[Finding]:
    """All of ``parameter_never_updated``, and weights without autograd whose gradient is computed and goes nowhere.

    A matrix whose gradient nobody computes is a fixed projection, and left alone; so is any where the text speaks of
    parts that are frozen.
    """
    named: set[int] = set()
    for one in parameter_never_updated(evidence):
        named |= {one.place.line} if one.place else set[int]()
        yield one
    if any(_ON_PURPOSE.search(unit.code) for unit in units(evidence.program, evidence.trace)):
        return
    for probe in evidence.trace.probes[-1:]:
        loss = reference(probe)
        if loss is None or probe.since < _UPDATES:
            continue
        for place, those in _by_line(evidence, probe, loss, matrices=True).items():
            if place is None or place.line not in named:
                yield _left(evidence, probe, loss, place, those)


def bias_never_moves(evidence: Evidence) -> Iterator[Finding]:
    """What the model adds stays as it was while the weights move, and the loss answers to it.

    Only if it is all zeros, as a bias starts, or its gradient is computed: an offset on purpose has neither.
    """
    if not evidence.trace.probes:
        return
    named = {one.place.line for one in parameter_never_updated(evidence) if one.place}  # told by the text, with a fix
    for probe in evidence.trace.probes[-1:]:
        loss = reference(probe)
        if loss is None or not loss.right or probe.since < _UPDATES:
            continue
        for place, those in _by_line(evidence, probe, loss, matrices=False).items():
            if place is None or place.line not in named:
                yield _finding(evidence, probe, loss, place, those)


def _by_line(
    evidence: Evidence, probe: Probe, loss: Reference, *, matrices: bool
) -> dict[Place | None, list[tuple[Slopes, list[Found]]]]:
    """The biases or matrices that stand still, each with its gradients, by the line where they should be moved."""
    if _moves_later(evidence, probe):
        return {}
    found: dict[Place | None, list[tuple[Slopes, list[Found]]]] = {}
    update = probe.parameters[max(loss.right)].place
    for parameter in probe.parameters:
        if parameter.moved > 0 or not parameter.still or not known(probe, parameter, loss.index):
            continue
        if matrices != (math.prod(parameter.shape) > max(parameter.shape)):
            continue
        if any(_beside(probe, loss, parameter, probe.parameters[i]) for i in loss.right):
            continue
        own = _gradients(probe, loss, parameter)
        if (own or (parameter.zero and not matrices)) and all(
            _still(other, parameter) for other in evidence.trace.probes
        ):
            alike = [one for one in own if abs(cosine(one.along, own[0].along)) >= ALIKE[probe.single]]
            becomes = [one.place for one in own if one not in alike]  # its new value, which goes to another name
            at = becomes[-1] if becomes else _loop_of(evidence, update, own)
            found.setdefault(at, []).append((parameter, own))
    return found


def _loop_of(evidence: Evidence, update: Place | None, own: Sequence[Found]) -> Place | None:
    """Where a parameter should be updated: beside another's update; the loop that goes through all but this one.

    That is where the update is a function's that is called in one loop, and the gradient was made outside of it.
    """
    program = evidence.program
    functions = program.nodes(update, ast.FunctionDef) if update else []
    if update is None or not functions or not own or program.nodes(own[0].place, ast.FunctionDef)[:1] == functions[:1]:
        return update
    calls = [call for call in callers(program, update) if ran(evidence.trace, call.place)]
    loops = program.nodes(calls[0].place, ast.For) if len(calls) == 1 else []
    return calls[0].unit.place(loops[0].iter) if loops else update


def _moves_later(evidence: Evidence, probe: Probe) -> bool:
    """Whether the whole run moved more parameters than this iteration did."""
    updated = sum(one.updated for one in probe.parameters)
    training = max((one.training or 0 for one in evidence.trace.parameters), default=0)
    return sum(one.changed and one.training == training for one in evidence.trace.parameters) > updated


def _beside(probe: Probe, loss: Reference, parameter: Slopes, other: Slopes) -> bool:
    """Whether a parameter that moves is added to the same units, and does what this one could."""
    mine, its = parameter.slopes[loss.index], other.slopes[loss.index]
    return parameter.slopes.shape == other.slopes.shape and cosine(mine, its) >= ALIKE[probe.single]


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


def _finding(
    evidence: Evidence, probe: Probe, loss: Reference, place: Place | None, those: list[tuple[Slopes, list[Found]]]
) -> Finding:
    names = [one.name or _added(evidence, one.place) or "the bias" for one, _ in those]
    computed = [f"line {own[0].place.line}" for _, own in those if own]
    stays = "at 0" if all(one.zero for one, _ in those) else "as it was"
    said = [f"{name} ({' × '.join(map(str, one.shape))})" for name, (one, _) in zip(names, those, strict=True)]
    weights = probe.parameters[min(loss.right)]
    verb = "stays" if len(said) == 1 else "stay"
    saw = (
        f"{' and '.join(said)} {verb} {stays}, to the bit, over {probe.since} updates, while "
        f"{calls_it(weights)} moves; {loss_of(probe, loss)} answers to it"
    )
    if computed:
        saw += f"; what would move it is computed ({', '.join(dict.fromkeys(computed))}) and goes nowhere"
    units = sum(max(one.shape) for one, _ in those)
    return Finding(
        "bias-never-moves",
        "error" if computed else "warning",
        place,
        saw,
        f"the {units} units that it belongs to cannot move their thresholds",
        f"update {' and '.join(names)} as {weights.name or 'the weights'} is updated",
        proof="arithmetic" if computed else None,
    )


def _left(
    evidence: Evidence, probe: Probe, loss: Reference, place: Place | None, those: list[tuple[Slopes, list[Found]]]
) -> Finding:
    names = [one.name or (evidence.program.text(one.place) if one.place else "a weight") for one, _ in those]
    said = [f"{name} ({' × '.join(map(str, one.shape))})" for name, (one, _) in zip(names, those, strict=True)]
    computed = dict.fromkeys(f"line {own[0].place.line}" for _, own in those)
    moving = probe.parameters[min(loss.right)]
    return Finding(
        "parameter-never-updated",
        "warning",
        place,
        f"{' and '.join(said)} {'stays' if len(those) == 1 else 'stay'} the same, to the bit, over"
        f" {probe.since} updates, while {calls_it(moving)} moves; what would move it is computed"
        f" ({', '.join(computed)}) and goes nowhere",
        f"{sum(math.prod(one.shape) for one, _ in those):,} weights stay as they were drawn: that layer learns nothing",
        f"update {' and '.join(names)} as {'the others are' if moving.name in names else f'{moving.name} is'} updated"
        if moving.name
        else f"update {' and '.join(names)} as the other weights are updated",
        proof="arithmetic",
    )


def _added(evidence: Evidence, place: Place | None) -> str:
    """What the addition at a place adds, in the program's words."""
    nodes = evidence.program.nodes(place, ast.BinOp) if place else []
    unit = evidence.program.unit(place) if place else None
    return evidence.program.text(unit.place(nodes[0].right)) if nodes and unit else ""
