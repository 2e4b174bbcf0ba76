"""Training that goes uphill: minus the loss is minimized, or the gradient is added in the place of subtracted."""

import ast
from collections.abc import Iterator
from typing import Final, cast

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.paper.probes import known, moving
from byhand.doctor.checks.reading.calls import bracketed
from byhand.doctor.checks.reading.kinds import cross_entropy
from byhand.doctor.checks.reading.tapes import PICKS, Reading, name_of, readings
from byhand.doctor.finding import Edit, Finding
from byhand.doctor.place import Place
from byhand.doctor.slopes import ALIKE, cosine
from byhand.doctor.tape import Op
from byhand.doctor.text.edits import replace
from byhand.doctor.text.program import Program, Unit

__all__ = ["loss_of_wrong_sign"]

_RISE: Final = 0.5
"""Nats by which the exact cross-entropy must have risen before anybody speaks of a direction."""

_UP: Final = 0.9
"""Minus the cosine with the gradient, by finite differences, of updates that go up: after long steps it is no 1."""

_CLOSE: Final = 2e-3
"""Relative difference between a loss and minus the cross-entropy that is taken for none."""


def loss_of_wrong_sign(evidence: Evidence) -> Iterator[Finding]:
    """What is minimized is minus the cross-entropy of its own scores, or every update adds the gradient.

    Gradient ascent on a log-likelihood is right, and silent: there the exact cross-entropy falls.
    """
    runs: dict[int | None, list[tuple[Reading, float]]] = {}
    for reading in readings(evidence.trace):
        exact = cross_entropy(reading) if reading.train else None
        if exact is not None and reading.forward is not None:
            runs.setdefault(reading.forward.training, []).append((reading, exact))
    seen: set[Place | None] = set()
    for training, pairs in runs.items():
        start, end = pairs[0][1], pairs[-1][1]
        if len(pairs) < 3 or end < start + _RISE or sum(exact > start for _, exact in pairs[1:]) < len(pairs) - 1:
            continue
        story = f"from the first step to step {pairs[-1][0].tape.clock + 1:,} the exact cross-entropy of the scores"
        for finding in (_negative(evidence, pairs, story), _uphill(evidence, training, pairs, story)):
            if finding and finding.place not in seen:
                seen.add(finding.place)
                yield finding
                break
    if not seen:
        yield from _by_slopes(evidence)


def _by_slopes(evidence: Evidence) -> Iterator[Finding]:
    """If every update of a training without autograd goes up one of the usual losses, by finite differences."""
    for probe in evidence.trace.probes[-1:]:
        parameters = [probe.parameters[i] for i in moving(probe)]
        for i, scalar in enumerate(probe.scalars):
            fits = [cosine(one.slopes[i], one.taken) for one in parameters if known(probe, one, i)]
            if not scalar.assumed or len(fits) < len(parameters) or not fits or max(fits) > -ALIKE[probe.single]:
                continue
            nodes = [_update(evidence.program, one.place) for one in parameters]
            edits = [
                _turn(evidence.program, unit, node, "+=", "-=")
                for node, unit in dict.fromkeys(pair for pair in nodes if pair)
                if isinstance(node.op, ast.Add)
            ]
            place = parameters[0].place
            yield Finding(
                "loss-of-wrong-sign",
                "error",
                place,
                f"all {len(parameters)} updates go along the gradient of the {scalar.assumed}, by finite differences "
                "(cosine 1.00), and not against it",
                "every step makes the right answer less likely",
                evidence.program.line(place).replace("+=", "-=", 1) if place and any(edits) else "the other sign",
                proof="arithmetic",
                edits=(tuple(edit for edit in edits if edit),) if any(edits) else (),
            )
            return


def _is_downhill(evidence: Evidence) -> bool:
    """Whether an update of a training without autograd does not go up one of the usual losses: its sign is right."""
    for probe in evidence.trace.probes:
        parameters = [probe.parameters[i] for i in moving(probe)]
        for i, scalar in enumerate(probe.scalars):
            fits = [cosine(one.slopes[i], one.taken) for one in parameters if scalar.assumed and known(probe, one, i)]
            if fits and max(fits) > -_UP:
                return True
    return False


def _negative(evidence: Evidence, pairs: list[tuple[Reading, float]], story: str) -> Finding | None:
    """If the loss is minus the cross-entropy of its own scores, at every tape."""
    losses = [reading.number(reading.tape.loss) for reading, _ in pairs]
    known = [(loss, exact) for loss, (_, exact) in zip(losses, pairs, strict=True) if loss is not None]
    if len(known) < 3 or not all(abs(loss + exact) <= _CLOSE * max(exact, 0.05) for loss, exact in known):
        return None
    reading = pairs[0][0]
    fix = _turned(evidence.program, reading)
    return Finding(
        "loss-of-wrong-sign",
        "error",
        fix[0],
        f"the loss is minus the cross-entropy of its own scores ({known[0][0]:.3f} and {known[0][1]:.3f} at the first "
        f"step); {story} rises from {known[0][1]:.3g} to {known[-1][1]:.3g}",
        "the training makes the right answer less likely with every step",
        fix[1] or "minus the mean log-probability of the right class",
        proof="arithmetic",
        edits=fix[2],
    )


def _uphill(evidence: Evidence, training: int | None, pairs: list[tuple[Reading, float]], story: str) -> Finding | None:
    """If parameters are updated by hand, uphill: W += lr * gradient."""
    if training is None:
        return None
    run = evidence.trace.trainings[training]
    node = _update(evidence.program, run.place)
    if not run.hand or node is None or run.place is None:
        return None
    operator, unit = node
    own = [p for p in evidence.trace.parameters if p.training == training]
    rates = [sample.rate for p in own for sample in p.samples if sample.rate is not None]
    proven = len(rates) >= 2 and max(rates) < 0
    now, then = ("+=", "-=") if isinstance(operator.op, ast.Add) else ("-=", "+=")
    if not proven and ((now == "-=" and any(rate > 0 for rate in rates)) or _is_downhill(evidence)):
        return None  # downhill by autograd's own gradient, or by finite differences: it is the rate
    updates = [operator, *_beside(unit, operator, {p.name for p in own})]
    edits = [_turn(evidence.program, unit, update, now, then) for update in updates]
    if None in edits:
        return None
    text = evidence.program.text
    return Finding(
        "loss-of-wrong-sign",
        "error" if proven else "warning",
        unit.place(operator),
        f"the update goes {'along' if now == '+=' else 'against'} what it is given"
        f"{' (the gradient, to the last digits)' if proven else ''}; {story} rises from {pairs[0][1]:.3g} to "
        f"{pairs[-1][1]:.3g}",
        "every step makes the right answer less likely",
        f"{text(unit.place(operator.target))} {then} {text(unit.place(operator.value))}",
        proof="arithmetic" if proven else None,
        edits=(tuple(edit for edit in edits if edit),),
        needs_proof=not proven,
    )


def _update(program: Program, place: Place | None) -> tuple[ast.AugAssign, Unit] | None:
    unit = program.unit(place) if place else None
    nodes = program.nodes(place, ast.AugAssign) if place else []
    if not unit or not nodes or not isinstance(nodes[0].op, ast.Add | ast.Sub):
        return None
    return nodes[0], unit


def _beside(unit: Unit, update: ast.AugAssign, names: set[str]) -> Iterator[ast.AugAssign]:
    """The updates of other parameters in the same block, with the same sign."""
    for node in ast.walk(unit.tree):
        body = getattr(node, "body", None)
        block = cast("list[ast.stmt]", body) if isinstance(body, list) and update in body else []
        updates = [other for other in block if isinstance(other, ast.AugAssign) and other is not update]
        for other in updates:
            if type(other.op) is type(update.op) and ast.unparse(other.target) in names:
                yield other


def _turn(program: Program, unit: Unit, update: ast.AugAssign, now: str, then: str) -> Edit | None:
    """The edit that gives an update the other sign."""
    target, value = unit.place(update.target), unit.place(update.value)
    between = target._replace(
        line=target.end_line, column=target.end_column, end_line=value.line, end_column=value.column
    )
    before = program.text(between)
    return replace(between, before.replace(now, then, 1)) if now in before else None


def _turned(program: Program, reading: Reading) -> tuple[Place | None, str, tuple[tuple[Edit, ...], ...]]:
    """Where the minus is missing or too much: the place, the code with it put right, the edits."""
    op: Op | None = reading.maker(reading.tape.loss) if reading.tape.loss is not None else None
    negative = [step for step in _chain(reading) if name_of(step) == "neg" and step.place]
    if negative and negative[0].place:
        unit = program.unit(negative[0].place)
        for node in program.nodes(negative[0].place, ast.UnaryOp):
            if unit and unit.place(node) == negative[0].place and isinstance(node.op, ast.USub):
                text = program.text(unit.place(node.operand))
                return negative[0].place, text, ((replace(negative[0].place, text),),)
        return negative[0].place, "", ()
    if op is None or op.place is None:
        return None, "", ()
    text = f"-{bracketed(program, op.place)}"
    return op.place, text, ((replace(op.place, text),),)


def _chain(reading: Reading) -> Iterator[Op]:
    """The operations from the loss back to what it picks out of the scores."""
    index = reading.tape.loss
    while index is not None and (op := reading.makers.get(index)) and op.inputs:
        if name_of(op) not in {"nll_loss", "neg", "mean", "sum", "view", "mul", "div", "add", "log"} | PICKS:
            return
        yield op
        index = op.inputs[0]
