"""Faults of the scale: pixels as they lie in the file, and two parts that were scaled differently.

Letters: N rows, P numbers a row.
"""

import ast
import math
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.audit.passes import Pass
from byhand.doctor.checks.data.own_mean import centred_on_itself
from byhand.doctor.checks.reading.course import best, fed, short
from byhand.doctor.checks.reading.roles import says_training
from byhand.doctor.finding import Finding
from byhand.doctor.place import Place, Summary
from byhand.doctor.text import edits
from byhand.doctor.text.edits import Edits
from byhand.doctor.trace import Examples, Forward, Made, Trace

__all__ = ["raw_pixel_range", "scaled_differently"]

_LOOKED_AT: Final = 5_000  # rows, evenly spread
_RAW: Final = 30.0  # above it, whole numbers are taken for pixels as they were stored
_NORMALIZING: Final = ("batch_norm", "layer_norm", "instance_norm", "group_norm")
_PIXELS: Final = 16  # numbers a row, below which it is no picture
_ALIKE: Final = 0.5  # correlation of the class means of two parts, above which they show the same things
_SAME_PICTURE: Final = 0.9  # correlation of the mean rows, where labels do not tell
_APART: Final = 0.5  # of a deviation
_FEW: Final = 20  # rows: less than that is a demonstration


def raw_pixel_range(evidence: Evidence) -> Iterator[Finding]:
    """Pixels 0..255 that go into the model as they are, so that gradients are 255 times as large and a step 255²."""
    trace = evidence.trace
    index = best(evidence)
    forwards = fed(trace, index) if index is not None else []
    looked = [f for f in forwards if f.input is not None]
    seen = _joined([f.input for f in looked if f.input is not None])
    if seen is None or not _is_raw(seen, trace) or _rescaled(trace):
        return
    low, high, numbers = seen.low or 0.0, seen.high or 0.0, _numbers(looked[0])
    if numbers < _PIXELS:
        return
    top = 255 if high > 64 else round(high)
    sources = _raw_arrays(evidence, numbers, top)
    handed = _handed(evidence, top)
    fixes = tuple(fix for fix in (sources, handed) if fix)
    places = [edit.place for edit in fixes[0]] if fixes else [forwards[0].place]
    learnt = (place for place in places if place and says_training(evidence.program.line(place)))
    place = next(learnt, places[0])
    yield Finding(
        "raw-pixel-range",
        "warning",
        place,
        saw=f"the numbers that go into the model are whole and run from {short(low)} to {short(high)}",
        so=f"gradients are {top} times those of pixels in 0..1, and a step acts like one of {top**2:,} times its rate",
        instead=_written(evidence, place, top),
        edits=fixes,
        needs_proof=bool(fixes),
        fact=True,
    )


def _is_raw(seen: Summary, trace: Trace) -> bool:
    """Whether an input is of whole numbers up to 255; in torch's programs whole types are indices, not pixels."""
    if seen.low is None or seen.high is None or not seen.whole or seen.low < 0 or not _RAW < seen.high <= 255:
        return False
    return seen.dtype.startswith(("float", "uint8")) or "torch" not in trace.libraries


def _joined(parts: Sequence[Summary]) -> Summary | None:
    """Several batches as one; the mean of means, and the deviation of all."""
    good = [p for p in parts if None not in (p.low, p.high, p.mean, p.std)]
    if not good:
        return None
    means, deviations = np.array([p.mean or 0.0 for p in good]), np.array([p.std or 0.0 for p in good])
    return Summary(
        good[0].shape,
        good[0].dtype,
        min(p.low or 0.0 for p in good),
        max(p.high or 0.0 for p in good),
        float(means.mean()),
        float(np.sqrt((deviations**2).mean() + means.var())),
        all(p.finite for p in good),
        all(p.whole for p in good),
    )


def _numbers(forward: Forward) -> int:
    """P, from the shape of what went in."""
    shape = forward.input.shape if forward.input else ()
    return math.prod(shape) // max(1, forward.n)


def _rescaled(trace: Trace) -> bool:
    """Whether the model itself scales its rows first: by a number, by their mean, or by a normalisation."""
    for tape in trace.tapes:
        rows = {i for i, value in enumerate(tape.values) if value.rows}
        for op in tape.ops[:12]:
            if not rows.intersection(op.inputs):
                continue
            small = any(0 < abs(c) < 0.1 for c in op.constants) and op.name in ("mul", "multiply")
            large = any(abs(c) > 10 for c in op.constants) and op.name in ("div", "true_divide", "sub", "subtract")
            if (
                op.name in _NORMALIZING
                or small
                or large
                or (op.name in ("div", "true_divide", "sub") and len(op.inputs) == 2)
            ):
                return True
            if op.name == "view":
                rows.add(op.output)
    return False


def _raw_arrays(evidence: Evidence, numbers: int, top: int) -> Edits:
    """Divide each array of raw pixels where it was first named; what is made of such an array is divided with it."""
    program, done, found = evidence.program, set[str](), list[Edits]()
    for made in _floats(evidence, numbers):
        unit = program.unit(made.place)
        names = {
            n.id for node in program.nodes(made.place, ast.expr)[:1] for n in ast.walk(node) if isinstance(n, ast.Name)
        }
        inside = [node.name for node in program.nodes(made.place, ast.FunctionDef)]
        if unit is None or names & done:
            done.add(made.name)
            continue
        fix = _divided(evidence, made, top)
        if not fix:
            return ()
        found.append(fix)
        done.update([made.name, *inside])
    return tuple(edit for fix in dict.fromkeys(found) for edit in fix)


def _floats(evidence: Evidence, numbers: int) -> list[Made]:
    """The arrays of raw rows that got a name, in order; those of whole types only if there is no other."""

    def holds(summary: Summary) -> bool:
        size = math.prod(summary.shape)
        whole = summary.whole and summary.high is not None and _RAW < summary.high <= 255
        return whole and len(summary.shape) > 1 and size >= 20 * numbers and size % numbers == 0

    named = [m for m in evidence.trace.made if holds(m.summary)]
    return [m for m in named if m.summary.dtype.startswith("float")] or named


def _divided(evidence: Evidence, made: Made, top: int) -> Edits:
    program = evidence.program
    statements = program.nodes(made.place, ast.Assign)
    if (
        statements
        and isinstance(statements[0].targets[0], ast.Tuple)
        and not isinstance(statements[0].value, ast.Tuple)
    ):
        added = edits.insert_line(program, made.place, f"{made.name} = {made.name} / {top}")
        return (added,) if added else ()
    return _over(program.nodes(made.place, ast.expr)[:1], made.place, top)


def _over(nodes: Sequence[ast.expr], place: Place, top: int) -> Edits:
    """Divide the expression at a place, in parentheses where an operator could tear it apart."""
    simple = nodes and isinstance(nodes[0], ast.Name | ast.Attribute | ast.Call | ast.Subscript)
    return edits.wrap(place, "" if simple else "(", f" / {top}" if simple else f") / {top}")


def _handed(evidence: Evidence, top: int) -> Edits:
    """Divide the rows where they are handed to the model, at every line that does so."""
    program, found = evidence.program, list[Edits]()
    for place in dict.fromkeys(f.place for f in evidence.trace.forwards):
        unit = program.unit(place) if place else None
        if place is None or unit is None:
            return ()
        around = program.nodes(place, ast.expr)
        target = _operand(around[0]) if around else None
        if target is None:
            return ()
        found.append(_over([target], unit.place(target), top))
    return tuple(edit for fix in found for edit in fix)


def _operand(node: ast.expr) -> ast.expr | None:
    """What a call or a product works on first, if that may be divided without a second use of it going wrong."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="np" | "numpy"))):
            return None  # NumPy's gradients use the rows once more
        case ast.Call(args=[first]) if not isinstance(first, ast.Starred):
            return first
        case _:
            return None


def _written(evidence: Evidence, place: Place | None, top: int) -> str:
    text = " ".join(evidence.program.line(place).split()) if place else ""
    name = text.split("=")[0].strip() if "=" in text else ""
    return f"{name} / {top}" if name.isidentifier() else f"divide the pixels by {top}, in every part"


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
    numbers, last = _numbers(forward), dict[str, Made]()
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
    return _divided(evidence, used[0], 255 if 200 < top <= 256 else round(top)) if used else ()
