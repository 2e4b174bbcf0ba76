"""A loss whose two arguments are the wrong way round: the labels where scores belong, the scores as the target.

Letters: N rows of a forward, C classes; p are the model's probabilities, t the targets.
"""

import ast
import math
import re
from collections.abc import Iterator
from typing import Final

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.loss.fixes import Fix
from byhand.doctor.checks.reading.calls import Call, call_at, callers
from byhand.doctor.checks.reading.course import short
from byhand.doctor.checks.reading.kinds import is_target, of_model, one_hot
from byhand.doctor.checks.reading.tapes import THROUGH, Reading, name_of, readings, sums_to_one
from byhand.doctor.finding import Edit, Finding
from byhand.doctor.place import Place
from byhand.doctor.tape import Op
from byhand.doctor.text import edits
from byhand.doctor.text.program import Program
from byhand.doctor.trace import Trace

__all__ = ["loss_arguments_swapped"]

_UNEVEN: Final = frozenset({"cross_entropy", "binary_cross_entropy", "binary_cross_entropy_with_logits", "kl_div"})
"""Losses of (input, target) that mean another thing the other way round."""

_LOGARITHMS: Final = frozenset({"log", "log_softmax", "logsumexp", "logsigmoid", "nll_loss", *_UNEVEN})


def loss_arguments_swapped(evidence: Evidence) -> Iterator[Finding]:
    """The logarithm is taken of the labels, and weighted by what the model says.

    Losses that are the same both ways (mse, l1) are none, and neither is a part of a loss whose other part is right, as
    a symmetric cross-entropy is.
    """
    program, seen, turned = evidence.program, set[Place | None](), set[tuple[tuple[Edit, ...], ...]]()
    for reading in readings(evidence.trace):
        right = [op for op in reading.tape.ops if _is_right(reading, op)]
        for op in reading.tape.ops:
            library = _is_swapped(program, reading, op)
            if op.place in seen or not (library or _is_weighted(reading, op)):
                continue
            within = [other for i in op.inputs for other in reading.ancestors(i)]
            if any(all(other is not step for step in within) for other in right):
                continue  # another part of the loss has it right
            fix = _turned(program, op) if library else _renamed(program, op)
            repeated = fix.edits in turned if fix.edits else fix.place in seen
            seen |= {op.place, fix.place}
            turned.add(fix.edits)
            if repeated:
                continue
            if library:
                saw = f"{op.module or op.name} gets the labels as its input, and what the model says as its target"
                so = _consequence(reading, op)
            else:
                saw = f"the logarithm is of the labels ({_values(reading, op)}), which the model only multiplies"
                so = "the loss is linear in what the model says: a row that is sure and wrong is pushed no harder"
            by_paper = reading.tape.loss is None  # the gradient is not made of it
            yield Finding(
                "loss-arguments-swapped",
                "warning" if by_paper else "error",
                fix.place or op.place,
                saw + _course(evidence.trace),
                "what it computes as its loss is no cross-entropy, whatever its gradient is" if by_paper else so,
                fix.text or "the model's output in the place of the labels, and they in its",
                proof="arithmetic" if library and not by_paper else None,
                edits=() if by_paper else fix.edits,
            )


def _is_swapped(program: Program, reading: Reading, op: Op) -> bool:
    if name_of(op) not in _UNEVEN or len(op.inputs) < 2:
        return False
    first, second = op.inputs[:2]
    call = call_at(program, op.place)
    words = [key.arg for key in call.node.keywords if key.arg in ("input", "target")] if call else []
    if words == ["target", "input"]:
        first, second = second, first
    return of_model(reading, second) and not of_model(reading, first) and _are_labels(reading, first)


def _are_labels(reading: Reading, index: int) -> bool:
    """Whether a value can be nothing but targets: of one class a row, or zeros and ones of several."""
    summary = reading.value(index).summary
    binary = summary.whole and summary.low == 0 and summary.high == 1 and bool(summary.shape)
    return is_target(reading, index) or (binary and summary.shape[0] == reading.n)


def _is_weighted(reading: Reading, op: Op) -> bool:
    """Whether an operation is the logarithm of the labels, and something of the model's multiplies it."""
    if name_of(op) != "log" or not op.inputs or of_model(reading, op.inputs[0]):
        return False
    if not _are_labels(reading, reading.source(op.inputs[0], THROUGH | {"add", "clamp"})):
        return False
    reached = {op.output}
    for other in reading.tape.ops:
        if name_of(other) in {"neg", "view"} and reached.intersection(other.inputs):
            reached.add(other.output)
        times = name_of(other) == "mul" and len(other.inputs) == 2 and reached.intersection(other.inputs)
        if times and any(i not in reached and of_model(reading, i) for i in other.inputs):
            return True
    return False


def _is_right(reading: Reading, op: Op) -> bool:
    """Whether an operation takes the logarithm of what the model says, as a loss should."""
    return name_of(op) in _LOGARITHMS and bool(op.inputs) and of_model(reading, op.inputs[0])


def _turned(program: Program, op: Op) -> Fix:
    """The first two arguments of a call the other way round."""
    call = call_at(program, op.place)
    given = call.node.args if call else []
    if not call or len(given) < 2 or any(isinstance(node, ast.Starred) for node in given):
        return Fix(op.place, "")
    return Fix(call.place, _exchanged(program, call), (_exchange(program, call),))


def _renamed(program: Program, op: Op) -> Fix:
    """By hand: the arguments of the function's calls turned round, or the two names exchanged in the statement."""
    calls = callers(program, op.place) if op.place else []
    functions = program.nodes(op.place, ast.FunctionDef) if op.place else []
    if calls and len(functions[0].args.args) == 2 and all(len(call.node.args) == 2 for call in calls):
        changes = tuple(edit for call in calls for edit in _exchange(program, call))
        return Fix(calls[0].place, _exchanged(program, calls[0]), (changes,))
    unit, log = program.unit(op.place) if op.place else None, call_at(program, op.place)
    around = program.nodes(op.place, ast.stmt) if op.place else []
    if not unit or not log or not around or not op.place:
        return Fix(op.place, "")
    called = {id(node.func) for node in ast.walk(around[0]) if isinstance(node, ast.Call)}
    names = [
        node
        for node in ast.walk(around[0])
        if isinstance(node, ast.Name)
        and isinstance(node.ctx, ast.Load)
        and id(node) not in called
        and node.id not in log.modules
        and not _is_number(program, node.id, op.place)
    ]
    within = {id(node) for node in ast.walk(log.node)}
    inside = {node.id for node in names if id(node) in within}
    others = {node.id for node in names} - inside
    if len(inside) != 1 or len(others) != 1:
        return Fix(op.place, "")
    labels, model = inside.pop(), others.pop()
    other = {labels: model, model: labels}
    changes = tuple(Edit(unit.place(node), other[node.id]) for node in names)
    return Fix(op.place, f"the logarithm of {model}, times {labels}", (changes,))


def _is_number(program: Program, name: str, before: Place) -> bool:
    """Whether a name was given a number that is written out: EPS = 1e-9."""
    made = edits.definition(program, name, before)
    return made is not None and bool(re.fullmatch(r"[-+\d.e]+", program.text(made)))


def _exchange(program: Program, call: Call) -> tuple[Edit, Edit]:
    first, second = (call.unit.place(node) for node in call.node.args[:2])
    return Edit(first, program.text(second)), Edit(second, program.text(first))


def _exchanged(program: Program, call: Call) -> str:
    """The call with its first two arguments exchanged."""
    texts = [program.text(call.unit.place(node)) for node in call.node.args]
    texts[:2] = texts[1::-1]
    texts += [f"{key.arg}={program.text(call.unit.place(key.value))}" for key in call.node.keywords if key.arg]
    return f"{program.text(call.unit.place(call.node.func))}({', '.join(texts)})"


def _values(reading: Reading, op: Op) -> str:
    summary = reading.value(reading.source(op.inputs[0], THROUGH | {"add", "clamp"})).summary
    return f"numbers from {summary.low:.3g} to {summary.high:.3g}" if summary.low is not None else "0 and 1"


def _consequence(reading: Reading, op: Op) -> str:
    first, second = op.inputs[:2]
    sure, p = one_hot(reading, first), reading.rows(second)
    floor = math.log1p((reading.shape(first)[-1] - 1) / math.e) if sure else 0.0
    match name_of(op):
        case "cross_entropy" if sure and p is not None and sums_to_one(p):
            return f"the loss cannot fall below {floor:.3f}, and where the model is sure and wrong there is no gradient"
        case "cross_entropy" if sure:
            return (
                f"the gradient of every score is {floor:.3f} or {floor + 1:.3f}, whatever the scores are: they all "
                "sink, and the loss has no least value"
            )
        case "binary_cross_entropy" if reading.value(first).summary.whole:
            return "the logarithm of a label that is 0 has an infinite gradient: every weight is NaN after one step"
        case "kl_div":
            return (
                "its input must be logarithms; of labels it is no divergence, and no measure of how right the model is"
            )
        case _:
            return "the loss is linear in what the model says: a row that is sure and wrong is pushed no harder"


def _course(trace: Trace) -> str:
    losses = [b.loss for b in trace.backwards if b.loss is not None and math.isfinite(b.loss)]
    return f"; its loss went from {short(losses[0])} to {short(losses[-1])}" if len(losses) > 1 else ""
