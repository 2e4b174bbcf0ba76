"""Where a program takes the softmax of its scores to learn from it: by a loss, or by a gradient derived on paper."""

from collections.abc import Iterator

from byhand.doctor.checks.loss.probabilities import expect_scores, use_of
from byhand.doctor.checks.reading.softmaxes import Softmax, softmaxes
from byhand.doctor.checks.reading.tapes import PRODUCTS, Reading, name_of
from byhand.doctor.tape import Op

__all__ = ["heads"]


def heads(reading: Reading) -> Iterator[tuple[Op, int, bool]]:
    """What takes the softmax, the scores that it is given, and whether a loss takes their logarithm."""
    found = softmaxes(reading)
    expecting = list(expect_scores(reading, found))
    yield from ((op, scores, True) for op, scores in expecting)
    taken = {id(op) for op, _ in expecting}
    for softmax in found:
        if not softmax.log and id(softmax.op) not in taken and (use_of(reading, softmax) or _teaches(reading, softmax)):
            yield softmax.op, softmax.logits, False


def _teaches(reading: Reading, softmax: Softmax) -> bool:
    """Whether a gradient by hand is made of the probabilities: they, less the labels, times the rows."""
    if not reading.train or reading.tape.loss is not None:
        return False
    reached = {softmax.output}
    for op in reading.tape.ops:
        if not reached.intersection(op.inputs):
            continue
        if name_of(op) in PRODUCTS:
            return True
        if name_of(op) in ("view", "setitem", "sub", "add", "mul", "div"):
            reached.add(op.output)
    return False
