"""A shuffled pass over shards: each row once, in an order that depends on the seed alone, read one stretch ahead."""

from collections.abc import Iterator
from pathlib import Path
from threading import current_thread

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from byhand.data import stretches
from byhand.data.dataset import Rows
from byhand.data.shards import Shards
from byhand.data.stretches import Stretch, in_order, length, shuffled


class Numbered:
    """As ``Shards``, of which row i has label i and the pixel i mod 256; what was read is noted."""

    def __init__(self, count: int) -> None:
        self.count, self.shape, self.read = count, (1, 1), list[tuple[int, int]]()

    def __len__(self) -> int:
        return self.count

    rows = Shards.rows

    def read_into(self, rows: Rows, start: int) -> None:
        rows.labels[:] = np.arange(start, start + len(rows.labels))
        assert not len(rows.labels) or rows.labels[-1] < self.count
        rows.images[:, 0, 0] = rows.labels % 256
        self.read.append((start, len(rows.labels)))


def labels(passed: Iterator[Stretch]) -> list[NDArray[np.int64]]:
    """Of each stretch the labels in the order in which they are taken."""
    found = []
    for (images, there), order in passed:
        assert (images[:, 0, 0] == there % 256).all()
        found.append(there if order is None else there[order])
    return found


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stretches, "_BLOCK", 7)


@pytest.mark.usefixtures("small")
@settings(max_examples=200)
@given(st.integers(1, 200), st.integers(1, 60), st.integers(0, 2**62 - 1), st.integers(0, 5))
def test_each_row_comes_once_and_a_pass_goes_on_anywhere(count: int, size: int, seed: int, first: int) -> None:
    part = Numbered(count)
    whole = labels(shuffled(part, size, seed))  # type: ignore[arg-type]
    assert sorted(np.concatenate(whole)) == list(range(count))
    assert all(len(some) == size for some in whole[:-1])
    assert all(read <= 7 for _, read in part.read)
    later = labels(shuffled(part, size, seed, first))  # type: ignore[arg-type]
    assert [some.tolist() for some in later] == [some.tolist() for some in whole[first:]]


@pytest.mark.usefixtures("small")
def test_the_order_follows_from_the_seed_and_is_another_for_each() -> None:
    orders = [np.concatenate(labels(shuffled(Numbered(500), 50, seed))).tolist() for seed in (1, 1, 2)]  # type: ignore[arg-type]
    assert orders[0] == orders[1] != orders[2]


@pytest.mark.usefixtures("small")
def test_every_row_may_come_at_any_place() -> None:
    """Over many seeds the mean place of a row is the middle, to half a block, and its spread that of a uniform one."""
    count, seeds = 70, 2000
    places = np.empty((seeds, count))
    for seed in range(seeds):
        places[seed, np.concatenate(labels(shuffled(Numbered(count), 20, seed)))] = np.arange(count)  # type: ignore[arg-type]
    sd = np.sqrt((count**2 - 1) / 12)
    assert np.abs(places.mean(0) - (count - 1) / 2).max() < 7 / 2 + 5 * sd / np.sqrt(seeds)
    assert np.abs(places.std(0) / sd - 1).max() < 0.12


def test_in_order_nothing_is_left_out() -> None:
    found = labels(in_order(Numbered(100), 30, 5, 98))  # type: ignore[arg-type]
    assert [len(some) for some in found] == [30, 30, 30, 3]
    assert np.concatenate(found).tolist() == list(range(5, 98))


def test_a_stretch_is_read_by_another_thread_while_the_one_before_is_used() -> None:
    made: list[str] = []

    def maker(name: str) -> Stretch:
        made.append(f"{name} {current_thread().name[:6]}")
        return Stretch(Rows(np.empty((0, 1, 1), np.uint8), np.empty(0, np.int64)), None)

    passed = stretches._ahead(lambda name=name: maker(name) for name in "abcd")
    next(passed)
    next(passed)
    passed.close()  # waits for what is being read
    assert made == ["a byhand", "b byhand", "c byhand"]


def test_a_fault_in_the_thread_comes_out(tmp_path: Path) -> None:
    def broken() -> Stretch:
        raise FileNotFoundError(tmp_path)

    with pytest.raises(FileNotFoundError):
        list(stretches._ahead([broken]))


def test_a_stretch_is_whole_batches_of_some_megabytes() -> None:
    digits = Numbered(1)
    digits.shape = (28, 28)
    assert length(digits, 256) == 64_000  # type: ignore[arg-type]
    assert length(digits, 100_000) == 100_000  # type: ignore[arg-type]
    digits.shape = (1000, 1000)
    assert length(digits, 16) == 48  # type: ignore[arg-type]
