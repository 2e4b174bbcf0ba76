"""A loss that is no mean over the rows: their sum, a mean over the classes too, or a mean divided by N once more.

Each step's loss is held against the exact cross-entropy of its own scores. Letters: N rows of a forward, C classes.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, final

import numpy as np

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.loss.fixes import Fix, renamed
from byhand.doctor.checks.loss.strides import strides
from byhand.doctor.checks.reading.calls import Call, before_name, bracketed, call_at, calls_of
from byhand.doctor.checks.reading.kinds import cross_entropy
from byhand.doctor.checks.reading.literals import rate_of, rate_places
from byhand.doctor.checks.reading.tapes import Reading, name_of, readings
from byhand.doctor.finding import Edit, Finding
from byhand.doctor.place import Place
from byhand.doctor.tape import Op
from byhand.doctor.text import edits
from byhand.doctor.text.edits import replace
from byhand.doctor.text.program import Program
from byhand.doctor.trace import Trace

__all__ = ["loss_summed_not_averaged"]

_CLOSE: Final = 2e-3
"""Relative difference between a loss and a multiple of the exact one that is taken for none."""

_SURE: Final = 3
"""Steps that must agree."""


@final
@dataclass(frozen=True, slots=True)
class _Kind:
    """What a loss is instead of the mean over the rows."""

    name: str  # "sum", "classes", "twice"
    op: Op  # the operation that makes it so
    n: int
    classes: int


def loss_summed_not_averaged(evidence: Evidence) -> Iterator[Finding]:
    """The loss is N times the mean cross-entropy of its scores, or a C-th or an N-th of it: so is every step.

    A suspicion, since a rate may have been chosen for it; an experiment tells. Several backward passes an update share
    a division on purpose, and nothing is said of them.
    """
    yield from _by_paper(evidence)
    runs: dict[int | None, list[Reading]] = {}
    for reading in readings(evidence.trace):
        if reading.train and reading.tape.loss is not None and reading.forward is not None:
            runs.setdefault(reading.forward.training, []).append(reading)
    seen: set[Place | None] = set()
    for tapes in runs.values():
        if len(tapes) < _SURE or _accumulates(evidence.trace):
            continue
        kinds = [_kind(reading) for reading in tapes]
        first = kinds[0]
        if first is None or any(kind is None or kind.name != first.name for kind in kinds):
            continue
        fix = _mean(evidence.program, tapes[0], first)
        place = fix.place or first.op.place
        if place in seen:
            continue
        seen.add(place)
        saw, so = _told(tapes[0], first)
        yield Finding(
            "loss-summed-not-averaged",
            "warning",
            place,
            saw,
            so,
            fix.text or "the mean over the rows of the batch",
            edits=fix.edits,
            needs_proof=True,
        )


def _by_paper(evidence: Evidence) -> Iterator[Finding]:
    """A gradient by hand: each step is N times the rate times the mean gradient of its rows."""
    program, trace = evidence.program, evidence.trace
    for index, training in enumerate(trace.trainings):
        rate, places = rate_of(program, trace, training), rate_places(program, trace, training)
        found = strides([reading for reading in readings(trace) if reading.train and reading.of(index)])
        if not rate or not training.hand or len(found) < 2 or min(stride.n for stride in found) < 3:
            continue
        if any(abs(stride.times / (rate * stride.n) - 1) > 0.01 for stride in found):
            continue
        first = found[0]
        yield Finding(
            "loss-summed-not-averaged",
            "warning",
            training.place or first.layer.place,
            f"each of {len(found)} steps that were looked at is {first.n} × {rate:g} times the mean gradient of its "
            f"{first.n} rows: the gradient is their sum",
            f"each step is {first.n} times as long as the rate says, and another batch size needs another rate",
            f"the gradient of the scores divided by the number of rows, {first.n}",
            edits=tuple((replace(place, f"{rate / first.n:.3g}"),) for place in places[:1]),
            needs_proof=True,
        )


def _accumulates(trace: Trace) -> bool:
    """Whether several backward passes make one update."""
    clocks = [one.clock for one in trace.backwards]
    return len(clocks) > 1.5 * len(set(clocks))


def _kind(reading: Reading) -> _Kind | None:
    """What a step's loss is a multiple of, by its value and by the operation that makes it so."""
    exact, loss = cross_entropy(reading), reading.number(reading.tape.loss)
    if exact is None or loss is None or not exact > 1e-6 or not np.isfinite(loss) or reading.n < 3:
        return None
    n, ratio = reading.n, loss / exact
    chain = list(_chain(reading))
    for op in chain:
        classes = _classes(reading, op)
        for name, factor in (("sum", n), ("classes", 1 / classes if classes else 0), ("twice", 1 / n)):
            if factor and abs(ratio / factor - 1) < _CLOSE and _makes(reading, op, name):
                return _Kind(name, op, n, classes)
    return None


def _chain(reading: Reading) -> Iterator[Op]:
    """The operations from the loss back to the last that takes a logarithm or a softmax, along the largest operand."""
    index = reading.tape.loss
    while index is not None and (op := reading.makers.get(index)) and op.inputs:
        yield op
        if name_of(op) in ("cross_entropy", "nll_loss", "log", "log_softmax", "logsumexp"):
            return
        index = max(op.inputs, key=lambda i: len(reading.shape(i)))


def _classes(reading: Reading, op: Op) -> int:
    """C, where an operation works on one number a row and class; else 0."""
    shape = reading.shape(op.inputs[0])
    return int(np.prod(shape)) // reading.n if len(shape) == 2 and reading.n in shape and min(shape) > 1 else 0


def _makes(reading: Reading, op: Op, kind: str) -> bool:
    """Whether an operation can make a loss what it is."""
    name, whole = name_of(op), reading.shape(op.output) == ()
    if kind == "sum":
        return (name == "sum" and whole) or op.options.get("reduction") == "sum"
    if kind == "classes":
        return name == "mean" and whole and _classes(reading, op) > 1
    return name == "div" and whole and reading.shape(op.inputs[0]) == () and _divisor(reading, op) == reading.n


def _divisor(reading: Reading, op: Op) -> float | None:
    if op.constants:
        return op.constants[-1]
    return reading.number(op.inputs[1]) if len(op.inputs) > 1 else None


def _told(reading: Reading, kind: _Kind) -> tuple[str, str]:
    loss, exact = reading.number(reading.tape.loss) or 0.0, cross_entropy(reading) or 0.0
    seen = f"the loss of the first batch is {loss:.3g}, the mean cross-entropy of its {kind.n} rows {exact:.3g}: "
    if kind.name == "sum":
        return (
            f"{seen}{kind.n} times as much, since it is the sum over the rows",
            f"each step is {kind.n} times as long as the rate says, and another batch size needs another rate",
        )
    if kind.name == "classes":
        return (
            f"{seen}one {kind.classes}th, since the mean is over rows and classes, all but one of which are 0",
            f"each step is {kind.classes} times as short as the rate says",
        )
    return (
        f"{seen}one {kind.n}th, since the mean is divided by the number of rows once more",
        f"each step is {kind.n} times as short as the rate says, and shorter with larger batches",
    )


def _mean(program: Program, reading: Reading, kind: _Kind) -> Fix:
    """The mean over the rows, once."""
    op = kind.op
    if kind.name == "twice":
        return _undivided(program, op)
    if op.options.get("reduction") == "sum":
        made = calls_of(program, op.module or "", op.place) if op.module else []
        call = made[0] if len(made) == 1 else None if op.module else call_at(program, op.place)
        for key in call.node.keywords if call else ():
            if call and key.arg == "reduction":
                there = call.unit.place(key.value)
                text = program.text(call.place).replace(program.text(there), '"mean"')
                return Fix(call.place, text, ((replace(there, '"mean"'),),))
        return Fix(op.place, 'reduction="mean"')
    call = call_at(program, op.place)
    if not call or call.name not in ("sum", "mean"):
        return Fix(op.place, "")
    if kind.name == "classes":
        return _over_rows(program, reading, op, call)
    several = len(reading.shape(op.inputs[0])) == 2
    if several:
        return _over_rows(program, reading, op, call)
    return renamed(program, call, "mean")


def _over_rows(program: Program, reading: Reading, op: Op, call: Call) -> Fix:
    """The sum over the classes, then the mean over the rows."""
    axis = 1 if reading.shape(op.inputs[0])[0] == reading.n else 0
    if not call.operand:
        return Fix(call.place, "")
    inner = program.text(call.operand)
    if call.method:
        text = f"{bracketed(program, call.operand)}.sum({axis}).mean()"
    else:
        text = f"{before_name(program, call)}sum({inner}, {axis}).mean()"
    return Fix(call.place, text, ((replace(call.place, text),),))


def _undivided(program: Program, op: Op) -> Fix:
    """A mean without the division by N after it."""
    unit = program.unit(op.place) if op.place else None
    for node in program.nodes(op.place, ast.BinOp) if op.place and unit else ():
        if unit and unit.place(node) == op.place and isinstance(node.op, ast.Div):
            left = unit.place(node.left)
            text = program.text(left)
            return Fix(op.place, text, ((replace(unit.place(node), text),),))
    statement = edits.statement(program, op.place) if op.place else None
    nodes = program.nodes(statement, ast.AugAssign) if statement else []
    if statement and nodes and isinstance(nodes[0].op, ast.Div) and unit:
        target = program.text(unit.place(nodes[0].target))
        return Fix(statement, f"no {program.text(statement)}", ((Edit(statement, f"{target} = {target}"),),))
    return Fix(op.place, "")
