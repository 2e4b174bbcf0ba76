"""Starts that lie to one side: a bias below 0, weights whose mean is not 0; and what to write instead."""

import ast
import math
from typing import Final

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.model.makers import makers
from byhand.doctor.checks.reading.calls import last_name
from byhand.doctor.text import edits
from byhand.doctor.text.edits import Edits
from byhand.doctor.trace import Parameter

__all__ = ["at_zero", "centred"]

_UNIFORM: Final = frozenset({"rand", "random", "random_sample", "rand_like"})  # between 0 and 1
_DEVIATION: Final = 1 / math.sqrt(12)  # of those
_ASIDE: Final = 0.3  # of a deviation: a mean that is no luck


def at_zero(evidence: Evidence, bias: Parameter) -> Edits:
    """A bias that starts at one number below 0 starts at 0; () where it does not, or the number is not found."""
    level = bias.start.low
    if level is None or level != bias.start.high or level >= 0:
        return ()
    for unit, node in makers(evidence, bias):
        for inner in ast.walk(node):
            if isinstance(inner, ast.expr) and _is(inner, level):
                return (edits.replace(unit.place(inner), "0.0"),)
    places = edits.constants(evidence.program, level, bias.place) if bias.place else ()
    return (edits.replace(places[0], "0.0"),) if places else ()


def centred(evidence: Evidence, weight: Parameter) -> Edits:
    """Weights that are drawn between 0 and 1, moved so that their mean is 0; () for all others."""
    mean, deviation = weight.start.mean, weight.start.std
    if mean is None or not deviation or abs(mean) < _ASIDE * deviation:
        return ()
    move = float(f"{-mean * _DEVIATION / deviation:.1g}")
    for unit, node in makers(evidence, weight):
        for call in ast.walk(node):
            if isinstance(call, ast.Call) and last_name(call.func) in _UNIFORM:
                place = unit.place(call)
                if any(keyword.arg == "requires_grad" for keyword in call.keywords):
                    return ()
                return edits.wrap(place, "(", f" {'-' if move < 0 else '+'} {abs(move):g})")
    return ()


def _is(node: ast.expr, value: float) -> bool:
    """Whether an expression is this number, with its sign."""
    sign = 1.0
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node, sign = node.operand, -1.0
    plain = isinstance(node, ast.Constant) and type(node.value) in (int, float)
    return plain and math.isclose(sign * float(node.value), value, rel_tol=1e-6)  # type: ignore[arg-type]
