"""Faults between the scores and the loss: softmax twice, without its logarithm, or along the wrong axis.

Every verdict comes from values: what an operation was given, and what the exact loss of the same scores is.
Letters: N rows of a forward, C classes.
"""

import math
from collections.abc import Iterator

import numpy as np

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.loss.fixes import along, logarithm, without
from byhand.doctor.checks.reading.heads import expect_scores, use_of
from byhand.doctor.checks.reading.softmaxes import Softmax, made_by, softmaxes
from byhand.doctor.checks.reading.tapes import PICKS, THROUGH, Reading, name_of, readings
from byhand.doctor.finding import Finding
from byhand.doctor.place import Place
from byhand.doctor.tape import Op

__all__ = ["probabilities_into_nll", "softmax_before_cross_entropy", "softmax_over_batch"]


def softmax_before_cross_entropy(evidence: Evidence) -> Iterator[Finding]:
    """Scores that are probabilities already go into a loss that takes their softmax.

    Of C scores between 0 and 1 the best are 1 for the true class and 0 elsewhere: a loss of log(1 + (C − 1)/e).
    """
    seen: set[Place | None] = set()
    for reading in readings(evidence.trace):
        found = softmaxes(reading)
        for loss, scores in expect_scores(reading, found):
            first = made_by(reading, scores, found, THROUGH | {"sub"} if loss.name == "div" else THROUGH)
            sigmoid = reading.maker(scores)
            by = first.op if first and not first.log else sigmoid if sigmoid and name_of(sigmoid) == "sigmoid" else None
            classes = reading.shape(scores)[-1 if not first else first.axis] if reading.shape(scores) else 0
            if classes < 2 or not (by or (not first and reading.probabilities(scores))):
                continue
            fix = without(evidence.program, reading, by, first) if by else None
            place = fix.place if fix else loss.place
            if place in seen:
                continue
            seen.add(place)
            floor = math.log1p((classes - 1) / math.e)
            what = "lie between 0 and 1" if by and name_of(by) == "sigmoid" else "sum to 1"
            n = reading.n or reading.shape(scores)[0]
            yield Finding(
                "softmax-before-cross-entropy",
                "error",
                place,
                f"the {n} rows of {classes} numbers that {_called(loss)} is given {what} already"
                f"{_lowest(evidence, loss, floor)}, and it takes their softmax",
                f"the loss cannot fall below {floor:.3f} = log(1 + {classes - 1}/e), however long you train",
                (fix.text if fix else "") or f"give {_called(loss)} the scores themselves, without the softmax",
                proof="arithmetic",
                edits=fix.edits if fix else (),
            )


def probabilities_into_nll(evidence: Evidence) -> Iterator[Finding]:
    """nll_loss, or the same by hand, is given probabilities where it needs their logarithms."""
    seen: set[Place | None] = set()
    for reading in readings(evidence.trace):
        found = softmaxes(reading)
        for loss, scores, by_hand in _negated(reading):
            first = made_by(reading, scores, found)
            if first.log if first else (by_hand or not reading.probabilities(scores)):
                continue
            value = reading.number(loss.output)
            if value is None or not -1 - 1e-6 <= value <= 0 or (first and not _per_row(reading, first)):
                continue
            fix = logarithm(evidence.program, reading, first.op, first) if first else None
            place = fix.place if fix else loss.place
            if place in seen:
                continue
            seen.add(place)
            yield Finding(
                "probabilities-into-nll",
                "warning" if by_hand else "error",
                place,
                f"{_called(loss) if not by_hand else 'the loss'} is given probabilities, whose rows sum to 1, "
                f"not their logarithms: it is {value:.3f} on {reading.n} rows, minus their mean probability",
                "it cannot fall below -1, and a row where the model is sure and wrong has next to no gradient",
                (fix.text if fix else "") or "log_softmax in place of softmax",
                proof=None if by_hand else "arithmetic",
                edits=fix.edits if fix else (),
                needs_proof=by_hand,
            )


def softmax_over_batch(evidence: Evidence) -> Iterator[Finding]:
    """Softmax runs along the N rows of the batch, so that the columns sum to 1 in the place of the rows."""
    seen: set[Place | None] = set()
    for reading in readings(evidence.trace):
        found = softmaxes(reading)
        taken = {scores for op, scores in expect_scores(reading, found) if name_of(op) == "cross_entropy"}
        for softmax in found:
            shape = reading.shape(softmax.output)
            if not _over_batch(reading, softmax) or softmax.output in taken:
                continue
            use = use_of(reading, softmax)
            fix = along(evidence.program, reading, softmax, 1 - softmax.axis)
            if not use or fix.place in seen:
                continue
            seen.add(fix.place)
            classes = shape[1 - softmax.axis]
            yield Finding(
                "softmax-over-batch",
                "error",
                fix.place,
                f"softmax runs along the {reading.n} rows of the batch, not along the {classes} classes: "
                f"{_sums(reading, softmax)}; {use}",
                "what it says of an image depends on which others are in its batch",
                fix.text or f"the same along axis {1 - softmax.axis}, the classes",
                proof="arithmetic",
                edits=fix.edits,
            )


def _negated(reading: Reading) -> Iterator[tuple[Op, int, bool]]:
    """Losses that are minus what they pick out of their scores: the operation, the scores, whether it is by hand."""
    for op in reading.tape.ops:
        if name_of(op) == "nll_loss" and op.options.get("reduction", "mean") == "mean" and op.inputs:
            yield op, op.inputs[0], False
    op = reading.maker(reading.tape.loss) if reading.tape.loss is not None else None
    picked = reading.source(reading.tape.loss, ("view", "neg", "mean")) if op and reading.tape.loss is not None else 0
    pick = reading.makers.get(picked)
    chain = {name_of(step) for step in reading.ancestors(reading.tape.loss)}
    if op and pick and name_of(pick) in PICKS and {"neg", "mean"} <= chain and "log" not in chain:
        yield op, pick.inputs[0], True


def _per_row(reading: Reading, softmax: Softmax) -> bool:
    shape = reading.shape(softmax.output)
    return len(shape) != 2 or not reading.n or shape[1 - softmax.axis] == reading.n


def _over_batch(reading: Reading, softmax: Softmax) -> bool:
    """An (N, C) value of scores whose softmax has the axis of N; N = C leaves it open."""
    shape = reading.shape(softmax.output)
    if len(shape) != 2 or reading.n < 2 or shape[softmax.axis] != reading.n or not len(reading.labels):
        return False
    classes = shape[1 - softmax.axis]
    return classes >= 2 and classes != reading.n and 0 <= reading.labels.min() <= reading.labels.max() < classes


def _sums(reading: Reading, softmax: Softmax) -> str:
    p = reading.rows(softmax.output)
    if p is None or not np.isfinite(p).all():
        return "the columns sum to 1"
    sums = (np.exp(p) if softmax.log else p).sum(1)
    return f"the columns sum to 1, and a row's probabilities to between {sums.min():.2g} and {sums.max():.2g}"


def _lowest(evidence: Evidence, loss: Op, floor: float) -> str:
    """The lowest loss that was seen, where the loss is this one and nothing was added to it or taken from it."""
    values = [b.loss for b in evidence.trace.backwards if b.loss is not None and math.isfinite(b.loss)]
    if not values or min(values) < floor - 1e-3 or loss.options.get("reduction", "mean") != "mean":
        return ""
    return f" (the lowest loss of {len(values):,} steps is {min(values):.3f})"


def _called(op: Op) -> str:
    return op.module or ("the hand-written softmax" if op.name in ("div", "sub") else op.name)
