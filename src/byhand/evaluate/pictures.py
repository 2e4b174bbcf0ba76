"""Arrays as pictures that stand in the page itself: PNG files in data addresses."""

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["confusion_picture", "image", "weight_picture"]

_EDGE = 112  # pixels; larger images are shrunk, so that a page of them stays small
_LEVELS = 127  # colours of a weight: enough for the eye, and few enough for a small palette

_FOR, _AGAINST = np.array([178, 24, 43]), np.array([33, 102, 172])  # red and blue that colour-blind people tell apart
_HIT, _MISS = np.array([0, 114, 178]), np.array([213, 94, 0])
_WHITE = np.array([255, 255, 255])


def image(pixels: NDArray[np.uint8]) -> str:
    """Grey pixels (H, W) as they are."""
    picture = Image.fromarray(pixels)
    picture.thumbnail((_EDGE, _EDGE))
    return _address(picture)


def weight_picture(weights: NDArray[np.float32], scale: float) -> str:
    """Weights (H, W): white is 0, the fullest red ``scale`` or more, the fullest blue −``scale`` or less."""
    half = _LEVELS // 2
    steps = np.clip(np.nan_to_num(weights) / (scale or 1), -1, 1) * half + half  # (H, W), 0 to 2 · half
    way = (np.arange(_LEVELS) - half)[:, None] / half  # (levels, 1), −1 to 1
    colours = np.where(way > 0, _mix(_FOR, way), _mix(_AGAINST, -way))  # (levels, 3)
    picture = Image.fromarray(steps.round().astype(np.uint8)).convert("P")
    picture.putpalette(colours.round().astype(np.uint8).tobytes())
    picture.thumbnail((_EDGE, _EDGE), Image.Resampling.NEAREST)
    return _address(picture)


def confusion_picture(hits: NDArray[np.float64], errors: NDArray[np.float64]) -> str:
    """A pixel a pair of classes, from two (C, C) of 0 to 1: blue on the diagonal, orange off it, white for 0."""
    diagonal = np.eye(len(hits), dtype=bool)[..., None]
    colours = np.where(diagonal, _mix(_HIT, hits[..., None]), _mix(_MISS, errors[..., None]))  # (C, C, 3)
    return _address(Image.fromarray(colours.round().astype(np.uint8)))


def _mix(colour: NDArray[np.int64], part: NDArray[np.float64]) -> NDArray[np.float64]:
    return _WHITE + (colour - _WHITE) * part


def _address(picture: Image.Image) -> str:
    file = io.BytesIO()
    picture.save(file, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")
