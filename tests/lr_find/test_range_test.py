"""The range test and its four rules, each against a plain reimplementation or a curve whose answer is known."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from byhand.lr_find.range_test import RULES, minimum, range_test, slide, steep, suggest, valley
from byhand.lr_find.rehearsal import Rehearsal

LRS = [1e-7 * 10 ** (8 * i / 100) for i in range(100)]
CURVES = st.lists(st.integers(0, 6).map(float), min_size=2, max_size=11)


def bowl(at: float, n: int = 100) -> list[float]:
    """Flat, a descent to ``at`` and a steep rise, as a range test shows it."""
    x = np.log10(LRS[:n])
    return list(2.3 - 2 / (1 + np.exp(-3 * (x - at + 1))) + np.exp(4 * (x - at - 0.5)))


@given(losses=CURVES)
@settings(deadline=None)
def test_valley_stands_half_way_down_the_longest_descent(losses: list[float]) -> None:
    """By trying every subsequence; of the longest, the one that ends first."""
    found = [
        rows
        for length in range(1, len(losses) + 1)
        for rows in itertools.combinations(range(len(losses)), length)
        if all(losses[i] > losses[j] for i, j in itertools.pairwise(rows))
    ]
    longest = max(map(len, found))
    end = min(rows[-1] for rows in found if len(rows) == longest)
    start = end - longest if longest > 1 else 0
    third = (end - start) / 3
    assert valley(LRS[: len(losses)], losses, 100) == LRS[max(0, start + int(third) + int(third / 2))]


@pytest.mark.parametrize("at", [-4.0, -2.0, -1.0])
def test_the_rules_on_a_clean_curve(at: float) -> None:
    losses = bowl(at)
    lowest = LRS[int(np.argmin(losses))]
    assert minimum(LRS, losses, 100) == pytest.approx(lowest / 10)
    slopes = np.gradient(losses, np.log(LRS))
    assert steep(LRS, losses, 100) == pytest.approx(LRS[int(np.argmin(slopes))], rel=0.3)
    assert steep(LRS, losses, 100) < lowest
    assert LRS[0] < valley(LRS, losses, 100) < lowest


def slide_by_the_book(lrs: list[float], losses: list[float]) -> float:
    """The rule in negative indices, as fastai's documentation tells it."""
    slopes, right = np.gradient(losses), -1
    left = right - 15
    lr = lrs[left]
    while left >= -len(losses) and abs(slopes[right] - slopes[left]) > 0.005:
        lr, right, left = lrs[left], right - 1, left - 1
    return lr


@given(st.lists(st.floats(0.1, 5, allow_nan=False), min_size=16, max_size=60))
@settings(deadline=None)
def test_slide_goes_down_until_both_ends_are_equally_steep(losses: list[float]) -> None:
    assert slide(LRS[: len(losses)], losses, 100) == slide_by_the_book(LRS[: len(losses)], losses)


@given(shift=st.floats(-3, 3), factor=st.floats(0.1, 10))
def test_valley_minimum_and_steep_see_the_curves_shape_alone(shift: float, factor: float) -> None:
    losses = bowl(-2.0)
    moved = [factor * loss + shift for loss in losses]
    assert minimum(LRS, moved, 100) == minimum(LRS, losses, 100)
    assert steep(LRS, moved, 100) == steep(LRS, losses, 100)


def test_the_rules_see_the_curve_without_its_first_tenth_and_its_last_five_points() -> None:
    seen: list[list[float]] = []

    def spy(lrs: list[float], losses: list[float], num_it: int) -> float:
        seen.append(list(losses))
        return lrs[0]

    losses = [float(i) for i in range(100)]
    assert suggest(spy, LRS, losses, 100) == LRS[10]
    suggest(spy, LRS, [*losses[:50], math.nan, *losses[51:]], 100)
    suggest(spy, LRS, [*losses[:98], math.nan, 1.0], 100)
    assert seen == [losses[10:95], losses[10:50], losses[10:95]]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("losses", [[], [1.0], [2.0] * 14, [math.nan] * 100, [1.0] * 13 + [math.nan] * 87])
def test_a_curve_of_too_few_points_gives_nothing_or_a_rate_of_the_range(rule: str, losses: list[float]) -> None:
    lr = suggest(RULES[rule], LRS[: len(losses)], losses, 100)
    assert lr is None or LRS[0] / 10 <= lr <= LRS[-1]
    if len(losses) <= 15 or math.isnan(losses[0]):
        assert lr is None


class OneWeight:
    """A model of one number, and its optimizer in one."""

    def __init__(self) -> None:
        self.w = torch.zeros(1, requires_grad=True)
        self.lr, self.rates = 0.0, list[float]()


def ramp(losses: list[float], stop_div: bool = True, num_it: int = 100) -> tuple[list[float], list[float]]:
    """A range test whose batches have these losses."""
    model, left = OneWeight(), iter(losses)

    def step(opt: OneWeight, xb: Tensor, yb: Tensor) -> Tensor:
        model.rates.append(opt.lr)
        return torch.tensor(next(left))

    batches = [(torch.zeros(4, 1), torch.zeros(4, dtype=torch.long)) for _ in range(12)]
    rehearsal = Rehearsal(lambda x: x * model.w, [model.w], lambda: model, step, torch.dot, batches, True)
    rates, smooth = range_test(rehearsal, 1e-7, 10, num_it, stop_div, 0)
    assert rates == pytest.approx(model.rates)
    assert rehearsal.steps == len(rates)
    return rates, smooth


def test_the_rates_grow_from_start_to_end_and_the_losses_are_smoothed() -> None:
    noise = list(np.random.default_rng(0).random(100) + 1)
    rates, smooth = ramp(noise)
    assert rates == pytest.approx(list(np.geomspace(1e-7, 10, 101)[:100]))
    for i in (0, 1, 30, 99):
        weights = 0.98 ** np.arange(i, -1, -1)
        assert smooth[i] == pytest.approx(float(np.average(noise[: i + 1], weights=weights)), rel=1e-5)


def test_the_test_ends_at_four_times_the_least_loss_unless_told_not_to() -> None:
    losses = [1.0] * 50 + [1e4] * 50
    rates, smooth = ramp(losses)
    assert len(rates) == len(smooth) == 51
    assert smooth[-1] > 4 * min(smooth)
    assert len(ramp(losses, stop_div=False)[0]) == 100


@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_a_loss_that_is_no_number_ends_it_either_way(broken: float) -> None:
    for stop_div in (True, False):
        assert len(ramp([1.0] * 30 + [broken] * 70, stop_div)[1]) == 31
