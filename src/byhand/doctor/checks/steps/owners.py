"""An optimizer that moves other parameters than those of the model in use."""

import ast
from collections.abc import Iterator, Sequence

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.reading.calls import ran
from byhand.doctor.checks.reading.updates import own_name, target_of, was_left, was_missed
from byhand.doctor.finding import Finding
from byhand.doctor.place import Place
from byhand.doctor.text import edits
from byhand.doctor.text.edits import Edits
from byhand.doctor.text.program import Program
from byhand.doctor.trace import Optimizer, Parameter, Trace

__all__ = ["optimizer_of_other_parameters"]


def optimizer_of_other_parameters(evidence: Evidence) -> Iterator[Finding]:
    """An optimizer holds parameters that no loss depends on; their likes, which every loss depends on, never move."""
    trace = evidence.trace
    walked = [b for b in trace.backwards if b.parameters]
    if not walked:
        return
    for index, optimizer in enumerate(trace.optimizers):
        strangers = [i for i in optimizer.parameters if was_missed(trace, i, walked)]
        left = [i for i, p in enumerate(trace.parameters) if p.optimizer is None and was_left(trace, i, walked)]
        pairs = _pairs(evidence.program, trace.parameters, strangers, left)
        if optimizer.steps < 2 or optimizer.place is None or len(pairs) < len(left) or not pairs:
            continue
        yield _finding(evidence, index, len(strangers), [trace.parameters[i] for i in left], len(walked))
        return


def _pairs(
    program: Program, parameters: Sequence[Parameter], strangers: Sequence[int], left: Sequence[int]
) -> list[tuple[int, int]]:
    """Each forgotten parameter with a stranger like it: of its name or, among the others, of its shape."""
    free, found = list(strangers), list[tuple[int, int]]()
    for i in left:
        mine = parameters[i]
        alike = [k for k in free if parameters[k].shape == mine.shape]
        alike += [k for k in free if own_name(program, parameters[k]) == own_name(program, mine) != ""]
        if alike:
            free.remove(alike[0])
            found.append((i, alike[0]))
    return found


def _finding(evidence: Evidence, index: int, strangers: int, left: list[Parameter], walked: int) -> Finding:
    optimizer = evidence.trace.optimizers[index]
    whole = strangers == len(optimizer.parameters)
    names = ", ".join(dict.fromkeys(p.name for p in left[:3] if p.name)) or "the model's own"
    more = f" and {len(left) - 3} more" if len(left) > 3 else ""
    count = "none" if whole else f"{len(optimizer.parameters) - strangers}"
    place, instead, fix = _fixed(evidence, optimizer, left)
    return Finding(
        "optimizer-of-other-parameters",
        "error",
        place or optimizer.place,
        saw=f"of the {len(optimizer.parameters)} parameters that this {optimizer.name} steps on, {count} ever had a"
        f" gradient; {names}{more}, which have, are in no optimizer and the same to the bit after {optimizer.steps:,}"
        " steps",
        so="nothing is learnt: the model in use is the one that it was at the start"
        if whole
        else "a part of the model in use is not trained and stays as it was drawn",
        instead=instead,
        proof="arithmetic",
        edits=(fix,) if fix else (),
    )


def _fixed(evidence: Evidence, optimizer: Optimizer, left: Sequence[Parameter]) -> tuple[Place | None, str, Edits]:
    """Where to give the optimizer the right parameters, the line that does, and the edits."""
    program, trace, place = evidence.program, evidence.trace, optimizer.place
    general = "make the optimizer after the model that it is to train, of that model's parameters"
    calls = program.nodes(place, ast.Call) if place else []
    given = [n for argument in calls[0].args[:1] for n in ast.walk(argument)] if calls else []
    roots = [n.id for n in given if isinstance(n, ast.Name)]
    if place is None or not roots:
        return place, general, ()
    used = _called(program, trace)
    unit, made = program.unit(place), edits.statement(program, place)
    if unit and used and used != roots[0] and f"{roots[0]}.parameters()" in program.text(place):
        text = program.text(place).replace(f"{roots[0]}.parameters()", f"{used}.parameters()")
        earlier = edits.definition(program, used, place)
        known = earlier is not None and earlier < place
        return place, text, (edits.replace(place, text),) if known else ()
    again = [at for name in dict.fromkeys(roots) for at in _later(evidence, name, place)]
    if not again or not target_of(program, place):
        return place, general, ()
    line = program.text(made)
    added = edits.insert_line(program, max(again), line)
    where = f"line {max(again).line}" if max(again).cell == place.cell else f"cell {max(again).cell}"
    return place, f"{line}\nafter {where}: {program.line(max(again))}", (added,) if added else ()


def _called(program: Program, trace: Trace) -> str | None:
    """The name by which the model is called where it learns."""
    learning = next((f for f in trace.forwards if f.kind == "train" and f.place), None)
    for place in reversed(learning.stack if learning else ()):
        for call in program.nodes(place, ast.Call):
            if isinstance(call.func, ast.Name) and program.unit(place) and program.unit(place).place(call) == place:  # type: ignore[union-attr]
                return call.func.id
    return None


def _later(evidence: Evidence, name: str, place: Place) -> list[Place]:
    """The statements after a place, in its block, that bind a name or a part of it anew."""
    program = evidence.program
    unit = program.unit(place)
    found: list[Place] = []
    for one in program.units if program.notebook else (unit,) if unit else ():
        for node in ast.walk(one.tree):
            targets = node.targets if isinstance(node, ast.Assign) else []
            bound = any(ast.unparse(target).partition(".")[0] == name for target in targets)
            if bound and isinstance(node, ast.Assign) and ran(evidence.trace, one.place(node)):
                at = one.place(node)
                if (at.cell or 0, at.line) > (place.cell or 0, place.line):
                    found.append(at)
    return found
