"""The user's own expressions that may have made a parameter: where it was made, and in the functions called there."""

import ast
from collections.abc import Iterator

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.reading.calls import last_name, ran
from byhand.doctor.checks.reading.literals import assigned
from byhand.doctor.checks.reading.units import units
from byhand.doctor.text.program import Unit
from byhand.doctor.trace import Parameter

__all__ = ["makers"]


def makers(evidence: Evidence, parameter: Parameter) -> list[tuple[Unit, ast.expr]]:
    """What stands where a parameter was made, what its name is bound to, and what functions called there return.

    ``def init(n, m): return rng.normal(size=(n, m)) * 0.1`` and ``W1 = init(64, 30)``: the call, then the product.
    """
    program, place = evidence.program, parameter.place
    unit = program.unit(place) if place else None
    here = [(unit, node) for node in program.nodes(place, ast.expr)[:1]] if unit and place else []
    found = [*here, *assigned(program, evidence.trace, parameter.name)]
    return [*found, *(returned for _, node in found for returned in _returned(evidence, node))]


def _returned(evidence: Evidence, node: ast.expr) -> Iterator[tuple[Unit, ast.expr]]:
    """What the user's functions that an expression calls give back, where a name tells which function it is."""
    for call in ast.walk(node):
        name = last_name(call.func) if isinstance(call, ast.Call) else ""
        functions = [
            (unit, function)
            for unit in units(evidence.program, evidence.trace)
            for function in (ast.walk(unit.tree) if name else ())
            if isinstance(function, ast.FunctionDef) and function.name == name
        ]
        if len(functions) == 1 and ran(evidence.trace, functions[0][0].place(functions[0][1].body[-1])):
            yield from ((functions[0][0], value) for value in _values(functions[0][1]))


def _values(function: ast.FunctionDef) -> list[ast.expr]:
    """The expressions after ``return``; of a name, what the function assigns to it. Of several in one, none."""
    found: list[ast.expr] = []
    for node in ast.walk(function):
        match node:
            case ast.Return(value=ast.Name(id=name)):
                assignments = (inner for inner in ast.walk(function) if isinstance(inner, ast.Assign))
                found += [one.value for one in assignments if ast.unparse(one.targets[0]) == name]
            case ast.Return(value=ast.expr() as value):
                found.append(value)
            case _:
                pass
    return [value for value in found if not isinstance(value, ast.Dict | ast.List | ast.Tuple)]
