"""A fault of the scale: pixels as they lie in the file.

Letters: N rows, P numbers a row.
"""

import ast
import math
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.reading.course import best, fed, short
from byhand.doctor.checks.reading.roles import says_training
from byhand.doctor.finding import Finding
from byhand.doctor.place import Place, Summary
from byhand.doctor.text import edits
from byhand.doctor.text.edits import Edits
from byhand.doctor.trace import Forward, Made, Trace

__all__ = ["divided", "raw_pixel_range", "row_length"]

_RAW: Final = 30.0  # above it, whole numbers are taken for pixels as they were stored
_NORMALIZING: Final = ("batch_norm", "layer_norm", "instance_norm", "group_norm")
_PIXELS: Final = 16  # numbers a row, below which it is no picture


def raw_pixel_range(evidence: Evidence) -> Iterator[Finding]:
    """Pixels 0..255 that go into the model as they are, so that gradients are 255 times as large and a step 255²."""
    trace = evidence.trace
    index = best(evidence)
    forwards = fed(trace, index) if index is not None else []
    looked = [f for f in forwards if f.input is not None]
    seen = _joined([f.input for f in looked if f.input is not None])
    if seen is None or not _is_raw(seen, trace) or _rescaled(trace):
        return
    low, high, numbers = seen.low or 0.0, seen.high or 0.0, row_length(looked[0])
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


def row_length(forward: Forward) -> int:
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
        fix = divided(evidence, made, top)
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


def divided(evidence: Evidence, made: Made, top: int) -> Edits:
    """Divide an array by ``top`` where it is made, or in a line after that."""
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
