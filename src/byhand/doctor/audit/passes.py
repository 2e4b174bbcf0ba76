"""Evaluation passes: the forwards that together went over one set of rows with the same weights.

forwards ─→ groups (same model, clock, source; no row twice) ─→ Pass: rows, labels, scores, accuracy, loss
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from numpy.typing import NDArray

from byhand.doctor.audit import scores as tables
from byhand.doctor.audit.batches import Batch, Batches, covers
from byhand.doctor.place import Place
from byhand.doctor.trace import Comparison, Forward, Prediction, Trace

__all__ = ["Pass", "Passes", "inside", "shifted"]

Base = tuple[int | None, int | None, tuple[Place | None, ...]]
Key = tuple[Base, int]
On = Literal["held-out", "training", "mixed", "unknown"]

_TELLING = 4  # rows of which the share that was seen before says where they come from
_NONE: NDArray[np.int64] = np.zeros(0, dtype=np.int64)


@final
@dataclass(frozen=True, slots=True)
class Pass:
    """An evaluation: N rows, in one or more batches, with one state of the weights.

    ``chosen`` is the class of the best score of each row, whatever the program did with the scores, and ``accuracy``
    the share of rows where it is the label. Both are missing where a batch's scores or labels were not seen. The best
    score is the largest, but for scores that are small where a class is likely (``smallest``), as losses or distances.
    """

    batches: tuple[Batch, ...]
    whole: tuple[Comparison, ...]  # comparisons of all rows at once, where there are several batches
    on: On
    share: float  # of its rows, those that had been trained on before; NaN where rows have no fingerprints
    covers: float  # of the training rows, those that are in it
    labels: NDArray[np.int64]  # (N,); (0,) unless all are known
    scores: NDArray[np.float32] | None  # (N, C)
    smallest: bool
    chosen: NDArray[np.int64]  # (N,); (0,) where unknown
    right: NDArray[np.bool_]  # (N,); (0,) where unknown
    accuracy: float | None
    loss: float | None  # mean cross-entropy over the rows, in float64
    loss_of: tables.Kind | None  # what the scores are

    @property
    def first(self) -> int:
        """The index of its first forward."""
        return self.batches[0].forward.index

    @property
    def last(self) -> int:
        """The index of its last forward."""
        return self.batches[-1].forward.index

    @property
    def forward(self) -> Forward:
        """Its first forward, which stands for all where they are alike: place, loader, model."""
        return self.batches[0].forward

    @property
    def clock(self) -> int:
        """The number of updates before it."""
        return self.forward.clock

    @property
    def n(self) -> int:
        """Rows."""
        return sum(batch.forward.n for batch in self.batches)

    @property
    def rows(self) -> NDArray[np.int64]:
        """Fingerprints, (N,); fewer where some were not taken."""
        return np.concatenate([batch.forward.rows for batch in self.batches])

    @property
    def predictions(self) -> tuple[Prediction, ...]:
        """All choices that the program made of its scores."""
        return tuple([p for batch in self.batches for p in batch.predictions])

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """One a batch, or those of all rows at once."""
        return tuple([batch.comparison for batch in self.batches if batch.comparison]) or self.whole


@final
class Passes:
    """Builds the passes of a trace; holds what is looked up again and again."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.batches = Batches(trace)
        self._trained: dict[int | None, tuple[NDArray[np.int64], NDArray[np.int64]]] = {}

    def group(self) -> list[list[Forward]]:
        """The evaluation forwards of each pass, passes in the order in which they ended."""
        done: list[list[Forward]] = []
        opened: dict[Key, list[Forward]] = {}
        seen: dict[Key, set[int]] = {}
        repeats: dict[Base, tuple[NDArray[np.int64], int]] = {}
        clock = -1
        for forward in self.trace.forwards:
            if forward.kind != "eval":
                continue
            if forward.clock != clock:
                done += opened.values()
                opened, seen, repeats, clock = {}, {}, {}, forward.clock
            base = (forward.training, forward.loader, forward.stack or (forward.place,))
            # The same batch once more, as for a loss and then for an accuracy, belongs to a pass beside the first.
            last = repeats.get(base)
            again = last is not None and forward.rows.size >= _TELLING and np.array_equal(last[0], forward.rows)
            repeat = last[1] + 1 if last is not None and again else 0
            repeats[base] = (forward.rows, repeat)
            key = (base, repeat)
            if key in opened and self._begins(forward, opened[key], seen[key]):
                done.append(opened.pop(key))
            opened.setdefault(key, []).append(forward)
            if len(opened[key]) == 1:
                seen[key] = set()
            seen[key].update(forward.rows.tolist())
        done += opened.values()
        return sorted(done, key=lambda group: group[-1].index)

    def _begins(self, forward: Forward, before: list[Forward], seen: set[int]) -> bool:
        """Whether a forward is the first over another set of rows, or over the same set anew."""
        again = sum(row in seen for row in forward.rows.tolist())
        if forward.rows.size and np.array_equal(forward.rows, before[0].rows):
            return True
        if shifted(before[-1], forward):
            return False  # a window that moves on by less than its length
        if forward.n >= _TELLING and again >= forward.n / 2:
            return True
        if forward.loader is not None:
            return False
        # Slices cut by hand: all of one length, the last perhaps shorter, and all of one part of the data.
        size, previous = before[0].n, before[-1].n
        if forward.n > size + 1 or (previous < size - 1):
            return True
        if forward.n < _TELLING:
            return False  # one row of a test part may be found in the training too
        old, new = self.trained(before[0]), self.trained(forward)
        return abs(old - new) > 0.8

    def trained(self, forward: Forward) -> float:
        """The share of a forward's rows that its model trains on at any time; NaN without fingerprints."""
        rows, _ = self._training_rows(forward.training)
        if not rows.size or not forward.rows.size:
            return 0.0 if forward.rows.size else math.nan
        return float(inside(rows, forward.rows)[0].mean())

    def _training_rows(self, training: int | None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The distinct rows of a model's training, sorted, and the clock at which each was first used."""
        if training not in self._trained:
            used = [f for f in self.trace.forwards if f.kind == "train" and f.training == training and f.rows.size]
            rows = np.concatenate([f.rows for f in used]) if used else _NONE
            clocks = np.concatenate([np.full(f.rows.size, f.clock) for f in used]) if used else _NONE
            distinct, first = np.unique(rows, return_index=True)
            self._trained[training] = distinct, clocks[first]
        return self._trained[training]

    def make(self, forwards: Sequence[Forward]) -> Pass:
        """The pass that some forwards are."""
        batches = [self.batches.of(forward) for forward in forwards]
        n = sum(forward.n for forward in forwards)
        around = [c for f in forwards for c in self.batches.comparisons(f)] if len(forwards) > 1 else []
        whole = tuple([c for c in around if covers(c, n)])

        compared = next((c.labels for c in whole if c.labels.size == n), _NONE)
        labels = np.concatenate([batch.labels for batch in batches])
        if labels.size != n or (compared.size and not any(batch.comparison for batch in batches)):
            labels = compared
        found = [batch.scores for batch in batches if batch.scores is not None]
        scores: NDArray[np.float32] | None = None
        if len(found) == len(batches) and len({part.shape[1] for part in found}) == 1:
            scores = np.concatenate(found)
        elif len(forwards) > 1:
            scores = tables.rows_of([p for batch in batches for p in batch.predictions], n, labels, self.batches.square)

        names = {p.name for batch in batches for p in batch.predictions}
        what = tables.kind(scores) if scores is not None and "threshold" not in names else None
        smallest = False
        chosen, right, accuracy, loss = _NONE, np.zeros(0, dtype=np.bool_), None, None
        if scores is not None and labels.size == n:
            low, high = (scores.argmin(1) == labels), (scores.argmax(1) == labels)
            smallest = what not in ("probabilities", "log-probabilities") and bool(
                (what == "negative log-probabilities" or (names & {"argmin", "min"})) and low.sum() >= high.sum()
            )
            chosen = (scores.argmin(1) if smallest else scores.argmax(1)).astype(np.int64)
            right = low if smallest else high
            accuracy = float(right.mean()) if n else None
            loss = tables.cross_entropy(scores, labels, what) if what else None
        elif not any(batch.predictions for batch in batches):
            accuracy = _compared(batches, whole)  # two classes told apart by a threshold have no table of scores

        rows = np.concatenate([forward.rows for forward in forwards])
        on, share, held = self._against_training(forwards[0], rows)
        return Pass(
            tuple(batches), whole, on, share, held, labels, scores, smallest, chosen, right, accuracy, loss, what
        )

    def _against_training(self, forward: Forward, rows: NDArray[np.int64]) -> tuple[On, float, float]:
        known, clocks = self._training_rows(forward.training)
        if not rows.size:
            return "unknown", math.nan, 0.0
        if not known.size:
            return "held-out", 0.0, 0.0
        found, at = inside(known, rows)
        # Before the first update nothing has been trained on, and yet the training rows are the training rows.
        earlier = found & (clocks[at] < forward.clock) if forward.clock > int(clocks.min()) else found
        share = float(earlier.mean())
        on: On = "training" if share >= 0.95 else "held-out" if share <= 0.5 else "mixed"
        return on, share, np.unique(rows[found]).size / known.size


def inside(known: NDArray[np.int64], rows: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
    """Which rows are among the known ones, which are sorted and not none, and where each would stand there."""
    at = np.minimum(np.searchsorted(known, rows), known.size - 1)
    return known[at] == rows, at


def shifted(before: Forward, after: Forward) -> int | None:
    """By how many rows a batch begins after another that it shares rows with; None where that is not what they are."""
    if min(before.rows.size, after.rows.size) < _TELLING or after.rows[0] == before.rows[0]:
        return None
    (at,) = np.nonzero(before.rows == after.rows[0])
    shared = before.rows.size - int(at[0]) if at.size == 1 else 0
    if not shared or np.unique(before.rows).size < before.rows.size:
        return None
    return int(at[0]) if np.array_equal(before.rows[int(at[0]) :], after.rows[:shared]) else None


def _compared(batches: Sequence[Batch], whole: Sequence[Comparison]) -> float | None:
    """The share of equal pairs, where every row was compared once."""
    pairs = [b.comparison for b in batches if b.comparison is not None and b.comparison.total == b.forward.n]
    if len(pairs) < len(batches):
        n = sum(batch.forward.n for batch in batches)
        pairs = [c for c in whole if c.total == n][-1:]
    return sum(c.equal for c in pairs) / sum(c.total for c in pairs) if pairs else None
