"""The logarithm taken twice: of log-probabilities, where it is NaN, or as a second log_softmax, which changes nothing.

Letters: N rows of a forward, C classes.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.loss.fixes import Fix
from byhand.doctor.checks.reading.calls import call_at, unwrap
from byhand.doctor.checks.reading.softmaxes import Softmax, made_by, softmaxes
from byhand.doctor.checks.reading.tapes import PICKS, THROUGH, Reading, name_of, readings
from byhand.doctor.finding import Finding
from byhand.doctor.place import Place
from byhand.doctor.tape import Op
from byhand.doctor.text.program import Program

__all__ = ["log_of_log_softmax"]

_LOGS: Final = frozenset({"log", "log2", "log10"})
_GUARDS: Final = frozenset({"add", "clamp"})
_SAME: Final = 1e-3
"""The most that a second log_softmax may change a number by in float32."""


def log_of_log_softmax(evidence: Evidence) -> Iterator[Finding]:
    """The logarithm of a logarithm: an error where the second is NaN, a note where it is log_softmax once more.

    log_softmax of log-probabilities is what it was given, since their exponentials sum to 1 already.
    """
    broken: dict[Place | None, Finding] = {}
    harmless: dict[Place | None, Finding] = {}
    for reading in readings(evidence.trace):
        found = softmaxes(reading)
        for op in reading.tape.ops:
            first = _logged(reading, op, found) if name_of(op) in _LOGS and op.place not in broken else None
            saw = _values(reading, op) if first else ""
            if saw:
                broken[op.place] = _error(evidence.program, reading, op, saw)
        for op, scores, axis in _takes_log_softmax(reading, found):
            first = made_by(reading, scores, found)
            change = _change(reading, first) if first and first.log and first.axis == axis else None
            if change is not None and change <= _SAME and op.place not in harmless:
                harmless[op.place] = Finding(
                    "log-of-log-softmax",
                    "note",
                    op.place,
                    f"{op.module or op.name} takes log_softmax of what is log_softmax already: the exponentials of its "
                    f"{reading.n} rows sum to 1 within {change:.1g}",
                    "harmless: the second one gives back what it got",
                    "one of the two is enough: nll_loss of log-probabilities, or cross_entropy of the scores",
                )
    yield from broken.values()
    if not broken:
        yield from harmless.values()


def _logged(reading: Reading, op: Op, found: list[Softmax]) -> Softmax | None:
    """The log-softmax whose logarithm an operation takes, with an epsilon or a lower limit between, or nothing."""
    softmax = made_by(reading, op.inputs[0], found, THROUGH | PICKS | _GUARDS) if op.inputs else None
    return softmax if softmax and softmax.log else None


def _values(reading: Reading, op: Op) -> str:
    """What a logarithm of log-probabilities gives, in words; "" where they were not kept or it is a finite number."""
    given = reading.array(op.inputs[0])
    if given is None or not given.size or not np.isfinite(given).all():
        return ""
    low = int((given < 0).sum())
    if low:
        return (
            f"{low:,} of the {given.size:,} numbers whose logarithm is taken are negative, down to {given.min():.4g}: "
            "they are log-probabilities already, and their logarithm is NaN"
        )
    guard = reading.maker(op.inputs[0], THROUGH | PICKS)
    if guard and name_of(guard) == "clamp" and given.size > 1 and np.ptp(given) == 0:
        return (
            f"log-probabilities, which are never above 0, are cut off at {given.flat[0]:.3g} below: all {given.size:,} "
            "numbers whose logarithm is taken are this one"
        )
    return ""


def _error(program: Program, reading: Reading, op: Op, saw: str) -> Finding:
    fix = _without_log(program, reading, op)
    nan = "NaN" in saw
    return Finding(
        "log-of-log-softmax",
        "error",
        fix.place or op.place,
        saw,
        "the loss is NaN from the first step on, and so is every weight after it"
        if nan and reading.train
        else "what is made of it is NaN"
        if nan
        else "the loss is the same number whatever the model says, and has no gradient",
        fix.text or "the log-probabilities themselves, without a logarithm",
        proof="arithmetic",
        edits=fix.edits,
    )


def _without_log(program: Program, reading: Reading, op: Op) -> Fix:
    """The log-probabilities themselves, without the logarithm and without a lower limit."""
    log = call_at(program, op.place)
    inner = log.operand if log else None
    if not log or not inner:
        return Fix(op.place, "")
    guard = reading.maker(op.inputs[0], ())
    if guard and name_of(guard) == "clamp":
        limited = call_at(program, guard.place)
        if not limited or not limited.operand:
            return Fix(log.place, "")
        if limited.place != inner:  # it stands on a line of its own
            return Fix(
                log.place, "", ((*unwrap(program, log.place, inner), *unwrap(program, limited.place, limited.operand)),)
            )
        inner = limited.operand
    return Fix(log.place, program.text(inner), (unwrap(program, log.place, inner),))


def _takes_log_softmax(reading: Reading, found: list[Softmax]) -> Iterator[tuple[Op, int, int]]:
    """What computes a log_softmax of the scores that it is given, those scores, and along which axis."""
    for op in reading.tape.ops:
        if name_of(op) == "cross_entropy" and op.inputs:
            yield op, op.inputs[0], 0 if len(reading.shape(op.inputs[0])) == 1 else 1
    yield from ((softmax.op, softmax.logits, softmax.axis) for softmax in found if softmax.log and not softmax.parts)


def _change(reading: Reading, first: Softmax) -> float | None:
    """How far the sums of a log-softmax's exponentials are from 1, at most."""
    p = reading.array(first.output)
    if p is None or not np.isfinite(p).all():
        return None
    return float(abs(np.exp(p).sum(axis=first.axis) - 1).max())
