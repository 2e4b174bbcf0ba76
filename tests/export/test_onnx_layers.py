"""Layers that only some models have, as ONNX: what onnxruntime answers beside the layers themselves."""

from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from byhand.export.onnx_model import onnx_bytes
from byhand.layers import Dropout, Linear, ReLU
from byhand.model import Sequential
from byhand.norm import BatchNorm1d
from byhand.resnet import BatchNorm, ResNet18


def record(side: int, classes: int) -> dict[str, Any]:
    return {"data": {"source": "some", "classes": [str(i) for i in range(classes)], "shape": [side, side]}}


def agree(net: Any, side: int, classes: int, rows: int) -> None:
    content = onnx_bytes(net.eval(), record(side, classes))
    images = np.random.default_rng(0).integers(0, 256, (rows, side, side), np.uint8)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    logits, probs = session.run(["logits", "probs"], {"images": images})
    with torch.inference_mode():
        ours = net(torch.as_tensor(images.reshape(rows, -1)))
    np.testing.assert_allclose(logits, ours.numpy(), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(probs, torch.softmax(ours, 1).numpy(), atol=1e-5)


def stir(norm: Any, generator: torch.Generator) -> None:
    """Numbers as after a training: none of them 0 or 1."""
    with torch.no_grad():
        for numbers in (norm.weight, norm.bias, norm.running_mean):
            numbers.add_(0.3 * torch.randn(numbers.shape, generator=generator))
        norm.running_var.mul_(torch.rand(norm.running_var.shape, generator=generator) + 0.5)


def test_batch_norm_of_hidden_units() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = BatchNorm1d(12), BatchNorm1d(7)
    stir(first, generator)
    stir(second, generator)
    layers = (Dropout(0.2), Linear(16, 12), first, ReLU(), Dropout(0.5), Linear(12, 7), ReLU(), second, Linear(7, 3))
    agree(Sequential(*layers), 4, 3, 50)


@pytest.mark.parametrize("side", [8, 28, 66])  # the first convolution's stride 1 and 2, and the max pool
def test_a_resnet(side: int) -> None:
    generator = torch.Generator().manual_seed(0)
    net = ResNet18((side, side), 10, generator)
    net.mixed = False
    for part in net.modules():
        if isinstance(part, BatchNorm):
            stir(part, generator)
    agree(net, side, 10, 3)
