"""Scores that were made coarse before the best of them was chosen, so that the first of several equal ones wins."""

import ast
from collections.abc import Iterator
from typing import Final

import numpy as np

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.audit.passes import Pass
from byhand.doctor.checks.metric.visible import is_visible
from byhand.doctor.checks.reading.calls import bracketed, call_at
from byhand.doctor.finding import Effect, Finding
from byhand.doctor.place import Place
from byhand.doctor.text import edits
from byhand.doctor.text.edits import Edits
from byhand.doctor.text.program import Program
from byhand.doctor.text.tree import holds
from byhand.doctor.trace import Prediction

__all__ = ["rounded_before_argmax"]

_ROWS: Final = 30


def rounded_before_argmax(evidence: Evidence) -> Iterator[Finding]:
    """Scores are rounded, cut to whole numbers or compared with a number, and then the largest is looked for."""
    told = set[Place]()
    for evaluation in evidence.audit.newest_first:
        for place in dict.fromkeys(p.rounded[-1] for p in evaluation.predictions if p.rounded):
            if place in told:
                continue
            told.add(place)
            mine = [p for p in evaluation.predictions if p.rounded and p.rounded[-1] == place]
            found = _finding(evidence, evaluation, mine)
            if found is not None:
                yield found


def _finding(evidence: Evidence, evaluation: Pass, mine: list[Prediction]) -> Finding | None:
    changed = sum(_changed(one) for one in mine)
    rows = sum(one.chosen.size for one in mine)
    accuracy = evaluation.accuracy
    if not changed or rows < _ROWS or accuracy is None or evaluation.smallest:
        return None
    taken = _taken(evaluation, mine)
    if taken is None:
        return None
    place = mine[-1].rounded[-1]
    fix = _kept(evidence.program, mine[-1])
    harmless = not is_visible(taken, accuracy)
    return Finding(
        "rounded-before-argmax",
        "note" if harmless else "error",
        place,
        saw=f"of {rows:,} rows {changed:,} get another class than by the scores as they were before this line: with it "
        f"{taken:.4f} are right, without it {accuracy:.4f}",
        so="harmless here: as many answers get better as get worse"
        if harmless
        else "several classes of a row have the same score then, often all of them 0, and the argmax takes the first",
        instead=edits.written_if_any(evidence.program, fix) or "take the argmax of the scores as they are",
        proof="arithmetic",
        effect=Effect("printed accuracy", taken, accuracy),
        edits=(fix,) if fix else (),
    )


def _changed(one: Prediction) -> int:
    """The rows for which the exact scores choose another class than was chosen."""
    if one.scores.ndim != 2 or one.axis is None:
        return 0
    exact = one.scores.argmin(one.axis) if "min" in one.name else one.scores.argmax(one.axis)
    return int((exact != one.chosen.reshape(-1)).sum()) if exact.size == one.chosen.size else 0


def _taken(evaluation: Pass, mine: list[Prediction]) -> float | None:
    """The share of rows whose label was chosen."""
    chosen = np.concatenate([one.chosen.reshape(-1) for one in mine])
    if chosen.size != evaluation.labels.size:
        return None
    return float((chosen == evaluation.labels).mean())


def _kept(program: Program, one: Prediction) -> Edits:
    """The edit that leaves the scores as they are: of several changes, those that are written in one another."""
    first, last = one.rounded[0], one.rounded[-1]
    if not all(holds(last, place) for place in one.rounded):
        return ()
    call, unit = call_at(program, first), program.unit(first)
    operand = call.operand if call is not None else None
    for node in program.nodes(first, ast.Compare)[:1]:
        if unit is not None and unit.place(node) == first and len(node.ops) == 1:
            operand = unit.place(node.left)
    if operand is None:
        return ()
    around = last._replace(column=max(0, last.column - 1), end_column=last.end_column + 1)
    text = bracketed(program, operand)
    bare = program.text(around) == f"({program.text(last)})"
    return (edits.replace(around if bare and _is_group(program, around) else last, text),)


def _is_group(program: Program, around: Place) -> bool:
    """Whether the parentheses at a place only group, and are not those of a call."""
    before = program.text(around._replace(column=max(0, around.column - 1), end_column=around.column))
    return not (before.isalnum() or before in ("_", ")", "]"))
