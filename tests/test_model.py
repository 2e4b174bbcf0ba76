"""Every layer's forward and hand-written backward equal torch.nn's, and autograd's through the same forward."""

import itertools
import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from byhand.layers import Dropout, Linear, ReLU, init_params
from byhand.loss import cross_entropy, cross_entropy_with_grad
from byhand.model import MLP, LinearClassifier, Sequential

TOLERANCE = {torch.float64: {"rtol": 1e-10, "atol": 1e-12}, torch.float32: {"rtol": 1e-4, "atol": 1e-5}}
TYPES = [torch.float64, torch.float32]


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def twin(model: Sequential, dtype: torch.dtype) -> nn.Sequential:
    """The same model in torch.nn, with the same numbers under the same names."""
    layers: list[nn.Module] = []
    for layer in model.layers:
        if isinstance(layer, Linear):
            layers.append(nn.Linear(layer.weight.shape[1], layer.weight.shape[0], dtype=dtype))
        elif isinstance(layer, Dropout):
            layers.append(nn.Dropout(layer.p))
        else:
            layers.append(nn.ReLU())
    module = nn.Sequential(*layers)
    module.load_state_dict(model.state_dict())
    return module


def gradients(model: Sequential) -> dict[str, Tensor]:
    grads = {name: p.grad for name, p in model.named_parameters()}
    assert all(grad is not None for grad in grads.values())
    return {name: grad for name, grad in grads.items() if grad is not None}


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@settings(max_examples=60, deadline=None)
@given(
    batch=st.integers(1, 9),
    pixels=st.integers(1, 12),
    hidden=st.lists(st.integers(1, 8), max_size=4),
    classes=st.integers(1, 6),
    seed=st.integers(0, 2**32),
)
def test_any_hidden_sizes_equal_torch_nn_in_logits_and_gradients(
    dtype: torch.dtype, batch: int, pixels: int, hidden: list[int], classes: int, seed: int
) -> None:
    model = MLP(pixels, hidden, classes, generator=seeded(seed)).to(dtype=dtype)
    reference = twin(model, dtype)
    x = torch.randn(batch, pixels, dtype=dtype, generator=seeded(seed + 1))
    y = torch.randint(classes, (batch,), generator=seeded(seed + 2))

    logits = model(x)
    expected = reference(x)
    assert logits.shape == (batch, classes)
    torch.testing.assert_close(logits, expected, **TOLERANCE[dtype])

    model.backward(cross_entropy_with_grad(logits, y)[1])
    nn.functional.cross_entropy(expected, y).backward()
    by_torch = {name: p.grad for name, p in reference.named_parameters()}
    torch.testing.assert_close(gradients(model), by_torch, **TOLERANCE[dtype])

    for p in model.parameters():
        p.grad = None
    cross_entropy(model(x), y).backward()
    torch.testing.assert_close(gradients(model), by_torch, **TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("layer", ["Linear", "ReLU", "Dropout"])
def test_a_layers_backward_is_autograds_gradient_of_its_forward(layer: str, dtype: torch.dtype) -> None:
    model: Any = {"Linear": Linear(5, 3), "ReLU": ReLU(), "Dropout": Dropout(0.4, seeded(1))}[layer]
    parameters = [p for _, p in model.named_parameters()]
    for p in parameters:
        p.data = p.data.to(dtype)
    x = torch.randn(7, 5, dtype=dtype, generator=seeded(2)).requires_grad_()
    output = model.forward(x)
    above = torch.randn(output.shape, dtype=dtype, generator=seeded(3))
    expected = torch.autograd.grad(output, [x, *parameters], above)
    torch.testing.assert_close(model.backward(above), expected[0], **TOLERANCE[dtype])
    for p, grad in zip(parameters, expected[1:], strict=True):
        torch.testing.assert_close(p.grad, grad, **TOLERANCE[dtype])


def test_linear_equals_torch_nn_linear_to_the_gradient_of_its_input() -> None:
    ours, theirs = Linear(5, 3, generator=seeded(1)), nn.Linear(5, 3)
    theirs.load_state_dict({name: p.detach() for name, p in ours.named_parameters()})
    x, above = torch.randn(4, 5, generator=seeded(2)).requires_grad_(), torch.randn(4, 3, generator=seeded(3))
    theirs(x).backward(above)
    torch.testing.assert_close(ours.forward(x.detach()), theirs(x))
    torch.testing.assert_close(ours.backward(above), x.grad)
    torch.testing.assert_close((ours.weight.grad, ours.bias.grad), (theirs.weight.grad, theirs.bias.grad))


def test_relu_equals_torchs_at_zero_and_at_infinity_too() -> None:
    x = torch.tensor([[-math.inf, -1.0, -0.0, 0.0, 1e-45, 1.0, math.inf]]).requires_grad_()
    relu, above = ReLU(), torch.full((1, 7), 3.0)
    expected = torch.relu(x)
    expected.backward(above)
    assert torch.equal(relu.forward(x.detach()), expected)
    assert x.grad is not None
    assert torch.equal(relu.backward(above), x.grad)


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_uint8_pixels_stand_for_x_over_255(dtype: torch.dtype, dropout: float) -> None:
    pixels = torch.randint(256, (6, 20), dtype=torch.uint8, generator=seeded(1))
    y = torch.randint(4, (6,), generator=seeded(2))
    results: list[tuple[Tensor, dict[str, Tensor]]] = []
    for x in (pixels, pixels.to(dtype) / 255):
        model = MLP(20, [7], 4, dropout=dropout, generator=seeded(3)).to(dtype=dtype)
        logits = model(x)
        model.backward(cross_entropy_with_grad(logits, y)[1])
        results.append((logits.detach(), gradients(model)))
    torch.testing.assert_close(results[0], results[1], **TOLERANCE[dtype])


def test_uint8_pixels_get_the_same_gradients_from_autograd() -> None:
    pixels = torch.randint(256, (6, 20), dtype=torch.uint8, generator=seeded(1))
    y = torch.randint(4, (6,), generator=seeded(2))
    model = MLP(20, [7], 4, generator=seeded(3)).to(dtype=torch.float64)
    model.backward(cross_entropy_with_grad(model(pixels), y)[1])
    by_hand = gradients(model)
    for p in model.parameters():
        p.grad = None
    cross_entropy(model(pixels), y).backward()
    torch.testing.assert_close(gradients(model), by_hand, rtol=1e-10, atol=1e-14)


def test_dropout_in_front_scales_pixels_as_linear_does() -> None:
    pixels = torch.randint(256, (6, 20), dtype=torch.uint8, generator=seeded(1))
    model = Sequential(Dropout(0.5), Linear(20, 4)).eval()
    torch.testing.assert_close(model(pixels), model(pixels / 255))


def test_gradients_add_up_until_they_are_forgotten() -> None:
    model, x, y = MLP(5, [4], 3), torch.randn(8, 5), torch.randint(3, (8,))
    model.backward(cross_entropy_with_grad(model(x), y)[1])
    once = {name: grad.clone() for name, grad in gradients(model).items()}
    model.backward(cross_entropy_with_grad(model(x), y)[1])
    torch.testing.assert_close(gradients(model), {name: 2 * grad for name, grad in once.items()})


@pytest.mark.parametrize(
    "frozen", [("0.weight", "0.bias"), ("0.weight",), ("2.bias",), ("2.weight", "2.bias")], ids=str
)
def test_a_frozen_parameter_gets_no_gradient_and_the_others_keep_theirs(frozen: tuple[str, ...]) -> None:
    model, x, y = MLP(5, [4], 3), torch.randn(8, 5), torch.randint(3, (8,))
    model.backward(cross_entropy_with_grad(model(x), y)[1])
    every = gradients(model)
    for name, p in model.named_parameters():
        p.grad = None
        p.requires_grad_(name not in frozen)
    model.backward(cross_entropy_with_grad(model(x), y)[1])
    for name, p in model.named_parameters():
        if name in frozen:
            assert p.grad is None
        else:
            torch.testing.assert_close(p.grad, every[name])


def test_where_nothing_learns_there_is_nothing_to_do() -> None:
    model = Sequential(ReLU(), Dropout(0.5))
    model.backward(model(torch.rand(2, 3)))
    assert model.parameters() == []


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_keeps_the_expectation_and_sends_the_gradient_through_the_same_mask(p: float) -> None:
    n = 200_000
    layer = Dropout(p, seeded(1))
    y = layer.forward(torch.ones(n))
    kept = y != 0
    stay = round((1 - p) * 65536) / 65536
    assert torch.equal(y[kept], torch.full_like(y[kept], 1 / stay))
    five_sigma = 5 * math.sqrt(p * (1 - p) / n)
    assert float(kept.double().mean()) == pytest.approx(1 - p, abs=five_sigma)
    assert float(y.double().mean()) == pytest.approx(1, abs=five_sigma / (1 - p))
    assert torch.equal(layer.backward(torch.ones(n)), y)
    assert not torch.equal(layer.forward(torch.ones(n)), y)


@settings(deadline=None)
@given(rows=st.integers(1, 9), columns=st.integers(1, 9), p=st.floats(0, 0.999999), turned=st.booleans())
def test_dropout_takes_any_shape_in_either_order_of_memory(rows: int, columns: int, p: float, turned: bool) -> None:
    x = torch.rand(columns, rows).t() if turned else torch.rand(rows, columns)
    layer = Dropout(p, seeded(1))
    y = layer.forward(x)
    assert y.shape == x.shape
    stay = max(1, round((1 - p) * 65536)) / 65536
    torch.testing.assert_close(y[y != 0], x[y != 0] / stay)


def test_neighbours_of_a_mask_know_nothing_of_each_other() -> None:
    """Four of them come from one draw: none of the four says anything of the other three."""
    kept = (Dropout(0.5, seeded(3)).forward(torch.ones(400_000)) != 0).double().reshape(-1, 4)  # (D, 4)
    table = torch.corrcoef(kept.t()) - torch.eye(4)
    assert table.abs().max() < 5 / math.sqrt(len(kept))


@pytest.mark.parametrize("pixels", [False, True])
def test_a_mixed_layer_that_learns_is_that_of_torchs_autocast(pixels: bool) -> None:
    layer, x = Linear(50, 20, generator=seeded(1)), torch.randint(0, 256, (30, 50), dtype=torch.uint8)
    x = x if pixels else x / 255 - 0.5
    grad = torch.randn(30, 20, generator=seeded(2))
    layer.mixed = True
    module = nn.Linear(50, 20)
    module.load_state_dict(dict(layer.named_parameters()))
    there = (x / 255 if pixels else x).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        expected = module(there)
    expected.backward(grad.to(expected.dtype))
    z, back = layer.forward(x), layer.backward(grad)
    for ours, theirs in (
        (z, expected),
        (back, there.grad),
        (layer.weight.grad, module.weight.grad),
        (layer.bias.grad, module.bias.grad),
    ):
        assert ours is not None
        assert theirs is not None
        assert ours.dtype == torch.float32
        assert (ours - theirs).norm() < 2**-7 * theirs.norm()
    exact = nn.functional.linear(x.double() / (255 if pixels else 1), layer.weight.double(), layer.bias.double())
    assert 0 < (z - exact).norm() < 2**-7 * exact.norm()


def test_a_mixed_layer_answers_in_float32() -> None:
    x = torch.rand(9, 20)
    mixed, plain = Linear(20, 5, generator=seeded(1)), Linear(20, 5, generator=seeded(1))
    mixed.mixed, mixed.training = True, False
    assert torch.equal(mixed.forward(x), plain.forward(x))


def test_dropout_does_nothing_while_evaluating_and_again_what_it_did_when_training() -> None:
    model = MLP(5, [50], 3, dropout=0.5, generator=seeded(1))
    x = torch.randn(4, 5, generator=seeded(2))
    assert not torch.equal(model(x), model(x))
    assert torch.equal(model.eval()(x), model(x))
    torch.testing.assert_close(model(x), twin(model, torch.float32).eval()(x))
    layer = model.layers[2]
    assert isinstance(layer, Dropout)
    assert torch.equal(layer.backward(x), x)
    assert not torch.equal(model.train()(x), model(x))


@pytest.mark.parametrize("sizes", [(784, 10), (30, 7), (1, 1)], ids=str)
def test_the_kaiming_start_draws_torch_nn_linears_numbers(sizes: tuple[int, int]) -> None:
    torch.manual_seed(5)
    theirs = nn.Linear(*sizes)
    torch.manual_seed(5)
    ours = Linear(*sizes)
    torch.testing.assert_close((ours.weight, ours.bias), (theirs.weight, theirs.bias), rtol=1e-6, atol=0)


def test_the_other_starts() -> None:
    zeros = LinearClassifier(784, 10)
    assert not any(p.any() for p in zeros.parameters())
    assert cross_entropy(zeros(torch.rand(9, 784)), torch.arange(9)).item() == pytest.approx(math.log(10), rel=1e-6)
    normal = Linear(784, 10, "normal:0.5", seeded(1))
    assert float(normal.weight.detach().std()) == pytest.approx(0.5, rel=0.05)
    assert normal.bias.any()
    assert all(p.requires_grad for p in (*zeros.parameters(), normal.weight, normal.bias))


@pytest.mark.parametrize("size", [(784, 10), 10, [3, 4, 5], ()], ids=str)
def test_init_params_draws_normal_numbers_that_require_grad(size: Any) -> None:
    w = init_params(size, std=2.0, generator=seeded(1))
    assert w.shape == torch.Size([size] if isinstance(size, int) else size)
    assert w.is_leaf
    assert w.requires_grad
    assert torch.equal(w, torch.randn(w.shape, generator=seeded(1)) * 2)
    assert not init_params(size, std=0).any()


def test_init_params_serves_the_seeds_linear_layer() -> None:
    w, b = init_params((784, 10)), init_params(10)
    cross_entropy(torch.rand(4, 784) @ w + b, torch.arange(4)).backward()
    assert w.grad is not None
    assert b.grad is not None
    assert float(w.detach().std()) == pytest.approx(1, rel=0.05)


@pytest.mark.parametrize(("hidden", "dropout"), [*itertools.product([[], [30], [8, 6]], [0.0, 0.5])])
def test_the_state_has_torch_nn_sequentials_names_and_loads_back(hidden: list[int], dropout: float) -> None:
    model = MLP(20, hidden, 10, dropout=dropout, generator=seeded(1))
    reference = twin(model, torch.float32)
    assert list(model.state_dict()) == list(reference.state_dict())
    other = MLP(20, hidden, 10, dropout=dropout, generator=seeded(2))
    parameters = other.parameters()
    other.load_state_dict(dict(reference.state_dict()))
    torch.testing.assert_close(other.state_dict(), model.state_dict(), rtol=0, atol=0)
    assert all(a is b for a, b in zip(parameters, other.parameters(), strict=True))
    assert all(p.requires_grad for p in other.parameters())
    assert not any(value.requires_grad for value in model.state_dict().values())


def test_a_state_of_another_model_is_refused_and_changes_nothing() -> None:
    model = MLP(5, [4], 3, generator=seeded(1))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(KeyError, match=r"missing \['2\.bias', '2\.weight'\]"):
        model.load_state_dict(LinearClassifier(5, 4).state_dict())
    with pytest.raises(ValueError, match=r"0\.weight has shape \(4, 6\), the model wants \(4, 5\)"):
        model.load_state_dict(MLP(6, [4], 3).state_dict())
    torch.testing.assert_close(model.state_dict(), before, rtol=0, atol=0)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Linear(3, 2, "he"),
        lambda: Linear(3, 2, "zeros:1"),
        lambda: Linear(3, 2, "kaiming:1"),
        lambda: Linear(3, 2, "normal"),
        lambda: Linear(3, 2, "normal:wide"),
        lambda: Linear(3, 2, "normal:-1"),
        lambda: Linear(3, 2, "normal:nan"),
        lambda: Linear(3, 2, "normal:inf"),
        lambda: MLP(3, [2], 2, init="zeros"),
        lambda: MLP(3, [2, 0], 2),
        lambda: MLP(3, [2], 2, dropout=1.0),
        lambda: Dropout(-0.1),
        lambda: Dropout(math.nan),
    ],
)
def test_wrong_settings_are_refused_in_one_line(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"init|hidden|dropout") as error:
        wrong()
    assert "\n" not in str(error.value)


def test_a_model_prints_its_layers() -> None:
    assert repr(MLP(784, [30], 10, dropout=0.2)) == "MLP(Linear(784, 30), ReLU(), Dropout(0.2), Linear(30, 10))"
    assert repr(LinearClassifier(784, 10)) == "LinearClassifier(Linear(784, 10))"


def test_to_converts_every_parameter_in_place() -> None:
    model = MLP(5, [4], 3)
    parameters = model.parameters()
    assert model.to(dtype=torch.float64) is model
    assert {p.dtype for p in parameters} == {torch.float64}
    assert all(p.requires_grad and p.is_leaf for p in parameters)


def test_sizes_are_what_goes_into_each_linear_layer_and_out_of_the_last() -> None:
    assert MLP(784, [30, 20], 10, dropout=0.1).sizes == (784, 30, 20, 10)
    assert LinearClassifier(64, 3).sizes == (64, 3)
    assert Sequential().sizes == ()
