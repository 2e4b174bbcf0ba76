"""The precision of a network's products: by default what is faster, and otherwise as told."""

import itertools
from typing import Any

import pytest
import torch

from byhand import networks
from byhand.layers import Linear
from byhand.model import MLP, LinearClassifier
from byhand.resnet import ResNet18
from byhand.settings import Settings

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("given", "chosen"),
    [
        ({}, "float32"),
        ({"hidden": (30,)}, "float32"),
        ({"hidden": (512,)}, "bfloat16"),
        ({"hidden": (30, 3000)}, "bfloat16"),
        ({"hidden": (512,), "precision": "float32"}, "float32"),
        ({"hidden": (30,), "precision": "bfloat16"}, "bfloat16"),
        ({"model": "resnet18"}, "bfloat16"),
    ],
    ids=str,
)
@pytest.mark.parametrize("fast", [False, True])
def test_what_is_faster_unless_told(
    given: dict[str, Any], chosen: str, fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(networks, "multiplies_bfloat16", lambda device: fast)
    settings = Settings(**given).resolved()
    expected = chosen if fast or "precision" in given else "float32"
    assert networks.precision(settings, 784, 10, CPU) == expected


def test_hidden_layers_are_mixed_and_the_last_one_is_not() -> None:
    mlp, linear, net = MLP(4, [3, 3], 2), LinearClassifier(4, 2), ResNet18((8, 8), 2)
    for precision, model in itertools.product(("bfloat16", "float32"), (mlp, linear, net)):
        networks.mix(model, precision)
        on = precision == "bfloat16"
        if isinstance(model, ResNet18):
            assert model.mixed is on
            continue
        assert [layer.mixed for layer in model.layers if isinstance(layer, Linear)] == [on] * (len(model.sizes) - 2) + [
            False
        ]
