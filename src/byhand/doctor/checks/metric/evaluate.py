"""Checks of the printed numbers: how they were averaged, and over which rows."""

import ast
import re
from collections.abc import Iterator

import numpy as np

from byhand.doctor.audit.batches import is_broadcast
from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.audit.passes import Pass
from byhand.doctor.audit.printed import Line, Misprint
from byhand.doctor.checks.metric.constants import sum_over_a_constant
from byhand.doctor.checks.metric.visible import is_visible
from byhand.doctor.checks.reading import handed, origins, roles
from byhand.doctor.checks.reading.calls import last_name
from byhand.doctor.checks.reading.course import fed
from byhand.doctor.finding import Effect, Finding
from byhand.doctor.place import Place
from byhand.doctor.text import edits
from byhand.doctor.text.edits import Edits
from byhand.doctor.text.program import Program
from byhand.doctor.trace import Comparison

__all__ = [
    "broadcast_accuracy",
    "evaluated_on_training_rows",
    "last_batch_metric",
    "mean_of_batch_means",
    "sum_of_means_over_count",
]

_ROWS = 50  # fewer training rows are a toy, evaluated on themselves on purpose


def broadcast_accuracy(evidence: Evidence) -> Iterator[Finding]:
    """Predictions (B,) and labels (B, 1) are compared, which gives (B, B)."""
    crossed = [c for c in evidence.trace.comparisons if is_broadcast(c) and _is_metric(evidence, c)]
    for place in dict.fromkeys(c.place for c in crossed):
        mine = [c for c in crossed if c.place == place]
        example = max(mine, key=lambda c: c.total)  # the last batch may be a short one
        evaluation = next((one for one in evidence.audit.newest_first if _holds(one, mine)), None)
        misprint = next(
            (m for m in evidence.audit.misprints if m.statistic.broadcast and m.evaluation is evaluation), None
        )
        shown, actual = _rates(mine, evaluation, misprint)
        left, right, instead, fix = _squeezed(evidence.program, example)
        n = example.left[0] if example.left else example.total
        where = f" on {evaluation.n:,} rows" if evaluation else ""
        truth = "" if actual is None else f"; the same predictions are {actual:.4f} right{where}"
        yield Finding(
            check="broadcast-accuracy",
            level="error" if actual is None or is_visible(shown, actual) else "note",
            place=place,
            saw=f"{left} {list(example.left)} {'!=' if example.name == '!=' else '=='} {right} "
            f"{list(example.right)} gives {list(example.shape)}, every prediction against every label: "
            f"{shown:.4f}{truth}",
            so=f"each of the {n} predictions is counted {n} times, against the labels of other rows too",
            instead=instead,
            proof="arithmetic",
            effect=Effect("printed accuracy", shown, actual),
            edits=(fix,) if fix else (),
        )


def mean_of_batch_means(evidence: Evidence) -> Iterator[Finding]:
    """Accuracies of batches are averaged though the last batch is shorter."""
    found: dict[Place | None, tuple[float, Misprint, float]] = {}
    for one in evidence.audit.misprints:
        if one.statistic.how != "mean" or one.statistic.broadcast or one.evaluation is None or one.actual is None:
            continue
        place, off = _averaging(evidence, one), abs(one.shown - one.actual)
        if place not in found or off > found[place][0]:
            found[place] = (off, one, one.actual)
    for place, (_, one, actual) in found.items():
        sizes = [batch.forward.n for batch in one.batches]
        clear = one.measure == "accuracy" and is_visible(one.shown, actual)
        name, weight = (
            _name(one),
            f"a row of the short batch counts {max(sizes) / min(sizes):.3g} times as much as another",
        )
        yield Finding(
            check="mean-of-batch-means",
            level="error" if clear else "note",
            place=place,
            saw=f"{one.shown:.4f} is the mean of {len(sizes)} batches, one with {min(sizes)} rows and others with "
            f"{max(sizes)}; the {name} over the {sum(sizes):,} rows is {actual:.4f}",
            so=weight if clear else f"harmless here: {weight}, and little comes of it",
            instead="add up the batches' hits and their rows, and divide once at the end"
            if one.measure == "accuracy"
            else "add up loss × rows of each batch, and divide by all rows at the end",
            proof="arithmetic",
            effect=Effect(f"printed {name}", one.shown, actual),
        )


def sum_of_means_over_count(evidence: Evidence) -> Iterator[Finding]:
    """Means of batches are added up and divided by the number of rows, or by another that is not theirs."""
    yield from sum_over_a_constant(evidence)
    for one in evidence.audit.misprints:
        if one.statistic.how != "sum over rows" or one.statistic.broadcast or one.actual is None:
            continue
        rows, name = sum(batch.forward.n for batch in one.batches), _name(one)
        place = _averaging(evidence, one)
        fix, divisor = _by_batches(evidence.program, place)
        yield Finding(
            check="sum-of-means-over-count",
            level="error",
            place=place,
            saw=f"the mean {name} of {len(one.batches):,} batches, added up and divided by {rows:,} rows, is the "
            f"printed {one.shown:.4g}; the mean over the rows is {one.actual:.4g}",
            so=f"the number is {rows / len(one.batches):.3g} times too small, and changes with the batch size",
            instead=edits.written_if_any(evidence.program, fix)
            or f"divide by {divisor or 'the number of batches'}, or add up each batch's mean times its rows",
            proof="arithmetic",
            effect=Effect(f"printed {name}", one.shown, one.actual),
            edits=(fix,) if fix else (),
        )


def last_batch_metric(evidence: Evidence) -> Iterator[Finding]:
    """The number that is printed for an evaluation is that of its last batch."""
    for one in evidence.audit.misprints:
        if one.statistic.how != "last" or one.statistic.broadcast or one.evaluation is None:
            continue
        last, name = one.batches[-1], _name(one)
        stack = last.forward.stack or (last.forward.place,)
        made = origins.overwritten(evidence.program, one.line.printed, one.line.number, stack)
        if made is None and one.measure == "accuracy" and last.comparison:
            made = last.comparison.place
        named = one.measure == "accuracy" or _role(evidence, one.line) == "held-out"
        truth = "" if one.actual is None else f"; over all of them it is {one.actual:.4f}"
        yield Finding(
            check="last-batch-metric",
            level="error" if named else "note",
            place=made or one.place,
            saw=f"the printed {name} {one.shown:.4f} is that of the last {last.forward.n} of {one.evaluation.n:,} rows"
            f"{truth}",
            so=f"it tells of {last.forward.n / one.evaluation.n:.1%} of the rows, and jumps from one run to the next",
            instead="add up the hits and the rows in the loop, and divide after it"
            if one.measure == "accuracy"
            else "add up loss × rows in the loop, and divide by all rows after it",
            proof="arithmetic",
            effect=Effect(f"printed {name}", one.shown, one.actual) if one.actual is not None else None,
        )
    yield from _last_batch_learnt(evidence)


def _last_batch_learnt(evidence: Evidence) -> Iterator[Finding]:
    """All that the program judges is the batch that it learnt from last, which its loop has left behind."""
    main, trace = evidence.audit.main, evidence.trace
    if main is None or main.accuracy is None or not main.comparisons:
        return
    learnt = [f for f in fed(trace, main.forward.training) if f.rows.size]
    known = np.unique(np.concatenate([f.rows for f in learnt])).size if learnt else 0
    if not learnt or 2 * main.n >= known or main.clock <= learnt[-1].clock:
        return
    if np.array_equal(main.rows, learnt[-1].rows):
        yield Finding(
            check="last-batch-metric",
            level="warning",
            place=main.forward.stack[-1] if main.forward.stack else main.forward.place,
            saw=f"the only rows that it judges are the last {main.n} of the {known:,} that it learnt from",
            so="they tell nothing of new images, and too few of them were asked",
            instead="judge all the rows of a part that was kept out of the training",
        )


def evaluated_on_training_rows(evidence: Evidence) -> Iterator[Finding]:
    """A number that is called a test or validation result was computed on the training rows."""
    told: set[Place | None] = set()
    for line in (same[-1] for same in evidence.audit.lines):
        found = line.evaluations()
        own = [(one, figure) for one, figure in found if _is_training_set(one)]
        if not own or len(own) < len(found) or _role(evidence, line) != "held-out":
            continue
        evaluation, figure = own[0]
        place, fix = handed.over(evidence.program, evaluation.forward, evidence.trace)
        if place in told:
            continue
        told.add(place)
        fit = line.fit(figure)
        value = fit.shown if fit else line.value
        yield Finding(
            check="evaluated-on-training-rows",
            level="error",
            place=place,
            saw=f"all {evaluation.n:,} rows behind the {_words(line)}{value:.4f} had been trained on; they are "
            f"{evaluation.covers:.0%} of the training set",
            so="it shows how well the model remembers, and not how it does on new images",
            instead=edits.written_if_any(evidence.program, fix) or "hand over rows that were kept out of the training",
            proof="arithmetic",
            edits=(fix,) if fix else (),
        )


def _is_training_set(one: Pass) -> bool:
    return one.share >= 0.99 and one.covers >= 0.9 and one.clock > 0 and np.unique(one.rows).size >= _ROWS


def _role(evidence: Evidence, line: Line) -> roles.Role | None:
    """What the program calls a number: by its words and its expression, which must agree; else by the loader."""
    program, printed = evidence.program, line.printed
    expressions = origins.shown(program, printed, line.number)
    written = roles.called(program.text(expressions[0][0].place(expressions[0][1]))) if len(expressions) == 1 else None
    words = origins.told(printed, line.number)
    if written and words and written != words:
        return words if words == "held-out" and _is_named(line) else None
    evaluation = line.evaluations()[0][0] if line.evaluations() else None
    if not written and not words and evaluation is not None:
        return roles.agreed(evidence, evaluation)
    return words or written


def _is_named(line: Line) -> bool:
    """Whether the words right before a number call it a test or a validation."""
    return bool(re.search(r"\b(test|valid(ation)?|val)\b", line.number.words, re.IGNORECASE))


def _is_metric(evidence: Evidence, comparison: Comparison) -> bool:
    """Whether predictions of a forward were compared with its own labels, and not two labels or a list of classes."""
    if comparison.forward is None or comparison.prediction is None:
        return False
    forward, labels = evidence.trace.forwards[comparison.forward], comparison.labels
    same = labels.size != forward.labels.size or np.array_equal(labels, forward.labels)
    return same and not np.array_equal(labels, np.arange(labels.size))


def _holds(evaluation: Pass, comparisons: list[Comparison]) -> bool:
    """Whether one of the comparisons is of this evaluation."""
    forwards = {batch.forward.index for batch in evaluation.batches}
    return any(c.forward in forwards for c in comparisons)


def _rates(mine: list[Comparison], evaluation: Pass | None, misprint: Misprint | None) -> tuple[float, float | None]:
    """The accuracy as the program has it, and as it is."""
    used = [c for c in mine if evaluation is None or _holds(evaluation, [c])]
    shown = sum(c.equal for c in used) / sum(c.total for c in used)
    if misprint is not None:
        shown = 1 - misprint.shown if misprint.error else misprint.shown
    return shown, evaluation.accuracy if evaluation else None


def _squeezed(program: Program, comparison: Comparison) -> tuple[str, str, str, Edits]:
    """The two sides as they are written, the comparison with equal shapes, and the edit that makes it."""
    place = comparison.place
    unit = program.unit(place) if place else None
    around = program.nodes(place, ast.expr) if place else []
    pair = next((sides for node in around if (sides := _sides(node))), None)
    exact = pair is not None
    if pair is None and around:  # within an f-string Python 3.11 knows no places
        inside = [sides for node in ast.walk(around[0]) if isinstance(node, ast.Compare) and (sides := _sides(node))]
        pair = inside[0] if len(inside) == 1 else None
    if unit is None or pair is None:
        return "predictions", "labels", f"give both sides the shape [{comparison.labels.size}]", ()
    fix: Edits = ()
    told: list[str] = []
    for node, shape in zip(pair, (comparison.left, comparison.right), strict=True):
        simple = isinstance(node, ast.Name | ast.Attribute | ast.Call | ast.Subscript)
        flat = "" if len(shape) < 2 else ".squeeze(1)" if len(shape) == 2 and shape[1] == 1 else ".reshape(-1)"
        before, after = ("", flat) if simple or not flat else ("(", f"){flat}")
        told.append(before + ast.unparse(node) + after)
        if flat and exact:
            fix += edits.wrap(unit.place(node), before, after)
    left, right = (ast.unparse(node) for node in pair)
    return left, right, edits.written_if_any(program, fix) or f"{told[0]} == {told[1]}", fix


def _sides(node: ast.AST) -> tuple[ast.expr, ast.expr] | None:
    """The operands of ``a == b``, ``eq(a, b)`` or ``a.eq(b)``."""
    if isinstance(node, ast.Compare):
        return node.left, node.comparators[0]
    if not isinstance(node, ast.Call) or last_name(node.func) not in ("eq", "ne", "equal", "not_equal"):
        return None
    if len(node.args) >= 2:
        return node.args[0], node.args[1]
    return (node.func.value, node.args[0]) if isinstance(node.func, ast.Attribute) and node.args else None


def _averaging(evidence: Evidence, one: Misprint) -> Place | None:
    return origins.averaging(evidence.program, one.line.printed, one.line.number) or one.place


def _by_batches(program: Program, place: Place | None) -> tuple[Edits, str]:
    """``len(dl.dataset)`` becomes ``len(dl)`` in a division; and how the number of batches would be written."""
    unit = program.unit(place) if place else None
    if unit is None or place is None:
        return (), ""
    divisors = [node.right for node in program.nodes(place, ast.BinOp)[:1]]
    divisors += [node.value for node in program.nodes(place, ast.AugAssign)[:1]]
    for divisor in divisors:
        text = program.text(unit.place(divisor))
        if text.startswith("len(") and text.endswith(".dataset)"):
            batches = text.removesuffix(".dataset)") + ")"
            return (edits.replace(unit.place(divisor), batches),), batches
    return (), ""


def _name(one: Misprint) -> str:
    return "loss" if one.measure == "loss" else "error rate" if one.error else "accuracy"


def _words(line: Line) -> str:
    words = " ".join(line.number.words.strip(" :=(,|").split()[-3:])
    return f"{words} " if words else ""
