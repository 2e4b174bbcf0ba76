"""Gradients that get lost on their way through the layers: the first ones stay as they were drawn."""

import math
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.model import starts
from byhand.doctor.checks.reading.calls import Call, before_name, bracketed, call_at, calls_of
from byhand.doctor.checks.reading.chain import Hidden, hidden, products
from byhand.doctor.checks.reading.course import best, course, ends_well, short
from byhand.doctor.checks.reading.tapes import Reading, name_of, readings
from byhand.doctor.finding import Finding
from byhand.doctor.text import edits
from byhand.doctor.text.edits import Edits
from byhand.doctor.trace import Parameter, Sample, Trace

__all__ = ["vanishing_gradients"]

_LOST: Final = 1e-4  # of the last layer's gradient, both as shares of their weights
_RESTS: Final = 0.7  # of the first loss: below that it learns
_DEEP: Final = 3  # weights


def vanishing_gradients(evidence: Evidence) -> Iterator[Finding]:
    """The first layer's gradient is next to nothing beside the last one's, and the loss does not fall."""
    index = best(evidence)
    how = course(evidence, index) if index is not None else None
    if index is None or how is None or not how.last > _RESTS * how.first or ends_well(evidence, index):
        return
    reading = next((one for one in readings(evidence.trace) if one.of(index)), None)
    if reading is None:
        return
    layers = _layers_in_order(evidence.trace, reading)
    if len(layers) < _DEEP or not how.first > 0:
        return
    first, last = layers[0], layers[-1]
    ratios = [ratio for ratio in map(_ratio, first.samples, last.samples) if ratio is not None]
    if not ratios or float(np.median(ratios)) > _LOST:
        return
    times = short(1 / max(float(np.median(ratios)), 1e-12))
    middle = len(first.samples) // 2
    sizes = _size(first.samples[middle]) or 0.0, _size(last.samples[middle]) or 0.0
    fixes = tuple(fix for fix in (_bent(evidence, reading), _larger(evidence, layers)) if fix)
    names = (first.name, last.name) if first.name != last.name else ("", "")  # `for w in weights` tells none apart
    what = "gradient" if first.samples[middle].gradient is not None else "step"
    yield Finding(
        "vanishing-gradients",
        "warning",
        fixes[0][0].place if fixes else first.place,
        saw=f"after {first.samples[middle].clock:,} steps the {what} of {names[0] or 'the first weight'} is"
        f" {short(sizes[0])} long and that of {names[1] or 'the last one'} {short(sizes[1])},"
        f" {len(layers) - 1} layers later; the loss goes from {short(how.first)} to {short(how.last)}",
        so=f"the first layers move {times} times less than the last, for their"
        " size: they stay as they were drawn, and the last sees noise",
        instead=edits.written_if_any(evidence.program, fixes[0] if fixes else ())
        or "ReLUs, weights with a deviation of √(2 / inputs), or batch norm between",
        edits=fixes,
        needs_proof=bool(fixes),
    )


def _layers_in_order(trace: Trace, reading: Reading) -> list[Parameter]:
    """The trained weights of a forward's model in the order in which it uses them."""
    order = dict.fromkeys(layer.weight for layer in products(reading) if layer.weight is not None)
    found = [trace.parameters[i] for i in order]
    return [p for p in found if reading.of(p.training) and not p.frozen and p.samples]


def _size(sample: Sample) -> float | None:
    """The length of a gradient; of the step, where no gradient is known."""
    return sample.step if sample.gradient is None else sample.gradient


def _ratio(first: Sample, last: Sample) -> float | None:
    """The one's gradient beside the other's, both as shares of their weights."""
    a, b = _size(first), _size(last)
    known = a is not None and b is not None and math.isfinite(a) and math.isfinite(b)
    if not known or a is None or not b or not first.norm or not last.norm:
        return None
    return (a / first.norm) / (b / last.norm)


def _bent(evidence: Evidence, reading: Reading) -> Edits:
    """ReLUs in the place of the hidden layers' sigmoids and tanhs, all of them or none."""
    if not evidence.trace.backwards:
        return ()
    flat = [layer for layer in hidden(reading) if layer.units.kind in ("sigmoid", "tanh")]
    all_ = [op for op in reading.tape.ops if name_of(op) in ("sigmoid", "tanh")]
    return _replaced(evidence, flat) if flat and len(flat) == len(all_) else ()


def _replaced(evidence: Evidence, flat: Sequence[Hidden]) -> Edits:
    program, found = evidence.program, dict[object, Edits]()
    for layer in flat:
        made = calls_of(program, layer.op.module, layer.op.place) if layer.op.module else []
        for call in made:
            found[call.place] = (edits.replace(call.place, f"{before_name(program, call)}ReLU()"),)
        call: Call | None = call_at(program, layer.op.place) if not made else None
        if call and call.operand and call.name == name_of(layer.op):
            found[call.place] = (edits.replace(call.place, f"{bracketed(program, call.operand)}.relu()"),)
        elif not made:
            return ()
    return tuple(edit for fix in found.values() for edit in fix)


def _larger(evidence: Evidence, layers: Sequence[Parameter]) -> Edits:
    """Weights drawn so that a layer keeps the size of its input, where they are smaller."""
    small = [p for p in layers if p.start.std and p.start.std * math.sqrt(starts.fan_in(evidence.trace, p)) < 0.5]
    return starts.scaled(evidence, small) if small else ()
