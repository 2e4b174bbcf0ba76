"""A program that judges itself by the rows that it learnt from, and by no others."""

import ast
import math
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.audit.passes import Pass, inside
from byhand.doctor.audit.printed import Line, measures
from byhand.doctor.checks.metric.evaluate import evaluated_on_training_rows
from byhand.doctor.checks.reading import handed, origins
from byhand.doctor.checks.reading.calls import last_name
from byhand.doctor.checks.reading.course import best, fed, number_of_classes
from byhand.doctor.checks.reading.roles import role
from byhand.doctor.finding import Finding
from byhand.doctor.place import Place
from byhand.doctor.text import edits
from byhand.doctor.trace import Forward, Number, Trace

__all__ = ["no_held_out_data"]

_ROWS: Final = 100  # fewer are a toy, learnt by heart on purpose
_ALL: Final = 0.99
_TWICE: Final = 1.5  # visits of a row on average, from which on it is judged after it was learnt from
_KEEPING: Final = frozenset(("save", "savez", "savez_compressed", "dump", "dumps", "savetxt", "save_model", "export"))


def no_held_out_data(evidence: Evidence) -> Iterator[Finding]:
    """Every accuracy that is printed is of rows of the training, and no other rows are ever given to the model."""
    trace, index = evidence.trace, best(evidence)
    if index is None or not trace.end.by_itself or number_of_classes(trace) is None or len(trace.trainings) > 1:
        return
    learnt = [one for one in fed(trace, index) if one.clock < trace.trainings[index].last]
    known = np.unique(np.concatenate([one.rows for one in learnt])) if learnt else np.zeros(0, np.int64)
    if known.size < _ROWS or any(one.rows.size != one.n for one in trace.forwards):
        return
    others = _others(trace, known)
    if others and (_answered(trace, others) or _shows_more(evidence)):
        return
    training = any(one.on == "training" for one in evidence.audit.passes)
    if not training and sum(one.n for one in learnt) < _TWICE * known.size:
        return  # each row is new to the model when it comes, and judged before it is learnt from
    line, judged = _accuracy_of_training(evidence)
    if line is None:
        yield from () if others else _nothing_judged(evidence, known.size, index)
        return
    if any(evaluated_on_training_rows(evidence)) or (judged and role(evidence, judged) == "held-out"):
        return
    place, fix = handed.over(evidence.program, judged.forward, trace) if judged else (None, ())
    parameters = sum(math.prod(p.shape) for p in trace.parameters if p.training == index and p.changed)
    rows = judged.n if judged is not None else known.size
    yield Finding(
        "no-held-out-data",
        "warning",
        place if fix else _judged_at(evidence, judged, line),
        saw=f"the printed {_shown(line)} is of {rows:,} rows that it learnt from, and "
        + (
            f"of the {sum(one.n for one in others):,} others that the model is given none has a label"
            if others
            else "the model is given no others"
        ),
        so=f"it tells how well they are remembered, by {parameters:,} numbers that were fitted to {known.size:,} rows; "
        "how many new ones are right is not known",
        instead=edits.written_if_any(evidence.program, fix)
        or "keep a fifth of the rows out of the training, and judge by those",
        proof="arithmetic" if fix else None,
        edits=(fix,) if fix else (),
    )


def _nothing_judged(evidence: Evidence, rows: int, index: int) -> Iterator[Finding]:
    """A program that chooses no class for any row, prints nothing but its loss and keeps nothing."""
    trace = evidence.trace
    calls = [node for unit in evidence.program.units for node in ast.walk(unit.tree) if isinstance(node, ast.Call)]
    if trace.predictions or trace.comparisons or any(last_name(call.func) in _KEEPING for call in calls):
        return
    if any("accuracy" in measures(number) and _says(number) for one in trace.printed for number in one.numbers):
        return
    training = trace.trainings[index]
    yield Finding(
        "no-held-out-data",
        "note",
        training.loop or training.place,
        saw=f"it learns from {rows:,} rows and judges none",
        so="a loss of training rows does not tell how many new ones are right",
        instead="keep a fifth of the rows out of the training, and print the accuracy on those",
    )


def _judged_at(evidence: Evidence, judged: Pass | None, line: Line) -> Place | None:
    """Where the rows are given to the model, in the function that prints; else where it prints."""
    program, printed = evidence.program, line.printed.place
    if printed is None or judged is None:
        return printed
    home = program.nodes(printed, ast.FunctionDef)[:1]
    same = [one for one in judged.forward.stack if one and (one.file, one.cell) == (printed.file, printed.cell)]
    return next((one for one in same if program.nodes(one, ast.FunctionDef)[:1] == home), printed)


def _says(number: Number) -> bool:
    return measures(number) == frozenset(("accuracy",))


def _shown(line: Line) -> str:
    return f"{line.number.value:.{line.number.decimals}f}{' %' if line.number.percent else ''}"


def _others(trace: Trace, known: NDArray[np.int64]) -> list[Forward]:
    """The forwards that have rows which are not among the known ones, which are sorted."""
    found, _ = inside(known, np.concatenate([one.rows for one in trace.forwards]))
    full = [one for one in trace.forwards if one.n]
    sizes = np.array([one.n for one in full])
    few = np.add.reduceat(found, np.cumsum(sizes) - sizes, dtype=np.int64) < _ALL * sizes
    return [one for one, new in zip(full, few, strict=True) if new]


def _answered(trace: Trace, others: Sequence[Forward]) -> bool:
    """Whether rows may have been judged. If not they are those of a competition: many, with answers, unlabelled."""
    if sum(one.n for one in others) < _ROWS:
        return True  # a few pictures to look at
    compared = {one.forward for one in trace.comparisons} | {one.forward for one in trace.loss_calls}
    chosen = {one.forward for one in trace.predictions}
    return any(one.labels.size or one.index in compared or one.index not in chosen for one in others)


def _shows_more(evidence: Evidence) -> bool:
    """Whether an accuracy is printed that is not known to be of the training rows."""
    shown = sum(_says(number) for one in evidence.trace.printed for number in one.numbers)
    lines = [line for same in evidence.audit.lines for line in same if _says(line.number)]
    return shown != sum(_of_training(line) for line in lines)


def _of_training(line: Line) -> bool:
    made = [one for one, figure in line.evaluations() if figure.measure == "accuracy"]
    learning = [one for one in line.training.figures.values() if one.measure == "accuracy" and line.fit(one)]
    return all(one.on == "training" for one in made) if made else bool(learning)


def _accuracy_of_training(evidence: Evidence) -> tuple[Line | None, Pass | None]:
    """The last line that shows an accuracy of training rows: of an evaluation of them, or as they were learnt from."""
    for same in reversed(evidence.audit.lines):
        line = same[-1]
        if not {"accuracy", "error"} & measures(line.number) or origins.told(line.printed, line.number) == "held-out":
            continue
        if _of_training(line):
            made = [one for one, figure in line.evaluations() if figure.measure == "accuracy"]
            return line, made[0] if made else None
    return None, None
