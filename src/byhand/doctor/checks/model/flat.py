"""Hidden units through which nothing is learnt: ReLUs that are always 0, sigmoids and tanhs that are at their ends."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.model import centres, starts
from byhand.doctor.checks.reading.chain import Hidden, hidden
from byhand.doctor.checks.reading.course import best, ends_well, short
from byhand.doctor.checks.reading.literals import rate_of, rate_places
from byhand.doctor.checks.reading.tapes import readings
from byhand.doctor.checks.steps.rate import learning_rate_too_high
from byhand.doctor.finding import Finding
from byhand.doctor.place import Place
from byhand.doctor.text import edits
from byhand.doctor.text.edits import Edits
from byhand.doctor.trace import Parameter

__all__ = ["dead_relus", "saturated_units"]

_DEAD: Final = 0.4  # of the units of a layer: fewer are normal
_SATURATED: Final = 0.7  # of a layer's numbers
_LEAST: Final = 4  # units
_ROWS: Final = 150  # that a unit must have been 0 on
_LOWER: Final = (10.0, 100.0)  # divisors of the rate


@final
@dataclass(frozen=True, slots=True)
class _Layer:
    """A hidden layer of U units, early and late in the training."""

    weight: Parameter
    bias: Parameter | None
    first: Hidden  # on the first rows that were looked at
    late: tuple[Hidden, ...]  # in the second half of the training, and after it

    @property
    def units(self) -> int:
        """U."""
        return len(self.first.units.flat)

    @property
    def rows(self) -> int:
        """The rows that were looked at late."""
        return sum(one.units.rows for one in self.late)

    @property
    def dead(self) -> int:
        """Units that were flat on all of those."""
        return int(np.all([one.units.flat == 1 for one in self.late], axis=0).sum())

    @property
    def flat(self) -> float:
        """The share of their numbers that were flat."""
        return sum(float(one.units.flat.mean()) * one.units.rows for one in self.late) / self.rows


def _layers(evidence: Evidence, kinds: Sequence[str]) -> Iterator[_Layer]:
    """The hidden layers of a kind of the training to speak of, unless that ends well."""
    trace, index = evidence.trace, best(evidence)
    if index is None or ends_well(evidence, index):
        return
    training = trace.trainings[index]
    middle = (training.first + training.last) / 2
    found: defaultdict[int, list[tuple[int, Hidden]]] = defaultdict(list)
    biases: dict[int, int] = {}
    for reading in readings(trace):
        for layer in hidden(reading) if reading.of(index) else ():
            weight = layer.before.weight
            if weight is not None and layer.units.kind in kinds:
                found[weight].append((reading.tape.clock, layer))
                added = [i for i in layer.before.op.inputs[2:] if reading.value(i).parameter is not None]
                sums = [op for op in reading.tape.ops if op.name == "add" and layer.before.op.output in op.inputs]
                added += [i for op in sums for i in op.inputs if reading.value(i).parameter is not None]
                for i in added[:1]:
                    biases[weight] = reading.value(i).parameter or 0
    for weight, seen in found.items():
        late = [layer for clock, layer in seen if clock >= middle]
        sizes = {len(layer.units.flat) for _, layer in seen}
        early = seen[0][0] < middle  # a layer of as many units as a batch has rows is told by other batches only
        if late and early and len(sizes) == 1 and sizes.pop() >= _LEAST:
            bias = trace.parameters[biases[weight]] if weight in biases else None
            yield _Layer(trace.parameters[weight], bias, seen[0][1], tuple(late))


def dead_relus(evidence: Evidence) -> Iterator[Finding]:
    """Units of a hidden layer that are 0 on every row, so that no gradient comes through them."""
    for layer in _layers(evidence, ("relu",)):
        dead = layer.dead
        at_start = int((layer.first.units.flat == 1).sum())
        born = at_start >= _DEAD * layer.units
        if dead < _DEAD * layer.units or layer.rows < _ROWS or not (born or _steady(evidence)):
            continue
        fixes = _starts(evidence, layer) if born else _rates(evidence)
        left, name = layer.units - dead, layer.weight.name or "a weight"
        yield Finding(
            "dead-relus",
            "warning",
            _line(fixes, layer),
            saw=f"{dead} of the {layer.units} units behind {name} are 0 on all {layer.rows:,}"
            f" rows that were looked at late in the training and after it ({at_start} on the first batch)",
            so="no gradient comes through a ReLU that is 0: "
            + (
                f"the layer is worth {left} units, and the others stay as they are"
                if left
                else "nothing before it learns"
            ),
            instead=edits.written_if_any(evidence.program, fixes[0] if fixes else ())
            or "a start at which each unit is above 0 on about half of the rows",
            edits=fixes,
            needs_proof=True,
        )


def saturated_units(evidence: Evidence) -> Iterator[Finding]:
    """Sigmoids or tanhs that are at an end on nearly every row, where they have next to no derivative."""
    for layer in _layers(evidence, ("sigmoid", "tanh")):
        early = float(layer.first.units.flat.mean())
        born = early >= _SATURATED
        if layer.flat < _SATURATED or layer.rows < _ROWS or not (born or _steady(evidence)):
            continue
        fixes = _starts(evidence, layer) if born else _rates(evidence)
        kind, name = layer.first.units.kind, layer.weight.name or "a weight"
        slope = float(np.mean([one.units.slope for one in layer.late]))
        yield Finding(
            "saturated-units",
            "warning",
            _line(fixes, layer),
            saw=f"{100 * layer.flat:.0f} % of what the {layer.units} {kind} units behind {name}"
            f" give lies within 1 % of an end ({100 * early:.0f} % on the first batch)",
            so=f"a {kind} is flat there: its mean derivative is {short(100 * slope)} % of the largest, and the gradient"
            " of all that comes before it is that much smaller",
            instead=edits.written_if_any(evidence.program, fixes[0] if fixes else ())
            or "smaller weights at the start, with a mean of 0",
            edits=fixes,
            needs_proof=True,
        )


def _steady(evidence: Evidence) -> bool:
    """Whether the loss has no sign of steps that are too long, which speak for themselves and for all they do."""
    return next(iter(learning_rate_too_high(evidence)), None) is None


def _line(fixes: tuple[Edits, ...], layer: _Layer) -> Place | None:
    return fixes[0][0].place if fixes else layer.first.op.place


def _starts(evidence: Evidence, layer: _Layer) -> tuple[Edits, ...]:
    """Another start: a bias of 0, weights with a mean of 0, smaller ones."""
    found = [
        centres.at_zero(evidence, layer.bias) if layer.bias else (),
        centres.centred(evidence, layer.weight),
        starts.scaled(evidence, [layer.weight]),
    ]
    return tuple(fix for fix in found if fix)


def _rates(evidence: Evidence) -> tuple[Edits, ...]:
    """A smaller rate."""
    index = best(evidence)
    training = evidence.trace.trainings[index] if index is not None else None
    rate = rate_of(evidence.program, evidence.trace, training) if training else None
    places = rate_places(evidence.program, evidence.trace, training) if training else ()
    if not rate or not places:
        return ()
    return tuple((edits.replace(places[0], f"{rate / by:.2g}"),) for by in _LOWER)
