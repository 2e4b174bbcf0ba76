"""Faults of the update: gradients that pile up, steps that nobody takes, parameters that nobody moves."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Final

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.paper.added_up import gradients_added_up
from byhand.doctor.checks.reading import updates
from byhand.doctor.checks.reading.course import best
from byhand.doctor.checks.reading.literals import optimizer_of
from byhand.doctor.checks.reading.units import units
from byhand.doctor.finding import Finding
from byhand.doctor.text import edits
from byhand.doctor.text.edits import Edits
from byhand.doctor.trace import Backward, Trace, Training

__all__ = ["gradients_never_zeroed", "parameter_never_updated", "step_never_taken"]

_ALMOST_ALL: Final = 0.9
_COPIES: Final = ("ema", "teacher", "target", "frozen")


def gradients_never_zeroed(evidence: Evidence) -> Iterator[Finding]:
    """Each gradient added to those of all steps before, because nothing sets them to zero after an update."""
    trace = evidence.trace
    index = best(evidence)
    yield from gradients_added_up(evidence)
    if index is None or _interleaved(trace):
        return
    training = trace.trainings[index]
    if any(p.used and p.reached and not p.frozen and not p.changed for p in trace.parameters):
        return  # an optimizer clears its own parameters only; gradients in others are nobody's step
    later = [b for b in trace.backwards if training.first < b.clock <= training.last and b.place is not None]
    firsts = {b.clock: b for b in reversed(later)}  # the first pass after each update is the one that could be stale
    looked = [b for b in firsts.values() if b.stale]
    if len(looked) < 3 or len(looked) < _ALMOST_ALL * _examined(len(firsts)):
        return
    place = looked[0].place
    fix = updates.zeroed(evidence, training)
    yield Finding(
        "gradients-never-zeroed",
        "warning",
        place,
        saw=f"at {_after(looked, firsts)} the gradients of the updates before were still there",
        so="each step goes along the sum of all gradients so far: it grows, and turns too late",
        instead=fix[0].text.strip() if fix else "set the gradients to None or zero after each update",
        edits=(fix,) if fix else (),
        needs_proof=bool(fix),
    )


def _examined(backwards: int) -> float:
    """How many passes are looked at for old gradients: the first 200, then one in 16."""
    return backwards if backwards <= 200 else 200 + (backwards - 200) / 16 - 1


def _after(stale: list[Backward], all_of: Mapping[int, Backward]) -> str:
    return f"all {len(all_of):,} updates" if len(stale) == len(all_of) else f"each of {len(stale):,} updates looked at"


def _interleaved(trace: Trace) -> bool:
    """Whether two models are trained by turns, as in a GAN: one's backward pass then leaves gradients in the other."""
    spans = sorted((t.first, t.last) for t in trace.trainings)
    return any(later[0] < earlier[1] - 1 for earlier, later in pairwise(spans))


def step_never_taken(evidence: Evidence) -> Iterator[Finding]:
    """Backward passes, and parameters that are the same to the bit before and after."""
    program, trace = evidence.program, evidence.trace
    learning = [b for b in trace.backwards if b.place is not None]
    groups = updates.groups(trace)
    moving = [g for g in groups if not g.frozen]
    if len(learning) < 2 or not moving or any(g.changed for g in moving):
        return
    if any(o.steps for o in trace.optimizers) or not any(g.reached for g in moving):
        return
    if updates.of_pictures(evidence) or not _is_loop(trace, learning):
        return
    names = ", ".join(g.name for g in moving[:3] if g.name)
    rebound = updates.rebound(program, trace)
    made = trace.optimizers[-1] if trace.optimizers else None
    place, fix, instead = learning[0].place, (), "take a step after backward()"
    saw = f"{len(learning):,} backward passes, and {names or 'every parameter'} the same to the bit before and after"
    if rebound is not None:
        place, text = rebound
        fix, instead = (edits.replace(place, text),), text
        saw += "; this line makes a new tensor and leaves the parameter as it was"
    elif (named := updates.uncalled(program, trace)) is not None:
        place, text = named
        fix, instead = (edits.replace(place, text),), text
        saw += "; this line names the step and does not call it"
    elif made is not None and made.place is not None and learning[0].place is not None:
        name = updates.target_of(program, made.place)
        if name:
            instead = f"{name}.step()"
            cleared = any(f"{name}.zero_grad" in unit.code for unit in units(program, trace))
            lines = instead if cleared else f"{instead}\n{name}.zero_grad()"
            added = edits.insert_line(program, learning[0].place, lines)
            fix = (added,) if added else ()
    yield Finding(
        "step-never-taken",
        "error",
        place,
        saw=saw,
        so="nothing is learnt: the model is the one that it was at the start",
        instead=instead,
        proof="arithmetic",
        edits=(fix,) if fix else (),
    )


def _is_loop(trace: Trace, learning: list[Backward]) -> bool:
    """Whether the passes are a training: an optimizer was made, or the same rows came again with labels."""
    if trace.optimizers or trace.trainings:
        return True
    forwards = [trace.forwards[b.forward] for b in learning if b.forward is not None]
    rows = [row for f in forwards for row in f.rows.tolist()]
    return len(set(rows)) < len(rows) and any(len(f.labels) for f in forwards)


def parameter_never_updated(evidence: Evidence) -> Iterator[Finding]:
    """A parameter that the model uses and gradients reach, and that stays as it was while the others learn."""
    program, trace = evidence.program, evidence.trace
    index = best(evidence)
    if index is None:
        return
    yield from _thrown_away(evidence)
    training = trace.trainings[index]
    learnt = [p for p in trace.parameters if p.training == index and p.changed]
    optimizer = optimizer_of(trace, training)
    left = [
        p
        for i, p in enumerate(trace.parameters)
        if p.optimizer is None and p.training in (index, None) and _is_left(trace, i, training)
    ]
    if not learnt or not left or (optimizer is None and not training.hand):
        return
    # Fine-tuning leaves out what was learnt elsewhere, and does so on purpose.
    if len(left) >= len(learnt) and updates.is_fine_tuned(program, trace):
        return
    if updates.of_pictures(evidence):
        return
    place, fix = updates.included(evidence, training, optimizer, left)
    names = ", ".join(
        dict.fromkeys(updates.own_name(program, p) or f"the {' × '.join(map(str, p.shape))} one" for p in left)
    )
    if len(left) > 4:
        names = f"{len(left)} parameters ({names.split(', ')[0]}, …)"
    yield Finding(
        "parameter-never-updated",
        "error",
        place or left[0].place,
        saw=f"{names} received gradients and stayed the same to the bit over {training.steps:,} updates",
        so="a part of the model is not trained and stays as it was drawn",
        instead=_kept(fix, optimizer is not None),
        proof="arithmetic",
        edits=(fix,) if fix else (),
    )


def _thrown_away(evidence: Evidence) -> Iterator[Finding]:
    found = updates.thrown_away(evidence.program, evidence.trace)
    if found is None:
        return
    place, owner, text = found
    yield Finding(
        "parameter-never-updated",
        "error",
        place,
        saw=f"this line computes what {owner} should become, and gives it to a local name that is never read",
        so=f"{owner} stays as it was at the start",
        instead=text,
        proof="arithmetic",
        edits=((edits.replace(place, text),),),
    )


def _is_left(trace: Trace, index: int, training: Training) -> bool:
    """Whether a parameter had gradients in a training, again and again, and stayed as it was."""
    name = trace.parameters[index].name.lower()
    walked = [b for b in trace.backwards if b.parameters and training.first <= b.clock < training.last]
    return updates.was_left(trace, index, walked) and not any(word in name for word in _COPIES)


def _kept(fix: Edits, by_object: bool) -> str:
    texts = [edit.text.strip() for edit in fix if edit.text.strip()]
    if len(texts) == 2 and texts[0].endswith("("):
        return f"{texts[0]}…{texts[1]}"
    if texts and texts[0].startswith(","):
        return f"give the optimizer {texts[0].lstrip(', ')} too"
    if texts:
        return texts[0]
    return "give the optimizer all parameters" if by_object else "update it beside the others"
