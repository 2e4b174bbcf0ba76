"""Whatever is tried inside, everything is afterwards as it was, to the bit."""

import random
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader as TorchDataLoader
from torch.utils.data import Dataset as TorchDataset
from torch.utils.data import RandomSampler, TensorDataset

from byhand import MLP, DataLoader
from byhand.lr_find.untouched import same_randomness, untouched


class Mask:
    """A transform with a generator of its own."""

    def __init__(self) -> None:
        self.torch, self.numpy, self.python = torch.Generator(), np.random.default_rng(0), random.Random(0)  # noqa: S311

    def __call__(self, x: Tensor) -> list[float]:
        own = [torch.rand(1, generator=self.torch).item(), self.numpy.random(), self.python.random()]
        return [*own, torch.rand(1).item(), random.random(), np.random.random()]  # noqa: NPY002, S311


class Masked(TorchDataset[Any]):
    """A data set that masks what it gives."""

    def __init__(self) -> None:
        self.transforms = [Mask()]

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        return torch.tensor(self.transforms[0](torch.ones(1)), dtype=torch.float32), i % 2

    def __len__(self) -> int:
        return 12


def passes(loader: Any) -> list[Any]:
    return [(xb.tolist(), yb.tolist()) for _ in range(2) for xb, yb in loader]


ROWS = (torch.arange(12.0).unsqueeze(1), torch.arange(12))


def loaders() -> dict[str, Any]:
    own = partial(torch.Generator().manual_seed, 3)
    return {
        "byhand": DataLoader(ROWS, 5, shuffle=True),
        "byhand, its generator": DataLoader(ROWS, 5, shuffle=True, generator=own()),
        "torch": TorchDataLoader(TensorDataset(*ROWS), 5, shuffle=True),
        "torch, its generator": TorchDataLoader(TensorDataset(*ROWS), 5, shuffle=True, generator=own()),
        "torch, its sampler's": TorchDataLoader(
            TensorDataset(*ROWS), 5, sampler=RandomSampler(ROWS[1], generator=own())
        ),
        "a transform's": TorchDataLoader(Masked(), 5, shuffle=True),
    }


@pytest.mark.parametrize("kind", loaders())
def test_a_loaders_next_passes_are_those_that_it_would_have_made(kind: str) -> None:
    expected, found = [], []
    for look, results in ((False, expected), (True, found)):
        torch.manual_seed(0)
        random.seed(0)
        np.random.seed(0)  # noqa: NPY002
        loader = loaders()[kind]
        next(iter(loader))
        if look:
            with same_randomness(loader):
                passes(loader)
        results.extend(passes(loader))
    assert found == expected


def test_the_generators_of_functions_and_their_parts_are_found() -> None:
    generator = torch.Generator()

    def noisy(x: Tensor) -> Tensor:
        return x + torch.rand(3, generator=generator)

    class Model:
        def __init__(self) -> None:
            self.generator = generator

        def __call__(self, x: Tensor) -> Tensor:
            return noisy(x)

    def default(x: Tensor, generator: torch.Generator = generator) -> Tensor:
        return x

    for source in (noisy, partial(noisy), Model(), Model().__call__, default, {"a": [noisy]}, partial(print, noisy)):
        state = generator.get_state()
        with same_randomness(source):
            torch.rand(5, generator=generator)
        assert torch.equal(generator.get_state(), state), source


def test_an_exception_inside_puts_all_back_and_passes_on() -> None:
    model = MLP(4, [3], 2)
    before, state = [p.detach().clone() for p in model.parameters()], torch.get_rng_state()

    def interrupted() -> None:
        with untouched(model, model.parameters()):
            model.parameters()[0].data.add_(torch.rand(1))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert torch.equal(torch.get_rng_state(), state)


def test_numbers_buffers_gradients_and_modes_of_a_module_come_back() -> None:
    net = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Dropout(), nn.Linear(3, 2))
    net[1].eval()  # one part in another mode than the rest
    net.register_buffer("count", torch.zeros(1), persistent=False)
    net(torch.rand(8, 4)).sum().backward()
    params = list(net.parameters())
    grads = [p.grad for p in params]
    kept = [g.clone() for g in grads if g is not None]
    numbers = [t.detach().clone() for t in [*params, *net.buffers()]]
    modes = [m.training for m in net.modules()]
    with untouched(net, params):
        assert all(p.grad is None for p in params)
        net.train()
        for _ in range(3):
            net(torch.rand(8, 4)).sum().backward()
        net.count += 1
        with torch.no_grad():
            for p in params:
                p.sub_(1)
        net.eval()
    assert all(torch.equal(a, b) for a, b in zip(numbers, [*params, *net.buffers()], strict=True))
    assert all(p.grad is g for p, g in zip(params, grads, strict=True))
    assert all(torch.equal(p.grad, g) for p, g in zip(params, kept, strict=True))
    assert [m.training for m in net.modules()] == modes


def test_frozen_parameters_come_back_too() -> None:
    net = nn.Linear(3, 2)
    net.weight.requires_grad_(False)
    before = net.weight.clone()
    with untouched(net, [net.bias]):
        net.weight.fill_(0.0)
    assert torch.equal(net.weight, before)
