"""A loss without a least value: minus the scores of the right class, or cross-entropy with targets outside 0..1.

Letters: N rows of a forward, C classes.
"""

import ast
import math
from collections.abc import Iterator
from typing import Final

import numpy as np

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.loss.fixes import Fix, renamed
from byhand.doctor.checks.reading.calls import bracketed, call_at, calls_of
from byhand.doctor.checks.reading.course import short
from byhand.doctor.checks.reading.kinds import is_layer, is_target, of_model
from byhand.doctor.checks.reading.tapes import PICKS, THROUGH, Reading, name_of, readings
from byhand.doctor.checks.reading.units import units
from byhand.doctor.finding import Finding
from byhand.doctor.place import Place
from byhand.doctor.tape import Op
from byhand.doctor.text.edits import replace
from byhand.doctor.text.program import Program
from byhand.doctor.trace import Trace

__all__ = ["loss_unbounded_below"]

_OPEN: Final = THROUGH | {"relu", "leaky_relu", "elu", "gelu", "silu"}
"""Operations between a layer and its scores that leave them without an upper limit."""

_LINEAR: Final = frozenset({"view", "neg", "mean", "sum"})
_BINARY: Final = frozenset({"binary_cross_entropy", "binary_cross_entropy_with_logits"})
_LIMITING: Final = ("weight_decay", "clamp_(", "clip_(", "renorm")
"""What keeps the weights from growing without end, so that a linear loss of theirs has a least value."""

_BELOW: Final = -0.05
"""A loss that is lower than this is below 0 for sure."""


def loss_unbounded_below(evidence: Evidence) -> Iterator[Finding]:
    """The loss falls for as long as the weights grow, and fell below 0, where a cross-entropy ends.

    Only where labels have a part in it: a critic's mean score, or a policy's gain, has no least value and is meant.
    """
    lowest = _lowest(evidence.trace)
    limited = any(word in unit.code for unit in units(evidence.program, evidence.trace) for word in _LIMITING)
    seen: set[Place | None] = set()
    for reading in readings(evidence.trace):
        if not reading.train:
            continue
        for op, saw, fix in (
            *(_of_library(evidence, reading) if lowest else ()),
            *(_by_hand(evidence, reading) if lowest and not limited else ()),
            *_outside(evidence, reading, lowest),
        ):
            place = fix.place or op.place
            if place in seen:
                continue
            seen.add(place)
            yield Finding(
                "loss-unbounded-below",
                "error",
                place,
                saw,
                "the loss has no least value: it falls as the weights grow, whether the answers get better or not",
                fix.text or "a loss that is 0 where every answer is right",
                proof="arithmetic",
                edits=fix.edits,
            )


def _lowest(trace: Trace) -> str:
    """Where the loss was lowest, in words; "" where it never was below 0."""
    known = [b for b in trace.backwards if b.loss is not None and math.isfinite(b.loss)]
    least = min(known, key=lambda b: b.loss or 0.0, default=None)
    if least is None or least.loss is None or least.loss > _BELOW:
        return ""
    return f"{short(least.loss)} after {least.clock:,} updates"


def _of_library(evidence: Evidence, reading: Reading) -> Iterator[tuple[Op, str, Fix]]:
    """nll_loss of scores whose exponentials do not sum to 1."""
    for op in reading.tape.ops:
        if name_of(op) != "nll_loss" or not op.inputs or not is_layer(reading, op.inputs[0], _OPEN):
            continue
        z = reading.rows(op.inputs[0])
        if z is None or not np.isfinite(z).all() or z.shape[1] < 2:
            continue
        totals = np.logaddexp.reduce(z, axis=1)
        if float(abs(totals).min()) < 1e-2:
            continue
        saw = (
            f"{op.module or 'nll_loss'} gets scores, not log-probabilities: the exponentials of a row sum to between "
            f"{np.exp(min(totals.min(), 700)):.3g} and {np.exp(min(totals.max(), 700)):.3g}, not to 1, and the loss is "
            f"{_lowest(evidence.trace)}, where it can never be below 0"
        )
        yield op, saw, _cross_entropy(evidence.program, op)


def _cross_entropy(program: Program, op: Op) -> Fix:
    """cross_entropy in the place of nll_loss."""
    if op.module == "NLLLoss":
        made = calls_of(program, "NLLLoss", op.place)
        call, name = (made[0] if len(made) == 1 else None), "CrossEntropyLoss"
    else:
        call, name = call_at(program, op.place), "cross_entropy"
    if not call or call.name not in ("NLLLoss", "nll_loss"):
        return Fix(op.place, "cross_entropy, which takes the scores themselves")
    return renamed(program, call, name)


def _by_hand(evidence: Evidence, reading: Reading) -> Iterator[tuple[Op, str, Fix]]:
    """Minus the mean of what the labels pick out of the scores, with nothing but sums between it and the loss."""
    index, turned = reading.tape.loss, False
    while index is not None and (op := reading.makers.get(index)) and op.inputs:
        name = name_of(op)
        turned ^= name == "neg"
        if name in ("mul", "div") and len(op.inputs) == 1 and op.constants:
            turned ^= op.constants[0] < 0
        elif name == "mul" and len(op.inputs) == 2:
            scores = next((i for i in op.inputs if of_model(reading, i)), None)
            target = next((i for i in op.inputs if i != scores and is_target(reading, i)), None)
            if scores is not None and target is not None and turned and is_layer(reading, scores, _OPEN):
                yield op, _negative(evidence), Fix(op.place, "log_softmax of the scores, times the labels")
            return
        elif name in PICKS:
            if turned and _picks(reading, op) and is_layer(reading, op.inputs[0], _OPEN):
                yield op, _negative(evidence), _logarithm(evidence.program, reading, op)
            return
        elif name not in _LINEAR:
            return
        index = op.inputs[0]


def _picks(reading: Reading, op: Op) -> bool:
    """Whether an operation takes the score of each row's label, by its values."""
    z, picked = reading.rows(op.inputs[0]), reading.array(op.output)
    known = z is not None and picked is not None and len(reading.labels) == len(z) == picked.size
    if z is None or picked is None or not known or not 0 <= reading.labels.min() <= reading.labels.max() < z.shape[1]:
        return False
    return np.array_equal(np.take_along_axis(z, reading.labels[:, None], axis=1).ravel(), picked.ravel())


def _negative(evidence: Evidence) -> str:
    return (
        "the loss is minus the scores of the right classes, with no softmax and no limit between: it is "
        f"{_lowest(evidence.trace)}"
    )


def _logarithm(program: Program, reading: Reading, op: Op) -> Fix:
    """log_softmax of what is picked from: scores[rows, y] or scores.gather(1, y)."""
    unit = program.unit(op.place) if op.place else None
    if not unit or not op.place or "torch" not in unit.code:
        return Fix(op.place, "")
    axis = 1 if reading.shape(op.inputs[0])[:1] == (reading.n,) else 0
    call = call_at(program, op.place)
    inner = call.operand if call else None
    for node in program.nodes(op.place, ast.Subscript):
        if unit.place(node) == op.place:
            inner = unit.place(node.value)
    if inner is None:
        return Fix(op.place, "")
    new = f"torch.log_softmax({program.text(inner)}, dim={axis})"
    return Fix(op.place, program.text(op.place).replace(program.text(inner), new, 1), ((replace(inner, new),),))


def _outside(evidence: Evidence, reading: Reading, lowest: str) -> Iterator[tuple[Op, str, Fix]]:
    """Binary cross-entropy whose targets are not between 0 and 1."""
    for op in reading.tape.ops:
        if name_of(op) in _BINARY and len(op.inputs) > 1 and lowest:
            target = reading.value(op.inputs[1]).summary
            if not of_model(reading, op.inputs[1]) and _is_outside(target.low, target.high):
                saw = (
                    f"{op.module or op.name} gets targets from {target.low:.3g} to {target.high:.3g}, where they must "
                    f"lie between 0 and 1; the loss is {lowest}, where it can never be below 0"
                )
                yield op, saw, _shifted(evidence.program, op, target.low, target.high)
        elif name_of(op) == "mul" and len(op.inputs) == 2:
            found = _term(reading, op)
            if found is None:
                continue
            y, loss = found
            if loss < _BELOW:
                saw = (
                    f"the labels that multiply the logarithms go from {y.min():.3g} to {y.max():.3g}, where they must "
                    f"lie between 0 and 1; the loss of these {len(y)} rows is {loss:.3g} after "
                    f"{reading.tape.clock:,} updates, where it can never be below 0"
                )
                yield op, saw, Fix(op.place, "targets that are 0 or 1")


def _term(reading: Reading, op: Op) -> tuple[np.ndarray, float] | None:
    """Of y·log p beside (1 − y)·log(1 − p): the labels, and the loss that they and p make. None for other products."""
    logs = [(i, made) for i in op.inputs if (made := reading.maker(i)) and name_of(made) == "log"]
    if len(logs) != 1:
        return None
    index, log = logs[0]
    y = reading.array(next((i for i in op.inputs if i != index), index))
    p = reading.array(log.inputs[0])
    if y is None or p is None or y.size != p.size or y.size != reading.n or not _is_outside(y.min(), y.max()):
        return None
    labels = len(reading.labels) == reading.n and np.array_equal(y.ravel(), reading.labels)
    others = [i for other in reading.tape.ops if name_of(other) == "mul" and other is not op for i in other.inputs]
    rest = any((z := reading.array(i)) is not None and np.array_equal(z.ravel(), 1 - y.ravel()) for i in others)
    if not (labels and rest and of_model(reading, log.inputs[0])) or not ((p > 0) & (p < 1)).all():
        return None
    flat, share = y.ravel(), p.ravel()
    return flat, float(-(flat * np.log(share) + (1 - flat) * np.log1p(-share)).mean())


def _is_outside(low: float | None, high: float | None) -> bool:
    return low is not None and high is not None and (low < -1e-3 or high > 1 + 1e-3)


def _shifted(program: Program, op: Op, low: float | None, high: float | None) -> Fix:
    """Targets of two values, as 0 and 1."""
    call = call_at(program, op.place)
    if not call or len(call.node.args) < 2 or low is None or high is None:
        return Fix(op.place, "targets that are 0 or 1")
    place = call.unit.place(call.node.args[1])
    text = bracketed(program, place)
    new = {(-1.0, 1.0): f"({text} + 1) / 2", (1.0, 2.0): f"{text} - 1"}.get((low, high))
    if new is None:
        return Fix(op.place, "targets that are 0 or 1; for C classes, cross_entropy of C scores")
    return Fix(place, new, ((replace(place, new),),))
