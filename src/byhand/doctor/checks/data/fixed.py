"""The same batches in the same order, epoch after epoch."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.data.drift import alike
from byhand.doctor.checks.data.mixing import shuffled
from byhand.doctor.checks.reading.batches import Order, first_epoch, is_sorted, order
from byhand.doctor.checks.reading.course import best, fed
from byhand.doctor.finding import Finding
from byhand.doctor.trace import Loader

__all__ = ["fixed_batches"]

_ALIKE: Final = 0.05  # MNIST's files have 0.01, scikit-learn's digits, one writer after another, have 0.03
_GROUP: Final = 20  # rows
_MIXED: Final = 0.05  # of the classes of an order


def fixed_batches(evidence: Evidence) -> Iterator[Finding]:
    """Rows in an order that never changes: a suspicion where neighbours are alike, else no more than a note."""
    trace, index = evidence.trace, best(evidence)
    forwards = fed(trace, index) if index is not None else []
    how = order(forwards)
    if how is None or not how.repeats or is_sorted(how):
        return
    loader = trace.loaders[forwards[0].loader] if forwards[0].loader is not None else None
    epoch = forwards[: first_epoch(forwards)]
    size = max(_GROUP, epoch[0].n)
    near = alike(epoch, trace.trained_on, size)
    if near is None or near < _ALIKE:
        yield from _unshuffled(how, loader)
        return
    fixes, place, instead = shuffled(evidence, forwards[0], loader)
    yield Finding(
        "fixed-batches",
        "warning",
        place,
        saw=f"every epoch brings the same {len(how.batches):,} batches in the same order, and rows that stand side by "
        f"side are alike: {near:.0%} of the spread of their numbers is between groups of {size}, of mixed rows none",
        so="what comes late in an epoch is known best, and what came first is half forgotten, each time anew",
        instead=instead,
        edits=fixes,
        needs_proof=True,
    )


def _unshuffled(how: Order, loader: Loader | None) -> Iterator[Finding]:
    """A loader that does not shuffle rows which stand in mixed order."""
    if loader is None or loader.shuffles or how.gathered >= _MIXED:
        return
    kinds = float(np.mean([len(np.unique(batch)) for batch in how.batches]))
    yield Finding(
        "fixed-batches",
        "note",
        loader.place,
        saw=f"every epoch brings the rows in the same order, with {kinds:.1f} of the {how.classes} classes a batch",
        so="harmless here, since the rows are mixed already",
        instead="shuffle=True in the loader of the training rows",
    )
