"""Layers too wide for a gradient of their size do what the others do, and hold nothing of their size twice."""

import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from byhand import MLP, SGD, Adam, LinearClassifier, wide
from byhand.data.loader import DataLoader, DataLoaders
from byhand.errors import UsageError
from byhand.layers import Linear
from byhand.learner import Learner
from byhand.loss import cross_entropy_with_grad
from byhand.model import Sequential
from byhand.recipe import build
from byhand.settings import Settings
from byhand.state import get_state, set_state
from byhand.wide import ThinGradient, forget_thin, is_wide, thin_gradients


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every weight of more than 20 numbers counts as wide, and strips are a few columns."""
    for module in ("byhand.wide", "byhand.layers", "byhand.networks"):
        monkeypatch.setattr(f"{module}.WIDE", 20)
    monkeypatch.setattr("byhand.wide._STRIP", 100)


def rows(n: int, pixels: int, classes: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randint(0, 256, (n, pixels), dtype=torch.uint8, generator=generator)  # (N, P)
    return x, torch.randint(0, classes, (n,), generator=generator)  # (N,)


@settings(max_examples=50, deadline=None)
@given(
    batch=st.integers(1, 9),
    inputs=st.integers(1, 60),
    outputs=st.integers(1, 7),
    strip=st.integers(1, 300),
    pixels=st.booleans(),
)
def test_in_strips_a_product_and_an_update_are_those_of_the_whole(
    batch: int, inputs: int, outputs: int, strip: int, pixels: bool
) -> None:
    generator = torch.Generator().manual_seed(batch * inputs)
    x = rows(batch, inputs, outputs)[0] if pixels else torch.randn(batch, inputs, dtype=torch.float64)
    scale = 1 / 255 if pixels else 1.0
    weight = torch.randn(outputs, inputs, dtype=torch.float64, generator=generator)
    bias = torch.randn(outputs, dtype=torch.float64, generator=generator)
    grad = torch.randn(batch, outputs, dtype=torch.float64, generator=generator)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("byhand.wide._STRIP", strip)
        out = wide.product(bias, weight, x, scale)
        assert torch.allclose(out, bias + scale * x.double() @ weight.t(), rtol=1e-12, atol=1e-12)
        thin, dense = ThinGradient(grad, x, scale), scale * grad.t() @ x.double()
        assert torch.allclose(thin.dense(), dense, rtol=1e-12, atol=1e-12)
        expected = weight - 0.3 * dense
        thin.add_to(weight, -0.3)
    assert torch.allclose(weight, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize(
    "make", [lambda: LinearClassifier(30, 4, "normal:0.1", _seed()), lambda: MLP(30, [8], 4, generator=_seed())]
)
def test_a_hundred_steps_are_those_of_dense_gradients(make: Callable[[], Sequential], weight_decay: float) -> None:
    x, y = rows(256, 30, 4)
    models = [make().to(dtype=torch.float64) for _ in range(2)]
    for model, limit in zip(models, (20, 10**9), strict=True):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("byhand.layers.WIDE", limit)
            opt = SGD(model.parameters(), lr=0.1, weight_decay=weight_decay)
            for step in range(100):
                part = slice(step % 16 * 16, step % 16 * 16 + 16)
                with torch.inference_mode():
                    _, grad = cross_entropy_with_grad(model(x[part]), y[part])
                    model.backward(grad)
                    opt.step()
                    opt.zero_grad()
            assert all(p.grad is None and not thin_gradients(p) for p in model.parameters())
    for thin, dense in zip(*(model.parameters() for model in models), strict=True):
        assert torch.allclose(thin, dense, rtol=1e-9, atol=1e-12)


def _seed() -> torch.Generator:
    return torch.Generator().manual_seed(5)


@pytest.mark.usefixtures("narrow")
def test_gradients_add_up_until_they_are_forgotten_and_a_frozen_layer_has_none() -> None:
    layer = Linear(30, 4, generator=_seed())
    x, _ = rows(6, 30, 4)
    grads = torch.randn(2, 6, 4)
    for grad in grads:
        layer.forward(x)
        layer.backward_parameters(grad)
    assert layer.weight.grad is None
    dense = sum(thin.dense() for thin in thin_gradients(layer.weight))
    assert torch.allclose(dense, grads.sum(0).t() @ (x / 255), atol=1e-5)  # type: ignore[arg-type]
    forget_thin(layer.weight)
    assert thin_gradients(layer.weight) == []
    layer.weight.requires_grad_(False)
    layer.backward_parameters(grads[0])
    assert thin_gradients(layer.weight) == []


def learner(**given: object) -> Learner:
    x, y = rows(64, 30, 4)
    dl = DataLoader((x, y), 16, shuffle=True, generator=torch.Generator().manual_seed(1))
    return Learner(DataLoaders(dl), LinearClassifier(30, 4), quiet=True, **given)  # type: ignore[arg-type]


@pytest.mark.usefixtures("narrow")
def test_only_plain_sgd_steps_a_wide_layer() -> None:
    for opt_func in (Adam, lambda p: SGD(p, momentum=0.9), lambda p: torch.optim.SGD(p, lr=0.1)):
        with pytest.raises(ValueError, match=r"take byhand\.SGD without momentum"):
            learner(opt_func=opt_func).fit(1, 0.1)


@pytest.mark.parametrize("given", [{"momentum": 0.9}, {"opt": "adam"}])
@pytest.mark.usefixtures("narrow")
def test_the_command_says_so_before_anything_is_made(given: dict[str, object]) -> None:
    from byhand.data.load import load

    with pytest.raises(UsageError, match=r"beside 640 weights .* take --opt sgd without momentum"):
        build(Settings(lr=0.1, **given).resolved(), load("digits"), quiet=True)  # type: ignore[arg-type]


@pytest.mark.usefixtures("narrow")
def test_no_copy_is_kept_and_a_broken_loss_says_that_the_weights_are_lost() -> None:
    learn = learner()
    learn.fit(2, 0.1)
    assert learn.good == {}
    state = get_state(learn)
    weight = learn.model.parameters()[0]  # type: ignore[union-attr]
    assert state.tensors["model.0.weight"].data_ptr() == weight.data_ptr()
    with torch.no_grad():
        weight.fill_(float("nan"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        learn.fit(1, 0.1)
    assert learn.stopped
    assert "too many to be kept twice, and are lost" in learn.stopped


@pytest.mark.usefixtures("narrow")
def test_it_is_taken_up_to_the_bit() -> None:
    whole, first = learner(), learner()
    whole.fit(4, 0.1)
    first.fit(2, 0.1)
    second = learner()
    set_state(second, get_state(first))
    second.fit(2, 0.1)
    assert all(map(torch.equal, whole.model.parameters(), second.model.parameters()))  # type: ignore[union-attr]


@pytest.mark.usefixtures("narrow")
def test_its_rate_comes_from_the_curvature_alone() -> None:
    learn = learner()
    before = learn.model.parameters()[0].clone()  # type: ignore[union-attr]
    learn.fit(3)
    losses = [row["train_loss"] for row in learn.history]
    assert losses == sorted(losses, reverse=True)  # type: ignore[type-var]
    assert not torch.equal(before, learn.model.parameters()[0])  # type: ignore[union-attr]


# Split over machines, as docs/scale.md works it out: the numbers are those of one machine.


def split_by_pixels(x: Tensor, y: Tensor, weight: Tensor, bias: Tensor, lr: float, machines: int) -> Tensor:
    """Each machine holds some columns of W and those pixels; (B, C) partial logits are summed over the machines."""
    parts = torch.arange(weight.shape[1]).chunk(machines)
    logits = bias + sum(x[:, part] @ weight[:, part].t() for part in parts)  # what is exchanged: (B, C) a machine
    _, grad = cross_entropy_with_grad(logits, y)
    return torch.cat([weight[:, part] - lr * grad.t() @ x[:, part] for part in parts], dim=1)


def split_by_classes(x: Tensor, y: Tensor, weight: Tensor, bias: Tensor, lr: float, machines: int) -> Tensor:
    """Each machine holds some rows of W and all pixels; the maximum and the sum of exponentials are exchanged."""
    parts = torch.arange(len(weight)).chunk(machines)
    logits = [x @ weight[part].t() + bias[part] for part in parts]
    largest = torch.stack([z.amax(1) for z in logits]).amax(0)  # exchanged: B numbers a machine
    total = sum(torch.exp(z - largest[:, None]).sum(1) for z in logits)  # exchanged: B numbers a machine
    new = []
    for part, z in zip(parts, logits, strict=True):
        probs = torch.exp(z - largest[:, None]) / total[:, None]  # type: ignore[index]
        grad = (probs - (y[:, None] == part).to(probs.dtype)) / len(y)
        new.append(weight[part] - lr * grad.t() @ x)
    return torch.cat(new)


@pytest.mark.parametrize("machines", [1, 2, 3, 5])
@pytest.mark.parametrize("step", [split_by_pixels, split_by_classes])
def test_split_over_machines_a_step_is_that_of_one(step: Callable[..., Tensor], machines: int) -> None:
    pixels, y = rows(32, 50, 11)
    x = pixels.double() / 255
    model = LinearClassifier(50, 11, "normal:0.3", _seed()).to(dtype=torch.float64)
    weight, bias = (p.detach().clone() for p in model.parameters())
    with torch.inference_mode():
        _, grad = cross_entropy_with_grad(model(x), y)
        model.backward(grad)
        SGD(model.parameters(), lr=0.5).step()
    assert torch.allclose(step(x, y, weight, bias, 0.5, machines), model.parameters()[0], rtol=1e-12, atol=1e-12)


LIMITED = """
import resource, subprocess, sys
limit = lambda: resource.setrlimit(resource.RLIMIT_DATA, (2**31, 2**31))
done = subprocess.run(sys.argv[1:], preexec_fn=limit)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(done.returncode)
"""
"""A small process to start from: what the system says a process had at most, it may have had of whoever forked it."""


@pytest.mark.full
@pytest.mark.skipif(sys.platform != "linux", reason="limits on memory are Linux's")
def test_the_command_trains_a_layer_of_200_million_weights_and_never_holds_them_twice(tmp_path: Path) -> None:
    """0.8 GB of weights; their gradient or a copy would take as much again."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (200, 1000, 1000), dtype=np.uint8)
    np.savez(tmp_path / "wide.npz", x_train=images, y_train=np.arange(200), x_test=images[:2], y_test=np.arange(2))
    options = ["--epochs", "1", "--batch-size", "16", "--lr", "0.001", "--valid", "0", "--save-every", "8", "--quiet"]
    command = [sys.executable, "-m", "byhand", "train", str(tmp_path / "wide.npz"), "--out", str(tmp_path / "run")]
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, *command, *options], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "model.safetensors").stat().st_size > 8e8
    assert int(done.stdout.split()[-1]) * 1024 < 1.6e9  # with torch (0.3 GB) and the images (0.2 GB)
    assert is_wide([torch.empty(200, 10**6, device="meta")])
