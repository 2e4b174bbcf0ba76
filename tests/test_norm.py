"""Batch norm equals torch.nn's: outputs, running averages and gradients, in both modes; and it folds away exactly."""

import itertools
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from byhand.fold import folded
from byhand.layers import Dropout, Linear, ReLU
from byhand.loss import cross_entropy, cross_entropy_with_grad
from byhand.model import MLP, LinearClassifier, Sequential
from byhand.norm import BatchNorm1d

EXACT = {"rtol": 1e-10, "atol": 1e-12}


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pair(units: int, eps: float = 1e-5, momentum: float = 0.1) -> tuple[BatchNorm1d, nn.BatchNorm1d]:
    """Ours and PyTorch's in float64, with the same numbers, none of them at its start."""
    ours = BatchNorm1d(units, eps, momentum)
    theirs = nn.BatchNorm1d(units, eps, momentum, dtype=torch.float64)
    with torch.no_grad():
        for name, tensor in (*ours.named_parameters(), *ours.named_buffers()):
            if tensor.is_floating_point():
                tensor.data = tensor.data.double() + torch.rand(units, generator=seeded(units), dtype=torch.float64)
            theirs.state_dict()[name].copy_(tensor)
    return ours, theirs


def numbers(layer: BatchNorm1d) -> dict[str, Tensor]:
    return {name: tensor.detach() for name, tensor in (*layer.named_parameters(), *layer.named_buffers())}


@settings(max_examples=60, deadline=None)
@given(
    batch=st.integers(2, 9),
    units=st.integers(1, 6),
    eps=st.sampled_from([1e-5, 0.1]),
    momentum=st.sampled_from([0.1, 0.7, 1.0]),
    scale=st.sampled_from([1e-3, 1.0, 100.0]),
    seed=st.integers(0, 2**31),
)
def test_it_equals_torchs_over_batches_and_in_evaluation(
    batch: int, units: int, eps: float, momentum: float, scale: float, seed: int
) -> None:
    ours, theirs = pair(units, eps, momentum)
    generator = seeded(seed)
    for training in (True, True, False, True, False):
        ours.training = training
        theirs.train(training)
        x = (scale * torch.randn(batch, units, generator=generator, dtype=torch.float64) + 3).requires_grad_()
        above = torch.randn(batch, units, generator=generator, dtype=torch.float64)
        expected = theirs(x)
        torch.testing.assert_close(ours.forward(x.detach()), expected, **EXACT)
        theirs.zero_grad()
        expected.backward(above)
        ours.weight.grad = ours.bias.grad = None
        torch.testing.assert_close(ours.backward(above), x.grad, **EXACT)
        torch.testing.assert_close((ours.weight.grad, ours.bias.grad), (theirs.weight.grad, theirs.bias.grad), **EXACT)
        torch.testing.assert_close(numbers(ours), dict(theirs.state_dict()), **EXACT)


@pytest.mark.parametrize("training", [True, False])
def test_its_backward_is_autograds_gradient_of_its_forward(training: bool) -> None:
    layer, _ = pair(3)
    layer.training = training
    x = torch.randn(7, 3, dtype=torch.float64, generator=seeded(2)).requires_grad_()
    above = torch.randn(7, 3, dtype=torch.float64, generator=seeded(3))
    expected = torch.autograd.grad(layer.forward(x), [x, layer.weight, layer.bias], above)
    torch.testing.assert_close((layer.backward(above), layer.weight.grad, layer.bias.grad), expected, **EXACT)
    assert not any(b.requires_grad for _, b in layer.named_buffers())


def test_one_row_is_refused_while_training_and_served_in_evaluation() -> None:
    layer, theirs = pair(3)
    row = torch.ones(1, 3, dtype=torch.float64)
    for one in (layer.forward, theirs):
        with pytest.raises(ValueError, match=r"one row|more than 1 value"):
            one(row)
    layer.training = False
    torch.testing.assert_close(layer.forward(row), theirs.eval()(row), **EXACT)


def test_a_frozen_one_changes_nothing_and_evaluates() -> None:
    layer, theirs = pair(3)
    for _, p in layer.named_parameters():
        p.requires_grad_(False)
    before = {name: value.clone() for name, value in numbers(layer).items()}
    x = torch.randn(5, 3, dtype=torch.float64, generator=seeded(1))
    torch.testing.assert_close(layer.forward(x), theirs.eval()(x), **EXACT)
    layer.backward(x)
    torch.testing.assert_close(numbers(layer), before, rtol=0, atol=0)
    assert layer.weight.grad is None


def twin(model: Sequential) -> nn.Sequential:
    """The same model in torch.nn, in float64."""
    layers: list[nn.Module] = []
    for layer in model.layers:
        if isinstance(layer, Linear):
            layers.append(nn.Linear(layer.weight.shape[1], layer.weight.shape[0]))
        elif isinstance(layer, BatchNorm1d):
            layers.append(nn.BatchNorm1d(len(layer.weight)))
        else:
            layers.append(nn.Dropout(layer.p) if isinstance(layer, Dropout) else nn.ReLU())
    module = nn.Sequential(*layers).double()
    module.load_state_dict(model.state_dict())
    return module


def trained(hidden: list[int], steps: int = 3, **options: Any) -> Sequential:
    """An MLP in float64 whose averages have seen some batches."""
    model = MLP(6, hidden, 4, generator=seeded(1), batch_norm=True, **options).to(dtype=torch.float64)
    for step in range(steps):
        model(torch.randn(8, 6, dtype=torch.float64, generator=seeded(step)))
    return model


@pytest.mark.parametrize("hidden", [[5], [5, 3], [4, 4, 4]])
def test_a_network_with_it_equals_torchs_in_logits_and_gradients(hidden: list[int]) -> None:
    model = trained(hidden)
    reference = twin(model)
    x = torch.randn(9, 6, dtype=torch.float64, generator=seeded(5))
    y = torch.randint(4, (9,), generator=seeded(6))
    logits, expected = model(x), reference(x)
    torch.testing.assert_close(logits, expected, **EXACT)
    model.backward(cross_entropy_with_grad(logits, y)[1])
    nn.functional.cross_entropy(expected, y).backward()
    by_torch = {name: p.grad for name, p in reference.named_parameters()}
    torch.testing.assert_close({name: p.grad for name, p in model.named_parameters()}, by_torch, **EXACT)
    for p in model.parameters():
        p.grad = None
    cross_entropy(model(x), y).backward()
    torch.testing.assert_close({name: p.grad for name, p in model.named_parameters()}, by_torch, **EXACT)


@pytest.mark.parametrize(("dropout", "input_dropout"), [*itertools.product([0.0, 0.5], [0.0, 0.2])])
def test_its_state_has_torchs_names_in_torchs_order_and_loads_back(dropout: float, input_dropout: float) -> None:
    model = trained([5, 3], dropout=dropout, input_dropout=input_dropout)
    assert list(model.state_dict()) == list(twin(model).state_dict())
    other = trained([5, 3], steps=0, dropout=dropout, input_dropout=input_dropout)
    other.load_state_dict(twin(model).state_dict())
    torch.testing.assert_close(other.state_dict(), model.state_dict(), rtol=0, atol=0)
    x = torch.randn(3, 6, dtype=torch.float64, generator=seeded(7))
    assert torch.equal(other.eval()(x), model.eval()(x))


def test_to_converts_the_averages_and_not_their_count() -> None:
    model = MLP(6, [5], 4, batch_norm=True).to(dtype=torch.float64)
    assert [b.dtype for b in model.buffers()] == [torch.float64, torch.float64, torch.int64]
    assert repr(model) == "MLP(Linear(6, 5), BatchNorm1d(5), ReLU(), Linear(5, 4))"


@pytest.mark.parametrize("options", [{}, {"dropout": 0.5, "input_dropout": 0.2}], ids=str)
def test_folded_it_is_the_same_function_of_linear_layers(options: dict[str, Any]) -> None:
    model = trained([5, 3], **options).eval()
    simple = folded(model)
    assert not simple.buffers()
    assert simple.sizes == model.sizes
    assert not simple.training
    x = 10 * torch.randn(50, 6, dtype=torch.float64, generator=seeded(8))
    torch.testing.assert_close(simple(x), model(x), rtol=1e-12, atol=1e-13)
    assert folded(simple) is simple


def test_what_has_none_or_has_it_elsewhere_is_left() -> None:
    plain = LinearClassifier(6, 4)
    assert folded(plain) is plain
    first = Sequential(BatchNorm1d(6), Linear(6, 4), ReLU(), BatchNorm1d(4))
    assert folded(first) is first
