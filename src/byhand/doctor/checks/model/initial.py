"""Faults of the model: how it starts."""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

import numpy as np

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.model import starts
from byhand.doctor.checks.reading.course import best, chance, fed, number_of_classes, short
from byhand.doctor.checks.reading.kinds import is_target, one_hot
from byhand.doctor.checks.reading.tapes import Reading, name_of, readings
from byhand.doctor.finding import Finding
from byhand.doctor.trace import Examples, Parameter, Trace

__all__ = ["all_zero_hidden_weights", "initial_loss_above_chance"]

_LOGARITHMS: Final = frozenset({"cross_entropy", "nll_loss", "log", "log_softmax", "logsumexp", "log_loss"})
_CALLS: Final = frozenset({"cross_entropy", "nll_loss", "log_loss"})


def initial_loss_above_chance(evidence: Evidence) -> Iterator[Finding]:
    """A cross-entropy that starts far above ln C: the first weights make the model sure, and wrong."""
    trace = evidence.trace
    index = best(evidence)
    classes = number_of_classes(trace, index)
    loss = _first_loss(trace, index) if index is not None else None
    if loss is None or classes is None:
        return
    level = chance(classes)
    if not loss > level + max(1.0, 0.5 * level):
        return
    weights = [p for p in trace.parameters if p.training == index and p.used and len(p.shape) > 1 and p.start.std]
    large = [p for p in weights if (p.start.std or 0.0) * math.sqrt(starts.fan_in(trace, p)) > 2]
    if not large:
        return  # the weights are no larger than they should be: the input is, and raw-pixel-range speaks of that
    fix = starts.scaled(evidence, large)
    size = _size_of_scores(trace.trained_on, large[0]) if len(weights) == 1 else None
    scores = f" and make scores of about ± {short(size)}" if size else ""
    first = large[0]
    yield Finding(
        "initial-loss-above-chance",
        "warning" if fix else "note",
        fix[0].place if fix else first.place,
        saw=f"the loss starts at {short(loss)}, where giving each of the {classes} classes the same probability costs"
        f" ln {classes} = {level:.2f}; the {' × '.join(map(str, first.shape))}"
        f" weights have a deviation of {short(first.start.std or 0.0)}{scores}",
        so="the model begins sure and wrong, and spends its first epochs on unlearning that",
        instead=_smaller(starts.fan_in(trace, first)),
        edits=(fix,) if fix else (),
        needs_proof=bool(fix),
    )


def _smaller(inputs: int) -> str:
    return f"a deviation of about {1 / math.sqrt(inputs):.2g} = 1 / √{inputs}, or zero where there is one layer only"


def _size_of_scores(examples: Examples | None, weight: Parameter) -> float | None:
    """The deviation of the first scores of one linear layer: that of the weights times the length of a row."""
    if examples is None or weight.start.std is None:
        return None
    rows = examples.low + examples.scale * examples.rows[:1000].astype(np.float64)
    return weight.start.std * float(np.sqrt((rows**2).sum(axis=1).mean()))


def _first_loss(trace: Trace, index: int) -> float | None:
    """The cross-entropy a row before the first update; None where the loss is of another kind or unknown."""
    if not trace.backwards:
        return _of_any_labels(trace, index)
    start = trace.trainings[index].first
    early = [f for f in fed(trace, index) if f.clock == start]
    if not early:
        return None
    for call in trace.loss_calls:
        if call.forward == early[0].index and call.value is not None:
            return call.value / (early[0].n if call.reduction == "sum" else 1) if call.name in _CALLS else None
    losses = [b.loss for b in trace.backwards if b.forward == early[0].index and b.loss is not None]
    # The tape of any batch tells how the program computes its loss.
    kinds = [kind for reading in readings(trace) if reading.train and (kind := _kind(reading)) is not None]
    return losses[0] / (early[0].n if kinds[0] == "sum" else 1) if losses and kinds else None


def _kind(reading: Reading) -> str | None:
    """Whether a loss that a logarithm had a part in is a "mean" or a "sum" over the rows; None for other losses."""
    if reading.tape.loss is None:
        return None
    names = [name_of(op) for op in reading.ancestors(reading.tape.loss)]
    if not _LOGARITHMS.intersection(names):
        return None
    averaged = {"mean", "cross_entropy", "nll_loss"}.intersection(names) or "div" in names[:3]
    return "sum" if "sum" in names[:3] and not averaged else "mean"


def _of_any_labels(trace: Trace, index: int) -> float | None:
    """The cross-entropy of a program without autograd, with labels that have nothing to do with its first answers.

    The mean of −log p over all rows and classes: what a random label costs. Of a batch too large to be kept,
    with its own.
    """
    start = trace.trainings[index].first
    for reading in readings(trace):
        if not reading.train or not start <= reading.tape.clock <= start + 1:
            continue
        if reading.tape.cost is not None:
            return reading.tape.cost
        for op in reversed(reading.tape.ops):
            values = reading.array(op.output)
            if values is None or values.ndim != 2 or values.size < 20 or not np.isfinite(values).all():
                continue
            p = np.exp(values) if values.max() <= 0 else values
            ones = p.min() >= 0 and any((abs(p.sum(axis=axis) - 1) < 1e-4).all() for axis in (0, 1))
            if ones and not one_hot(reading, op.output) and not is_target(reading, op.output):  # labels are no answers
                return float(-np.log(np.maximum(p, 1e-30)).mean())
    return None


def all_zero_hidden_weights(evidence: Evidence) -> Iterator[Finding]:
    """Hidden units that start alike, as does what follows them: each gets the same gradient, and they stay one."""
    trace = evidence.trace
    index = best(evidence)
    if index is None:
        return
    weights = [
        p for p in trace.parameters if p.training in (index, None) and p.used and len(p.shape) == 2 and not p.frozen
    ]
    if len(weights) < 2:
        return
    ordered = _in_order(trace, weights)
    pairs = [
        (weight, after)
        for weight, after in pairwise(ordered)
        if _equal(weight) and weight.alike and weight.training == index
    ]
    if not pairs:
        return
    hidden, after = pairs[0]
    units = [n for n in hidden.shape if n in after.shape]
    count = units[-1] if units else max(hidden.shape)
    equal = [w for w in ordered if _equal(w)]
    fix = starts.made_random(evidence, equal)
    stayed = "never moved" if not hidden.changed else f"its {count} units were still all equal at the end"
    name = f"{hidden.name or 'the first weight'} ({' × '.join(map(str, hidden.shape))})"
    yield Finding(
        "all-zero-hidden-weights",
        "error",
        fix[0].place if fix else hidden.place,
        saw=f"every number of {name} starts at {short(hidden.start.low or 0.0)}, and {stayed}",
        so=f"all {count} hidden units compute the same thing: they are worth one",
        instead=fix[0].text if fix else "draw the weights of hidden layers at random; zeros are right for the biases",
        proof="arithmetic",
        edits=(fix,) if fix else (),
    )


def _equal(weight: Parameter) -> bool:
    return weight.start.low is not None and weight.start.low == weight.start.high


def _in_order(trace: Trace, weights: list[Parameter]) -> list[Parameter]:
    """The weights in the order in which a forward uses them."""
    for tape in trace.tapes:
        used = [tape.values[i].parameter for op in tape.ops for i in op.inputs]
        order = [i for i in dict.fromkeys(used) if i is not None and trace.parameters[i] in weights]
        if len(order) == len(weights):
            return [trace.parameters[i] for i in order]
    return weights
