"""The evaluation that a grade counts: the program's last one on the test part, by the instructor's labels."""

from typing import Final, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from byhand.classroom.rows import TEST, TRAINING, Known
from byhand.doctor.audit.passes import Pass
from byhand.doctor.examine import Examination
from byhand.doctor.trace import Examples

__all__ = ["Judged", "judge"]

_MAIN: Final = 0.5  # of the rows of its largest evaluation on the test part; smaller ones show a few examples
_FEW: Final = 0.02  # of the rows; as many may have a fingerprint in common with another row
_SAME: Final = 1e-3  # of the range of all values
_AGREE: Final = 0.9  # of the labels, when the program numbers the classes in its own way

Integers = NDArray[np.int64]


@final
class Judged(NamedTuple):
    """What the evaluation gave."""

    evaluation: Pass
    hits: int
    n: int  # rows that count
    on_test: bool  # they are of the test part, and it had not learnt from them
    rows: str


@final
class _Located(NamedTuple):
    evaluation: Pass
    part: Integers  # (N,) of each of its rows
    at: Integers  # (N,)


def judge(e: Examination, known: Known) -> Judged | None:
    """The evaluation that counts; None where none was seen.

    On the test part it counts each row once, leaves out those that the program had learnt from before, and asks of the
    instructor's labels whether a choice is right. A program that never judges itself on the test part is told by its
    own main evaluation and its own labels, which cannot pass.
    """
    located = _locate(e, known)
    tests = [(one, len(np.unique(one.at[one.part == TEST]))) for one in located if (one.part == TEST).any()]
    if tests:
        most = max(count for _, count in tests)
        return _on_test(e, known, [one for one, count in tests if count >= _MAIN * most][-1])
    main = e.audit.main if e.audit.main is not None and e.audit.main.accuracy is not None else e.audit.measured
    if main is None or not main.right.size:
        return None
    part = next((one.part for one in located if one.evaluation is main), None)
    return Judged(main, int(main.right.sum()), len(main.right), on_test=False, rows=_elsewhere(main, part, known))


def _locate(e: Examination, known: Known) -> list[_Located]:
    """Where the rows of each evaluation with known choices are from."""
    kept = e.trace.evaluated_on
    if kept is None:
        return []
    found = known.find(kept.rows, kept.shape)
    order = np.argsort(kept.fingerprints)
    prints = kept.fingerprints[order]
    located: list[_Located] = []
    for one in e.audit.passes:
        if one.rows.size != one.n or one.chosen.size != one.n:
            continue
        at = np.minimum(np.searchsorted(prints, one.rows), len(prints) - 1)
        there = prints[at] == one.rows
        row = order[at]
        located.append(_Located(one, np.where(there, found.part[row], 0), np.where(there, found.at[row], -1)))
    return located


def _on_test(e: Examination, known: Known, one: _Located) -> Judged:
    evaluation = one.evaluation
    at = np.flatnonzero(one.part == TEST)
    at = at[np.unique(one.at[at], return_index=True)[1]]  # each row once
    learnt = np.isin(evaluation.rows[at], _learnt(e, evaluation))
    counted = at[~learnt] if not learnt.all() else at
    alike = int((one.part == TEST).sum()) - len(at)  # or evaluated twice
    truth = known.test_labels[one.at[counted]]
    chosen, strange = _translated(evaluation, at, known.test_labels[one.at[at]], counted)
    total = len(known.test_labels)
    said = f"test part, all {total:,}" if len(counted) == total else f"test part, {len(counted):,} of {total:,}"
    if len(counted) < total == len(counted) + alike <= (1 + _FEW) * len(counted):
        said = f"test part, all {total:,} ({alike} that look like others count once)"
    if learnt.all():
        said += ", but it had learnt from all of them"
    elif learnt.any():
        said += f" ({learnt.sum():,} more that it had learnt from do not count)"
    if strange:
        said += f" ({strange:,} of its labels are not those of the data)"
    return Judged(evaluation, int((chosen == truth).sum()), len(counted), on_test=not learnt.all(), rows=said)


def _learnt(e: Examination, before: Pass) -> Integers:
    """Fingerprints of the rows of an evaluation that it had learnt from before.

    A fingerprint looks at some pixels of a row: of ten thousand digits a few have one in common with another digit. So
    the rows themselves are compared; where they were not kept, a few in a hundred must be alike.
    """
    rows = [one.rows for one in e.trace.forwards if one.kind == "train" and one.index < before.first]
    common = np.intersect1d(np.concatenate(rows), before.rows) if rows else np.zeros(0, np.int64)
    trained, judged = e.trace.trained_on, e.trace.evaluated_on
    if not common.size or trained is None or judged is None or trained.rows.shape[1] != judged.rows.shape[1]:
        return common if common.size > _FEW * before.n else common[:0]
    kept = np.isin(common, trained.fingerprints) & np.isin(common, judged.fingerprints)
    both = common[kept]
    one, other = _values(trained, both), _values(judged, both)
    same = np.abs(one - other).max(axis=1, initial=0) <= _SAME * max(1e-9, float(np.ptp(other)) if both.size else 1.0)
    rest = common[~kept]
    return np.concatenate([both[same], rest if rest.size > _FEW * before.n else rest[:0]])


def _values(kept: Examples, prints: Integers) -> NDArray[np.float32]:
    """The rows with these fingerprints, as the program had them."""
    order = np.argsort(kept.fingerprints)
    rows = kept.rows[order[np.searchsorted(kept.fingerprints[order], prints)]]
    return rows.astype(np.float32) * np.float32(kept.scale) + np.float32(kept.low)


def _translated(evaluation: Pass, at: Integers, truth: Integers, counted: Integers) -> tuple[Integers, int]:
    """The program's choices for the rows that count, as the instructor numbers the classes.

    ``truth`` are the instructor's labels of the rows ``at``. Also how many of the program's labels are others.
    """
    chosen = evaluation.chosen[counted]
    if evaluation.labels.size != evaluation.n:
        return chosen, 0
    labels = evaluation.labels[at]
    if (labels == truth).mean() >= _AGREE:
        return chosen, int((labels != truth).sum())
    names = {int(name): int(np.bincount(truth[labels == name]).argmax()) for name in np.unique(labels)}
    own = np.array([names[int(label)] for label in labels])
    if len(set(names.values())) < len(names) or (own == truth).mean() < _AGREE:
        return chosen, int((labels != truth).sum())
    return np.array([names.get(int(choice), -1) for choice in chosen]), int((own != truth).sum())


def _elsewhere(main: Pass, part: Integers | None, known: Known) -> str:
    """Which rows an evaluation had that is not on the test part."""
    if part is None:
        return f"{main.n:,} rows that were not seen"
    training, own = int((part == TRAINING).sum()), int((part == 0).sum())
    said: list[str] = []
    if training:
        said.append(f"training part, {training:,} of {len(known.training_labels):,}")
    if own:
        said.append(f"{own:,} rows that are not in the data")
    return " and ".join(said) + (", which it had learnt from" if main.on == "training" else "")
