"""How many rows there were to judge, where an evaluation leaves the last of them out."""

from byhand.doctor.audit.passes import Pass
from byhand.doctor.trace import Trace

__all__ = ["lengths", "whole"]


def whole(trace: Trace, one: Pass) -> int | None:
    """The rows of which a pass left out less than a batch; None where it left out none, or it is not clear of which.

    A loader that drops its last batch tells by itself. Batches that were cut by hand, all of one size, may be of any
    array that is a little longer: it counts where all such arrays have the same length.
    """
    if one.forward.loader is not None:
        loader = trace.loaders[one.forward.loader]
        short = loader.drop_last and loader.rows is not None and 0 < loader.rows - one.n < (loader.batch_size or 0)
        return loader.rows if short else None
    found = set(lengths(trace, one).values())
    return found.pop() if len(found) == 1 else None


def lengths(trace: Trace, one: Pass) -> dict[str, int]:
    """The arrays of the program, by name, that are longer than a pass by less than one of its batches."""
    sizes = {batch.forward.n for batch in one.batches}
    if len(one.batches) < 2 or len(sizes) > 1:
        return {}
    size = sizes.pop()
    made = ((one.name, one.summary.shape[0]) for one in trace.made if one.summary.shape)
    return {name: rows for name, rows in made if one.n < rows < one.n + size}
