"""Where the rows of an evaluation were handed over: the name of training rows in a call, a loop or a loader."""

import ast
import re
from collections.abc import Sequence
from typing import Final

from byhand.doctor.checks.reading.literals import assigned
from byhand.doctor.checks.reading.roles import called
from byhand.doctor.finding import Edit
from byhand.doctor.place import Place
from byhand.doctor.text import edits
from byhand.doctor.text.program import Program, Unit
from byhand.doctor.trace import Forward, Trace

__all__ = ["over"]

_COUNTERPARTS: Final = ("test", "valid", "val", "dev", "heldout")


def over(program: Program, forward: Forward, trace: Trace) -> tuple[Place | None, tuple[Edit, ...]]:
    """The place that names the training rows an evaluation got, and the edit to name held-out rows instead.

    Looked for in the call of the model, the calls and loops around it from the inside out, and the making of the
    loader; the model's own line where none of these names training rows. Where these are an array without its labels,
    the labels are renamed too, where they are compared.
    """
    arrays = {made.name for made in trace.made}
    for place in forward.stack or (forward.place,):
        unit = program.unit(place) if place else None
        if unit is None or place is None:
            continue
        call = program.nodes(place, ast.Call)[:1]
        given = [*call[0].args, *(keyword.value for keyword in call[0].keywords)] if call else []
        for nodes in (given, *([loop.iter] for loop in program.nodes(place, ast.For))):
            names = _training_names(nodes)
            if not names:
                continue
            fix = _renamed(program, unit, names)
            if {node.id for node in names} <= arrays and len({node.id for node in names}) == 1:
                labels = _labels(program, forward, trace)
                fix = (*fix, *labels) if fix and labels else ()
            return unit.place(names[0]), fix
    if forward.loader is not None and trace.loaders[forward.loader].place is not None:
        made = trace.loaders[forward.loader].place
        home = program.unit(made) if made else None
        calls = program.nodes(made, ast.Call) if made else []
        flag = _flag(program, trace, calls[0]) if calls else None
        if flag is not None:
            return flag, (edits.replace(flag, "False"),)
        names = _training_names(calls[0].args) if calls else []
        return made, _renamed(program, home, names) if home and names else ()
    return forward.place, ()


def _flag(program: Program, trace: Trace, loader: ast.Call) -> Place | None:
    """The ``True`` of ``train=True`` in the making of a loader's data set, as torchvision's have it."""
    given = [*loader.args[:1], *(keyword.value for keyword in loader.keywords if keyword.arg == "dataset")]
    for node in given:
        for unit, value in assigned(program, trace, node.id) if isinstance(node, ast.Name) else ():
            for keyword in value.keywords if isinstance(value, ast.Call) else ():
                if keyword.arg == "train" and isinstance(keyword.value, ast.Constant) and keyword.value.value is True:
                    return unit.place(keyword.value)
    return None


def _labels(program: Program, forward: Forward, trace: Trace) -> tuple[Edit, ...]:
    """The labels' name wherever they are compared with what the forward gave; empty where one place has none."""
    made: list[Edit] = []
    for place in {one.place for one in trace.comparisons if one.forward == forward.index}:
        unit, around = (program.unit(place), program.nodes(place, ast.expr)[:1]) if place else (None, [])
        fix = _renamed(program, unit, _training_names(around)) if unit else ()
        if not fix:
            return ()
        made += fix
    return tuple(dict.fromkeys(made))


def _training_names(nodes: Sequence[ast.expr]) -> list[ast.Name]:
    """The variables among some expressions that are named for training rows."""
    names = [node for outer in nodes for node in ast.walk(outer) if isinstance(node, ast.Name)]
    return [node for node in names if called(node.id) == "training"]


def _renamed(program: Program, unit: Unit, names: list[ast.Name]) -> tuple[Edit, ...]:
    """Each name with that of the held-out rows in its place; empty where the program has no such name."""
    stored = {
        node.id
        for one in program.units
        for node in ast.walk(one.tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    made: list[Edit] = []
    for node in names:
        others = [re.sub("train", word, node.id, flags=re.IGNORECASE) for word in _COUNTERPARTS]
        others += [re.sub("train", word.capitalize(), node.id, flags=re.IGNORECASE) for word in _COUNTERPARTS]
        other = next((name for name in others if name in stored), None)
        if other is None:
            return ()
        made.append(edits.replace(unit.place(node), other))
    return tuple(made)
