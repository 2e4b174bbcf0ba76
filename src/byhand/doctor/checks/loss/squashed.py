"""A non-linearity between the last layer and the softmax: scores that cannot be negative, or not far apart.

Letters: N rows of a forward, C classes.
"""

import ast
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.loss.fixes import Fix
from byhand.doctor.checks.loss.rectified import but_for_the_last, without_derivative
from byhand.doctor.checks.reading.calls import Call, before_name, bracketed, call_at, calls_of, last_name
from byhand.doctor.checks.reading.heads import heads
from byhand.doctor.checks.reading.kinds import class_scores, is_layer
from byhand.doctor.checks.reading.tapes import THROUGH, Reading, name_of, numbers, readings
from byhand.doctor.finding import Finding
from byhand.doctor.place import Place
from byhand.doctor.tape import Op
from byhand.doctor.text import edits
from byhand.doctor.text.program import Program

__all__ = ["nonlinearity_on_logits"]

_WIDTHS: Final = {"sigmoid": 1.0, "hardsigmoid": 1.0, "tanh": 2.0, "hardtanh": 2.0, "softsign": 2.0, "relu6": 6.0}
"""How far apart the scores can be that come out of a limited one."""

_HIGH: Final = 0.05
"""A floor below which a loss seldom gets: one that is lower is a suspicion only."""

_LIMITING: Final = ("maximum", "clip", "clamp", "clamp_min", "fmax")
_QUOTIENTS: Final = frozenset({"div", "rdiv"})
_BENDS: Final = frozenset({"elu", "celu", "selu", "gelu", "silu", "mish", "hardswish", "softplus", "leaky_relu"})


def nonlinearity_on_logits(evidence: Evidence) -> Iterator[Finding]:
    """The last layer's scores go through relu, tanh, sigmoid, ... before their softmax.

    Limited to w from end to end, they give a loss of log(1 + (C − 1)/e^w) at best. Cut off at 0, they are a suspicion
    until an experiment without it does better. Of softmax and sigmoid under a cross-entropy
    softmax-before-cross-entropy speaks.
    """
    last: dict[Place | None, tuple[Reading, Op, Op]] = {}
    for reading in readings(evidence.trace):
        if reading.train:
            for loss, act in _found(reading):
                last[act.place] = reading, loss, act
    for reading, loss, act in last.values():
        kind = _kind(reading, act)
        shape = reading.shape(act.output)
        classes = shape[1] if shape[0] == reading.n else shape[0]
        fix = _with_gradient(evidence, reading, act, _without(evidence.program, reading, act))
        width = _WIDTHS.get(kind)
        floor = math.log1p((classes - 1) * math.exp(-width)) if width else 0.0
        yield Finding(
            "nonlinearity-on-logits",
            "error",
            fix.place or act.place,
            f"{kind} stands between the last layer and {loss.module or _called(loss)}: {_numbers(reading, act, kind)}",
            f"the loss cannot fall below {floor:.3f} = log(1 + {classes - 1}/e^{width:g}), however long you train"
            if width
            else "a score that is cut off at 0 has no gradient: nothing pulls up a right class that is there"
            if kind == "relu"
            else "scores below 0 are pressed together: wrong classes stay likely",
            fix.text or "the scores of the last layer as they are",
            proof="arithmetic" if floor > _HIGH else None,
            edits=fix.edits,
            needs_proof=floor <= _HIGH,
        )


def _found(reading: Reading) -> Iterator[tuple[Op, Op]]:
    """What takes the softmax, and the non-linearity that it gets the last layer's scores from."""
    for op, scores, logged in heads(reading):
        by_hand = name_of(op) in ("div", "sub")
        act = reading.maker(scores, THROUGH | {"sub"} if by_hand else THROUGH)
        if act is None or not class_scores(reading, act.output) or not act.inputs:
            continue
        spoken = logged and name_of(act) == "sigmoid"
        if _kind(reading, act) and not spoken and is_layer(reading, _input(reading, act)):
            yield op, act


def _kind(reading: Reading, act: Op) -> str:
    """The non-linearity by its name; "" where an operation is none."""
    name = name_of(act)
    if name in _WIDTHS or name in _BENDS or name == "relu":
        return name
    if name == "clamp" and 0.0 in numbers(reading, act) and (reading.value(act.output).summary.low or 0.0) >= 0:
        return "relu" if len(numbers(reading, act)) == 1 else ""
    if name in _QUOTIENTS and act.constants[:1] == (1.0,) and len(act.inputs) == 1:
        below = reading.maker(act.inputs[0])
        exp = (
            reading.maker(below.inputs[0]) if below and name_of(below) == "add" and below.constants == (1.0,) else None
        )
        return "sigmoid" if exp and name_of(exp) == "exp" else ""
    return ""


def _input(reading: Reading, act: Op) -> int:
    """The scores that go into a non-linearity."""
    if name_of(act) not in _QUOTIENTS:
        return next((i for i in act.inputs if reading.shape(i) == reading.shape(act.output)), act.inputs[0])
    index = act.inputs[0]  # 1 / (1 + exp(-z))
    while (op := reading.makers.get(index)) and name_of(op) in ("add", "exp", "neg", "view", "mul") and op.inputs:
        index = op.inputs[0]
        if name_of(op) == "exp":
            inner = reading.makers.get(index)
            return inner.inputs[0] if inner and name_of(inner) == "neg" else index
    return index


def _called(op: Op) -> str:
    return "the softmax" if op.name in ("div", "sub") else op.name


def _numbers(reading: Reading, act: Op, kind: str) -> str:
    z, y = reading.rows(_input(reading, act)), reading.rows(act.output)
    step = f"at step {reading.tape.clock + 1:,}"
    if y is None or z is None or not np.isfinite(z).all() or z.shape != y.shape:
        summary = reading.value(act.output).summary
        if summary.low is None:
            return f"{step} no score is a number any more"
        return f"{step} what is left of the scores goes from {summary.low:.3g} to {summary.high:.3g}"
    if kind == "relu":
        own = np.take_along_axis(y, reading.labels[:, None], axis=1)[:, 0]
        dead = int((y <= 0).all(axis=0).sum())
        share, none = 100 * float((y <= 0).mean()), int((own <= 0).sum())
        saw = f"{step} {share:.0f} % of the {y.size:,} scores are 0, in {none} of {len(y)} rows that of the right class"
        return saw + (f"; {dead} of the {y.shape[1]} classes have 0 in every row" if dead else "")
    was = f"from {z.min():.3g} to {z.max():.3g}"
    return f"{step} the last layer's scores go {was}, and what is left of them from {y.min():.3g} to {y.max():.3g}"


def _with_gradient(evidence: Evidence, reading: Reading, act: Op, fix: Fix) -> Fix:
    """A fix, and the same in the gradient where that is derived on paper: no edits where one of the two is unknown."""
    more = without_derivative(evidence.program, evidence.trace, reading, act)
    if more is None or not fix.edits:
        return replace(fix, edits=())
    if not more:
        return fix
    text = f"{fix.text}; and without its derivative in the gradient, line {more[0].place.line}"
    return replace(fix, text=text, edits=tuple((*own, *more) for own in fix.edits))


def _without(program: Program, reading: Reading, act: Op) -> Fix:
    """The scores as they are: the call unwrapped, or the module left out of its Sequential."""
    call = call_at(program, act.place)
    if act.module and not (call and _is_own(program, call, act.module)):
        return _left_out(program, act)
    times = sum(op.place == act.place and name_of(op) == name_of(act) for op in reading.tape.ops)
    if times > 1 or not call or not (act.module or call.name in (act.name, name_of(act), *_LIMITING)):
        outer = _last_call(program, act, times)
        if outer is None:
            return _but_for_the_last(program, call) if call and times > 1 else Fix(act.place, "")
        call = outer
    inner = _operand(call)
    if not inner:
        return Fix(act.place, "")
    return Fix(call.place, program.text(inner), ((edits.replace(call.place, bracketed(program, inner)),),))


def _but_for_the_last(program: Program, call: Call) -> Fix:
    """In a loop over layers: the non-linearity after all of them but the last."""
    loops = program.nodes(call.place, ast.For)
    inner = _operand(call)
    condition = but_for_the_last(loops[0]) if loops else ""
    if not condition or not inner:
        return Fix(call.place, "")
    text = f"{program.text(call.place)} if {condition} else {program.text(inner)}"
    return Fix(call.place, text, ((edits.replace(call.place, f"({text})"),),))


def _operand(call: Call) -> Place | None:
    """What a call works on; of ``np.maximum(0, z)`` the second argument."""
    first = call.node.args[0] if call.node.args else None
    if isinstance(first, ast.Constant) and len(call.node.args) > 1 and not call.method:
        return call.unit.place(call.node.args[1])
    return call.operand


def _last_call(program: Program, act: Op, times: int) -> Call | None:
    """The last call of the user's own function around a non-linearity, where each of its calls stands for one use."""
    functions = program.nodes(act.place, ast.FunctionDef) if act.place else []
    loops = program.nodes(act.place, ast.For) if act.place else []
    if not functions or len(functions[0].args.args) != 1 or any(loop in ast.walk(functions[0]) for loop in loops):
        return None
    found = calls_of(program, functions[0].name, act.place)
    return max(found, key=lambda call: (call.place.end_line, call.place.end_column)) if len(found) == times else None


def _is_own(program: Program, call: Call, module: str) -> bool:
    """Whether a call is of a module by its own name: ``self.act(z)`` beside ``self.act = nn.ReLU()``."""
    name = last_name(call.node.func)
    if name == module:
        return True
    made = calls_of(program, module, call.place)
    for unit in program.units:
        for node in ast.walk(unit.tree):
            match node:
                case ast.Assign(targets=[target], value=ast.Call() as value) if last_name(target) == name:
                    if any(value is one.node for one in made):
                        return True
                case _:
                    pass
    return False


def _left_out(program: Program, act: Op) -> Fix:
    """The last module of this class in the call that made it, replaced by an identity."""
    made = calls_of(program, act.module or "", act.place)
    if not made:
        return Fix(act.place, "")
    last = max(made, key=lambda call: (call.place.line, call.place.column))
    text = f"{before_name(program, last)}Identity()"
    around = [
        node
        for node in program.nodes(last.place, ast.Call)
        if last_name(node.func) == "Sequential" and node.args and node.args[-1] is last.node
    ]
    if len(made) > 1 and not around:
        return Fix(last.place, "")
    return Fix(last.place, text, ((edits.replace(last.place, text),),))
