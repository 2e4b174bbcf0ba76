"""Rows are known whatever their scale and shape, and what is not of the data is not taken for it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from byhand.classroom.rows import NONE, TEST, TRAINING, Known

Make = Callable[[NDArray, Known], NDArray]


def by_column(rows: NDArray, known: Known) -> NDArray:
    """As scikit-learn's StandardScaler, fitted to the training part."""
    spread = known.training.std(axis=0)
    return (rows - known.training.mean(axis=0)) / np.where(spread > 0, spread, 1)


WAYS: dict[str, Make] = {
    "raw": lambda rows, _: rows,
    "uint8": lambda rows, _: rows.astype(np.uint8),
    "divided": lambda rows, _: rows / 16,
    "float16": lambda rows, _: (rows / 16).astype(np.float16),
    "standardized": lambda rows, _: (rows - 4.9) / 6.0,
    "inverted": lambda rows, _: 1 - rows / 16,
    "by column": by_column,
    "with ones": lambda rows, _: np.hstack([rows / 16, np.ones((len(rows), 1))]),
    "ones before": lambda rows, _: np.hstack([np.ones((len(rows), 1)), rows / 16]),
    "in three colours": lambda rows, _: np.tile(rows / 255, 3),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("part", "count"), [(TEST, 500), (TEST, 120), (TRAINING, 400)])
def test_rows_of_the_data_are_known_one_by_one(known: Known, way: str, part: int, count: int) -> None:
    images = (known.test if part == TEST else known.training).astype(np.float64)
    at = np.random.default_rng(1).permutation(len(images))[:count]
    rows = WAYS[way](images[at], known)
    found = known.find(rows, (rows.shape[1],))
    assert (found.part == part).mean() >= 0.98
    there = found.part == part
    same = (images[found.at[there]] == images[at[there]]).all(axis=1)
    assert same.all()


def test_a_margin_around_the_image_is_taken_off(known: Known) -> None:
    rows = np.pad(known.test.reshape(-1, 8, 8) / 16, ((0, 0), (2, 2), (2, 2))).reshape(500, -1)
    assert (known.find(rows, (1, 12, 12)).part == TEST).all()


def test_both_parts_in_one_table(known: Known) -> None:
    rows = np.vstack([known.test[:50], known.training[:70]])
    assert np.bincount(known.find(rows, (64,)).part, minlength=3).tolist() == [0, 50, 70]


@pytest.mark.parametrize("what", ["noise", "shifted", "mean of two", "features", "too wide"])
def test_other_rows_are_of_no_part(known: Known, what: str) -> None:
    rng = np.random.default_rng(0)
    images = known.test.astype(np.float64)
    rows = {
        "noise": lambda: rng.random((500, 64)),
        "shifted": lambda: np.roll(images.reshape(-1, 8, 8), 1, axis=2).reshape(-1, 64),
        "mean of two": lambda: (images + images[::-1]) / 2,
        "features": lambda: images @ rng.standard_normal((64, 64)),
        "too wide": lambda: rng.random((500, 100)),
    }[what]()
    assert (known.find(rows, (rows.shape[1],)).part == NONE).all()


def test_rows_that_are_no_numbers_are_of_no_part(known: Known) -> None:
    rows = np.full((60, 64), np.nan)
    assert (known.find(rows, (64,)).part == NONE).all()


def test_it_is_the_same_from_a_folder(known: Known, tmp_path: Path) -> None:
    known.save(tmp_path)
    again = Known.open(tmp_path)
    assert again.sides == known.sides == (8, 8)
    assert np.array_equal(again.find(known.test / 16, (64,)).at, np.arange(500))
