"""The order of a round: forget the old gradients, backward(), step. In other orders a step has none, or an old one."""

import ast
from collections.abc import Iterator
from typing import Final

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.reading.calls import ran
from byhand.doctor.checks.reading.literals import rate_of
from byhand.doctor.checks.reading.units import units
from byhand.doctor.finding import Finding
from byhand.doctor.place import Place
from byhand.doctor.text import edits
from byhand.doctor.text.edits import Edits
from byhand.doctor.text.program import Program, Unit
from byhand.doctor.text.tree import path_to
from byhand.doctor.trace import Backward, Trace, Training

__all__ = ["step_before_backward"]

_ALMOST_ALL: Final = 0.9
_SOME: Final = 3  # steps and passes from which an order can be told
_RATE: Final = 1e-6  # a rate below it may leave a float32 as it is by rounding alone


def step_before_backward(evidence: Evidence) -> Iterator[Finding]:
    """Steps that find no gradient, since it was cleared before they came, or that use the one of the batch before."""
    trace = evidence.trace
    if len(trace.trainings) != 1 or len([o for o in trace.optimizers if o.steps]) > 1:
        return
    training = trace.trainings[0]
    learning = [b for b in trace.backwards if b.place is not None]
    if training.place is None or training.steps < _SOME or len(learning) < _SOME:
        return
    if _stands_still(trace) and (_found_none(trace) or _cleared_by_hand(evidence, training, learning[0])):
        yield _of_nothing(evidence, training, learning)
    elif late := _late(trace, learning):
        yield _of_before(evidence, training, learning, late)


def _stands_still(trace: Trace) -> bool:
    """Whether gradients came to the parameters that are updated, and all of them are as they were."""
    moved = [p for p in trace.parameters if p.training == 0 and not p.frozen]
    reached = [p for p in moved if p.reached]
    return bool(reached) and not any(p.changed for p in moved)


def _found_none(trace: Trace) -> bool:
    return any(optimizer.steps and optimizer.idle for optimizer in trace.optimizers)


def _cleared_by_hand(evidence: Evidence, training: Training, backward: Backward) -> bool:
    """Whether a line between backward() and the update by hand clears the gradients, at a rate that would be seen."""
    program, trace = evidence.program, evidence.trace
    rate = rate_of(program, trace, training)
    if not training.hand or training.place is None or backward.place is None or (rate is not None and rate < _RATE):
        return False
    block = _block(program, [training.place, backward.place])
    unit = program.unit(training.place)
    if block is None or unit is None:
        return False
    update, back = (_position(unit, block, place) for place in (training.place, backward.place))
    return any(_clears(block[k]) for k in range(back + 1, update)) and ran(trace, training.place)


def _late(trace: Trace, learning: list[Backward]) -> int:
    """How many passes went back through scores of before the last step; 0 unless almost all did.

    An update closes the forwards before it: a pass that comes after it to the same parameters belongs to none.
    """
    later = [b for b in learning if b.clock]
    before = {f.clock + 1 for f in trace.forwards if f.kind == "train"}
    late = [b for b in later if b.forward is None and b.parameters and b.clock in before]
    return len(late) if len(late) >= max(_SOME, _ALMOST_ALL * len(later)) else 0


def _of_nothing(evidence: Evidence, training: Training, learning: list[Backward]) -> Finding:
    names = ", ".join(p.name for p in evidence.trace.parameters[:3] if p.training == 0 and p.name)
    zero = _zeroing(evidence)
    fix = _ordered(evidence, zero, learning[0].place, training)
    return Finding(
        "step-before-backward",
        "error",
        zero or training.place,
        saw=f"{len(learning):,} backward passes gave gradients, and each of {training.steps:,} steps found none: they"
        f" were cleared before it came; the same to the bit before and after: {names or 'every parameter'}",
        so="nothing is learnt: the model is the one that it was at the start",
        instead=_in_order(evidence, zero, learning[0].place, training),
        proof="arithmetic",
        edits=(fix,) if fix else (),
    )


def _of_before(evidence: Evidence, training: Training, learning: list[Backward], late: int) -> Finding:
    zero = _zeroing(evidence)
    fix = _ordered(evidence, zero, learning[0].place, training)
    return Finding(
        "step-before-backward",
        "warning",
        training.place,
        saw=f"{late:,} of {len(learning):,} backward passes came after the step of their round: it had the gradient of"
        " the batch before",
        so="each step goes where the loss fell one step ago, and the last gradient is never used",
        instead=_in_order(evidence, zero, learning[0].place, training),
        edits=(fix,) if fix else (),
        needs_proof=bool(fix),
    )


# The user's lines.


def _zeroing(evidence: Evidence) -> Place | None:
    """The statement that clears gradients, where the program has just one that ran."""
    found = [
        unit.place(node)
        for unit in units(evidence.program, evidence.trace)
        for node in ast.walk(unit.tree)
        if isinstance(node, ast.Expr | ast.Assign | ast.For) and _clears(node) and ran(evidence.trace, unit.place(node))
    ]
    outer = [place for place in found if not any(place != other and _within(place, other) for other in found)]
    return outer[0] if len(outer) == 1 else None


def _within(inner: Place, outer: Place) -> bool:
    same = (inner.file, inner.cell) == (outer.file, outer.cell)
    return same and outer.line <= inner.line and inner.end_line <= outer.end_line


def _clears(node: ast.stmt) -> bool:
    """``optimizer.zero_grad()``, ``w.grad.zero_()``, ``w.grad = None``, or a loop of nothing else."""
    match node:
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="zero_grad"))):
            return True
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Attribute(attr="grad" | "data"), attr="zero_"))):
            return ".grad" in ast.unparse(node)
        case ast.Assign(targets=[ast.Attribute(attr="grad")], value=ast.Constant(value=None)):
            return True
        case ast.For(body=body):
            return all(_clears(one) for one in body)
        case _:
            return False


def _ordered(evidence: Evidence, zero: Place | None, backward: Place | None, training: Training) -> Edits:
    """The three statements in their order: put where the three stand, if they share a block."""
    program = evidence.program
    if zero is None or backward is None or training.place is None:
        return ()
    places = [edits.statement(program, place) for place in (zero, backward, training.place)]
    unit, block = program.unit(zero), _block(program, places)
    if unit is None or block is None or len({place.line for place in places}) < len(places):
        return ()
    places = [unit.place(block[_position(unit, block, place)]) for place in places]
    texts = [program.text(place) for place in places]
    stand = sorted(places)
    forward = max((f.place.line for f in evidence.trace.forwards[:1] if f.place and _holds(block, f.place)), default=0)
    if stand[1].line > forward or any("\n" in text for text in texts):
        return tuple(
            edits.replace(place, text) for place, text in zip(stand, texts, strict=True) if program.text(place) != text
        )
    added = edits.insert_line(program, places[1], texts[2])
    return (edits.replace(places[2], texts[0]), added) if added else ()


def _in_order(evidence: Evidence, zero: Place | None, backward: Place | None, training: Training) -> str:
    program = evidence.program
    words = [
        program.text(edits.statement(program, place)).split("\n")[0]
        for place in (zero, backward, training.place)
        if place
    ]
    if len(words) == 3:
        return f"{words[0]}, then {words[1]}, then {words[2]}"
    return "clear the gradients before backward(), and step after it"


def _block(program: Program, places: list[Place]) -> list[ast.stmt] | None:
    """The innermost block of statements that has all the places."""
    unit = program.unit(places[0])
    if unit is None or len({(place.file, place.cell) for place in places}) > 1:
        return None
    paths = [[block for block, _ in path_to(unit, place)] for place in places]
    for block in reversed(paths[0]):
        if all(any(block is other for other in path) for path in paths[1:]):
            return block
    return None


def _position(unit: Unit, block: list[ast.stmt], place: Place) -> int:
    """Which statement of a block holds a place; -1 where none does."""
    spans = [unit.place(node) for node in block]
    return next((k for k, span in enumerate(spans) if span.line <= place.line <= span.end_line), -1)


def _holds(block: list[ast.stmt], place: Place) -> bool:
    return block[0].lineno <= place.line <= (block[-1].end_lineno or block[-1].lineno)
