"""An accuracy over the ones and zeros of one-hot rows, not over the rows."""

import ast
from collections.abc import Iterator

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.metric.visible import is_visible
from byhand.doctor.checks.reading.calls import bracketed
from byhand.doctor.finding import Effect, Finding
from byhand.doctor.text import edits
from byhand.doctor.text.edits import Edits
from byhand.doctor.trace import Comparison

__all__ = ["accuracy_over_one_hot"]


def accuracy_over_one_hot(evidence: Evidence) -> Iterator[Finding]:
    """The printed accuracy is the mean of (N, C) ones and zeros that agree: a wrong row still has C - 2 of them."""
    for one in evidence.audit.misprints:
        pairs = [batch.elements for batch in one.batches if batch.elements is not None]
        if one.statistic.of != "elements" or not pairs or one.actual is None:
            continue
        last, rows = pairs[-1], sum(pair.labels.size for pair in pairs)
        classes = last.total // last.labels.size
        wrong = rows - round((1 - one.actual if one.error else one.actual) * rows)
        fix = _by_rows(evidence, last)
        name = "error rate" if one.error else "accuracy"
        yield Finding(
            "accuracy-over-one-hot",
            "error" if is_visible(one.shown, one.actual) else "note",
            last.place or one.place,
            saw=f"predictions and labels, ones and zeros of shape {list(last.left)}, are compared number by number: "
            f"{name} {one.shown:.4f}; {wrong:,} of the {rows:,} rows are wrong, which makes it {one.actual:.4f}",
            so=f"a wrong row still counts {classes - 2} of {classes}: a model that is always wrong is "
            f"{(classes - 2) / classes:.4g} right so",
            instead=edits.written_if_any(evidence.program, fix) or "compare the classes of the rows, one number each",
            proof="arithmetic",
            effect=Effect(f"printed {name}", one.shown, one.actual),
            edits=(fix,) if fix else (),
        )


def _by_rows(evidence: Evidence, pair: Comparison) -> Edits:
    """``a == b`` becomes ``a.argmax(1) == b.argmax(1)``."""
    place = pair.place
    unit = evidence.program.unit(place) if place else None
    nodes = evidence.program.nodes(place, ast.Compare) if place else []
    if unit is None or not nodes or unit.place(nodes[0]) != place:
        return ()
    axis = 1 if pair.left[0] == pair.labels.size else 0
    fix: list[edits.Edit] = []
    for side in (nodes[0].left, nodes[0].comparators[0]):
        where = unit.place(side)
        fix.append(edits.replace(where, f"{bracketed(evidence.program, where)}.argmax({axis})"))
    return tuple(fix)
