"""Where a program switches its model between the modes, and whether it keeps dropout on by intent."""

import ast
from collections.abc import Callable, Sequence

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.audit.passes import Pass
from byhand.doctor.checks.reading.course import fed
from byhand.doctor.checks.reading.roles import role
from byhand.doctor.layers import Layer
from byhand.doctor.place import Place
from byhand.doctor.text import edits
from byhand.doctor.text.edits import Edits
from byhand.doctor.text.tree import holds
from byhand.doctor.trace import Forward

__all__ = ["evaluating", "layers_of", "to_speak_of", "training"]


def to_speak_of(evidence: Evidence, is_odd: Callable[[Pass], bool] = lambda _: True) -> Pass | None:
    """An evaluation of held-out rows that is odd in some way, and not on purpose: the main one, or else the last."""
    passes = _judging(evidence)
    odd = [p for p in passes if is_odd(p) and not _on_purpose(passes, p)]
    return next((p for p in odd if p is evidence.audit.main), odd[-1] if odd else None)


def _judging(evidence: Evidence) -> list[Pass]:
    """The evaluations on rows held out, after the first update."""
    return [p for p in evidence.audit.passes if p.clock > 0 and (p.on == "held-out" or role(evidence, p) == "held-out")]


def layers_of(evidence: Evidence, forward: Forward) -> list[Layer]:
    """Dropout and batch norm as they ran in a forward."""
    return [evidence.trace.layers[index] for index in forward.layers]


def training(evidence: Evidence, forward: Forward, judged: Forward) -> tuple[Place, Edits, str] | None:
    """``model.train()`` before the training that a forward is of goes on, after the evaluation of another.

    Returns:
        The place of the model's call, the edit, and the new line; None where the call is not found.
    """
    taught = _call(evidence, forward)
    if taught is None:
        return None
    place, name = taught
    line = f"{name}.train()"
    edit = edits.insert_line(evidence.program, _around(evidence, place, judged.stack), line, after=False)
    return place, (edit,) if edit else (), line


def _on_purpose(passes: Sequence[Pass], one: Pass) -> bool:
    """Whether a program that knows the modes keeps dropout on to see its spread.

    Then the same weights judge the same rows again and again, or judge them in evaluation mode as well.
    """
    if len(one.predictions) > 3 * len(one.batches):
        return True
    rows, twins = set(one.rows.tolist()), [p for p in passes if p.clock == one.clock]
    if sum(p.n == one.n and set(p.rows.tolist()) == rows for p in twins) > 3:
        return True
    sober = [p for p in twins if all(b.forward.fixed and not b.forward.noisy for b in p.batches)]
    return any(rows <= set(p.rows.tolist()) for p in sober)


def evaluating(evidence: Evidence, one: Pass) -> tuple[Place | None, Edits, str]:
    """``model.eval()`` before the pass, and ``model.train()`` before the training goes on."""
    program, learning = evidence.program, fed(evidence.trace, one.forward.training)
    judged, taught = _call(evidence, one.forward), _call(evidence, learning[0]) if learning else None
    if judged is None or taught is None:
        return one.forward.place, (), "model.eval() before the evaluation, model.train() before the training goes on"
    (place, name), (other, teaching) = judged, taught
    loop = _around(evidence, place, learning[0].stack)
    before = edits.insert_line(program, loop, f"{name}.eval()", after=False)
    again = edits.insert_line(program, _around(evidence, other, one.forward.stack), f"{teaching}.train()", after=False)
    fix = (before, again) if before is not None and again is not None else ()
    return place, fix, f"{name}.eval() before this, {teaching}.train() before the training goes on"


def _call(evidence: Evidence, forward: Forward) -> tuple[Place, str] | None:
    """Where the user calls the model, outside its own methods, and by what name."""
    program = evidence.program
    inside = [i for i, place in enumerate(forward.stack) if _function(evidence, place) in ("forward", "__call__")]
    for place in forward.stack[inside[-1] + 1 if inside else 0 :][:1]:
        unit = program.unit(place)
        for call in program.nodes(place, ast.Call):
            if unit and unit.place(call) == place and isinstance(call.func, ast.Name | ast.Attribute):
                return place, ast.unparse(call.func)
    return None


def _function(evidence: Evidence, place: Place) -> str:
    around = evidence.program.nodes(place, ast.FunctionDef)
    return around[0].name if around else ""


def _around(evidence: Evidence, place: Place, apart: Sequence[Place]) -> Place:
    """The outermost loop around a place that does not go round ``apart`` too; its statement where there is none."""
    program, unit = evidence.program, evidence.program.unit(place)
    functions = program.nodes(place, ast.FunctionDef)
    widest = edits.statement(program, place)
    for node in program.nodes(place, ast.For) if unit else ():
        span = unit.place(node) if unit else place
        outside = bool(functions) and unit is not None and not holds(unit.place(functions[0]), span)
        if outside or any((p.file, p.cell) == (span.file, span.cell) and holds(span, p) for p in apart if p != place):
            break
        widest = span
    return widest
