"""What a model says of images, and what a trained run sees in a picture that somebody has drawn or photographed."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from byhand.data.drawing import as_mnist
from byhand.data.picture import read_picture, resized, to_grey
from byhand.loss import softmax
from byhand.model import Sequential
from byhand.networks import Network
from byhand.runs import load_run

__all__ = ["Prediction", "predict", "predict_logits"]

_ROWS: Final = 4096  # images at a time
_FEW_ROWS: Final = 256  # of a module, whose activations are many


@final
@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer for one file."""

    file: str
    label: str  # the name of the likeliest class
    probs: dict[str, float]  # a class, its probability
    notes: tuple[str, ...]  # what was done to the picture first


def predict(run: str | Path, files: Iterable[str | Path]) -> list[Prediction]:
    """Predict each picture with the model of a run's folder, after giving it the look of what the model learnt from.

    If the run learnt from light ink on a black ground, a picture is made like those: see ``as_mnist``. Otherwise it is
    only made grey and resized.

    Raises:
        DataError: the folder is no run, or a picture cannot be read or shows nothing.
    """
    model, record = load_run(run)
    data = record["data"]
    height, width = data["shape"]
    predictions: list[Prediction] = []
    for file in files:
        if data["ink_box"] is None:
            grey = to_grey(read_picture(file), file, grayscale=True)  # (h, w)
            image, notes = resized(grey, (height, width)), (f"made grey and {width}×{height} pixels, no more",)
        else:
            drawn = as_mnist(file, height, data["ink_box"])
            image, notes = drawn.image, drawn.notes
        probs = [float(p) for p in softmax(predict_logits(model, image[None]).float())[0]]  # C of them
        label = data["classes"][max(range(len(probs)), key=probs.__getitem__)]
        predictions.append(Prediction(str(file), label, dict(zip(data["classes"], probs, strict=True)), notes))
    return predictions


def predict_logits(model: Network, images: NDArray[np.uint8]) -> Tensor:
    """The logits (N, C) for images (N, H, W), without dropout; on the processor, wherever the model is.

    The model is left in evaluation mode.
    """
    device = next(iter(model.parameters())).device
    rows = torch.as_tensor(images).reshape(len(images), math.prod(images.shape[1:]))  # (N, P)
    size = _ROWS if isinstance(model, Sequential) else _FEW_ROWS
    model.eval()
    with torch.inference_mode():
        starts = range(0, max(1, len(rows)), size)
        return torch.cat([model(rows[start : start + size].to(device)).cpu() for start in starts])
