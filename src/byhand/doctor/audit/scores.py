"""What a table of scores says: which axis the classes have, which end is the likelier, and the exact loss.

Rows are samples and columns classes, (N, C), in everything that this module returns.
"""

from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from byhand.doctor.trace import Forward, Prediction

__all__ = ["Kind", "cross_entropy", "kind", "rows_of", "square_axis", "table"]

Kind = Literal["logits", "probabilities", "log-probabilities", "negative log-probabilities"]

_CLOSE = 1e-3  # how far a row of float32 probabilities may be from the sum 1
_CLEAR = 0.2  # an accuracy this much higher tells classes from rows in a square table


def table(prediction: Prediction, n: int, square: int = 1) -> NDArray[np.float32] | None:
    """The scores of ``n`` rows as (N, C), whichever way the program had them; None where they are of other rows.

    ``square`` is the axis of the classes where both axes have the length n.
    """
    scores = prediction.scores
    if scores.ndim == 1:
        return scores[None] if n == 1 and scores.size > 1 else None
    if scores.ndim != 2 or n not in scores.shape:
        return None
    axis = square if scores.shape == (n, n) else 1 if scores.shape[0] == n else 0
    by_row = scores if axis == 1 else scores.T
    return by_row if by_row.shape[1] > 1 else None


def rows_of(
    predictions: Sequence[Prediction], n: int, labels: NDArray[np.int64], square: int = 1
) -> NDArray[np.float32] | None:
    """The scores of ``n`` rows out of the predictions made for them: the last that fits, or one prediction a row.

    The argmax of labels in one-hot form is no prediction.
    """
    predictions = [p for p in predictions if not _is_labels(p, labels)]
    for prediction in reversed(predictions):
        if (scores := table(prediction, n, square)) is not None:
            return scores
    if len(predictions) == n and all(p.scores.shape == predictions[0].scores.shape for p in predictions):
        single = np.stack([p.scores.ravel() for p in predictions]) if n else None
        return single if single is not None and single.shape[1] > 1 and max(predictions[0].scores.shape) > 1 else None
    return None


def _is_labels(prediction: Prediction, labels: NDArray[np.int64]) -> bool:
    scores = prediction.scores
    return (
        prediction.chosen.size == labels.size > 1
        and np.array_equal(prediction.chosen.ravel(), labels)
        and bool(((scores == 0) | (scores == 1)).all())
        and int((scores == 1).sum()) == labels.size
    )


def square_axis(forwards: Sequence[Forward], predictions: Iterable[Prediction]) -> int:
    """The axis of the classes where batches have as many rows as there are classes: as in the run's other tables.

    Where all are square, the axis whose largest scores agree clearly better with the labels; 1 if neither does.
    """
    votes, hits, rows = [0, 0], [0, 0], 0
    for prediction in predictions:
        if prediction.forward is None or prediction.scores.ndim != 2:
            continue
        forward, shape = forwards[prediction.forward], prediction.scores.shape
        if shape[0] != shape[1] and forward.n > 1:
            votes[1] += shape[0] == forward.n
            votes[0] += shape[1] == forward.n
        elif shape[0] == forward.n == forward.labels.size and forward.kind == "eval":
            rows += forward.n
            for axis in (0, 1):
                hits[axis] += int((prediction.scores.argmax(axis) == forward.labels).sum())
    if votes[0] != votes[1]:
        return int(votes[1] > votes[0])
    return 0 if hits[0] > hits[1] + _CLEAR * rows else 1


def kind(scores: NDArray[np.float32]) -> Kind | None:
    """What scores (N, C) are, by value; None where they are in 0..1 and no distribution, as a sigmoid's."""
    values = scores.astype(np.float64)
    if not np.isfinite(values).all():
        return "log-probabilities" if bool((values <= 0).all()) else None
    low, high = float(values.min(initial=0)), float(values.max(initial=0))
    if low >= 0 and high <= 1 + _CLOSE:
        return "probabilities" if bool((np.abs(values.sum(1) - 1) < _CLOSE).all()) else None
    if high <= _CLOSE and bool((np.abs(_log_sum(values)) < _CLOSE).all()):
        return "log-probabilities"
    if low >= -_CLOSE and bool((np.abs(_log_sum(-values)) < _CLOSE).all()):
        return "negative log-probabilities"
    return "logits"


def cross_entropy(scores: NDArray[np.float32], labels: NDArray[np.int64], what: Kind) -> float | None:
    """The mean cross-entropy in nats, in float64; None where a label is no column of the scores."""
    if not labels.size or int(labels.min()) < 0 or int(labels.max()) >= scores.shape[1]:
        return None
    values = scores.astype(np.float64)
    mine = values[np.arange(len(labels)), labels]  # (N,)
    match what:
        case "logits":
            losses = _log_sum(values) - mine
        case "probabilities":
            with np.errstate(divide="ignore"):
                losses = -np.log(mine)
        case "log-probabilities":
            losses = -mine
        case "negative log-probabilities":
            losses = mine
    return float(losses.mean())


def _log_sum(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The log of Σ_c exp(values[:, c]), (N,)."""
    top = values.max(axis=1, keepdims=True)
    return (top + np.log(np.exp(values - top).sum(axis=1, keepdims=True)))[:, 0]
