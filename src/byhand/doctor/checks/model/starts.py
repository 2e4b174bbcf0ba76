"""The user's own lines that draw the first weights, and what to write there instead."""

import ast
import math
import re
from collections.abc import Iterator, Sequence
from typing import Final

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.model.makers import makers
from byhand.doctor.checks.reading.calls import last_name, ran
from byhand.doctor.checks.reading.literals import assigned, bound
from byhand.doctor.checks.reading.units import units
from byhand.doctor.place import Place
from byhand.doctor.text import edits
from byhand.doctor.text.edits import Edits
from byhand.doctor.text.program import Program, Unit
from byhand.doctor.trace import Parameter, Trace

__all__ = ["fan_in", "made_random", "scaled"]

_DRAWS: Final = frozenset(
    {"randn", "rand", "normal", "uniform", "standard_normal", "randn_like", "rand_like", "random"}
)
_IN_PLACE: Final = frozenset({"normal_", "uniform_", "trunc_normal_"})
_EQUAL: Final = frozenset({"zeros", "ones", "full", "zeros_like", "ones_like"})
_EQUAL_IN_PLACE: Final = frozenset({"zeros_", "ones_", "constant_", "zero_", "fill_"})
_SCALES: Final = ("std", "scale", "sigma", "stddev", "init_std")


def fan_in(trace: Trace, parameter: Parameter) -> int:
    """The numbers that go into one unit of a weight: all axes but the units'.

    torch's layers keep (units, inputs, ...), as do weights in W @ x and x @ W.T; in x @ W they are (inputs, units).
    """
    shape, index = parameter.shape, trace.parameters.index(parameter)
    if len(shape) > 2 or parameter.name.endswith(".weight"):
        return math.prod(shape[1:])
    for tape in trace.tapes:
        for op in tape.ops:  # the first product with it is the layer's own: those of a backward pass come later
            sides = op.inputs if op.name in ("matmul", "dot") else ()
            for side, i in enumerate(sides[:2]):
                if len(shape) == 2 and tape.values[i].parameter == index:
                    return tape.values[i].summary.shape[0 if side else 1]
    return shape[0] if shape else 1


def scaled(evidence: Evidence, weights: Sequence[Parameter], gain: float = 1.0, digits: int = 1) -> Edits:
    """Weights drawn smaller, so that a layer keeps the size of its input, at each line that draws them.

    Args:
        evidence: of the run.
        weights: that are drawn otherwise.
        gain: of their deviation × √inputs, afterwards.
        digits: of the numbers that are written.
    """
    factors: dict[Place, tuple[float, Parameter]] = {}
    for weight in weights:
        if weight.place is not None and weight.start.std:
            factor = gain / (weight.start.std * math.sqrt(fan_in(evidence.trace, weight)))
            before, _ = factors.get(weight.place, (math.inf, weight))
            factors[weight.place] = min(factor, before), weight
    found: dict[Place, Edits] = {}
    least: dict[Place, float] = {}  # weights of several places may be drawn at one
    for place, (factor, weight) in factors.items():
        number = float(f"{factor:.{digits}g}")
        fix = _smaller(evidence, place, number)
        for unit, node in makers(evidence, weight) if not fix else ():
            fix = fix or _smaller(evidence, unit.place(node), number)
        fix = fix or _smaller_in_place(evidence, float(f"{factor * (weight.start.std or 0):.{digits}g}"))
        if fix and factor < least.get(fix[0].place, math.inf):
            found[fix[0].place], least[fix[0].place] = fix, factor
    return tuple(edit for fix in found.values() for edit in fix)


def _smaller(evidence: Evidence, place: Place, factor: float) -> Edits:
    program = evidence.program
    unit = program.unit(place)
    if unit is None:
        return ()
    around = [*program.nodes(place, ast.expr)[:1], *program.nodes(place, ast.stmt)[:1]][:1]
    draws = [n for root in around for n in ast.walk(root) if isinstance(n, ast.Call) and last_name(n.func) in _DRAWS]
    if not draws:
        return ()
    draw = draws[0]
    default = _default(evidence, unit, place)
    if default is not None:
        return (edits.replace(default, f"{factor:g}"),)
    text, number = program.text(unit.place(draw)), f"{factor:g}"
    if "requires_grad" in text:
        bare = re.sub(r",\s*requires_grad\s*=\s*True", "", text)
        return (edits.replace(unit.place(draw), f"({bare} * {number}).requires_grad_()"),)
    return edits.wrap(unit.place(draw), "(", f" * {number})")


def _default(evidence: Evidence, unit: Unit, place: Place) -> Place | None:
    """The literal 1 of a parameter like ``std=1.0`` of the function that draws, where no call gives another."""
    functions = evidence.program.nodes(place, ast.FunctionDef)
    if not functions:
        return None
    for name in _SCALES:
        places = bound(evidence.program, evidence.trace, name, 1.0)
        inside = unit.place(functions[0])
        within = [p for p in places if p.file == inside.file and inside.line <= p.line <= functions[0].body[0].lineno]
        if len(places) == 1 and within:
            return within[0]
    return None


def _smaller_in_place(evidence: Evidence, deviation: float) -> Edits:
    """``nn.init.normal_(w, std=1)`` and its like: another deviation."""
    program = evidence.program
    for unit in units(program, evidence.trace):
        for call in ast.walk(unit.tree):
            if (
                isinstance(call, ast.Call)
                and last_name(call.func) in _IN_PLACE
                and ran(evidence.trace, unit.place(call))
            ):
                place, number = unit.place(call), f"{deviation:g}"
                for keyword in call.keywords:
                    if keyword.arg == "std":
                        return (edits.replace(unit.place(keyword.value), number),)
                if len(call.args) == 3 or (len(call.args) == 2 and _is_method(call)):
                    return (edits.replace(unit.place(call.args[-1]), number),)
                if last_name(call.func) == "normal_":
                    added = edits.argument(program, place, "std", number)
                    return (added,) if added else ()
    return ()


def _is_method(call: ast.Call) -> bool:
    """``w.normal_(0, 1)`` rather than ``init.normal_(w, 0, 1)``."""
    return isinstance(call.func, ast.Attribute) and last_name(call.func.value) not in ("init", "nn")


def made_random(evidence: Evidence, weights: Sequence[Parameter]) -> Edits:
    """Weights that are drawn, at each line that made them all equal."""
    program, found = evidence.program, dict[Place, Edits]()
    for weight in weights:
        number = f"{1 / math.sqrt(max(1, fan_in(evidence.trace, weight))):.1g}"
        fix = _drawn(program, weight.place, number) if weight.place else ()
        for unit, node in makers(evidence, weight) if not fix else ():
            fix = fix or _drawn(program, unit.place(node), number)
        fix = fix or _drawn_in_place(evidence, number)
        if fix:
            found[fix[0].place] = fix
    for unit, node in _called_weights(evidence) if not found else ():
        fix = _drawn(program, unit.place(node), "0.1") if ran(evidence.trace, unit.place(node)) else ()
        if fix:
            found[fix[0].place] = fix
    return tuple(edit for fix in found.values() for edit in fix)


def _called_weights(evidence: Evidence) -> Iterator[tuple[Unit, ast.expr]]:
    """What is bound to names like ``W1`` and ``weights``."""
    for name in ("w", *(f"w{i}" for i in range(1, 10)), "weight", "weights", "theta", "theta1", "theta2", "kernel"):
        yield from assigned(evidence.program, evidence.trace, name, any_case=True)


def _drawn(program: Program, place: Place, number: str) -> Edits:
    unit = program.unit(place)
    nodes = program.nodes(place, ast.expr)[:1] or program.nodes(place, ast.stmt)[:1]
    calls = [n for root in nodes for n in ast.walk(root) if isinstance(n, ast.Call) and last_name(n.func) in _EQUAL]
    if unit is None or not calls or not isinstance(calls[0].func, ast.Attribute):
        return ()
    call = calls[0]
    library = ast.unparse(call.func).rpartition(".")[0]
    like = last_name(call.func).endswith("_like")
    shape = [a for a in call.args if not isinstance(a, ast.Starred)]
    if last_name(call.func).startswith("full"):
        shape = shape[:1]
    sizes = ", ".join(ast.unparse(a) for a in shape) + (".shape" if like else "")
    gradient = any(k.arg == "requires_grad" for k in call.keywords)
    if library == "torch":
        text = f"torch.randn({sizes}) * {number}"
        text = f"({text}).requires_grad_()" if gradient else f"({text})"
    else:
        size = sizes if len(shape) == 1 else f"({sizes})"
        text = f"{library}.random.normal(0, {number}, {size})"
    return (edits.replace(unit.place(call), text),)


def _drawn_in_place(evidence: Evidence, number: str) -> Edits:
    program, found = evidence.program, list[edits.Edit]()
    for unit in units(program, evidence.trace):
        for call in ast.walk(unit.tree):
            if not isinstance(call, ast.Call) or last_name(call.func) not in _EQUAL_IN_PLACE:
                continue
            if "weight" not in program.text(unit.place(call)) or not ran(evidence.trace, unit.place(call)):
                continue
            if isinstance(call.func, ast.Attribute) and last_name(call.func) in ("zeros_", "ones_", "constant_"):
                owner, first = ast.unparse(call.func.value), ast.unparse(call.args[0]) if call.args else ""
                found.append(edits.replace(unit.place(call), f"{owner}.normal_({first}, std={number})"))
            elif isinstance(call.func, ast.Attribute):
                found.append(edits.replace(unit.place(call), f"{ast.unparse(call.func.value)}.normal_(0, {number})"))
    return tuple(found)
