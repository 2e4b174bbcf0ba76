"""Questions to a syntax tree that the rewriting asks: what is assigned to what, and what is certainly no array."""

import ast
from collections.abc import Container, Iterator, Mapping
from types import MappingProxyType
from typing import Final

__all__ = [
    "SIGNS",
    "functions",
    "is_constant",
    "is_entry",
    "is_future",
    "is_named",
    "is_picked",
    "is_simple",
    "is_step",
    "is_text",
    "is_textual",
    "last_name",
    "operator_name",
    "pairs",
    "parts",
    "steps",
]

SIGNS: Final[Mapping[type[ast.cmpop], str]] = MappingProxyType(
    {ast.Eq: "==", ast.NotEq: "!=", ast.Gt: ">", ast.GtE: ">=", ast.Lt: "<", ast.LtE: "<="}
)
"""The comparisons of numbers."""

_FUNCTIONS: Final[Mapping[str, str]] = MappingProxyType(
    {"add": "add", "subtract": "sub", "sub": "sub", "multiply": "mul", "mul": "mul"}
)
"""NumPy's and torch's functions that are operators."""

_ITSELF: Final = frozenset({"data", "detach", "clone", "copy"})  # w.data and w.detach() stand for w


def parts(target: ast.expr, value: ast.expr) -> list[tuple[ast.expr, ast.expr]]:
    """The targets of ``a, b = 1, 2``, each with its value; empty where there is no such pairing."""
    if not isinstance(target, ast.Tuple | ast.List) or not isinstance(value, ast.Tuple | ast.List):
        return []
    starred = any(isinstance(each, ast.Starred) for each in [*target.elts, *value.elts])
    return [] if starred or len(target.elts) != len(value.elts) else list(zip(target.elts, value.elts, strict=True))


def pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[ast.expr, ast.expr, bool]]:
    """Every single target, the expression that its value comes from, and whether nothing else comes from it."""
    if paired := parts(target, value):
        for one, its in paired:
            yield from pairs(one, its)
    elif isinstance(target, ast.Tuple | ast.List):
        for one in target.elts:
            yield from ((leaf, value, False) for leaf, _, _ in pairs(one, value))
    else:
        yield target, value, True


def is_simple(target: ast.expr) -> bool:
    """Whether it can be read once more without any effect: names, attributes, and indices made of names."""
    if isinstance(target, ast.Subscript):
        return is_simple(target.value) and _is_simple_index(target.slice)
    return is_simple(target.value) if isinstance(target, ast.Attribute) else isinstance(target, ast.Name)


def is_entry(target: ast.expr) -> bool:
    """Whether it is an entry of a dictionary by a text: ``params["W1"]``, ``params["W" + str(i)]``."""
    match target:
        case ast.Subscript(slice=ast.Constant(value=str()) | ast.JoinedStr()):
            return True
        case ast.Subscript(slice=ast.BinOp(ast.Constant(value=str()), ast.Add())):
            return True
        case _:
            return False


def is_picked(target: ast.Subscript) -> bool:
    """Whether an index may be one entry of each row, ``p[rows, classes]``, of something that can be read once more."""
    match target.slice:
        case ast.Tuple(elts=[_, _] as both):
            return is_simple(target.value) and not any(isinstance(one, ast.Slice | ast.Starred) for one in both)
        case _:
            return False


def is_named(target: ast.expr, modules: Container[str]) -> bool:
    """Whether it is a plain name, or an attribute that can be read again: a library's may be a property that warns."""
    if not isinstance(target, ast.Attribute):
        return isinstance(target, ast.Name)
    root, depth = target.value, 1
    while isinstance(root, ast.Attribute):
        root, depth = root.value, depth + 1
    if not isinstance(root, ast.Name) or target.attr == "grad":
        return False
    return root.id == "self" or (depth == 1 and root.id not in modules)


def _is_simple_index(index: ast.expr) -> bool:
    match index:
        case ast.Name() | ast.Constant():
            return True
        case ast.BinOp(left, _, right):
            return _is_simple_index(left) and _is_simple_index(right)
        case ast.UnaryOp(operand=value) | ast.FormattedValue(value, _, None):
            return _is_simple_index(value)
        case ast.JoinedStr(values):
            return all(map(_is_simple_index, values))
        case ast.Attribute():
            return is_simple(index)
        case ast.Call(ast.Name("str" | "int"), [value], []):  # params["W" + str(layer)]
            return _is_simple_index(value)
        case ast.Call(ast.Attribute(ast.Constant(str()), "format"), values, []):
            return all(map(_is_simple_index, values))
        case _:
            return False


def functions(tree: ast.Module) -> dict[str, ast.FunctionDef]:
    """The functions that stand in a module itself, by name."""
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def steps(target: ast.expr, value: ast.expr, known: Mapping[str, ast.FunctionDef]) -> bool:
    """Whether a value is the target's old one plus or minus something, in a part of it that is always computed.

    Of lists and dictionaries, whether this is so of each value: ``ws = [w - lr * g for w, g in zip(ws, gs)]``. And of
    what a known function returns, for what it was given: ``ws = update(ws, gs)``.
    """
    old = ast.unparse(target)
    return is_simple(target) and (is_step(value, old) or _returns_step(value, old, known))


def is_step(value: ast.expr, old: str) -> bool:
    """Whether a value is what ``old`` names plus or minus something, in a part of it that is always computed."""
    return _has_step(value, old) or _has_steps(value, old)


def _returns_step(value: ast.expr, old: str, known: Mapping[str, ast.FunctionDef]) -> bool:
    """Whether a function's only ``return`` is a step from the parameter that it gets the old value for."""
    if not isinstance(value, ast.Call) or not isinstance(value.func, ast.Name) or value.func.id not in known:
        return False
    function = known[value.func.id]
    returned = [node.value for node in ast.walk(function) if isinstance(node, ast.Return)]
    given = [
        name.arg
        for name, one in zip(function.args.args, value.args, strict=False)
        if not isinstance(one, ast.Starred) and ast.unparse(one) == old
    ]
    return len(returned) == 1 and returned[0] is not None and any(is_step(returned[0], name) for name in given)


def _has_steps(value: ast.expr, old: str) -> bool:
    match value:
        case ast.Call(ast.Name("list" | "tuple" | "dict"), [inner], []):
            return _has_steps(inner, old)
        case ast.ListComp(each, [first, *_]) | ast.GeneratorExp(each, [first, *_]) | ast.DictComp(_, each, [first, *_]):
            inside = list(ast.walk(first.iter))
            if any(isinstance(node, ast.Lambda | ast.IfExp | ast.BoolOp | ast.comprehension) for node in inside):
                return False
            names = [node.id for node in ast.walk(first.target) if isinstance(node, ast.Name)]
            over = any(isinstance(node, ast.expr) and ast.unparse(node) == old for node in inside)
            return over and any(_has_step(each, name) for name in names)
        case _:
            return False


def _has_step(value: ast.expr, old: str) -> bool:
    name, sides = _operation(value)
    if name in ("add", "sub") and any(_is_old(side, old) for side in sides):
        return True
    match value:
        case ast.BinOp(left, _, right):
            return _has_step(left, old) or _has_step(right, old)
        case ast.Call(function, arguments, keywords):
            inner = [*arguments, *(keyword.value for keyword in keywords)]
            return _has_step(function, old) or any(_has_step(each, old) for each in inner)
        case ast.Attribute(inner):
            return _has_step(inner, old)
        case _:
            return False


def _is_old(value: ast.expr, old: str) -> bool:
    """Whether it is the old value, the same under another hood (``w.data``), or a multiple of it."""
    name, sides = _operation(value)
    if name == "mul":
        return any(_is_old(side, old) for side in sides)
    match value:
        case ast.Attribute(inner, name) | ast.Call(ast.Attribute(inner, name), [], []) if name in _ITSELF:
            return ast.unparse(value) == old or _is_old(inner, old)
        case ast.Name() | ast.Attribute() | ast.Subscript():
            return ast.unparse(value) == old
        case _:
            return False


def _operation(value: ast.expr) -> tuple[str, tuple[ast.expr, ...]]:
    """An operator's name and its two sides, be it written ``w - g`` or ``np.subtract(w, g)``; "" for all else."""
    match value:
        case ast.BinOp(left, operator, right):
            return operator_name(operator), (left, right)
        case ast.Call(function, [left, right]) if name := _FUNCTIONS.get(last_name(function)):
            return name, (left, right)
        case _:
            return "", ()


def is_constant(node: ast.expr) -> bool:
    """Whether it is built of constants alone, with operators."""
    match node:
        case ast.BinOp(left, _, right):
            return is_constant(left) and is_constant(right)
        case ast.UnaryOp(operand=operand):
            return is_constant(operand)
        case _:
            return isinstance(node, ast.Constant)


def is_text(node: ast.expr) -> bool:
    """Whether it is a constant of text or bytes."""
    return isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)


def is_textual(node: ast.expr) -> bool:
    """Text, a list or a tuple, or what is built of one with operators: certainly no array."""
    if isinstance(node, ast.BinOp):
        return is_textual(node.left) or is_textual(node.right)
    return isinstance(node, ast.JoinedStr | ast.List | ast.Tuple) or is_text(node)


def is_future(statement: ast.stmt) -> bool:
    """Whether it imports from the future, which nothing but a docstring may come before."""
    return isinstance(statement, ast.ImportFrom) and statement.module == "__future__"


def operator_name(operator: ast.operator) -> str:
    """add, sub, mul, div, matmul, pow, floordiv, mod, bitand, bitor, bitxor, lshift, or rshift."""
    return type(operator).__name__.lower().replace("mult", "mul")


def last_name(function: ast.expr) -> str:
    """The name that a function is called by: ``sum`` of ``x.sum``; empty where it has none."""
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
