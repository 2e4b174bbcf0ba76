"""Dropout that no mode turns off: called without ``training``, made anew in every forward, or written by hand."""

import ast
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.audit.passes import Pass
from byhand.doctor.checks.modes.switches import evaluating, layers_of, to_speak_of
from byhand.doctor.checks.reading.calls import Call, call_at
from byhand.doctor.checks.reading.course import fed
from byhand.doctor.checks.reading.tapes import PRODUCTS, Reading, name_of, readings
from byhand.doctor.finding import Finding
from byhand.doctor.layers import Layer
from byhand.doctor.place import Place
from byhand.doctor.tape import Op
from byhand.doctor.text import edits
from byhand.doctor.text.edits import Edits
from byhand.doctor.text.program import Program

__all__ = ["dropout_never_off", "never_off"]

_FUNCTIONS: Final = frozenset({
    "dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_dropout", "feature_alpha_dropout",
})  # fmt: skip
_TRAINING: Final = 2  # the position of ``training`` among the arguments


def never_off(program: Program, layer: Layer) -> bool:
    """Whether a layer is a dropout that dropped and has no mode: a function without ``training``, or a new module."""
    if not layer.noisy or layer.name != "Dropout":
        return False
    if layer.module is not None:
        return not layer.kept
    call = call_at(program, layer.place)
    return call is not None and call.name in _FUNCTIONS and _always(call)


def _always(call: Call) -> bool:
    """Whether a call of a dropout function does not say when it is on."""
    given = [key.value for key in call.node.keywords if key.arg in ("training", "train", None)]
    given += call.node.args[_TRAINING : _TRAINING + 1]
    return not given or (isinstance(given[0], ast.Constant) and given[0].value is True)


def dropout_never_off(evidence: Evidence) -> Iterator[Finding]:
    """Dropout that drops while held-out rows are judged, whatever mode the model is in."""
    one = to_speak_of(evidence)
    if one is None:
        return
    layers = dict.fromkeys(layer for batch in one.batches for layer in layers_of(evidence, batch.forward))
    layers = [layer for layer in layers if never_off(evidence.program, layer)]
    learning = fed(evidence.trace, one.forward.training)
    taught = {layer.place for f in learning for layer in layers_of(evidence, f)}
    for layer in layers:
        if layer.place in taught:
            yield _of_layer(evidence, one, layer, layers)
    if not layers:
        yield from _by_hand(evidence, one)


def _of_layer(evidence: Evidence, one: Pass, layer: Layer, all_: Sequence[Layer]) -> Finding:
    what = "this dropout" if layer.module is None else f"{layer.module}, made anew in each forward and so always on,"
    share = _dropped(evidence, layer.place)
    mode = " although the model was in evaluation mode" if layer.mode is False else ""
    text, fix = _told(evidence, one, layer)
    if fix and layer.mode and not any(other.mode is False for other in all_):
        _, switch, _ = evaluating(evidence, one)
        fix = (*fix, *switch)
    return Finding(
        "dropout-never-off",
        "warning",
        layer.place,
        saw=f"{what} dropped{share} while {one.n:,} held-out rows were judged{mode}",
        so="the same row gets another answer each time, from a random part of the units",
        instead=text,
        edits=(fix,) if fix else (),
        needs_proof=bool(fix),
    )


def _dropped(evidence: Evidence, place: Place | None) -> str:
    """The share of the numbers that a dropout set to 0 in an evaluation, in words; empty where it was not kept."""
    for reading in reversed(readings(evidence.trace)):
        for op in reading.tape.ops if not reading.train else ():
            if name_of(op) in _FUNCTIONS and op.place == place and op.inputs:
                before, after = reading.array(op.inputs[0]), reading.array(op.output)
                if before is not None and after is not None and before.any():
                    return f" {100 * (after == 0)[before != 0].mean():.0f} % of its units"
    return ""


def _told(evidence: Evidence, one: Pass, layer: Layer) -> tuple[str, Edits]:
    """What to write so that the dropout follows the mode, and the edit."""
    program, call = evidence.program, call_at(evidence.program, layer.place)
    inside = program.nodes(layer.place, ast.FunctionDef) if layer.place else []
    method = bool(inside) and any(argument.arg == "self" for argument in inside[0].args.args) and layer.mode is not None
    if call is None or layer.place is None:
        return "dropout that is off while the model is judged", ()
    if layer.module is not None:
        made = call.unit.place(call.node.func)
        fix = (
            (*edits.wrap(made, "", ".train(self.training)"),) if method and isinstance(call.node.func, ast.Call) else ()
        )
        return f"self.drop = {program.text(made)} in __init__, and self.drop(...) here", fix
    when = "self.training" if method else "torch.is_grad_enabled()" if _tells(evidence, one) else ""
    if not when:
        return "training=False in the evaluation, for instance from an argument of the function around it", ()
    if any(key.arg == "training" for key in call.node.keywords) or len(call.node.args) <= _TRAINING:
        added = edits.argument(program, layer.place, "training", when)
        fix = (added,) if added else ()
    else:
        fix = (edits.replace(call.unit.place(call.node.args[_TRAINING]), when),)
    text = edits.written_if_any(program, fix)
    return text or f"training={when}", fix if text else ()


def _tells(evidence: Evidence, one: Pass) -> bool:
    """Whether gradients are recorded in the training alone, so that they tell it from the evaluation."""
    learning = fed(evidence.trace, one.forward.training)
    return all(f.grad for f in learning) and not any(batch.forward.grad for batch in one.batches)


def _by_hand(evidence: Evidence, one: Pass) -> Iterator[Finding]:
    """A random mask of 0 and one other number that hidden units are multiplied by, in training and in evaluation."""
    judged = {batch.forward.index for batch in one.batches}
    places = dict[Place | None, set[bool]]()
    told: dict[Place | None, tuple[int, float, str | None]] = {}
    for reading in readings(evidence.trace):
        if not reading.train and reading.tape.forward not in judged:
            continue
        for op, mask in _masks(reading):
            share = _zeros(reading, mask)
            if share is not None:
                places.setdefault(op.place, set()).add(reading.train)
                if not reading.train:
                    told[op.place] = reading.n, share, _called(evidence.program, op, op.inputs.index(mask))
    for place, (n, share, name) in told.items():
        if places[place] == {True, False}:
            yield Finding(
                "dropout-never-off",
                "warning",
                place,
                saw=f"{name or 'a random mask'} set {100 * share:.0f} % of the units to 0 in the training, and again"
                f" while {n:,} held-out rows were judged",
                so="the same row gets another answer each time, from a random part of the units",
                instead=f"{name or 'the mask'} only while it trains; all units, as they are, in the evaluation",
            )


def _masks(reading: Reading) -> Iterator[tuple[Op, int]]:
    """Products of hidden units with something of their shape that no row and no weight has a part in."""
    for op in reading.tape.ops:
        if name_of(op) != "mul" or len(op.inputs) != 2:
            continue
        for units, mask in (op.inputs, op.inputs[::-1]):
            same = reading.shape(units) == reading.shape(mask) and len(reading.shape(mask)) == 2
            if same and _learnt(reading, units) and not _learnt(reading, mask) and not reading.value(mask).rows:
                yield op, mask


def _called(program: Program, op: Op, position: int) -> str | None:
    """The variable that is one side of a product."""
    for node in program.nodes(op.place, ast.BinOp)[:1] if op.place else ():
        side = node.right if position else node.left
        return side.id if isinstance(side, ast.Name) else None
    return None


def _learnt(reading: Reading, index: int) -> bool:
    return any(name_of(op) in PRODUCTS for op in reading.ancestors(index))


def _zeros(reading: Reading, mask: int) -> float | None:
    """The share of zeros in a mask of 0 and one other number in no order; None where it is no such thing."""
    values = reading.array(mask)
    if values is None or values.shape[0] < 2 or min(values.shape) < 2:
        return None
    high, zeros = float(values.max()), values == 0
    two = bool((zeros | (values == high)).all()) and high >= 1
    rows, columns = (zeros.any(axis) & ~zeros.all(axis) for axis in (1, 0))
    mixed = bool(rows.mean() > 0.5 and columns.mean() > 0.5)
    distinct = len(np.unique(zeros, axis=0)) > len(zeros) / 2
    return float(zeros.mean()) if two and mixed and distinct and zeros.mean() > 0.02 else None
