"""What a trained model says of a competition's images, how good it is on those kept aside, and the score to expect."""

from dataclasses import dataclass
from typing import Final, final

import numpy as np
import torch
from numpy.typing import NDArray

from byhand.data.dataset import Part
from byhand.errors import DataError
from byhand.evaluate.statistics import Proportion, next_accuracy, wilson
from byhand.networks import Network
from byhand.predict import predict_logits

__all__ = ["FLOOR_CHANCE", "PUBLIC_SHARE", "Score", "judge", "name_images"]

PUBLIC_SHARE: Final = 0.25
"""The part of the test images that the public score is taken to count; posts about the competition give it, up to 2017.

Where Kaggle counts more of them, the score varies less than is said here.
"""

FLOOR_CHANCE: Final = 1e-4
"""How often, about, an honest score falls below the floor: once in 10,000."""


@final
@dataclass(frozen=True, slots=True)
class Score:
    """The public score to expect, between 0 and 1."""

    value: float
    low: float  # of 100 scores of models as good as this one, 95 lie between low and high
    high: float
    floor: float  # what is below that was not bad luck
    rows: int  # the images that are taken to count


def name_images(model: Network, images: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The likeliest class of each image (N, H, W), as an index into the classes: (N,).

    Raises:
        DataError: the model answers with what is no number.
    """
    logits = predict_logits(model, images)  # (N, C)
    if not bool(torch.isfinite(logits).all()):
        raise DataError("the model answers with what is no number; train again, with a tenth of the rate")
    return logits.argmax(dim=1).numpy()


def judge(model: Network, valid: Part, rows: int) -> tuple[Proportion, Score] | None:
    """The accuracy on the images kept aside with Wilson's interval, and the score that follows from it.

    ``next_accuracy`` says how. It asks that chance decided which images went to the test table, as Kaggle has it, and
    that nobody chose among models by this accuracy: the best of many was lucky, too.

    Args:
        model: trained without ``valid``.
        valid: the labelled images kept aside; None comes back where there are none.
        rows: the number of images in the test table.
    """
    n = len(valid)
    if not n:
        return None
    hits = int((name_images(model, valid.images) == valid.labels).sum())
    counted = max(1, round(PUBLIC_SHARE * rows))
    likely = next_accuracy(hits, n, counted)
    floor = next_accuracy(hits, n, counted, 1 - 2 * FLOOR_CHANCE).low
    return wilson(hits, n), Score(likely.value, likely.low, likely.high, floor, counted)
