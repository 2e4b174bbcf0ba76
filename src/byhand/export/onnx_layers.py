"""From layers with weights to the nodes of an ONNX graph: one small function for each kind of layer.

To export another kind, write the function beside the others and name the kind in ``add``. A layer gets the name of what
goes into it and returns the name of what comes out; its numbers keep the names that the run's weights have.
"""

from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from byhand.errors import UsageError
from byhand.layers import Dropout, Linear, ReLU
from byhand.model import Sequential

__all__ = ["Graph", "add"]


@final
class Graph:
    """The nodes and the numbers of a graph in the making.

    Attributes:
        nodes: in the order of the data.
        numbers: the constants that the nodes name.
        shape: (H, W) of the images, for a layer that wants them so.
    """

    def __init__(self, onnx: Any, shape: tuple[int, int]) -> None:
        """Args: the onnx package, and the images' (H, W)."""
        self._onnx = onnx
        self.shape = shape
        self.nodes: list[Any] = []
        self.numbers: list[Any] = []

    def node(self, kind: str, name: str, *inputs: str, **attributes: object) -> str:
        """Add a node of an ONNX ``kind``, and return the name of its one output, which is the node's own."""
        self.nodes.append(self._onnx.helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def number(self, name: str, values: NDArray[Any]) -> str:
        """Add a constant, and return its name."""
        self.numbers.append(self._onnx.numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def weight(self, name: str, values: Tensor) -> str:
        """Add a parameter as float32, and return its name.

        Raises:
            UsageError: one of its numbers is none.
        """
        numbers = values.detach().cpu().float().numpy()
        if not np.isfinite(numbers).all():
            raise UsageError("some of the run's weights are not numbers; train again with a lower --lr")
        return self.number(name, numbers)


def add(graph: Graph, layer: object, name: str, x: str) -> str:
    """Add a layer that takes ``x``, and return the name of what it gives.

    Args:
        graph: to add to.
        layer: of one of the kinds below.
        name: the layer's, as in the names of its weights: "" for the model, "0" for its first layer.
        x: what goes into it.

    Raises:
        UsageError: it is of another kind.
    """
    match layer:
        case Linear():
            return _linear(graph, layer, name, x)
        case ReLU():
            return graph.node("Relu", f"{name}.relu", x)
        case Dropout():
            return x  # it does something in training only
        case Sequential():
            return _sequential(graph, layer, name, x)
        case _:
            kind = type(layer).__name__
            raise UsageError(f"ONNX: byhand cannot write a layer of the kind {kind}; export a linear model or an MLP")


def _linear(graph: Graph, layer: Linear, name: str, x: str) -> str:
    """Z = x Wᵀ + b: (N, I) → (N, O)."""
    weight, bias = graph.weight(f"{name}.weight", layer.weight), graph.weight(f"{name}.bias", layer.bias)
    return graph.node("Gemm", f"{name}.linear", x, weight, bias, transB=1)


def _sequential(graph: Graph, model: Sequential, name: str, x: str) -> str:
    for number, layer in enumerate(model.layers):
        x = add(graph, layer, f"{name}.{number}" if name else str(number), x)
    return x
