"""Faults of the learning rate, and of stopping too early. All are suspicions until an experiment confirms them."""

import math
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.reading.course import Course, best, chance, course, ends_well, number_of_classes, short
from byhand.doctor.checks.reading.literals import rate_expressions, rate_of, rate_places, round_places
from byhand.doctor.finding import Finding
from byhand.doctor.text import edits
from byhand.doctor.trace import Training

__all__ = ["TIMES", "learning_rate_too_high", "learning_rate_too_low", "stopped_while_learning"]

TIMES: Final = (4, 2)
"""How many times as long each fix of ``stopped_while_learning`` trains, in their order."""

_LOWER: Final = (10.0, 3.0, 100.0)  # divisors
_HIGHER: Final = (10.0, 100.0, 1000.0, 3.0)
_STEPS: Final = 300
_FAR: Final = 0.25  # of ln C: a loss that is less has come near to where it could be
_WORTH: Final = 0.03  # of a loss that falls less in a quarter of a run, twice the run makes no three points


def learning_rate_too_high(evidence: Evidence) -> Iterator[Finding]:
    """A loss that leaps, swings or ends above its start, as steps that are too long make it do."""
    known = _known(evidence)
    saw = _symptom_of_high(evidence, *known) if known else None
    if known is None or saw is None:
        return
    yield from _about_rate(
        evidence, "learning-rate-too-high", known[0], saw, tuple(1 / by for by in _LOWER),
        so="the steps are longer than the loss is smooth: they leap over what they look for",
    )  # fmt: skip


def learning_rate_too_low(evidence: Evidence) -> Iterator[Finding]:
    """A loss that still falls, slowly and evenly, far from where it could be."""
    known = _known(evidence)
    if known is None or _symptom_of_high(evidence, *known):
        return
    training, how = known
    saw = _symptom_of_low(evidence, training, how)
    if saw is None:
        return
    yield from _about_rate(
        evidence, "learning-rate-too-low", training, saw, _HIGHER,
        so="the steps are too short to get there in this many",
    )  # fmt: skip


def stopped_while_learning(evidence: Evidence) -> Iterator[Finding]:
    """A training that ends while its loss still falls."""
    known = _known(evidence)
    if known is None or not evidence.trace.end.by_itself or _symptom_of_high(evidence, *known):
        return
    training, how = known
    fall, noise = how.drop(slice(10, 15), slice(15, 20))
    level = float(how.parts[15:].mean())
    whole = how.first - how.last
    early = level > 0.5 * how.first and fall > 0.15 * whole  # the fall has only begun; an even one has 0.25 here
    if level <= 0 or fall <= 2 * noise or not (early or fall > max(0.05 * level, _WORTH)) or not training.epochs:
        return
    places = round_places(evidence.program, evidence.trace, training)
    alternatives = tuple((edits.replace(places[0], str(training.epochs * by)),) for by in TIMES) if places else ()
    if not alternatives:
        return
    rounds = "round" if training.epochs == 1 else "rounds"
    yield Finding(
        "stopped-while-learning",
        "warning",
        places[0],
        saw=f"in the last quarter of {training.epochs:,} {rounds} the loss still fell from {short(level + fall)} to"
        f" {short(level)}",
        so="the model could still learn more from the same rows",
        instead=f"{training.epochs * TIMES[0]:,} rounds, or as many as it takes until the loss rests",
        edits=alternatives,
        needs_proof=True,
        fact=True,
    )


def _known(evidence: Evidence) -> tuple[Training, Course] | None:
    """The training to speak of and its course; None where none was seen or it ends well."""
    index = best(evidence)
    how = course(evidence, index) if index is not None else None
    if index is None or how is None or ends_well(evidence, index):
        return None
    return evidence.trace.trainings[index], how


def _symptom_of_high(evidence: Evidence, training: Training, how: Course) -> str | None:
    """What in a course speaks for a rate that is too high, in the program's numbers; None where nothing does."""
    start, end = how.first, how.last
    early = how.losses[: max(4, len(how.losses) // 10)]
    peak = int(np.nanargmax(np.where(np.isfinite(early), early, -np.inf)))
    if how.broken is not None:
        return f"the loss starts at {short(start)} and is not finite from step {how.broken:,} on"
    if start <= 0:
        return None
    noise = float(how.sure[-2:].mean())
    if end > 1.05 * start + 3 * noise:
        return f"the loss starts at {short(start)} and ends at {short(end)}"
    if early[peak] > 2 * start + 1 and end > 0.5 * start:
        top = short(float(early[peak]))
        return f"the loss leaps from {short(start)} to {top} at step {peak + 1:,} and ends at {short(end)}"
    half = how.parts[10:]
    classes = number_of_classes(evidence.trace)
    large = 0.15 * (chance(classes) if classes else start)
    low, high = float(half.min()), float(half.max())
    if (
        len(how.losses) >= 200
        and half.mean() > large
        and high > 1.5 * low
        and high - low > 6 * float(how.sure[10:].mean())
        and _zigzag(half)
    ):
        return f"in the second half of the run the loss still swings between {short(low)} and {short(high)}"
    return None


def _zigzag(parts: NDArray[np.float64]) -> bool:
    """Whether a series turns again and again, where one that falls does not."""
    turns = np.diff(np.sign(np.diff(parts)))
    return int((turns != 0).sum()) >= 4


def _symptom_of_low(evidence: Evidence, training: Training, how: Course) -> str | None:
    steps = training.steps
    start, end = how.first, how.last
    classes = number_of_classes(evidence.trace)
    far = _FAR * (chance(classes) if classes else abs(start))
    fall, noise = how.drop(slice(10, 15), slice(15, 20))
    whole = start - end
    if end < far or start <= 0:
        return None
    if abs(whole) < 0.05 * start:
        return f"after {steps:,} steps the loss has hardly moved: from {short(start)} to {short(end)}"
    # Of an even fall a quarter lies between these two; where the start was far too high, the rest counts. A short
    # training falls so at any rate, and wants more steps.
    if steps >= _STEPS and fall > max(min(0.08 * whole, 0.05 * end), 2 * noise):
        return f"after {steps:,} steps the loss is at {short(end)}, from {short(start)}, and still falls evenly"
    return None


def _about_rate(
    evidence: Evidence, check: str, training: Training, saw: str, factors: tuple[float, ...], so: str
) -> Iterator[Finding]:
    """A finding whose fixes multiply the rate: the number where it is written, else the expression that gives it."""
    program, trace = evidence.program, evidence.trace
    rate, places = rate_of(program, trace, training), rate_places(program, trace, training)
    if places and rate:
        saw, instead = f"{saw}, at a rate of {short(rate)}", f"a rate near {_number(rate * factors[0])}"
        fixes = tuple((edits.replace(places[0], _number(rate * by)),) for by in factors)
    else:
        places = rate_expressions(program, trace)
        if len(places) != 1:
            return
        instead = f"{_number(factors[0])} * {program.text(places[0])}"
        fixes = tuple(edits.wrap(places[0], f"{_number(by)} * ", "") for by in factors)
    yield Finding(
        check,
        "note",
        places[0],
        saw,
        so=so,
        instead=instead,
        edits=fixes,
        needs_proof=True,
        fact=check == "learning-rate-too-low" and trace.end.by_itself,
    )


def _number(value: float) -> str:
    """A number as one writes it: two digits, and no exponent where it is short."""
    rounded = float(f"{value:.2g}")
    if rounded and -5 < math.floor(math.log10(abs(rounded))) < 6:
        return f"{rounded:f}".rstrip("0").rstrip(".") + (".0" if rounded == int(rounded) else "")
    return f"{rounded:g}"
