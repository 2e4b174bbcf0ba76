"""Every softmax of a tape: the library's own, and those that are written by hand out of exp, sum and division."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from byhand.doctor.checks.reading.tapes import THROUGH, Reading, exact_losses, name_of
from byhand.doctor.tape import Op

__all__ = ["Softmax", "made_by", "softmaxes"]


@final
@dataclass(frozen=True, slots=True)
class Softmax:
    """Probabilities, or their logarithms, and the scores that they were made of."""

    op: Op  # the library's; by hand the division, or the subtraction of the log of the sum
    output: int  # values of the tape
    logits: int  # by hand what the exponentials were taken of: less their largest, where the program does that
    axis: int  # counted from 0
    log: bool
    shifted: bool  # no exponential can overflow
    parts: tuple[Op, ...] = ()  # by hand: exponential and sum

    def losses(self, reading: Reading) -> NDArray[np.float64] | None:
        """The cross-entropy of every row, (N,), in float64; None where the scores or the labels are unknown."""
        z = reading.rows(self.logits, self.axis)
        known = z is not None and len(reading.labels) == len(z) and np.isfinite(z).all()
        if z is None or not known or not (0 <= reading.labels.min() <= reading.labels.max() < z.shape[1]):
            return None
        return exact_losses(z, reading.labels)


def softmaxes(reading: Reading) -> list[Softmax]:
    """All of a tape's, in order."""
    return [found for op in reading.tape.ops for found in _softmax(reading, op)]


def made_by(reading: Reading, index: int, found: list[Softmax], through: frozenset[str] = THROUGH) -> Softmax | None:
    """The softmax that a value comes from through views, dropout and other operations that are named."""
    outputs = {softmax.output: softmax for softmax in found}
    while index not in outputs:
        op = reading.makers.get(index)
        if not op or name_of(op) not in through or not op.inputs:
            return None
        index = next((i for i in op.inputs if reading.shape(i) != ()), op.inputs[0])
    return outputs[index]


def _softmax(reading: Reading, op: Op) -> Iterator[Softmax]:
    name = name_of(op)
    if name in ("softmax", "log_softmax") and op.inputs:
        axis = _axis(op, len(reading.shape(op.inputs[0])))
        if axis is not None:
            yield Softmax(op, op.output, op.inputs[0], axis, name == "log_softmax", True)
    elif name == "div" and len(op.inputs) == 2:
        top, bottom = reading.maker(op.inputs[0]), reading.maker(op.inputs[1])
        if top and name_of(top) == "exp" and bottom:
            yield from _by_hand(reading, op, top.inputs[0], bottom, log=False)
    elif name == "sub" and len(op.inputs) == 2:
        for log in _terms(reading, op.inputs[1]):
            if name_of(log) == "log" and (total := reading.maker(log.inputs[0])):
                yield from _by_hand(reading, op, op.inputs[0], total, log=True)
            elif name_of(log) == "logsumexp" and reading.source(log.inputs[0]) == reading.source(op.inputs[0]):
                axis = _axis(log, len(reading.shape(log.inputs[0])))
                if axis is not None:
                    yield Softmax(op, op.output, log.inputs[0], axis, True, True, (log,))


def _by_hand(reading: Reading, op: Op, scores: int, total: Op, *, log: bool) -> Iterator[Softmax]:
    """If ``total`` is the sum of the exponentials of these scores."""
    exp = reading.maker(total.inputs[0]) if name_of(total) == "sum" and total.inputs else None
    if not exp or name_of(exp) != "exp":
        return
    z = exp.inputs[0]
    same = {reading.source(z)}
    if log and (difference := reading.maker(z)) and name_of(difference) == "sub":
        same.add(reading.source(difference.inputs[0]))  # z - (max + log(sum(exp(z - max))))
    axis = _axis(total, len(reading.shape(exp.output)))
    if axis is not None and reading.source(scores) in same:
        high = reading.value(z).summary.high
        yield Softmax(op, op.output, z, axis, log, high is not None and high <= 1e-6, (exp, total))


def _terms(reading: Reading, index: int) -> Iterator[Op]:
    """The operation that made a value, and where it is a sum the operations of its terms: max + log(sum(exp))."""
    op = reading.maker(index)
    if op:
        yield op
        if name_of(op) == "add":
            yield from (term for i in op.inputs if (term := reading.maker(i)))


def _axis(op: Op, dimensions: int) -> int | None:
    axis = op.options.get("axis")
    if isinstance(axis, int) and not isinstance(axis, bool):
        return axis if axis >= 0 else axis + dimensions
    if name_of(op) in ("softmax", "log_softmax"):
        return 0 if dimensions in (0, 1, 3) else 1  # what torch takes where no dim is given
    return 0 if dimensions == 1 else None
