"""The search for the rate: where it begins, against formulas, and where it ends, on runs whose losses are known."""

import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from torch import Tensor, nn

from byhand import SGD, Adam, DataError, LinearClassifier, constant
from byhand.lr_find.trials import Choice, Guess, first_guess, search, trial_steps
from byhand.optim import Schedule

START = math.log(10)


class Runs:
    """A rehearsal whose trials end at the losses that a function of the rate gives; it remembers the rates."""

    def __init__(self, loss: Callable[[float], float], start: float = START) -> None:
        self.loss, self.start, self.rates = loss, start, list[float]()

    def loss_after(self, steps: int, schedule: Schedule) -> float:
        if steps == 0:
            return self.start
        self.rates.append(schedule(0.0))
        return self.loss(self.rates[-1])


def parabola(best: float, width: float = 3.0) -> Callable[[float], float]:
    """A loss whose lowest point is at the rate ``best``, back at the start's ``width`` factors of 4 from it."""
    return lambda lr: 0.3 + (START - 0.3) * (math.log(lr / best, 4) / width) ** 2


def find(runs: Any, guess: float = 0.1, plain: bool = True, top: int | None = None) -> Choice:
    return search(runs, Guess(guess, "from a hat", plain), (6, 12), constant, top)


@pytest.mark.parametrize("power", range(-16, 17, 4))
def test_the_search_finds_a_valley_far_from_its_guess(power: int) -> None:
    best = 0.1 * 2.0**power
    runs = Runs(parabola(best, width=10))
    found = find(runs)
    assert best / 4 ** (10 * 0.02**0.5) <= found.lr <= best * 1.01  # the lowest that lacks 2 % of the gain
    assert found.low <= found.lr <= found.high
    assert found.rule == "by short trials around 0.1, from a hat"


@given(power=st.floats(-20, 20), width=st.floats(1.0, 12.0), plain=st.booleans())
@settings(deadline=None)
def test_the_search_ends_in_the_valley_wherever_it_is_and_however_wide(power: float, width: float, plain: bool) -> None:
    loss = parabola(0.1 * 2**power, max(width, abs(power) / 2 + 0.5))
    runs = Runs(loss)
    found = find(runs, plain=plain)
    lowest = min(map(loss, runs.rates))
    assert found.lr in [pytest.approx(lr) for lr in runs.rates]
    assert loss(found.lr) <= lowest + (0.02 if plain else 0.03) * (START - lowest) + 1e-9
    assert found.low <= found.lr * (1 + 1e-9)
    assert found.high >= found.lr * (1 - 1e-9)
    assert len(runs.rates) < 40


def test_of_rates_that_do_as_well_the_lowest_is_taken() -> None:
    found = find(Runs(lambda lr: 0.5 if 0.02 < lr < 2 else 2.0))
    assert found.lr == pytest.approx(0.025)
    assert found.low == pytest.approx(0.025, rel=0.1)
    assert found.high > 0.09


def test_a_cliff_above_the_best_rate_is_not_taken() -> None:
    for broken in (math.nan, math.inf, 5.0):
        found = find(Runs(lambda lr, broken=broken: broken if lr > 0.3 else 2.0 - lr))
        assert 0.1 < found.lr <= 0.3


def test_no_rate_is_above_the_top() -> None:
    runs = Runs(parabola(10.0, width=6))
    assert find(runs, top=3).lr == pytest.approx(0.1 * 2**1.5)
    assert max(runs.rates) <= 0.1 * 2**1.5 * (1 + 1e-9)
    assert find(Runs(parabola(10.0, width=6)), top=0).lr == pytest.approx(0.1)


def test_a_guess_that_moves_nothing_leads_upwards() -> None:
    found = find(Runs(lambda lr: START if lr < 1 else 1.0 if lr < 50 else 9.0), guess=1e-5)
    assert 1 <= found.lr < 50


def test_a_guess_that_is_far_too_high_leads_downwards() -> None:
    found = find(Runs(lambda lr: 100.0 if lr > 1e-6 else START - 1e5 * lr), guess=1.0)
    assert 1e-7 < found.lr <= 1e-6


@pytest.mark.parametrize("start", [math.nan, math.inf])
def test_a_start_that_is_no_number_is_refused_in_one_line(start: float) -> None:
    with pytest.raises(DataError, match=r"^the loss is (nan|inf) before any step: look for NaN in the inputs .*$"):
        find(Runs(parabola(0.1), start))


@pytest.mark.parametrize("loss", [START, START + 1, math.nan, START - 1e-4])  # the last is the noise of a few steps
def test_a_loss_that_no_rate_lowers_is_refused_in_one_line(loss: float) -> None:
    runs = Runs(lambda lr: loss)
    with pytest.raises(DataError, match=r"^no rate makes the loss fall on rows that are not learnt from: .*$"):
        find(runs)
    assert len(runs.rates) < 30


def test_above_a_rate_that_kills_the_model_no_higher_one_is_tried() -> None:
    runs = Runs(lambda lr: START - 1e-4 if lr > 0.15 else 0.4)  # a dead model ends where it began
    assert find(runs).lr <= 0.1
    assert max(runs.rates) == pytest.approx(0.4)


def test_trials_grow_with_the_run_and_are_never_longer_than_it() -> None:
    for linear in (True, False):
        lengths = [trial_steps(total, linear) for total in (0, 1, 5, 10, 100, 1000, 4220, 10**4, 10**6, 10**9)]
        assert all(a <= c and b <= d for (a, b), (c, d) in pairwise(lengths))
        assert all(1 <= short <= long for short, long in lengths)
        assert trial_steps(5, linear) == (5, 5)
        assert trial_steps(10**6, linear) == trial_steps(10**9, linear)
    short, long = trial_steps(4220, linear=True)
    assert 4 * short + 4 * long < 0.05 * 4220
    short, long = trial_steps(4220, linear=False)
    assert 5 * short + 5 * long < 0.15 * 4220
    assert trial_steps(100, linear=False)[1] > trial_steps(100, linear=True)[1]


def digits() -> Tensor:
    return torch.as_tensor(load_digits().data / 16, dtype=torch.float32)


@pytest.mark.parametrize("make", [SGD, torch.optim.SGD], ids=["byhand", "torch"])
@pytest.mark.parametrize(("momentum", "decay"), [(0.0, 0.0), (0.9, 0.0), (0.0, 0.5), (0.5, 2.0)])
def test_sgd_begins_at_what_the_curvature_says(make: Any, momentum: float, decay: float) -> None:
    x = digits()
    ones = np.hstack([x.double().numpy(), np.ones((len(x), 1))])
    eigenvalue = np.linalg.eigvalsh(ones.T @ ones / len(x))[-1]
    curved = eigenvalue + ((ones**2).sum(1).max() - eigenvalue) / 128
    opt = make(LinearClassifier(64, 10).parameters(), lr=0.1, momentum=momentum, weight_decay=decay)
    guess = first_guess(opt, x, 128, 10)
    assert guess.lr == pytest.approx((1 - momentum) * 10 / (curved + 10 * decay), rel=1e-3)
    assert guess == Guess(guess.lr, "from the curvature of the data", plain=True)


OTHERS = [Adam, torch.optim.Adam, torch.optim.AdamW, torch.optim.RMSprop]


@pytest.mark.parametrize("make", OTHERS)
def test_others_begin_where_a_step_moves_a_logit_by_a_tenth(make: Any) -> None:
    x = digits()
    guess = first_guess(make(LinearClassifier(64, 10).parameters()), x, 128, 10)
    assert guess.lr == pytest.approx(0.1 / (1 + float(x.abs().sum(1).mean())), rel=0.05)
    assert guess == Guess(guess.lr, "from the size of the inputs", plain=False)


@pytest.mark.parametrize("make", [SGD, *OTHERS])
def test_bytes_stand_for_their_value_over_255(make: Any) -> None:
    pixels = (digits() * 255).to(torch.uint8)
    guess = partial(first_guess, make(LinearClassifier(64, 10).parameters(), lr=0.1), batch_size=64, classes=10)
    assert guess(pixels).lr == pytest.approx(guess(pixels.float() / 255).lr, rel=1e-4)


@pytest.mark.parametrize("make", [SGD, Adam])
def test_words_have_no_size(make: Any) -> None:
    params = list(nn.Embedding(9, 4).parameters())
    assert first_guess(make(params), torch.arange(9), 3, 2).lr == (0.1 if make is SGD else 1e-3)
