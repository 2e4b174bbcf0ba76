"""Notes on style: lines that ran, work, and could be plainer. None of them is a fault."""

import ast
import builtins
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.program.kept import evaluated_with_graph
from byhand.doctor.checks.reading.calls import last_name, ran
from byhand.doctor.checks.reading.softmaxes import made_by, softmaxes
from byhand.doctor.checks.reading.tapes import name_of, readings
from byhand.doctor.finding import Finding
from byhand.doctor.place import Place
from byhand.doctor.text.program import Unit

__all__ = ["style_notes"]

_MANY: Final = 1000
"""Forwards of a single row that make a loop over rows worth a word."""

_BUILTINS: Final = frozenset(name for name in dir(builtins) if name[0].islower()) - {"copyright", "credits", "license"}


def style_notes(evidence: Evidence) -> Iterator[Finding]:
    """One note a kind, at the first executed line that it is about."""
    for kind in (_data_attribute, _list_of_tuples, _variable, _builtin):
        found = next(_executed(evidence, kind), None)
        if found:
            yield found
    yield from _rows(evidence)
    yield from _softmax(evidence)
    yield from evaluated_with_graph(evidence)


def _executed(evidence: Evidence, kind: Callable[[Unit, ast.AST], Finding | None]) -> Iterator[Finding]:
    for unit in evidence.program.units:
        for node in ast.walk(unit.tree):
            found = kind(unit, node)
            if found and found.place and ran(evidence.trace, found.place):
                yield found


def _note(check: str, place: Place | None, saw: str, so: str, instead: str) -> Finding:
    return Finding(check, "note", place, saw, so, instead)


def _data_attribute(unit: Unit, node: ast.AST) -> Finding | None:
    """``p.data -= lr * p.grad``."""
    if not isinstance(node, ast.AugAssign) or not isinstance(node.target, ast.Attribute) or node.target.attr != "data":
        return None
    tensor = ast.unparse(node.target.value)
    return _note(
        "update-through-data",
        unit.place(node),
        f"{tensor} is updated through {tensor}.data",
        "it works, but autograd cannot warn of a change that a later backward pass would need to know of",
        f"with torch.no_grad(): {tensor} {'-=' if isinstance(node.op, ast.Sub) else '...'} {ast.unparse(node.value)}",
    )


def _list_of_tuples(unit: Unit, node: ast.AST) -> Finding | None:
    """``DataLoader(list(zip(x, y)))``, the list perhaps by its name."""
    if not isinstance(node, ast.Call) or last_name(node.func) != "DataLoader" or not node.args:
        return None
    data: ast.expr = node.args[0]
    if isinstance(data, ast.Name):
        name = data.id
        given = [
            step.value
            for step in ast.walk(unit.tree)
            if isinstance(step, ast.Assign) and any(ast.unparse(target) == name for target in step.targets)
        ]
        data = given[0] if len(given) == 1 else data
    inner = data.args[0] if isinstance(data, ast.Call) and last_name(data.func) == "list" and data.args else None
    if not isinstance(inner, ast.Call) or last_name(inner.func) != "zip":
        return None
    arrays = ", ".join(ast.unparse(array) for array in inner.args)
    return _note(
        "list-of-tuples",
        unit.place(node),
        "the data set is a list with a tuple for each image",
        "it works; a batch is then stacked from single rows, where one indexing of the whole array would do",
        f"TensorDataset({arrays})",
    )


def _variable(unit: Unit, node: ast.AST) -> Finding | None:
    """``Variable(x)``, which has done nothing since torch 0.4."""
    if not isinstance(node, ast.Call) or last_name(node.func) != "Variable" or not node.args:
        return None
    if "autograd" not in unit.code:
        return None
    inner = ast.unparse(node.args[0])
    return _note(
        "variable-wrapper",
        unit.place(node),
        f"{inner} is wrapped in Variable",
        "a tensor has been one itself since torch 0.4",
        inner,
    )


def _builtin(unit: Unit, node: ast.AST) -> Finding | None:
    """``sum = 0``."""
    if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Store) or node.id not in _BUILTINS:
        return None
    return _note(
        "shadowed-builtin",
        unit.place(node),
        f"{node.id} is given another meaning",
        f"the built-in {node.id}() cannot be called after it",
        f"another name, {node.id}_ for one",
    )


def _rows(evidence: Evidence) -> Iterator[Finding]:
    """A Python loop that hands the model one row at a time."""
    single = Counter(forward.place for forward in evidence.trace.forwards if forward.n == 1 and forward.kind == "eval")
    for place, count in single.most_common(1):
        if place and count >= _MANY:
            yield _note(
                "loop-over-rows",
                place,
                f"the model was given {count:,} rows one at a time to be evaluated",
                "one product of the whole array gives the same numbers, many times faster",
                "the whole array, or slices of it, in one call",
            )


def _softmax(evidence: Evidence) -> Iterator[Finding]:
    """A softmax whose only use, in every forward that was looked at, is an argmax."""
    idle: dict[Place | None, bool] = {}
    for reading in readings(evidence.trace):
        found = softmaxes(reading)
        uses = Counter(index for op in reading.tape.ops for index in op.inputs)
        chosen = {id(made_by(reading, op.inputs[0], found)) for op in reading.tape.ops if name_of(op) == "argmax"}
        for softmax in found:
            shape = reading.shape(softmax.output)
            along_classes = shape[softmax.axis] != reading.n or reading.n in (1, shape[-1])
            plain = id(softmax) in chosen and uses[softmax.output] == 1 and along_classes
            plain = plain and not softmax.log and not softmax.op.module
            idle[softmax.op.place] = idle.get(softmax.op.place, True) and plain
    for place in [place for place, plain in idle.items() if plain][:1]:
        yield _note(
            "softmax-before-argmax",
            place,
            "softmax is taken, and then nothing but its largest value is looked for",
            "it keeps the order of the scores: the argmax is the same without it",
            "argmax of the scores",
        )
