"""The order in which rows were trained on, and the arrays that batches were cut from.

Letters: N rows of an epoch, C classes, B batches.
"""

import ast
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from byhand.doctor.checks.reading.calls import ran
from byhand.doctor.checks.reading.units import units
from byhand.doctor.place import Place
from byhand.doctor.text.program import Program, Unit
from byhand.doctor.trace import Forward, Trace

__all__ = ["Order", "Slices", "first_epoch", "is_sorted", "order", "slices"]

Labels = NDArray[np.int64]

_GATHERED: Final = 0.2  # of an order, from which on it is called sorted; shuffled rows give 0.00 ± 0.02
_PURE: Final = 0.8


@final
@dataclass(frozen=True, slots=True)
class Order:
    """The classes of the first epoch's rows in the order in which they were trained on."""

    batches: tuple[Labels, ...]  # the labels of each step; rows whose gradients were added up count as one
    classes: int  # C
    gathered: float  # 0: each batch is a draw of all rows; 1: each holds one class (see ``_gathered``)
    runs: int  # of equal classes, where each batch counts as its commonest
    repeats: bool  # the second epoch brought the same rows in the same order

    @property
    def pure(self) -> int:
        """The number of batches that hold one class only."""
        return sum(len(np.unique(batch)) == 1 for batch in self.batches)


def order(forwards: Sequence[Forward]) -> Order | None:
    """The order of a training's rows; None where labels are unknown or there are too few batches to tell.

    Args:
        forwards: the training's, in order.
    """
    known = [f for f in forwards if f.n and len(f.labels) == f.n]
    if len(known) < 4 or len(known) < len(forwards):
        return None
    first = first_epoch(known)
    steps: dict[int, list[Labels]] = {}
    for forward in known[:first]:
        steps.setdefault(forward.clock, []).append(forward.labels)
    batches = tuple(np.concatenate(labels) for labels in steps.values())
    everything = np.concatenate(batches)
    classes, counts = np.unique(everything, return_counts=True)
    # Every class must come in the first epoch: a program that learns one task after another does so on purpose.
    whole = np.isin(np.concatenate([f.labels for f in known]), classes).all()
    size = max(2 * len(classes), len(batches[0]))
    groups = batches if len(batches[0]) >= 2 * len(classes) else _cut(everything, size)
    if len(batches) < 4 or len(groups) < 4 or len(classes) < 2 or not whole:
        return None
    commonest = np.array([classes[np.argmax([(group == c).sum() for c in classes])] for group in groups])
    runs = 1 + int((commonest[1:] != commonest[:-1]).sum())
    return Order(batches, len(classes), _gathered(groups, classes, counts / counts.sum()), runs, _repeats(known, first))


def is_sorted(how: Order) -> bool:
    """Whether rows come class after class; batches of a few classes each, in no order, are some samplers' aim."""
    return how.gathered >= (_GATHERED if how.runs <= 3 * how.classes else _PURE)


def _cut(labels: Labels, size: int) -> tuple[Labels, ...]:
    return tuple(labels[i : i + size] for i in range(0, len(labels) - size + 1, size))


def _gathered(groups: Sequence[Labels], classes: Labels, shares: NDArray[np.float64]) -> float:
    """The intraclass correlation of the classes in a batch, by Pearson's χ² against draws from all rows.

    (χ² / ((B − 1)(C − 1)) − 1) / (n − 1): 0 on average for shuffled rows, 1 where each batch of n holds one class.
    """
    counts = np.array([[(group == c).sum() for c in classes] for group in groups], dtype=np.float64)  # (B, C)
    sizes = counts.sum(axis=1, keepdims=True)  # (B, 1)
    squares = float(((counts - sizes * shares) ** 2 / (sizes * shares)).sum())
    scaled = squares / ((len(groups) - 1) * (len(classes) - 1))
    return (scaled - 1) / max(1.0, float(sizes.mean()) - 1)


def first_epoch(forwards: Sequence[Forward]) -> int:
    """How many forwards the first epoch has: up to the first that brings rows anew."""
    seen: set[int] = set()
    for i, forward in enumerate(forwards):
        again = sum(row in seen for row in forward.rows.tolist())
        if len(forward.rows) and again > len(forward.rows) / 2:
            return i
        seen.update(forward.rows.tolist())
    return len(forwards)


def _repeats(forwards: Sequence[Forward], first: int) -> bool:
    pairs = zip(forwards[:first], forwards[first : 2 * first], strict=False)
    return len(forwards) >= 2 * first and all(np.array_equal(a.rows, b.rows) and len(a.rows) for a, b in pairs)


@final
@dataclass(frozen=True)
class Slices:
    """A loop that cuts rows and labels at the same indices: ``X[i:j]`` and ``y[i:j]``."""

    unit: Unit
    loop: ast.For | ast.While
    rows: ast.Subscript
    labels: ast.Subscript

    @property
    def names(self) -> tuple[str, str]:
        """What the rows and the labels are called: ``X`` and ``y``, or ``self.x`` and ``self.y``."""
        return ast.unparse(self.rows.value), ast.unparse(self.labels.value)

    @property
    def local(self) -> bool:
        """Whether both names may be assigned before the loop: at the top level, or known in the same function."""
        function = self.function
        if function is None:
            return True
        bound = {
            node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }
        bound |= {
            argument.arg for argument in [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
        }
        return all(name in bound for name in self.names)

    @property
    def function(self) -> ast.FunctionDef | None:
        """The function around the loop."""
        around = [n for n in ast.walk(self.unit.tree) if isinstance(n, ast.FunctionDef) and _within(self.loop, n)]
        return around[-1] if around else None

    @property
    def outermost(self) -> ast.For | ast.While:
        """The outermost loop around, in the same function."""
        function = self.function
        loops = [n for n in ast.walk(function or self.unit.tree) if isinstance(n, ast.For | ast.While)]
        return next(loop for loop in loops if loop is self.loop or _within(self.loop, loop))


def slices(program: Program, trace: Trace, near: Place | None) -> list[Slices]:
    """The loops that ran and cut two arrays at the same indices; those in the file of ``near`` around it first."""
    found = [cut for unit in units(program, trace) for cut in _slices(unit) if ran(trace, unit.place(cut.rows))]

    def far(cut: Slices) -> tuple[bool, bool]:
        place = cut.unit.place(cut.loop)
        apart = near is None or (place.file, place.cell) != (near.file, near.cell)
        return apart, near is None or not place.line <= near.line <= place.end_line

    return sorted(found, key=far)


def _slices(unit: Unit) -> Iterator[Slices]:
    for loop in ast.walk(unit.tree):
        if not isinstance(loop, ast.For | ast.While):
            continue
        inner = [node for node in ast.walk(loop) if isinstance(node, ast.For | ast.While) and node is not loop]
        inside = {id(node) for other in inner for node in ast.walk(other)}
        groups: dict[str, dict[str, ast.Subscript]] = {}
        for node in ast.walk(loop):
            if id(node) in inside:
                continue
            match node:
                case ast.Subscript(ctx=ast.Load(), value=ast.Name() | ast.Attribute(), slice=ast.Slice() | ast.Name()):
                    groups.setdefault(ast.dump(node.slice), {}).setdefault(ast.unparse(node.value), node)
                case _:
                    pass
        for group in groups.values():
            if len(group) == 2:
                first, second = sorted(group.values(), key=lambda node: (node.lineno, node.col_offset))
                yield Slices(unit, loop, first, second)


def _within(inner: ast.stmt, outer: ast.stmt) -> bool:
    last = math.inf if outer.end_lineno is None else outer.end_lineno
    return inner is not outer and outer.lineno <= inner.lineno and (inner.end_lineno or inner.lineno) <= last
