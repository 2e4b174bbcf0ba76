"""Pictures in data addresses, decoded again."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from byhand.evaluate.pictures import confusion_picture, image, weight_picture


def pixels(address: str) -> np.ndarray:
    head, body = address.split(",")
    assert head == "data:image/png;base64"
    picture = Image.open(io.BytesIO(base64.b64decode(body)))
    return np.asarray(picture if picture.mode == "L" else picture.convert("RGB")).astype(int)


def test_an_image_is_shown_as_it_is() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (28, 20), dtype=np.uint8)
    assert (pixels(image(grey)) == grey).all()


def test_a_large_image_is_shrunk_and_keeps_its_shape() -> None:
    assert pixels(image(np.full((448, 224), 7, np.uint8))).shape == (112, 56)


def test_red_is_for_blue_is_against_and_zero_is_white() -> None:
    colours = pixels(weight_picture(np.array([[-2, -1, 0, 1, 2, np.nan]], np.float32), scale=1.0))
    blue, _, white, red, _, nothing = colours[0]
    assert white.tolist() == nothing.tolist() == [255, 255, 255]
    assert red[0] > red[2] + 50
    assert blue[2] > blue[0] + 50
    assert (colours[0, 0] == colours[0, 1]).all(), "beyond the scale there is no fuller colour"
    assert (colours[0, 3] == colours[0, 4]).all()


def test_opposite_weights_are_equally_far_from_white() -> None:
    w = np.linspace(0, 1, 9, dtype=np.float32)
    up, down = pixels(weight_picture(w[None], 1.0))[0], pixels(weight_picture(-w[None], 1.0))[0]
    for colours in (up, down):
        darkness = (255 - colours).sum(axis=1)
        assert (np.diff(darkness) > 0).all()
        assert darkness == pytest.approx(w * darkness[-1], abs=darkness[-1] / 50)


def test_weights_of_zero_are_a_white_picture() -> None:
    assert (pixels(weight_picture(np.zeros((3, 3), np.float32), scale=0.0)) == 255).all()


def test_hits_are_blue_and_errors_orange() -> None:
    colours = pixels(confusion_picture(np.eye(2), np.array([[0.0, 1.0], [0.0, 0.0]])))
    assert colours.shape == (2, 2, 3)
    assert colours[0, 0, 2] > colours[0, 0, 0]
    assert colours[0, 1, 0] > colours[0, 1, 2]
    assert colours[1, 0].tolist() == [255, 255, 255]
