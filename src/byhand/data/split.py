"""From what a reader found to training, validation and test parts."""

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from byhand.data.content import Content, content_hash, sort_order
from byhand.data.dataset import Dataset, Part, Rows
from byhand.data.files import shown
from byhand.errors import DataError, UsageError

TEST_SHARE: Final = 0.2
"""The share of the rows that is the test part of a source which has none of its own."""


def split(source: str, content: Content, valid: float = 0.1, seed: int = 42) -> Dataset:
    """Splits what a reader found. Rows keep their order inside a part.

    * test: the source's own; else a fixed, stratified 20 %. Which rows it takes follows from their content alone, so
      the same digits in another order or another format give the same test part, whatever ``seed`` is.
    * valid: the source's own, and then ``valid`` has no say; else the stratified share ``valid`` of what is left,
      drawn by ``seed`` from a generator of its own (NumPy's PCG64).

    Args:
        source: what to call it in messages and in ``Dataset.source``.
        content: the rows and class names, with their digests.
        valid: a share in [0, 1); 0 gives a validation part without rows.
        seed: for the validation part.

    Raises:
        UsageError: ``valid`` or ``seed`` is out of range, or no row would be left for training.
        DataError: the source has one class only, or too few rows to keep a fifth for the test part.
    """
    check_settings(valid, seed)
    raw = content.raw
    classes = raw.classes
    if len(classes) < 2:
        raise DataError(
            f"{shown(source)}: all images are of one class ({', '.join(map(shown, classes))}); a classifier needs two"
        )
    found = iter(content.digests)
    pool = _Keyed(raw.train, next(found))
    own_valid = None if raw.valid is None else _Keyed(raw.valid, next(found))
    own_test = None if raw.test is None else _Keyed(raw.test, next(found))
    if own_test is None:
        order = sort_order(pool.digests)
        in_test = choose(pool.rows.labels, order, len(classes), TEST_SHARE)
        if not in_test.any():
            raise DataError(
                f"{shown(source)}: {len(in_test)} images of {len(classes)} classes are too few to test on a fifth"
            )
        own_test, pool = pool.take(in_test), pool.take(~in_test)
    if own_valid is None:
        if round_half_up(valid * len(pool.digests)) >= len(pool.digests):
            raise UsageError(f"valid={valid} of {len(pool.digests)} images leaves none for training; give less")
        order = np.random.Generator(np.random.PCG64(seed)).permutation(len(pool.digests))
        in_valid = choose(pool.rows.labels, order, len(classes), valid)
        own_valid = pool.take(in_valid)
        if valid:
            pool = pool.take(~in_valid)
    return Dataset(
        source,
        pool.part(classes),
        own_valid.part(classes),
        own_test.part(classes),
        classes,
        content.hash,
    )


def check_settings(valid: object, seed: object) -> None:
    """Refuses, as a UsageError, a ``valid`` outside [0, 1) or a ``seed`` that is no integer from 0 up."""
    if isinstance(valid, bool) or not isinstance(valid, int | float) or not 0 <= valid < 1:
        raise UsageError(
            f"valid={shown(valid)[:40]}: give the share of the images to validate on, from 0 up to but not including 1"
        )
    given = shown(seed)[:40]
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise UsageError(f"seed={given}: give an integer from 0 up")


def round_half_up(value: float) -> int:
    """The nearest integer; a half goes up."""
    return math.floor(value + 0.5)


def quotas(counts: NDArray[np.int64], share: float) -> NDArray[np.int64]:
    """How many rows of each class (C,) make up ``share`` of them all: the method of largest remainders.

    Each class gets ⌊share · count⌋; the rows still missing from the rounded total go one each to the classes with the
    largest remainders, the first of equals first. A class always keeps a row, so that no class is missing where the
    model trains; its quota stays less than one row away from its exact share.
    """
    exact = share * counts  # (C,)
    quota = np.minimum(np.floor(exact).astype(np.int64), np.maximum(counts - 1, 0))
    missing = round_half_up(share * int(counts.sum())) - int(quota.sum())
    for place in np.argsort(quota - exact, kind="stable"):
        if missing <= 0:
            break
        if quota[place] < min(counts[place] - 1, exact[place]):
            quota[place] += 1
            missing -= 1
    return quota


def choose(labels: NDArray[np.int64], order: NDArray[np.intp], classes: int, share: float) -> NDArray[np.bool_]:
    """Marks a stratified ``share`` of the rows (N,): of each class, the first of its quota in ``order``."""
    quota = quotas(np.bincount(labels, minlength=classes), share)
    chosen = np.zeros(len(labels), np.bool_)
    ordered = labels[order]
    for label, count in enumerate(quota):
        chosen[order[np.flatnonzero(ordered == label)[:count]]] = True
    return chosen


class _Keyed(NamedTuple):
    """Rows with the digest of each."""

    rows: Rows
    digests: NDArray[np.uint8]  # (N, 32)

    def take(self, mask: NDArray[np.bool_]) -> "_Keyed":
        places = np.flatnonzero(mask)  # take is twice as fast as a mask on rows of pixels
        images, labels = self.rows
        return _Keyed(Rows(images.take(places, 0), labels.take(places)), self.digests.take(places, 0))

    def part(self, classes: tuple[str, ...]) -> Part:
        return Part(self.rows.images, self.rows.labels, classes, content_hash(self.digests, classes))
