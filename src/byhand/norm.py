"""Batch norm, forward and backward side by side, as the other layers (``layers``).

Shapes: B batch, H hidden units.
"""

from typing import final

import torch
from torch import Tensor

from byhand.layers import accumulate

__all__ = ["BatchNorm1d"]


@final
class BatchNorm1d:
    """Brings each unit's numbers over the batch to mean 0 and variance 1, then scales and shifts them as it learns.

    While training, a unit has the batch's own mean μ = Σ_b x_b / B and variance σ² = Σ_b (x_b − μ)² / B:

        x̂ = (x − μ) / √(σ² + eps),     y = γ x̂ + β.

    Running averages stand for μ and σ² when the model is evaluated. Each batch gives them the share ``momentum`` of
    its own, of the variance in the unbiased form σ² B / (B − 1).

    Gradients, with G = ∂L/∂y of shape (B, H): ∂L/∂β = Σ_b G_b and ∂L/∂γ = Σ_b G_b x̂_b. Each x_b moves all x̂_a of its
    unit: its own, and all by way of μ, ∂μ/∂x_b = 1/B, and of σ², ∂σ²/∂x_b = 2 (x_b − μ) / B. So

        ∂x̂_a/∂x_b = ([a = b] − 1/B − x̂_a x̂_b / B) / √(σ² + eps),
        ∂L/∂x = γ / √(σ² + eps) · (G − Σ_b G_b / B − x̂ Σ_b G_b x̂_b / B).

    When evaluating, μ and σ² are constants, and the two sums are not there; and so it is while training where γ is
    frozen, since a frozen layer must not change. Source: Ioffe and Szegedy, ICML 2015, in
    the form of ``torch.nn.BatchNorm1d``.

    Attributes:
        weight: γ, (H,).
        bias: β, (H,).
        running_mean, running_var: (H,).
        num_batches_tracked: () int64, the batches that they have seen.
    """

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        """Args: H, and what is added to a variance, and the share of a new batch in the running averages."""
        self.training = True
        self.eps = eps
        self.momentum = momentum
        self.weight = torch.ones(num_features).requires_grad_()  # (H,)
        self.bias = torch.zeros(num_features).requires_grad_()  # (H,)
        self.running_mean = torch.zeros(num_features)  # (H,)
        self.running_var = torch.ones(num_features)  # (H,)
        self.num_batches_tracked = torch.tensor(0)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H) → (B, H).

        Raises:
            ValueError: one row to learn from: it has no variance.
        """
        self._of_batch = self.training and self.weight.requires_grad
        if self._of_batch:
            if len(x) == 1:
                raise ValueError("batch norm has one row to learn from, and one has no variance: give it two or more")
            mean = x.mean(dim=0)  # (H,)
            centred = x - mean  # (B, H)
            var = (centred * centred).mean(dim=0)  # (H,)
            self._track(mean.detach(), var.detach(), len(x))
        else:
            centred, var = x - self.running_mean, self.running_var
        self._slope = (var + self.eps).rsqrt()  # (H,)
        self._normal = centred * self._slope  # (B, H), x̂
        return self._normal * self.weight + self.bias

    def backward(self, grad: Tensor) -> Tensor:
        """(B, H) → (B, H), and the parameters' gradients."""
        bias_grad, weight_grad = self._accumulated(grad)
        if self._of_batch:
            grad = grad - (bias_grad + self._normal * weight_grad) / len(grad)
        return grad * (self.weight * self._slope)

    def backward_parameters(self, grad: Tensor) -> None:
        """The parameters' gradients alone."""
        self._accumulated(grad)

    def named_parameters(self) -> list[tuple[str, Tensor]]:
        """``weight`` and ``bias``, as ``torch.nn.BatchNorm1d`` names them."""
        return [("weight", self.weight), ("bias", self.bias)]

    def named_buffers(self) -> list[tuple[str, Tensor]]:
        """The numbers that are not learnt by gradients, named and ordered as PyTorch's."""
        names = ("running_mean", "running_var", "num_batches_tracked")
        return [(name, getattr(self, name)) for name in names]

    def _accumulated(self, grad: Tensor) -> tuple[Tensor, Tensor]:
        """∂L/∂β and ∂L/∂γ, (H,) each, added to the ``.grad`` of the two."""
        bias_grad, weight_grad = grad.sum(dim=0), (grad * self._normal).sum(dim=0)
        accumulate(self.bias, bias_grad)
        accumulate(self.weight, weight_grad)
        return bias_grad, weight_grad

    def _track(self, mean: Tensor, var: Tensor, rows: int) -> None:
        """Move the running averages, in place."""
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(var * (rows / (rows - 1)), self.momentum)
            self.num_batches_tracked += 1

    def __repr__(self) -> str:
        return f"BatchNorm1d({len(self.weight)})"
