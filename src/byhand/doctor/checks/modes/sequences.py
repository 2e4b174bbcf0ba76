"""Layers over sequences that go along the rows of a batch: a recurrent one or attention, with the axes exchanged."""

import ast
from collections.abc import Iterator, Sequence
from typing import Final

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.reading.batches import first_epoch
from byhand.doctor.checks.reading.calls import Call, call_at, calls_of, last_name, ran
from byhand.doctor.checks.reading.tapes import Reading
from byhand.doctor.finding import Finding
from byhand.doctor.place import Place
from byhand.doctor.tape import Op
from byhand.doctor.text import edits
from byhand.doctor.trace import Trace

__all__ = ["along_rows"]

_RECURRENT: Final = frozenset({"lstm", "gru", "rnn_tanh", "rnn_relu"})
_ATTENTION: Final = "multi_head_attention_forward"
_MADE: Final = ("MultiheadAttention", "TransformerEncoderLayer", "TransformerDecoderLayer", "Transformer")


def along_rows(evidence: Evidence, read: Sequence[Reading], reading: Reading, within: set[int]) -> Iterator[Finding]:
    """Layers whose steps in time are the N rows of an evaluation.

    Args:
        evidence: of the program's run.
        read: all its tapes.
        reading: the tape of an evaluation.
        within: its values between the forward's rows and the scores.
    """
    if len(reading.labels) != reading.n:
        return
    for op in reading.tape.ops:
        if op.output not in within or not _steps_are_rows(op, reading) or not _surely(op, read):
            continue
        fixed = _rows_come_alike(evidence.trace)
        if _others(op, reading) > 1 or not fixed:
            yield _finding(evidence, reading, op, fixed)


def _time(op: Op) -> int | None:
    """The axis that a layer takes for the steps of a sequence; None of other operations."""
    if op.name == _ATTENTION:
        return 0
    return int(op.options.get("batch_first") is True) if op.name in _RECURRENT else None


def _steps_are_rows(op: Op, reading: Reading) -> bool:
    time, shape = _time(op), reading.shape(op.inputs[0]) if op.inputs else ()
    return time is not None and len(shape) == 3 and shape[time] == reading.n != shape[1 - time]


def _others(op: Op, reading: Reading) -> int:
    return reading.shape(op.inputs[0])[1 - (_time(op) or 0)]


def _surely(op: Op, read: Sequence[Reading]) -> bool:
    """Whether the steps are as many as the rows by no coincidence: they are the rows, or N changes and they with it."""
    same = [(one, other) for one in read for other in one.tape.ops if other.place == op.place and other.name == op.name]
    if not all(_steps_are_rows(other, one) for one, other in same):
        return False
    return all(one.value(other.inputs[0]).rows for one, other in same) or len({one.n for one, _ in same}) > 1


def _rows_come_alike(trace: Trace) -> bool:
    """Whether rows may be steps in time to the program itself: those that are trained on together stay together."""
    trained = [forward for forward in trace.forwards if forward.kind == "train" and len(forward.rows)]
    first = first_epoch(trained)
    once = {tuple(forward.rows.tolist()) for forward in trained[:first]}
    again = {tuple(forward.rows.tolist()) for forward in trained[first:]}
    return not again or bool(once & again)


def _finding(evidence: Evidence, reading: Reading, op: Op, fixed: bool) -> Finding:
    time, name = _time(op) or 0, op.module or op.name
    shape, n, others = " × ".join(map(str, reading.shape(op.inputs[0]))), reading.n, _others(op, reading)
    made = _made(evidence, op)
    edit = edits.argument(evidence.program, made, "batch_first", str(time == 0)) if made else None
    fix = (edit,) if edit else ()
    attention = op.name == _ATTENTION
    parts = f", and none of its own {others} {'parts sees' if attention else 'steps follows'} another"
    return Finding(
        "rows-mixed-across-batch",
        "error",
        made or op.place,
        saw=f"{name} takes axis {time} of {shape} for the steps of a sequence, and that axis is the {n} rows that were"
        " judged together",
        so=f"what is said of an image is made of {'all' if attention else 'those'} beside it in its batch"
        + (parts if others > 1 else ""),
        instead=edits.written_if_any(evidence.program, fix)
        or f"batch_first={time == 0}, or the first two axes exchanged before {name}",
        proof=None if fixed else "arithmetic",
        edits=(fix,) if fix else (),
        needs_proof=fixed,
    )


def _made(evidence: Evidence, op: Op) -> Place | None:
    """The call that made the layer: the only one of its class, or what is assigned to the name that is called."""
    names = _MADE if op.name == _ATTENTION else (op.module or "",)
    calls = [call for name in names for call in calls_of(evidence.program, name, op.place)]
    calls = [call for call in calls if ran(evidence.trace, call.place)]
    if len(calls) == 1:
        return calls[0].place
    used = call_at(evidence.program, op.place)
    named = [call for call in calls if used and used.name in _names(call)]
    return named[0].place if len(named) == 1 else None


def _names(call: Call) -> list[str]:
    """What a call's outcome is assigned to, by the last of its names."""
    for node in ast.walk(call.unit.tree):
        if isinstance(node, ast.Assign) and node.value is call.node:
            return [last_name(target) for target in node.targets]
    return []
