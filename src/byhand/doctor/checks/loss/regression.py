"""Class numbers as a quantity: the square of how far an output is from 7 makes 6 and 8 better answers than 2.

Letters: N rows of a forward, C classes.
"""

import ast
import math
from collections.abc import Iterator
from itertools import combinations
from typing import Final

import numpy as np

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.loss.fixes import Fix
from byhand.doctor.checks.reading.calls import call_at
from byhand.doctor.checks.reading.kinds import of_model
from byhand.doctor.checks.reading.tapes import PRODUCTS, Reading, name_of, readings
from byhand.doctor.finding import Finding
from byhand.doctor.place import Place
from byhand.doctor.tape import Op
from byhand.doctor.text.edits import replace
from byhand.doctor.text.program import Program
from byhand.doctor.trace import Examples, Trace

__all__ = ["regression_on_class_numbers"]

_LOSSES: Final = frozenset({"mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"})
_ORDERED: Final = 0.3
"""Correlation of the classes' distances with those of their numbers, from which on the numbers may mean something."""

_CLASSES: Final = 3  # of two, 0 and 1 are as good as any
_EXACT: Final = frozenset({"==", "!=", "accuracy_score", "balanced_accuracy_score", "array_equal", "equal"})


def regression_on_class_numbers(evidence: Evidence) -> Iterator[Finding]:
    """A loss of distances, between outputs and class numbers of three classes or more that have no order.

    Ratings, ages and counts are numbers: there classes that are next to each other look alike, and nothing is said.
    One-hot targets are fine, and so are 0 and 1.
    """
    trace = evidence.trace
    seen: set[Place | None] = set()
    found = [
        (reading, op, pair)
        for reading in readings(trace)
        if reading.train and len(np.unique(reading.labels)) >= _CLASSES
        for op in reading.tape.ops
        if (pair := _pair(reading, op))
    ]
    order = _order(trace.trained_on) if found else None
    if order is not None and order >= _ORDERED:
        return
    for reading, op, (out, target) in found:
        if op.place not in seen:
            classes = len(np.unique(reading.labels))
            shape = reading.shape(out)
            several = len(shape) == 2 and min(shape) > 1
            if not several and (order is None or not _is_judged_by_class(trace)):
                continue
            seen.add(op.place)
            fix = _cross_entropy(evidence.program, reading, op, out, target) if several else Fix(op.place, "")
            yield Finding(
                "regression-on-class-numbers",
                "error" if several else "warning",
                op.place,
                _told(reading, op, out, classes, order, several=several),
                "all outputs of a row learn the same number, so that the largest of them tells nothing"
                if several
                else f"an answer of {classes - 2} counts as nearly right for class {classes - 1}, and a row that could "
                f"be 0 or {classes - 1} is answered with {(classes - 1) / 2:.3g}",
                fix.text or f"{classes} outputs, one a class, with cross_entropy; or one-hot targets",
                proof="arithmetic" if several else None,
                edits=fix.edits,
            )


def _pair(reading: Reading, op: Op) -> tuple[int, int] | None:
    """The outputs and the class numbers of which a loss takes the distance."""
    name = name_of(op)
    if len(op.inputs) < 2 or not (name in _LOSSES or (name == "sub" and _is_distance(reading, op))):
        return None
    for out, target in (op.inputs[:2], op.inputs[1::-1]):
        z = reading.value(out).summary
        if z.dtype.startswith("float") and not z.whole and of_model(reading, out) and _are_numbers(reading, target):
            classes = z.shape[-1] if len(z.shape) == 2 else 1
            fits = math.prod(z.shape) == reading.n or (len(z.shape) == 2 and z.shape[0] == reading.n and classes > 1)
            return (out, target) if fits else None
    return None


def _are_numbers(reading: Reading, index: int) -> bool:
    """Whether a value is the labels as numbers: (N,), (N, 1), or the same number in each of the C columns."""
    y = reading.array(index)
    if y is None or of_model(reading, index) or len(reading.labels) != reading.n or not y.size:
        return False
    if y.ndim == 2 and y.shape[0] == reading.n and y.shape[1] > 1 and bool((y == y[:, :1]).all()):
        y = y[:, 0]
    return y.size == reading.n and np.array_equal(y.ravel(), reading.labels)


def _is_distance(reading: Reading, op: Op) -> bool:
    """Whether a difference is squared or its absolute value taken, or (by hand) a product makes a gradient of it."""
    reached = {op.output}
    for other in reading.tape.ops:
        if not reached.intersection(other.inputs):
            continue
        name = name_of(other)
        if name in ("abs", "square", "norm", "dot") or (name in PRODUCTS and reading.tape.loss is None):
            return True
        if name == "pow" and (2.0 in other.constants or not other.constants):
            return True
        if name == "mul" and len(other.inputs) == 2 and set(other.inputs) <= reached:
            return True
        if name == "view" or (name in ("mul", "div") and len(other.inputs) == 1):
            reached.add(other.output)
    return False


def _order(examples: Examples | None) -> float | None:
    """How far the distances between the classes' mean rows go with those between their numbers: a correlation.

    None where fewer than three classes were seen.
    """
    if examples is None or not len(examples.labels) or len(examples.labels) != len(examples.rows):
        return None
    rows = examples.rows.reshape(len(examples.rows), -1).astype(np.float64)
    classes = [int(k) for k in np.unique(examples.labels)]
    if len(classes) < 3 or len(classes) > 200:
        return None
    means = {k: rows[examples.labels == k].mean(axis=0) for k in classes}
    pairs = list(combinations(classes, 2))
    apart = np.array([float(np.linalg.norm(means[a] - means[b])) for a, b in pairs])
    steps = np.array([float(b - a) for a, b in pairs])
    if apart.std() == 0 or steps.std() == 0:
        return None
    return float(np.corrcoef(apart, steps)[0, 1])


def _is_judged_by_class(trace: Trace) -> bool:
    """Whether answers are counted as right or wrong: a regression asks how far off they are."""
    return any(one.name in _EXACT and len(np.unique(one.labels)) > 2 for one in trace.comparisons)


def _told(reading: Reading, op: Op, out: int, classes: int, order: float | None, *, several: bool) -> str:
    shape = reading.shape(out)
    what = op.name if name_of(op) in _LOSSES else "the difference"
    last = int(reading.labels.max())
    saw = f"{what} compares outputs of shape {shape} with the class numbers {int(reading.labels.min())} … {last}"
    if several:
        return f"{saw}: each of the {min(reading.shape(out)[1], 10**6)} outputs of a row is to become the row's number"
    if order is None:
        return saw
    return f"{saw}; classes with numbers that are close are not more alike (a correlation of {order:.2f})"


def _cross_entropy(program: Program, reading: Reading, op: Op, out: int, target: int) -> Fix:
    """cross_entropy in the place of a call of mse_loss and the like, where the outputs are C a row."""
    call = call_at(program, op.place)
    labels = _integers(reading, target)
    words = f"cross_entropy of the {reading.shape(out)[1]} outputs and the class numbers"
    if not call or len(call.node.args) < 2 or not labels or "torch" not in call.unit.code:
        return Fix(op.place, words)
    position = op.inputs.index(out)
    scores = program.text(call.unit.place(call.node.args[position]))
    if any(isinstance(node, ast.Starred) for node in call.node.args):
        return Fix(op.place, words)
    text = f"torch.nn.functional.cross_entropy({scores}, {labels})"
    return Fix(call.place, text, ((replace(call.place, text),),))


def _integers(reading: Reading, index: int) -> str:
    """The name of the labels as they were before they became floats of another shape; "" where none is known."""
    source: int | None = index
    while source is not None:
        value = reading.value(source)
        if value.name and value.summary.dtype.startswith("int") and value.summary.shape == (reading.n,):
            return value.name
        op = reading.makers.get(source)
        source = op.inputs[0] if op and name_of(op) in ("view", "getitem") and op.inputs else None
    return ""
