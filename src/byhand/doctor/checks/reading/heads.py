"""Where a program takes the softmax of its scores to learn from it: by a loss, or by a gradient derived on paper."""

from collections.abc import Iterator

from byhand.doctor.checks.reading.kinds import one_hot
from byhand.doctor.checks.reading.softmaxes import Softmax, softmaxes
from byhand.doctor.checks.reading.tapes import PICKS, PRODUCTS, THROUGH, Reading, name_of
from byhand.doctor.tape import Op

__all__ = ["expect_scores", "heads", "use_of"]


def heads(reading: Reading) -> Iterator[tuple[Op, int, bool]]:
    """What takes the softmax, the scores that it is given, and whether a loss takes their logarithm."""
    found = softmaxes(reading)
    expecting = list(expect_scores(reading, found))
    yield from ((op, scores, True) for op, scores in expecting)
    taken = {id(op) for op, _ in expecting}
    for softmax in found:
        if not softmax.log and id(softmax.op) not in taken and (use_of(reading, softmax) or _teaches(reading, softmax)):
            yield softmax.op, softmax.logits, False


def expect_scores(reading: Reading, found: list[Softmax]) -> Iterator[tuple[Op, int]]:
    """What takes a softmax for a loss: cross_entropy, log_softmax, or a softmax whose logarithm is taken."""
    for op in reading.tape.ops:
        if name_of(op) == "cross_entropy" and op.inputs:
            yield op, op.inputs[0]
    logs = [op for op in reading.tape.ops if name_of(op) == "log" and op.inputs]
    logged = {reading.source(op.inputs[0], THROUGH | PICKS | {"add", "clamp"}) for op in logs}
    for softmax in found:
        if softmax.log or softmax.output in logged:
            yield softmax.op, softmax.logits


def use_of(reading: Reading, softmax: Softmax) -> str:
    """What a softmax becomes: the loss, or a prediction that another axis would change; empty for anything else."""
    reached = {softmax.output}
    for op in reading.tape.ops:
        if reached.intersection(op.inputs) and name_of(op) not in PRODUCTS:
            reached.add(op.output)
            if op.output == reading.tape.loss or name_of(op) in ("nll_loss", "cross_entropy"):
                return "the loss is made of them"
            if (
                reading.tape.loss is None
                and reading.train
                and any(reading.value(i).labels or one_hot(reading, i) for i in op.inputs)
            ):
                return "the gradient is made of them"
    z, p = reading.rows(softmax.logits), reading.rows(softmax.output)
    choices = [op for op in reading.tape.ops if name_of(op) in ("argmax", "argmin", "max", "topk")]
    if not any(op.inputs[0] in reached for op in choices) or z is None or p is None:
        return ""
    changed = int((z.argmax(1) != p.argmax(1)).sum())
    return f"{changed} of the {reading.n} predictions are others for it" if changed else ""


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
