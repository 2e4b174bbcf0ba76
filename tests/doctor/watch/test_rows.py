"""Fingerprints of rows, and the rows themselves, once each."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from byhand.doctor.watch.rows import Collector, fingerprints

small = st.floats(-4, 4, width=32)


@given(arrays(np.float32, st.tuples(st.integers(1, 12), st.integers(1, 9)), elements=small))
def test_equal_for_equal_rows_and_only_for_them(rows):
    prints = fingerprints(rows)
    equal = (rows[:, None] == rows[None]).all(axis=2)  # minus zero is zero
    np.testing.assert_array_equal(prints[:, None] == prints[None], equal)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.uint8, np.int64])
def test_the_type_and_the_place_in_memory_do_not_matter(dtype):
    rows = np.random.default_rng(0).integers(0, 256, (50, 784))
    reference = fingerprints(rows.astype(np.float32))
    np.testing.assert_array_equal(fingerprints(rows.astype(dtype)), reference)
    np.testing.assert_array_equal(fingerprints(np.asfortranarray(rows.astype(dtype))), reference)
    np.testing.assert_array_equal(fingerprints(rows.astype(dtype)[::-1]), reference[::-1])


def test_no_two_of_many_rows_of_pixels_are_taken_for_each_other():
    rows = np.random.default_rng(1).integers(0, 2, (60_000, 784), dtype=np.uint8)
    assert len(np.unique(fingerprints(rows))) == 60_000


def collect(chunks, labels=None):
    collector = Collector()
    for i, chunk in enumerate(chunks):
        own = np.zeros(0, np.int64) if labels is None else labels[i]
        collector.add(chunk, fingerprints(chunk), own, chunk.shape[1:])
    return collector.examples()


def test_each_row_once_with_its_label():
    rng = np.random.default_rng(0)
    rows, labels = rng.normal(size=(30, 5)).astype(np.float32), rng.integers(0, 3, 30)
    parts = [slice(0, 20), slice(10, 30), slice(0, 30)]
    found = collect([rows[part] for part in parts], [labels[part] for part in parts])
    assert found is not None
    np.testing.assert_array_equal(found.rows, rows)
    np.testing.assert_array_equal(found.labels, labels)
    np.testing.assert_array_equal(found.fingerprints, fingerprints(rows))
    assert (found.scale, found.low, found.whole, found.shape) == (1.0, 0.0, True, (5,))


@pytest.mark.parametrize(
    ("scale", "low"), [(1.0, 0.0), (1 / 255, 0.0), (1 / 0.3081 / 255, -0.1307 / 0.3081), (2 / 16, -1)]
)
def test_scaled_pixels_are_kept_as_bytes(scale, low):
    pixels = np.random.default_rng(0).integers(0, 17, (400, 64))
    pixels[0, :17] = np.arange(17)
    rows = (pixels * scale + low).astype(np.float32)
    found = collect(np.array_split(rows, 9))
    assert found.rows.dtype == np.uint8
    np.testing.assert_allclose(found.rows * found.scale + found.low, rows, atol=1e-5)


def test_what_is_no_pixel_is_kept_as_it_is():
    rows = np.random.default_rng(0).normal(size=(300, 6))
    found = collect([rows])
    assert found.rows.dtype == np.float32
    np.testing.assert_array_equal(found.rows, rows.astype(np.float32))
    assert collect([]) is None


def test_a_few_rows_without_labels_are_left_out_and_many_leave_none():
    rows = np.random.default_rng(0).normal(size=(100, 4))
    none = np.zeros(0, np.int64)
    known = np.arange(90) % 3
    found = collect([rows[:90], rows[90:]], [known, none])
    assert len(found.rows) == 90
    np.testing.assert_array_equal(found.labels, known)
    found = collect([rows[:10], rows[10:]], [known[:10], none])
    assert (len(found.rows), len(found.labels)) == (100, 0)
