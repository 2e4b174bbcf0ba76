"""The model in the browser: its answers and its reasons, against PyTorch's and autograd's."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from byhand.loss import softmax
from byhand.model import MLP, LinearClassifier, Sequential

ASK = """
({sizes, weights, scaled, pictures}) => {
  const model = network({sizes, weights: Float32Array.from(weights), scaled});
  return pictures.map((pixels) => {
    const {logits, probs, label} = model.predict(Uint8Array.from(pixels));
    const whys = [...logits.keys()].map((c) => model.why(Uint8Array.from(pixels), c));
    const plain = ({values, bias, score}) => ({values: [...values], bias, score});
    return {logits: [...logits], probs: [...probs], label, whys: whys.map(plain)};
  });
}
"""


@pytest.fixture
def asked(page_of: Callable[..., Any], linear: Any) -> Callable[..., Any]:
    page = page_of(linear)

    def ask(model: Sequential, pictures: Any, scaled: bool = True) -> Any:
        weights = torch.cat([p.detach().reshape(-1) for p in model.parameters()])
        told = {"sizes": model.sizes, "weights": weights.tolist(), "scaled": scaled, "pictures": pictures.tolist()}
        return page.evaluate(ASK, told)

    return ask


def pictures(pixels: int, count: int = 12) -> torch.Tensor:
    """Random ones, half of their pixels paper."""
    rng = np.random.default_rng(3)
    return torch.as_tensor(
        rng.integers(0, 256, (count, pixels), np.uint8) * rng.integers(0, 2, (count, pixels), np.uint8)
    )


MODELS = {
    "linear": lambda: LinearClassifier(784, 10, "normal:0.05", torch.Generator().manual_seed(1)),
    "784-30-10": lambda: MLP(784, [30], 10, generator=torch.Generator().manual_seed(1)),
    "64-20-15-3": lambda: MLP(64, [20, 15], 3, generator=torch.Generator().manual_seed(1)),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("scaled", [True, False])
def test_the_answers_are_python_s(asked: Callable[..., Any], name: str, scaled: bool) -> None:
    model = MODELS[name]()
    if not scaled:
        first = model.parameters()[0]
        first.detach().div_(255)
    rows = pictures(model.sizes[0])
    logits = model(rows if scaled else rows.float()).detach()
    for i, one in enumerate(asked(model, rows, scaled)):
        assert one["logits"] == pytest.approx(logits[i].tolist(), abs=1e-5)
        assert one["probs"] == pytest.approx(softmax(logits)[i].tolist(), abs=1e-5)
        assert one["label"] == int(logits[i].argmax())


@pytest.mark.parametrize("name", MODELS)
def test_the_reasons_are_gradient_times_input_and_add_up_to_the_score(asked: Callable[..., Any], name: str) -> None:
    model = MODELS[name]()
    rows = pictures(model.sizes[0], 5)
    for i, one in enumerate(asked(model, rows)):
        x = (rows[i : i + 1].float() / 255).requires_grad_()
        logits = model(x)[0]
        for c, why in enumerate(one["whys"]):
            (gradient,) = torch.autograd.grad(logits[c], x, retain_graph=True)
            assert why["values"] == pytest.approx((gradient * x)[0].tolist(), abs=1e-6)
            assert why["score"] == pytest.approx(logits[c].item(), abs=1e-5)
            assert sum(why["values"]) + why["bias"] == pytest.approx(why["score"], abs=1e-9)


def test_the_reasons_of_a_linear_model_are_digit_times_weights(asked: Callable[..., Any]) -> None:
    model = MODELS["linear"]()
    weight, bias = (p.detach() for p in model.parameters())
    rows = pictures(784, 3)
    for i, one in enumerate(asked(model, rows)):
        for c, why in enumerate(one["whys"]):
            assert why["values"] == pytest.approx((rows[i] / 255 * weight[c]).tolist(), abs=1e-6)
            assert why["bias"] == pytest.approx(bias[c].item(), abs=1e-6)


def test_scores_that_are_far_apart_are_no_trouble(asked: Callable[..., Any]) -> None:
    model = LinearClassifier(784, 10, "normal:100", torch.Generator().manual_seed(1))
    for one in asked(model, pictures(784, 3)):
        assert sum(one["probs"]) == pytest.approx(1)
