"""The user's own lines around an update: what they move, what they forget, and the line that is missing."""

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.reading.calls import ran
from byhand.doctor.checks.reading.units import units
from byhand.doctor.place import Place
from byhand.doctor.text import edits
from byhand.doctor.text.edits import Edits
from byhand.doctor.text.program import Program, Unit
from byhand.doctor.text.tree import path_to
from byhand.doctor.trace import Backward, Optimizer, Parameter, Trace, Training

__all__ = [
    "Group",
    "groups",
    "included",
    "is_fine_tuned",
    "of_pictures",
    "optimizer_step",
    "own_name",
    "rebound",
    "target_of",
    "thrown_away",
    "uncalled",
    "was_left",
    "was_missed",
    "zeroed",
]


_LOADED: Final = re.compile(r"load_state_dict|pretrained|load_weights|freeze|\bhub\.|_hub|[(,]\s*weights\s*=")


@final
@dataclass(frozen=True, slots=True)
class Group:
    """A parameter by name and place: a program that makes new arrays of it has several records of one."""

    name: str
    changed: bool  # what the model last used differs from the start
    reached: bool
    frozen: bool


def groups(trace: Trace) -> list[Group]:
    """The parameters that the model used."""
    by_name: dict[tuple[str, Place | None, tuple[int, ...]], list[Parameter]] = {}
    for parameter in trace.parameters:
        if parameter.used:
            by_name.setdefault((parameter.name, parameter.place, parameter.shape), []).append(parameter)
    found: list[Group] = []
    for (name, _, _), records in by_name.items():
        first, last = records[0], records[-1]
        same = not last.changed and (first.start.mean, first.start.std) == (last.end.mean, last.end.std)
        found.append(Group(name, not same, any(r.reached for r in records), all(r.frozen for r in records)))
    return found


def of_pictures(evidence: Evidence) -> bool:
    """Whether gradients are asked for of the rows themselves: saliency maps, attacks, pictures that are optimised."""
    trace = evidence.trace
    if any(value.rows and value.parameter is not None for tape in trace.tapes for value in tape.values):
        return True
    names = {
        word
        for f in trace.forwards
        for place in f.stack
        for word in re.findall(r"[A-Za-z_]\w*", evidence.program.text(place).partition("(")[2])
    }
    marked = re.compile(r"([A-Za-z_]\w*)\.(?:requires_grad\s*=\s*True|requires_grad_\(|retain_grad\()")
    return any(name in names for unit in units(evidence.program, trace) for name in marked.findall(unit.code))


def rebound(program: Program, trace: Trace) -> tuple[Place, str] | None:
    """A line ``p = p - lr * p.grad`` whose ``p`` is a loop's own name, and the line that moves the parameter itself."""
    for unit in units(program, trace):
        for loop in ast.walk(unit.tree):
            if not isinstance(loop, ast.For):
                continue
            names = {node.id for node in ast.walk(loop.target) if isinstance(node, ast.Name)}
            for node in ast.walk(loop):
                match node:
                    case ast.Assign(
                        targets=[ast.Name(id=name)],
                        value=ast.BinOp(left=ast.Name(id=left), op=ast.Sub(), right=right),
                    ) if name == left and name in names and ran(trace, unit.place(node)):
                        step = program.text(unit.place(right))
                        return unit.place(node), f"{name}.data -= {step}"
                    case _:
                        pass
    return None


def uncalled(program: Program, trace: Trace) -> tuple[Place, str] | None:
    """A line ``optimizer.step``, without parentheses: it names the method and does nothing."""
    for unit in units(program, trace):
        for node in ast.walk(unit.tree):
            match node:
                case ast.Expr(value=ast.Attribute(attr="step") as value) if ran(trace, unit.place(node)):
                    return unit.place(value), f"{ast.unparse(value)}()"
                case _:
                    pass
    return None


def thrown_away(program: Program, trace: Trace) -> tuple[Place, str, str] | None:
    """A line ``b = self.b - lr * self.db`` whose ``b`` nobody reads: its place, what should be moved, and the line."""
    for unit in units(program, trace):
        for function in ast.walk(unit.tree):
            if not isinstance(function, ast.FunctionDef):
                continue
            names = [node for node in ast.walk(function) if isinstance(node, ast.Name)]
            read = {node.id for node in names if isinstance(node.ctx, ast.Load)}
            outside = {name for n in ast.walk(function) if isinstance(n, ast.Global | ast.Nonlocal) for name in n.names}
            for node in ast.walk(function):
                match node:
                    case ast.Assign(
                        targets=[ast.Name(id=name)],
                        value=ast.BinOp(left=ast.Attribute() | ast.Subscript() as left, op=ast.Sub(), right=step),
                    ) if name not in read | outside and _is_step(step) and ran(trace, unit.place(node)):
                        owner = ast.unparse(left)
                        return unit.place(node), owner, f"{owner} -= {program.text(unit.place(step))}"
                    case _:
                        pass
    return None


def _is_step(node: ast.expr) -> bool:
    """A product, as rate × gradient is."""
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div)


def is_fine_tuned(program: Program, trace: Trace) -> bool:
    """Whether the text loads weights that were learnt elsewhere, or freezes some: then parts stay as they are."""
    return any(_LOADED.search(unit.code) for unit in units(program, trace))


def was_left(trace: Trace, index: int, walked: Sequence[Backward]) -> bool:
    """Whether the model uses a parameter, most of some backward passes came to it, and it stayed as it was."""
    parameter = trace.parameters[index]
    if not (parameter.used and parameter.reached) or parameter.frozen or parameter.changed:
        return False
    return sum(index in b.parameters for b in walked) > max(1, len(walked) / 2)


def was_missed(trace: Trace, index: int, walked: Sequence[Backward]) -> bool:
    """Whether no backward pass ever came to a parameter, and it stayed as it was."""
    parameter = trace.parameters[index]
    if parameter.reached or parameter.frozen or parameter.changed:
        return False
    return not any(sample.gradient for sample in parameter.samples) and not any(index in b.parameters for b in walked)


def own_name(program: Program, parameter: Parameter) -> str:
    """What a parameter was called when it was made; a loop over parameters calls all of them ``p``."""
    made = target_of(program, parameter.place) if parameter.place else ""
    return made or parameter.name


def target_of(program: Program, place: Place) -> str:
    """The name that the value at a place was assigned to: ``opt``, ``self.optimizer``; empty where there is none."""
    statements = program.nodes(place, ast.Assign)
    if not statements or len(statements[0].targets) != 1:
        return ""
    target = statements[0].targets[0]
    return ast.unparse(target) if isinstance(target, ast.Name | ast.Attribute) else ""


def optimizer_step(program: Program, place: Place) -> tuple[str, ast.Call | None]:
    """Whose ``step`` is called at a place, in the program's words, and the call; "" and None where none is."""
    for call in program.nodes(place, ast.Call):
        if isinstance(call.func, ast.Attribute) and call.func.attr == "step":
            return ast.unparse(call.func.value), call
    return "", None


def zeroed(evidence: Evidence, training: Training) -> Edits:
    """Lines that forget the gradients once they were used; () where the update's text does not tell how."""
    program, place = evidence.program, training.place
    unit = program.unit(place) if place else None
    if place is None or unit is None:
        return ()
    optimizer, _ = optimizer_step(program, place)
    if optimizer:
        added = edits.insert_line(program, place, f"{optimizer}.zero_grad()")
        return (added,) if added else ()
    found: list[edits.Edit] = []
    for statement in _beside(program, unit, place):
        owners = [n for n in ast.walk(statement) if isinstance(n, ast.Attribute) and n.attr == "grad"]
        if not owners:
            continue
        owner = ast.unparse(owners[0].value)
        added = edits.insert_line(program, unit.place(statement), f"{owner}.grad = None")
        if added is not None:
            found.append(added)
    return tuple(found)


def _beside(program: Program, unit: Unit, place: Place) -> list[ast.stmt]:
    """The simple statements of the block that a place stands in."""
    at = edits.statement(program, place)
    path = path_to(unit, at)
    block = path[-1][0] if path else []
    return [one for one in block if isinstance(one, ast.Assign | ast.AugAssign | ast.Expr)]


def included(
    evidence: Evidence, training: Training, optimizer: Optimizer | None, left: Sequence[Parameter]
) -> tuple[Place | None, Edits]:
    """Where parameters were forgotten, and the edit that trains them too."""
    program = evidence.program
    listed = _module_list(program, left) or _beside_others(evidence, left)
    if listed is not None:
        return listed
    if optimizer is not None and optimizer.place is not None:
        return optimizer.place, _given(program, optimizer.place)
    return training.place, _copied(program, training, left)


def _module_list(program: Program, left: Sequence[Parameter]) -> tuple[Place, Edits] | None:
    """Layers in a Python list, which ``parameters()`` does not look into."""
    for parameter in left:
        for statement in program.nodes(parameter.place, ast.Assign) if parameter.place else ():
            unit, target, value = (
                program.unit(parameter.place or Place("", 0, 0, 0, 0)),
                statement.targets[0],
                statement.value,
            )
            if unit and isinstance(target, ast.Attribute) and isinstance(value, ast.List | ast.ListComp):
                prefix = re.search(
                    r"([\w.]*)\b(?:Linear|Conv\dd|Sequential|LSTM|GRU|Embedding)\b", program.text(unit.place(value))
                )
                if prefix:
                    place = unit.place(value)
                    return place, edits.wrap(place, f"{prefix[1]}ModuleList(", ")")
    return None


def _beside_others(evidence: Evidence, left: Sequence[Parameter]) -> tuple[Place, Edits] | None:
    """A list of parameters that some are missing from: ``SGD([w1, w2], lr)``; and the list with all of them."""
    program = evidence.program
    missing = list(dict.fromkeys(own_name(program, p) for p in left))
    learnt = {own_name(program, p) for p in evidence.trace.parameters if p.changed}
    if not all(name.isidentifier() for name in missing):
        return None
    for unit in units(program, evidence.trace):
        for call in ast.walk(unit.tree):
            for given in call.args if isinstance(call, ast.Call) else ():
                names = [n.id for n in given.elts if isinstance(n, ast.Name)] if isinstance(given, ast.List) else []
                if names and set(names) <= learnt and ran(evidence.trace, unit.place(given)):
                    whole = unit.place(given.elts[-1]) if isinstance(given, ast.List) else unit.place(given)
                    end = whole._replace(line=whole.end_line, column=whole.end_column)
                    return unit.place(given), (edits.replace(end, "".join(f", {name}" for name in missing)),)
    return None


def _given(program: Program, place: Place) -> Edits:
    """Give the optimizer the parameters of the whole model rather than those of a part."""
    calls, unit = program.nodes(place, ast.Call), program.unit(place)
    given = calls[0].args[0] if calls and calls[0].args else None
    match given:
        case ast.Call(func=ast.Attribute(value=ast.Attribute(value=ast.Name(id=model)), attr="parameters")) if unit:
            return (edits.replace(unit.place(given), f"{model}.parameters()"),)
        case _:
            return ()


def _copied(program: Program, training: Training, left: Sequence[Parameter]) -> Edits:
    """The update's own line once more, for the forgotten parameter."""
    if training.place is None:
        return ()
    place = edits.statement(program, training.place)
    line = program.text(place)
    match program.nodes(place, ast.AugAssign):
        case [ast.AugAssign(target=ast.Name(id=name) | ast.Attribute(value=ast.Name(id=name), attr="data")), *_] if (
            ".grad" in line and f"{name}.grad" in line
        ):
            names = [own_name(program, p) for p in left]
            new = [re.sub(rf"\b{name}\b", other, line) for other in names if other.isidentifier()]
            added = edits.insert_line(program, place, "\n".join(dict.fromkeys(new))) if len(new) == len(left) else None
            return (added,) if added else ()
        case _:
            return ()
