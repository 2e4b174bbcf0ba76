"""From layers with weights to the nodes of an ONNX graph: one small function for each kind of layer.

To export another kind, write the function beside the others and name the kind in ``add``. A layer gets the name of what
goes into it and returns the name of what comes out; its numbers keep the names that the run's weights have.
"""

from collections.abc import Iterable
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from byhand.errors import UsageError
from byhand.layers import Dropout, Linear, ReLU
from byhand.model import Sequential
from byhand.norm import BatchNorm1d
from byhand.resnet import BatchNorm, Block, ResNet18

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
        case Linear() | nn.Linear():
            return _linear(graph, layer, name, x)
        case ReLU():
            return graph.node("Relu", f"{name}.relu", x)
        case Dropout():
            return x  # it does something in training only
        case Sequential():
            return _in_a_row(graph, layer.layers, name, x)
        case nn.Sequential():
            return _in_a_row(graph, layer, name, x)
        case nn.Conv2d():
            return _convolution(graph, layer, name, x)
        case BatchNorm() | BatchNorm1d():
            return _batch_norm(graph, layer, name, x)
        case Block():
            return _block(graph, layer, name, x)
        case ResNet18():
            return _resnet(graph, layer, x)
        case _:
            raise UsageError(
                f"ONNX: byhand cannot write a layer of the kind {type(layer).__name__}; export another model"
            )


def _linear(graph: Graph, layer: Linear | nn.Linear, name: str, x: str) -> str:
    """Z = x Wᵀ + b: (N, I) → (N, O)."""
    weight, bias = graph.weight(f"{name}.weight", layer.weight), graph.weight(f"{name}.bias", layer.bias)
    return graph.node("Gemm", f"{name}.linear", x, weight, bias, transB=1)


def _in_a_row(graph: Graph, layers: Iterable[object], name: str, x: str) -> str:
    for number, layer in enumerate(layers):
        x = add(graph, layer, f"{name}.{number}" if name else str(number), x)
    return x


def _convolution(graph: Graph, layer: nn.Conv2d, name: str, x: str) -> str:
    """(N, I, H, W) → (N, O, H / stride, W / stride); ours have no bias."""
    (side, _), (stride, _), pad = layer.kernel_size, layer.stride, layer.kernel_size[0] // 2
    weight = graph.weight(f"{name}.weight", layer.weight)
    sizes = {"kernel_shape": [side] * 2, "strides": [stride] * 2, "pads": [pad] * 4}
    return graph.node("Conv", f"{name}.convolution", x, weight, **sizes)


def _batch_norm(graph: Graph, layer: BatchNorm | BatchNorm1d, name: str, x: str) -> str:
    """γ (x − μ) / √(σ² + eps) + β, each channel by its own running averages: any shape (N, O, …), the same shape."""
    names = ("weight", "bias", "running_mean", "running_var")
    numbers = [graph.weight(f"{name}.{one}", getattr(layer, one)) for one in names]
    return graph.node("BatchNormalization", f"{name}.norm", x, *numbers, epsilon=float(layer.eps))


def _block(graph: Graph, block: Block, name: str, x: str) -> str:
    """ReLU(shortcut(x) + F(x))."""
    y = add(graph, block.bn1, f"{name}.bn1", add(graph, block.conv1, f"{name}.conv1", x))
    y = graph.node("Relu", f"{name}.relu", y)
    y = add(graph, block.bn2, f"{name}.bn2", add(graph, block.conv2, f"{name}.conv2", y))
    shortcut = x if block.downsample is None else add(graph, block.downsample, f"{name}.downsample", x)
    return graph.node("Relu", f"{name}.relu2", graph.node("Add", f"{name}.sum", shortcut, y))


def _resnet(graph: Graph, net: ResNet18, x: str) -> str:
    """(N, H·W) → (N, C)."""
    shape = graph.number("shape", np.array([-1, 1, *graph.shape], np.int64))
    x = graph.node("Reshape", "one_channel", x, shape)  # (N, 1, H, W)
    x = graph.node("Relu", "relu", add(graph, net.bn1, "bn1", add(graph, net.conv1, "conv1", x)))
    if net.pools:
        x = graph.node("MaxPool", "maxpool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    for stage in ("layer1", "layer2", "layer3", "layer4"):
        x = add(graph, getattr(net, stage), stage, x)
    return add(graph, net.fc, "fc", graph.node("ReduceMean", "mean", x, axes=[2, 3], keepdims=0))
