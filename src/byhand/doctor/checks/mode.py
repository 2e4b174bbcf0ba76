"""A model that is judged in the mode in which it is trained."""

import ast
from collections.abc import Iterator, Sequence

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.audit.passes import Pass
from byhand.doctor.checks.roles import role
from byhand.doctor.finding import Finding
from byhand.doctor.place import Place
from byhand.doctor.text import edits
from byhand.doctor.text.edits import Edits
from byhand.doctor.text.tree import holds
from byhand.doctor.trace import Forward

__all__ = ["evaluated_in_train_mode"]


def evaluated_in_train_mode(evidence: Evidence) -> Iterator[Finding]:
    """Dropout that still drops, or batch norm that still uses the batch at hand, while the model is judged."""
    passes = [
        p for p in evidence.audit.passes if p.clock > 0 and (p.on == "held-out" or role(evidence, p) == "held-out")
    ]
    noisy = [p for p in passes if _is_noisy(p) and not _on_purpose(passes, p)]
    if not noisy:
        return
    one = next((p for p in noisy if p is evidence.audit.main), noisy[-1])
    names = sorted({name for batch in one.batches for name in batch.forward.noisy})
    verb = "was" if len(names) == 1 else "were"
    drops = any("Dropout" in name for name in names)
    place, fix, instead = _switched(evidence, one)
    yield Finding(
        "evaluated-in-train-mode",
        "warning",
        place,
        saw=f"{' and '.join(names)} {verb} in training mode while {one.n:,} held-out rows were judged",
        so="a part of the units is dropped at random there" if drops else "a row's answer depends on its batch",
        instead=instead,
        edits=(fix,) if fix else (),
        needs_proof=bool(fix),
    )


def _is_noisy(one: Pass) -> bool:
    """Whether most batches went through layers that were in training mode, all of them."""
    return sum(bool(b.forward.noisy) and not b.forward.fixed for b in one.batches) > len(one.batches) / 2


def _on_purpose(passes: Sequence[Pass], one: Pass) -> bool:
    """Whether a program that knows the modes keeps dropout on to see its spread.

    Then the same weights judge the same rows again and again, or judge them in evaluation mode as well.
    """
    if len(one.predictions) > 3 * len(one.batches):
        return True
    rows, twins = set(one.rows.tolist()), [p for p in passes if p.clock == one.clock]
    if sum(p.n == one.n and set(p.rows.tolist()) == rows for p in twins) > 3:
        return True
    return any(rows <= set(p.rows.tolist()) and all(b.forward.fixed for b in p.batches) for p in twins)


def _switched(evidence: Evidence, one: Pass) -> tuple[Place | None, Edits, str]:
    """``model.eval()`` before the pass, and ``model.train()`` before the training goes on."""
    program, trace = evidence.program, evidence.trace
    learning = [f for f in trace.forwards if f.kind == "train" and f.training == one.forward.training]
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
