"""What a model says of images, whatever kind it is and wherever it is."""

from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from byhand.data.dataset import Part
from byhand.evaluate.opening import predict_probs
from byhand.kaggle.entry import name_images
from byhand.model import MLP
from byhand.predict import predict_logits
from byhand.resnet import ResNet18

RNG = np.random.default_rng(0)


class Elsewhere(nn.Module):
    """A model on a device that every machine has and that holds no numbers; its answers are the rows' places."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(3, 4, device="meta"))
        self.seen = 0

    def forward(self, x: Tensor) -> Tensor:
        """(B, 4) → (B, 3)."""
        assert x.device == self.weight.device
        assert x.dtype == torch.uint8
        places = torch.arange(self.seen, self.seen + len(x))
        self.seen += len(x)
        return torch.nn.functional.one_hot(places % 3, 3).float()


def test_a_model_is_asked_where_it_is() -> None:
    images = RNG.integers(0, 256, (1000, 2, 2), np.uint8)
    labels = np.arange(1000) % 3
    assert np.array_equal(predict_logits(cast("Any", Elsewhere()), images).argmax(dim=1), labels)
    probs = predict_probs(cast("Any", Elsewhere()), Part(images, labels, ("a", "b", "c"), ""))
    assert probs.argmax(axis=1).tolist() == labels.tolist()
    assert name_images(cast("Any", Elsewhere()), images).tolist() == labels.tolist()


def test_it_answers_without_dropout_and_all_rows_as_one() -> None:
    net = MLP(16, [8], 3, dropout=0.5, generator=torch.Generator().manual_seed(0)).train()
    images = RNG.integers(0, 256, (9000, 4, 4), np.uint8)
    logits = predict_logits(net, images)
    torch.testing.assert_close(logits, net.eval()(torch.as_tensor(images).flatten(1)))
    assert predict_logits(net, images[:0]).shape == (0, 3)


def test_a_network_of_torchs_answers_block_by_block() -> None:
    net = ResNet18((8, 8), 3, torch.Generator().manual_seed(0))
    images = RNG.integers(0, 256, (300, 8, 8), np.uint8)
    with torch.inference_mode():
        whole = net.eval()(torch.as_tensor(images).flatten(1))
    torch.testing.assert_close(predict_logits(net, images), whole)
