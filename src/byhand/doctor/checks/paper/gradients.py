"""Gradients derived on paper, against finite differences of the loss: one that is wrong, one that has another scale."""

import ast
import re
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.paper.none_fits import none_fits
from byhand.doctor.checks.paper.probe_words import directions, listed, loss_of, names
from byhand.doctor.checks.paper.probes import (
    WRONG,
    Judged,
    Reference,
    factor,
    gradient,
    judge,
    origin,
    plain,
    reference,
)
from byhand.doctor.checks.paper.remedies import Remedy, divided, remedy
from byhand.doctor.checks.paper.resembles import forgotten, one_row, resembles
from byhand.doctor.finding import Finding
from byhand.doctor.place import Place
from byhand.doctor.slopes import ALIKE, Probe, Slopes, cosine

__all__ = ["gradient_misscaled", "gradient_wrong"]

_CLOSE: Final = 0.01  # relative difference of a factor and the number of rows
_RATE: Final = re.compile("lr|rate|eta|alpha|step")
_ENOUGH: Final = 6  # directions, for two unknown numbers
_FEW: Final = 8  # rows, with which a factor could be a matter of taste


def gradient_wrong(evidence: Evidence) -> Iterator[Finding]:
    """What an update takes for the gradient is not that of the loss which the other updates descend.

    Seen at two iterations of one training, or at one where it is known what was forgotten: a training that breaks shows
    nothing later on. Where no loss fits any parameter there may be one that is not computed; see ``none_fits``.
    """
    seen = [(probe, loss) for probe in evidence.trace.probes if (loss := reference(probe))]
    if not seen:
        yield from none_fits(evidence)
        return
    last, loss = seen[-1]
    early = {one.index for probe, before in seen[:-1] for one in judge(probe, before)}
    wrong = [one for one in judge(last, loss) if one.index in early and _certain(last, loss, one)]
    if not wrong:
        right = loss.right if len(seen) > 1 else frozenset[int]()
        last, loss = seen[0]
        wrong = [one for one in judge(last, loss) if one.index not in right and resembles(last, loss, one)]
    if not wrong:
        return
    wrong.sort(key=lambda one: _began(last.parameters[one.index]))
    cause = wrong[0]
    parameter = last.parameters[cause.index]
    alone = last.single_rows > 0 and bool(one_row(last, loss, cause))  # of which all are, each by itself
    beside = [one for one in wrong[1:] if alone or _source(parameter, last.parameters[one.index])]
    after = [one for one in wrong[1:] if one not in beside]
    what = resembles(last, loss, cause)
    known = forgotten(last, loss, cause)
    near = known is not None and known[0].what == "updated" and cause.cosine >= WRONG  # little was updated: little harm
    place, fix = _place(evidence, last, loss, cause, beside)
    fits = listed([f"{one.cosine:.2f}" for one in (cause, *beside)])
    saw = (
        f"the update of {names(last, [one.index for one in (cause, *beside)])} has cosine about {fits} with the "
        f"gradient of {loss_of(last, loss)}, by finite differences along {directions(parameter)}"
    )
    if loss.right:
        saw += f"; {_right(last, loss)}"
    if what:
        saw += f"; it is {what}"
    if after:
        saw += f"; what the backward pass makes of it is wrong too: {names(last, [one.index for one in after])}"
    yield Finding(
        "gradient-wrong",
        "note" if near else "error",
        place,
        saw,
        _so(cause, parameter),
        fix.text,
        proof="arithmetic",
        edits=fix.edits,
    )


def _certain(probe: Probe, loss: Reference, one: Judged) -> bool:
    return one.cosine < WRONG or bool(resembles(probe, loss, one))


def _began(parameter: Slopes) -> int:
    found = gradient(parameter)
    return origin(parameter, found).time if found else 1 << 62


def _source(one: Slopes, other: Slopes) -> Place | None:
    """Where the array was made that two gradients begin with."""
    mine, its = gradient(one), gradient(other)
    if mine is None or its is None:
        return None
    common = [place for place in origin(one, mine).sources if place in origin(other, its).sources]
    return common[-1] if common else None


def _place(
    evidence: Evidence, probe: Probe, loss: Reference, cause: Judged, beside: Sequence[Judged]
) -> tuple[Place | None, Remedy]:
    """The line where the gradient went wrong, and what to write there."""
    parameter = probe.parameters[cause.index]
    found = gradient(parameter)
    begins = origin(parameter, found) if found else None
    place = begins.place if begins else parameter.place
    shared = _source(parameter, probe.parameters[beside[0].index]) if beside else None
    if shared is None and forgotten(probe, loss, cause):  # what is missing is missing before the product
        others = (one for i, one in enumerate(probe.parameters) if i not in loss.right and one is not parameter)
        shared = next((source for one in others if (source := _source(parameter, one))), None)
    fix = remedy(evidence, probe, loss, cause, place, shared)
    return fix.place, fix


def _so(wrong: Judged, parameter: Slopes) -> str:
    name = parameter.name or "it"
    if wrong.cosine <= -0.98:
        return f"every step of {name} makes the loss larger"
    if wrong.cosine < 0.02:
        return f"the steps of {name} do not lead downhill, whatever the rate"
    return f"of each step of {name} {wrong.cosine:.0%} lead downhill; the rest is somewhere else, whatever the rate"


def _right(probe: Probe, loss: Reference) -> str:
    return f"{names(probe, sorted(loss.right))} {'has' if len(loss.right) == 1 else 'have'} 1.00"


def gradient_misscaled(evidence: Evidence) -> Iterator[Finding]:
    """One parameter's gradient is as many times too large, or too small, as there are rows; the others' are not.

    A factor that all parameters share is a matter of the rate, and so is one that has nothing to do with the rows.
    """
    for probe in evidence.trace.probes[-1:]:
        loss = reference(probe)
        if loss is None or probe.rows < _FEW:
            continue
        factors = {
            i: size
            for i in sorted(loss.right)
            if (size := _factor(probe.parameters[i], loss, ALIKE[probe.single])) is not None
        }
        usual = _usual(probe, loss, factors)
        odd: dict[tuple[Place | None, bool], list[int]] = {}
        for i, size in factors.items():
            times = size / usual if usual else 0.0
            if min(abs(times / probe.rows - 1), abs(times * probe.rows - 1)) <= _CLOSE:
                found = gradient(probe.parameters[i])
                odd.setdefault((found.place if found else probe.parameters[i].place, times > 1), []).append(i)
        for (place, more), those in odd.items():
            others = [i for i in factors if abs(factors[i] / usual - 1) < _CLOSE]
            rates = [_rates(evidence, probe.parameters[i], probe.rows) for i in others]
            those = [i for i in those if _rates(evidence, probe.parameters[i], probe.rows) in rates]
            if not those:
                continue
            fix = divided(evidence, [probe.parameters[i] for i in others], place) if more else Remedy(place, "")
            size = "larger" if more else "smaller"
            yield Finding(
                "gradient-misscaled",
                "error",
                place,
                f"by the gradient of {loss_of(probe, loss)}, the update of {names(probe, those)} is "
                f"{probe.rows} times {size} than that of {names(probe, others)}: as many times as the batch has rows",
                f"the rate of {names(probe, those)} is {probe.rows} times {size} than the others', and changes with "
                "the size of the batch",
                fix.text or "divide by the number of rows once, as the others are",
                proof="arithmetic",
                edits=fix.edits,
            )


def _rates(evidence: Evidence, parameter: Slopes, rows: int) -> frozenset[str]:
    """The numbers and the rates in the text of an update, but for the number of rows: it may have a rate of its own."""
    place = parameter.place
    statements = evidence.program.nodes(place, ast.stmt) if place else []
    nodes = [*ast.walk(statements[0])] if statements else []
    words = {node.id for node in nodes if isinstance(node, ast.Name)} | {
        node.attr for node in nodes if isinstance(node, ast.Attribute)
    }
    constants = {
        str(node.value)
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and node.value not in (rows, -rows)
    }
    return frozenset(constants | {word for word in words if _RATE.search(word.lower())})


def _factor(parameter: Slopes, loss: Reference, alike: float) -> float | None:
    """How many times the gradient is taken away: alone, or with a multiple of the parameter, as its decay."""
    slopes = loss.sign * parameter.slopes[loss.index]
    if plain(parameter) and abs(cosine(slopes, parameter.taken)) >= alike:
        return factor(slopes, parameter.taken)
    if len(slopes) < _ENOUGH or not parameter.own.any():
        return None
    both = np.stack([slopes, parameter.own], axis=1)
    (times, decay), *_ = np.linalg.lstsq(both, parameter.taken)
    fits = cosine(both @ (times, decay), parameter.taken) >= alike
    return float(times) if fits and times > 0 and decay > 0 else None


def _usual(probe: Probe, loss: Reference, factors: dict[int, float]) -> float:
    """The factor of most parameters; of the weights, where there are as many of one as of the other.

    Where these are as many too, of those whose gradient is the mean over the rows: of a loss that was assumed, which is
    a sum, one over the rows of it.
    """
    best: tuple[tuple[int, int, float], float] = (0, 0, 0.0), 0.0
    mean = 1 / probe.rows if probe.scalars[loss.index].assumed else 1.0
    for size in factors.values():
        own = [i for i, other in factors.items() if abs(other / size - 1) < _CLOSE]
        weights = sum(min(probe.parameters[i].shape, default=1) > 1 and len(probe.parameters[i].shape) > 1 for i in own)
        one = probe.parameters[own[0]]
        made = [x for x in one.found if abs(x.like) >= ALIKE[probe.single] and not _in_update(one, x.place)]
        times = abs(factor(one.slopes[loss.index], made[-1].along)) if made else 0.0
        best = max(best, ((len(own), weights, -abs(np.log(times / mean)) if times else -np.inf), size))
    return best[1]


def _in_update(parameter: Slopes, place: Place) -> bool:
    update = parameter.place
    return update is not None and place.file == update.file and update.line <= place.line <= (update.end_line or 0)
