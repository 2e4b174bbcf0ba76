"""Weights of every kind of model: found, copied, written, and read from files that may be anything."""

from pathlib import Path

import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from byhand import MLP, DataError, LinearClassifier, init_params, weights


def test_the_leaves_of_a_function_are_what_backward_reaches_in_order() -> None:
    w1, b1, w2, b2 = (init_params(size) for size in ((6, 4), 4, (4, 3), 3))
    unused, fixed = init_params(3), torch.randn(3)
    out = torch.relu(torch.randn(5, 6) @ w1 + b1) @ w2 + b2 + fixed
    found = weights.leaves(out)
    assert [id(p) for p in found] == [id(p) for p in (w1, b1, w2, b2)]
    out.sum().backward()
    assert all(p.grad is not None for p in found)
    assert unused.grad is None


def test_a_leaf_that_is_used_twice_is_found_once() -> None:
    w = init_params((4, 4))
    x = torch.randn(2, 4)
    assert [id(p) for p in weights.leaves(x @ w @ w + (x @ w).tanh())] == [id(w)]


def test_a_very_deep_graph_is_walked() -> None:
    w = init_params(3)
    out = w
    for _ in range(5000):
        out = out * 1.0
    assert [id(p) for p in weights.leaves(out)] == [id(w)]


def test_a_result_without_a_graph_has_no_leaves() -> None:
    assert weights.leaves(torch.zeros(3)) == []


def test_parameters_are_those_that_can_learn_by_name() -> None:
    ours, module = MLP(6, [4], 3), nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 3))
    names = ["0.weight", "0.bias", "2.weight", "2.bias"]
    for model in (ours, module):
        assert list(weights.parameters(model, None)) == names
        next(iter(model.parameters())).requires_grad_(False)
        assert list(weights.parameters(model, None)) == names[1:]
    w, b = init_params((6, 3)), init_params(3)
    found = weights.parameters(lambda x: x, torch.randn(2, 6) @ w + b)
    assert found["0"] is w
    assert found["1"] is b
    for output in (None, torch.zeros(2, 3)):
        with pytest.raises(ValueError, match="no parameter that requires a gradient"):
            weights.parameters(lambda x: x, output)


def test_a_snapshot_has_memory_of_its_own_and_restore_brings_it_back() -> None:
    module = nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4), nn.Linear(4, 3))
    w = init_params((6, 3))
    for model, params in ((MLP(6, [4], 3), {}), (module, {}), (lambda x: x @ w, {"0": w})):
        saved = weights.snapshot(model, params)
        before = {name: tensor.clone() for name, tensor in saved.items()}
        state = weights.state(model, params)
        assert state.keys() == saved.keys()
        for tensor in state.values():
            tensor.add_(1)
        assert all(torch.equal(saved[name], before[name]) for name in saved)
        assert all(not torch.equal(state[name], before[name]) for name in saved)
        weights.restore(model, params, saved)
        assert all(torch.equal(weights.state(model, params)[name], before[name]) for name in saved)
        assert not any(tensor.requires_grad for tensor in saved.values())


@pytest.mark.parametrize(
    ("saved", "words"),
    [
        ({}, "missing 0.bias, 0.weight, unknown nothing"),
        ({"0.weight": torch.zeros(3, 6), "other": torch.zeros(3)}, "missing 0.bias, unknown other"),
        ({"0.weight": torch.zeros(6, 3), "0.bias": torch.zeros(3)}, r"0.weight has shape \(6, 3\), .* wants \(3, 6\)"),
        ({"0.weight": torch.zeros(3, 6), "0.bias": torch.zeros(1)}, r"0.bias has shape \(1,\), the model wants \(3,\)"),
        ({"0.weight": torch.zeros(()), "0.bias": torch.zeros(3)}, r"0.weight has shape \(\), the model wants \(3, 6\)"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_before_anything_is_copied(saved: dict[str, Tensor], words: str) -> None:
    model = LinearClassifier(6, 3, init="kaiming")
    before = weights.snapshot(model, {})
    with pytest.raises(ValueError, match=words):
        weights.restore(model, {}, saved)
    assert all(torch.equal(weights.state(model, {})[name], before[name]) for name in before)


def test_the_file_is_plain_safetensors(tmp_path: Path) -> None:
    model = MLP(6, [4], 3)
    file = weights.save(str(tmp_path / "w.safetensors"), weights.snapshot(model, {}))
    theirs = safetensors.torch.load_file(file)
    ours = weights.load(file)
    assert theirs.keys() == ours.keys() == dict(model.named_parameters()).keys()
    for name, p in model.named_parameters():
        assert torch.equal(theirs[name], p)
        assert torch.equal(ours[name], p)
    module = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 3))
    module.load_state_dict(ours)  # and PyTorch's network takes it
    x = torch.randn(5, 6)
    assert torch.allclose(module(x), model(x), atol=1e-6)


@pytest.mark.parametrize("kind", ["missing", "folder", "empty", "text", "pickle", "under a file"])
def test_what_is_no_safetensors_file_is_one_line(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "w.safetensors"
    if kind == "folder":
        path.mkdir()
    elif kind == "pickle":
        torch.save({"w": torch.zeros(3)}, path)
    elif kind in ("empty", "text"):
        path.write_text("" if kind == "empty" else "these are not weights\n" * 9)
    elif kind == "under a file":
        (tmp_path / "file").touch()
        path = tmp_path / "file" / "w"
    with pytest.raises(DataError, match=r"^cannot read the weights ") as caught:
        weights.load(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def whole() -> bytes:
    return safetensors.torch.save({"0.weight": torch.arange(6.0).reshape(2, 3), "0.bias": torch.ones(2)})


def test_a_file_that_ends_too_early_is_refused_at_every_byte(tmp_path: Path) -> None:
    path, content = tmp_path / "w.safetensors", whole()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(DataError, match=r"^cannot read the weights "):
            weights.load(path)


@given(place=st.integers(0, len(whole()) - 1), byte=st.integers(0, 255))
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_byte_gives_tensors_or_one_line_and_no_other_error(tmp_path: Path, place: int, byte: int) -> None:
    path, content = tmp_path / "w.safetensors", bytearray(whole())
    content[place] = byte
    path.write_bytes(content)
    model = LinearClassifier(3, 2)
    try:
        weights.restore(model, {}, weights.load(path))
    except (DataError, ValueError) as error:
        message = str(error)
    else:
        message = ""  # the byte was a number's, and safetensors keeps no checksum
    assert "\n" not in message
