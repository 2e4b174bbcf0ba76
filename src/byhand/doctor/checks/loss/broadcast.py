"""A loss of N rows that pairs every prediction with every target: (N, 1) and (N,) broadcast to (N, N)."""

import ast
import math
from collections.abc import Iterator
from typing import Final

import numpy as np

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.reading.calls import bracketed
from byhand.doctor.checks.reading.kinds import equal_labels, of_model
from byhand.doctor.checks.reading.tapes import PICKS, Reading, name_of, readings
from byhand.doctor.finding import Edit, Finding
from byhand.doctor.place import Place
from byhand.doctor.tape import Op
from byhand.doctor.text.edits import replace
from byhand.doctor.text.program import Program

__all__ = ["broadcast_loss"]

_PAIRED: Final = frozenset({"sub", "add", "mul", "div", "pow", "where", "clamp", "minimum", "eq", "ne", "xlogy"})
_LOSSES: Final = frozenset({"mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy"})
_SQUARED: Final = frozenset({"mse_loss"})


def broadcast_loss(evidence: Evidence) -> Iterator[Finding]:
    """One side of the loss is (N, 1), the other (N,), and N² pairs are compared instead of N.

    Only where the model made one side and had no part in the other: pairwise distances of its outputs are meant.
    """
    seen: set[Place | None] = set()
    for reading in reversed(readings(evidence.trace)):
        of_loss = {id(op) for op in reading.ancestors(reading.tape.loss)}
        for op in reading.tape.ops:
            known = id(op) in of_loss or name_of(op) in _LOSSES
            pair = _pair(reading, op) if known and op.place not in seen else None
            if pair is None:
                continue
            seen.add(op.place)
            column, row = pair
            n = reading.n
            edits, text = _flat(evidence.program, op, op.inputs.index(column))
            weighted = of_model(reading, column) and of_model(reading, row)
            yield Finding(
                "broadcast-loss",
                "error",
                op.place,
                f"({n}, 1) and ({n},) give ({n}, {n}): the loss is a mean over {n * n:,} pairs, every "
                f"{'weight with every loss' if weighted else 'prediction with every target'}, not over {n} rows"
                f"{_numbers(reading, op, column, row)}",
                "each row's loss gets the weights of all rows, so that they single out none"
                if weighted
                else "the best that each prediction can do is the mean of all targets",
                text or "give both sides the shape (N,), with squeeze(1) on the one that is (N, 1)",
                proof="arithmetic",
                edits=edits,
            )


def _pair(reading: Reading, op: Op) -> tuple[int, int] | None:
    """The operands (N, 1) and (N,), if N² pairs come of them by mistake."""
    n = reading.n
    if n < 2 or name_of(op) not in _PAIRED | _LOSSES:
        return None
    columns = [i for i in op.inputs if reading.shape(i) == (n, 1)]
    rows = [i for i in op.inputs if reading.shape(i) == (n,)]
    grown = name_of(op) in _LOSSES or reading.shape(op.output) == (n, n)
    if not columns or not rows or not grown:
        return None
    column, row = columns[0], rows[0]
    if name_of(op) == "mul" and _is_weighted(reading, op, column, row):
        return column, row
    made, given = (column, row) if of_model(reading, column) else (row, column)
    meant = not of_model(reading, made) or of_model(reading, given) or not _of_labels(reading, given)
    return None if meant else (column, row)


def _is_weighted(reading: Reading, op: Op, column: int, row: int) -> bool:
    """Whether a loss of each row is multiplied by a weight of each row, and the mean or sum of all is the loss.

    Both were picked out by the labels, so that both are of one row, as (1 − p)^γ and −log p are.
    """
    if not all(of_model(reading, i) and _is_picked(reading, i) for i in (column, row)):
        return False
    index = op.output
    while index != reading.tape.loss:
        after = [other for other in reading.tape.ops if index in other.inputs]
        if len(after) != 1 or name_of(after[0]) not in ("mean", "sum", "neg", "view"):
            return False
        index = after[0].output
    return True


def _is_picked(reading: Reading, index: int) -> bool:
    """Whether a value has one number a row that the row's label chose."""
    return any(
        name_of(op) in PICKS | {"cross_entropy", "nll_loss"} and any(equal_labels(reading, i) for i in op.inputs[1:])
        for op in reading.ancestors(index)
    )


def _of_labels(reading: Reading, index: int) -> bool:
    """Whether a value comes of the labels, or of N whole numbers that can be nothing else."""
    values = [reading.value(i) for i in {index}.union(*(op.inputs for op in reading.ancestors(index)))]
    return any(v.labels or (v.summary.whole and math.prod(v.summary.shape) == reading.n) for v in values)


def _numbers(reading: Reading, op: Op, column: int, row: int) -> str:
    """The loss of this batch as it is and with equal shapes, for squared differences."""
    a, b = reading.array(column), reading.array(row)
    after = [other for other in reading.tape.ops if op.output in other.inputs]
    squared = name_of(op) in _SQUARED or (
        name_of(op) == "sub"
        and any(name_of(other) == "square" or (name_of(other) == "pow" and 2.0 in other.constants) for other in after)
    )
    if a is None or b is None or not squared:
        return ""
    a, b = a.ravel(), b.ravel()
    return f": {float(np.mean((a[:, None] - b) ** 2)):.4g} here, {float(np.mean((a - b) ** 2)):.4g} row by row"


def _flat(program: Program, op: Op, position: int) -> tuple[tuple[tuple[Edit, ...], ...], str]:
    """The edit that makes the (N, 1) operand flat, and the code that comes of it."""
    unit = program.unit(op.place) if op.place else None
    if not unit or not op.place:
        return (), ""
    for node in program.nodes(op.place, ast.expr):
        if unit.place(node) != op.place:
            continue
        sides: list[ast.expr] = []
        if isinstance(node, ast.BinOp):
            sides = [node.left, node.right]
        elif isinstance(node, ast.Call):
            sides = [*node.args]
        if position >= len(sides) or len(sides) != len(op.inputs):
            continue
        place = unit.place(sides[position])
        new = f"{bracketed(program, place)}.squeeze(1)"
        head, _, tail = program.text(op.place).partition(program.text(place))
        if position:
            head, _, tail = program.text(op.place).rpartition(program.text(place))
        return ((replace(place, new),),), f"{head}{new}{tail}"
    return (), ""
