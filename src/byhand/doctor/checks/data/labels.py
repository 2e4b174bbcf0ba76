"""Labels that do not belong to the rows beside them.

Letters: N rows, P numbers a row, C classes.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.data.apart import apart
from byhand.doctor.checks.reading.course import best, fed, final_pass
from byhand.doctor.finding import Finding
from byhand.doctor.trace import Examples, Forward

__all__ = ["labels_out_of_step"]

Rows = NDArray[np.float64]
Labels = NDArray[np.int64]

_CHANGED: Final = 0.2  # of the rows that come again, those whose label is another
_LEARNT: Final = 0.7  # an accuracy
_FEW: Final = 60  # rows, below which class means tell too little
_MOST: Final = 4000


def labels_out_of_step(evidence: Evidence) -> Iterator[Finding]:
    """Labels that belong to other rows: shuffled apart, shifted, or counted from another number."""
    trace = evidence.trace
    index = best(evidence)
    if index is None:
        return
    forwards, end = fed(trace, index), final_pass(evidence, index)
    if not forwards or (end is not None and end.accuracy is not None and end.accuracy > _LEARNT):
        return  # no model learns that much from other rows' labels
    saw, so = _relabelled(forwards), "the labels were moved without their rows, and what is learnt from them is noise"
    if saw is None and trace.trained_on is not None and trace.evaluated_on is not None:
        saw, so = _by_means(trace.trained_on, trace.evaluated_on)
    known = apart(evidence, forwards[0].place)
    if saw is not None:
        fix, place, instead = known or ((), forwards[0].place, "move rows and labels together, by one permutation")
        fixes = (fix,) if fix else ()
        yield Finding("labels-out-of-step", "error", place, saw, so, instead, "arithmetic", edits=fixes)
    elif known is not None and known[0] and trace.trained_on is not None:
        fix, place, instead = known
        fit = _at_chance(trace.trained_on)
        if fit is not None:
            saw = f"by the nearest class mean {fit:.0%} of the training labels fit their rows, no more than by chance"
            so = "this line moves the one without the other"
            yield Finding(
                "labels-out-of-step", "warning", place, saw, so, instead, edits=(fix,), needs_proof=True
            )  # fmt: skip


def _relabelled(forwards: list[Forward]) -> str | None:
    """The same rows with other labels later on; three classes or more, since one class against the rest may change."""
    known = [f for f in forwards if len(f.rows) == len(f.labels) == f.n > 0]
    if not known:
        return None
    rows, labels = np.concatenate([f.rows for f in known]), np.concatenate([f.labels for f in known])
    by_row = np.lexsort((labels, rows))
    rows, labels = rows[by_row], labels[by_row]
    starts = np.flatnonzero(np.r_[True, rows[1:] != rows[:-1]])
    counts = np.diff(np.r_[starts, len(rows)])
    changed = np.minimum.reduceat(labels, starts) != np.maximum.reduceat(labels, starts)
    again, odd = int((counts > 1).sum()), int(changed.sum())
    if len(np.unique(labels)) < 3 or odd < 10 or odd < _CHANGED * again:
        return None
    return f"{odd:,} of the {again:,} rows that were trained on more than once had different labels at different times"


def _by_means(trained: Examples, judged: Examples) -> tuple[str | None, str]:
    """What the nearest class mean says of the labels: at chance in one part only, or the classes are permuted."""
    x, y = _standard(trained)
    x2, y2 = _standard(judged)
    if min(len(x), len(x2)) < _FEW or not len(y) or not len(y2) or x.shape[1] != x2.shape[1]:
        return None, ""
    if min(len(np.unique(y)), len(np.unique(y2))) < 2 or len(np.unique(y2)) > len(np.unique(y)) + 1:
        return None, ""
    inner, outer = _cross_fitted(x, y), _cross_fitted(x2, y2)
    guess, guess2 = _commonest(y), _commonest(y2)
    if inner < guess + 3 * _spread(guess, len(y)) and outer > guess2 + 0.25:
        return (
            f"by the nearest class mean {inner:.0%} of the training labels fit their rows, no more than by chance,"
            f" and {outer:.0%} of those that judge",
            "the model learns from labels that belong to other rows",
        )
    if outer < guess2 + 3 * _spread(guess2, len(y2)) and inner > guess + 0.25:
        return (
            f"by the nearest class mean {outer:.0%} of the labels that judge fit their rows, no more than by chance,"
            f" and {inner:.0%} of the training labels",
            "no model can be right on these labels, however good it is",
        )
    return _permuted(x, y, x2, y2)


def _at_chance(examples: Examples) -> float | None:
    """The accuracy of the nearest class mean, where it is that of always naming the commonest class."""
    x, y = _standard(examples)
    if len(y) < 3 * _FEW or len(np.unique(y)) < 3:
        return None
    fit, guess = _cross_fitted(x, y), _commonest(y)
    return fit if fit < guess + 3 * _spread(guess, len(y)) else None


def _permuted(x: Rows, y: Labels, x2: Rows, y2: Labels) -> tuple[str | None, str]:
    classes, names = np.unique(y), np.unique(y2)
    if len(classes) < 3 or len(names) < 3:
        return None, ""
    chosen = _nearest(x, y, x2)
    table = np.array([[((chosen == c) & (y2 == name)).sum() for name in names] for c in classes])  # (C, C')
    called = names[table.argmax(axis=1)]  # (C,) what the evaluation calls each class
    direct, matched = float((chosen == y2).mean()), float(table.max(axis=1).sum() / len(y2))
    moved = [(int(c), int(name)) for c, name in zip(classes, called, strict=True) if c != name]
    if direct > 0.3 or matched < 0.6 or len(moved) < 3 or len(np.unique(called)) < len(classes):
        return None, ""
    first, second = moved[0]
    return (
        f"what is class {first} in training is class {second} in the evaluation, and so for {len(moved)} of the"
        f" {len(classes)} classes",
        "a model that names every row as in training is counted wrong",
    )


def _standard(examples: Examples) -> tuple[Rows, Labels]:
    """At most 4,000 rows, scaled as one to mean 0 and deviation 1, and their labels, none where they are unknown."""
    step = max(1, -(-len(examples.rows) // _MOST))
    rows = examples.rows[::step].astype(np.float64)
    labels = examples.labels[::step] if len(examples.labels) == len(examples.rows) else examples.labels[:0]
    good = np.isfinite(rows).all(axis=1)
    rows, labels = rows[good], labels[good] if len(labels) else labels
    if not rows.size:
        return rows, labels[:0]
    return (rows - rows.mean()) / (rows.std() or 1.0), labels


def _nearest(x: Rows, y: Labels, x2: Rows) -> Labels:
    """The class whose mean is nearest to each row of ``x2``: argmin ‖x − μ‖² = argmin ‖μ‖² − 2 x·μ."""
    classes = np.unique(y)
    means = np.stack([x[y == c].mean(axis=0) for c in classes])  # (C, P)
    return classes[((means**2).sum(axis=1) - 2 * x2 @ means.T).argmin(axis=1)]


def _cross_fitted(x: Rows, y: Labels) -> float:
    """The accuracy of the nearest class mean, each half judged by the means of the other."""
    half = np.zeros(len(x), dtype=bool)
    half[np.argsort(y, kind="stable")[::2]] = True  # every other row of each class
    right = sum(int((_nearest(x[a], y[a], x[~a]) == y[~a]).sum()) for a in (half, ~half))
    return right / len(x)


def _commonest(y: Labels) -> float:
    return float(np.unique(y, return_counts=True)[1].max() / len(y))


def _spread(p: float, n: int) -> float:
    return (p * (1 - p) / n) ** 0.5
