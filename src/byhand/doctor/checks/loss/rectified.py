"""A non-linearity left out after the last layer only: in a loop over the layers, and in a gradient derived on paper."""

import ast
from collections.abc import Iterator

import numpy as np

from byhand.doctor.checks.reading.calls import bracketed, ran
from byhand.doctor.checks.reading.tapes import Reading, name_of
from byhand.doctor.place import Place
from byhand.doctor.tape import Op
from byhand.doctor.text.edits import Edits, replace
from byhand.doctor.text.program import Program
from byhand.doctor.trace import Trace

__all__ = ["but_for_the_last", "without_derivative"]


def but_for_the_last(loop: ast.For) -> str:
    """A condition that holds in all rounds of a loop over layers but the last; "" where it cannot be told.

    ``for W, b in layers``, ``for W, b in zip(Ws, bs)``, ``for i in range(n)``, ``for i, W in enumerate(Ws)``.
    """
    return _but_for_the_last(loop.target, loop.iter)


def _but_for_the_last(target: ast.expr, over: ast.expr) -> str:
    first = target.elts[0] if isinstance(target, ast.Tuple) and target.elts else target
    if not isinstance(first, ast.Name):
        return ""
    match over:
        case ast.Name() | ast.Attribute():
            last = "[-1][0]" if isinstance(target, ast.Tuple) else "[-1]"
            return f"{first.id} is not {ast.unparse(over)}{last}"
        case ast.Call(ast.Name("zip"), [ast.Name() | ast.Attribute() as layers, *_], []) if first is not target:
            return f"{first.id} is not {ast.unparse(layers)}[-1]"
        case ast.Call(ast.Name("enumerate"), [ast.Name() | ast.Attribute() as layers], []) if first is not target:
            return f"{first.id} < len({ast.unparse(layers)}) - 1"
        case ast.Call(ast.Name("enumerate"), [ast.Call(ast.Name("zip"), [ast.Name() as layers, *_], [])], []):
            return f"{first.id} < len({layers.id}) - 1" if first is not target else ""
        case ast.Call(ast.Name("range"), [end] | [_, end], []) if first is target:
            return f"{first.id} < {ast.unparse(end)} - 1"
        case _:
            return ""


def without_derivative(program: Program, trace: Trace, reading: Reading, act: Op) -> Edits | None:
    """The edits that leave the derivative of a ReLU out of a gradient that is derived on paper.

    Args:
        program: the user's.
        trace: its run.
        reading: a tape of a training forward.
        act: the ReLU over the scores.

    Returns:
        () where the gradient has no such factor; None where it has one that cannot be left out.
    """
    found = next(_factors(reading, act), None) if reading.tape.loss is None else None
    if found is None:
        return ()
    op, mask = found
    factor = _operands(program, op.place, mask) if op.place else _in_place(program, trace, reading, op)
    if factor is None:
        return None
    whole, derivative, rest = factor
    condition = _not_of_the_last(program, derivative)
    if condition is None:
        return (replace(whole, rest),)
    return (replace(derivative, f"({program.text(derivative)} if {condition} else 1)"),) if condition else None


def _factors(reading: Reading, act: Op) -> Iterator[tuple[Op, int]]:
    """The operations behind a ReLU that keep a number where it let one through, and which operand says where."""
    y = reading.array(act.output)
    if y is None or (y > 0).all():
        return
    after = reading.leads_to(act.output)
    for op in reading.tape.ops:
        given = [reading.array(i) for i in op.inputs]
        made = reading.array(op.output)
        if made is None or made.shape != y.shape or op.output == act.output:
            continue
        if name_of(op) == "mul" and len(op.inputs) == 2:
            for k, (mask, index) in enumerate(zip(given, op.inputs, strict=True)):
                told = mask is not None and np.array_equal(mask, y > 0) and index not in after
                if told and op.inputs[1 - k] in after:
                    yield op, k
        elif name_of(op) == "setitem" and op.inputs[0] in after and given[0] is not None:
            off = given[0][y <= 0].any() and np.array_equal(made != 0, y > 0)  # other changes may have come before it
            if off:
                yield op, 0


def _operands(program: Program, place: Place, mask: int) -> tuple[Place, Place, str] | None:
    """Of ``g * (a > 0)``: where it stands, where the derivative in it stands, and the text of the rest."""
    unit = program.unit(place)
    for node in program.nodes(place, ast.BinOp):
        if unit and unit.place(node) == place and isinstance(node.op, ast.Mult):
            sides = [unit.place(node.left), unit.place(node.right)]
            return place, sides[mask], bracketed(program, sides[1 - mask])
    return None


def _in_place(program: Program, trace: Trace, reading: Reading, op: Op) -> tuple[Place, Place, str] | None:
    """Of ``g *= a > 0``, if there is one such statement for this name: itself, the derivative, nothing."""
    names = {reading.value(i).name for i in (*op.inputs, op.output)}
    found: list[tuple[Place, Place, str]] = []
    for unit in program.units:
        for node in ast.walk(unit.tree):
            match node:
                case ast.AugAssign(target=target, op=ast.Mult(), value=value) if ast.unparse(target) in names:
                    if ran(trace, unit.place(node)):
                        found.append((unit.place(node), unit.place(value), "pass"))
                case _:
                    pass
    return found[0] if len(found) == 1 else None


def _not_of_the_last(program: Program, derivative: Place) -> str | None:
    """For a derivative in a loop over layers: the condition that it is not that of the last one; "" if unknown.

    None where it is no matter of a loop. It is one where an index in it counts with a loop's variable.
    """
    unit = program.unit(derivative)
    loops = program.nodes(derivative, ast.For)
    counters = {node.id for loop in loops for node in ast.walk(loop.target) if isinstance(node, ast.Name)}
    expressions = [node for node in program.nodes(derivative, ast.expr) if unit and unit.place(node) == derivative]
    inside = [node for expression in expressions[:1] for node in ast.walk(expression)]
    if not counters.intersection(node.id for node in inside if isinstance(node, ast.Name)):
        return None
    for node in inside:
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name | ast.Attribute):
            index = [*ast.walk(node.slice)]
            plain = not any(
                isinstance(one, ast.Call) or (isinstance(one, ast.Constant) and isinstance(one.value, str))
                for one in index
            )
            if plain and counters.intersection(one.id for one in index if isinstance(one, ast.Name)):
                return f"{ast.unparse(node)} is not {ast.unparse(node.value)}[-1]"
    return ""
