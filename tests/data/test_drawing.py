import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

import byhand
from byhand.data.drawing import as_mnist, ink_box
from byhand.data.idx import read_idx
from byhand.errors import DataError


@pytest.fixture(scope="module")
def digits(mnist_path):
    return read_idx(mnist_path / "t10k-images-idx3-ubyte.gz")


def on_page(digit, scale=10, size=(400, 500), at=(70, 130), method=Image.Resampling.NEAREST):
    """How much ink lies on a sheet of paper, 0 to 1, with the digit on it, enlarged."""
    side = 28 * scale
    page = np.zeros(size)
    enlarged = np.asarray(Image.fromarray(digit).resize((side, side), method))
    page[at[0] : at[0] + side, at[1] : at[1] + side] = enlarged / 255
    return page


def printed(ink):
    return np.rint(255 - 255 * ink).astype(np.uint8)


def photographed(ink, rng, noise=5.0):
    """Grey paper with a lamp on its right, a pen that is not black, and a camera's noise."""
    height, width = ink.shape
    row, column = np.mgrid[:height, :width]
    light = 150 + 60 * column / width - 30 * row / height
    return np.rint(np.clip(light * (1 - 0.7 * ink) + rng.normal(0, noise, ink.shape), 0, 255)).astype(np.uint8)


def difference(drawn, digit):
    """The mean absolute difference of two pictures, in grey levels of 255."""
    return np.abs(drawn.image.astype(int) - digit).mean()


def test_mnists_own_digits_come_back_unchanged(digits):
    for digit in digits[:3000]:
        drawn = as_mnist(digit)
        assert np.array_equal(drawn.image, digit)
        assert drawn.notes == ("taken as it is: already as the data set has it",)


@pytest.mark.full
def test_all_of_mnists_digits_come_back_unchanged(mnist_path):
    for part in ("train", "t10k"):
        for digit in read_idx(mnist_path / f"{part}-images-idx3-ubyte.gz"):
            assert np.array_equal(as_mnist(digit).image, digit)


def test_scikit_learns_digits_come_back_unchanged():
    from sklearn.datasets import load_digits

    digits = np.rint(load_digits().images[:500] * 255 / 16).astype(np.uint8)
    assert np.mean([np.array_equal(as_mnist(digit, side=8, box=8).image, digit) for digit in digits]) > 0.97


@given(st.integers(0, 9999), st.integers(0, 120), st.integers(0, 220), st.booleans())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_digit_enlarged_inverted_and_shifted_on_a_white_page_comes_back(digits, index, row, column, inverted):
    """Measured on 200 digits: 0.0 in the median, and 0.2 levels at most where no stroke is as thin as a pixel."""
    digit = digits[index]
    ink = on_page(digit, at=(row, column))
    drawn = as_mnist(printed(ink) if inverted else np.rint(255 * ink).astype(np.uint8))
    assert drawn.image.shape == (28, 28)
    assert ("inverted, because its ink is dark on light" in drawn.notes) is inverted
    if not any("thickened" in note or "speck" in note for note in drawn.notes):
        assert difference(drawn, digit) < 1


def test_smooth_enlargements_and_photographs_come_back_close(digits):
    """Mean absolute differences of 60 digits; MNIST's own mean is 33 levels, that of two digits of a class about 28."""
    rng = np.random.default_rng(0)
    smooth, photos = [], []
    for digit in digits[rng.choice(10_000, 60, replace=False)]:
        ink = np.clip(on_page(digit, method=Image.Resampling.BICUBIC), 0, 1)
        smooth.append(difference(as_mnist(printed(ink)), digit))
        photos.append(difference(as_mnist(photographed(ink, rng)), digit))
    assert np.mean(smooth) < 11
    assert np.mean(photos) < 14
    assert max(smooth + photos) < 35


def test_a_nearest_neighbour_reads_photographs_like_originals(mnist_path, digits):
    known = read_idx(mnist_path / "train-images-idx3-ubyte.gz")[:10_000].reshape(-1, 784).astype(np.float32)
    known_labels = read_idx(mnist_path / "train-labels-idx1-ubyte.gz")[:10_000]
    labels = read_idx(mnist_path / "t10k-labels-idx1-ubyte.gz")[:80]
    rng = np.random.default_rng(1)

    def right(images):
        rows = np.stack(images).reshape(-1, 784).astype(np.float32)
        distances = (known**2).sum(1) - 2 * rows @ known.T
        return (known_labels[distances.argmin(1)] == labels).mean()

    photos = [photographed(np.clip(on_page(d, method=Image.Resampling.BICUBIC), 0, 1), rng) for d in digits[:80]]
    original, photo = right(digits[:80]), right([as_mnist(photo).image for photo in photos])
    assert original > 0.9
    assert photo > original - 0.08


def test_the_box_of_a_data_set_is_measured(mnist_path):
    assert ink_box(byhand.load(mnist_path).train.images) == 20
    assert ink_box(byhand.load("digits").train.images) == 8


def test_what_is_no_ink_on_black_has_no_box():
    assert ink_box(np.full((3, 28, 28), 200, np.uint8)) is None
    assert ink_box(np.zeros((3, 28, 20), np.uint8)) is None
    assert ink_box(np.zeros((3, 28, 28), np.uint8)) is None
    assert ink_box(np.zeros((0, 28, 28), np.uint8)) is None


def ring_drawing(pen=30, size=(400, 400), colour="black", paper="white"):
    page = Image.new("RGB", size, paper)
    ImageDraw.Draw(page).ellipse((60, 40, 200, 300), outline=colour, width=pen)
    return page


@pytest.mark.parametrize(("side", "box"), [(28, 20), (20, 14), (56, 40), (8, 8), (28, 28)])
def test_a_drawing_is_boxed_and_centred(side, box):
    image = as_mnist(ring_drawing(), side, box).image
    rows, columns = np.flatnonzero(image.any(1)), np.flatnonzero(image.any(0))
    assert image.shape == (side, side)
    assert np.ptp(rows) + 1 == box
    assert abs((np.ptp(columns) + 1) / box - 141 / 261) < 1.5 / box, "the aspect ratio is kept"
    assert abs(image.sum(1) @ np.arange(side) / image.sum() - side / 2) <= 0.5 + 1e-9
    assert image.max() == 255


@pytest.mark.parametrize(
    ("colour", "paper"),
    [("black", "white"), ("white", "black"), ("red", "white"), ("yellow", "navy"), ("grey", "white")],
)
def test_colours_and_polarity_make_no_difference_to_the_shape(colour, paper):
    expected = as_mnist(ring_drawing()).image.astype(int)
    assert np.abs(as_mnist(ring_drawing(colour=colour, paper=paper)).image - expected).max() <= 2


def test_ink_on_transparency_is_ink_on_white():
    black = ring_drawing().convert("L")
    veiled = Image.new("RGBA", black.size, (0, 0, 0, 0))
    veiled.paste((0, 0, 0, 255), mask=Image.eval(black, lambda v: 255 - v))
    drawn = as_mnist(veiled)
    assert np.array_equal(drawn.image, as_mnist(black).image)
    assert "laid on white, because it is partly transparent" in drawn.notes


def test_a_thin_pen_is_thickened_to_strokes_that_mnist_could_have():
    thin, thick = as_mnist(ring_drawing(pen=2)), as_mnist(ring_drawing(pen=24))
    assert any("thickened" in note for note in thin.notes)
    assert not any("thickened" in note for note in thick.notes)
    for drawn in (thin, thick):
        assert 12 < drawn.image.mean() < 64, "99 in 100 of MNIST's digits have means between 12.5 and 63"


def test_dust_and_the_edge_of_the_table_are_taken_away():
    page = ring_drawing()
    draw = ImageDraw.Draw(page)
    draw.point([(350, 350), (20, 380), (300, 30)], fill="black")
    draw.rectangle((380, 0, 400, 400), fill="black")
    drawn = as_mnist(page)
    assert np.abs(drawn.image.astype(int) - as_mnist(ring_drawing()).image).mean() < 2
    assert "4 specks removed" in drawn.notes


def test_a_file_an_image_and_an_array_give_the_same(tmp_path):
    image = ring_drawing()
    image.save(tmp_path / "a.png")
    array = np.asarray(image)
    for other in (
        tmp_path / "a.png",
        str(tmp_path / "a.png"),
        array,
        array / 255,
        image.convert("L"),
        image.convert("1"),
    ):
        assert np.array_equal(as_mnist(other).image, as_mnist(image).image)


def test_a_phones_orientation_is_undone(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    image = ring_drawing()
    image.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(as_mnist(tmp_path / "a.png").image, as_mnist(image).image)


@pytest.mark.parametrize("level", [0, 7, 255])
@pytest.mark.parametrize("size", [(28, 28), (300, 200), (1, 1), (5, 40)])
def test_a_blank_picture_is_an_error(level, size):
    with pytest.raises(DataError, match=r"^blank: no ink .*; draw darker"):
        as_mnist(np.full(size, level, np.uint8))


def test_a_blank_file_is_named_and_noise_is_blank(tmp_path):
    Image.new("L", (50, 50), 255).save(tmp_path / "blank.png")
    with pytest.raises(DataError, match=r"blank\.png: blank: no ink"):
        as_mnist(tmp_path / "blank.png")
    noise = np.random.default_rng(0).normal(200, 4, (200, 200)).round().astype(np.uint8)
    with pytest.raises(DataError, match="blank"):
        as_mnist(noise)


def test_what_is_no_picture_is_an_error(tmp_path):
    (tmp_path / "a.png").write_bytes(b"GIF89a")
    with pytest.raises(DataError, match=r"a\.png: a GIF file"):
        as_mnist(tmp_path / "a.png")
    for wrong in (
        np.zeros(3),
        np.zeros((0, 4), np.uint8),
        np.full((4, 4), 2.0),
        np.full((4, 4), np.nan),
        np.zeros((4, 4), int),
    ):
        with pytest.raises(TypeError, match="an image"):
            as_mnist(wrong)
    with pytest.raises(ValueError, match="at least 4"):
        as_mnist(np.zeros((4, 4), np.uint8), side=3)


@given(st.integers(1, 60), st.integers(1, 60), st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_any_picture_becomes_an_image_or_one_line(height, width, random):
    rng = np.random.default_rng(random.randrange(2**32))
    picture = (rng.random((height, width)) ** rng.integers(1, 9) * 255).astype(np.uint8)
    try:
        drawn = as_mnist(picture)
    except DataError as error:
        message = str(error)
    else:
        message = ""
        assert drawn.image.shape == (28, 28)
        assert drawn.image.dtype == np.uint8
        assert drawn.image.max() >= 230
    assert "\n" not in message
