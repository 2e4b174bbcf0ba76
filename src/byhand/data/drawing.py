"""What MNIST would have made of a picture.

Its authors describe it so: the black and white images "were size normalized to fit in a 20x20 pixel box while
preserving their aspect ratio", grey "as a result of the anti-aliasing technique used by the normalization algorithm",
and "centered in a 28x28 image by computing the center of mass of the pixels, and translating the image so as to
position this point at the center". All 70,000 keep to it: their ink is 19 or 20 pixels long, and its centre of mass
lies within 0.52 pixels of (14, 14). A model that learnt from them sees little in a picture that does not.

Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits".
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageOps

from byhand.data.ink import find_ink
from byhand.data.picture import has_alpha, on_white, read_picture
from byhand.errors import DataError
from byhand.text import one_line

__all__ = ["Drawn", "as_mnist", "ink_box"]

_WORK: Final = 1024  # pixels of the longer side that a picture is worked on with; more shows nothing in 28
_FAINT: Final = 0.05  # ink below this does not make the box larger
_THIN: Final = 1.2  # pixels in 28: 99 in 100 of MNIST's digits have wider strokes


@final
@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture as the data set would have it, and what was done to it, in sentences without a full stop."""

    image: NDArray[np.uint8]  # (side, side), ink light on 0
    notes: tuple[str, ...]


def ink_box(images: NDArray[np.uint8]) -> int | None:
    """The longer side of the ink in a typical image of a data set (N, H, W): 20 in MNIST, 8 in scikit-learn's digits.

    None where images are not light ink on a black ground: no square, or a border that is not black in most of them.
    """
    some = images[:: max(1, len(images) // 1000)]  # (n, H, W)
    border = np.concatenate([some[:, 0], some[:, -1], some[:, :, 0], some[:, :, -1]], axis=1)  # (n, 2H + 2W)
    if not len(some) or some.shape[1] != some.shape[2] or np.median(border) > 0:
        return None
    ink = some > 0  # (n, H, W)
    columns, rows = np.any(ink, axis=1), np.any(ink, axis=2)  # (n, W), (n, H)
    longer = np.maximum(_span(columns), _span(rows))[np.any(rows, axis=1)]  # (≤ n,)
    return int(np.median(longer)) if len(longer) else None


def _span(lit: NDArray[np.bool_]) -> NDArray[np.int64]:
    """From the first to the last True of each row, (n,); what a row without any gives means nothing."""
    return lit.shape[1] - lit[:, ::-1].argmax(axis=1) - lit.argmax(axis=1)


def as_mnist(image: NDArray[Any] | Image.Image | str | Path, side: int = 28, box: int = 20) -> Drawn:
    """The picture as MNIST would have it: ink light on dark, fitted into a box, centred by its mass.

    A picture of any size and colour, dark on light or light on dark, drawn or photographed. One that already is as
    MNIST has it comes back unchanged.

    Args:
        image: a path to a PNG or JPEG, a Pillow image, or an array (H, W), (H, W, 3) or (H, W, 4): uint8, bool, or
            floats in [0, 1].
        side: pixels of a side of the result.
        box: pixels of the ink's longer side in it; for the look of another data set, what ``ink_box`` finds.

    Raises:
        DataError: the file is not a PNG or JPEG, damaged, too large, or the picture is blank.
        TypeError: an array of another shape, type or range.
    """
    if side < 4 or not 1 <= box <= side:
        raise ValueError(f"side is {side} and box {box}; side is a number of pixels, at least 4, and holds the box")
    name = f"{one_line(image)}: " if isinstance(image, str | Path) else ""
    picture = _open(image)
    if picture.mode == "L" and not has_alpha(picture):
        ready = np.array(picture)  # (H, W)
        if _is_ready(ready, side, box):
            return Drawn(ready, ("taken as it is: already as the data set has it",))
    grey, made = _grey(picture)
    try:
        ink, found = find_ink(grey)
    except DataError as error:
        raise DataError(f"{name}{error}") from error
    ink = _crop(ink)
    ink, thickened = _thicken(ink, box)
    fitted = f"ink fitted into {box}×{box} pixels and centred by its mass in {side}×{side}"
    return Drawn(_place(_fit(ink, box), side), (*made, *found, *thickened, fitted))


def _open(image: NDArray[Any] | Image.Image | str | Path) -> Image.Image:
    if isinstance(image, str | Path):
        return read_picture(image)
    if isinstance(image, Image.Image):
        return ImageOps.exif_transpose(image)
    array = np.asarray(image)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.size == 0 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in {3, 4})):
        raise TypeError(f"an image is (H, W), (H, W, 3) or (H, W, 4), not {array.shape}")
    if array.dtype.kind == "f":
        if not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1):
            raise TypeError("an image of floats lies in [0, 1]; divide by its largest value, or pass uint8")
        array = np.rint(255 * array)
    elif array.dtype == np.bool_:
        array = 255 * array.astype(np.uint8)
    elif array.dtype != np.uint8:
        raise TypeError(f"an image is uint8, bool or float, not {array.dtype}")
    return Image.fromarray(array.astype(np.uint8))


def _is_ready(grey: NDArray[np.uint8], side: int, box: int) -> bool:
    if (
        grey.shape != (side, side)
        or grey.max() < 230
        or np.median(np.r_[grey[0], grey[-1], grey[:, 0], grey[:, -1]]) > 0
    ):
        return False
    rows, columns = np.flatnonzero(grey.any(1)), np.flatnonzero(grey.any(0))
    length = max(int(np.ptp(rows)), int(np.ptp(columns))) + 1
    if not box - 1 <= length <= box:
        return False
    return box == side or all(abs(at - side / 2) <= 0.53 for at in _centre(grey.astype(np.float64)))


def _grey(picture: Image.Image) -> tuple[NDArray[np.uint8], list[str]]:
    notes: list[str] = []
    if picture.mode.startswith(("I", "F")):
        values = np.asarray(picture, np.float64)
        picture = Image.fromarray(np.rint(255 * values / max(65535 if values.max() > 255 else 255, 1)).astype(np.uint8))
        notes.append("16 bits a pixel made 8")
    if has_alpha(picture):
        notes.append("laid on white, because it is partly transparent")
    elif picture.mode not in {"1", "L"}:
        notes.append("made grey")
    flat = picture if picture.mode == "L" and not has_alpha(picture) else on_white(picture).convert("L")
    if max(flat.size) > _WORK:
        scale = _WORK / max(flat.size)
        size = (max(1, round(flat.width * scale)), max(1, round(flat.height * scale)))
        flat = flat.resize(size, Image.Resampling.BOX)
    return np.asarray(flat), notes


def _crop(ink: NDArray[np.float64]) -> NDArray[np.float64]:
    rows, columns = np.flatnonzero((ink > _FAINT).any(1)), np.flatnonzero((ink > _FAINT).any(0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _thicken(ink: NDArray[np.float64], box: int) -> tuple[NDArray[np.float64], list[str]]:
    """Strokes that would be thinner than MNIST's in the box, made wider.

    The mean width of a stroke is 2 · area / perimeter; crossings of the pixel grid overstate the perimeter by 4/π.
    """
    mask = np.pad(ink > 0.5, 1)
    crossings = int((mask[1:] != mask[:-1]).sum() + (mask[:, 1:] != mask[:, :-1]).sum())
    scale = box / max(ink.shape)  # box pixels a pixel
    width = 2 * float(mask.sum()) / max(1.0, crossings * math.pi / 4)
    if scale >= 1 or width * scale >= _THIN * box / 20:
        return ink, []
    grow = max(1, round((2 * box / 20 / scale - width) / 2))  # pixels on each side, to a width of 2 in 28
    wide = Image.fromarray(np.rint(255 * np.pad(ink, grow)).astype(np.uint8)).filter(
        ImageFilter.MaxFilter(2 * grow + 1)
    )
    return np.asarray(wide, np.float64) / 255, ["strokes thickened, because the pen was thin for its digit"]


def _fit(ink: NDArray[np.float64], box: int) -> NDArray[np.float64]:
    """The ink, (h, w), so that the longer of the two is ``box``; each pixel is the mean of what it covers."""
    height, width = ink.shape
    scale = box / max(height, width)
    h, w = max(1, round(height * scale)), max(1, round(width * scale))
    method = Image.Resampling.BOX if scale <= 1 else Image.Resampling.BILINEAR
    fitted = np.asarray(Image.fromarray(ink.astype(np.float32)).resize((w, h), method), np.float64)
    return fitted / max(fitted.max(), 1e-9)  # a thin stroke's mean is low; MNIST's ink always reaches 254 or 255


def _place(ink: NDArray[np.float64], side: int) -> NDArray[np.uint8]:
    (top, left), (height, width) = _centre(ink), ink.shape
    row = min(max(math.ceil(side / 2 - 0.5 - top), 0), side - height)
    column = min(max(math.ceil(side / 2 - 0.5 - left), 0), side - width)
    field = np.zeros((side, side), np.uint8)
    field[row : row + height, column : column + width] = np.rint(255 * ink)
    return field


def _centre(ink: NDArray[np.float64]) -> tuple[float, float]:
    """The centre of mass: row, column."""
    rows, columns = ink.sum(1), ink.sum(0)
    return float(rows @ np.arange(len(rows)) / rows.sum()), float(columns @ np.arange(len(columns)) / rows.sum())
