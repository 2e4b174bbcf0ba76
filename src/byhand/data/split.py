"""From what a reader found to training, validation and test parts."""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from byhand.data.content import Content, content_hash, sort_order
from byhand.data.dataset import Dataset, Part, Rows
from byhand.errors import DataError, UsageError
from byhand.text import brief, one_line

TEST_SHARE: Final = 0.2
"""The share of the rows that is the test part of a source which has none of its own."""

TRAIN, VALID, TEST = range(3)


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
    found = iter(content.digests)
    pool = _Keyed(raw.train, next(found))
    own_valid = None if raw.valid is None else _Keyed(raw.valid, next(found))
    own_test = None if raw.test is None else _Keyed(raw.test, next(found))
    own = own_valid is not None, own_test is not None
    parts = assign(source, pool.rows.labels, pool.digests, classes, own, valid, seed)  # (N,)
    own_test = own_test or pool.take(parts == TEST)
    own_valid = own_valid or pool.take(parts == VALID)
    if parts.any():
        pool = pool.take(parts == TRAIN)
    return Dataset(
        source,
        pool.part(classes),
        own_valid.part(classes),
        own_test.part(classes),
        classes,
        content.hash,
    )


def assign(
    source: str,
    labels: NDArray[np.int64],
    digests: NDArray[np.uint8],
    classes: Sequence[str],
    own: tuple[bool, bool],
    valid: float,
    seed: int,
) -> NDArray[np.int8]:
    """Which part each row of a source's training part goes to, as ``split`` says: TRAIN, VALID or TEST, (N,).

    Args:
        source: what to call it in messages.
        labels: (N,), an index into the classes.
        digests: (N, 32), of the rows.
        classes: the C names.
        own: whether the source has a validation part of its own, and a test part; none is drawn then.
        valid: the share to validate on.
        seed: for that draw.

    Raises:
        UsageError: no row would be left for training.
        DataError: one class only, or too few rows to keep a fifth for the test part.
    """
    if len(classes) < 2:
        raise DataError(
            f"{one_line(source)}: all images are of one class ({', '.join(map(one_line, classes))}); "
            "a classifier needs two"
        )
    own_valid, own_test = own
    parts = np.full(len(labels), TRAIN, np.int8)  # (N,)
    if not own_test:
        in_test = choose(labels, sort_order(digests), len(classes), TEST_SHARE)
        if not in_test.any():
            raise DataError(
                f"{one_line(source)}: {len(labels)} images of {len(classes)} classes are too few to test on a fifth"
            )
        parts[in_test] = TEST
    if not own_valid:
        left = np.flatnonzero(parts == TRAIN)
        if round_half_up(valid * len(left)) >= len(left):
            raise UsageError(f"valid={valid} of {len(left)} images leaves none for training; give less")
        order = np.random.Generator(np.random.PCG64(seed)).permutation(len(left))
        parts[left[choose(labels[left], order, len(classes), valid)]] = VALID
    return parts


def check_settings(valid: object, seed: object) -> None:
    """Refuses, as a UsageError, a ``valid`` outside [0, 1) or a ``seed`` that is no integer from 0 up."""
    if isinstance(valid, bool) or not isinstance(valid, int | float) or not 0 <= valid < 1:
        raise UsageError(
            f"valid={brief(valid, 40)}: give the share of the images to validate on, from 0 up to but not including 1"
        )
    given = brief(seed, 40)
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
