"""The first NaN or infinity: which operation made it, and of what."""

import ast
import math
import re
from collections.abc import Iterator
from typing import Final

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.reading.calls import bracketed, call_at
from byhand.doctor.checks.reading.tapes import Reading, name_of, readings
from byhand.doctor.finding import Edit, Finding
from byhand.doctor.place import Place
from byhand.doctor.tape import Op
from byhand.doctor.text.edits import replace
from byhand.doctor.text.program import Program

__all__ = ["loss_not_finite"]

_MASKS: Final = frozenset({"masked_fill", "where", "full", "full_like", "fill", "view", "setitem", "cat", "triu"})
"""An infinity that these put in is meant."""

_NAN: Final = re.compile(r"(?<![\w.])nan\b|(?<![\w.])-?inf\b", re.IGNORECASE)


def loss_not_finite(evidence: Evidence) -> Iterator[Finding]:
    """The loss or a parameter became NaN or infinite.

    The first operation with finite inputs and a result that is not finite is named; failing that the first array of the
    program's that is not finite, or else the step.
    """
    trace = evidence.trace
    lost = [b for b in trace.backwards if b.loss is not None and not math.isfinite(b.loss)]
    broken = [p for p in trace.parameters if p.start.finite and not p.end.finite]
    shown = [line for line in trace.printed if line.place and _NAN.search(line.text)]
    if not lost and not broken and not shown:
        return
    first = next(((r, op) for r in readings(trace) for op in [_culprit(r)] if op), None)
    arrays = [m for m in trace.made if m.summary.shape and m.summary.dtype != "unknown"]
    made = next((m for m in arrays if not m.summary.finite), None)
    what = (
        f"the loss is {_number(lost[0].loss)} from step {lost[0].clock + 1:,} on"
        if lost
        else f"{broken[0].name} ends as NaN"
        if broken
        else f'the program prints "{shown[0].text.strip()[:60]}"'
    )
    inputs = [f for f in trace.forwards if f.input and not f.input.finite]
    if inputs and made and made.clock <= inputs[0].clock:
        edits, text = _divided(evidence.program, made.place)
        yield Finding(
            "loss-not-finite",
            "error",
            made.place,
            f"{what}; the model's input holds NaN or infinity already, and {made.name} is the first array that does",
            "every weight that such a row touches becomes NaN",
            text or f"see that {made.name} has finite numbers only",
            proof="arithmetic",
            edits=edits,
        )
    elif first:
        reading, op = first
        edits, text = _mended(evidence.program, reading, op)
        yield Finding(
            "loss-not-finite",
            "error",
            op.place,
            f"{what}; the first operation to make it so is {op.name}, of {_range(reading, op)}",
            "after one such step every weight is NaN" if lost or broken else "what is printed says nothing",
            text or "keep its input away from where it has no finite value",
            proof="arithmetic",
            edits=edits,
        )
    elif lost or broken:
        place = lost[0].place if lost else broken[0].place
        before = [b.loss for b in trace.backwards if b.loss is not None and lost and b.clock < lost[0].clock]
        yield Finding(
            "loss-not-finite",
            "error",
            place,
            what + (f"; it was {before[-1]:.4g} at the step before" if before else ""),
            "after one such step every weight is NaN, and nothing is learnt any more",
            "a lower rate, or a look at what the loss divides by and takes the logarithm of",
            proof="arithmetic",
        )


def _culprit(reading: Reading) -> Op | None:
    """The first operation that made something not finite out of finite numbers, and had a part in the loss."""
    last = reading.tape.loss
    if last is None:
        last = next((op.output for op in reversed(reading.tape.ops) if not _finite(reading, op.output)), None)
    if last is None or _finite(reading, last):
        return None
    part = {id(op) for op in reading.ancestors(last)}
    for op in reading.tape.ops:
        made = id(op) in part and not _finite(reading, op.output) and all(_finite(reading, i) for i in op.inputs)
        if made and name_of(op) not in _MASKS:
            return op
    return None


def _finite(reading: Reading, index: int) -> bool:
    return reading.value(index).summary.finite


def _number(value: float | None) -> str:
    return "NaN" if value is None or math.isnan(value) else "infinite"


def _range(reading: Reading, op: Op) -> str:
    """The inputs' ranges."""
    parts: list[str] = []
    for index in op.inputs:
        summary, name = reading.value(index).summary, reading.value(index).name
        if summary.low is not None and summary.high is not None:
            low, high = f"{summary.low:.4g}", f"{summary.high:.4g}"
            numbers = low if low == high else f"numbers from {low} to {high}"
            parts.append(f"{name} ({numbers})" if name else numbers)
    return " and ".join(parts) or "finite numbers"


def _mended(program: Program, reading: Reading, op: Op) -> tuple[tuple[tuple[Edit, ...], ...], str]:
    """The operation kept away from what it cannot do, where that can be written."""
    name = name_of(op)
    if name == "div":
        return _divided(program, op.place)
    call = call_at(program, op.place)
    operand = call.operand if call else None
    if not call or not operand:
        return (), ""
    text = bracketed(program, operand)
    if name in ("log", "log2", "log10"):
        small = f"{text}.clip(1e-12)"
        guard = f"{text}.clip(1e-12)" if "torch" in call.modules else f"np.clip({program.text(operand)}, 1e-12, None)"
        new = small if "torch" in call.modules else guard
    elif name == "exp" and len(reading.shape(op.output)) == 2:
        keep = "amax(dim=1, keepdim=True)" if "torch" in call.modules else "max(axis=1, keepdims=True)"
        new = f"{text} - {text}.{keep}"
        if call.method:
            new = f"({new})"
    else:
        return (), ""
    whole = program.text(call.place).replace(program.text(operand), new, 1)
    return ((replace(operand, new),),), whole


def _divided(program: Program, place: Place | None) -> tuple[tuple[tuple[Edit, ...], ...], str]:
    """A division whose divisor is 0 nowhere: d + (d == 0) is 1 there; in all divisions by the same one."""
    unit = program.unit(place) if place else None
    if not unit or not place:
        return (), ""
    lines = range(place.line, place.end_line + 1)
    found = [
        node
        for node in ast.walk(unit.tree)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and unit.place(node).line in lines
    ]
    divisors = [node.right for node in found if not isinstance(node.right, ast.Constant)]
    if len(divisors) != 1:
        return (), ""
    text = bracketed(program, unit.place(divisors[0]))
    new = f"({text} + ({text} == 0))"
    alike = [
        other.place(node.right)
        for other in program.units
        for node in ast.walk(other.tree)
        if isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.Div)
        and ast.dump(node.right) == ast.dump(divisors[0])
    ]
    return (tuple(replace(place, new) for place in alike),), f"/ {new}"
