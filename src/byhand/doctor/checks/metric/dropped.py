"""Rows that are to judge the model and never do, and hits that are divided by another number than that of the rows."""

import ast
import re
from collections.abc import Iterator

from byhand.doctor.audit.averages import DIVIDED, divisor, hits_of
from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.audit.passes import Pass
from byhand.doctor.audit.printed import Misprint
from byhand.doctor.audit.whole import lengths, whole
from byhand.doctor.checks.metric.overlapping import overlapping
from byhand.doctor.checks.metric.visible import is_visible
from byhand.doctor.checks.reading import origins
from byhand.doctor.checks.reading.calls import bracketed, last_name, ran
from byhand.doctor.checks.reading.roles import around, role
from byhand.doctor.checks.reading.units import units
from byhand.doctor.finding import Effect, Finding
from byhand.doctor.place import Place
from byhand.doctor.text import edits
from byhand.doctor.text.edits import Edits
from byhand.doctor.text.program import Program

__all__ = ["evaluation_rows_dropped"]


def evaluation_rows_dropped(evidence: Evidence) -> Iterator[Finding]:
    """The last rows of a part are not judged, or the hits are divided by rows that were not."""
    yield from overlapping(evidence)
    wrong = [one for one in evidence.audit.misprints if one.statistic.how in DIVIDED]
    for one in wrong:
        found = _divided(evidence, one)
        if found is not None:
            yield found
    for one in () if wrong else evidence.audit.newest_first:
        left = _left_out(evidence, one)
        if left is not None:
            yield _dropped(evidence, one, *left)
            return


def _divided(evidence: Evidence, one: Misprint) -> Finding | None:
    if one.evaluation is None or one.actual is None:
        return None
    place = origins.averaging(evidence.program, one.line.printed, one.line.number)
    sizes = [batch.forward.n for batch in one.batches]
    rows, total = sum(sizes), whole(evidence.trace, one.evaluation)
    by = divisor(one.statistic.how, sizes, total)
    hits = hits_of(one.batches, one.evaluation)
    left = _left_out(evidence, one.evaluation)
    if place is None or by is None or hits is None:
        return None
    if one.statistic.how == "over all rows" and left is not None:
        name, cause, fix = left[0], left[2], left[3]
        saw = f"{rows:,} of the {by:,} rows of {name} are judged, and their {hits:,} hits are divided by {by:,}"
        so = f"the {by - rows:,} rows that are left out count as mistakes"
        instead = edits.written_if_any(evidence.program, fix) or "judge the rest of the rows too"
    else:
        cause, fix = place, _by_rows(evidence.program, place)
        saw = f"{hits:,} hits among {rows:,} rows are divided by {by:,}"
        so = f"the number is {'too small' if by > rows else 'too large'}, by a factor of {rows / by:.5g}"
        instead = edits.written_if_any(evidence.program, fix) or "count the rows beside the hits, and divide by them"
    clear = is_visible(one.shown, one.actual)
    return Finding(
        "evaluation-rows-dropped",
        "error" if clear else "note",
        cause,
        saw=f"{saw}: {one.shown:.4f}, where {one.actual:.4f} is right of those that were judged",
        so=so if clear else f"harmless here: {so}, and little comes of it",
        instead=instead,
        proof="arithmetic",
        effect=Effect("printed error rate" if one.error else "printed accuracy", one.shown, one.actual),
        edits=(fix,) if fix else (),
    )


def _dropped(evidence: Evidence, one: Pass, name: str, rows: int, place: Place | None, fix: Edits) -> Finding:
    missing, accuracy = rows - one.n, one.accuracy or 0.0
    least = accuracy * one.n / rows
    return Finding(
        "evaluation-rows-dropped",
        "warning" if missing >= 0.1 * rows else "note",
        place,
        saw=f"{one.n:,} of the {rows:,} rows of {name} are judged; the last {missing:,} never are",
        so=f"{accuracy:.4f} of those are right, of all rows between {least:.4f} and {least + missing / rows:.4f}",
        instead=edits.written_if_any(evidence.program, fix) or "judge the rest too, as a shorter batch",
        edits=(fix,) if fix else (),
    )


def _left_out(evidence: Evidence, one: Pass) -> tuple[str, int, Place | None, Edits] | None:
    """What a pass left rows out of: its name, its rows, where that is done, and the edit that takes them in."""
    program, trace = evidence.program, evidence.trace
    if one.on == "training" or one.accuracy is None or role(evidence, one) == "training":
        return None
    if one.forward.loader is not None:
        loader, rows = trace.loaders[one.forward.loader], whole(trace, one)
        if rows is None:
            return None
        edit = edits.argument(program, loader.place, "drop_last", "False") if loader.place else None
        return loader.name or "the loader", rows, loader.place, (edit,) if edit else ()
    texts = around(evidence, one)
    for name, rows in lengths(trace, one).items():
        named = re.compile(rf"(?<![\w.]){re.escape(name)}(?!\w)")
        cut = re.compile(rf"(?<![\w.]){re.escape(name)}\[\s*\d*\s*:\s*\d+\s*[\],]")
        if any(map(named.search, texts)) and not any(map(cut.search, texts)):
            found = _whole_batches(evidence, one)
            return (name, rows, found[0], found[1]) if found else None
    return None


def _whole_batches(evidence: Evidence, one: Pass) -> tuple[Place, Edits] | None:
    """The ``n // size`` that counts the batches of an evaluation, and the edit that counts the last, shorter one too.

    It is looked for in the loops around the model's call, then in the functions that they go through.
    """
    program, trace = evidence.program, evidence.trace
    stack = one.forward.stack or (one.forward.place,)
    loops = [loop for place in stack if place for loop in program.nodes(place, ast.For)]
    called = {last_name(node.func) for loop in loops for node in ast.walk(loop.iter) if isinstance(node, ast.Call)}
    for unit in units(program, trace):
        for node in ast.walk(unit.tree):
            own = isinstance(node, ast.For) and any(node is loop for loop in loops)
            if not own and not (isinstance(node, ast.FunctionDef) and node.name in called):
                continue
            inside: ast.AST = node.iter if isinstance(node, ast.For) else node
            for part in ast.walk(inside):
                if isinstance(part, ast.BinOp) and isinstance(part.op, ast.FloorDiv) and ran(trace, unit.place(part)):
                    place = unit.place(part)
                    left, right = bracketed(program, unit.place(part.left)), program.text(unit.place(part.right))
                    up = f"-(-{left} // {right})"
                    return place, (edits.replace(place, up),)
    return None


def _by_rows(program: Program, place: Place) -> Edits:
    """``n - 1`` or ``n + 1`` as a divisor becomes ``n``."""
    unit = program.unit(place)
    divisors = [node.right for node in program.nodes(place, ast.BinOp)[:1] if isinstance(node.op, ast.Div)]
    divisors += [node.value for node in program.nodes(place, ast.AugAssign)[:1]]
    for node in divisors:
        match node:
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub(), right=ast.Constant(value=1)) if unit is not None:
                span = unit.place(node)
                around = program.text(span._replace(column=max(0, span.column - 1), end_column=span.end_column + 1))
                bare = program.text(unit.place(left))
                whole_span = (
                    span._replace(column=span.column - 1, end_column=span.end_column + 1)
                    if around.startswith("(") and around.endswith(")") and isinstance(left, ast.Name | ast.Call)
                    else span
                )
                return (edits.replace(whole_span, bare),)
            case _:
                pass
    return ()
