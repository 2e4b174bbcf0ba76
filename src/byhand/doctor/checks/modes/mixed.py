"""Rows of a batch that get into each other: numbers that change places between them, or what goes along them."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.modes.sequences import along_rows
from byhand.doctor.checks.reading.calls import call_at, with_axis
from byhand.doctor.checks.reading.chain import products
from byhand.doctor.checks.reading.tapes import Reading, name_of, readings
from byhand.doctor.finding import Finding
from byhand.doctor.place import Place
from byhand.doctor.tape import Op
from byhand.doctor.text import edits
from byhand.doctor.text.edits import Edits

__all__ = ["rows_mixed_across_batch"]

_OVER: Final = frozenset({"mean", "std", "var", "sum", "norm", "softmax", "log_softmax", "normalize", "cumsum"})
"""Operations whose outcome along the rows hangs on all of them. A largest number that is taken off is for safety."""

_CHOICES: Final = frozenset({"argmax", "argmin", "max", "min", "topk", "sort", "argsort"})
_TURNS: Final = frozenset({"transpose", "permute", "swapaxes", "movedim"})
_ENOUGH: Final = 4  # rows


def rows_mixed_across_batch(evidence: Evidence) -> Iterator[Finding]:
    """What a model says of a row hangs on the other rows of its batch, while it is judged."""
    seen: set[Place | None] = set()
    read = readings(evidence.trace)
    for reading in read:
        if reading.train or reading.n < _ENOUGH:
            continue
        scores = _scores(reading)
        within = _within(reading, scores)
        for finding in along_rows(evidence, read, reading, within):
            if finding.place not in seen:
                seen.add(finding.place)
                yield finding
        for op in reading.tape.ops:
            if op.output not in within or op.place in seen:
                continue
            if (moved := _moved(reading, op)) is not None:
                seen.add(op.place)
                yield _of_view(evidence, reading, op, moved)
            elif op.output not in scores and _over_rows(reading, op):
                seen.add(op.place)
                yield _of_axis(evidence, reading, op)


def _scores(reading: Reading) -> set[int]:
    """What predictions are chosen from, and the same before a softmax or a view."""
    choices = [op.inputs[0] for op in reading.tape.ops if name_of(op) in _CHOICES and op.inputs]
    chosen = [index for index in choices if reading.shape(index)[:1] == (reading.n,)]  # a class for each row
    found = set(chosen)
    for index in chosen:
        while (op := reading.makers.get(index)) and op.inputs and name_of(op) in ("view", "softmax", "log_softmax"):
            index = op.inputs[0]
            found.add(index)
    return found


def _within(reading: Reading, scores: set[int]) -> set[int]:
    """The values between the forward's first product, or its rows, and the scores."""
    before = {op.output for index in scores for op in reading.ancestors(index)}
    roots = {i for op in reading.tape.ops for i in op.inputs if reading.value(i).rows}
    roots |= {layer.op.output for layer in products(reading)}
    after: set[int] = set()
    for root in roots:
        after |= reading.leads_to(root)
    return before & after


def _moved(reading: Reading, op: Op) -> int | None:
    """How many of the N rows of a view hold other numbers than before it; None where none do, or it is no view.

    Views in a row are one: only what has N rows again counts.
    """
    if name_of(op) != "view" or not op.inputs:
        return None
    index = op.inputs[0]
    while (
        (earlier := reading.makers.get(index))
        and name_of(earlier) == "view"
        and reading.shape(index)[:1] != (reading.n,)
    ):
        index = earlier.inputs[0]
    before, after = reading.array(index), reading.array(op.output)
    known = before is not None and after is not None and before.size == after.size
    if before is None or after is None or not known or before.shape[:1] != after.shape[:1] != (reading.n,):
        return None
    if before.shape[:1] != (reading.n,) or before.shape == before.shape[:1]:
        return None
    left, right = (np.sort(values.reshape(reading.n, -1), axis=1) for values in (before, after))
    if left.shape != right.shape or not np.array_equal(np.sort(left, axis=None), np.sort(right, axis=None)):
        return None
    moved = int((left != right).any(axis=1).sum())
    return moved if moved > reading.n / 2 else None


def _over_rows(reading: Reading, op: Op) -> bool:
    """Whether an operation goes along the N rows of what it is given."""
    shape = reading.shape(op.inputs[0]) if op.inputs else ()
    axis = op.options.get("axis")
    alone = len(shape) > 1 and shape[0] == reading.n and reading.n not in shape[1:]
    return name_of(op) in _OVER and alone and axis == 0 and not isinstance(axis, bool)


def _of_view(evidence: Evidence, reading: Reading, op: Op, moved: int) -> Finding:
    fix = _turned_back(evidence, reading, op)
    shape = " × ".join(map(str, reading.shape(op.output)))
    return Finding(
        "rows-mixed-across-batch",
        "error",
        op.place,
        saw=f"what comes out as {shape} has in {moved} of its {reading.n} rows numbers of other rows",
        so="what is said of an image is made of parts of others: it changes with the rows beside it",
        instead="permute or transpose to exchange axes, view and reshape only to merge neighbouring ones;"
        " the first axis stays that of the rows",
        proof="arithmetic",
        edits=(fix,) if fix else (),
    )


def _turned_back(evidence: Evidence, reading: Reading, op: Op) -> Edits:
    """Where the rows stand second before a reshape: without the call that put them there, or with another one."""
    program, call = evidence.program, call_at(evidence.program, op.place)
    if call is None or not call.method or not call.operand or reading.shape(op.inputs[0])[1:2] != (reading.n,):
        return ()
    turning = call_at(program, call.operand)
    if turning and turning.method and turning.name in _TURNS and turning.operand:
        return (edits.replace(call.operand, program.text(turning.operand)),)
    return edits.wrap(call.operand, "", ".transpose(0, 1)")


def _of_axis(evidence: Evidence, reading: Reading, op: Op) -> Finding:
    shape = reading.shape(op.inputs[0])
    fix = _other_axis(evidence, op)
    return Finding(
        "rows-mixed-across-batch",
        "warning",
        op.place,
        saw=f"{name_of(op)} goes along axis 0 of {' × '.join(map(str, shape))}, which are the {reading.n} rows that"
        " were judged together, and the scores are made of it",
        so="what is said of an image changes with the rows beside it, and with the size of the batch",
        instead=edits.written_if_any(evidence.program, fix) or "the same along the axis of the units",
        edits=(fix,) if fix else (),
    )


def _other_axis(evidence: Evidence, op: Op) -> Edits:
    call = call_at(evidence.program, op.place)
    return with_axis(evidence.program, call, 1) if call else ()
