"""Program events out of a user's syntax tree: the same program, that also tells what it does.

Every expression and statement of interest is wrapped in a call of a method of ``__byhand__``, and every block marks in
``__byhand_ran__`` that it ran. The caller puts both names into ``builtins``, so that the user's own namespaces stay as
they are. Operands are evaluated once and in their order, and lines and columns are kept. With hooks that only do
what they stand for, a rewritten program does what it did.

    y = x @ w       →  y = __byhand__.binary(0, "matmul", x, w); __byhand__.named(0, "y", y)
    w -= lr * g     →  w -= ...; __byhand__.changed(1, "w", "sub", w)
    p[r, y] -= 1    →  p[__byhand__.entry(1, p, (r, y))] -= 1
    w = w - lr * g  →  w = __byhand__.rebound(2, "w", w, ...)
    l.append(loss)  →  l.append(__byhand__.kept(2, loss))
    d["b"] = x + y  →  d["b"] = __byhand__.member(2, ...)
    for x in dl:    →  for x in __byhand__.enter(3, dl): if __byhand__.tick(3): break ...; then __byhand__.leave(3)

The number that comes first is the position in a list of places. A loop that a ``return`` or an exception ends is never
left. ``__byhand__.slice`` has to be the builtin, whose name the user may have taken.
"""

import ast
import copy
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast, final

from byhand.doctor.place import Place
from byhand.doctor.text.aliases import stepping
from byhand.doctor.text.nodes import alone, hook, mark, read, tick
from byhand.doctor.text.notebook import shows_last
from byhand.doctor.text.program import Unit
from byhand.doctor.text.splice import lines
from byhand.doctor.text.syntax import (
    SIGNS,
    functions,
    is_constant,
    is_entry,
    is_future,
    is_named,
    is_picked,
    is_simple,
    is_text,
    is_textual,
    last_name,
    operator_name,
    pairs,
    parts,
    steps,
)
from byhand.doctor.watch.numpy_names import ARITHMETIC, CALLS

__all__ = ["Rewritten", "rewrite"]

# Decorators that translate a function's bytecode or source, where a call of a hook would be an error.
_COMPILERS: Final = frozenset({"jit", "njit", "vectorize", "guvectorize", "stencil", "cfunc", "script"})


@final
@dataclass(frozen=True, slots=True)
class Rewritten:
    """A tree to compile, and the blocks of code that it marks in ``__byhand_ran__`` when they run."""

    tree: ast.Module
    blocks: tuple[tuple[int, int], ...]  # first and last line of each
    first_block: int  # their positions in __byhand_ran__ count from here


def rewrite(
    unit: Unit, places: list[Place], blocks: list[tuple[int, int]], *, arithmetic: bool, last_shown: bool = False
) -> Rewritten:
    """A unit's tree with its events told. A tree that is too deep to be walked is left as it is.

    Args:
        unit: what to rewrite; its own tree is not touched.
        places: all places so far; grows by those of the unit.
        blocks: all blocks so far, first and last line; grows by those of the unit.
        arithmetic: tell operators, ``.T`` and every index too, which NumPy needs.
        last_shown: tell the value of a last expression, as a notebook shows it.

    Raises:
        SyntaxError: the unit's code is no Python.
    """
    known, first = len(places), len(blocks)
    tree = _parse(unit)
    try:
        rewriter = _Rewriter(unit, tree, places, blocks, arithmetic)
        if last_shown and shows_last(unit):
            rewriter.show(cast("ast.Expr", tree.body[-1]))
        tree.body = rewriter.block(tree.body)
    except RecursionError:
        del places[known:], blocks[first:]
        tree = _parse(unit)
    return Rewritten(ast.fix_missing_locations(tree), tuple(blocks[first:]), first)


def _parse(unit: Unit) -> ast.Module:
    with warnings.catch_warnings():  # Python tells of an odd escape when it compiles, once is enough
        warnings.simplefilter("ignore")
        return ast.parse(unit.code, unit.file)


class _Rewriter(ast.NodeTransformer):
    def __init__(
        self, unit: Unit, tree: ast.Module, places: list[Place], blocks: list[tuple[int, int]], arithmetic: bool
    ) -> None:
        self._unit, self._places, self._blocks, self._arithmetic = unit, places, blocks, arithmetic
        self._lines = lines(unit.code)
        self._modules = {
            (alias.asname or alias.name).split(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        self._functions = functions(_parse(unit))  # as they are written: the tree's own are rewritten on the way
        self._stepping = stepping(tree)
        self._in_class = False  # directly in a class's body, whose names are fields
        self._string: ast.JoinedStr | None = None

    # Expressions.

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        self.generic_visit(node)
        sides = [node.left, *node.comparators]
        sign, constants = SIGNS.get(type(node.ops[0])), sum(map(is_constant, sides))
        if len(node.ops) > 1 or sign is None or constants == 2 or (constants == 0 and sign not in ("==", "!=")):
            return node
        if any(isinstance(side, ast.Name) and side.id == "__name__" for side in sides):
            return node
        return self._hook(node, "compare", ast.Constant(sign), *sides)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        name = last_name(node.func)
        if name == "append" and len(node.args) == 1 and isinstance(node.args[0], ast.Name | ast.Call | ast.Attribute):
            node.args[0] = self._hook(node, "kept", node.args[0], at=node.args[0])
        if name not in CALLS:
            return node
        at: ast.expr = node
        if isinstance(node.func, ast.Attribute) and node.func.end_lineno != node.lineno:
            at = copy.copy(node)  # Python gives the line of the method's name as that of the call
            at.lineno, end = node.func.end_lineno or node.lineno, node.func.end_col_offset or 0
            at.col_offset = end - len(node.func.attr.encode())
        return self._hook(node, "call", node.func, *node.args, keywords=node.keywords, at=at)

    def visit_Await(self, node: ast.Await) -> ast.expr:
        self.generic_visit(node.value if isinstance(node.value, ast.Call) else node)
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        name = operator_name(node.op)
        if not self._arithmetic or name not in ARITHMETIC or is_textual(node) or is_constant(node):
            return node
        return self._hook(node, "binary", ast.Constant(name), node.left, node.right)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        self.generic_visit(node)
        if not self._arithmetic or not isinstance(node.op, ast.USub) or is_constant(node):
            return node
        return self._hook(node, "unary", ast.Constant("neg"), node.operand)

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        self.generic_visit(node)
        wanted = self._arithmetic or isinstance(node.slice, ast.Tuple | ast.Name)
        if not wanted or not isinstance(node.ctx, ast.Load) or is_constant(node.slice):
            return node
        return self._hook(node, "item", node.value, self._index(node.slice))

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        self.generic_visit(node)
        if not self._arithmetic or node.attr != "T" or not isinstance(node.ctx, ast.Load):
            return node
        return self._hook(node, "attribute", node.value, ast.Constant("T"))

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        if sys.version_info >= (3, 12) or self._string is not None:
            return self.generic_visit(node)
        self._string = node  # before 3.12 what stands in an f-string has a wrong place
        self.generic_visit(node)
        self._string = None
        return node

    def visit_arg(self, node: ast.arg) -> ast.arg:
        return node  # an annotation is not for running

    def visit_TypeAlias(self, node: ast.AST) -> ast.AST:
        return node

    # Assignments.

    def visit_Assign(self, node: ast.Assign) -> list[ast.stmt]:
        return self._assign(node, node.targets, node.value)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> list[ast.stmt]:
        return [node] if self._in_class or node.value is None else self._assign(node, [node.target], node.value)

    def visit_AugAssign(self, node: ast.AugAssign) -> list[ast.stmt]:
        target, operator = node.target, ast.Constant(operator_name(node.op))
        simple = not self._in_class and is_simple(target)
        arguments = [ast.Constant(self._text(target)), operator, read(target)] if simple else []
        self.generic_visit(node)
        if self._arithmetic and isinstance(target, ast.Subscript) and is_picked(target):
            target.slice = self._hook(node, "entry", read(target.value), target.slice, at=target.slice)
        return [node, alone(self._hook(node, "changed", *arguments))] if arguments else [node]

    def _assign(self, node: ast.Assign | ast.AnnAssign, targets: list[ast.expr], value: ast.expr) -> list[ast.stmt]:
        after: list[ast.stmt] = []
        for target in [] if self._in_class else targets:
            for leaf, its, own in pairs(target, value):
                again = own and len(targets) == 1 and steps(leaf, its, self._functions)
                if not again and is_named(leaf, self._modules) and not isinstance(its, ast.List | ast.Dict):
                    after.append(self._named(leaf, its))
        single = targets[0] if len(targets) == 1 and not self._in_class else None
        node.value = self._value(node, single, value)
        for target in targets:
            self.visit(target)
        return [node, *after]

    def _value(self, statement: ast.stmt, target: ast.expr | None, value: ast.expr) -> ast.expr:
        """What is assigned, with every step from an old value to a new one told."""
        if target is not None and (each := parts(target, value)):
            cast("ast.Tuple", value).elts = [self._value(statement, one, its) for one, its in each]
            return value
        if target is not None and (id(statement) in self._stepping or steps(target, value, self._functions)):
            text, old = ast.Constant(self._text(target)), read(target)
            return self._hook(statement, "rebound", text, old, self.visit(value), at=value)
        its = self.visit(value)
        entry = target is not None and is_entry(target) and not is_constant(value)
        return self._hook(value, "member", its, at=value) if entry else its

    def _named(self, target: ast.expr, value: ast.expr) -> ast.Expr:
        return alone(self._hook(value, "named", ast.Constant(self._text(target)), read(target), at=target))

    # Blocks.

    def block(self, body: list[ast.stmt], *first: ast.stmt) -> list[ast.stmt]:
        """A block with its mark; ``first`` runs before all but a docstring and imports from the future."""
        if not body:
            return []
        head = 1 if isinstance(body[0], ast.Expr) and is_text(body[0].value) else 0
        while head < len(body) and is_future(body[head]):
            head += 1
        start = min([body[0].lineno, *(d.lineno for d in getattr(body[0], "decorator_list", []))])
        marked = mark(body[0], len(self._blocks))
        self._blocks.append((start, body[-1].end_lineno or body[-1].lineno))
        return [*body[:head], *first, marked, *self._statements(body[head:])]

    def show(self, statement: ast.Expr) -> None:
        """Tell the value of an expression that is not visited yet."""
        statement.value = self._hook(statement.value, "shown", statement.value)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        if any(last_name(d.func if isinstance(d, ast.Call) else d) in _COMPILERS for d in node.decorator_list):
            return node
        node.decorator_list = [self.visit(each) for each in node.decorator_list]
        self.visit(node.args)
        outer, self._in_class = self._in_class, False
        node.body = self.block(node.body)
        self._in_class = outer
        return node

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.decorator_list = [self.visit(each) for each in node.decorator_list]
        outer, self._in_class = self._in_class, True
        node.body = self._statements(node.body)
        self._in_class = outer
        return node

    def visit_If(self, node: ast.If) -> ast.AST:
        node.test, node.body, node.orelse = self.visit(node.test), self.block(node.body), self.block(node.orelse)
        return node

    def visit_For(self, node: ast.For) -> list[ast.stmt]:
        k = self._header(node, node.iter)
        names = [] if self._in_class else [leaf for leaf, _, _ in pairs(node.target, node.iter)]
        named = [self._named(name, name) for name in names if isinstance(name, ast.Name)]
        node.iter = hook(node.iter, "enter", k, self.visit(node.iter))
        self.visit(node.target)
        node.body, node.orelse = self.block(node.body, tick(node, k), *named), self.block(node.orelse)
        return [node, alone(hook(node, "leave", k))]

    def visit_While(self, node: ast.While) -> list[ast.stmt]:
        k = self._header(node, node.test)
        node.test = self.visit(node.test)
        node.body, node.orelse = self.block(node.body, tick(node, k)), self.block(node.orelse)
        return [alone(hook(node, "enter", k, ast.Constant(None))), node, alone(hook(node, "leave", k))]

    def visit_AsyncFor(self, node: ast.AsyncFor) -> ast.AST:
        node.iter, node.body, node.orelse = self.visit(node.iter), self.block(node.body), self.block(node.orelse)
        return node

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.AST:
        node.type, node.body = self.visit(node.type) if node.type else None, self.block(node.body)
        return node

    def visit_match_case(self, node: ast.match_case) -> ast.AST:
        node.guard, node.body = self.visit(node.guard) if node.guard else None, self.block(node.body)
        return node

    def _statements(self, body: Sequence[ast.stmt]) -> list[ast.stmt]:
        done: list[ast.stmt] = []
        for statement in body:
            new = self.visit(statement)
            done += new if isinstance(new, list) else [new]
        return done

    # Hooks.

    def _hook(
        self,
        node: ast.expr | ast.stmt,
        name: str,
        *arguments: ast.expr,
        keywords: Sequence[ast.keyword] = (),
        at: ast.expr | ast.stmt | None = None,
    ) -> ast.Call:
        """A hook's call with the place of ``node``; it stands where ``at`` stood."""
        return hook(at or node, name, self._add(self._string or node), *arguments, keywords=keywords)

    def _add(self, node: ast.expr | ast.stmt) -> ast.Constant:
        self._places.append(self._unit.place(node))
        return ast.Constant(len(self._places) - 1)

    def _header(self, loop: ast.For | ast.While, last: ast.expr) -> ast.Constant:
        line = ast.copy_location(ast.Pass(), loop)
        line.end_lineno, line.end_col_offset = last.end_lineno, last.end_col_offset
        return self._add(line)

    def _text(self, node: ast.expr) -> str:
        """A target in the user's own spelling."""
        place = self._unit.place(node)
        line = self._lines[place.line - 1] if place.line == place.end_line else None
        return ast.unparse(node) if line is None else line[place.column : place.end_column]

    def _index(self, index: ast.expr) -> ast.expr:
        """An index as a value: outside of brackets there are no colons."""
        if isinstance(index, ast.Tuple):
            index.elts = [self._index(each) for each in index.elts]
        if not isinstance(index, ast.Slice):
            return index
        ends = [end or ast.Constant(None) for end in (index.lower, index.upper, index.step)]
        return hook(index, "slice", *ends)
