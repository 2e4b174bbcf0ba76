"""Layers with their gradients written by hand.

Each layer has ``forward`` and ``backward`` side by side: ``forward`` keeps what its gradient needs, ``backward`` takes
the gradient of the loss with respect to the layer's output, adds the gradients of its own parameters to their
``.grad``, and returns the gradient with respect to its input. No autograd is involved; but ``forward`` is made of
ordinary tensor operations, so ``loss.backward()`` works on these models too, and a test holds the two equal.

Shapes: B batch, P pixels, H hidden units, C classes, I and O a layer's inputs and outputs.
"""

import math
from collections.abc import Sequence
from typing import Protocol, final

import torch
from torch import Tensor

from byhand.wide import WIDE, ThinGradient, keep_thin, product

__all__ = ["Dropout", "Layer", "Linear", "ReLU", "accumulate", "init_params"]


def init_params(size: int | Sequence[int], std: float = 1.0, generator: torch.Generator | None = None) -> Tensor:
    """Draw parameters from the normal distribution N(0, std²), ready for ``backward()``.

    ``std=1.0`` is what tutorials write; for 784 pixels it starts the logits at a spread of about 10, where softmax is
    already sure of a wrong answer. ``std=0`` starts a linear classifier at equal probabilities, the better place.

    Args:
        size: the shape, or one number for a vector.
        std: standard deviation, at least 0.
        generator: where the random numbers come from; torch's global one if not given.
    """
    shape = (size,) if isinstance(size, int) else tuple(size)
    return (torch.randn(shape, generator=generator) * std).requires_grad_()


class Layer(Protocol):
    """What ``Sequential`` asks of a layer."""

    training: bool

    def forward(self, x: Tensor) -> Tensor:
        """From its input to its output; keeps what the gradient needs."""
        ...

    def backward(self, grad: Tensor) -> Tensor:
        """From the loss's gradient at its output to that at its input; adds its parameters' gradients."""
        ...

    def backward_parameters(self, grad: Tensor) -> None:
        """Add its parameters' gradients alone."""
        ...

    def named_parameters(self) -> list[tuple[str, Tensor]]:
        """Its parameters and their names."""
        ...


@final
class Linear:
    """A linear layer, z = x Wᵀ + b.

    Gradients, with G = ∂L/∂z of shape (B, O): each z_bo = Σ_i x_bi W_oi + b_o, so

        ∂L/∂W = Gᵀ x,     ∂L/∂b = Σ_b G_b,     ∂L/∂x = G W.

    A batch of ``uint8`` is a batch of pixels and stands for x / 255: the products are made on the raw numbers, and
    1/255 is multiplied into their result, which is far smaller than the batch.

    A ``mixed`` layer that learns has its three products made in bfloat16, 8 bits a number, which some processors
    multiply twice as fast: 0..255 are exact there, all else is rounded by at most 0.4 %. The sums within a product, the
    weights and the gradients that are kept have float32's 24 bits, and so has all when it evaluates.

    Attributes:
        weight: (O, I), as PyTorch keeps it.
        bias: (O,).
        mixed: whether products are made in bfloat16 while training; False at first.
    """

    def __init__(
        self, in_features: int, out_features: int, init: str = "kaiming", generator: torch.Generator | None = None
    ) -> None:
        """Make the parameters.

        Args:
            in_features: I.
            out_features: O.
            init: ``kaiming``, uniform in ± 1/√I, the very numbers that ``torch.nn.Linear`` draws from the same seed;
                ``zeros``; or ``normal:STD``, weights from N(0, STD²) and the bias too, as the seeds have it.
            generator: where the random numbers come from; torch's global one if not given.

        Raises:
            ValueError: for an ``init`` that is none of these.
        """
        self.training = True
        self.mixed = False
        self.weight = torch.zeros(out_features, in_features)  # (O, I)
        self.bias = torch.zeros(out_features)  # (O,)
        kind, _, std = init.partition(":")
        if kind == "kaiming" and not std:
            bound = 1 / math.sqrt(in_features) if in_features else 0.0
            self.weight.uniform_(-bound, bound, generator=generator)
            self.bias.uniform_(-bound, bound, generator=generator)
        elif kind == "normal":
            self.weight.normal_(0, _at_least_zero(std, init), generator=generator)
            self.bias.normal_(0, float(std), generator=generator)
        elif init != "zeros":
            raise ValueError(f"init is {init!r}: use 'zeros', 'normal:STD' or 'kaiming'")
        self.weight.requires_grad_()
        self.bias.requires_grad_()

    def forward(self, x: Tensor) -> Tensor:
        """(B, I) → (B, O)."""
        self._scale = 1 / 255 if x.dtype == torch.uint8 else 1.0
        self._wide = self.weight.numel() > WIDE
        if self._wide:
            self._x = x  # (B, I)
            return product(self.bias, self.weight, x, self._scale)  # (B, O)
        dtype = torch.bfloat16 if self.mixed and self.training else self.weight.dtype
        self._x = x = x.to(dtype)  # (B, I)
        self._factor = self.weight.to(dtype)  # (O, I)
        # W xᵀ, transposed back: with ten outputs this product takes half the time of x Wᵀ, and the loss then reduces
        # over the classes along whole rows of memory.
        if dtype != self.weight.dtype:
            return torch.add(self.bias.unsqueeze(1), self._factor @ x.t(), alpha=self._scale).t()  # (B, O)
        return torch.addmm(self.bias.unsqueeze(1), self.weight, x.t(), alpha=self._scale).t()  # (B, O)

    def backward(self, grad: Tensor) -> Tensor:
        """(B, O) → (B, I), and the parameters' gradients."""
        self.backward_parameters(grad)
        weight = self.weight if self._wide else self._factor  # (O, I)
        return torch.mm(weight.t(), grad.t().to(weight.dtype)).t().to(grad.dtype)  # (B, I)

    def backward_parameters(self, grad: Tensor) -> None:
        """The parameters' gradients alone: what the lowest layer needs, since nobody asks for ∂L/∂pixels."""
        accumulate(self.bias, grad.sum(dim=0))  # (O,)
        if self._wide:
            keep_thin(self.weight, ThinGradient(grad, self._x, self._scale))
            return
        weight_grad = torch.mm(grad.t().to(self._x.dtype), self._x).to(grad.dtype)  # (O, I)
        if self._scale != 1.0:
            weight_grad *= self._scale
        accumulate(self.weight, weight_grad)

    def named_parameters(self) -> list[tuple[str, Tensor]]:
        """``weight`` and ``bias``, as ``torch.nn.Linear`` names them."""
        return [("weight", self.weight), ("bias", self.bias)]

    def __repr__(self) -> str:
        outputs, inputs = self.weight.shape
        return f"Linear({inputs}, {outputs})"


@final
class ReLU:
    """max(x, 0). Its gradient is 1 where the output is positive, else 0 (at 0 too, PyTorch's choice)."""

    training = True

    def forward(self, x: Tensor) -> Tensor:
        """Any shape, the same shape."""
        self._y = x.clamp(min=0)
        return self._y

    def backward(self, grad: Tensor) -> Tensor:
        """∂L/∂x = ∂L/∂y · [y > 0], which is the sign of y, since no y is negative."""
        return grad * self._y.sign()

    def backward_parameters(self, grad: Tensor) -> None:
        """There are none."""

    def named_parameters(self) -> list[tuple[str, Tensor]]:
        """There are none."""
        return []

    def __repr__(self) -> str:
        return "ReLU()"


@final
class Dropout:
    """Sets each number to 0 with probability p while training, and the others to x / (1 − p).

    y = x · m with m = 0 or 1/(1 − p), so E[y] = x and nothing needs to change when the model is evaluated. The gradient
    passes through the same mask, ∂L/∂x = ∂L/∂y · m. Source: Srivastava et al., JMLR 15 (2014), in the inverted form.
    """

    def __init__(self, p: float = 0.5, generator: torch.Generator | None = None) -> None:
        """Args: p, in [0, 1); generator, where the masks come from (torch's global one if not given)."""
        if not 0 <= p < 1:
            raise ValueError(f"dropout p is {p}: it must be at least 0 and below 1")
        self.training = True
        self.p = p
        self.generator = generator

    def forward(self, x: Tensor) -> Tensor:
        """Any shape, the same shape; x itself when evaluating. Pixels of dtype uint8 become x / 255."""
        if x.dtype == torch.uint8:
            x = x / 255
        if not self.training or self.p == 0:
            self._mask = None
            return x
        self._mask = self._draw(x)
        return x * self._mask

    def backward(self, grad: Tensor) -> Tensor:
        """∂L/∂x = ∂L/∂y · m."""
        return grad if self._mask is None else grad * self._mask

    def _draw(self, x: Tensor) -> Tensor:
        """m, as x lies in memory: four numbers from each draw of 64 bits, which takes a third of four draws' time.

        So 1 − p is rounded to a multiple of 1/65,536, and what stays is divided by just that.
        """
        mask = torch.empty_like(x)
        bits = torch.empty(-(-x.numel() // 4), dtype=torch.int64, device=x.device)
        draws = bits.random_(-(2**63), None, generator=self.generator).view(torch.int16)  # 4 numbers of each
        stay = max(1, round((1 - self.p) * 65536))
        torch.lt(draws.as_strided(x.shape, mask.stride()), stay - 32768, out=mask)
        return mask.mul_(65536 / stay)

    def backward_parameters(self, grad: Tensor) -> None:
        """There are none."""

    def named_parameters(self) -> list[tuple[str, Tensor]]:
        """There are none."""
        return []

    def __repr__(self) -> str:
        return f"Dropout({self.p})"


def accumulate(p: Tensor, grad: Tensor) -> None:
    """Add to ``p.grad``, as ``backward()`` does; nothing for a frozen parameter."""
    if p.requires_grad:
        p.grad = grad if p.grad is None else p.grad + grad


def _at_least_zero(std: str, init: str) -> float:
    """STD of ``normal:STD`` as a number."""
    try:
        value = float(std)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise ValueError(f"init is {init!r}: STD must be a number that is at least 0, as in 'normal:0.01'")
    return value
