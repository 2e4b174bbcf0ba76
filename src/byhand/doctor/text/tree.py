"""What the syntax tree of a file or cell tells: the statements around a place, numbers, assignments, functions."""

import ast
import math
from collections.abc import Iterator
from typing import Final, cast

from byhand.doctor.place import Place
from byhand.doctor.text.program import Unit
from byhand.doctor.text.syntax import pairs

__all__ = ["NO_FUNCTION", "assignments", "first_line", "function_around", "holds", "last_line", "numbers", "path_to"]

NO_FUNCTION: Final = Place("", 0, 0, 0, 0)
"""What ``function_around`` gives for a place in no function."""

_CLOSE: Final = 1e-6  # relative: a rate that was measured in float32 is the one that was written


def path_to(unit: Unit, place: Place) -> list[tuple[list[ast.stmt], int]]:
    """The statements around a place, the outermost first: each as the block that it stands in, and its position."""
    path: list[tuple[list[ast.stmt], int]] = []
    blocks = list(_blocks(unit.tree))
    while blocks:
        block = blocks.pop()
        for position, node in enumerate(block):
            if holds(unit.place(node), place):
                path.append((block, position))
                blocks = list(_blocks(node))
                break
    return path


def numbers(tree: ast.AST, value: float) -> Iterator[ast.expr]:
    """The outermost expressions of plain numbers (0.001, 1e-3, -5, 1/255) that are equal to ``value``."""
    for node in ast.iter_child_nodes(tree):
        number = _number(node) if isinstance(node, ast.expr) else None
        if number is not None and math.isclose(number, value, rel_tol=_CLOSE):
            yield cast("ast.expr", node)
        elif number is not None and isinstance(node, ast.UnaryOp):
            continue  # the 5 of -5 is no 5
        elif not isinstance(node, ast.JoinedStr):  # positions in f-strings are wrong before Python 3.12
            yield from numbers(node, value)


def assignments(tree: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Names (``w``, ``self.w``) and the values they are given, tuples by element, defaults of arguments among them."""
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    yield from _named(target, value)
            case ast.AnnAssign(target=target, value=ast.expr() as value) | ast.NamedExpr(target=target, value=value):
                yield from _named(target, value)
            case ast.arguments(posonlyargs=first, args=args, defaults=defaults, kwonlyargs=named, kw_defaults=others):
                last = [*first, *args][len(first) + len(args) - len(defaults) :]
                for name, value in zip([*last, *named], [*defaults, *others], strict=True):
                    if value:
                        yield name.arg, value
            case _:
                pass


def function_around(unit: Unit, place: Place) -> Place:
    """The innermost function around a place, or ``NO_FUNCTION``."""
    nodes = (node for node in ast.walk(unit.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    around = [span for span in map(unit.place, nodes) if holds(span, place)]
    return max(around, key=lambda span: (span.line, span.column), default=NO_FUNCTION)


def holds(outer: Place, inner: Place) -> bool:
    """Whether one span of a file or cell contains another."""
    starts = (outer.line, outer.column) <= (inner.line, inner.column)
    return starts and (outer.end_line, outer.end_column) >= (inner.end_line, inner.end_column)


def first_line(node: ast.stmt) -> int:
    """The line where a statement begins, its decorators counted in."""
    decorators = cast("list[ast.expr]", getattr(node, "decorator_list", []))
    return min([node.lineno, *(one.lineno for one in decorators)])


def last_line(node: ast.stmt) -> int:
    """The line where a statement ends, with its body."""
    return node.end_lineno or node.lineno


def _blocks(node: ast.AST) -> Iterator[list[ast.stmt]]:
    """The blocks of a statement, those of its handlers and cases among them."""
    for _, value in ast.iter_fields(node):
        items = cast("list[object]", value) if isinstance(value, list) else []
        if items and isinstance(items[0], ast.stmt):
            yield cast("list[ast.stmt]", items)
        for item in items:
            if isinstance(item, ast.ExceptHandler | ast.match_case):
                yield item.body


def _number(node: ast.expr) -> float | None:
    """The value of an expression of plain numbers; None for all else."""
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            inner = _number(operand)
            return None if inner is None else -inner
        case ast.BinOp(left=left, op=ast.Mult() | ast.Div() | ast.Pow() as op, right=right):
            a, b = _number(left), _number(right)
            try:
                return None if a is None or b is None else _result(a, op, b)
            except (ArithmeticError, ValueError):
                return None
        case _:
            return None


def _result(a: float, op: ast.Mult | ast.Div | ast.Pow, b: float) -> float:
    match op:
        case ast.Mult():
            return a * b
        case ast.Div():
            return a / b
        case ast.Pow():
            return math.pow(a, b)


def _named(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    return ((ast.unparse(one), its) for one, its, own in pairs(target, value) if own)
