"""Pictures on which an exported model is compared with the run, where no image of the data is at hand."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["PICTURES", "made_up"]

PICTURES = 500


def made_up(shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Pictures (N, H, W) of blots, from a speck of ink to much of it, and with edges as soft as a pen's."""
    rng = np.random.default_rng(0)
    height, width = shape
    coarse = rng.random((PICTURES, 7, 7), np.float32)
    fine = np.stack(
        [np.asarray(Image.fromarray(one).resize((width, height), Image.Resampling.BICUBIC)) for one in coarse]
    )
    paper = rng.uniform(0.3, 0.9, (PICTURES, 1, 1))
    return np.clip(255 * (fine - paper) * 6, 0, 255).astype(np.uint8)
