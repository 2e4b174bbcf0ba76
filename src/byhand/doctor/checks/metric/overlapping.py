"""Batches of an evaluation that begin one row, or a few, after one another: most rows are never judged."""

import ast
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

import numpy as np

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.audit.passes import Pass, shifted
from byhand.doctor.checks.reading.batches import Slices, slices
from byhand.doctor.checks.reading.roles import role
from byhand.doctor.finding import Finding
from byhand.doctor.text import edits
from byhand.doctor.text.edits import Edits

__all__ = ["overlapping"]

_FEWEST: Final = 4  # batches
_MISSING: Final = 0.1  # of the rows; less is what windows leave at the end


def overlapping(evidence: Evidence) -> Iterator[Finding]:
    """``X[i : i + size]`` with an i that counts the batches, where a batch should begin where the last one ended.

    Windows that go on to the end of the array judge all rows, and are left alone.
    """
    for one in evidence.audit.passes:
        by = _stride(one)
        if not by or one.on == "training" or role(evidence, one) == "training":
            continue
        size, judged = one.forward.n, np.unique(one.rows).size
        for cut in slices(evidence.program, evidence.trace, one.forward.place):
            rows = _length(evidence, cut.names[0])
            if rows is None or not _around(cut, one) or rows - judged < max(size, _MISSING * rows):
                continue
            fix = _apart(cut)
            name = cut.names[0]
            yield Finding(
                "evaluation-rows-dropped",
                "warning",
                cut.unit.place(cut.rows),
                saw=f"each of the {len(one.batches)} batches of {size} begins {by} {'row' if by == 1 else 'rows'} "
                f"after the one before: {judged:,} of the {rows:,} rows of {name} are judged, most of them"
                f" {-(-size // by)} times",
                so=f"the other {rows - judged:,} rows never are; what is shown tells of {judged / rows:.1%} of them",
                instead=edits.written_if_any(evidence.program, fix)
                or f"{name}[i * size : (i + 1) * size], with i the number of the batch",
                proof="arithmetic",  # other rows would judge: no experiment can compare that
            )
            return


def _stride(one: Pass) -> int | None:
    """By how many rows each batch begins after the one before, where that is less than their length; else None."""
    forwards = [batch.forward for batch in one.batches]
    if len(forwards) < _FEWEST or one.forward.loader is not None:
        return None
    strides = {shifted(before, after) for before, after in pairwise(forwards)}
    return strides.pop() if len(strides) == 1 else None


def _length(evidence: Evidence, name: str) -> int | None:
    """Rows of the array that a name was last given."""
    made = [one.summary.shape[0] for one in evidence.trace.made if one.name == name and one.summary.shape]
    return made[-1] if made else None


def _around(cut: Slices, one: Pass) -> bool:
    """Whether the loop that cuts has the model's call in it."""
    loop = cut.unit.place(cut.loop)
    return any(
        place is not None
        and (place.file, place.cell) == (loop.file, loop.cell)
        and loop.line <= place.line <= loop.end_line
        for place in one.forward.stack or (one.forward.place,)
    )


def _apart(cut: Slices) -> Edits:
    """``i : i + size`` becomes ``i * size : (i + 1) * size`` in both slices, where i counts from 0 in ones."""
    match cut.loop, cut.rows.slice:
        case (
            ast.For(target=ast.Name(id=i), iter=ast.Call(func=ast.Name(id="range"), args=[_])),
            ast.Slice(
                lower=ast.Name(id=lower),
                upper=ast.BinOp(left=ast.Name(id=left), op=ast.Add(), right=ast.Name() | ast.Constant() as right),
                step=None,
            ),
        ) if i == lower == left:
            size = ast.unparse(right)
            return tuple(
                edits.replace(cut.unit.place(node), f"{ast.unparse(node.value)}[{i} * {size} : ({i} + 1) * {size}]")
                for node in (cut.rows, cut.labels)
            )
        case _:
            return ()
