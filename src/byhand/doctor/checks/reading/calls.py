"""The user's words at a place: what a call works on, its axis, where a function is called or a module made."""

import ast
from dataclasses import dataclass
from typing import final

from byhand.doctor.finding import Edit
from byhand.doctor.place import Place
from byhand.doctor.text.program import Program, Unit
from byhand.doctor.trace import Trace

__all__ = [
    "Call", "before_name", "bracketed", "call_at", "callers", "calls_of", "last_name", "ran", "unwrap", "with_axis",
]  # fmt: skip

_AXES = ("dim", "axis")
_KEEP = ("keepdim", "keepdims")


@final
@dataclass(frozen=True)
class Call:
    """A call in the user's source."""

    node: ast.Call
    unit: Unit
    modules: frozenset[str]  # names that an import gave

    @property
    def place(self) -> Place:
        """Its whole span."""
        return self.unit.place(self.node)

    @property
    def name(self) -> str:
        """The last name of what is called: softmax in ``F.softmax(z)`` and in ``z.softmax(1)``."""
        return last_name(self.node.func)

    @property
    def name_place(self) -> Place:
        """The span of that name."""
        whole = self.unit.place(self.node.func)
        return whole._replace(line=whole.end_line, column=whole.end_column - len(self.name))

    @property
    def method(self) -> bool:
        """Whether it is a method of what it works on: ``z.softmax(1)`` rather than ``F.softmax(z, 1)``."""
        func = self.node.func
        return isinstance(func, ast.Attribute) and _root(func) not in self.modules | {"self"}

    @property
    def operand(self) -> Place | None:
        """What it works on: the object of a method, the first argument of a function."""
        func = self.node.func
        if self.method and isinstance(func, ast.Attribute):
            return self.unit.place(func.value)
        if self.node.args and not isinstance(self.node.args[0], ast.Starred):
            return self.unit.place(self.node.args[0])
        return next((self.unit.place(key.value) for key in self.node.keywords if key.arg == "input"), None)

    @property
    def axis(self) -> ast.expr | None:
        """The expression of its ``dim`` or ``axis``, where one is written."""
        for key in self.node.keywords:
            if key.arg in _AXES:
                return key.value
        position = 0 if self.method else 1
        return self.node.args[position] if len(self.node.args) > position else None


def call_at(program: Program, place: Place | None) -> Call | None:
    """The call whose span is this place, to the character."""
    unit = program.unit(place) if place else None
    for node in program.nodes(place, ast.Call) if place and unit else ():
        if unit and unit.place(node) == place:
            return Call(node, unit, _modules(program, unit))
    return None


def callers(program: Program, place: Place) -> list[Call]:
    """The calls of the function in whose body a place is, by its name, in all of the user's files that are read."""
    functions = program.nodes(place, ast.FunctionDef)
    if not functions:
        return []
    return calls_of(program, functions[0].name, place)


def calls_of(program: Program, name: str, near: Place | None) -> list[Call]:
    """The calls of a function, or of a class to make a module of it, in the program and in the file of a place."""
    return [call for call in _calls(program, near) if call.name == name]


def before_name(program: Program, call: Call) -> str:
    """What stands before the name of what is called: ``nn.`` in ``nn.ReLU()``."""
    return program.text(call.unit.place(call.node.func)).removesuffix(call.name)


def with_axis(program: Program, call: Call, axis: int, *, keep: bool = False) -> tuple[Edit, ...]:
    """The edits that give a call another axis, and with ``keep`` have it keep that axis; () where they cannot be made.

    Args:
        program: the program.
        call: a call of softmax, sum, max, ...
        axis: the new one.
        keep: add ``keepdim=True`` (``keepdims`` where the call says ``axis``) if the call has neither.
    """
    old = call.axis
    if old is None or not isinstance(old, ast.Constant | ast.UnaryOp):
        return ()
    text = str(axis)
    words = {key.arg for key in call.node.keywords}
    if keep and not words & set(_KEEP):
        text += ", keepdims=True" if "axis" in words else ", keepdim=True"
    return (Edit(call.unit.place(old), text),)


def unwrap(program: Program, outer: Place, inner: Place) -> tuple[Edit, ...]:
    """The edits that leave of an expression only a part of it, which may be edited too: ``torch.log(p)`` becomes p."""
    before = outer._replace(end_line=inner.line, end_column=inner.column)
    after = outer._replace(line=inner.end_line, column=inner.end_column)
    torn = bracketed(program, inner) != program.text(inner)
    return Edit(before, "(" if torn else ""), Edit(after, ")" if torn else "")


def bracketed(program: Program, place: Place) -> str:
    """The source at a place, in parentheses where an operator could tear it apart."""
    text = program.text(place)
    try:
        node = ast.parse(text, mode="eval").body
    except SyntaxError:
        return f"({text})"
    simple = isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Subscript | ast.Constant)
    return text if simple else f"({text})"


def ran(trace: Trace, place: Place) -> bool:
    """Whether a line was executed: its file or cell ran, and the line is in no part that never did."""
    for file in trace.files:
        if file.file == place.file and file.cell == place.cell:
            return not any(first <= place.line <= last for first, last in file.never)
    return False


def last_name(node: ast.expr) -> str:
    """The last of a dotted name; empty for other expressions."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _calls(program: Program, near: Place | None) -> list[Call]:
    found: list[Call] = []
    other = program.unit(near) if near else None
    for unit in (*program.units, *((other,) if other and other not in program.units else ())):
        modules = _modules(program, unit)
        found += [Call(node, unit, modules) for node in ast.walk(unit.tree) if isinstance(node, ast.Call)]
    return found


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _modules(program: Program, unit: Unit) -> frozenset[str]:
    units = program.units if program.notebook else (unit,)
    imports = [node for u in units for node in ast.walk(u.tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    return frozenset((alias.asname or alias.name).split(".")[0] for node in imports for alias in node.names)
