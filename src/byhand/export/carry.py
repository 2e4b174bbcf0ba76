"""Weights made small enough to travel in a page, and what that costs.

Few weights go as they are. Of many, each tensor is divided by a power of two, so that its largest number lies between 1
and 2, and rounded to float16: its numbers keep 11 bits, however small or large the weights of the model are.
"""

import base64
import math
from dataclasses import dataclass
from typing import Final, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from byhand.errors import UsageError
from byhand.export.made_up import made_up
from byhand.fold import folded
from byhand.layers import Dropout, Linear, ReLU
from byhand.loss import softmax
from byhand.model import Sequential

__all__ = ["Carried", "carry"]

_FEW: Final = 45_000  # weights that fill 240 KB as base64 of float32
_MOST_BYTES: Final = 20 * 2**20
_LONGEST: Final = 128  # pixels of a side: above, every stroke of the pen would take too long


@final
@dataclass(frozen=True, slots=True)
class Carried:
    """A model as a page has it."""

    sizes: tuple[int, ...]  # (P, H, …, C)
    bits: int  # of a number: 32 or 16
    scales: tuple[float, ...]  # one a tensor, in the order of the model's parameters
    data: str  # base64 of the numbers, little-endian, one tensor after the other
    max_difference: float  # the largest of a probability, over made-up pictures


def carry(model: object, shape: tuple[int, int]) -> Carried:
    """Pack a model for pictures of ``shape`` (H, W).

    Raises:
        UsageError: it is not linear layers with a ReLU between them, or too large, or its weights are no numbers.
    """
    kind = type(model).__name__
    model = folded(model) if isinstance(model, Sequential) else model
    if not isinstance(model, Sequential) or not _is_perceptron(model):
        raise UsageError(
            f"the page cannot carry a {kind}: it has to be linear, or an MLP with ReLUs; byhand predict says what it "
            "sees"
        )
    if max(shape) > _LONGEST:
        raise UsageError(
            f"the page cannot carry it: it learnt from images of {shape[1]}×{shape[0]} pixels, and a page draws "
            f"{_LONGEST}×{_LONGEST} at most; train with --size {_LONGEST} or less"
        )
    tensors = [p.detach().cpu().float().numpy() for p in model.parameters()]
    size = 2 * sum(tensor.size for tensor in tensors)
    if size > _MOST_BYTES:
        raise UsageError(
            f"the page cannot carry it: its weights are {size / 2**20:.0f} MB, and {_MOST_BYTES / 2**20:.0f} MB is the "
            "most; train with fewer --hidden units"
        )
    if not all(np.isfinite(tensor).all() for tensor in tensors):
        raise UsageError("the page cannot carry it: some of its weights are not numbers; train again with a lower --lr")
    bits = 32 if size // 2 <= _FEW else 16
    scales = tuple(1.0 if bits == 32 else _scale(tensor) for tensor in tensors)
    short = [(tensor / scale).astype(f"<f{bits // 8}") for tensor, scale in zip(tensors, scales, strict=True)]
    rounded = [each.astype(np.float32) * np.float32(scale) for each, scale in zip(short, scales, strict=True)]
    pictures = made_up(shape)
    difference = float((_probabilities(rounded, pictures) - _probabilities(tensors, pictures)).abs().max())
    data = base64.b64encode(b"".join(each.tobytes() for each in short)).decode("ascii")
    return Carried(model.sizes, bits, scales, data, difference)


def _is_perceptron(model: Sequential) -> bool:
    layers = [layer for layer in model.layers if not isinstance(layer, Dropout)]
    return len(layers) % 2 == 1 and all(isinstance(layer, ReLU if i % 2 else Linear) for i, layer in enumerate(layers))


def _scale(tensor: NDArray[np.float32]) -> float:
    largest = float(np.abs(tensor).max(initial=0))
    return 2.0 ** math.floor(math.log2(largest)) if largest else 1.0


def _probabilities(tensors: list[NDArray[np.float32]], pictures: NDArray[np.uint8]) -> Tensor:
    """What a model of these weights says of pictures (N, H, W), as (N, C)."""
    weights = [torch.as_tensor(tensor) for tensor in tensors]
    y = torch.as_tensor(pictures.reshape(len(pictures), -1)) / 255  # (N, P)
    for i in range(0, len(weights), 2):
        y = y @ weights[i].T + weights[i + 1]
        y = y.clamp(min=0) if i + 2 < len(weights) else y
    return softmax(y)
