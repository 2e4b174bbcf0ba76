"""What is too good to be true, and what should not be: signs that the number does not mean what it says."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from byhand.data.content import shared
from byhand.data.dataset import Dataset, Part
from byhand.evaluate.results import Landmarks
from byhand.evaluate.statistics import CHANCE_LEVEL, mcnemar

__all__ = ["find_alarms"]

# What no honest model without augmentation is known to pass on MNIST; facts from published results.
_MNIST: Final = (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009)  # test images of each class
_KNOWN: Final = {
    "linear": (0.935, "one linear layer"),
    "mlp": (0.993, "an MLP without augmented images"),
    "resnet18": (0.9985, "one convolutional network"),
}


def find_alarms(
    hits: NDArray[np.bool_],
    model: str,
    data: Dataset,
    landmarks: Landmarks,
    optimum: NDArray[np.float64] | None,
) -> tuple[str, ...]:
    """A sentence for each reason to doubt the accuracy of a model.

    Rows that stand in the training and in the test part; an accuracy on MNIST that is above all known ones of its
    kind; a linear model that beats the linear ceiling on the same images by more than luck (McNemar, p < 1e-4).

    Args:
        hits: (N,) whether the model names each test image right.
        model: its kind, as ``--model`` has it.
        data: what it learnt from and is judged by.
        landmarks: of these data.
        optimum: the ceiling's weights (C, P + 1), if they are known.
    """
    alarms: list[str] = []
    seen = int(shared(data.test.images, data.train.images).sum())
    if seen:
        alarms.append(
            f"{seen:,} of the {len(data.test):,} test images stand among the training images too, pixel for pixel: "
            "the model has seen them with their labels"
        )
    accuracy = float(hits.mean())
    limit, kind = _KNOWN[model]
    if landmarks.counts == _MNIST and accuracy > limit:
        alarms.append(
            f"{100 * accuracy:.1f} % is too good for {kind} on MNIST, where more than {100 * limit:.4g} % is not known "
            "to be reached honestly: has it seen the test images?"
        )
    elif model == "linear" and optimum is not None:
        best = _hits(optimum, data.test)
        won, lost = int((hits & ~best).sum()), int((best & ~hits).sum())
        if won > lost and mcnemar(won, lost) < CHANCE_LEVEL:
            alarms.append(
                f"{100 * accuracy:.1f} % is better than the best linear layer ({100 * float(best.mean()):.1f} %) on "
                "the same images, and not by luck: has it seen the test images?"
            )
    return tuple(alarms)


def _hits(weight: NDArray[np.float64], part: Part) -> NDArray[np.bool_]:
    """(N,) which images of a part the linear layer ``weight`` (C, P + 1) names right; the bias is its last column."""
    x = part.images.reshape(len(part), -1) / 255.0  # (N, P)
    return (x @ weight[:, :-1].T + weight[:, -1]).argmax(axis=1) == part.labels
