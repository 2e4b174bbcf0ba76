"""Logarithms of probabilities: where they break, and where an epsilon keeps them from it at the gradient's cost.

Each program's own softmax and loss are held against float64 on the program's own scores.
Letters: N rows of a forward, C classes; p is the probability of a row's right class.
"""

import ast
import math
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.loss.fixes import Fix, logarithm
from byhand.doctor.checks.reading.calls import call_at, unwrap
from byhand.doctor.checks.reading.softmaxes import Softmax, made_by, softmaxes
from byhand.doctor.checks.reading.tapes import PICKS, SMALL, THROUGH, Reading, name_of, numbers, readings
from byhand.doctor.finding import Edit, Finding
from byhand.doctor.place import Place
from byhand.doctor.tape import Op
from byhand.doctor.text.edits import constants, replace
from byhand.doctor.text.program import Program

__all__ = ["epsilon_in_log", "log_of_softmax", "one_step"]

_SHARE: Final = 0.01
"""Of the rows that were looked at: so many capped ones are worth an experiment."""

_GAPS: Final = {"float32": 104, "float64": 745, "float16": 17, "bfloat16": 92}
"""Gap between scores at which a probability is 0."""

_TINY: Final = 1e-30


def log_of_softmax(evidence: Evidence) -> Iterator[Finding]:
    """The logarithm of a softmax's result: −∞ where a probability is too small for its type.

    An error where that happened while float64 gives a number on the same scores; a note where it did not.
    """
    latent: dict[Place | None, Finding] = {}
    broken: dict[Place | None, Finding] = {}
    for reading in readings(evidence.trace):
        in_loss = {id(op) for op in reading.ancestors(reading.tape.loss)}
        for op, softmax in _logs(reading):
            exact = softmax.losses(reading)
            if exact is None or op.place in broken:
                continue
            fix = one_step(evidence.program, reading, op, softmax)
            p = _of_right_class(reading, softmax)
            bad = p == 0 if p is not None else np.zeros(0, np.bool_)
            if bad.any():
                broken[op.place] = _broken(reading, op, softmax, fix, exact, bad)
            elif id(op) in in_loss:
                least, dtype = float(np.exp(-exact).min()), reading.value(softmax.output).summary.dtype
                gap = _GAPS.get(dtype, _GAPS["float32"])
                latent[op.place] = Finding(
                    "log-of-softmax",
                    "note",
                    fix.place or op.place,
                    f"the logarithm of a softmax, in two steps; the least probability of a right class was {least:.1g}",
                    f"harmless here; it is -inf once the scores of a row lie {gap} apart",
                    fix.text or "log_softmax, which is one step",
                )
    yield from broken.values()
    yield from (finding for place, finding in latent.items() if place not in broken)


def epsilon_in_log(evidence: Evidence) -> Iterator[Finding]:
    """−log(p + ε) stops at −log ε, and its gradient is p/(p + ε) of the true one: nothing where p is far below ε."""
    rows: dict[Place | None, list[tuple[Reading, Op, Softmax | None, float, NDArray[np.float64]]]] = {}
    for reading in readings(evidence.trace):
        for op, softmax, epsilon in _guarded(reading):
            exact = softmax.losses(reading)
            if exact is not None:
                rows.setdefault(op.place, []).append((reading, op, softmax, epsilon, exact))
        for op, epsilon, exact in _guarded_of_two(reading):
            rows.setdefault(op.place, []).append((reading, op, None, epsilon, exact))
    for place, seen in rows.items():
        found = [one for one in seen if one[0].train] or seen
        reading, op, softmax, epsilon, _ = found[0]
        exact = np.concatenate([losses for *_, losses in found])
        capped = exact > -math.log(epsilon)
        count = int(capped.sum())
        learning = any(id(op) in {id(step) for step in r.ancestors(r.tape.loss)} for r, op, *_ in found)
        if not learning and not count:
            continue
        serious = learning and count >= max(3, _SHARE * len(exact))
        times = f"at {len(found)} steps" if reading.train else "that were judged"
        saw = f"of {len(exact):,} rows {times}, {count:,} have p < {epsilon:g} for their class"
        if count:
            saw += f": log(p + ε) stops at {math.log(epsilon):.1f}, and log p is {-exact[capped].mean():.1f} on average"
        edits = _without_epsilon(evidence.program, reading, op, softmax, epsilon) if serious else ()
        yield Finding(
            "epsilon-in-log",
            "warning" if serious else "note",
            place,
            saw,
            "their gradient is p/(p + ε) of the true one, next to nothing: where the model is sure and wrong it learns "
            "nothing"
            if serious
            else f"no more than the printed loss is capped, at {-math.log(epsilon):.1f}"
            if not learning
            else "harmless here; a row that is sure and wrong would teach nothing",
            "log_softmax of the scores, which needs no epsilon"
            if softmax
            else "binary_cross_entropy_with_logits of the scores, which needs no epsilon",
            edits=edits,
            needs_proof=serious,
        )


def _logs(reading: Reading) -> Iterator[tuple[Op, Softmax]]:
    """Logarithms of probabilities with nothing between."""
    found = softmaxes(reading)
    for op in reading.tape.ops:
        if name_of(op) == "log" and op.inputs:
            softmax = made_by(reading, op.inputs[0], found, THROUGH | PICKS)
            if softmax and not softmax.log:
                yield op, softmax


def _guarded(reading: Reading) -> Iterator[tuple[Op, Softmax, float]]:
    """Logarithms of p + ε, or of p cut off at ε."""
    found = softmaxes(reading)
    for op in reading.tape.ops:
        guard = reading.maker(op.inputs[0], THROUGH | PICKS) if name_of(op) == "log" and op.inputs else None
        if not guard or name_of(guard) not in ("add", "clamp"):
            continue
        small = [x for x in numbers(reading, guard) if 0 < x <= SMALL]
        base = next((i for i in guard.inputs if reading.shape(i) not in ((), (1,))), None)
        softmax = made_by(reading, base, found, THROUGH | PICKS) if base is not None else None
        if small and softmax and not softmax.log:
            yield op, softmax, min(small)


def _guarded_of_two(reading: Reading) -> Iterator[tuple[Op, float, NDArray[np.float64]]]:
    """Logarithms of p + ε and 1 − p + ε where p is a sigmoid, and the exact losses, (M,), of the M rows they are for.

    These are the rows where what the logarithm is multiplied by, the target or 1 minus it, is 1.
    """
    for op in reading.tape.ops:
        guard = reading.maker(op.inputs[0]) if name_of(op) == "log" and op.inputs else None
        if not guard or name_of(guard) not in ("add", "clamp") or not guard.inputs:
            continue
        small = [x for x in numbers(reading, guard) if 0 < x <= SMALL]
        inner = reading.maker(guard.inputs[0])
        other = inner is not None and name_of(inner) == "sub" and inner.constants == (1.0,)
        sigmoid = reading.maker(inner.inputs[0]) if inner and other else inner
        z = reading.array(sigmoid.inputs[0]) if sigmoid and name_of(sigmoid) == "sigmoid" else None
        targets = [i for times in reading.tape.ops if name_of(times) == "mul" for i in _beside(times, op.output)]
        t = reading.array(targets[0]) if len(targets) == 1 else None
        if small and z is not None and t is not None and z.size == t.size > 0 and np.isin(t, (0, 1)).all():
            z = z.ravel()[t.ravel() == 1]
            yield op, min(small), np.logaddexp(0, z if other else -z)


def _beside(op: Op, index: int) -> list[int]:
    """The other operands of an operation on a value."""
    return [i for i in op.inputs if i != index] if index in op.inputs else []


def _of_right_class(reading: Reading, softmax: Softmax) -> NDArray[np.float64] | None:
    """The program's own probability of each row's right class, (N,); NaN in rows where an exponential overflowed."""
    p = reading.rows(softmax.output, softmax.axis)
    if p is None or len(reading.labels) != len(p):
        return None
    picked = np.take_along_axis(p, reading.labels[:, None], axis=1)[:, 0]
    return np.where(np.isnan(p).any(axis=1), np.nan, picked)


def _broken(
    reading: Reading, op: Op, softmax: Softmax, fix: Fix, exact: NDArray[np.float64], bad: NDArray[np.bool_]
) -> Finding:
    dtype = reading.value(softmax.output).summary.dtype
    gap = _GAPS.get(dtype, _GAPS["float32"])
    where = f"at step {reading.tape.clock + 1:,}" if reading.train else "in an evaluation"
    return Finding(
        "log-of-softmax",
        "error",
        fix.place or op.place,
        f"{where} the loss of {int(bad.sum())} of {len(bad)} rows is infinite, since p is 0 in {dtype}: the scores lie "
        f"more than {gap} apart; in float64 it is {exact[bad].mean():.1f} on the same scores",
        "one such row makes the whole loss and then every weight NaN",
        fix.text or "log_softmax of the scores, which is one step and exact",
        proof="arithmetic",
        edits=fix.edits,
    )


def one_step(program: Program, reading: Reading, op: Op, softmax: Softmax) -> Fix:
    """log_softmax in the place of log and softmax, or of a log-softmax by hand; ``op`` is the logarithm."""
    unit = program.unit(op.place) if op.place else None
    if softmax.log and op.place and unit:
        for node in program.nodes(op.place, ast.BinOp):
            if unit.place(node) == op.place and reading.value(softmax.logits).summary.dtype.startswith("float"):
                torch = any(word in program.text(op.place) for word in (".exp()", "torch."))
                scores = program.text(unit.place(node.left))
                if torch and "torch" in unit.code:
                    text = f"torch.log_softmax({scores}, dim={softmax.axis})"
                    return Fix(op.place, text, ((replace(op.place, text),),))
        return Fix(op.place, "")
    log = call_at(program, op.place)
    fix = logarithm(program, reading, softmax.op, softmax)
    operand = log.operand if log else None
    if not log or not operand or not fix.edits or op.place is None:
        return Fix(op.place, "")
    edits = (*fix.edits[0], *unwrap(program, log.place, operand))
    if operand == fix.place:
        return Fix(op.place, fix.text, (edits,))
    return Fix(fix.place, f"{fix.text}, and no log after it", (edits,))


def _without_epsilon(
    program: Program, reading: Reading, op: Op, softmax: Softmax | None, epsilon: float
) -> tuple[tuple[Edit, ...], ...]:
    """log_softmax where softmax, epsilon and log can be taken out together; else an epsilon that is next to nothing."""
    sets: list[tuple[Edit, ...]] = []
    log = call_at(program, op.place)
    fix = logarithm(program, reading, softmax.op, softmax) if softmax else Fix(op.place, "")
    guard = reading.maker(op.inputs[0], THROUGH | PICKS)
    inner = _first(program, guard.place) if guard and guard.place else None
    if log and log.operand and fix.edits and guard and guard.place and inner:
        if log.operand == guard.place:
            outer = unwrap(program, log.place, inner)
        else:
            outer = (*unwrap(program, log.place, log.operand), *unwrap(program, guard.place, inner))
        sets.append((*fix.edits[0], *outer))
    literal = constants(program, epsilon, op.place)
    if literal:
        sets.append((replace(literal[0], f"{_TINY:g}"),))
    return tuple(sets)


def _first(program: Program, place: Place) -> Place | None:
    """What an epsilon is added to, or what is cut off: the left side, or the call's operand."""
    call = call_at(program, place)
    if call:
        return call.operand
    unit = program.unit(place)
    for node in program.nodes(place, ast.BinOp):
        if unit and unit.place(node) == place:
            constant = isinstance(node.left, ast.Constant)
            return unit.place(node.right if constant else node.left)
    return None
