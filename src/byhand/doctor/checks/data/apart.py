"""Lines of the user's that move rows without their labels, or labels without their rows."""

import ast
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.reading.batches import Slices, slices
from byhand.doctor.checks.reading.calls import last_name, ran
from byhand.doctor.checks.reading.units import units
from byhand.doctor.place import Place
from byhand.doctor.text import edits
from byhand.doctor.text.edits import Edits
from byhand.doctor.text.program import Program, Unit

__all__ = ["apart"]

_MIXERS: Final = ("shuffle", "permutation", "randperm", "sample")

Remedy = tuple[Edits, Place, str]
"""Edits that keep rows and labels together, the line where they part, and what to write there."""


def apart(evidence: Evidence, near: Place | None) -> Remedy | None:
    """Where rows and labels part ways in the text that ran; None where it does not tell.

    A text alone proves nothing: the caller must know already that the two do not belong together.
    """
    program, trace = evidence.program, evidence.trace
    for unit in units(program, trace):
        for remedy in (*_two_shuffles(unit), *_looked_up(program, unit)):
            if ran(trace, remedy[1]):
                return remedy
    remedies = (_moved_alone(program, cut) for cut in slices(program, trace, near))
    return next((remedy for remedy in remedies if remedy is not None), None)


def _two_shuffles(unit: Unit) -> Iterator[Remedy]:
    """Neighbouring statements that mix two arrays, each in an order of its own."""
    numpy = next((name for name in ("np", "numpy") if f"import {name}" in unit.code or f"as {name}" in unit.code), None)
    for node in ast.walk(unit.tree):
        if not isinstance(node, ast.Module | ast.FunctionDef | ast.For | ast.While | ast.If | ast.With):
            continue
        for first, second in pairwise(node.body):
            one, two = _mixed(first), _mixed(second)
            if one is None or two is None or one[0] == two[0] or (one[1] == two[1] and "random_state" in one[1]):
                continue
            order = f"{numpy}.random.permutation(len({one[0]}))"
            lines = f"order = {order}", f"{one[0]}, {two[0]} = {one[0]}[order], {two[0]}[order]"
            places = unit.place(first), unit.place(second)
            fix = tuple(map(edits.replace, places, lines)) if numpy else ()
            yield fix, places[1] if isinstance(first, ast.Expr) else places[0], "; ".join(lines)


def _mixed(statement: ast.AST) -> tuple[str, str] | None:
    """The array that a statement puts into another order, and how, as text."""
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Attribute(attr="shuffle"), args=[ast.Name(id=name)])):
            return name, ""
        case ast.Assign(
            targets=[ast.Name(id=name)], value=ast.Call(func=func, args=[ast.Name(id=same)], keywords=keys)
        ):
            how = ", ".join(ast.unparse(key) for key in keys)
            return (name, how) if name == same and last_name(func) in _MIXERS else None
        case ast.Assign(
            targets=[ast.Name(id=name)],
            value=ast.Subscript(value=ast.Name(id=same), slice=ast.Call(func=func)),
        ):
            return (name, "") if name == same and last_name(func) in _MIXERS else None
        case _:
            return None


def _looked_up(program: Program, unit: Unit) -> Iterator[Remedy]:
    """``self.images[self.order[i]]`` beside ``self.labels[i]``: one goes by the permutation, the other does not."""
    for function in ast.walk(unit.tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        found = [node for node in ast.walk(function) if isinstance(node, ast.Subscript)]
        inner = [node.slice for node in found if isinstance(node.slice, ast.Subscript)]
        for lookup in inner:
            order, index = ast.unparse(lookup.value), ast.unparse(lookup.slice)
            if not _is_mix(program, order, unit.place(lookup)):
                continue
            for other in found:
                if other is not lookup and ast.unparse(other.slice) == index and ast.unparse(other.value) != order:
                    text = f"{ast.unparse(other.value)}[{order}[{index}]]"
                    yield (edits.replace(unit.place(other), text),), unit.place(other), text


def _moved_alone(program: Program, cut: Slices) -> Remedy | None:
    """A permutation that the rows were taken by before they were cut into batches, and the labels were not."""
    rows, labels = cut.names
    taken: dict[str, tuple[ast.Assign, str, str]] = {}  # name → (statement, what it was taken from, by which order)
    for node in ast.walk(cut.function or cut.unit.tree):
        match node:
            case ast.Assign(targets=[target], value=ast.Subscript(value=source, slice=ast.Name(id=order))):
                taken[ast.unparse(target)] = node, ast.unparse(source), order
            case _:
                pass
    if rows not in taken or labels in taken:
        return None
    statement, source, order = taken[rows]
    place = cut.unit.place(statement)
    if not _is_mix(program, order, place):
        return None
    if source == rows:
        text = f"{labels} = {labels}[{order}]"
        added = edits.insert_line(program, place, text)
        return ((added,), place, text) if added else None
    there = cut.unit.place(cut.labels.value)
    return (edits.replace(there, f"{labels}[{order}]"),), there, f"{labels}[{order}] beside {rows}"


def _is_mix(program: Program, name: str, before: Place) -> bool:
    """Whether a name was given a permutation."""
    made = edits.definition(program, name, before)
    return made is not None and any(last_name(call.func) in _MIXERS for call in program.nodes(made, ast.Call))
