"""The buffer in which the processes sum what a step needs from all of them: one sum instead of one a parameter."""

from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

__all__ = ["Flat", "flat_for"]


@final
@dataclass(frozen=True, slots=True)
class Flat:
    """P numbers of the gradients of K parameters, and K + 3 more. The parts are views, made once: they cost a step."""

    like: Any  # the type, the device and the shapes that it was made for
    whole: Tensor  # (P + K + 3,)
    head: Tensor  # (P,) the gradients
    grads: list[Tensor]  # the same, each in its parameter's shape
    tail: Tensor  # (K + 3,) for each parameter how many ranks have a gradient; rows; ranks that want to stop; n_r L_r


def flat_for(params: list[Tensor], before: Flat | None) -> Flat:
    """The buffer for these parameters: the one before if it fits, else a new one, of float64 if a parameter is."""
    dtype = torch.float64 if any(p.dtype == torch.float64 for p in params) else torch.float32
    like = dtype, params[0].device, [p.shape for p in params]
    if before is not None and before.like == like:
        return before
    sizes = [p.numel() for p in params]
    with torch.inference_mode(False):  # what inference mode makes cannot be changed outside it
        whole = torch.zeros(sum(sizes) + len(params) + 3, dtype=dtype, device=params[0].device)
        head, tail = whole[: sum(sizes)], whole[sum(sizes) :]
        grads = [part.view(p.shape) for part, p in zip(torch.split(head, sizes), params, strict=True)]
    return Flat(like, whole, head, grads, tail)
