"""An evaluation that keeps what a backward pass would need: memory and time, and no fault.

Letters: N rows of a forward.
"""

import math
from collections.abc import Iterator
from typing import Final

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.reading.tapes import Reading, name_of, readings
from byhand.doctor.finding import Finding

__all__ = ["evaluated_with_graph"]

_WORTH: Final = 16 * 2**20  # bytes in one forward; what is less nobody notices


def evaluated_with_graph(evidence: Evidence) -> Iterator[Finding]:
    """Forwards outside ``no_grad`` of a model that autograd trains, where nothing goes back and much is kept."""
    trace = evidence.trace
    taught = {trace.forwards[one.forward].training for one in trace.backwards if one.forward is not None}
    idle = [one for one in trace.forwards if one.kind == "eval" and one.grad and one.training in taught]
    a_row = {
        reading.tape.forward: _bytes(reading) / reading.n
        for reading in readings(trace)
        if reading.n and not reading.train
    }
    known = [(one.n * a_row[one.index], one) for one in idle if one.index in a_row and one.place]
    if not known:
        return
    most, largest = max(known, key=lambda pair: pair[0])
    if most < _WORTH:
        return
    yield Finding(
        "evaluated-with-graph",
        "note",
        largest.place,
        f"{len(idle):,} of the {len(trace.forwards):,} forward passes were recorded for a backward pass that never "
        f"came, the largest of them with up to {most / 2**20:,.0f} MB of intermediate values",
        "it changes no number; memory and time are all that it costs",
        "with torch.no_grad(): around the evaluation",
    )


def _bytes(reading: Reading) -> float:
    """What the operations made of the rows, views left out: the most that a graph holds on to."""
    rows = [i for i, value in enumerate(reading.tape.values) if value.rows]
    made = set[int]().union(*(reading.leads_to(index) for index in rows)) - set(rows)
    total = 0.0
    for op in reading.tape.ops:
        value = reading.value(op.output)
        if op.output in made and name_of(op) != "view" and value.summary.dtype.startswith("float"):
            total += math.prod(value.summary.shape) * int(value.summary.dtype.removeprefix("float")) / 8
    return total
