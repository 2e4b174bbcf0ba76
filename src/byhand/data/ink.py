"""Ink and paper told apart: dark on light or light on dark, even light or a lamp from one side, noise, specks.

The border is taken for paper. What remains of a picture is how much ink each pixel has, from 0 to 1.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from byhand.errors import DataError

_LEAST: Final = 20  # grey levels between ink and paper, below which there is nothing to see
_EVEN: Final = 12  # grey levels by which most of the border of an evenly lit sheet may vary
_SMALL: Final = 96  # pixels of the longer side on which the light of a picture is looked at
_STROKE: Final = 25  # of those: wider than any stroke


def find_ink(grey: NDArray[np.uint8]) -> tuple[NDArray[np.float64], list[str]]:
    """How much ink each pixel has, (H, W) in [0, 1], and a sentence for each thing that was done to find it.

    Raises:
        DataError: the picture is blank. Its message has no file name; the caller adds it.
    """
    values = grey.astype(np.float64)  # (H, W)
    ring = _ring(values.shape)
    paper = float(np.median(values[ring]))
    notes: list[str] = []
    if paper - values.min() > values.max() - paper:
        values, paper = 255 - values, 255 - paper
        notes.append("inverted, because its ink is dark on light")
    low, high = np.percentile(values[ring], [15, 85])  # a digit that touches the border covers little of it
    if high - low > _EVEN:
        values -= _light(values)
        notes.append("uneven light removed")
        paper = float(np.median(values[ring]))
    ink = np.maximum(values - paper, 0)
    # Three standard deviations of the paper's noise, from a median that ink on the border hardly moves.
    noise = 3 * 1.4826 * float(np.median(np.abs(values[ring] - paper)))
    peak = float(ink.max())
    if peak - noise < _LEAST:
        raise DataError("blank: no ink stands out from the paper; draw darker, or photograph it in more light")
    if noise > 1:
        strokes = ink[ink > (noise + peak) / 2]
        peak = float(np.percentile(strokes, 75))
        notes.append("noise of the paper removed")
    elif peak < 230:
        notes.append("contrast stretched")
    ink = np.clip((ink - noise) / (peak - noise), 0, 1)
    ink, specks = _without_specks(ink, ring)
    if specks:
        notes.append(f"{specks} speck{'s' if specks > 1 else ''} removed")
    return ink, notes


def _ring(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The border: a twentieth of the shorter side, at least a pixel."""
    width = max(1, min(shape) // 20)
    ring = np.ones(shape, np.bool_)
    ring[width:-width, width:-width] = False
    return ring


def _light(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """What the paper alone would look like: strokes, lighter than it here, are filled from their sides."""
    height, width = values.shape
    picture = Image.fromarray(values.astype(np.uint8))
    scale = min(1.0, _SMALL / max(height, width))
    small = picture.resize((max(1, round(width * scale)), max(1, round(height * scale))), Image.Resampling.BOX)
    small = small.filter(ImageFilter.MinFilter(_STROKE)).filter(ImageFilter.MaxFilter(_STROKE))
    small = small.filter(ImageFilter.GaussianBlur(_STROKE / 6))
    return np.asarray(small.resize((width, height), Image.Resampling.BILINEAR), np.float64)


def _without_specks(ink: NDArray[np.float64], ring: NDArray[np.bool_]) -> tuple[NDArray[np.float64], int]:
    """Dust, and what lies along the border (a table beside the sheet), taken away; how many pieces that were."""
    from scipy import ndimage  # here, because it takes a third of a second to import

    label: Any = ndimage.label  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    pieces: NDArray[np.int32]  # (H, W), 0 is the paper
    pieces, count = label(ink > 0.05, np.ones((3, 3)))
    if count < 2:
        return ink, 0
    masses = np.bincount(pieces.ravel(), ink.ravel())  # (1 + pieces,), the first is the paper
    along = np.bincount(pieces[ring], minlength=count + 1) > 0.15 * ring.sum()
    drop = along.copy()
    drop[0] = False
    if drop[1:].all():
        drop[:] = False
    drop |= masses < 0.005 * masses[1:][~drop[1:]].max()
    drop[0] = False
    specks = int(drop.sum())
    return np.where(drop[pieces], 0, ink), specks
