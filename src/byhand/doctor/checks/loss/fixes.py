"""What to write in the place of a softmax: nothing, its logarithm, or the same along another axis."""

import ast
from dataclasses import dataclass
from typing import final

from byhand.doctor.checks.reading.calls import Call, before_name, bracketed, call_at, callers, calls_of, with_axis
from byhand.doctor.checks.reading.softmaxes import Softmax
from byhand.doctor.checks.reading.tapes import Reading, name_of
from byhand.doctor.finding import Edit
from byhand.doctor.place import Place
from byhand.doctor.tape import Op
from byhand.doctor.text.edits import replace
from byhand.doctor.text.program import Program

__all__ = ["Fix", "along", "logarithm", "renamed", "without"]


@final
@dataclass(frozen=True, slots=True)
class Fix:
    """Where something is changed, and into what."""

    place: Place | None
    text: str  # the new code, in the user's names; "" where it cannot be written
    edits: tuple[tuple[Edit, ...], ...] = ()


def without(program: Program, reading: Reading, op: Op, softmax: Softmax | None) -> Fix:
    """Leave a softmax or sigmoid out."""
    if op.module and (made := _constructor(program, op)):
        text = f"{_prefix(program, made)}Identity()"
        return Fix(made.place, text, ((replace(made.place, text),),))
    call = _call(program, reading, op, softmax)
    if call and call.operand:
        text = bracketed(program, call.operand)
        return Fix(call.place, text, ((replace(call.place, text),),))
    name = reading.value(reading.source(softmax.logits, ("view", "sub"))).name if softmax and softmax.parts else None
    if name and op.place:
        return Fix(op.place, name, ((replace(op.place, name),),))
    return Fix(op.place, "")


def logarithm(program: Program, reading: Reading, op: Op, softmax: Softmax | None) -> Fix:
    """Take log_softmax for a softmax."""
    if op.module and (made := _constructor(program, op)):
        return renamed(program, made, "LogSoftmax")
    call = _call(program, reading, op, softmax)
    if not call or not call.operand:
        return Fix(op.place, "")
    if softmax and softmax.parts:
        if "torch" not in call.modules:
            return Fix(call.place, "")
        text = f"torch.log_softmax({program.text(call.operand)}, dim={softmax.axis})"
        return Fix(call.place, text, ((replace(call.place, text),),))
    return renamed(program, call, "log_softmax")


def renamed(program: Program, call: Call, name: str) -> Fix:
    """Call another function, or make another module, with the same arguments."""
    before = before_name(program, call)
    text = before + name + program.text(call.place).removeprefix(before + call.name)
    return Fix(call.place, text, ((replace(call.name_place, name),),))


def along(program: Program, reading: Reading, softmax: Softmax, axis: int) -> Fix:
    """Take the softmax along another axis."""
    op = softmax.op
    if not softmax.parts or name_of(softmax.parts[-1]) == "logsumexp":
        call = _constructor(program, op) if op.module else call_at(program, op.place)
        edits = with_axis(program, call, axis) if call else ()
        if not call or not edits:
            return Fix(call.place if call else op.place, "")
        whole, old = program.text(call.place), program.text(edits[0].place)
        head, _, tail = whole.rpartition(old)
        return Fix(call.place, f"{head}{axis}{tail}", (edits,))
    edits: tuple[Edit, ...] = ()
    for part in (softmax.parts[-1], *_largest(reading, softmax)):
        call = call_at(program, part.place)
        found = with_axis(program, call, axis, keep=axis == 1) if call else ()
        if not found:
            return Fix(softmax.parts[-1].place, "")
        edits += found
    return Fix(softmax.parts[-1].place, f"the sum along axis {axis}, with keepdim", (edits,))


def _largest(reading: Reading, softmax: Softmax) -> list[Op]:
    """By hand: the maximum that is subtracted first."""
    op = reading.maker(softmax.logits)
    if not op or name_of(op) != "sub" or len(op.inputs) < 2:
        return []
    found = reading.maker(op.inputs[1], ("view", "getitem"))
    return [found] if found and name_of(found) == "max" else []


def _constructor(program: Program, op: Op) -> Call | None:
    """Where the module was made, if that is one place."""
    made = calls_of(program, op.module or "", op.place)
    return made[0] if len(made) == 1 else None


def _prefix(program: Program, made: Call) -> str:
    return before_name(program, made) or ("torch.nn." if "torch" in made.modules else "nn.")


def _call(program: Program, reading: Reading, op: Op, softmax: Softmax | None) -> Call | None:
    """The user's call that makes the softmax: of the library, or of a function written for it."""
    if not op.place:
        return None
    if not softmax or not softmax.parts:
        call = call_at(program, op.place)
        return call if call and (call.name in (op.name, name_of(op)) or (op.module and call.method is False)) else None
    calls = callers(program, op.place)
    first = reading.maker(softmax.logits, ("view", "sub"))
    inside = bool(first and first.place) and _function(program, first) == _function(program, op)
    return calls[0] if len(calls) == 1 and not inside else None


def _function(program: Program, op: Op | None) -> Place | None:
    if not op or not op.place:
        return None
    nodes = program.nodes(op.place, ast.FunctionDef)
    unit = program.unit(op.place)
    return unit.place(nodes[0]) if nodes and unit else None
