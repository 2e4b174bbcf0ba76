"""From strokes to what a model sees, in the browser, against NumPy, Pillow and ``as_mnist``."""

from base64 import b64decode
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from byhand.data.drawing import as_mnist

DRAW = """
({drawings, w, h, side, box}) => {
  const text = (bytes) => { let all = ""; for (const byte of bytes) all += String.fromCharCode(byte); return btoa(all); };
  return drawings.map(({strokes, width}) => {
    const ink = makeInk(w, h);
    for (const points of strokes) ink.stroke(points, width);
    const centred = centredPicture(ink.values, w, h, side, box);
    const levels = ink.values.map((value) => 255 * value + 0.5); // cut off, not rounded: fewer bytes to carry
    return [levels, rawPicture(ink.values, w, h, side, side), centred ?? []].map((one) => text(Uint8Array.from(one)));
  });
}
"""


def drawn(page: Any, drawings: list[dict[str, Any]], size: int = 280, side: int = 28, box: int = 20) -> list[Any]:
    """For each drawing its ink (size, size), both pictures (side, side), all uint8; the second None on an empty pad."""
    told = {"drawings": drawings, "w": size, "h": size, "side": side, "box": box}
    found = [[np.frombuffer(b64decode(text), np.uint8) for text in one] for one in page.evaluate(DRAW, told)]
    return [
        (ink.reshape(size, size), raw.reshape(side, side), centred.reshape(side, side) if centred.size else None)
        for ink, raw, centred in found
    ]


@pytest.fixture
def page(page_of: Callable[..., Any], linear: Any) -> Any:
    return page_of(linear)


def test_every_drawn_digit_is_centred_as_python_centres_it(page: Any, digits: list[dict[str, Any]]) -> None:
    for digit, (ink, _, centred) in zip(digits, drawn(page, digits), strict=True):
        assert np.array_equal(as_mnist(ink).image, centred), (digit["digit"], digit["kind"])


def test_other_boxes_and_pads_too(page: Any, digits: list[dict[str, Any]]) -> None:
    for size, side, box in ((280, 8, 8), (256, 64, 48), (140, 28, 20)):
        for ink, _, centred in drawn(page, digits[::7], size, side, box):
            assert np.array_equal(as_mnist(ink, side, box).image, centred)


def test_a_speck_is_enlarged(page: Any) -> None:
    dot = {"strokes": [[[0.31, 0.42], [0.33, 0.421]]], "width": 0.02}
    ink, _, centred = drawn(page, [dot])[0]
    assert np.array_equal(as_mnist(ink).image, centred)


def test_raw_is_the_mean_of_each_pixel_s_area(page: Any, digits: list[dict[str, Any]]) -> None:
    for ink, raw, _ in drawn(page, digits[::5]):
        mean = ink.astype(np.float64).reshape(28, 10, 28, 10).mean((1, 3))
        assert np.abs(mean - raw).max() < 1


def test_ink_is_what_a_round_pen_covers(page: Any) -> None:
    """Against Pillow's thick lines and discs, drawn eight times as large and shrunk."""
    strokes = [[[0.2, 0.3], [0.7, 0.4], [0.5, 0.9]], [[0.8, 0.15]]]
    ink, _, _ = drawn(page, [{"strokes": strokes, "width": 0.1}])[0]
    scale, radius = 8 * 280, 0.05 * 8 * 280
    picture = Image.new("L", (scale, scale))
    pen = ImageDraw.Draw(picture)
    for points in strokes:
        at = [(x * scale, y * scale) for x, y in points]
        pen.line(at, 255, round(2 * radius))
        for x, y in at:
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), 255)
    covered = np.asarray(picture.resize((280, 280), Image.Resampling.BOX)) / 255
    assert np.abs(covered - ink / 255).max() < 0.25
    assert abs(covered.mean() - ink.mean() / 255) < 0.0005


def test_an_empty_pad_has_no_centred_picture(page: Any) -> None:
    ink, raw, centred = drawn(page, [{"strokes": [], "width": 0.1}])[0]
    assert centred is None
    assert ink.max() == raw.max() == 0


def test_pictures_are_resized_as_pillow_does_it(page: Any) -> None:
    rng = np.random.default_rng(0)
    for _ in range(40):
        w, h = (int(n) for n in rng.integers(3, 200, 2))
        scale = 20 / max(w, h)
        size = (max(1, round(w * scale)), max(1, round(h * scale)))
        values = rng.random((h, w), np.float32)
        name, method = ("box", Image.Resampling.BOX) if scale <= 1 else ("bilinear", Image.Resampling.BILINEAR)
        call = "([v, w, h, W, H, name]) => [...resample(Float32Array.from(v), w, h, W, H, name)]"
        found = page.evaluate(call, [values.ravel().tolist(), w, h, *size, name])
        expected = np.asarray(Image.fromarray(values).resize(size, method))
        assert np.abs(expected.ravel() - found).max() < 1e-6, (w, h, name)


def test_halves_go_to_the_even_neighbour(page: Any) -> None:
    values = [*(n / 2 for n in range(-9, 10)), 0.49999999999999994, 127.49999999999999]
    assert page.evaluate("all => all.map(roundHalfEven)", values) == [round(value) for value in values]
