"""A bias that is one number for all classes: added to all scores of a row it changes no softmax.

Letters: N rows of a forward, C classes.
"""

import ast
from collections.abc import Iterator
from typing import Final

import numpy as np

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.loss.fixes import Fix
from byhand.doctor.checks.reading.calls import last_name, ran
from byhand.doctor.checks.reading.heads import heads
from byhand.doctor.checks.reading.kinds import class_scores
from byhand.doctor.checks.reading.tapes import THROUGH, Reading, exact_losses, name_of, readings
from byhand.doctor.finding import Edit, Finding
from byhand.doctor.place import Place
from byhand.doctor.tape import Op
from byhand.doctor.text import edits
from byhand.doctor.text.program import Program, Unit
from byhand.doctor.text.syntax import pairs, steps
from byhand.doctor.text.tree import holds
from byhand.doctor.trace import Parameter

__all__ = ["scalar_bias"]

_MAKERS: Final = frozenset({"zeros", "ones", "randn", "rand", "empty", "full", "random", "normal", "standard_normal"})
_NONE: Final = 1e-5
"""The most that a loss may change where nothing but rounding differs."""


def scalar_bias(evidence: Evidence) -> Iterator[Finding]:
    """What is added to the scores of the classes is the same number for all of them, and is trained.

    Either it has one element, or it has C that are moved by the sum of their gradients, which is 0.
    """
    seen: set[str] = set()
    for reading in reversed(readings(evidence.trace)):
        for add, before in _added(reading) if reading.train else ():
            bias = _bias(evidence, reading, add, before)
            if bias is None or bias[0] in seen:
                continue
            name, parameter, value = bias
            change = _change(reading, add.output, value)
            if change is None or change > _NONE:
                continue
            seen.add(name)
            shape = reading.shape(add.output)
            classes = shape[1] if shape[0] == reading.n else shape[0]
            fix = _a_class(evidence.program, reading, add, parameter, name, classes)
            several = parameter is not None and np.prod(parameter.shape) > 1
            what = f"{classes} numbers that are all" if several else "one number for all classes,"
            size = f"{value:.3g}" if abs(value) > 1e-9 else "0"
            yield Finding(
                "scalar-bias",
                "error",
                fix.place or add.place,
                f"{name} is {what} {size} at step {reading.tape.clock + 1:,}; without it the loss of {reading.n} rows "
                f"changes by {change:.1g}",
                f"a softmax takes no notice of it: the model has no bias, where one of {classes} numbers was meant"
                + ("; the gradients of a row's scores sum to 0, and so does their sum over all" if several else ""),
                fix.text or f"a bias of {classes} numbers, one a class",
                edits=fix.edits,
            )


def _added(reading: Reading) -> Iterator[tuple[Op, int]]:
    """The additions that made the scores of a softmax, and the scores before; linear adds its bias itself."""
    for _, scores, _ in heads(reading):
        op = reading.maker(scores, THROUGH)
        if op and name_of(op) == "sub" and op.inputs and class_scores(reading, op.inputs[0]):
            op = reading.maker(op.inputs[0], THROUGH)  # less the largest of each row
        if op and name_of(op) in ("add", "linear") and class_scores(reading, op.output):
            yield op, next((i for i in op.inputs if class_scores(reading, i)), op.inputs[0])


def _bias(evidence: Evidence, reading: Reading, add: Op, before: int) -> tuple[str, Parameter | None, float] | None:
    """The name, the record and the number of a bias that is the same for all classes."""
    operands = add.inputs[2:] if name_of(add) == "linear" else tuple(i for i in add.inputs if i != before)
    for index in operands:
        source = reading.source(index)
        value = reading.value(source)
        parameter = evidence.trace.parameters[value.parameter] if value.parameter is not None else None
        b = reading.array(source)
        if parameter is None or b is None or not b.size or not np.isfinite(b).all():
            continue
        if b.size == 1:
            return parameter.name or value.name or "the bias", parameter, float(b.ravel()[0])
        alike = all(s.std is not None and s.low == s.high for s in (parameter.start, parameter.end))
        if alike and parameter.changed and parameter.training is not None and np.ptp(b) == 0:
            return parameter.name or value.name or "the bias", parameter, float(b.ravel()[0])
    if name_of(add) == "add" and len(add.inputs) == 1 and add.place:
        name = _number(evidence, add.place)
        difference = _difference(reading, add)
        if name and difference is not None:
            return name, None, difference
    return None


def _difference(reading: Reading, add: Op) -> float | None:
    """The number that was added to every element, where it is one."""
    after, before = reading.array(add.output), reading.array(add.inputs[0])
    if after is None or before is None or after.shape != before.shape or not np.isfinite(after).all():
        return None
    change = after - before
    return float(change.mean()) if np.ptp(change) <= 1e-6 * max(1.0, float(abs(after).max())) else None


def _number(evidence: Evidence, place: Place) -> str:
    """The name in an addition that the program starts at a plain number and updates: ``b = 0.0``, ``b -= ...``."""
    program = evidence.program
    unit = program.unit(place)
    for node in program.nodes(place, ast.BinOp) if unit else ():
        if not unit or unit.place(node) != place:
            continue
        updated = set(_updated(evidence, unit))
        for side in (node.right, node.left):
            name = ast.unparse(side)
            if name in updated and _start(program, name, place):
                return name
    return ""


def _updated(evidence: Evidence, unit: Unit) -> Iterator[str]:
    """What lines that ran add something to: ``b -= ...``, ``self.b = self.b - ...``, ``w, b = w - ..., b - ...``."""
    named = ast.Name | ast.Attribute
    for node in ast.walk(unit.tree):
        if not isinstance(node, ast.AugAssign | ast.Assign) or not ran(evidence.trace, unit.place(node)):
            continue
        if isinstance(node, ast.AugAssign):
            if isinstance(node.target, named) and isinstance(node.op, ast.Add | ast.Sub):
                yield ast.unparse(node.target)
            continue
        for target, value, _ in pairs(node.targets[0], node.value) if len(node.targets) == 1 else ():
            if isinstance(target, named) and steps(target, value, {}):
                yield ast.unparse(target)


def _start(program: Program, name: str, before: Place) -> Place | None:
    """Where a name is given a number that is written out."""
    place = edits.definition(program, name, before)
    unit = program.unit(place) if place else None
    nodes = [node for node in program.nodes(place, ast.Constant) if unit and unit.place(node) == place] if place else []
    return place if nodes and isinstance(nodes[0].value, int | float) else None


def _change(reading: Reading, index: int, value: float) -> float | None:
    """How much the mean cross-entropy of the rows changes when a number is taken off all their scores."""
    z = reading.rows(index)
    if z is None or not np.isfinite(z).all() or len(reading.labels) != len(z):
        return None
    return float(abs(exact_losses(z, reading.labels).mean() - exact_losses(z - value, reading.labels).mean()))


def _a_class(program: Program, reading: Reading, add: Op, parameter: Parameter | None, name: str, classes: int) -> Fix:
    """A bias of C numbers: where it is made, and where its gradient is summed by hand."""
    rows = reading.shape(add.output)[0] == reading.n
    place, text, changes = add.place, f"{name} of {classes} numbers, one a class", list[Edit]()
    if parameter is None or np.prod(parameter.shape) == 1:
        place = parameter.place if parameter else _start(program, name, add.place) if add.place else None
        made = _made(program, place, classes, rows=rows)
        if made is None:
            return Fix(place or add.place, text)
        changes.append(made)
        text = program.text(place).replace(program.text(made.place), made.text) if place else text
    if reading.tape.loss is not None:
        return Fix(place, text, (tuple(changes),) if changes else ())
    sums = dict.fromkeys(op.place for op in reading.tape.ops if op.place and _is_gradient_sum(reading, op))
    along = "0" if rows else "1, keepdims=True"
    given = [(at, edits.argument(program, at, "axis", along)) for at in sums if at]
    changes += [edit for _, edit in given if edit]
    if not given or any(edit is None for _, edit in given):
        return Fix(place, text)
    if len(changes) > len(given):
        text += f", and its gradient summed along axis {along[0]} only"
    else:
        place, text = given[0][0], f"{program.text(given[0][0])[:-1]}, axis={along})".replace("(, ", "(")
    return Fix(place, text, (tuple(changes),))


def _is_gradient_sum(reading: Reading, op: Op) -> bool:
    """Whether an operation sums the gradients of all scores, as their vanishing sum tells, to one number."""
    if name_of(op) != "sum" or not op.inputs or reading.shape(op.output) not in ((), (1, 1)):
        return False
    total = reading.number(op.output) if reading.shape(op.output) == () else None
    total = total if total is not None else reading.value(op.output).summary.mean
    return class_scores(reading, op.inputs[0]) and total is not None and abs(total) < 1e-4


def _made(program: Program, place: Place | None, classes: int, *, rows: bool) -> Edit | None:
    """The making of one number, with C in its place: ``torch.zeros(1)`` becomes ``torch.zeros(10)``."""
    unit = program.unit(place) if place else None
    if not unit or not place:
        return None
    shape = f"{classes}" if rows else f"({classes}, 1)"
    for node in ast.walk(unit.tree):
        if not isinstance(node, ast.expr) or not holds(place, unit.place(node)):
            continue
        match node:
            case ast.Call(args=[ast.Constant(value=1) as size, *_]) if last_name(node.func) in _MAKERS:
                return Edit(unit.place(size), shape)
            case ast.Call(args=[ast.Tuple(elts=[*_, ast.Constant(value=1) as last]) as size, *_]) if last_name(
                node.func
            ) in _MAKERS and all(isinstance(one, ast.Constant) and one.value == 1 for one in size.elts):
                return Edit(unit.place(last if rows else size), str(classes) if rows else shape)
            case ast.Constant(value=int() | float()) if unit.place(node) == place:
                start = program.text(place)
                return Edit(place, f"np.full({shape}, {start}, dtype=float)" if node.value else f"np.zeros({shape})")
            case _:
                pass
    return None
