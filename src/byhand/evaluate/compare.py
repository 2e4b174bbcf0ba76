"""Is the difference real? Models judged on the same test images, image by image."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import final

from byhand.errors import UsageError
from byhand.evaluate.answer import p_words, percent
from byhand.evaluate.opening import Opened, open_test
from byhand.evaluate.statistics import (
    Difference,
    Proportion,
    Spread,
    holm,
    mcnemar,
    over_seeds,
    paired_bootstrap,
    wilson,
)

__all__ = ["Comparison", "Group", "Pair", "compare"]

_REAL = 0.05  # the adjusted p-value below which a difference is called real


@final
@dataclass(frozen=True, slots=True)
class Pair:
    """The second of two runs against the first."""

    first: str
    second: str
    difference: Difference  # second − first
    first_only: int  # images that only the first names right
    second_only: int
    p_value: float  # exact McNemar; adjusted by Holm where there are several pairs
    real: bool


@final
@dataclass(frozen=True, slots=True)
class Group:
    """Runs that differ in nothing but their seeds."""

    runs: tuple[str, ...]
    accuracy: Spread


@final
@dataclass(frozen=True, slots=True)
class Comparison:
    """All runs, all pairs of them, and the spread over seeds."""

    accuracies: dict[str, Proportion]
    pairs: tuple[Pair, ...]  # each against each, in the order in which they were named
    groups: tuple[Group, ...]  # of two runs or more
    verdict: str


def compare(runs: Sequence[str]) -> Comparison:
    """Compare two runs or more on the test part of their data; it is opened once more for each of them.

    Raises:
        UsageError: fewer than two runs, one named twice, or runs with different test images.
        DataError: a run or its data cannot be read.
    """
    if len(runs) < 2 or len({Path(run).resolve() for run in runs}) < len(runs):
        raise UsageError("name two different runs or more, to be compared with each other")
    opened = [open_test(run) for run in runs]
    for run, one in zip(runs[1:], opened[1:], strict=True):
        if one.data.test.hash != opened[0].data.test.hash:
            raise UsageError(f"{runs[0]} and {run} have different test images; only runs on the same can be compared")
    hits = {run: one.hits for run, one in zip(runs, opened, strict=True)}
    found: list[tuple[str, str, Difference, int, int]] = []
    for first, second in combinations(runs, 2):
        won, lost = int((hits[second] & ~hits[first]).sum()), int((hits[first] & ~hits[second]).sum())
        found.append((first, second, paired_bootstrap(hits[first], hits[second]), lost, won))
    adjusted = holm([mcnemar(lost, won) for *_, lost, won in found])
    pairs = tuple(Pair(*one, p, p < _REAL) for one, p in zip(found, adjusted, strict=True))
    accuracies = {run: wilson(int(one.sum()), len(one)) for run, one in hits.items()}
    groups = _groups(opened, accuracies)
    return Comparison(accuracies, pairs, groups, _verdict(pairs, accuracies, groups))


def _groups(opened: Sequence[Opened], accuracies: dict[str, Proportion]) -> tuple[Group, ...]:
    alike: dict[str, list[str]] = {}
    for run, one in zip(accuracies, opened, strict=True):
        alike.setdefault(_without_seed(one), []).append(run)
    return tuple(
        Group(tuple(runs), over_seeds([accuracies[run].value for run in runs]))
        for runs in alike.values()
        if len(runs) > 1
    )


def _without_seed(one: Opened) -> str:
    return repr((replace(one.settings, seed=0), one.data.hash))


def _verdict(pairs: Sequence[Pair], accuracies: dict[str, Proportion], groups: Sequence[Group]) -> str:
    if len(pairs) == 1:
        return _one(pairs[0]) + (_only_seeds(groups[0]) if groups else "")
    best = max(accuracies, key=lambda run: accuracies[run].value)
    unsure = [pair for pair in pairs if best in (pair.first, pair.second) and not pair.real]
    others = [pair.second if pair.first == best else pair.first for pair in unsure]
    text = f"{best} is right most often, {percent(accuracies[best].value)}"
    return f"{text}; {', '.join(others)} may be as good." if others else f"{text}, and better than each of the others."


def _one(pair: Pair) -> str:
    value, low, high = (100 * x for x in (pair.difference.value, pair.difference.low, pair.difference.high))
    counts = f"{pair.second_only} images are right in {pair.second} alone, {pair.first_only} in {pair.first} alone"
    if not pair.real:
        points = f"{value:+.1f} points ({low:+.1f} to {high:+.1f})".replace("-", "−")
        return f"The difference, {points}, may be luck ({p_words(pair.p_value)}): {counts}."
    better = pair.second
    if value < 0:
        better, value, low, high = pair.first, -value, -high, -low
    points = f"{value:.1f} points ({low:.1f} to {high:.1f}; {p_words(pair.p_value)})".replace("(-", "(−")
    return f"{better} is better, by {points}: {counts}."


def _only_seeds(group: Group) -> str:
    sd = 100 * group.accuracy.sd
    return (
        f" They differ in nothing but their seeds, which make ± {sd:.2f} points by themselves (n = {group.accuracy.n})."
    )
