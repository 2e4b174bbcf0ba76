"""What to write in the place of a wrong gradient, where its own text tells."""

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.paper.probe_words import listed
from byhand.doctor.checks.paper.probes import Judged, Reference, gradient, origin
from byhand.doctor.checks.paper.resembles import forgotten, one_row, summed
from byhand.doctor.checks.reading.calls import bracketed, last_name
from byhand.doctor.checks.reading.updates import target_of
from byhand.doctor.finding import Edit
from byhand.doctor.place import Place
from byhand.doctor.slopes import ALIKE, Probe, Slopes, Straight
from byhand.doctor.text.edits import argument, replace
from byhand.doctor.text.tree import function_around

__all__ = ["Remedy", "divided", "remedy"]

_FORMS: Final = {"relu": "({a} > 0)", "tanh": "(1 - {a} ** 2)", "sigmoid": "{a} * (1 - {a})"}


@final
@dataclass(frozen=True, slots=True)
class Remedy:
    """Where something is changed, and into what."""

    place: Place | None
    text: str
    edits: tuple[tuple[Edit, ...], ...] = ()


def remedy(
    evidence: Evidence, probe: Probe, loss: Reference, wrong: Judged, place: Place | None, shared: Place | None
) -> Remedy:
    """What puts a gradient right that was made at ``place`` of what was made at ``shared``."""
    parameter = probe.parameters[wrong.index]
    found = gradient(parameter)
    if wrong.cosine <= -ALIKE[probe.single]:
        return _other_sign(evidence, parameter)
    if found is not None and summed(probe, parameter):
        return _each_unit(evidence, parameter, origin(parameter, found).place)
    if one_row(probe, loss, wrong):
        return _all_rows(evidence, probe, place)
    other = forgotten(probe, loss, wrong)
    if other is not None and other[0].what == "updated":
        lines = listed([str(line) for line in dict.fromkeys(one.line for one in other[0].places)])
        sources = origin(parameter, found).sources if found is not None else ()
        products = (_product_with(evidence, one, other[0].kind.split(", ")) for one in (shared, *sources))
        through = max((one for one in products if one), key=lambda one: one.line, default=None)
        return Remedy(through or shared or place, f"compute it before line {lines} updates {other[0].kind}")
    if other is not None and shared is not None:
        return _with_derivative(evidence, other[0], other[1], shared)
    if other is not None:
        return Remedy(place, f"with the derivative of the {other[0].kind} in line {other[1].line}")
    return Remedy(
        shared or place, "the derivative of the loss, by the chain rule; compare it with finite differences as here"
    )


def _product_with(evidence: Evidence, before: Place | None, names: Sequence[str]) -> Place | None:
    """The nearest product with one of some weights that stands no later than a place, in the same function."""
    unit = evidence.program.unit(before) if before else None
    if unit is None or before is None:
        return None
    own = {name.rpartition(".")[2] for name in names}
    function = function_around(unit, before)
    found: list[Place] = []
    for node in ast.walk(unit.tree):
        match node:
            case ast.BinOp(op=ast.MatMult(), left=left, right=right):
                sides = [left, right]
            case ast.Call(func=func, args=args) if last_name(func) in ("dot", "matmul"):
                sides = [*args, *([func.value] if isinstance(func, ast.Attribute) else [])]
            case _:
                continue
        parts = [part for side in sides for part in ast.walk(side) if isinstance(part, ast.Name | ast.Attribute)]
        place = unit.place(node)
        if own & {last_name(part) for part in parts} and place.line <= before.line:
            found += [place] if function_around(unit, place) == function else []
    return max(found, key=lambda place: (place.line, place.column), default=None)


def _other_sign(evidence: Evidence, parameter: Slopes) -> Remedy:
    place = parameter.place
    node = evidence.program.nodes(place, ast.AugAssign) if place else []
    if place is not None and node and isinstance(node[0].op, ast.Add | ast.Sub):
        unit = evidence.program.unit(place)
        if unit is not None:
            target, value = unit.place(node[0].target), unit.place(node[0].value)
            sign = "-=" if isinstance(node[0].op, ast.Add) else "+="
            between = target._replace(
                line=target.end_line, column=target.end_column, end_line=value.line, end_column=value.column
            )
            text = evidence.program.text
            return Remedy(place, f"{text(target)} {sign} {text(value)}", ((replace(between, f" {sign} "),),))
    return Remedy(place, "the other sign")


def _each_unit(evidence: Evidence, parameter: Slopes, place: Place) -> Remedy:
    """``np.sum(dz)`` along the rows only. Units stand in the axis of the bias that is not 1; rows in the other one."""
    column = len(parameter.shape) == 2 and parameter.shape[1] == 1
    axis = 1 if column else 0
    calls = evidence.program.nodes(place, ast.Call)
    name = calls[0].func if calls else None
    plain = isinstance(name, ast.Attribute) and name.attr in ("sum", "mean") and not calls[0].keywords
    words = f"axis={axis}" + (", keepdims=True" if len(parameter.shape) == 2 else "")
    if not calls or not plain:
        return Remedy(place, f"sum over the rows only: {words}")
    given = len(calls[0].args) > (0 if _is_method(name) else 1)
    first = None if given else argument(evidence.program, place, "axis", words.removeprefix("axis="))
    text = evidence.program.text(place)
    if first is None or not text.endswith(")"):
        return Remedy(place, f"sum over the rows only: {words}")
    comma = "" if text.endswith("()") else ", "
    return Remedy(place, f"{text[:-1]}{comma}{words})", ((first,),))


def _all_rows(evidence: Evidence, probe: Probe, place: Place | None) -> Remedy:
    if probe.single_rows:
        return Remedy(place, f"add up what each of the {probe.single_rows} rows gives, or update after each of them")
    text = evidence.program.text(place) if place else ""
    return Remedy(place, f"the sum over all {probe.rows} rows" + (f", in the place of {text}" if text else ""))


def _is_method(name: ast.expr | None) -> bool:
    root = name.value if isinstance(name, ast.Attribute) else None
    return not (isinstance(root, ast.Name) and root.id in ("np", "numpy"))


def _with_derivative(evidence: Evidence, other: Straight, at: Place, place: Place) -> Remedy:
    """The gradient times the derivative of the activation at ``at``."""
    program = evidence.program
    output = target_of(program, at)
    if other.what != "dropped" or other.kind not in _FORMS:
        right = _FORMS.get(
            other.kind, "{a} * (g - (g * {a}).sum(axis=-1, keepdims=True)), with g the derivative by {a}"
        )
        said = f"the derivative of the {other.kind} in line {at.line}: "
        return Remedy(place, said + right.format(a=output or "a") + ("" if output else ", where a is its output"))
    form = _FORMS[other.kind]
    unit = program.unit(place)
    same = unit is not None and place.file == at.file and function_around(unit, place) == function_around(unit, at)
    factor = form.format(a=output or "a")
    text = f"{bracketed(program, place)} * {factor}"
    if not output or not same or "\n" in text:
        return Remedy(place, text if output else f"{text}, where a is what line {at.line} gives")
    return Remedy(place, text, ((replace(place, text),),))


def divided(evidence: Evidence, others: Sequence[Slopes], place: Place | None) -> Remedy:
    """What was made at ``place`` over the number of rows, under the name that the others' gradients are divided by."""
    program = evidence.program
    unit = program.unit(place) if place else None
    if place is None or unit is None:
        return Remedy(place, "")
    for one in (one for parameter in others for one in parameter.found):
        for node in program.nodes(one.place, ast.BinOp)[:1]:
            by = program.text(unit.place(node.right))
            same = function_around(unit, unit.place(node)) == function_around(unit, place)
            if unit.place(node) == one.place and isinstance(node.op, ast.Div) and same and one.place.file == place.file:
                text = f"{bracketed(program, place)} / {by}"
                return Remedy(place, text, ((replace(place, text),),))
    return Remedy(place, f"{bracketed(program, place)} over the number of rows")
