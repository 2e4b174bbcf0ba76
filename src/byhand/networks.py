"""What a run asks of its model, by kind: how it is made, started from a file, and how large it is.

A ``Sequential`` carries its gradients in its own layers; a ``ResNet18`` is a ``torch.nn.Module``, which ``Learner``
trains through autograd.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from operator import index

import torch

from byhand import published, weights
from byhand.errors import DataError, UsageError
from byhand.layers import Linear
from byhand.model import MLP, LinearClassifier, Sequential
from byhand.resnet import BODY, FEATURES, ResNet18
from byhand.settings import Settings
from byhand.text import brief
from byhand.threads import multiplies_bfloat16
from byhand.wide import WIDE

__all__ = [
    "Network",
    "build_model",
    "check",
    "make",
    "mix",
    "numbers",
    "precision",
    "start_from",
    "usual_lr",
]

_LARGE = 2**16  # weights: with fewer, converting takes what multiplying faster saves

Network = Sequential | ResNet18
"""The models that a run can have."""


def make(settings: Settings, shape: Sequence[int], classes: int) -> Network:
    """The model of resolved settings for images of ``shape`` (H, W), its products in the precision that they name.

    Raises:
        UsageError: ``init`` is none that there is.
        TypeError, ValueError: that is no shape of an image.
    """
    resnet = settings.model == "resnet18"
    model = _make_resnet(settings, shape, classes) if resnet else build_model(settings, math.prod(shape), classes)
    mix(model, settings.precision or "float32")
    return model


def build_model(settings: Settings, pixels: int, classes: int) -> Sequential:
    """The linear model or MLP of resolved settings, its random numbers drawn from their seed.

    Raises:
        UsageError: ``init`` is none that there is.
    """
    generator = torch.Generator().manual_seed(settings.seed)
    init = settings.init or "kaiming"
    try:
        if settings.model == "linear":
            return LinearClassifier(pixels, classes, init, generator)
        return MLP(
            pixels,
            settings.hidden or (),
            classes,
            settings.dropout,
            init,
            generator,
            input_dropout=settings.input_dropout,
            batch_norm=settings.batch_norm,
        )
    except ValueError as error:
        raise UsageError(f"--init {brief(init)}: {brief(error)}") from error
    except RuntimeError as error:  # torch's way to say that memory is refused, in several lines
        raise UsageError(
            f"--hidden {settings.hidden}: such a model does not fit into memory; take fewer units"
        ) from error


def numbers(settings: Settings, pixels: int, classes: int) -> int:
    """How many numbers make the model of these settings what it is."""
    if settings.model == "resnet18":
        return BODY + (FEATURES + 1) * classes
    norms = sum(4 * units + 1 for units in settings.hidden or ()) if settings.batch_norm else 0
    return sum((inputs + 1) * outputs for inputs, outputs in _layers(settings, pixels, classes)) + norms


def check(settings: Settings, pixels: int, classes: int, processes: int = 1) -> None:
    """Refuse what does not fit into memory, or cannot be shared by ``processes``, before it is made.

    Raises:
        UsageError: averages of a layer too wide for them, or batch norm in several processes.
    """
    if processes > 1 and (settings.batch_norm or settings.model == "resnet18"):
        raise UsageError(
            "batch norm learns in one process: of several, each would norm its own part of a batch by itself; start it "
            "without torchrun"
        )
    if settings.model == "resnet18":
        return
    widest = max(inputs * outputs for inputs, outputs in _layers(settings, pixels, classes))
    if widest > WIDE and (settings.momentum or settings.opt != "sgd"):
        option = "--momentum" if settings.momentum else f"--opt {settings.opt}"
        raise UsageError(
            f"{option}: beside {widest:,} weights in a layer ({4 * widest / 1e9:.1f} GB) there is no room for averages "
            "of them; take --opt sgd without momentum"
        )


def start_from(model: Network, file: str, quiet: bool = False) -> None:
    """Take over the weights of a file, or, for ``imagenet``, of the published one.

    Raises:
        DataError: they cannot be had, are damaged, or do not fit.
    """
    saved = weights.load(published.imagenet(quiet) if file == published.IMAGENET else file)
    try:
        weights.restore(model, {}, published.fitted(saved, model) if isinstance(model, ResNet18) else saved)
    except ValueError as error:
        raise DataError(f"--weights {file} does not fit the model: {error}") from error


def precision(settings: Settings, pixels: int, classes: int, device: torch.device) -> str:
    """``float32`` or ``bfloat16``: what the products of a network's hidden layers are made in.

    Unless told, bfloat16 where it is multiplied faster and the layers are large enough for that to count. A linear
    model has no such layers.
    """
    if settings.precision or settings.model == "linear" or not multiplies_bfloat16(device):
        return settings.precision or "float32"
    hidden = _layers(settings, pixels, classes)[:-1]
    large = settings.model == "resnet18" or max(inputs * outputs for inputs, outputs in hidden) >= _LARGE
    return "bfloat16" if large else "float32"


def mix(model: Network, precision: str) -> None:
    """Make the products of the hidden layers in that precision: an MLP's as it learns, a ResNet-18's as it answers."""
    mixed = precision == "bfloat16"
    if isinstance(model, ResNet18):
        model.mixed = mixed
        return
    for layer in [layer for layer in model.layers if isinstance(layer, Linear)][:-1]:
        layer.mixed = mixed


def usual_lr(settings: Settings) -> tuple[float, str] | None:
    """The rate for a network whose batch norms learn, and why; None for any other, whose rate is tried out.

    In the few steps of a trial the running averages of a batch norm do not yet stand for the batches, so the loss on
    rows set aside says little about the rate. SGD has 0.1 · B/256 at momentum 0.9 (Goyal et al., arXiv 1706.02677,
    2017), which moves as fast as (1 − momentum) · B/256 at another; Adam has its authors' 0.001.
    """
    if settings.freeze or not (settings.batch_norm or settings.model == "resnet18"):
        return None
    if settings.opt == "adam":
        return 0.001, "as Adam's authors have it"
    return (1 - settings.momentum) * settings.batch_size / 256, "usual for networks with batch norms"


def _layers(settings: Settings, pixels: int, classes: int) -> list[tuple[int, int]]:
    """Inputs and outputs of each linear layer of a linear model or an MLP."""
    return list(pairwise([pixels, *(settings.hidden or ()), classes]))


def _make_resnet(settings: Settings, shape: Sequence[int], classes: int) -> ResNet18:
    """The network for images of ``shape`` (H, W), its random numbers drawn from the seed.

    Raises:
        TypeError, ValueError: that is no shape of an image.
    """
    height, width = map(index, shape)
    if min(height, width) < 1:
        raise ValueError(f"images of {height} × {width} pixels")
    return ResNet18((height, width), classes, torch.Generator().manual_seed(settings.seed))
