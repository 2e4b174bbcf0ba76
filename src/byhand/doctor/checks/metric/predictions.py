"""Checks of the choice of a class: its direction, its axis, and whether it depends on the row at all."""

import ast
import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.audit.passes import Pass
from byhand.doctor.checks.reading.calls import last_name
from byhand.doctor.checks.reading.course import fed
from byhand.doctor.checks.reading.straight import is_linear, least_squares
from byhand.doctor.checks.reading.tapes import PRODUCTS, Reading, name_of, readings
from byhand.doctor.finding import Effect, Finding
from byhand.doctor.place import Place
from byhand.doctor.text import edits
from byhand.doctor.text.edits import Edits
from byhand.doctor.text.program import Program
from byhand.doctor.trace import Comparison, Prediction, Trace

__all__ = ["argmax_over_batch", "argmin_as_prediction", "constant_answer"]

_FEW = 30  # rows that say nothing of a direction or an axis
_CLEAR = 0.2  # accuracies this far apart are no accident
_CONSTANT = 0.99
_NO_BETTER = 0.1  # of the rows: the least that a linear layer must be better than one answer for all
_CHOICES = frozenset(("argmin", "min", "topk", "sort", "argsort"))

_Layer = tuple[str, str | None, tuple[int, ...]]


def argmin_as_prediction(evidence: Evidence) -> Iterator[Finding]:
    """The class with the smallest score is taken where a large score means a likely class."""
    for evaluation, prediction, _ in _compared(evidence, ("argmin", "min")):
        if evaluation.smallest or evaluation.accuracy is None or evaluation.scores is None or evaluation.n < _FEW:
            continue
        taken = float((evaluation.scores.argmin(1) == evaluation.labels).mean())
        learnt = evaluation.loss_of == "logits" and _by_cross_entropy(evidence.trace, prediction.place)
        certain = learnt or evaluation.loss_of in ("probabilities", "log-probabilities")
        if evaluation.accuracy < taken + (0 if certain else _CLEAR) or evaluation.accuracy == taken:
            continue
        what = evaluation.loss_of if certain and not learnt else "scores"
        fix = _as_largest(evidence.program, prediction)
        yield Finding(
            check="argmin-as-prediction",
            level="error",
            place=prediction.place,
            saw=f"the smallest of a row's {what} is the label in {taken:.4f} of {evaluation.n:,} rows, the largest in "
            f"{evaluation.accuracy:.4f}",
            so="each prediction is the class that the model holds for the least likely",
            instead=edits.written_if_any(evidence.program, fix) or prediction.name.replace("min", "max"),
            proof="arithmetic",
            effect=Effect("printed accuracy", taken, evaluation.accuracy),
            edits=(fix,) if fix else (),
        )


def _by_cross_entropy(trace: Trace, place: Place | None) -> bool:
    """Whether what is sorted at a place comes out of the layer that a cross-entropy was trained on: large is likely."""
    trained: set[_Layer | None] = set()
    chosen: set[_Layer | None] = set()
    for reading in readings(trace):
        for op in reading.tape.ops:
            if reading.train and name_of(op) == "cross_entropy" and op.inputs:
                trained.add(_layer(reading, op.inputs[0]))
            elif op.place == place and name_of(op) in _CHOICES and op.inputs:
                chosen.add(_layer(reading, op.inputs[0]))
    return bool(chosen) and None not in chosen and chosen <= trained


def _layer(reading: Reading, index: int) -> _Layer | None:
    """The product that scores come out of, by its name, module and weights; None for anything else."""
    summary = reading.value(index).summary
    maker = reading.maker(index) or next(  # torch's numpy() gives an array of which the tape does not know the origin
        (op for op in reading.tape.ops if reading.value(op.output).summary == summary and name_of(op) in PRODUCTS), None
    )
    if maker is None or name_of(maker) not in PRODUCTS or len(maker.inputs) < 2:
        return None
    return maker.name, maker.module, reading.shape(maker.inputs[1])


def argmax_over_batch(evidence: Evidence) -> Iterator[Finding]:
    """The best row of each class is taken, and not the best class of each row."""
    for evaluation, prediction, taken in _compared(evidence, ("argmax", "max", "argmin", "min")):
        scores = prediction.scores
        if scores.ndim != 2 or evaluation.scores is None or evaluation.accuracy is None or evaluation.n < _FEW:
            continue
        batch = next(b for b in evaluation.batches if any(p is prediction for p in b.predictions))
        if batch.scores is None or batch.forward.n < 2 or scores.size != batch.scores.size:
            continue
        axis = _class_axis(scores, batch.scores)
        if axis is None or prediction.axis == axis or prediction.chosen.size == batch.forward.n != scores.shape[axis]:
            continue
        if evaluation.accuracy < taken + _CLEAR:
            continue
        rows, classes = batch.scores.shape
        saw = (
            f"each batch of {rows} rows × {classes} classes gives one number for all, the position of its largest score"
            if prediction.axis is None
            else f"the argmax of {rows} rows × {classes} classes goes over the rows: one row for each class"
        )
        fix = _along(evidence.program, prediction, axis)
        yield Finding(
            check="argmax-over-batch",
            level="error",
            place=prediction.place,
            saw=f"{saw}; {taken:.4f} of these agree with the labels, where the best class of each row does in "
            f"{evaluation.accuracy:.4f}",
            so="row numbers are compared with class numbers, and the accuracy is that of chance",
            instead=edits.written_if_any(evidence.program, fix) or f"{prediction.name} over axis {axis}",
            proof="arithmetic",
            effect=Effect("printed accuracy", taken, evaluation.accuracy),
            edits=(fix,) if fix else (),
        )
    yield from _one_by_one(evidence)


def _one_by_one(evidence: Evidence) -> Iterator[Finding]:
    """The same for rows that are judged one at a time: of the one row in a batch (1, C) each class finds number 0."""
    found: dict[Place, list[tuple[Prediction, Comparison]]] = {}
    for one in evidence.trace.comparisons:
        prediction = evidence.trace.predictions[one.prediction] if one.prediction is not None else None
        if prediction is None or prediction.place is None or one.labels.size != 1:
            continue
        rows, classes = prediction.scores.shape if prediction.scores.ndim == 2 else (0, 0)
        if rows == 1 and classes > 2 and prediction.axis == 0 and one.total == classes:
            found.setdefault(prediction.place, []).append((prediction, one))
    for place, pairs in found.items():
        taken = sum(one.equal for _, one in pairs) / sum(one.total for _, one in pairs)
        actual = sum(int(p.scores.argmax()) == int(one.labels[0]) for p, one in pairs) / len(pairs)
        if len(pairs) < _FEW or actual < taken + _CLEAR:
            continue
        fix = _along(evidence.program, pairs[0][0], 1)
        yield Finding(
            check="argmax-over-batch",
            level="error",
            place=place,
            saw=f"the argmax of 1 row × {pairs[0][1].total} classes goes over the rows: 0 for each class; "
            f"{taken:.4f} of these agree with the labels of {len(pairs):,} rows, where the best class of each row "
            f"does in {actual:.4f}",
            so="row numbers are compared with class numbers, and the accuracy is that of chance",
            instead=edits.written_if_any(evidence.program, fix) or f"{pairs[0][0].name} over axis 1",
            proof="arithmetic",
            effect=Effect("printed accuracy", taken, actual),
            edits=(fix,) if fix else (),
        )


def _class_axis(scores: NDArray[np.float32], by_row: NDArray[np.float32]) -> int | None:
    """The axis of the classes in the program's own table; None where it is another table than that of the rows."""
    if scores.shape != by_row.shape or not np.array_equal(scores, by_row):
        return 0 if scores.shape == by_row.T.shape and np.array_equal(scores, by_row.T) else None
    return 1


def constant_answer(evidence: Evidence) -> Iterator[Finding]:
    """After training, nearly every row gets the same class."""
    main = evidence.audit.main
    if main is None or main.accuracy is None or main.n < _FEW or not main.chosen.size:
        return
    if not evidence.trace.end.by_itself or not _has_learnt(evidence, main):
        return
    classes, counts = np.unique(main.chosen, return_counts=True)
    answer, share = int(classes[counts.argmax()]), float(counts.max() / main.n)
    labels = float((main.labels == answer).mean())
    if share < _CONSTANT or labels > 0.8 or np.unique(main.labels).size < 2:
        return
    every = f"all {main.n:,}" if share == 1 else f"{int(counts.max()):,} of {main.n:,}"
    predictions = main.predictions
    place = predictions[-1].place if predictions else main.forward.place
    saw, so = (
        f"{every} rows are called {answer}; {labels:.4f} of them are",
        "what the model says does not depend on the image",
    )
    instead = "look at the scores of two unlike rows before and after one update: they should differ, and change"
    used = fed(evidence.trace, main.forward.training)
    if used and all(f.labels.size == f.n and (f.labels == answer).all() for f in used):
        rows = np.unique(np.concatenate([f.rows for f in used])).size
        place = _taken(evidence, answer, rows) or place
        saw = f"all {rows:,} rows that the model learnt from are of class {answer}; {saw}"
        so, instead = "it has seen no other class, and can say nothing else", "training rows of every class"
    line = least_squares(evidence) if is_linear(evidence, main.forward.training) else None
    straight = line is not None and line[0] - line[1] < _NO_BETTER
    if line is not None and straight:
        so = (
            f"the model draws straight borders, and none tells these classes apart: the best by least squares is right"
            f" on {line[0]:.3f} of the rows that it learnt from, a single answer on {line[1]:.3f}"
        )
        instead = "a hidden layer with a ReLU, tanh or sigmoid behind it"
    yield Finding(
        check="constant-answer",
        level="error",
        place=place,
        saw=saw,
        so=so,
        instead=instead,
        proof="arithmetic",
        under="stacked-linear-layers" if straight else None,
    )


def _taken(evidence: Evidence, answer: int, rows: int) -> Place | None:
    """Where the labels were first all alike: an array of this class alone, with as many numbers as there are rows."""
    for made in evidence.trace.made:
        alike = made.summary.low == made.summary.high == answer and made.summary.whole
        if alike and math.prod(made.summary.shape) == max(made.summary.shape, default=0) >= max(rows, _FEW):
            return made.place
    return None


def _has_learnt(evidence: Evidence, main: Pass) -> bool:
    training = main.forward.training
    trained = [one for index, one in enumerate(evidence.trace.trainings) if training in (None, index)]
    return any(main.clock > one.first for one in trained)


def _compared(evidence: Evidence, names: tuple[str, ...]) -> Iterator[tuple[Pass, Prediction, float]]:
    """The predictions of these names that were compared with labels, and the share of pairs that were equal.

    Each place once, in the main evaluation if it is there, else in the last.
    """
    trace, seen = evidence.trace, set[Place | None]()
    for evaluation in evidence.audit.newest_first:
        forwards = {batch.forward.index for batch in evaluation.batches}
        pairs = [c for c in trace.comparisons if c.forward in forwards and c.prediction is not None]
        places = {trace.predictions[c.prediction].place: c.prediction for c in pairs if c.prediction is not None}
        for place, index in places.items():
            if trace.predictions[index].name in names and place not in seen:
                seen.add(place)
                mine = [c for c in pairs if c.prediction is not None and trace.predictions[c.prediction].place == place]
                yield evaluation, trace.predictions[index], sum(c.equal for c in mine) / sum(c.total for c in mine)


def _call(program: Program, prediction: Prediction) -> ast.Call | None:
    calls = program.nodes(prediction.place, ast.Call) if prediction.place else []
    return next((call for call in calls if last_name(call.func).endswith(prediction.name)), None)


def _as_largest(program: Program, prediction: Prediction) -> Edits:
    """``argmin`` becomes ``argmax``, ``min`` becomes ``max``."""
    call, unit = _call(program, prediction), program.unit(prediction.place) if prediction.place else None
    if call is None or unit is None:
        return ()
    end = unit.place(call.func)
    last = end._replace(line=end.end_line, column=end.end_column - len("min"))
    return (edits.replace(last, "max"),) if program.text(last) == "min" else ()


def _along(program: Program, prediction: Prediction, axis: int) -> Edits:
    """The axis of a call, replaced or added."""
    call, unit = _call(program, prediction), program.unit(prediction.place) if prediction.place else None
    if call is None or unit is None or prediction.place is None:
        return ()
    for keyword in call.keywords:
        if keyword.arg in ("dim", "axis"):
            return (edits.replace(unit.place(keyword.value), str(axis)),)
    array_first = isinstance(call.func, ast.Name) or (
        isinstance(call.func.value, ast.Name) and call.func.value.id in ("torch", "np", "numpy", "jnp")
        if isinstance(call.func, ast.Attribute)
        else False
    )
    position = 1 if array_first else 0
    if len(call.args) > position:
        return (edits.replace(unit.place(call.args[position]), str(axis)),)
    added = edits.argument(program, unit.place(call), "axis", str(axis))  # torch takes NumPy's name too
    return (added,) if added else ()
