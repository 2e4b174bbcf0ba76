"""What the confusion matrix says: of each class, and of the pairs that are mixed up most.

``confusion`` is (C, C): row i, column j counts the images of class i that the model called j.
"""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from byhand.evaluate.statistics import Proportion, wilson

__all__ = ["ClassRow", "Pair", "class_rows", "confused_pairs"]

Counts = NDArray[np.int64]


@final
@dataclass(frozen=True, slots=True)
class ClassRow:
    """One class: how many of its images were found, and how far its name can be believed."""

    label: int
    accuracy: Proportion | None  # of the images of this class, those called so (recall); None without any
    precision: Proportion | None  # of the images called so, those of this class; None if none was
    taken_for: int | None  # the class that its images are called most often instead; None if they never are
    taken: int  # how often


@final
@dataclass(frozen=True, slots=True)
class Pair:
    """Images of class ``label`` that were called ``other``."""

    label: int
    other: int
    count: int
    share: float  # of the images of class ``label``


def class_rows(confusion: Counts) -> list[ClassRow]:
    """A row for each class, in their order, with Wilson's intervals."""
    hits = confusion.diagonal()  # (C,)
    images, calls = confusion.sum(axis=1), confusion.sum(axis=0)  # (C,), (C,)
    errors = confusion - np.diag(hits)  # (C, C)
    other = errors.argmax(axis=1)  # (C,)
    return [
        ClassRow(
            label=i,
            accuracy=wilson(int(hits[i]), int(images[i])) if images[i] else None,
            precision=wilson(int(hits[i]), int(calls[i])) if calls[i] else None,
            taken_for=int(other[i]) if errors[i].any() else None,
            taken=int(errors[i].max()),
        )
        for i in range(len(confusion))
    ]


def confused_pairs(confusion: Counts, limit: int) -> list[Pair]:
    """The pairs of two classes with the most images, at most ``limit``; the first of equal ones first."""
    errors = confusion - np.diag(confusion.diagonal())  # (C, C)
    worst = np.argsort(-errors, axis=None, kind="stable")[:limit]
    pairs = [divmod(int(place), len(errors)) for place in worst]
    return [Pair(i, j, int(errors[i, j]), float(errors[i, j] / confusion[i].sum())) for i, j in pairs if errors[i, j]]
