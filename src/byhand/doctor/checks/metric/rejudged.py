"""The same held-out rows judged again and again: one series of evaluations for each set of rows.

Letters: N rows of a set, C classes, K evaluations of it.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.audit.passes import Pass
from byhand.doctor.checks.reading.tapes import exact_losses

__all__ = ["losses", "paired", "series"]

Array = NDArray[np.float64]

_ROWS: Final = 50  # fewer are a demonstration, and judge nothing
_TINY: Final = 1e-12  # in place of a probability of 0


def series(evidence: Evidence) -> list[list[Pass]]:
    """For each set of held-out rows the evaluations of it after some training, in the order in which they ended.

    Only those count whose accuracy is known and whose rows all have a fingerprint. Where the same weights give the same
    scores twice, as for a loss and then for an accuracy, one of the two is left.
    """
    found: dict[bytes, list[Pass]] = {}
    for one in evidence.audit.passes:
        rows = one.rows
        if one.clock == 0 or one.on != "held-out" or one.accuracy is None or rows.size != one.n or one.n < _ROWS:
            continue
        same = found.setdefault(np.sort(rows).tobytes(), [])
        if not (same and _is_twin(same[-1], one)):
            same.append(one)
    return list(found.values())


def _is_twin(first: Pass, second: Pass) -> bool:
    if first.clock != second.clock or first.forward.training != second.forward.training:
        return False
    return first.scores is None or second.scores is None or np.array_equal(first.scores, second.scores)


def losses(one: Pass) -> Array | None:
    """The cross-entropy of each row, (N,), in the order of the fingerprints; None where scores do not tell it."""
    if one.scores is None or one.labels.size != one.n or not len(one.labels):
        return None
    scores = one.scores.astype(np.float64)
    if not np.isfinite(scores).all() or int(one.labels.min()) < 0 or int(one.labels.max()) >= scores.shape[1]:
        return None
    match one.loss_of:
        case "logits" | "log-probabilities":
            each = exact_losses(scores, one.labels)
        case "probabilities":
            each = exact_losses(np.log(np.maximum(scores, _TINY)), one.labels)
        case _:
            return None
    return each[np.argsort(one.rows, kind="stable")]


def paired(before: Array, after: Array) -> tuple[float, float]:
    """The mean of a change, row by row, and one standard error of it."""
    change = after.astype(np.float64) - before
    return float(change.mean()), float(change.std()) / math.sqrt(change.size)
