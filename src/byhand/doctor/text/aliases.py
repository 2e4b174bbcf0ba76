"""Names that stand for an entry of a dictionary or a list: ``W = params[key]``, and ``params[key] = W - lr * dW``."""

import ast
from collections import Counter
from collections.abc import Iterator

from byhand.doctor.text.syntax import is_simple, is_step

__all__ = ["stepping"]


def stepping(tree: ast.Module) -> set[int]:
    """The ids of the assignments whose target is an entry, and whose value a step from a name for its old value.

    The name is bound once in its function, to the text of that entry, in a line before.
    """
    return {id(one) for scope in _scopes(tree) for one in _stepping(scope)}


def _scopes(tree: ast.Module) -> Iterator[list[ast.stmt]]:
    yield tree.body
    yield from (node.body for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def _stepping(body: list[ast.stmt]) -> Iterator[ast.Assign]:
    nodes = list(_inside(body))
    entries = [n for n in nodes if isinstance(n, ast.Assign) and len(n.targets) == 1 and _is_entry(n.targets[0])]
    if not entries:
        return
    bound = Counter(n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))
    names = [
        (target.id, ast.unparse(n.value), n.lineno)
        for n in nodes
        if isinstance(n, ast.Assign) and _is_entry(n.value)
        for target in n.targets
        if isinstance(target, ast.Name) and bound[target.id] == 1
    ]
    for one in entries if names else ():
        old = ast.unparse(one.targets[0])
        if any(text == old and line < one.lineno and is_step(one.value, name) for name, text, line in names):
            yield one


def _inside(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """All that stands in a body, but for what stands in functions and classes of its own."""
    waiting: list[ast.AST] = list(body)
    while waiting:
        node = waiting.pop()
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            yield node
            waiting += ast.iter_child_nodes(node)


def _is_entry(node: ast.expr) -> bool:
    return isinstance(node, ast.Subscript) and is_simple(node)
