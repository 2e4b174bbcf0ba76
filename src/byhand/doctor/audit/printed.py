"""Printed numbers beside what may have made them.

A number is *explained* if an honest figure of an evaluation or of the training so far rounds to it. Where none does,
and one wrong average does on every line that the same print wrote, it is a misprint of that kind.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, final

from byhand.doctor.audit.averages import DIVIDED, How, Measure, Of, Statistic, statistics
from byhand.doctor.audit.batches import Batch
from byhand.doctor.audit.passes import Pass, Passes
from byhand.doctor.audit.whole import whole
from byhand.doctor.place import Place
from byhand.doctor.trace import Number, Printed, Trace

__all__ = ["Line", "Misprint", "Source", "lines", "measures", "misprints", "stated"]

_SPREAD: Final = 0.05  # two accuracies of one model on one set hardly differ by more: the room for other numbers
_CHANCE: Final = 0.005  # how likely a fit by accident may be
_NAMED_CHANCE: Final = 0.03  # the same where the line says what the number is
_BACK: Final = 3  # evaluations before a line that it may speak of: training, validation, test rows
_PAST: Final = 200  # evaluations before a line whose best or last accuracy it may repeat
_WORDS: Final = {  # the first of equally near ones holds
    "other": re.compile(
        r"epoch|iter|step|batch|time|elapsed|second|\blr\b|learning.rate|size|f1.score|f1|recall|precision|auc",
        re.IGNORECASE,
    ),
    "loss": re.compile(r"loss|cost|nll|entropy", re.IGNORECASE),
    "accuracy": re.compile(r"acc|correct|right|score|hit|performance", re.IGNORECASE),
    "error": re.compile(r"err|wrong|mistake|miss", re.IGNORECASE),
}


Key = tuple[Measure, Of, How]


class Source(NamedTuple):
    """Batches that a line may speak of: an evaluation, or the training since the same print was last reached."""

    batches: Sequence[Batch]
    evaluation: Pass | None
    figures: Mapping[Key, Statistic]


class Fit(NamedTuple):
    """How a statistic became a printed number."""

    shown: float  # the number; a fraction where it is a percentage without its sign
    error: bool  # the number is the error rate

    @property
    def accuracy(self) -> float:
        """The number, or what it leaves of 1."""
        return 1 - self.shown if self.error else self.shown


@final
@dataclass(frozen=True, slots=True)
class Line:
    """One number of one printed line, with what may have made it."""

    printed: Printed
    number: Number
    value: float  # as stated; a fraction where it is in percent
    tolerance: float  # how far from it the value may have been before it was rounded
    sources: tuple[Source, ...]  # the evaluations just before it, the latest first
    training: Source
    explained: bool

    def fit(self, one: Statistic, slack: float = 1.0) -> Fit | None:
        """How a statistic rounds to this number; None where it does not, or the words say that it is something else."""
        kinds = measures(self.number)
        for name in ("accuracy", "error") if one.measure == "accuracy" else ("loss",):
            if name not in kinds:
                continue
            value = 1 - one.value if name == "error" else one.value
            scales = (1.0,) if self.number.percent or self.number.of or self.value <= 1 else (1.0, 0.01)
            for scale in scales:
                if abs(value - self.value * scale) <= slack * self.tolerance * scale + _float32(value):
                    return Fit(round(self.value * scale, 12), name == "error")
        return None

    def evaluations(self) -> list[tuple[Pass, Statistic]]:
        """The evaluations just before the line of which some figure, honest or not, is this number."""
        return [
            (source.evaluation, one)
            for source in self.sources
            for one in source.figures.values()
            if source.evaluation is not None and self.fit(one)
        ]


@final
@dataclass(frozen=True, slots=True)
class Misprint:
    """A printed number that is a wrong average and no honest figure."""

    statistic: Statistic
    line: Line  # the last that shows it
    batches: tuple[Batch, ...]
    evaluation: Pass | None  # None: the batches are those of training
    shown: float  # as printed; a fraction where it is in percent
    actual: float | None  # what it should be, in the same unit: accuracy, error rate or loss; None where unknown
    error: bool  # an error rate
    times: int  # lines that show it

    @property
    def place(self) -> Place | None:
        """Where it was printed."""
        return self.line.printed.place

    @property
    def measure(self) -> Measure:
        """What it is a misprint of."""
        return self.statistic.measure


def measures(number: Number) -> frozenset[str]:
    """What a number is by the words before it, the nearest deciding; all that is possible where they say nothing."""
    nearest, end = "", -1
    for name, word in _WORDS.items():
        last = max((match.end() for match in word.finditer(number.words)), default=-1)
        if last > end:
            nearest, end = name, last
    if not nearest:
        return frozenset(("accuracy", "error", "loss"))
    return frozenset(("error", "loss")) if nearest == "error" else frozenset((nearest,))


def _float32(value: float) -> float:
    """What sums in float32 lose."""
    return 3e-6 * max(1.0, abs(value))


def _value_of(number: Number, values: Sequence[float]) -> tuple[float, float]:
    """A number's value and tolerance; ``values`` are those that print was handed in full precision."""
    half = 0.5 * 10.0**-number.decimals
    if number.of:
        return number.value / number.of, half / number.of
    unit = 0.01 if number.percent else 1.0
    # A value that is the number to the last digit was rounded before it was printed, and tells no more than that.
    exact = next((value for value in values if 1e-12 < abs(value - number.value) <= half), None)
    return (exact * unit, 0.0) if exact is not None else (number.value * unit, half * unit)


def lines(trace: Trace, builder: Passes, passes: Sequence[Pass]) -> list[list[Line]]:
    """The numbers that were printed, those of one print and one position in its line together, in order."""
    figures = {id(one): statistics(one.batches, one, whole(trace, one)) for one in passes}
    series: dict[tuple[object, ...], list[Line]] = defaultdict(list)
    before: dict[tuple[object, ...], int] = {}
    for printed in trace.printed:
        if printed.forward is None:
            continue
        layout = (printed.place, re.sub(r"[-+.\d]+", "", printed.text) if printed.place is None else "")
        since = before.get(layout, -1)
        before[layout] = printed.forward
        if not any(_may_be_measured(number) for number in printed.numbers):
            continue
        ended = [one for one in passes if one.last <= printed.forward][::-1][:_PAST]
        near = [one for one in ended if one.clock == printed.clock][:_BACK]
        used = [builder.batches.of(f) for f in trace.forwards[since + 1 : printed.forward + 1] if f.kind == "train"]
        training = Source(used, None, _by_key(statistics(used, None) if used else ()))
        sources = tuple([Source(one.batches, one, _by_key(figures[id(one)])) for one in near])
        honest = [one for one in training.figures.values() if one.right]
        honest += [one for past in ended for one in figures[id(past)] if one.right]
        for position, number in enumerate(printed.numbers):
            if _may_be_measured(number):
                line = Line(printed, number, *_value_of(number, printed.values), sources, training, explained=False)
                explained = any(line.fit(one, slack=2.0) for one in honest)
                key = (*layout, position, len(printed.numbers))
                series[key].append(
                    Line(printed, number, line.value, line.tolerance, sources, training, explained=explained)
                )
    return list(series.values())


def stated(printed: Printed, evaluation: Pass) -> float | None:
    """The number of a line, as a fraction, that is the accuracy of an evaluation; None where none is."""
    source = Source((), None, {})
    figures = [one for one in statistics(evaluation.batches, evaluation) if one.right and one.measure == "accuracy"]
    of_it = [
        Line(printed, number, *_value_of(number, printed.values), (), source, explained=False)
        for number in printed.numbers
        if _may_be_measured(number)
    ]
    fits = (fit for line in of_it for one in figures if (fit := line.fit(one)))
    return next((fit.accuracy for fit in fits), None)


def _may_be_measured(number: Number) -> bool:
    return bool(number.decimals or number.percent or number.of)


def _by_key(figures: Sequence[Statistic]) -> Mapping[Key, Statistic]:
    return {(one.measure, one.of, one.how): one for one in reversed(figures)}


def misprints(series: Sequence[Sequence[Line]]) -> tuple[Misprint, ...]:
    """The printed numbers that are wrong averages: one for each print and position, the last line of it."""
    return tuple([found for same in series if (found := _judge(same))])


def _judge(same: Sequence[Line]) -> Misprint | None:
    """The one wrong average that makes every number of a print, if there is just one."""
    unexplained = [line for line in same if not line.explained]
    if not unexplained:
        return None
    last = unexplained[-1]
    for back in (*range(_BACK), -1):
        sources = [source for line in same if (source := _source(line, back))]
        if len(sources) < len(same):
            continue
        found = [
            key
            for key, one in sources[-1].figures.items()
            if not one.right
            and (one.how not in ("first", "last") or _in_batches(sources[-1]))
            and all(key in s.figures and line.fit(s.figures[key]) for line, s in zip(same, sources, strict=True))
            and _chance(key, unexplained) <= _allowed(key, last)
        ]
        source = sources[same.index(last)]
        values = [source.figures[key].value for key in found]
        if found and (source.figures[found[0]].broadcast or max(values) - min(values) < 1e-9):
            return _misprint(source.figures[found[0]], source, last, len(unexplained))
        if found:
            return None
    return None


def _allowed(key: Key, line: Line) -> float:
    """How likely an accident may be; less of the many ways to divide by a wrong number."""
    return _NAMED_CHANCE if len(measures(line.number)) == 1 and key[2] not in DIVIDED else _CHANCE


def _source(line: Line, back: int) -> Source | None:
    if back < 0:
        return line.training if line.training.batches else None
    return line.sources[back] if back < len(line.sources) else None


def _in_batches(source: Source) -> bool:
    """Whether the forwards are surely batches of one set, and not one set each."""
    return source.evaluation is not None and (source.evaluation.forward.loader is not None or len(source.batches) > 2)


def _chance(key: Key, unexplained: Sequence[Line]) -> float:
    """How likely numbers that have nothing to do with a wrong average fit it all the same."""
    measure, _, how = key
    chance = 1.0
    for value, tolerance in {(line.value, line.tolerance) for line in unexplained}:
        size = abs(value) * (0.01 if measure == "accuracy" and abs(value) > 1 else 1)
        ticks = max(tolerance * size / max(abs(value), 1e-12), _float32(size))
        room = size if how == "sum over rows" else _SPREAD * (1 if measure == "accuracy" else size)
        chance *= min(1.0, 2 * ticks / max(room, 1e-12))
    return chance


def _misprint(one: Statistic, source: Source, line: Line, times: int) -> Misprint:
    fit = line.fit(one) or Fit(line.value, error=False)
    actual: float | None = None
    if one.measure == "accuracy":
        honest = source.figures.get(("accuracy", "pairs", "all"))
        if source.evaluation is not None and source.evaluation.accuracy is not None:
            actual = source.evaluation.accuracy
        elif honest is not None and honest.right:
            actual = honest.value
    elif ("loss", "loss", "all") in source.figures:
        actual = source.figures["loss", "loss", "all"].value
    if actual is not None and fit.error:
        actual = 1 - actual
    return Misprint(one, line, tuple(source.batches), source.evaluation, fit.shown, actual, fit.error, times)
