"""The program's own data as a data set: what a linear layer could learn on the rows that it learnt from.

The rows come as the program had them, scaled and shifted; a linear layer with a bias does not mind, so they are put
back on 0..255, which is exact for pixels.
"""

import hashlib
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.trace import Examples

__all__ = ["Reference", "Rows", "reference"]

_LEAST: Final = 100  # rows of either part
_MOST_CLASSES: Final = 100
_PIXELS: Final = 25  # of the smallest image
_VALID: Final = 10  # every tenth row to learn from chooses the penalty
_SPEED: Final = 5e7  # rows · pixels · classes a second, on two cores


@final
class Rows(NamedTuple):
    """One part."""

    images: NDArray[np.uint8]  # (N, 1, P)
    labels: NDArray[np.int64]  # (N,), an index into the classes
    hash: str  # of the content


@final
class Reference(NamedTuple):
    """The rows to learn from, those that choose the penalty, and those that the program judges itself by."""

    train: Rows
    valid: Rows
    test: Rows
    classes: tuple[str, ...]

    @property
    def seconds(self) -> float:
        """About what it takes to find the best linear layer."""
        n, _, p = self.train.images.shape
        return 1 + n * p * len(self.classes) / _SPEED


def reference(evidence: Evidence) -> Reference | None:
    """The data of a program that classifies images; None where it does not, or where not all of its rows were seen.

    What it judges itself by must be rows that it can be judged by: those of its main evaluation, and none of them is
    left among the rows to learn from.
    """
    trained, judged, main = evidence.trace.trained_on, evidence.trace.evaluated_on, evidence.audit.main
    if trained is None or judged is None or main is None or main.on in ("training", "unknown"):
        return None
    if trained.shape != judged.shape or not all(map(_is_usable, (trained, judged))):
        return None
    held_out = np.isin(judged.fingerprints, main.rows)
    own = np.flatnonzero(~np.isin(trained.fingerprints, main.rows))
    if min(held_out.sum(), own.size) < _LEAST or held_out.sum() < 0.9 * np.unique(main.rows).size:
        return None
    names, learnt = np.unique(trained.labels[own], return_inverse=True)
    truth = judged.labels[held_out]
    if not 2 <= len(names) <= _MOST_CLASSES or not np.isin(truth, names).all():
        return None

    images, tests = trained.rows[own], judged.rows[held_out]
    if trained.rows.dtype != np.uint8:
        low, high = float(min(images.min(), tests.min())), float(max(images.max(), tests.max()))
    else:
        low, high = 0.0, float(max(images.max(), tests.max()))
    if not high > low:
        return None
    images, tests = _pixels(images, low, high), _pixels(tests, low, high)
    order = np.argsort(trained.fingerprints[own], kind="stable")  # the same for every order of the program's
    valid, train = order[::_VALID], np.delete(order, np.s_[::_VALID])
    return Reference(
        _rows(images[train], learnt[train]),
        _rows(images[valid], learnt[valid]),
        _rows(tests, np.searchsorted(names, truth)),
        tuple(map(str, names.tolist())),
    )


def _is_usable(one: Examples) -> bool:
    """Whether these are labelled images, each row of them: pixels on one scale, or a picture in its shape."""
    image = one.rows.dtype == np.uint8 or len(one.shape) > 1
    return one.whole and image and one.rows.shape[1] >= _PIXELS and one.labels.size == len(one.rows)


def _pixels(rows: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    """(N, P) → (N, 1, P): low becomes 0 and high 255."""
    scaled = np.rint((rows.astype(np.float32) - low) * np.float32(255 / (high - low)))
    return scaled.astype(np.uint8)[:, None]


def _rows(images: NDArray[np.uint8], labels: Sequence[int] | NDArray[np.int64]) -> Rows:
    known = np.asarray(labels, dtype=np.int64)
    digest = hashlib.sha256(np.ascontiguousarray(images).tobytes() + known.tobytes()).hexdigest()
    return Rows(images, known, digest)
