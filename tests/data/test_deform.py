import math
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage
from threadpoolctl import threadpool_limits

from byhand.data import deform as module
from byhand.data.deform import SMOOTH, STRENGTH, Strength, deform
from byhand.data.load import load

FIXED = Strength(elastic=0.05, turn=0.2, scale=0.1, shear=0.1, shift=0.05)
CRC = 3469916008
STILL = Strength(elastic=0, turn=0, scale=0, shear=0, shift=0)
KEY = np.array([1, 2], np.uint64)
RNG = np.random.default_rng(0)
NOISE = RNG.integers(0, 256, (50, 28, 28), np.uint8)


def places(n, height, width, strength=STRENGTH, first=0, key=KEY):
    """Where the pixels come from, y and x (n, H, W), in pixels."""
    drawn = module._draw(key, first, n)
    return [axis.transpose(1, 0, 2) / 256 - 1 for axis in module._places(drawn, height, width, strength)]


def moved(n, height, width, strength=STRENGTH):
    """How far, y and x (n, H, W)."""
    y, x = places(n, height, width, strength)
    return y - np.arange(height)[:, None], x - np.arange(width)


images_of_any_size = array_shapes(min_dims=3, max_dims=3, max_side=12).flatmap(lambda shape: arrays(np.uint8, shape))


@given(images_of_any_size, st.integers(0, 2**40), st.integers(1, 2**40), st.integers(0, 2**80), st.data())
def test_a_row_has_the_same_bits_whatever_stands_beside_it(images, first, version, seed, data):
    whole = deform(images, first, version, seed)
    assert whole.shape == images.shape
    assert whole.dtype == np.uint8
    cut = data.draw(st.integers(0, len(images)))
    parts = [deform(images[:cut], first, version, seed), deform(images[cut:], first + cut, version, seed)]
    assert np.array_equal(np.concatenate(parts), whole)
    row = data.draw(st.integers(0, len(images) - 1))
    others = RNG.integers(0, 256, images.shape, np.uint8)
    others[row] = images[row]
    assert np.array_equal(deform(others, first, version, seed)[row], whole[row])


@given(st.lists(st.integers(1, 200), min_size=1, max_size=8), st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)  # the first one reads the digits
def test_any_blocks_of_real_digits_have_the_same_bits(sizes, first):
    images = np.resize(load("digits").train.images, (sum(sizes), 8, 8))
    starts = np.cumsum([0, *sizes])
    parts = [
        deform(images[start : start + size], first + int(start), 3, 42)
        for start, size in zip(starts, sizes, strict=False)
    ]
    assert np.array_equal(np.concatenate(parts), deform(images, first, 3, 42))


def test_many_threads_at_once_give_the_same_bits():
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: deform(NOISE, 5, 2, 42), range(12)))
    assert all(np.array_equal(found[0], other) for other in found)


def test_the_bits_are_those_of_the_day_this_was_written():
    """Data sets made on other days and machines are the same: who changes this changes all of them."""
    digits = (np.arange(3 * 28 * 28).reshape(3, 28, 28) % 251).astype(np.uint8)
    assert zlib.crc32(deform(digits, 7, 2, 42, strength=FIXED).tobytes()) == CRC


@pytest.mark.parametrize(("height", "width"), [(28, 28), (8, 8), (1, 1), (3, 50), (1, 8192)])
def test_every_sum_is_exact_so_that_no_order_of_adding_matters(height, width, monkeypatch):
    basis, products = module._basis, []

    class Checked(np.ndarray):
        """A matrix whose products are added up from the first term to the last, from the last, and as BLAS does."""

        def __matmul__(self, other):
            left, right = np.asarray(self), np.asarray(other)
            terms = [np.outer(left[:, k], right[k]) for k in range(len(right))]
            assert np.array_equal(sum(terms), left @ right)
            assert np.array_equal(sum(reversed(terms)), left @ right)
            products.append(left @ right)
            return left @ right

        def __rmatmul__(self, other):
            return np.asarray(other).view(Checked) @ self

    monkeypatch.setattr(module, "_basis", lambda side: basis(side).view(Checked))
    module._places(module._draw(KEY, 0, 20), height, width, Strength(0.05, 0.9, 0.5, 0.5, 0.5))
    assert len(products) == 4


def test_any_number_of_threads_gives_the_same_bits():
    found = set()
    for threads in (1, 2, 4, 8):
        with threadpool_limits(threads):
            found.add(deform(NOISE, 0, 1, 42).tobytes())
    assert len(found) == 1


def test_version_0_is_the_pictures_themselves():
    assert deform(NOISE, 3, 0, 42) is NOISE


@given(images_of_any_size, st.integers(1, 99))
def test_no_strength_changes_nothing(images, version):
    assert np.array_equal(deform(images, 0, version, 42, strength=STILL), images)


def test_other_seeds_versions_and_rows_are_other_pictures():
    same = np.repeat(NOISE[:1], 50, 0)
    found = {deform(same, first, v, s).tobytes() for first in (0, 50) for v in (1, 2, 3) for s in (0, 1, 2**32, 2**64)}
    rows = {row.tobytes() for row in deform(same, 0, 1, 42)}
    assert len(found) == 2 * 3 * 4
    assert len(rows) == 50


@given(images_of_any_size, st.integers(1, 99), st.floats(0, 0.2), st.floats(0, 0.9))
def test_interpolation_is_scipys(images, version, elastic, size):
    strength = Strength(elastic, size, size, size, size)
    key = np.random.SeedSequence(42, spawn_key=(version,)).generate_state(2, np.uint64)
    n, height, width = images.shape
    y, x = places(n, height, width, strength, key=key)
    wanted = [
        ndimage.map_coordinates(image.astype(float), [yy, xx], order=1, mode="grid-constant")
        for image, yy, xx in zip(images, y, x, strict=True)
    ]
    assert np.array_equal(deform(images, 0, version, 42, strength=strength), np.floor(np.array(wanted) + 0.5))


@pytest.mark.parametrize(("height", "width"), [(28, 28), (8, 8), (1, 1), (5, 40)])
def test_places_are_those_of_the_formula(height, width):
    strength = Strength(elastic=0.04, turn=0.3, scale=0.2, shear=0.25, shift=0.1)
    y, x = places(40, height, width, strength)
    drawn = module._draw(KEY, 0, 40)
    grid_y, grid_x = np.mgrid[:height, :width]
    span = math.ceil(1 / SMOOTH) + 3
    for row, found_y, found_x in zip(drawn, y, x, strict=True):
        turn, long_y, long_x, shear, down, right = (row[:12].copy().view("<u2") + 0.5) / 32768 - 1
        angle = 2 * math.atan(math.tan(0.15) * turn)
        rotate = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        stretch = np.array([[1 + 0.2 * long_x, 0.25 * shear], [0, 1 + 0.2 * long_y]])
        from_centre = np.array([grid_x - (width - 1) / 2, grid_y - (height - 1) / 2])
        wanted = np.einsum("ij,jhw->ihw", rotate @ stretch, from_centre)
        wanted += np.array([(width - 1) / 2 + 0.1 * width * right, (height - 1) / 2 + 0.1 * height * down])[
            :, None, None
        ]
        noise = 2.0 * row[12 : 12 + 2 * span**2].reshape(2, span, span) - 255
        noise /= math.sqrt((256**2 - 1) / 3)
        for k in range(span):
            for m in range(span):
                far_y = from_centre[1] / (SMOOTH * height) - (k - (span - 1) / 2)
                far_x = from_centre[0] / (SMOOTH * width) - (m - (span - 1) / 2)
                bell = np.exp(-(far_y**2 + far_x**2) / 2) / math.sqrt(math.pi)
                wanted[0] += 0.04 * width * noise[1, k, m] * bell
                wanted[1] += 0.04 * height * noise[0, k, m] * bell
        np.testing.assert_allclose(found_x, np.clip(wanted[0], -1, width), rtol=0, atol=0.01)
        np.testing.assert_allclose(found_y, np.clip(wanted[1], -1, height), rtol=0, atol=0.01)


def test_a_shift_by_whole_pixels_is_a_shift(monkeypatch):
    draw = module._draw

    def right_by_two_and_up_by_one(key, first, n):
        drawn = draw(key, first, n).copy()
        drawn[:, :12] = np.array([32768, 32768, 32768, 32768, 65535, 0], "<u2").view(np.uint8)
        return drawn

    monkeypatch.setattr(module, "_draw", right_by_two_and_up_by_one)
    found = deform(NOISE, 0, 1, 42, strength=Strength(0, 0, 0, 0, 2 / 28))
    assert np.array_equal(found[:, :-2, 2:], NOISE[:, 2:, :-2])
    assert not found[:, -2:].any()
    assert not found[:, :, :2].any()


def test_a_picture_of_one_value_keeps_it_where_no_background_comes_in():
    inside = Strength(elastic=0, turn=0, scale=0.5, shear=0, shift=0)
    for value in (0, 1, 77, 255):
        found = deform(np.full((100, 9, 9), value, np.uint8), 0, 1, 42, strength=inside)
        assert (found[:, 2:-2, 2:-2] == value).all()
        assert found.max() == value
    assert not deform(np.zeros((300, 28, 28), np.uint8), 0, 1, 42).any()


def test_the_field_moves_as_far_and_is_as_smooth_as_it_says():
    n = 4000
    for moves in moved(n, 28, 28, Strength(0.05, 0, 0, 0, 0)):
        assert abs(moves.mean()) < 0.02  # 0 expected; 0.008 is a standard deviation
        rms = np.sqrt((moves**2).mean(0))[5:-5, 5:-5]  # at each pixel so far inside that none is led outside
        assert abs(rms - 1.4).max() < 0.08
        assert abs(moves).max() < 28 * 0.05 * 6
        # The correlation of a smoothed field at distance r is exp(-r² / 4σ²), σ = 4 pixels.
        for r in (1, 2, 4, 8):
            found = (moves[:, 10:14, 4:16] * moves[:, 10:14, 4 + r : 16 + r]).mean() / 1.4**2
            assert found == pytest.approx(math.exp(-(r**2) / 64), abs=0.03)
    y, x = moved(n, 28, 28, Strength(0.05, 0, 0, 0, 0))
    assert abs((y * x).mean()) < 0.02


def test_the_affine_part_stays_within_what_is_said():
    n = 4000
    y, x = moved(n, 29, 29, Strength(0, 0, 0, 0, 0.1))
    for moves in (y[:, 3:-3, 3:-3], x[:, 3:-3, 3:-3]):
        assert (np.ptp(moves, axis=(1, 2)) == 0).all()
        assert 2.85 < abs(moves).max() <= 2.9 + 1 / 256
        assert abs(moves.mean()) < 0.1
    y, x = places(n, 29, 29, Strength(0, 0.2, 0, 0, 0))
    angles = np.arctan2(y[:, 14, 20] - 14, x[:, 14, 20] - 14)
    assert 0.19 < abs(angles).max() < 0.201
    assert abs(angles.mean()) < 0.01
    np.testing.assert_allclose(np.hypot(y[:, 14, 20] - 14, x[:, 14, 20] - 14), 6, atol=0.01)
    y, x = places(n, 29, 29, Strength(0, 0, 0.1, 0, 0))
    for ratio in ((x[:, 14, 20] - 14) / 6, (y[:, 20, 14] - 14) / 6):
        assert 0.899 < ratio.min() < 0.91 < 1.09 < ratio.max() < 1.101
    y, x = moved(n, 29, 29, Strength(0, 0, 0, 0.2, 0))
    assert not y.any()
    assert 1.17 < abs(x[:, 20]).max() < 1.21


def test_memory_stays_small_however_many_rows():
    images = np.zeros((20_000, 28, 28), np.uint8)
    deform(images[:10], 0, 1, 42)
    tracemalloc.start()
    try:
        deform(images, 0, 1, 42)
        assert tracemalloc.get_traced_memory()[1] < images.nbytes + 10e6
    finally:
        tracemalloc.stop()


def test_no_rows_give_no_rows():
    assert deform(np.zeros((0, 28, 28), np.uint8), 0, 1, 42).shape == (0, 28, 28)


def test_digits_stay_in_the_picture(mnist_path):
    images = load(mnist_path).train.images[:5000]
    border = np.ones((28, 28), np.bool_)
    border[1:-1, 1:-1] = False
    found = deform(images, 0, 1, 42)
    assert found[:, border].sum() < 0.003 * found.sum()
    assert found.mean() == pytest.approx(images.mean(), rel=0.05)
