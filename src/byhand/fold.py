"""A trained network made simpler: batch norms taken into the linear layers before them."""

from typing import Any

import torch

from byhand.layers import Linear
from byhand.model import Sequential
from byhand.norm import BatchNorm1d

__all__ = ["folded"]


def folded(model: Sequential) -> Sequential:
    """The same function as ``model``'s when it evaluates, each batch norm within the linear layer before it.

    When evaluating, a batch norm is itself linear in its input: with s = γ / √(σ² + eps),

        γ (W x + b − μ) / √(σ² + eps) + β = (s W) x + (s (b − μ) + β).

    A model without batch norm comes back as it is. A batch norm behind anything else stays.
    """
    layers: list[Any] = []
    for layer in model.layers:
        if isinstance(layer, BatchNorm1d) and layers and isinstance(layers[-1], Linear):
            layers[-1] = _joined(layers[-1], layer)
        else:
            layers.append(layer)
    return model if len(layers) == len(model.layers) else Sequential(*layers).train(model.training)


def _joined(linear: Linear, norm: BatchNorm1d) -> Linear:
    """One layer for the two. The products are made in float64, and rounded once."""
    outputs, inputs = linear.weight.shape
    one = Linear(inputs, outputs, "zeros")
    with torch.no_grad():
        s = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()  # (O,)
        shift = s * (linear.bias.double() - norm.running_mean.double()) + norm.bias.double()  # (O,)
        one.weight.data = (s.unsqueeze(1) * linear.weight.double()).to(linear.weight.dtype)  # (O, I)
        one.bias.data = shift.to(linear.bias.dtype)  # (O,)
    return one
