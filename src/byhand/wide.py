"""Linear layers with so many weights that nothing of their size fits into memory twice.

A thousand classes of pictures of 1000 × 1000 pixels take 10⁹ weights, 4 GB. The gradient over a batch of B pictures
would take as much again, yet it is the product of two thin matrices, ∂L/∂W = scale · Gᵀ X, with G = ∂L/∂logits (B, O)
and the pixels X (B, I). So it is kept as these two, and SGD adds their product to W where W stands: a rank-B update in
place. Pixels of one byte become numbers of four a strip of columns at a time.

Shapes: B batch, I inputs, O outputs.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, cast, final

import torch
from torch import Tensor

__all__ = ["WIDE", "ThinGradient", "forget_thin", "is_wide", "keep_thin", "product", "thin_gradients"]

WIDE: Final = 2**27
"""Numbers of a weight, half a GB of float32: beyond, neither its gradient is made nor a copy of it kept."""

_STRIP: Final = 2**24  # numbers of a strip, 64 MB
_NAME: Final = "thin_gradients"


def is_wide(parameters: Iterable[Tensor]) -> bool:
    """Whether one of them has more than ``WIDE`` numbers."""
    return any(p.numel() > WIDE for p in parameters)


@final
@dataclass(frozen=True, slots=True)
class ThinGradient:
    """scale · Gᵀ X, (O, I), as its factors."""

    grad: Tensor  # G, (B, O)
    x: Tensor  # X, (B, I), of the weight's type or uint8
    scale: float

    def add_to(self, weight: Tensor, alpha: float) -> None:
        """In place: weight (O, I) += alpha · scale · Gᵀ X."""
        for columns, x in _strips(self.x, weight.dtype):
            weight[:, columns].addmm_(self.grad.t(), x, alpha=alpha * self.scale)

    def dense(self) -> Tensor:
        """The gradient itself, (O, I)."""
        return self.grad.t() @ self.x.to(self.grad.dtype) * self.scale


def product(bias: Tensor, weight: Tensor, x: Tensor, scale: float) -> Tensor:
    """What ``Linear`` makes of a batch, strip by strip: bias + scale · x Wᵀ, (B, O)."""
    out = bias.detach().unsqueeze(1).repeat(1, len(x))  # (O, B)
    for columns, strip in _strips(x, weight.dtype):
        out.addmm_(weight.detach()[:, columns], strip.t(), alpha=scale)
    return out.t()


def keep_thin(weight: Tensor, gradient: ThinGradient) -> None:
    """Leave a weight's gradient beside it, as its factors, with those that are there already."""
    if weight.requires_grad:
        setattr(weight, _NAME, [*thin_gradients(weight), gradient])


def thin_gradients(weight: Tensor) -> list[ThinGradient]:
    """What ``keep_thin`` left: the gradient is their sum."""
    return cast("list[ThinGradient]", cast(Any, weight).__dict__.get(_NAME, []))


def forget_thin(weight: Tensor) -> None:
    """Forget them, as ``weight.grad = None`` does a gradient."""
    cast(Any, weight).__dict__.pop(_NAME, None)


def _strips(x: Tensor, dtype: torch.dtype) -> Iterator[tuple[slice, Tensor]]:
    """The columns of x (B, I), some at a time, as numbers of the weight's type."""
    width = max(1, _STRIP // max(1, len(x)))
    for start in range(0, x.shape[1], width):
        columns = slice(start, start + width)
        yield columns, x[:, columns].to(dtype)
