"""A fault of the scale: two parts of the data that were scaled differently.

Letters: N rows, P numbers a row, C classes.
"""

import math
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.audit.passes import Pass
from byhand.doctor.checks.data.own_mean import centred_on_itself
from byhand.doctor.checks.data.scale import divided, row_length
from byhand.doctor.checks.reading.course import best, short
from byhand.doctor.finding import Finding
from byhand.doctor.place import Place, Summary
from byhand.doctor.text.edits import Edits
from byhand.doctor.trace import Examples, Forward, Made, Trace

__all__ = ["scaled_differently"]

_LOOKED_AT: Final = 5_000  # rows, evenly spread
_ALIKE: Final = 0.5  # correlation of the class means of two parts, above which they show the same things
_SAME_PICTURE: Final = 0.9  # correlation of the mean rows, where labels do not tell
_APART: Final = 0.5  # of a deviation
_FEW: Final = 20  # rows: less than that is a demonstration


def scaled_differently(evidence: Evidence) -> Iterator[Finding]:
    """Rows that it judges, or gives answers for, on another scale than what it learnt from, though they look alike."""
    index, trace = best(evidence), evidence.trace
    learnt = _seen(trace.trained_on, None) if index is not None else None
    if learnt is None:
        return
    for one in _apart_from_training(evidence, index):
        judged = _seen(trace.evaluated_on, one.rows)
        if judged is not None and _apart(learnt, judged) and _same_things(trace, one.rows):
            yield _other_scale(evidence, one, learnt, judged)
            return
    yield from centred_on_itself(evidence)


def _apart_from_training(evidence: Evidence, index: int | None) -> list[Pass]:
    """The main evaluation, then the passes that nothing is compared with, as for rows whose labels others have."""
    main = evidence.audit.main
    passes = [p for p in reversed(evidence.audit.passes) if p.accuracy is None and p.n >= _FEW and p is not main]
    found = [p for p in ([main] if main else []) + passes if p.on != "training"]
    return [p for p in found if p.forward.training in (index, None)]


def _other_scale(evidence: Evidence, one: Pass, learnt: Summary, judged: Summary) -> Finding:
    ratio = (judged.std or 0.0) / (learnt.std or 1.0)
    place = _made(evidence, judged, one.n) or (one.forward.stack[-1] if one.forward.stack else one.forward.place)
    fix = _scaled_too(evidence, one.forward, learnt, judged)
    return Finding(
        "scaled-differently",
        "error",
        fix[0].place if fix else place,
        saw=f"training rows run from {_range(learnt)}, those that judge from {_range(judged)}",
        so=_consequence(ratio),
        instead="scale both parts in one function, with numbers taken from the training rows",
        proof="arithmetic",
        edits=(fix,) if fix else (),
    )


def _seen(examples: Examples | None, among: NDArray[np.int64] | None) -> Summary | None:
    """The rows that went into a model, as one array; with ``among``, those with these fingerprints only."""
    if examples is None:
        return None
    chosen = slice(None) if among is None else np.isin(examples.fingerprints, among)
    some = examples.rows[chosen]
    rows = examples.low + examples.scale * some[:: len(some) // _LOOKED_AT + 1].astype(np.float64)
    rows = rows[np.isfinite(rows).all(axis=1)]
    if not rows.size:
        return None
    whole = bool((abs(rows - np.rint(rows)) < 1e-4).all())
    low, high, mean, deviation = (float(number) for number in (rows.min(), rows.max(), rows.mean(), rows.std()))
    return Summary(rows.shape, "float64", low, high, mean, deviation, True, whole)


def _made(evidence: Evidence, judged: Summary, n: int) -> Place | None:
    """Where the N rows that judge first got a name on their scale; else a larger array that they may be part of."""
    found: list[Made] = []
    size = n * judged.shape[1]
    for made in evidence.trace.made:
        summary = made.summary
        pairs = (summary.low, judged.low), (summary.high, judged.high), (summary.std, judged.std)
        alike = all(math.isclose(a or 0.0, b or 0.0, rel_tol=0.02, abs_tol=1e-6) for a, b in pairs)
        if alike and len(summary.shape) > 1 and math.prod(summary.shape) >= size:
            found.append(made)
    exact = [made for made in found if math.prod(made.summary.shape) == size]
    return (exact or found)[0].place if found else None


def _consequence(ratio: float) -> str:
    if 0.7 < ratio < 1.4:
        return "the model sees every row that judges it shifted"
    times = short(ratio if ratio > 1 else 1 / ratio)
    return f"the model is judged on numbers {times} times {'larger' if ratio > 1 else 'smaller'} than it learnt from"


def _range(seen: Summary) -> str:
    low, high, mean, deviation = (short(number or 0.0) for number in (seen.low, seen.high, seen.mean, seen.std))
    return f"{low} to {high} (mean {mean}, deviation {deviation})"


def _apart(a: Summary, b: Summary) -> bool:
    """Whether means or deviations differ by half a deviation of the wider part."""
    wide = max(a.std or 0.0, b.std or 0.0)
    moved = abs((a.mean or 0.0) - (b.mean or 0.0)), abs((a.std or 0.0) - (b.std or 0.0))
    return wide > 0 and max(moved) > _APART * wide


def _same_things(trace: Trace, among: NDArray[np.int64]) -> bool:
    """Whether both parts look alike once each is brought to one scale: class by class, or all rows' means."""
    if trace.trained_on is None or trace.evaluated_on is None:
        return False
    a, b = _means(trace.trained_on), _means(trace.evaluated_on)
    common = sorted(set(a) & set(b))
    if len(common) > 1:
        left, right = (np.stack([means[c] for c in common]) for means in (a, b))  # (C, P)
        return _alike(left - left.mean(axis=0), right - right.mean(axis=0), _ALIKE)
    judged = trace.evaluated_on.rows[np.isin(trace.evaluated_on.fingerprints, among)]
    left, right = (np.nan_to_num(rows.astype(np.float64)).mean(axis=0) for rows in (trace.trained_on.rows, judged))
    return _alike(left - left.mean(), right - right.mean(), _SAME_PICTURE)


def _alike(left: NDArray[np.float64], right: NDArray[np.float64], least: float) -> bool:
    size = float(np.linalg.norm(left) * np.linalg.norm(right))
    return left.shape == right.shape and size > 0 and float((left * right).sum()) / size > least


def _means(examples: Examples) -> dict[int, NDArray[np.float64]]:
    if len(examples.labels) != len(examples.rows):
        return {}
    rows = np.nan_to_num(examples.rows.astype(np.float64))
    return {int(c): rows[examples.labels == c].mean(axis=0) for c in np.unique(examples.labels)}


def _scaled_too(evidence: Evidence, forward: Forward, learnt: Summary, judged: Summary) -> Edits:
    """Divide the arrays that stayed raw, where the other part is the same divided by a whole number."""
    top = (judged.high or 0.0) / (learnt.high or 1.0)
    if not judged.whole or learnt.whole or abs(top - round(top)) > 0.1 * top or (learnt.low or 0.0) < 0:
        return ()
    numbers, last = row_length(forward), dict[str, Made]()
    for made in evidence.trace.made:
        if math.prod(made.summary.shape) % max(1, numbers) == 0 and len(made.summary.shape) > 1:
            last[made.name] = made
    raw = [m for m in last.values() if m.summary.whole and (m.summary.high or 0.0) > (learnt.high or 0.0) * 4]
    source = (
        evidence.program.line(forward.stack[-1] if forward.stack and forward.stack[-1] else forward.place)
        if forward.place
        else ""
    )
    used = [m for m in raw if m.name in source.replace("(", " ").replace(",", " ").replace(")", " ").split()]
    return divided(evidence, used[0], 255 if 200 < top <= 256 else round(top)) if used else ()
