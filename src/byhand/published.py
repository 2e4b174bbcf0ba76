"""Weights of ResNet-18 that others have published: fetched once, checked, and fitted to grey images and other classes.

``--weights imagenet`` is torchvision's IMAGENET1K_V1 (BSD-3-Clause; 1,000 classes of ImageNet's colour photographs), as
timm keeps it on the Hugging Face hub: one revision, whose size and SHA-256 are those that the hub's page of the file
states.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import torch
from torch import Tensor

from byhand.data.cache import home
from byhand.data.download import fetch
from byhand.resnet import FEATURES, ResNet18

__all__ = ["FILE", "IMAGENET", "fitted", "imagenet"]

IMAGENET: Final = "imagenet"
"""What ``--weights`` is to say for them."""

FILE: Final = ("model.safetensors", 46_807_446, "694f673df6520a3158624e8a89af086f59923ee4cd7436fe5bc3bc71d295ad81")
_MIRRORS: Final = ("https://huggingface.co/timm/resnet18.tv_in1k/resolve/bbd144b3e5565108aad885f145491d11bc6ce807/",)

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's red, green and blue


def imagenet(quiet: bool = False) -> Path:
    """Where the published file is, after fetching it if byhand's cache has none; ``quiet`` shows no progress.

    Raises:
        DataError: it cannot be had, or is not the published one.
    """
    folder = home() / "weights" / "resnet18.tv_in1k"
    fetch(IMAGENET, [FILE], _MIRRORS, folder, quiet, instead="or name another file with --weights")
    return folder / FILE[0]


def fitted(saved: Mapping[str, Tensor], model: ResNet18) -> dict[str, Tensor]:
    """The tensors of a file as the model has them; what cannot be fitted is left as it is.

    A first convolution of three channels becomes one for grey images (``_for_grey``). A last layer for another number
    of classes gives its place to the model's own, which has learnt nothing. The counts of batches, which the published
    files of some programs lack, are of no consequence.
    """
    mine, found = model.state_dict(), dict(saved)
    for name, tensor in mine.items():
        if name.endswith("num_batches_tracked"):
            found.setdefault(name, tensor)
    shapes = {name: tuple(tensor.shape) for name, tensor in found.items()}
    if (shapes.get("conv1.weight"), shapes.get("bn1.running_mean")) == ((64, 3, 7, 7), (64,)):
        found |= _for_grey(found["conv1.weight"].float(), found["bn1.running_mean"].float())
    classes = shapes.get("fc.bias", ())
    if len(classes) == 1 and shapes.get("fc.weight") == (*classes, FEATURES) and classes != mine["fc.bias"].shape:
        found |= {name: mine[name] for name in ("fc.weight", "fc.bias")}
    return found


def _for_grey(weight: Tensor, mean: Tensor) -> dict[str, Tensor]:
    """The first convolution (64, 3, 7, 7) and the mean (64,) that its batch norm expects, for grey pixels from 0 to 1.

    The published network is given channels (x_c − m_c) / s_c. With the grey image x in each of the three,

        Σ_c W_c ∗ (x − m_c) / s_c = (Σ_c W_c / s_c) ∗ x − Σ_c (m_c / s_c) Σ_k W_ck,

    and the constant goes into the mean that is subtracted next. So the answers are those of the network as published,
    for an image around which there is black, and not, as there, the mean colour.
    """
    m, s = torch.tensor(_MEAN).view(1, 3, 1, 1), torch.tensor(_STD).view(1, 3, 1, 1)
    return {
        "conv1.weight": (weight / s).sum(dim=1, keepdim=True),  # (64, 1, 7, 7)
        "bn1.running_mean": mean + (weight * m / s).sum(dim=(1, 2, 3)),  # (64,)
    }
