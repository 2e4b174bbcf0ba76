"""A softmax by hand whose exponentials are of the scores as they are: infinite from a score of 88.7 on in float32.

Letters: N rows of a forward, C classes.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, final

import numpy as np

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.loss.fixes import Fix
from byhand.doctor.checks.loss.logs import one_step
from byhand.doctor.checks.reading.calls import bracketed, call_at
from byhand.doctor.checks.reading.kinds import of_model
from byhand.doctor.checks.reading.softmaxes import made_by, softmaxes
from byhand.doctor.checks.reading.tapes import PICKS, THROUGH, Reading, name_of, numbers, readings
from byhand.doctor.finding import Finding
from byhand.doctor.place import Place
from byhand.doctor.tape import Op
from byhand.doctor.text.edits import replace
from byhand.doctor.text.program import Program

__all__ = ["softmax_without_max"]

_LIMITS: Final = {"float32": 88.7, "float64": 709.8, "float16": 11.1, "bfloat16": 88.7}
"""The score whose exponential is infinite, by type."""

_BOUNDED: Final = frozenset({"tanh", "sigmoid", "softmax", "log_softmax", "hardtanh", "logsigmoid", "relu6"})


@final
@dataclass(frozen=True, slots=True)
class _Exponentials:
    """Exponentials of scores and their sum, which something is divided by or whose logarithm is taken."""

    exp: Op
    total: Op
    scores: int  # what the exponentials are of
    axis: int | None  # of the classes; None where there is one row only


def softmax_without_max(evidence: Evidence) -> Iterator[Finding]:
    """Exponentials of raw scores are summed: an error where one overflowed or all of a row were 0, else a note.

    e^(z − max z) over its sum is the same softmax, and none of it can overflow.
    """
    seen: dict[Place | None, list[tuple[Reading, _Exponentials]]] = {}
    for reading in readings(evidence.trace):
        for found in _exponentials(reading):
            seen.setdefault(found.exp.place, []).append((reading, found))
    for place, every in seen.items():
        if any(_is_safe(reading, found) for reading, found in every):
            continue
        highs = [h for r, e in every if (h := r.value(e.scores).summary.high) is not None]
        if not highs or max(highs) <= 1e-6:
            continue  # the largest is taken off in a way of the program's own
        broken = next(((r, e) for r, e in every if _broke(r, e)), None)
        reading, found = broken or every[0]
        dtype = reading.value(found.scores).summary.dtype
        limit = _LIMITS.get(dtype, _LIMITS["float32"])
        fix = _mended(evidence.program, reading, found)
        if broken is None:
            yield Finding(
                "softmax-without-max",
                "note",
                place,
                f"exp of the scores as they are overflows at {limit} in {dtype}; the largest score of "
                f"{len(every)} {'batch' if len(every) == 1 else 'batches'} that were looked at was {max(highs):.3g}",
                f"harmless here; NaN once a score is above {limit}",
                fix.text or "the scores less the largest of their row, under exp",
            )
            continue
        yield Finding(
            "softmax-without-max",
            "error",
            fix.place or place,
            _how_it_broke(reading, found, limit, dtype),
            "one such row makes the whole loss and then every weight NaN" if reading.train else "its row is NaN",
            fix.text or "the scores less the largest of their row, under exp",
            proof="arithmetic",
            edits=fix.edits,
        )


def _exponentials(reading: Reading) -> Iterator[_Exponentials]:
    """The exponentials of a softmax by hand, of (N, C) scores of the model's."""
    for total in reading.tape.ops:
        exp = reading.maker(total.inputs[0]) if name_of(total) == "sum" and total.inputs else None
        shape = reading.shape(exp.output) if exp else ()
        if not exp or name_of(exp) != "exp" or not exp.inputs or len(shape) not in (1, 2):
            continue
        axis = total.options.get("axis")
        along = axis if isinstance(axis, int) and not isinstance(axis, bool) and len(shape) == 2 else None
        if along is None and not (len(shape) == 1 and reading.n == 1):
            continue
        uses = [op for op in reading.tape.ops if total.output in {reading.source(i) for i in op.inputs}]
        normed = any(name_of(op) == "log" or _is_share(reading, op, exp) for op in uses)
        if normed and shape[along or 0] >= 2 and of_model(reading, exp.inputs[0]):
            yield _Exponentials(exp, total, exp.inputs[0], along)


def _is_share(reading: Reading, op: Op, exp: Op) -> bool:
    """Whether an operation divides these exponentials, or others of the same scores."""
    top = reading.maker(op.inputs[0]) if name_of(op) == "div" and len(op.inputs) == 2 else None
    return top is not None and name_of(top) == "exp" and reading.source(top.inputs[0]) == reading.source(exp.inputs[0])


def _is_safe(reading: Reading, found: _Exponentials) -> bool:
    """Whether something was taken off the scores, row by row or in all, or they cannot grow."""
    made = reading.maker(found.scores)
    if made is None:
        return False
    if name_of(made) == "sub" and len(made.inputs) == 2:
        off = reading.maker(made.inputs[1], ("view", "getitem"))
        return off is not None and name_of(off) in ("max", "amax", "logsumexp", "clamp", "maximum")
    if name_of(made) == "clamp":
        return any(limit <= _LIMITS["float16"] * 8 for limit in numbers(reading, made))
    return name_of(made) in _BOUNDED


def _broke(reading: Reading, found: _Exponentials) -> bool:
    """Whether finite scores gave an exponential that is infinite, or a row whose exponentials are all 0."""
    z, total = reading.value(found.scores).summary, reading.array(found.total.output)
    if not z.finite:
        return False
    return not reading.value(found.exp.output).summary.finite or (total is not None and bool((total == 0).any()))


def _how_it_broke(reading: Reading, found: _Exponentials, limit: float, dtype: str) -> str:
    z, total = reading.array(found.scores), reading.array(found.total.output)
    where = f"at step {reading.tape.clock + 1:,}" if reading.train else "in an evaluation"
    high = reading.value(found.scores).summary.high or 0.0
    if reading.value(found.exp.output).summary.finite:
        rows = int((total == 0).sum()) if total is not None else 0
        return f"{where} all exponentials of {rows} of the rows are 0 in {dtype}, and 0/0 is NaN"
    count = ""
    if z is not None and np.isfinite(z).all():
        highest = z.max(axis=found.axis)
        count = f" of {int((highest > limit).sum())} of {np.size(highest)} rows"
    return f"{where} an exponential{count} is infinite: the scores go up to {high:.4g}, and {dtype} ends at e^{limit}"


def _mended(program: Program, reading: Reading, found: _Exponentials) -> Fix:
    """log_softmax where the logarithm follows and torch has one; else the scores less their largest."""
    for softmax in softmaxes(reading):
        if found.exp in softmax.parts:
            logs = [op for op in reading.tape.ops if name_of(op) == "log" and op.inputs]
            after = [op for op in logs if made_by(reading, op.inputs[0], [softmax], THROUGH | PICKS)]
            steps = [softmax.op] if softmax.log else after
            fixes = [one_step(program, reading, op, softmax) for op in steps]
            if len(fixes) == 1 and fixes[0].edits:
                return fixes[0]
    log = next((op for op in reading.tape.ops if name_of(op) == "log" and _is_of(reading, op, found)), None)
    call = call_at(program, (log or found.exp).place)
    operand = call.operand if call else None
    name = program.text(operand) if operand and not log else reading.value(reading.source(found.scores)).name
    if not call or not operand or not name:
        return Fix(found.exp.place, "")
    torch = "torch" in call.modules and not _is_numpy(call.node.func)
    axis = 1 if found.axis else 0
    if log:
        keep = found.total.options.get("keepdim") or found.total.options.get("keepdims")
        text = _logsumexp(name, axis, keep=bool(keep), torch=torch, single=found.axis is None)
        return Fix(call.place, text, ((replace(call.place, text),),))
    text = bracketed(program, operand)
    largest = f"{text}.max()" if found.axis is None else f"{text}.{_largest(axis, torch=torch)}"
    new = f"{name} - {largest}"
    if call.method:
        new = f"({new})"
    whole = program.text(call.place).replace(name, new, 1)
    return Fix(call.place, whole, ((replace(operand, new),),))


def _logsumexp(name: str, axis: int, *, keep: bool, torch: bool, single: bool) -> str:
    if torch:
        return f"torch.logsumexp({name}, dim={0 if single else axis}{', keepdim=True' if keep else ''})"
    if single:
        return f"({name}.max() + np.log(np.exp({name} - {name}.max()).sum()))"
    kept = ", keepdims=True" if keep else ""
    inner = f"np.exp({name} - {name}.max(axis={axis}, keepdims=True)).sum(axis={axis}{kept})"
    return f"({name}.max(axis={axis}{kept}) + np.log({inner}))"


def _largest(axis: int, *, torch: bool) -> str:
    return f"amax(dim={axis}, keepdim=True)" if torch else f"max(axis={axis}, keepdims=True)"


def _is_numpy(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ("np", "numpy")


def _is_of(reading: Reading, log: Op, found: _Exponentials) -> bool:
    """Whether a logarithm is of the sum itself, which is then taken off scores that would have to be shifted too."""
    return bool(log.inputs) and reading.source(log.inputs[0]) == found.total.output
