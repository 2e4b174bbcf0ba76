"""Faults of the data: their order, and rows that stand in both parts."""

import ast
import re
from collections.abc import Iterator

import numpy as np

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.audit.passes import Pass
from byhand.doctor.checks.data.mixing import shuffled
from byhand.doctor.checks.reading.batches import Order, is_sorted, order
from byhand.doctor.checks.reading.calls import ran
from byhand.doctor.checks.reading.course import best, fed
from byhand.doctor.checks.reading.roles import role, says_held_out
from byhand.doctor.checks.reading.units import units
from byhand.doctor.finding import Finding
from byhand.doctor.place import Place
from byhand.doctor.text import edits
from byhand.doctor.text.program import Unit

__all__ = ["class_sorted_batches", "validation_inside_training"]


def class_sorted_batches(evidence: Evidence) -> Iterator[Finding]:
    """Rows that come class after class, so that a step sees few classes and undoes what the others taught."""
    trace = evidence.trace
    index = best(evidence)
    forwards = fed(trace, index) if index is not None else []
    how = order(forwards)
    if how is None:
        return
    loader = trace.loaders[forwards[0].loader] if forwards[0].loader is not None else None
    if not is_sorted(how):
        return
    fixes, place, instead = shuffled(evidence, forwards[0], loader)
    same = ", the same every epoch" if how.repeats else ""
    n = len(how.batches)
    if how.pure > n / 2:
        saw = f"{how.pure:,} of the {n:,} batches hold one class only, {_sequence(how)}{same}"
    else:
        kinds = float(np.mean([len(np.unique(batch)) for batch in how.batches]))
        saw = f"a batch holds {kinds:.1f} of the {how.classes} classes, {_sequence(how)}{same}"
    yield Finding(
        "class-sorted-batches",
        "warning",
        place,
        saw=saw,
        so="the weights forget each class while they learn the next",
        instead=instead,
        edits=fixes,
        needs_proof=bool(fixes),
    )


def _sequence(how: Order) -> str:
    """The order of the classes in words."""
    commonest = [int(np.bincount(batch).argmax()) for batch in how.batches]
    seen = list(dict.fromkeys(commonest))
    if seen == sorted(seen) and len(seen) > 2:
        return f"in the order {seen[0]} … {seen[-1]}"
    if seen == sorted(seen, reverse=True) and len(seen) > 2:
        return f"in the order {seen[0]} … {seen[-1]}"
    return "class after class"


def validation_inside_training(evidence: Evidence) -> Iterator[Finding]:
    """Rows that judge the model after it has learnt from them."""
    leaks = [one for one in evidence.audit.passes if _leaks(evidence, one)]
    if not leaks:
        return
    worst = max(leaks, key=lambda one: (round(one.share * one.n), one.last))
    yield Finding(
        "validation-inside-training",
        "error",
        _split(evidence, worst),
        saw=f"{round(worst.share * worst.n):,} of the {worst.n:,} rows that judge the model had been trained on before",
        so="what the model has learnt by heart counts as what it can do",
        instead="split the rows once, before anything is learnt from them, and train on one part only",
        proof="arithmetic",
    )


def _leaks(evidence: Evidence, one: Pass) -> bool:
    """Whether a pass is of held-out rows by its words, and some of them were trained on."""
    distinct = np.unique(one.rows)
    if one.clock == 0 or not len(distinct) or one.share * one.n < 5 or one.share < 0.01:
        return False
    if one.covers >= 0.9:
        return False  # the training rows themselves, all of them: evaluated-on-training-rows
    called = role(evidence, one)
    if called == "training" or (one.share >= 0.95 and called is None):
        return False
    # Rows that are equal by nature: of a pass with a share d of duplicates, about d · N_train / n recur in training.
    trained = {row for f in fed(evidence.trace, one.forward.training or 0) for row in f.rows.tolist()}
    twins = 1 - len(distinct) / len(one.rows)
    return one.share > 3 * twins * max(1.0, len(trained) / one.n)


def _split(evidence: Evidence, one: Pass) -> Place | None:
    """Where the rows of a pass were set apart, as its words tell; else where they were handed over."""
    program, forward = evidence.program, one.forward
    if forward.loader is not None and (place := evidence.trace.loaders[forward.loader].place) is not None:
        calls = program.nodes(place, ast.Call)
        given = calls[0].args[0] if calls and calls[0].args else None
        made = edits.definition(program, given.id, place) if isinstance(given, ast.Name) else None
        return made or place
    for place in forward.stack:
        for name in re.findall(r"[A-Za-z_][\w.]*", program.line(place)):
            made = edits.definition(program, name, place) if says_held_out(name) else None
            if made is not None and not program.text(made).isidentifier():  # self.valid = valid
                return made
    parts = [
        unit.place(value)
        for unit in units(program, evidence.trace)
        for value in _parts(unit)
        if ran(evidence.trace, unit.place(value))
    ]
    return parts[0] if len(parts) == 1 else forward.place


def _parts(unit: Unit) -> list[ast.expr]:
    """What is assigned, at the top level, to a name that says held out, and is cut from something."""
    found: list[ast.expr] = []
    for node in unit.tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if says_held_out(name):
                if any(isinstance(inner, ast.Slice) for inner in ast.walk(value)):
                    found.append(value)
            case _:
                pass
    return found
