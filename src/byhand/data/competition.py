"""The two tables of Kaggle's Digit Recognizer: ``train.csv`` to learn from, ``test.csv`` to name, and where they lie.

    train.csv               label,pixel0,…,pixel783     42,000 rows
    test.csv                pixel0,…,pixel783           28,000 rows, whose labels Kaggle keeps
    sample_submission.csv   ImageId,Label               28,000 rows: ids from 1, labels all 0

Tables of other square images and other numbers of rows are read as well.
"""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from byhand.data.cache import cached
from byhand.data.dataset import Dataset, Rows
from byhand.data.files import faults
from byhand.data.split import check_settings, split
from byhand.data.table import has_labels, read_csv, read_unlabelled
from byhand.errors import DataError
from byhand.text import one_line

__all__ = ["NAME", "Competition", "folders", "open_competition"]

NAME: Final = "digit-recognizer"
"""What Kaggle calls the competition in addresses and folders."""

_INPUT: Final = "/kaggle/input"  # what Kaggle's notebooks read from


class Competition(NamedTuple):
    """What is known: labelled images, split into a part to learn from and one to judge by, and images to name.

    The test part of ``data`` has no rows: nobody here knows its labels. ``data.hash`` covers the images to name too.
    """

    data: Dataset
    images: NDArray[np.uint8]  # (M, H, W), in the order of the test table


def folders() -> Iterator[Path]:
    """Where Kaggle's notebooks and ``kagglehub`` put the competition's files, whether they are there or not."""
    yield Path(_INPUT, NAME)
    yield Path(_INPUT, "competitions", NAME)
    cache = os.environ.get("KAGGLEHUB_CACHE") or "~/.cache/kagglehub"
    yield Path(cache).expanduser() / "competitions" / NAME


def open_competition(train: Path, test: Path, valid: float = 0.1, seed: int = 42) -> Competition:
    """Reads both tables and splits the first: a share ``valid`` to judge by, as ``split`` does, the rest to learn from.

    Unlike ``load``, it keeps no fifth for a test part: the competition has one.

    Raises:
        UsageError: ``valid`` or ``seed`` is out of range.
        DataError: a table is damaged, or the other one, or their images differ in size.
    """
    check_settings(valid, seed)
    _check_test(train, test)
    with faults(train):
        content = cached([train], {"reader": ".csv", "version": 1}, lambda: read_csv(train))
    raw = content.raw
    images = read_unlabelled(test)  # (M, H, W)
    (height, width), (h, w) = raw.train.images.shape[1:], images.shape[1:]
    if (height, width) != (h, w):
        raise DataError(
            f"{one_line(test)}: its images have {h} × {w} pixels, those of {one_line(train)} {height} × {width}; both "
            "need one size, get the files again"
        )
    none = Rows(raw.train.images[:0], raw.train.labels[:0])
    content = content._replace(raw=raw._replace(test=none), digests=[*content.digests[:1], np.empty((0, 32), np.uint8)])
    data = split(str(train), content, valid, seed)
    whole = hashlib.sha256(f"byhand competition 1\n{data.hash}\n{images.shape}\n".encode())
    whole.update(np.ascontiguousarray(images).data)
    return Competition(replace(data, hash=whole.hexdigest()), images)


def _check_test(train: Path, test: Path) -> None:
    """DataError if the second table has labels: it is another one, or both are swapped."""
    if not has_labels(test):
        return
    if not has_labels(train):
        raise DataError(
            f"{one_line(train)} has no labels and {one_line(test)} has: they are swapped; name the training table first"
        )
    raise DataError(
        f"{one_line(test)}: row 1 has a column of labels, so this is a table to train on; name Kaggle's test.csv, "
        "which has pixels alone"
    )
