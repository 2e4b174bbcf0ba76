"""Edits of the user's source: where to make them, and what the source is with them.

An edit replaces a span; where the span is empty it inserts. Edits that belong together are a tuple. What cannot be
edited gives None or an empty tuple, and the finding then stands without a fix to try.
"""

import ast
import re
from collections.abc import Iterable

from byhand.doctor.finding import Edit
from byhand.doctor.place import Place
from byhand.doctor.text.program import Program, Unit
from byhand.doctor.text.splice import lines, spans, splice
from byhand.doctor.text.tree import (
    NO_FUNCTION,
    assignments,
    first_line,
    function_around,
    holds,
    last_line,
    numbers,
    path_to,
)

__all__ = [
    "Edits",
    "apply",
    "argument",
    "constants",
    "definition",
    "insert_line",
    "key",
    "replace",
    "statement",
    "wrap",
    "written",
    "written_if_any",
]

Edits = tuple[Edit, ...]
"""A fix: edits that are made together."""


# Made at a place.


def replace(place: Place, text: str) -> Edit:
    """Put ``text`` where the source at ``place`` stands."""
    return Edit(place, text)


def wrap(place: Place, before: str, after: str) -> Edits:
    """Put ``before`` and ``after`` around the source at ``place``, which may be edited too."""
    ends = (place.line, place.column, before), (place.end_line, place.end_column, after)
    return tuple(Edit(_point(place, line, column), text) for line, column, text in ends if text)


def insert_line(program: Program, place: Place, text: str, after: bool = True) -> Edit | None:
    """Put one line or more after (or before) the statement that holds ``place``, indented as it is.

    A compound statement counts with its whole body. A statement that shares its line (``for p in ps: p.zero_()``)
    counts with all that stands there.
    """
    unit = program.unit(place)
    if unit is None:
        return None
    rows = lines(unit.code)
    for block, position in reversed(path_to(unit, place)):
        first = last = position
        while first > 0 and first_line(block[first]) == last_line(block[first - 1]):
            first -= 1
        while last + 1 < len(block) and first_line(block[last + 1]) == last_line(block[last]):
            last += 1
        start, end = first_line(block[first]), last_line(block[last])
        code = rows[start - 1].lstrip()
        indent = rows[start - 1][: len(rows[start - 1]) - len(code)]
        if code.startswith("elif") or (not code.startswith("@") and unit.place(block[first]).column > len(indent)):
            continue  # it stands behind a colon; the statement around it begins the line
        new = [indent + row if row.strip() else row for row in text.split("\n")]
        if after:
            return Edit(_point(place, end, len(rows[end - 1].rstrip("\r\n"))), "\n".join(["", *new]))
        return Edit(_point(place, start, 0), "\n".join([*new, ""]))
    return None


def argument(program: Program, place: Place, name: str, text: str) -> Edit | None:
    """Give the call at ``place`` the keyword ``name=text``: instead of the value that it has, or as a new one.

    The call is the innermost that contains the place, or else the first within it.
    """
    unit = program.unit(place)
    call = _call(program, unit, place) if unit else None
    if unit is None or call is None:
        return None
    for keyword in call.keywords:
        if keyword.arg == name:
            return Edit(unit.place(keyword.value), text)
    given = [unit.place(one) for one in (*call.args, *(keyword.value for keyword in call.keywords))]
    whole, function = unit.place(call), unit.place(call.func)
    ends = [(one.end_line, one.end_column) for one in given]
    if (whole.end_line, whole.end_column) in ends:
        return None  # f(x for x in y): its parentheses are the generator's, which then would need its own
    line, column = max(ends, default=(function.end_line, function.end_column))
    tail = program.text(Place(whole.file, line, column, whole.end_line, whole.end_column - 1, whole.cell))
    tail = re.sub(r"#.*", lambda comment: " " * len(comment[0]), tail).rstrip()
    line, column = line + tail.count("\n"), len(tail.rpartition("\n")[2]) + (0 if "\n" in tail else column)
    comma = "" if not given else " " if tail.endswith(",") else ", "
    return Edit(_point(place, line, column), f"{comma}{name}={text}")


def _call(program: Program, unit: Unit, place: Place) -> ast.Call | None:
    around = program.nodes(place, ast.Call)
    within = (node for node in ast.walk(unit.tree) if isinstance(node, ast.Call) and holds(place, unit.place(node)))
    return around[0] if around else next(within, None)


def _point(place: Place, line: int, column: int) -> Place:
    """The empty span at a line and column of the same file or cell."""
    return Place(place.file, line, column, line, column, place.cell)


# Found in the text.


def statement(program: Program, place: Place) -> Place:
    """The innermost statement around a place; the place itself where there is none."""
    unit = program.unit(place)
    path = path_to(unit, place) if unit else []
    return unit.place(path[-1][0][path[-1][1]]) if unit and path else place


def constants(program: Program, value: float, near: Place | None = None) -> tuple[Place, ...]:
    """Where a number is written (0.001, 1e-3, -5, 1/255), in all files and cells of the program, the nearest first.

    Near is the function that holds ``near``, then its file or cell, then the others; numbers in f-strings are left out.
    """
    units = list(program.units)
    home = program.unit(near) if near else None
    if home and home not in units:
        units.append(home)
    here = function_around(home, near) if home and near else None
    found: list[tuple[tuple[int, int, int], Place]] = []
    for position, unit in enumerate(units):
        for place in map(unit.place, numbers(unit.tree, value)):
            if unit is home and near:
                far, away = int(function_around(unit, place) != here), abs(place.line - near.line)
            else:
                far, away = 2, abs(position - (units.index(home) if home else 0))
            found.append(((far, away, place.line), place))
    return tuple(place for _, place in sorted(found))


def definition(program: Program, name: str, before: Place) -> Place | None:
    """The value that was last assigned to ``name`` (or ``self.name``) before a place, as far as the text tells.

    Assignments in the function around the place come first, its own defaults among them; then those of the module or,
    in a notebook, of all cells. An attribute is looked for in every function.
    """
    home = program.unit(before)
    if home is None:
        return None
    units = program.units if program.notebook and home in program.units else (home,)
    here = function_around(home, before)
    found: list[tuple[tuple[bool, bool, int, int, int], Place]] = []
    for position, unit in enumerate(units):
        for place in (unit.place(value) for target, value in assignments(unit.tree) if target == name):
            function = function_around(unit, place)
            local = unit is home and function == here != NO_FUNCTION
            if local or function == NO_FUNCTION or "." in name:
                order = position, place.line, place.column
                earlier = order < (units.index(home), before.line, before.column)
                found.append(((local, earlier, *order), place))
    return max(found)[1] if found else None


# Put into the source.


def apply(program: Program, edits: Iterable[Edit]) -> dict[str, str]:
    """The new source of each file or cell that the edits change, by ``file`` or ``file#cell``.

    Identical edits count once; insertions at one point follow each other in the order given.

    Raises:
        ValueError: two edits overlap, or the outcome is no Python.
    """
    of: dict[str, tuple[Unit, list[Edit]]] = {}
    for edit in edits:
        unit = program.unit(edit.place)
        if unit is None:
            raise ValueError(f"{edit.place.file} cannot be read")
        of.setdefault(key(edit.place), (unit, []))[1].append(edit)
    for name, (unit, own) in of.items():
        try:
            ast.parse(splice(unit.code, spans(unit.code, own)))
        except SyntaxError as error:
            raise ValueError(f"{name} is no Python after the edit: line {error.lineno}, {error.msg}") from error
    return {name: splice(unit.source, spans(unit.source, own, unit.code)) for name, (unit, own) in of.items()}


def key(place: Place | Unit) -> str:
    """The name of a file or cell, or of that of a place: ``file`` or ``file#cell``."""
    return place.file if place.cell is None else f"{place.file}#{place.cell}"


def written(program: Program, edits: Iterable[Edit]) -> str:
    """The first line that the edits change, as it will be, without its indentation; ValueError as for ``apply``."""
    place = min(edit.place for edit in edits)
    unit = program.unit(place)
    old = lines(unit.source) if unit else []
    new = lines(apply(program, (edit for edit in edits if key(edit.place) == key(place)))[key(place)])
    return next((row.strip() for was, row in zip(old, new, strict=False) if row != was), new[-1].strip())


def written_if_any(program: Program, edits: Edits) -> str:
    """The same; "" where there are no edits, or they cannot be applied."""
    try:
        return written(program, edits) if edits else ""
    except ValueError:
        return ""
