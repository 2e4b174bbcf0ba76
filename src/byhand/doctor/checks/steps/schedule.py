"""A learning rate that falls to nothing long before the training ends."""

import ast
from collections.abc import Iterator
from typing import Final

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.reading.calls import last_name, ran
from byhand.doctor.checks.reading.course import best, course, short
from byhand.doctor.checks.reading.literals import optimizer_of
from byhand.doctor.checks.reading.units import units
from byhand.doctor.finding import Finding
from byhand.doctor.place import Place
from byhand.doctor.text import edits
from byhand.doctor.text.edits import Edits
from byhand.doctor.text.program import Program, Unit
from byhand.doctor.text.tree import path_to
from byhand.doctor.trace import Trace, Training

__all__ = ["schedule_decays_to_nothing"]

_LITTLE: Final = 0.01  # of the highest rate: steps below it change next to nothing
_MOST: Final = 0.5  # of the steps; a cosine has 0.06 there, three drops by ten have a tenth
_FEW: Final = 50  # steps

_Rates = list[tuple[int, float]]


def schedule_decays_to_nothing(evidence: Evidence) -> Iterator[Finding]:
    """Most steps are made at less than a hundredth of the rate that the training began with."""
    program, trace = evidence.program, evidence.trace
    index = best(evidence)
    if index is None:
        return
    training = trace.trainings[index]
    rates, place = _rates(trace, training)
    steps = training.steps
    if steps < _FEW or len(rates) < 2 or min(rate for _, rate in rates) < 0:
        return
    top = max(rate for _, rate in rates)
    little = _clocks_below(rates, training, _LITTLE * top)
    if little <= _MOST * steps or rates[-1][1] >= _LITTLE * top:
        return
    turn = place or _turned(program, trace)
    if turn is None:
        return
    since = next(clock for clock, rate in rates if rate < _LITTLE * top and clock >= _at(rates, top))
    how = course(evidence, index)
    stays = f"; the loss ends at {short(how.last)}, from {short(how.first)}" if how and how.first > 0 else ""
    fixes = _fixes(program, turn)
    yield Finding(
        "schedule-decays-to-nothing",
        "note",
        turn,
        saw=f"{little:,} of {steps:,} steps were made at less than a hundredth of the rate of {short(top)}: it is below"
        f" {short(_LITTLE * top)} from step {since - training.first + 1:,} on, and {short(rates[-1][1])} at the end"
        f"{stays}",
        so=f"the training is over after {since - training.first:,} steps: what comes later changes next to nothing",
        instead=_instead(program, turn, fixes),
        edits=fixes,
        needs_proof=True,
    )


def _rates(trace: Trace, training: Training) -> tuple[_Rates, Place | None]:
    """(clock, rate) at each change, and where the user turns it by hand, if he does.

    An optimizer has told its rates. Without one, a number by a rate's name counts if the steps shrank as it fell.
    """
    if optimizer_of(trace, training) is not None:
        return list(training.rates), None
    by_name: dict[str, _Rates] = {}
    places: dict[str, Place] = {}
    for setting in trace.settings:
        if setting.clock <= training.last:
            by_name.setdefault(setting.name, []).append((setting.clock, setting.value))
            places[setting.name] = setting.place
    for name, rates in by_name.items():
        changes = [clock for clock, _ in rates if training.first < clock < training.last]
        if len(changes) > 1 and _shrank(trace, training, rates):
            return rates, places[name]
    return list(training.rates) if len(training.rates) > 1 else [], None


def _shrank(trace: Trace, training: Training, rates: _Rates) -> bool:
    """Whether the steps of a parameter that were looked at became short as the rate did."""
    index = trace.trainings.index(training)
    for parameter in trace.parameters:
        steps = [(s.clock, s.step) for s in parameter.samples if s.step and parameter.training == index]
        if len(steps) < 4:
            continue
        early, late = steps[0], steps[-1]
        fell = _rate_at(rates, late[0]) / max(_rate_at(rates, early[0]), 1e-300)
        if fell < 0.1 and late[1] / early[1] < max(10 * fell, 0.05):
            return True
    return False


def _rate_at(rates: _Rates, clock: int) -> float:
    return next((rate for at, rate in reversed(rates) if at <= clock), rates[0][1])


def _at(rates: _Rates, top: float) -> int:
    return next(clock for clock, rate in rates if rate == top)


def _clocks_below(rates: _Rates, training: Training, limit: float) -> int:
    """The steps that were made at a rate below a limit, once the rate had been above it."""
    count, above = 0, False
    ends = [clock for clock, _ in rates[1:]] + [training.last]
    for (clock, rate), end in zip(rates, ends, strict=True):
        above = above or rate >= limit
        if above and rate < limit:
            count += max(0, end - max(clock, training.first))
    return count


# Where the rate is turned, and what to do about it.


def _turned(program: Program, trace: Trace) -> Place | None:
    """The line ``scheduler.step()``, or the one that sets ``group["lr"]``; None unless just one ran."""
    found: list[Place] = []
    for unit in units(program, trace):
        made = {
            ast.unparse(target)
            for node in ast.walk(unit.tree)
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and _is_scheduler(node.value)
            for target in node.targets
        }
        for node in ast.walk(unit.tree):
            match node:
                case ast.Expr(value=ast.Call(func=ast.Attribute(value=owner, attr="step"))) if (
                    ast.unparse(owner) in made or "sched" in ast.unparse(owner).lower()
                ):
                    found.append(unit.place(node))
                case ast.AugAssign(target=ast.Subscript(slice=ast.Constant(value="lr"))):
                    found.append(unit.place(node))
                case ast.Assign(targets=[ast.Subscript(slice=ast.Constant(value="lr"))]):
                    found.append(unit.place(node))
                case _:
                    pass
    found = [place for place in found if ran(trace, place)]
    return found[0] if len(found) == 1 else None


def _is_scheduler(call: ast.Call) -> bool:
    return last_name(call.func).endswith("LR") or "lr_scheduler" in ast.unparse(call.func)


def _fixes(program: Program, turn: Place) -> tuple[Edits, ...]:
    """The line once a round of the outer loop where it stood in the inner one, and no such line."""
    unit, place = program.unit(turn), edits.statement(program, turn)
    if unit is None:
        return ()
    path = path_to(unit, place)
    while len(path) > 1 and isinstance(path[-2][0][path[-2][1]], ast.For) and len(path[-1][0]) == 1:
        path.pop()  # `for group in optimizer.param_groups: group["lr"] *= 0.5` is turned as a whole
        place = unit.place(path[-1][0][path[-1][1]])
    gone = _without(unit, path[-1][0], place)
    if gone is None:
        return ()
    loops = [block[at] for block, at in path[:-1] if isinstance(block[at], ast.For | ast.While)]
    rows = program.text(place).split("\n")
    text = "\n".join([rows[0], *(row.removeprefix(" " * place.column) for row in rows[1:])])
    outer = edits.insert_line(program, unit.place(loops[-1]), text) if len(loops) > 1 else None
    return ((gone, outer), (gone,)) if outer is not None else ((gone,),)


def _without(unit: Unit, block: list[ast.stmt], place: Place) -> edits.Edit | None:
    """Take a statement and its line out; the only one of its block leaves ``pass``. None where it shares its line."""
    lines = [node.lineno for node in block]
    if lines.count(place.line) > 1 or place.line in [node.end_lineno for node in block if node.lineno < place.line]:
        return None
    if len(block) == 1:
        return edits.replace(place, "pass")
    before = len(unit.code.split("\n")[place.line - 2])
    return edits.replace(place._replace(line=place.line - 1, column=before), "")


def _instead(program: Program, turn: Place, fixes: tuple[Edits, ...]) -> str:
    line = program.line(edits.statement(program, turn))
    if len(fixes) > 1:
        return f"{line}\nonce an epoch: after the inner loop, not in it"
    return "a decay that leaves a hundredth of the rate for the last steps only, or a constant rate"
