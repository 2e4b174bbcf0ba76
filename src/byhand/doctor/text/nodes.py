"""New nodes of a syntax tree, each with the lines and columns of the old one in whose place it stands."""

import ast
import copy
from collections.abc import Sequence

__all__ = ["alone", "hook", "mark", "read", "tick"]


def hook(at: ast.expr | ast.stmt, name: str, *arguments: ast.expr, keywords: Sequence[ast.keyword] = ()) -> ast.Call:
    """A call of a method of ``__byhand__``. Arguments that are new stand where the call stands."""
    for argument in arguments:
        if not hasattr(argument, "lineno"):
            ast.copy_location(argument, at)
    function = ast.Attribute(ast.Name("__byhand__", ast.Load()), name, ast.Load())
    for part in (function, function.value):
        # On one line, or Python would take the last one for the line of the call.
        part.lineno = part.end_lineno = at.lineno
        part.col_offset = part.end_col_offset = at.col_offset
    return ast.copy_location(ast.Call(function, list(arguments), list(keywords)), at)


def alone(call: ast.Call) -> ast.Expr:
    """A call as a statement."""
    return ast.copy_location(ast.Expr(call), call)


def tick(loop: ast.For | ast.While, k: ast.Constant) -> ast.If:
    """The statement at the top of a loop's body that can end it."""
    return ast.copy_location(ast.If(hook(loop, "tick", k), [ast.copy_location(ast.Break(), loop)], []), loop)


def mark(at: ast.stmt, block: int) -> ast.Assign:
    """The statement that says that a block ran."""
    ran = ast.Subscript(ast.Name("__byhand_ran__", ast.Load()), ast.Constant(block), ast.Store())
    statement = ast.Assign([ran], ast.Constant(1))
    for node in ast.walk(statement):
        ast.copy_location(node, at)
    return statement


def read(target: ast.expr) -> ast.expr:
    """The target of an assignment, read."""
    loaded = copy.deepcopy(target)
    if isinstance(loaded, ast.Name | ast.Attribute | ast.Subscript):
        loaded.ctx = ast.Load()
    return loaded
