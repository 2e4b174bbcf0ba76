"""Gradients that are clipped where it changes nothing: when the step has been made, or before there are any."""

import ast
import math
from collections.abc import Iterator, Sequence
from typing import Final

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.clip import Clip
from byhand.doctor.finding import Finding
from byhand.doctor.place import Place
from byhand.doctor.text import edits
from byhand.doctor.text.edits import Edits
from byhand.doctor.text.program import Program
from byhand.doctor.text.splice import lines
from byhand.doctor.text.tree import function_around, path_to
from byhand.doctor.trace import Trace

__all__ = ["clipped_in_vain"]

_FEW: Final = 3  # calls from which a habit can be told
_OVER: Final = 1.01  # times the limit: clipping would have changed a step


def clipped_in_vain(evidence: Evidence) -> Iterator[Finding]:
    """``clip_grad_norm_`` after the step or before ``backward()``, or on arrays that have no gradient."""
    program, trace = evidence.program, evidence.trace
    if len(trace.trainings) != 1 or len(trace.optimizers) > 1 or any(one.stale for one in trace.backwards):
        return
    training = trace.trainings[0]
    calls = [one for one in trace.clips if math.isfinite(one.limit) and training.first <= one.clock <= training.last]
    places = {one.place for one in calls}
    learnt = {one.clock for one in trace.backwards}
    if len(calls) < _FEW or len(places) != 1 or any(not learnt & {one.clock, one.clock - 1} for one in calls):
        return  # or its gradients come from elsewhere than a backward pass that was seen
    place = calls[0].place
    over = _over(trace, calls)
    if place is None or over is None:
        return
    what = "its norm" if calls[0].name == "clip_grad_norm_" else "its largest number"
    so = f"no step was made with a clipped gradient: {what} reached {over:.3g}, and the limit is {calls[0].limit:g}"
    if not any(one.fresh for one in calls):
        late = any(one.gradients and one.size for one in calls)
        fix, instead = _moved(program, trace, place)
        when = "after the step that its gradients were for" if late else "before the gradients were there"
        saw = f"each of the {len(calls):,} calls came {when}, and nothing used what it clipped"
    elif not any(one.gradients for one in calls):
        fix, instead = (), "clip the parameters that the optimizer has"
        count = calls[0].arrays
        saw = f"none of the {count:,} arrays that it was given had a gradient, in {len(calls):,} calls"
    else:
        return
    yield Finding("clipped-in-vain", "error", place, saw, so, instead, proof="arithmetic", edits=(fix,) if fix else ())


def _over(trace: Trace, calls: Sequence[Clip]) -> float | None:
    """How far the gradients that steps used went over the limit; None where they did not."""
    limit = calls[0].limit
    seen = [one.size for one in calls if one.size is not None]
    if calls[0].name == "clip_grad_norm_":
        squares: dict[int, float] = {}
        for parameter in trace.parameters:
            for sample in parameter.samples if parameter.training == 0 else ():
                if sample.gradient is not None:
                    squares[sample.clock] = squares.get(sample.clock, 0.0) + sample.gradient**2
        seen += [math.sqrt(square) for square in squares.values()]
    most = max((size for size in seen if math.isfinite(size)), default=0.0)
    return most if most > _OVER * limit else None


def _moved(program: Program, trace: Trace, place: Place) -> tuple[Edits, str]:
    """The call's line behind the backward pass, and what then stands there."""
    unit = program.unit(place)
    back = next((one.place for one in reversed(trace.backwards) if one.place), None)
    path = path_to(unit, place) if unit else []
    plain = "call it between backward() and the step"
    if unit is None or back is None or not path or (back.file, back.cell) != (place.file, place.cell):
        return (), plain
    block, position = path[-1]
    statement = block[position]
    if not isinstance(statement, ast.Expr) or len(block) == 1:
        return (), plain
    if function_around(unit, back) != function_around(unit, place):
        return (), plain
    rows = lines(unit.code)
    whole = unit.place(statement)
    text = "".join(rows[whole.line - 1 : whole.end_line])
    alone = text.strip() == program.text(whole).strip() and whole.end_line < len(rows)
    added = edits.insert_line(program, back, program.text(whole))
    if not alone or added is None or "\n" in program.text(whole):
        return (), plain
    gone = edits.replace(whole._replace(column=0, end_line=whole.end_line + 1, end_column=0), "")
    return (gone, added), f"{program.line(back)}\n{program.text(whole)}"
