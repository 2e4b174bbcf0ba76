import hashlib
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from byhand.data.content import content_hash, row_digests, shared, sort_order
from byhand.data.dataset import Rows

_CLASSES = ("0", "1", "2")


def _hash(images: NDArray, labels: NDArray, classes: tuple[str, ...] = _CLASSES) -> str:
    return content_hash(row_digests(Rows(images, labels), classes), classes)


@pytest.fixture
def images() -> NDArray:
    return np.random.default_rng(3).integers(0, 256, (60, 4, 6), np.uint8)


@pytest.fixture
def labels() -> NDArray:
    return np.arange(60) % 3


def test_a_digest_is_sha256_of_size_class_and_pixels(images, labels) -> None:
    digests = row_digests(Rows(images, labels), ("zero", "one", "zwei"))
    assert digests.shape == (60, 32)
    assert digests[4].tobytes() == hashlib.sha256(b"4 6 3 one\n" + images[4].tobytes()).digest()


def test_the_order_of_rows_does_not_matter_and_everything_else_does(images, labels) -> None:
    order = np.random.default_rng(4).permutation(60)
    whole = _hash(images, labels)
    assert len(whole) == 64
    assert _hash(images[order], labels[order]) == whole
    pixel = images.copy()
    pixel[59, 3, 5] ^= 1
    label = labels.copy()
    label[17] = (label[17] + 1) % 3
    others = [
        _hash(pixel, labels),
        _hash(images, label),
        _hash(images[order], labels),
        _hash(images.reshape(60, 6, 4), labels),
        _hash(images, labels, ("0", "1", "3")),
        _hash(images, labels, (*_CLASSES, "3")),
        _hash(images[1:], labels[1:]),
        _hash(np.concatenate([images, images[:1]]), np.concatenate([labels, labels[:1]])),
        _hash(np.concatenate([images, images[:2]]), np.concatenate([labels, labels[:2]])),
        _hash(images[:0], labels[:0]),
    ]
    assert len({whole, *others}) == len(others) + 1


def test_rows_that_stand_twice_do_not_cancel(images, labels) -> None:
    twice, four = (np.concatenate([images[:1]] * n) for n in (2, 4))
    assert _hash(twice, labels[[0] * 2]) != _hash(four, labels[[0] * 4])


@given(st.lists(st.sampled_from([bytes(32), b"\1" * 32, bytes(8) + b"\2" * 24, bytes(31) + b"\3", b"\xff" * 32])))
def test_the_order_is_that_of_the_bytes(digests: list[bytes]) -> None:
    table = np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 32)
    order = sort_order(table)
    assert [table[i].tobytes() for i in order] == sorted(digests)
    assert all(a < b for a, b in pairwise(order) if digests[a] == digests[b])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 2**32 - 1))
def test_shared_images_are_those_that_a_comparison_of_all_pairs_finds(n: int, m: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    images, others = (rng.integers(0, 2, (count, 2, 2), np.uint8) for count in (n, m))
    pairs = (images[:, None] == others[None]).all(axis=(2, 3))  # (n, m)
    np.testing.assert_array_equal(shared(images, others), pairs.any(axis=1))
