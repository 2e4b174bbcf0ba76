"""What a value on a tape is: the model's, the labels, one-hot rows of them; and the exact cross-entropy of a tape."""

import numpy as np

from byhand.doctor.checks.reading.softmaxes import Softmax, made_by, softmaxes
from byhand.doctor.checks.reading.tapes import PRODUCTS, THROUGH, Reading, exact_losses, name_of, sums_to_one

__all__ = ["class_scores", "cross_entropy", "equal_labels", "is_layer", "is_target", "of_model", "one_hot"]


def of_model(reading: Reading, index: int) -> bool:
    """Whether the model had a part in a value: the forward's rows, a parameter, or a product."""
    steps = list(reading.ancestors(index))
    values = [reading.value(i) for i in {index}.union(*(op.inputs for op in steps))]
    return any(v.rows or v.parameter is not None for v in values) or any(name_of(op) in PRODUCTS for op in steps)


def is_layer(reading: Reading, index: int, through: frozenset[str] = THROUGH) -> bool:
    """Whether a value is a product with a parameter, with a bias or without, seen through some operations."""
    op = reading.maker(index, through)
    while op and name_of(op) in ("add", "sub") and op.inputs:
        inner = next((i for i in op.inputs if of_model(reading, i) and reading.value(i).parameter is None), None)
        op = reading.maker(inner, through) if inner is not None else None
    if not op or name_of(op) not in PRODUCTS:
        return False
    return any(reading.value(reading.source(i)).parameter is not None for i in op.inputs)


def one_hot(reading: Reading, index: int) -> bool:
    """Whether a value has a 1 for the label of each row and else 0: (N, C), or (C, N)."""
    t = reading.rows(index)
    if t is None or t.shape[1] < 2 or len(reading.labels) != len(t) or not np.array_equal(t.argmax(1), reading.labels):
        return False
    return bool((t.max(axis=1) == 1).all()) and bool((np.count_nonzero(t, axis=1) == 1).all())


def equal_labels(reading: Reading, index: int) -> bool:
    """Whether a value has the labels of several rows, whatever its shape."""
    y = reading.array(index)
    return y is not None and 1 < y.size == len(reading.labels) and np.array_equal(y.ravel(), reading.labels)


def is_target(reading: Reading, index: int) -> bool:
    """Whether a value is what a row should become, and nothing of the model's: the labels, one-hot, or smoothed so."""
    if of_model(reading, index):
        return False
    if reading.value(index).labels or one_hot(reading, index) or equal_labels(reading, index):
        return True
    t = reading.rows(index)
    if t is None or t.shape[1] < 2 or len(reading.labels) != len(t) or not sums_to_one(t):
        return False
    return np.array_equal(t.argmax(axis=1), reading.labels)


def class_scores(reading: Reading, index: int) -> bool:
    """Whether a value has C numbers for each of the N rows, and the labels are C classes: (N, C) or (C, N)."""
    shape = reading.shape(index)
    if len(shape) != 2 or reading.n < 2 or reading.n not in shape or len(reading.labels) != reading.n:
        return False
    classes = shape[1] if shape[0] == reading.n else shape[0]
    return classes >= 2 and 0 <= int(reading.labels.min()) <= int(reading.labels.max()) < classes


def cross_entropy(reading: Reading) -> float | None:
    """The mean cross-entropy in float64 of the scores that this forward's loss was made of; None where unknown."""
    if not len(reading.labels):
        return None
    found = softmaxes(reading)
    for op in reversed(reading.tape.ops):
        if name_of(op) in ("cross_entropy", "nll_loss") and op.inputs:
            turned = made_by(reading, op.inputs[0], found, THROUGH | {"neg"}) if name_of(op) == "nll_loss" else None
            z = reading.rows(turned.logits, turned.axis) if turned and turned.log else reading.rows(op.inputs[0])
            if (
                z is not None
                and np.isfinite(z).all()
                and 0 <= reading.labels.min() <= reading.labels.max() < z.shape[1]
            ):
                return float(exact_losses(z, reading.labels).mean())
    losses = [softmax.losses(reading) for softmax in found if _per_class(reading, softmax)]
    known = [x for x in losses if x is not None]
    return float(known[-1].mean()) if known else None


def _per_class(reading: Reading, softmax: Softmax) -> bool:
    shape = reading.shape(softmax.output)
    return len(shape) == 1 or (len(shape) == 2 and shape[1 - softmax.axis] == reading.n)
