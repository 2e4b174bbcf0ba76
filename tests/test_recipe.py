"""From settings and data to what a run needs, and a model fitted without a run."""

from dataclasses import replace
from functools import cache

import pytest
import torch

from byhand import UsageError, networks, recipe
from byhand.data.dataset import Dataset, Part
from byhand.data.load import load
from byhand.networks import Network
from byhand.settings import Settings


@cache
def digits() -> Dataset:
    return load("digits")


def equal(a: Network, b: Network) -> bool:
    return all(torch.equal(tensor, b.state_dict()[name]) for name, tensor in a.state_dict().items())


def test_the_number_of_epochs_follows_the_number_of_steps() -> None:
    for given, steps_wanted, least in (({}, 2000, 20), ({"hidden": (12,)}, 2000, 30)):
        for batch_size in (4, 64, 256):
            settings = Settings(batch_size=batch_size, **given).resolved()
            plan = recipe.prepare(settings, digits(), quiet=True)
            epochs, steps = plan.settings.epochs, len(plan.learn.dls.train)
            assert epochs is not None
            assert least <= epochs <= 200
            assert epochs * steps >= min(steps_wanted, 200 * steps)
            assert epochs == least or (epochs - 1) * steps < steps_wanted
    assert recipe.prepare(Settings(epochs=3).resolved(), digits(), quiet=True).settings.epochs == 3


@pytest.mark.parametrize("name", ["nowhere", "cuda:99", "meta"])
def test_a_device_that_is_not_there_is_a_usage_error(name: str) -> None:
    with pytest.raises(UsageError, match=f"--device {name} is not to be had here") as caught:
        recipe.prepare(Settings(device=name).resolved(), digits(), quiet=True)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("init", ["ones", "normal", "normal:", "normal:x", "normal:-1", "normal:nan", "kaiming:2"])
def test_a_start_that_does_not_exist_is_a_usage_error(init: str) -> None:
    with pytest.raises(UsageError, match=f"^--init {init}") as caught:
        recipe.prepare(Settings(init=init).resolved(), digits(), quiet=True)
    assert "\n" not in str(caught.value)


def test_fit_needs_no_validation_part() -> None:
    data = digits()
    none = Part(data.valid.images[:0], data.valid.labels[:0], data.classes, "h")
    settings = Settings(epochs=2, lr=0.5).resolved()
    with_one, without = (recipe.fit(settings, one) for one in (data, replace(data, valid=none)))
    assert equal(with_one, without)


def test_a_fit_without_an_epoch_is_the_start() -> None:
    model = recipe.fit(Settings(epochs=0, lr=0.5, hidden=(12,)).resolved(), digits())
    start = networks.build_model(Settings(hidden=(12,)).resolved(), 64, 10)
    assert equal(model, start)


def test_a_fit_whose_loss_breaks_is_silent_and_keeps_the_last_good_weights() -> None:
    model = recipe.fit(Settings(epochs=9, lr=100.0, weight_decay=10.0).resolved(), digits())
    assert all(torch.isfinite(tensor).all() for tensor in model.state_dict().values())
