"""Gradients of programs without autograd that are added up from update to update, and never set back to zero."""

import ast
from collections.abc import Iterator
from typing import Final

import numpy as np

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.paper.probes import Reference, reference
from byhand.doctor.checks.reading.calls import last_name
from byhand.doctor.finding import Edit, Finding
from byhand.doctor.slopes import ALIKE, Found, Probe, Slopes, cosine
from byhand.doctor.text import edits
from byhand.doctor.text.program import Program

__all__ = ["gradients_added_up"]

_SAME: Final = 1 - 1e-6  # cosine of an update and the array that it is a multiple of
_REST: Final = 0.05  # of a gradient's length: more than this is of other rows


def gradients_added_up(evidence: Evidence) -> Iterator[Finding]:
    """Updates that are a multiple of ``dW += ...``, where dW still held what was added before the last update.

    A momentum is made smaller before something is added to it, and a sum over parts of a batch begins at zero: neither
    is one addition to an array that was not touched since the last update.
    """
    program = evidence.program
    found: list[tuple[Slopes, Found, Found]] = []
    for probe in evidence.trace.probes:
        loss = reference(probe)
        found = _sums(program, probe, loss) if loss else []
        if not found:
            return
    if not found:
        return
    parameter, total, own = found[0]
    fixes = [_zeroed(program, one, held) for one, held, _ in found]
    fix = tuple(dict.fromkeys(edit for edit in fixes if edit)) if all(fixes) else ()
    share = float(cosine(own.along, total.along))
    name = _target(program, total)
    yield Finding(
        "gradients-never-zeroed",
        "warning",
        parameter.place if fix else total.place,
        f"{name} still held the gradients of the updates before when those of the next rows were added to it"
        f" (line {total.place.line}): at update {evidence.trace.probes[-1].clock + 1} it was"
        f" {total.norm / max(own.norm, 1e-300):.3g} times as long as their gradient, with cosine {share:.2f}",
        "each step goes along the sum of all gradients so far: it grows, and turns too late",
        fix[0].text.strip() if fix else f"{name}[:] = 0 after each update",
        edits=(fix,) if fix else (),
        needs_proof=bool(fix),
    )


def _sums(program: Program, probe: Probe, loss: Reference) -> list[tuple[Slopes, Found, Found]]:
    """Each parameter that is updated by such a sum, the sum, and the gradient of these rows."""
    sums: list[tuple[Slopes, Found, Found]] = []
    for parameter in probe.parameters:
        if not parameter.updated or parameter.moved == 0:
            continue
        slopes = parameter.slopes[loss.index]
        own = [one for one in parameter.found if one.made and abs(cosine(slopes, one.along)) >= ALIKE[probe.single]]
        held = [
            one
            for one in parameter.found
            if one.old and not one.made and not one.inputs and abs(one.like) >= _SAME and _target(program, one)
        ]
        if own and held:
            rest = held[0].along - own[-1].along
            if float(np.linalg.norm(rest)) > _REST * float(np.linalg.norm(own[-1].along)):
                sums.append((parameter, held[0], own[-1]))
    return sums


def _target(program: Program, found: Found) -> str:
    """What ``dW += ...`` at its place adds to; empty where something else stands there."""
    nodes = program.nodes(found.place, ast.AugAssign)
    return ast.unparse(nodes[0].target) if nodes and isinstance(nodes[0].op, ast.Add) else ""


def _zeroed(program: Program, parameter: Slopes, total: Found) -> Edit | None:
    """A line after the update that sets the sum to zero, by the name that the update has for it."""
    adding = program.nodes(total.place, ast.AugAssign)
    updates = program.nodes(parameter.place, ast.stmt) if parameter.place else []
    if not adding or not updates or parameter.place is None:
        return None
    target = adding[0].target
    for node in ast.walk(updates[0]):
        alike = isinstance(node, ast.Name | ast.Attribute) and last_name(node) == last_name(target)
        if isinstance(node, ast.expr) and (alike or ast.unparse(node) == ast.unparse(target)):
            return edits.insert_line(program, parameter.place, f"{ast.unparse(node)}[:] = 0")
    return None
