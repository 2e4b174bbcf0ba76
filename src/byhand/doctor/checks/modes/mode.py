"""A model that is judged in the mode in which it is trained, in whole or in part, or trained in the other one."""

from collections.abc import Iterator, Sequence
from functools import partial

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.audit.passes import Pass
from byhand.doctor.checks.modes.regular import never_off
from byhand.doctor.checks.modes.switches import evaluating, layers_of, to_speak_of, training
from byhand.doctor.checks.reading.course import fed
from byhand.doctor.finding import Finding
from byhand.doctor.layers import Layer
from byhand.doctor.trace import Forward

__all__ = ["evaluated_in_train_mode", "partial_eval_mode", "trained_in_eval_mode"]


def evaluated_in_train_mode(evidence: Evidence) -> Iterator[Finding]:
    """Dropout that still drops, or batch norm that still uses the batch at hand, while the model is judged."""
    one = to_speak_of(evidence, partial(_is_noisy, evidence))
    if one is None:
        return
    names = sorted({name for batch in one.batches for name in batch.forward.noisy})
    verb = "was" if len(names) == 1 else "were"
    place, fix, instead = evaluating(evidence, one)
    yield Finding(
        "evaluated-in-train-mode",
        "warning",
        place,
        saw=f"{' and '.join(names)} {verb} in training mode while {one.n:,} held-out rows were judged",
        so=_at_random(names),
        instead=instead,
        edits=(fix,) if fix else (),
        needs_proof=bool(fix),
    )


def _is_noisy(evidence: Evidence, one: Pass) -> bool:
    """Whether most batches went through layers that were in training mode, all of them, and can be in another."""
    noisy = [b.forward for b in one.batches if b.forward.noisy and not b.forward.fixed]
    layers = [layer for forward in noisy for layer in layers_of(evidence, forward)]
    never = bool(layers) and all(never_off(evidence.program, layer) for layer in layers)
    return len(noisy) > len(one.batches) / 2 and not never


def partial_eval_mode(evidence: Evidence) -> Iterator[Finding]:
    """Some layers in evaluation mode and others not while the model is judged: ``model.features.eval()`` alone."""
    one = to_speak_of(evidence, partial(_is_parted, evidence))
    if one is None:
        return
    noisy, fixed = _sides(evidence, one)
    place, fix, instead = evaluating(evidence, one)
    yield Finding(
        "partial-eval-mode",
        "warning",
        place,
        saw=f"while {one.n:,} held-out rows were judged, {_named(evidence, fixed)} in evaluation mode and"
        f" {_named(evidence, noisy)} still in training mode",
        so=_at_random([layer.name for layer in noisy]),
        instead=instead,
        edits=(fix,) if fix else (),
        needs_proof=bool(fix),
    )


def _at_random(noisy: Sequence[str]) -> str:
    """What follows for an evaluation from layers, by name, that were in training mode."""
    drops = any("Dropout" in name for name in noisy)
    return "a part of the units is dropped at random there" if drops else "a row's answer depends on its batch"


def _is_parted(evidence: Evidence, one: Pass) -> bool:
    """Whether layers that the training had on are off in a pass, and others are on.

    A model that is in evaluation mode as a whole has had the others switched on by intent, and a layer that was off in
    the training too is frozen.
    """
    noisy, fixed = _sides(evidence, one)
    if not noisy or not fixed or any(layer.mode is False for layer in noisy):
        return False
    learning = fed(evidence.trace, one.forward.training)[:20]
    taught = {(layer.name, layer.place) for f in learning for layer in layers_of(evidence, f) if layer.noisy}
    return any((layer.name, layer.place) in taught for layer in fixed)


def _sides(evidence: Evidence, one: Pass) -> tuple[list[Layer], list[Layer]]:
    """The layers of a pass that were on, and those that were off."""
    layers = dict.fromkeys(layer for batch in one.batches for layer in layers_of(evidence, batch.forward))
    on = [layer for layer in layers if layer.noisy and not never_off(evidence.program, layer)]
    return on, [layer for layer in layers if not layer.noisy]


def _named(evidence: Evidence, layers: Sequence[Layer]) -> str:
    """The layers by name and line, with their verb."""
    lines = dict[str, dict[int, None]]()
    for layer in layers:
        if layer.place:
            lines.setdefault(layer.name, {})[layer.place.line] = None
    parts = [f"{name} (line {', '.join(map(str, sorted(at)))})" for name, at in sorted(lines.items())]
    return f"{' and '.join(parts)} {'was' if sum(map(len, lines.values())) == 1 else 'were'}"


def trained_in_eval_mode(evidence: Evidence) -> Iterator[Finding]:
    """Steps whose forward ran in evaluation mode: ``model.eval()`` before an evaluation, and no ``train()`` after it.

    A whole model in evaluation mode counts, from an evaluation on. Layers that are frozen one by one do not.
    """
    for index in range(len(evidence.trace.trainings)):
        steps = fed(evidence.trace, index)
        off = [f for f in steps if _is_off(evidence, f)]
        if not off or len(off) <= len(steps) / 2:
            continue
        before = _switch(evidence, off[0])
        found = training(evidence, off[0], before) if before else None
        if before is None or found is None:
            continue
        place, fix, line = found
        names = sorted({name for f in off for name in f.fixed})
        first = steps.index(off[0]) + 1
        since = f"since the evaluation in line {before.place.line}, before " if before.place else "from "
        yield Finding(
            "trained-in-eval-mode",
            "warning",
            fix[0].place if fix else place,
            saw=f"{' and '.join(names)} {'was' if len(names) == 1 else 'were'} in evaluation mode in {len(off):,} of"
            f" the {len(steps):,} steps, {since}step {first:,}",
            so=_consequence(names, first),
            instead=f"{line} before the training goes on",
            edits=(fix,) if fix else (),
            needs_proof=bool(fix),
        )
        return


def _is_off(evidence: Evidence, forward: Forward) -> bool:
    return bool(forward.fixed) and not forward.noisy and all(x.mode is False for x in layers_of(evidence, forward))


def _switch(evidence: Evidence, first: Forward) -> Forward | None:
    """The evaluation before a training forward that left the model as it was there."""
    earlier = evidence.trace.forwards[: first.index]
    same = (f for f in reversed(earlier) if f.training == first.training and f.kind == "eval" and f.fixed)
    return next(same, None)


def _consequence(names: Sequence[str], first: int) -> str:
    drops = "dropout drops nothing where it should"
    if "BatchNorm" not in names:
        return drops
    gathered = f"those of the first {first - 1:,} steps" if first > 1 else "0 and 1, its start,"
    norm = f"batch norm uses a mean and deviation that stay {gathered} however the weights change"
    return f"{norm}, and {drops}" if len(names) > 1 else norm
