"""What a person reads off a classifier: the part of the rows that it gets right, and averages over rows."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

from torch import Tensor

__all__ = ["Mean", "accuracy", "columns", "names"]


def accuracy(inp: Tensor, targ: Tensor) -> Tensor:
    """The part of the rows whose largest score is at the target's class: a float tensor (), nan if there is no row.

    ``inp`` (B, C) scores or probabilities, ``targ`` (B,) or (B, 1) classes. Comparing [B] with [B, 1] in PyTorch makes
    B × B comparisons and a number that means nothing, so neither is ever broadcast: a row has one target.
    ValueError for any other shape. Name and arguments are fastai's.
    """
    if inp.dim() != 2 or targ.shape not in (inp.shape[:1], (len(inp), 1)):
        raise ValueError(f"accuracy needs inp (B, C) and targ (B,), not {tuple(inp.shape)} and {tuple(targ.shape)}")
    # max finds the index too, and on the linear layer's transposed output five times as fast as argmax
    preds = inp.max(dim=-1).indices  # (B,)
    return (preds == targ.flatten()).float().mean()


@final
@dataclass(slots=True)
class Mean:
    """An average over rows, Σ value · count / Σ count, in float64: the one place in byhand that averages batches.

    The last batch is often smaller, and then the mean of the batches' means is not the mean of the rows:

    >>> loss = Mean()
    >>> loss.add(2.0, 3)
    >>> loss.add(1.0, 1)
    >>> loss.value
    1.75
    """

    total: float = 0.0
    count: int = 0

    def add(self, value: float | Tensor, count: int) -> None:
        """Take in the mean ``value`` of ``count`` more rows; of none, nothing, whatever the value."""
        if count:
            self.total += (value.item() if isinstance(value, Tensor) else value) * count
            self.count += count

    @property
    def value(self) -> float:
        """The mean of all rows so far; nan if there are none."""
        return self.total / self.count if self.count else math.nan


def names(metrics: Iterable[object]) -> list[str]:
    """What a learner measures: its loss, and its metrics by their functions' names."""
    return ["loss", *(getattr(metric, "__name__", type(metric).__name__) for metric in metrics)]


def columns(metrics: Iterable[object]) -> list[str]:
    """The keys of a row of a learner's history, in their order."""
    return ["epoch", *(f"{part}_{name}" for name in names(metrics) for part in ("train", "valid")), "seconds"]
