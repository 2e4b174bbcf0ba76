"""Layers in a row, and the two models made of them: the linear classifier and the multilayer perceptron."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Self, final

import torch
from torch import Tensor, nn

from byhand.layers import Dropout, Layer, Linear, ReLU
from byhand.norm import BatchNorm1d

__all__ = ["MLP", "LinearClassifier", "Sequential", "copy_numbers", "set_mode"]


class Sequential:
    """Layers one after the other: forward from first to last, backward from last to first (the chain rule)."""

    def __init__(self, *layers: Layer) -> None:
        """Args: the layers, in the order of the data."""
        self.layers = layers
        self.training = True

    def forward(self, x: Tensor) -> Tensor:
        """(B, P) → (B, C), the logits."""
        for layer in self.layers:
            x = layer.forward(x)
        return x

    __call__ = forward

    def backward(self, grad: Tensor) -> None:
        """From ∂L/∂logits, (B, C), to the ``.grad`` of every parameter that is not frozen."""
        learning = (
            i for i, layer in enumerate(self.layers) if any(p.requires_grad for _, p in layer.named_parameters())
        )
        lowest = next(learning, None)
        if lowest is None:
            return
        for layer in reversed(self.layers[lowest + 1 :]):
            grad = layer.backward(grad)
        self.layers[lowest].backward_parameters(grad)  # below it nothing learns, so no gradient is carried there

    def named_parameters(self) -> list[tuple[str, Tensor]]:
        """(name, tensor) in the order of the layers, named as ``torch.nn.Sequential``'s: 0.weight, 0.bias, 2.weight."""
        return [(f"{i}.{name}", p) for i, layer in enumerate(self.layers) for name, p in layer.named_parameters()]

    @property
    def sizes(self) -> tuple[int, ...]:
        """(P, H, …, C): what goes into each linear layer, and what comes out of the last."""
        weights = [layer.weight for layer in self.layers if isinstance(layer, Linear)]  # (O, I) each
        return *(weight.shape[1] for weight in weights), *(len(weight) for weight in weights[-1:])

    def parameters(self) -> list[Tensor]:
        """The tensors of ``named_parameters``."""
        return [p for _, p in self.named_parameters()]

    def buffers(self) -> list[Tensor]:
        """Numbers that belong to the model and are not learnt by gradients: the running averages of batch norm."""
        return [b for layer in self.layers for _, b in _named_buffers(layer)]

    def generators(self) -> list[torch.Generator]:
        """What its layers draw random numbers from, besides torch's own generator."""
        drawn_from = (layer.generator for layer in self.layers if isinstance(layer, Dropout))
        return list({id(generator): generator for generator in drawn_from if generator is not None}.values())

    def state_dict(self) -> dict[str, Tensor]:
        """Parameters and buffers by name, layer by layer as ``torch.nn.Sequential``'s, detached but not copied."""
        return {
            f"{i}.{name}": tensor.detach()
            for i, layer in enumerate(self.layers)
            for name, tensor in (*layer.named_parameters(), *_named_buffers(layer))
        }

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Copy the numbers of ``state`` into the parameters and buffers.

        Raises:
            KeyError: names are missing or unknown.
            ValueError: a tensor has another shape.
        """
        mine = self.state_dict()
        if mine.keys() != state.keys():
            missing, unknown = sorted(mine.keys() - state.keys()), sorted(state.keys() - mine.keys())
            raise KeyError(f"the weights do not fit the model: missing {missing}, unknown {unknown}")
        copy_numbers(mine, state)

    def train(self, mode: bool = True) -> Self:
        """Training or, with False, evaluating: dropout does nothing then, and batch norm uses its running averages."""
        self.training = mode
        for layer in self.layers:
            layer.training = mode
        return self

    def eval(self) -> Self:
        """The same as ``train(False)``."""
        return self.train(False)

    def to(self, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> Self:
        """Move every parameter and buffer to a device, or convert it, in place; gradients are forgotten.

        A dropout layer's generator starts anew on the device, from its seed.
        """
        for p in self.parameters():
            p.data, p.grad = p.data.to(device=device, dtype=dtype), None
        for b in self.buffers():
            b.data = b.data.to(device=device, dtype=dtype if b.is_floating_point() else None)
        for layer in self.layers:
            if device is not None and isinstance(layer, Dropout) and layer.generator is not None:
                layer.generator = torch.Generator(device).manual_seed(layer.generator.initial_seed())
        return self

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.layers))})"


@final
class LinearClassifier(Sequential):
    """One linear layer, logits = x Wᵀ + b: each class has one weight a pixel, a picture of what speaks for it.

    It starts at zero, equal probabilities: the loss is convex in W and b, so no start leads elsewhere in the end, and
    from here every weight that grows has been learnt.
    """

    def __init__(
        self, in_features: int, num_classes: int, init: str = "zeros", generator: torch.Generator | None = None
    ) -> None:
        """Args: P, C, and ``init`` and ``generator`` as for ``Linear``."""
        super().__init__(Linear(in_features, num_classes, init, generator))


@final
class MLP(Sequential):
    """Linear layers with a ReLU between them, PyTorch's start; if asked for, batch norm before a ReLU, dropout after.

    ``MLP(784, [30], 10)`` is the second seed's ``Linear(784, 30), ReLU(), Linear(30, 10)``.
    """

    def __init__(
        self,
        in_features: int,
        hidden: Sequence[int],
        num_classes: int,
        dropout: float = 0.0,
        init: str = "kaiming",
        generator: torch.Generator | None = None,
        *,
        input_dropout: float = 0.0,
        batch_norm: bool = False,
    ) -> None:
        """Make the layers.

        Args:
            in_features: P.
            hidden: the number of units of each hidden layer, in order; none makes it linear.
            num_classes: C.
            dropout: probability with which a hidden unit is left out while training.
            init: as for ``Linear``. From zeros all hidden units would stay alike forever, so that is refused.
            generator: where weights and dropout masks come from.
            input_dropout: probability with which a pixel is left out while training.
            batch_norm: whether each hidden layer has one between its linear part and its ReLU.

        Raises:
            ValueError: ``init="zeros"`` with hidden layers, or a layer of no units.
        """
        if hidden and init == "zeros":
            raise ValueError("init is 'zeros': hidden units that start alike stay alike; use 'kaiming' or 'normal:STD'")
        if any(units < 1 for units in hidden):
            raise ValueError(f"hidden is {list(hidden)}: every hidden layer needs at least one unit")
        layers: list[Layer] = [Dropout(input_dropout, generator)] if input_dropout else []
        for inputs, outputs in pairwise([in_features, *hidden]):
            layers.append(Linear(inputs, outputs, init, generator))
            layers += [BatchNorm1d(outputs), ReLU()] if batch_norm else [ReLU()]
            if dropout:
                layers.append(Dropout(dropout, generator))
        last = hidden[-1] if hidden else in_features
        super().__init__(*layers, Linear(last, num_classes, init, generator))


def set_mode(model: object, training: bool) -> None:
    """Put a model into training or evaluation mode; a plain function of a batch has neither."""
    if isinstance(model, Sequential | nn.Module):
        model.train(training)


def _named_buffers(layer: Layer) -> list[tuple[str, Tensor]]:
    return layer.named_buffers() if isinstance(layer, BatchNorm1d) else []


def copy_numbers(mine: dict[str, Tensor], saved: dict[str, Tensor]) -> None:
    """Copy the numbers of ``saved`` into the tensors of the same names, all or none.

    Raises:
        ValueError: a tensor has another shape.
    """
    for name, tensor in mine.items():
        if tensor.shape != saved[name].shape:
            raise ValueError(f"{name} has shape {tuple(saved[name].shape)}, the model wants {tuple(tensor.shape)}")
    with torch.no_grad():
        for name, tensor in mine.items():
            tensor.copy_(saved[name])
