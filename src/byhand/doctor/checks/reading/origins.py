"""Where a printed number comes from in the text: its expression, the division or mean behind it, its words."""

import ast
from collections.abc import Iterator
from itertools import islice
from typing import Final

from byhand.doctor.checks.reading.calls import last_name
from byhand.doctor.checks.reading.roles import Role, called, says_held_out, says_training
from byhand.doctor.place import Place
from byhand.doctor.text.program import Program, Unit
from byhand.doctor.trace import Number, Printed

__all__ = ["averaging", "behind", "overwritten", "shown", "told"]

_MEANS: Final = frozenset(("mean", "average", "fmean", "nanmean"))
_DEPTH: Final = 5  # names and functions between the print and the division
_Found = tuple[Unit, ast.expr]


def told(printed: Printed, number: Number) -> Role | None:
    """What the words of a line call one of its numbers: those before it, else those before an earlier number."""
    position = printed.numbers.index(number) if number in printed.numbers else 0
    for earlier in reversed(printed.numbers[: position + 1]):
        if says_training(earlier.words) or says_held_out(earlier.words):
            return called(earlier.words)  # "train acc, test acc |" is the head of two numbers, and says nothing of one
    return None


def shown(program: Program, printed: Printed, number: Number) -> list[_Found]:
    """The expressions that may be a printed number: one, where as many are printed as there are numbers."""
    unit = program.unit(printed.place) if printed.place else None
    calls = program.nodes(printed.place, ast.Call) if printed.place else []
    if unit is None or printed.place is None:
        return []
    if not calls:
        return [(unit, node) for node in program.nodes(printed.place, ast.expr)[:1]]
    values: list[ast.expr] = []
    for argument in calls[0].args:
        inner = [node.value for node in ast.walk(argument) if isinstance(node, ast.FormattedValue)]
        percent = isinstance(argument, ast.BinOp) and isinstance(argument.op, ast.Mod)
        if inner:
            values += inner
        elif percent and isinstance(argument, ast.BinOp):
            values += argument.right.elts if isinstance(argument.right, ast.Tuple) else [argument.right]
        elif (
            isinstance(argument, ast.Call)
            and isinstance(argument.func, ast.Attribute)
            and argument.func.attr == "format"
        ):
            values += [*argument.args, *(keyword.value for keyword in argument.keywords)]
        else:
            values += _joined(argument)
    position = printed.numbers.index(number) if number in printed.numbers else 0
    if len(values) == len(printed.numbers):
        values = [values[position]]
    return [(unit, value) for value in values]


def _joined(argument: ast.expr) -> list[ast.expr]:
    """The values in ``"a: " + str(a) + ", b: " + str(b)``; an expression that joins nothing is its own value."""
    parts = [argument]
    while any(isinstance(part, ast.BinOp) and isinstance(part.op, ast.Add) for part in parts):
        split: list[ast.expr] = []
        for part in parts:
            split += [part.left, part.right] if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Add) else [part]
        parts = split
    if len(parts) > 1 and not any(isinstance(part, ast.Constant) and isinstance(part.value, str) for part in parts):
        return [argument]
    return [part for part in parts if not isinstance(part, ast.Constant)]


def averaging(program: Program, printed: Printed, number: Number) -> Place | None:
    """The division or mean that a printed number is made by, looked for from the print backwards."""
    for unit, expression in behind(program, printed, number):
        for node in ast.walk(expression):
            if _averages(node) and isinstance(node, ast.expr):
                return unit.place(node)
        divided = next(_divided(unit, expression), None)
        if divided is not None:
            return unit.place(divided)
    return None


def behind(program: Program, printed: Printed, number: Number) -> Iterator[_Found]:
    """The expressions that a printed number may come of, from the print backwards, each once."""
    for level in islice(_levels(program, printed, number), _DEPTH):
        yield from level


def _levels(program: Program, printed: Printed, number: Number) -> Iterator[list[_Found]]:
    """What may be a printed number, then what that may come of, and so on: each expression where it comes first."""
    level, seen = shown(program, printed, number), set[int]()
    while level:
        fresh = list({id(node): (unit, node) for unit, node in level if id(node) not in seen}.values())
        yield fresh
        seen.update(id(node) for _, node in fresh)
        level = [earlier for unit, node in fresh for earlier in _behind(program, unit, node)]


def overwritten(program: Program, printed: Printed, number: Number, stack: tuple[Place | None, ...]) -> Place | None:
    """The assignment whose last round a printed number is: in the innermost loop around the calls of ``stack``."""
    loop = next((loops[0] for at in stack if at and (loops := program.nodes(at, ast.For))), None)
    if loop is None:
        return None
    inside = {id(node) for statement in loop.body for node in ast.walk(statement)}
    for level in islice(_levels(program, printed, number), 1, _DEPTH + 1):
        within = [unit.place(value) for unit, value in level if id(value) in inside]
        if within:
            return within[0]
    return None


def _averages(node: ast.AST) -> bool:
    if isinstance(node, ast.BinOp):
        # 100 * x / 1 is a change of unit; so is a division by any number that is written out
        return isinstance(node.op, ast.Div) and not isinstance(node.right, ast.Constant)
    return isinstance(node, ast.Call) and last_name(node.func) in _MEANS


def _divided(unit: Unit, expression: ast.expr) -> Iterator[ast.AugAssign]:
    """``x /= n`` for a name in the expression, in the function around it."""
    names = {node.id for node in ast.walk(expression) if isinstance(node, ast.Name)}
    around: ast.AST = _function_around(unit, expression) or unit.tree
    for node in ast.walk(around):
        if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Div):  # noqa: SIM102 - one test narrows the type
            if isinstance(node.target, ast.Name) and node.target.id in names:
                yield node


def _behind(program: Program, unit: Unit, expression: ast.expr) -> list[_Found]:
    """What the names of an expression were assigned, and what the functions that it calls return."""
    found: list[_Found] = []
    if isinstance(expression, ast.Call):
        found += _returned(program, expression, None)
    for node in ast.walk(expression):
        if isinstance(node, ast.Call) and node is not expression:
            found += _returned(program, node, None)
        if not isinstance(node, ast.Name | ast.Attribute):
            continue
        around = _function_around(unit, expression) if isinstance(node, ast.Name) else None
        for where in [around, unit.tree] if around else [unit.tree]:
            assigned = list(_assigned(program, unit, where, ast.unparse(node)))
            found += assigned
            if assigned:
                break
    return found


def _assigned(program: Program, unit: Unit, where: ast.AST, name: str) -> Iterator[_Found]:
    for node in ast.walk(where):
        match node:
            case ast.Call(func=ast.Attribute(value=owner, attr="append"), args=[value]) if ast.unparse(owner) == name:
                yield unit, value
            case _:
                pass
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            if isinstance(target, ast.Name | ast.Attribute) and ast.unparse(target) == name:
                yield unit, node.value
            elif isinstance(target, ast.Tuple):
                for position, part in enumerate(target.elts):
                    if not (isinstance(part, ast.Name) and part.id == name):
                        continue
                    if isinstance(node.value, ast.Call):
                        yield from _returned(program, node.value, position)
                    elif isinstance(node.value, ast.Tuple) and position < len(node.value.elts):
                        yield unit, node.value.elts[position]


def _returned(program: Program, call: ast.Call, position: int | None) -> list[_Found]:
    """What a function of the program's own returns, or one element of it."""
    found: list[_Found] = []
    for unit in program.units:
        for function in ast.walk(unit.tree):
            if not isinstance(function, ast.FunctionDef) or function.name != last_name(call.func):
                continue
            for node in ast.walk(function):
                if isinstance(node, ast.Return) and node.value is not None:
                    value = node.value
                    if isinstance(value, ast.Tuple) and position is not None and position < len(value.elts):
                        value = value.elts[position]
                    found.append((unit, value))
    return found


def _function_around(unit: Unit, node: ast.expr | ast.stmt) -> ast.FunctionDef | None:
    """The innermost function that a node of a unit stands in."""
    inside: ast.FunctionDef | None = None
    for function in ast.walk(unit.tree):
        if isinstance(function, ast.FunctionDef) and any(child is node for child in ast.walk(function)):
            inside = function  # the walk goes from the outside in
    return inside
