"""The metric audit: what each evaluation of a run truly gave, beside what the program printed.

trace ─→ passes (exact accuracy and loss) ─→ printed numbers and what made them ─→ Audit
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import final

from byhand.doctor.audit.passes import Pass, Passes
from byhand.doctor.audit.printed import Line, Misprint, lines, measures, misprints, stated
from byhand.doctor.place import Place
from byhand.doctor.trace import Forward, Printed, Trace

__all__ = ["Accuracy", "Audit", "audit"]

_ENOUGH = 1000  # rows, where only those that it learns from are judged
_DEMO = 0.1  # a pass over a smaller share of the largest one shows a few examples
_PARTS = 4  # of the data that a program may evaluate one after the other


@final
@dataclass(frozen=True, slots=True)
class Accuracy:
    """The accuracy that a program prints of its main evaluation, beside the true one; both fractions."""

    printed: float | None  # None where no printed number is known to be of it
    actual: float
    n: int
    place: Place | None  # of the print, else of the evaluation
    learning: bool = False  # of the rows that it learns from, as it learns: it judges no others


@final
@dataclass(frozen=True, slots=True)
class Audit:
    """All evaluations of a run, in order, and its printed numbers."""

    passes: tuple[Pass, ...]
    main: Pass | None  # the evaluation to measure the program by
    lines: tuple[tuple[Line, ...], ...]  # the numbers of one print and one position together
    misprints: tuple[Misprint, ...]
    accuracy: Accuracy | None
    # ``main``, or the last forwards that it learnt from where it judges a few rows at most.
    measured: Pass | None = None

    @property
    def newest_first(self) -> list[Pass]:
        """The main evaluation, then all from the last to the first; it comes there once more."""
        return [*([self.main] if self.main else []), *reversed(self.passes)]


def audit(trace: Trace) -> Audit:
    """Recompute what a run evaluated."""
    builder = Passes(trace)
    passes = [part for group in builder.group() for part in _cut(builder, builder.make(group))]
    series = lines(trace, builder, passes)
    wrong = misprints(series)
    main = _main(passes)
    accuracy = _accuracy(main, series, wrong)
    measured = main
    judged = main.n if main is not None and main.accuracy is not None else 0  # rows
    learning = _while_learning(builder) if judged < _DEMO * _ENOUGH else None
    if learning is not None and judged < _DEMO * learning.n:
        measured, accuracy = learning, _as_it_learns(trace, learning)
    return Audit(tuple(passes), main, tuple(map(tuple, series)), wrong, accuracy, measured)


def _while_learning(builder: Passes) -> Pass | None:
    """The last forwards for training that the program chose classes for: what it has to show where it never judges."""
    chosen = {one.forward for one in builder.trace.predictions if one.scores.size}
    found: list[Forward] = []
    seen: set[int] = set()
    for forward in reversed(builder.trace.forwards):
        if forward.kind == "train" and forward.index in chosen and forward.labels.size:
            rows = set(forward.rows.tolist())
            if rows & seen:
                break
            seen |= rows
            found.append(forward)
            if sum(one.n for one in found) >= _ENOUGH:
                break
    return builder.make(found[::-1]) if found else None


def _as_it_learns(trace: Trace, learning: Pass) -> Accuracy | None:
    if learning.accuracy is None:
        return None
    shown = [one for one in trace.printed if one.forward in {batch.forward.index for batch in learning.batches}]
    for printed in reversed(shown):
        value = stated(printed, learning)
        if value is not None:
            return Accuracy(value, learning.accuracy, learning.n, printed.place, learning=True)
    return Accuracy(None, learning.accuracy, learning.n, learning.forward.place, learning=True)


def _main(passes: Sequence[Pass]) -> Pass | None:
    """The last evaluation on held-out rows, of the model trained last; where there is none, the last of all."""
    if not passes:
        return None
    known = [one for one in passes if one.accuracy is not None] or passes
    newest = max((one.forward.training for one in known if one.forward.training is not None), default=None)
    mine = [one for one in known if one.forward.training == newest] or known
    held_out = [one for one in mine if one.on != "training"] or mine
    most = max(one.n for one in held_out)
    return [one for one in held_out if one.n >= _DEMO * most][-1]


def _cut(builder: Passes, whole: Pass) -> list[Pass]:
    """A pass in pieces where the program printed the accuracy of each piece, after it or after all of them.

    Validation rows and then test rows, each in one forward through the same helper, look like two batches of one set.
    """
    if whole.forward.loader is not None or len(whole.batches) < 2:
        return [whole]
    shown: dict[int | None, list[Printed]] = {}
    for printed in builder.trace.printed:
        shown.setdefault(printed.forward, []).append(printed)

    def told(forward: int, piece: Pass) -> bool:
        return any(stated(printed, piece) is not None for printed in shown.get(forward, ()))

    forwards = [batch.forward for batch in whole.batches]
    ends = [at + 1 for at, forward in enumerate(forwards) if any(one.numbers for one in shown.get(forward.index, ()))]
    if told(whole.last, whole) or ends[-1:] != [len(forwards)]:
        return [whole]
    if len(ends) > 1:
        pieces = [builder.make(forwards[start:end]) for start, end in pairwise([0, *ends])]
        if all(told(piece.last, piece) for piece in pieces):
            return pieces
    if len(forwards) <= _PARTS:
        pieces = [builder.make([forward]) for forward in forwards]
        if all(told(whole.last, piece) for piece in pieces):
            return pieces
    return [whole]


def _accuracy(main: Pass | None, series: Sequence[Sequence[Line]], wrong: Sequence[Misprint]) -> Accuracy | None:
    if main is None or main.accuracy is None:
        return None
    shown: list[tuple[int, Line, float]] = []  # how indirect, where, as a fraction
    for line in (line for same in series for line in same):
        for evaluation, one in line.evaluations():
            fit = line.fit(one)
            if evaluation is main and one.measure == "accuracy" and (one.right or line.explained) and fit:
                far = int(one.of != "scores") if one.right else 2  # a wrong average may be the right number, rounded
                shown.append((far, line, fit.accuracy))
    shown += [
        (2, one.line, 1 - one.shown if one.error else one.shown)
        for one in wrong
        if one.evaluation is main and one.measure == "accuracy"
    ]
    if not shown:
        return Accuracy(None, main.accuracy, main.n, main.forward.place)
    _, line, value = min(shown, key=lambda found: (found[0], found[1].tolerance, len(measures(found[1].number))))
    return Accuracy(value, main.accuracy, main.n, line.printed.place)
