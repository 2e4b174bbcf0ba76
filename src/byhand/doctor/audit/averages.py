"""What a program may have made of the batches of a pass: the exact figures, and the usual wrong averages."""

import math
from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple

from byhand.doctor.audit.batches import Batch, is_broadcast
from byhand.doctor.audit.passes import Pass

__all__ = ["DIVIDED", "How", "Measure", "Of", "Statistic", "divisor", "hits_of", "statistics"]

Measure = Literal["accuracy", "loss"]
Of = Literal["scores", "pairs", "pairs over rows", "elements", "loss"]
How = Literal[
    "all", "mean", "last", "first", "sum", "sum over rows", "sum over one more", "sum over one fewer",
    "over all rows", "over full batches", "over one row more", "over one row fewer",
]  # fmt: skip


DIVIDED: Final = frozenset(("over all rows", "over full batches", "over one row more", "over one row fewer"))
"""Hits that are divided by another number than that of the rows that were judged."""


class Statistic(NamedTuple):
    """One figure of a pass, and how it was made."""

    measure: Measure
    of: Of  # the scores as they are, the pairs or the ones and zeros that the program compared, or the batches' losses
    how: How  # of all rows, or some average of the batches
    value: float
    right: bool  # an honest figure
    broadcast: bool = False  # every prediction was compared with every label


def statistics(batches: Sequence[Batch], evaluation: Pass | None, whole: int | None = None) -> list[Statistic]:
    """All figures that may have been made of some batches, the likeliest first; ``whole``: rows that there were.

    Averages come from the program's own comparisons and losses: what it never compared batch by batch, it cannot have
    averaged so. Of training batches (no ``evaluation``), whose weights differ, any average is honest but one that
    divides means by rows.
    """
    made = [*_of_pairs(batches, training=evaluation is None), *_of_losses(batches, training=evaluation is None)]
    if evaluation is not None:
        made[:0] = _divided(batches, evaluation, whole)  # a mean that is the same number is the likelier one
        for pair in evaluation.whole:
            crossed = is_broadcast(pair)
            made.append(Statistic("accuracy", "pairs", "all", pair.equal / pair.total, not crossed, crossed))
        elements = [batch.elements for batch in batches if batch.elements is not None]
        if len(elements) == len(batches):
            share = sum(one.equal for one in elements) / sum(one.total for one in elements)
            made.append(Statistic("accuracy", "elements", "all", share, False))
        if evaluation.loss is not None:
            made.insert(0, Statistic("loss", "scores", "all", evaluation.loss, True))
        if evaluation.accuracy is not None:
            made.insert(0, Statistic("accuracy", "scores", "all", evaluation.accuracy, True))
    return [one for one in made if math.isfinite(one.value)]


def _of_pairs(batches: Sequence[Batch], *, training: bool) -> list[Statistic]:
    pairs = [(batch.comparison, batch.forward.n) for batch in batches if batch.comparison is not None]
    if len(pairs) < len(batches):
        last = batches[-1].comparison if batches else None
        if last is None or len(batches) < 2 or len(pairs) > 1:
            return []
        return [Statistic("accuracy", "pairs", "last", last.equal / last.total, training)]
    crossed = any(is_broadcast(pair) for pair, _ in pairs)
    rows = sum(n for _, n in pairs)
    shares = _averages([pair.equal / pair.total for pair, _ in pairs], [pair.total for pair, _ in pairs], rows)
    made = [
        Statistic("accuracy", "pairs", how, value, not crossed and _honest(how, training), crossed)
        for how, value in shares.items()
    ]
    if any(pair.total != n for pair, n in pairs):  # five candidates a row, or every prediction with every label
        counts = _averages([pair.equal / n for pair, n in pairs], [n for _, n in pairs], rows)
        made += [
            Statistic("accuracy", "pairs over rows", how, counts[how], not crossed, crossed)
            for how in ("all", "mean")
            if how in counts
        ]
    return made


def divisor(how: How, sizes: Sequence[int], whole: int | None) -> int | None:
    """What the hits of batches of some sizes are divided by; None where it is their rows, or not known."""
    rows, full = sum(sizes), len(sizes) * sizes[0]
    by: dict[How, int | None] = {
        "over all rows": whole,
        "over full batches": full if len(set(sizes[:-1])) == 1 and sizes[-1] < sizes[0] else None,
        "over one row more": rows + 1,
        "over one row fewer": rows - 1,
    }
    return by.get(how)


def hits_of(batches: Sequence[Batch], evaluation: Pass) -> int | None:
    """How many rows agreed, where each was compared once: batch by batch, or all of them at once; None where not."""
    sizes = [batch.forward.n for batch in batches]
    pairs = [batch.comparison for batch in batches if batch.comparison is not None]
    if pairs and [pair.total for pair in pairs] == sizes:
        return sum(pair.equal for pair in pairs)
    whole = {pair.equal for pair in evaluation.whole if pair.total == sum(sizes)}
    return whole.pop() if len(whole) == 1 else None


def _divided(batches: Sequence[Batch], evaluation: Pass, whole: int | None) -> list[Statistic]:
    sizes, hits = [batch.forward.n for batch in batches], hits_of(batches, evaluation)
    if hits is None:
        return []
    ways: tuple[How, ...] = ("over all rows", "over full batches", "over one row more", "over one row fewer")
    made: list[Statistic] = []
    for how in ways:
        by = divisor(how, sizes, whole)
        if by and by != sum(sizes):
            made.append(Statistic("accuracy", "pairs", how, hits / by, False))
    return made


def _of_losses(batches: Sequence[Batch], *, training: bool) -> list[Statistic]:
    losses = [batch.loss for batch in batches if batch.loss is not None]
    if not losses or len(losses) < len(batches):
        return []
    sizes = [batch.forward.n for batch in batches]
    # A sum divided by the rows is wrong only where it is a sum of means.
    means = all(batch.reduction == "mean" for batch in batches)
    return [
        Statistic("loss", "loss", how, value, _honest(how, training))
        for how, value in _averages(losses, sizes, sum(sizes)).items()
        if means or how != "sum over rows"
    ]


def _honest(how: How, training: bool) -> bool:
    return how in ("all", "sum") or (training and how != "sum over rows")


def _averages(values: Sequence[float], weights: Sequence[int], rows: int) -> Mapping[How, float]:
    """The weighted mean of the batches' values, which is exact, and what is taken for it."""
    count, total = len(values), math.fsum(values)
    exact = math.fsum(v * w for v, w in zip(values, weights, strict=True)) / sum(weights) if values else math.nan
    if count < 2:
        return {"all": exact}
    return {
        "all": exact,
        "mean": total / count,
        "last": values[-1],
        "first": values[0],
        "sum": total,
        "sum over rows": total / rows,
        "sum over one more": total / (count + 1),
        "sum over one fewer": total / (count - 1),
    }
