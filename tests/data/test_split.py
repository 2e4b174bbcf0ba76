import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from byhand.data.content import digest
from byhand.data.dataset import Dataset, Raw, Rows
from byhand.data.split import quotas, split
from byhand.errors import DataError, UsageError


def _raw(labels: NDArray, first: int = 0) -> Rows:
    """An image for each label: 16 bits of its number, so that no two are equal and each says where it stood."""
    numbers = np.arange(first, first + len(labels), dtype="<u2")
    return Rows(numbers.view(np.uint8).reshape(-1, 1, 2), labels)


def _numbers(images: NDArray) -> NDArray:
    return np.ascontiguousarray(images).reshape(-1).view("<u2")


def _split(raw: Raw, **settings) -> Dataset:
    return split("somewhere", digest(raw), **settings)


_COUNTS = st.lists(st.integers(1, 60), min_size=2, max_size=8).filter(lambda counts: sum(counts) > 10)


@given(st.lists(st.integers(0, 500), min_size=1, max_size=12), st.floats(0, 0.999))
def test_quotas_are_less_than_a_row_from_the_exact_share(counts: list[int], share: float) -> None:
    sizes = np.array(counts)
    quota = quotas(sizes, share)
    assert np.all(np.abs(quota - share * sizes) < 1)
    assert np.all((quota >= 0) & (quota <= np.maximum(sizes - 1, 0)))
    if np.all(sizes * (1 - share) >= 1):  # where no class is short of rows, the total is exact
        assert abs(quota.sum() - share * sizes.sum()) <= 0.5 + 1e-9


def test_quotas_known_answers() -> None:
    assert quotas(np.array([50, 30, 20]), 0.1).tolist() == [5, 3, 2]
    assert quotas(np.array([15, 15, 16]), 0.1).tolist() == [2, 1, 2]  # of equal remainders the first
    assert quotas(np.array([5, 4, 4]), 0.25).tolist() == [1, 1, 1]
    assert quotas(np.array([7, 5, 4]), 0.3).tolist() == [2, 2, 1]  # 2.1, 1.5, 1.2 of 5
    assert quotas(np.array([1, 1, 98]), 0.9).tolist() == [0, 0, 89]  # no class is left without a row
    assert quotas(np.array([1, 1, 1, 15]), 0.2).tolist() == [0, 0, 0, 3]  # nor takes another the row that it keeps


@settings(max_examples=60, deadline=None)
@given(counts=_COUNTS, valid=st.floats(0, 0.8), seed=st.integers(0, 2**64), data=st.data())
def test_parts_cover_every_row_once_in_order_and_keep_shares(counts, valid, seed, data) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    labels = labels[data.draw(st.permutations(range(len(labels))))]
    classes = tuple(str(i) for i in range(len(counts)))
    dataset = _split(Raw(_raw(labels), None, None, classes), valid=valid, seed=seed)
    parts = (dataset.train, dataset.valid, dataset.test)
    numbers = [_numbers(part.images) for part in parts]
    assert sorted(np.concatenate(numbers).tolist()) == list(range(len(labels)))
    for part, rows in zip(parts, numbers, strict=True):
        assert np.all(np.diff(rows.astype(int)) > 0)
        np.testing.assert_array_equal(part.labels, labels[rows])
        assert part.classes == classes
        assert len(part) == len(part.images)
    sizes = np.array(counts)
    in_test, in_valid = (np.bincount(part.labels, minlength=len(counts)) for part in (dataset.test, dataset.valid))
    assert np.all(np.abs(in_test - 0.2 * sizes) < 1)
    assert np.all(np.abs(in_valid - valid * (sizes - in_test)) < 1)
    assert set(dataset.train.labels.tolist()) == set(range(len(counts)))


@pytest.fixture
def raw() -> Raw:
    labels = np.random.default_rng(5).integers(0, 4, 400)
    return Raw(_raw(labels), None, None, tuple("abcd"))


def test_the_seed_draws_valid_and_nothing_else(raw: Raw) -> None:
    one, again, other = (_split(raw, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.valid.images, again.valid.images)
    np.testing.assert_array_equal(one.train.images, again.train.images)
    assert set(_numbers(one.valid.images).tolist()) != set(_numbers(other.valid.images).tolist())
    np.testing.assert_array_equal(one.test.images, other.test.images)
    assert one.test.hash == other.test.hash
    assert one.valid.hash != other.valid.hash
    assert one.hash == other.hash == _split(raw, valid=0).hash


def test_the_state_of_numpy_is_left_alone(raw: Raw) -> None:
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    _split(raw)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


def test_other_orders_of_the_rows_have_the_same_test_part(raw: Raw) -> None:
    order = np.random.default_rng(6).permutation(400)
    shuffled = Raw(Rows(raw.train.images[order], raw.train.labels[order]), None, None, raw.classes)
    one, other = _split(raw), _split(shuffled)
    assert one.test.hash == other.test.hash
    assert one.hash == other.hash
    assert len(one.test) == 80
    # A split that takes, say, the first rows of each class would be neat, and would follow the writers.
    assert 0.35 < np.mean(_numbers(one.test.images) < 200) < 0.65


def test_own_parts_are_used_as_they_are(raw: Raw) -> None:
    labels = np.arange(40) % 4
    whole = Raw(raw.train, _raw(labels, 1000), _raw(labels, 2000), raw.classes)
    dataset = _split(whole, valid=0.5)
    np.testing.assert_array_equal(dataset.train.images, raw.train.images)
    np.testing.assert_array_equal(dataset.valid.images, _raw(labels, 1000).images)
    np.testing.assert_array_equal(dataset.test.images, _raw(labels, 2000).images)
    rows = [raw.train, _raw(labels, 1000), _raw(labels, 2000)]
    everything = Rows(*(np.concatenate(arrays) for arrays in zip(*rows, strict=True)))
    assert _split(Raw(everything, None, None, raw.classes)).hash == dataset.hash


def test_valid_0_gives_an_empty_part(raw: Raw) -> None:
    dataset = _split(raw, valid=0)
    assert len(dataset.valid) == 0
    assert dataset.valid.images.shape == (0, 1, 2)
    assert dataset.valid.images.dtype == np.uint8
    assert len(dataset.train) == 320


@pytest.mark.parametrize("settings", [{"valid": v} for v in (1, 1.0, -0.1, float("nan"), "a", None, True, 0.9999)])
def test_shares_that_leave_nothing(raw: Raw, settings) -> None:
    with pytest.raises(UsageError, match="valid="):
        _split(raw, **settings)


@pytest.mark.parametrize("seed", [-1, 1.5, None, "a", True])
def test_seeds_that_are_none(raw: Raw, seed) -> None:
    with pytest.raises(UsageError, match="seed="):
        _split(raw, seed=seed)


@pytest.mark.parametrize(
    ("labels", "what"), [([0] * 20, "all images are of one class"), ([0, 1], "are too few to test")]
)
def test_sources_too_poor_to_split(labels: list[int], what: str) -> None:
    classes = tuple(str(label) for label in sorted(set(labels)))
    with pytest.raises(DataError, match=what):
        _split(Raw(_raw(np.array(labels)), None, None, classes))
