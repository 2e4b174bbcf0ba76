"""Intervals hold what they promise, tests raise no more false alarms than they say, and SciPy agrees with all."""

import math
from collections.abc import Callable
from fractions import Fraction
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from sklearn.datasets import load_digits

from byhand.evaluate import statistics
from byhand.evaluate.statistics import (
    CHANCE_LEVEL,
    Difference,
    Spread,
    better_than_chance,
    better_than_relabelled,
    has_learnt,
    holm,
    mcnemar,
    newcombe,
    next_accuracy,
    over_seeds,
    paired_bootstrap,
    wilson,
)


@st.composite
def counts(draw: st.DrawFn) -> tuple[int, int]:
    n = draw(st.integers(1, 20_000))
    return draw(st.integers(0, n)), n


# Intervals.


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [
        (58, 100, 48.2, 67.2),
        (580, 1000, 54.9, 61.0),
        (5800, 10_000, 57.0, 59.0),
        (9250, 10_000, 91.97, 93.00),
        (9840, 10_000, 98.13, 98.63),
    ],
)
def test_wilsons_interval_of_known_counts(hits: int, n: int, low: float, high: float) -> None:
    digits = 2 if low > 90 else 1
    share = wilson(hits, n)
    assert (share.value, share.n) == (hits / n, n)
    assert (round(100 * share.low, digits), round(100 * share.high, digits)) == (low, high)


@settings(max_examples=200, deadline=None)
@given(counts(), st.floats(0.5, 0.999))
def test_wilsons_interval_equals_scipys(count: tuple[int, int], level: float) -> None:
    expected = stats.binomtest(*count).proportion_ci(level, "wilson")
    share = wilson(*count, level)
    assert (share.low, share.high) == pytest.approx((expected.low, expected.high), rel=1e-9, abs=1e-11)
    assert 0 <= share.low <= share.value <= share.high <= 1


@pytest.mark.parametrize("n", [1, 7, 10_000])
def test_no_hit_and_nothing_but_hits_reach_the_ends_exactly(n: int) -> None:
    none, every = wilson(0, n), wilson(n, n)
    assert (none.value, none.low) == (0, 0)
    assert (every.value, every.high) == (1, 1)
    assert 0 < none.high == pytest.approx(1 - every.low, rel=1e-9)
    assert none.high < 1


def coverage(n: int, p: NDArray[np.float64]) -> NDArray[np.float64]:
    """The exact probability that the interval from n rows holds p, for every p: a sum over all counts."""
    shares = [wilson(k, n) for k in range(n + 1)]
    low, high = np.array([[share.low, share.high] for share in shares]).T  # (n + 1,) each
    held = (low[:, None] <= p) & (p <= high[:, None])  # (n + 1, P)
    return (stats.binom.pmf(np.arange(n + 1)[:, None], n, p) * held).sum(axis=0)


def test_wilsons_interval_holds_the_true_value_in_94_to_96_percent_of_the_cases() -> None:
    rng = np.random.default_rng(0)
    exact = [coverage(int(n), rng.uniform(0.02, 0.98, 200)).mean() for n in rng.integers(20, 1000, 40)]
    assert 0.94 < min(exact) < max(exact) < 0.96  # whatever the n, on average over p
    assert np.mean(exact) == pytest.approx(0.95, abs=0.003)


def test_wilsons_interval_holds_the_true_value_in_94_to_96_percent_of_100_000_simulated_test_sets() -> None:
    rng = np.random.default_rng(1)
    n, p = rng.integers(50, 10_001, 100_000), rng.uniform(0.02, 0.98, 100_000)
    shares = [wilson(int(hits), int(rows)) for hits, rows in zip(rng.binomial(n, p), n, strict=True)]
    held = [share.low <= true <= share.high for share, true in zip(shares, p, strict=True)]
    assert 0.94 < np.mean(held) < 0.96


@settings(max_examples=200, deadline=None)
@given(counts(), st.integers(1, 20_000), st.floats(0.5, 0.999))
def test_the_prediction_intervals_ends_are_where_the_z_test_of_two_shares_gives_way(
    count: tuple[int, int], rows: int, level: float
) -> None:
    hits, n = count
    p, z = hits / n, stats.norm.ppf((1 + level) / 2)

    def excess(s: float) -> float:
        r = (hits + rows * s) / (n + rows)
        return abs(s - p) - z * math.sqrt(max(0.0, r * (1 - r)) * (1 / n + 1 / rows))

    share = next_accuracy(hits, n, rows, level)
    assert (share.value, share.n) == (p, rows)
    assert 0 <= share.low <= p <= share.high <= 1
    for end, beyond in ((share.low, 0.0), (share.high, 1.0)):
        if end != beyond:
            assert excess(end) == pytest.approx(0, abs=1e-9)
            assert excess((end + beyond) / 2) > 0
        else:
            assert excess(end) <= 1e-9
    one = wilson(hits, n, level)
    assert share.low <= one.low + 1e-12
    assert share.high >= one.high - 1e-12


def test_the_prediction_for_images_without_end_is_wilsons_interval() -> None:
    share, one = next_accuracy(3850, 4200, 10**13), wilson(3850, 4200)
    assert (share.low, share.high) == pytest.approx((one.low, one.high), abs=1e-8)


@pytest.mark.parametrize(("n", "m"), [(40, 60), (300, 100), (420, 700)])
def test_the_prediction_interval_holds_the_next_accuracy_in_94_to_96_percent_of_the_cases(n: int, m: int) -> None:
    shares = [next_accuracy(k, n, m) for k in range(n + 1)]
    low, high = np.array([[share.low, share.high] for share in shares]).T  # (n + 1,) each
    least, most = np.ceil(m * low - 1e-9), np.floor(m * high + 1e-9)
    p = np.random.default_rng(2).uniform(0.02, 0.98, (1, 200))
    held = stats.binom.cdf(most[:, None], m, p) - stats.binom.cdf(least[:, None] - 1, m, p)  # (n + 1, P)
    exact = (stats.binom.pmf(np.arange(n + 1)[:, None], n, p) * held).sum(axis=0)
    assert 0.94 < exact.mean() < 0.96


def test_the_prediction_interval_asks_for_no_more_than_a_split_by_chance_of_a_finite_heap() -> None:
    rng, held, n, m = np.random.default_rng(3), 0, 420, 700
    for _ in range(4000):
        hits = rng.integers(5000, 6900)  # of 7,000 images, n and m of which are drawn apart from each other
        first = int(rng.hypergeometric(hits, 7000 - hits, n))
        second = rng.hypergeometric(hits - first, 7000 - hits - (n - first), m)
        share = next_accuracy(first, n, m)
        held += bool(share.low - 1e-12 <= second / m <= share.high + 1e-12)
    assert 0.935 < held / 4000 < 0.965


@pytest.mark.parametrize("p", [0.85, 0.92, 0.96, 0.985, 0.995])
def test_of_kaggles_sizes_a_score_below_the_one_in_10_000_end_comes_about_so_seldom(p: float) -> None:
    n, m, level = 4200, 7000, 1 - 2e-4
    likely = np.flatnonzero(stats.binom.pmf(np.arange(n + 1), n, p) > 1e-12)
    floors = np.array([next_accuracy(int(k), n, m, level).low for k in likely])
    below = stats.binom.cdf(np.ceil(m * floors - 1e-9) - 1, m, p)  # a score under the floor
    assert 3e-5 < (stats.binom.pmf(likely, n, p) * below).sum() < 3e-4


def test_a_prediction_needs_images_to_speak_of() -> None:
    for hits, n, rows in ((0, 0, 5), (6, 5, 5), (-1, 5, 5), (1, 5, 0)):
        with pytest.raises(ValueError, match="must be"):
            next_accuracy(hits, n, rows)


def test_newcombes_interval_of_his_own_example() -> None:
    difference = newcombe(56, 70, 48, 80)
    assert difference.value == pytest.approx(0.20)
    assert (round(difference.low, 4), round(difference.high, 4)) == (0.0524, 0.3339)


@pytest.mark.parametrize(  # rows of the table of examples in Newcombe's paper
    ("given", "low", "high"),
    [
        ((9, 10, 3, 10), 0.1705, 0.8090),
        ((10, 10, 0, 20), 0.6791, 1.0000),
        ((10, 10, 0, 10), 0.6075, 1.0000),
        ((5, 56, 0, 29), -0.0381, 0.1926),
    ],
)
def test_newcombes_interval_of_small_counts(given: tuple[int, int, int, int], low: float, high: float) -> None:
    difference = newcombe(*given)
    assert (round(difference.low, 4), round(difference.high, 4)) == (low, high)


@settings(max_examples=100, deadline=None)
@given(counts(), counts())
def test_newcombes_interval_lies_around_the_difference_and_turns_with_it(
    one: tuple[int, int], two: tuple[int, int]
) -> None:
    there, back = newcombe(*one, *two), newcombe(*two, *one)
    assert -1 - 1e-12 <= there.low <= there.value <= there.high <= 1 + 1e-12
    assert (there.value, there.low, there.high) == pytest.approx((-back.value, -back.high, -back.low), abs=1e-15)


# Chance.


def test_the_least_number_of_hits_that_beats_always_saying_one() -> None:
    assert better_than_chance(1235, 10_000, 0.1135) < 0.001 < better_than_chance(1234, 10_000, 0.1135)
    assert better_than_chance(21, 100, 0.10) < 0.001 < better_than_chance(20, 100, 0.10)


@settings(max_examples=200, deadline=None)
@given(counts(), st.floats(0.01, 0.99))
def test_the_tail_equals_scipys_exact_test(count: tuple[int, int], chance: float) -> None:
    expected = stats.binomtest(*count, chance, alternative="greater").pvalue
    assert better_than_chance(*count, chance) == pytest.approx(expected, rel=1e-9, abs=1e-300)


@pytest.mark.parametrize(
    ("hits", "n", "chance"),
    [
        (300, 300, Fraction(1, 10)),
        (307, 307, Fraction(1, 10)),
        (840, 2000, Fraction(1, 8)),
        (720, 3000, Fraction(1, 16)),
    ],
)
def test_the_tail_is_right_down_to_1e_300(hits: int, n: int, chance: Fraction) -> None:
    odds, total = chance.numerator, chance.denominator  # P(k hits) = C(n, k) odds^k (total − odds)^(n − k) / total^n
    ways = sum(math.comb(n, k) * odds**k * (total - odds) ** (n - k) for k in range(hits, n + 1))
    expected = float(Fraction(ways, total**n))
    assert 0 < expected < 1e-150
    assert better_than_chance(hits, n, float(chance)) == pytest.approx(expected, rel=1e-9, abs=0)


def test_the_ends_of_chance() -> None:
    assert better_than_chance(5800, 10_000, 0.1135) == 0  # 4e-2749
    assert better_than_chance(0, 10, 0.1) == better_than_chance(10, 10, 1) == better_than_chance(0, 10, 0) == 1
    assert better_than_chance(1, 10, 0) == 0


# Luck with names.

Fit = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]


def least_squares(x: NDArray[np.float64], onehot: NDArray[np.float64]) -> NDArray[np.float64]:
    """The weights (P, M·C) of M linear models fitted to M sets of labels, given as (N, M·C)."""
    return np.linalg.pinv(x, rcond=1e-4) @ onehot


def nearest_mean(x: NDArray[np.float64], onehot: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same as the classes' mean images m: the largest m·x − ‖m‖²/2 is the nearest one. The last column is ones."""
    means = x.T @ onehot / onehot.sum(axis=0)  # (P, M·C)
    return np.vstack([means[:-1], -np.square(means[:-1]).sum(axis=0) / 2])


def softmax_regression(x: NDArray[np.float64], onehot: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same by 20 steps of gradient descent on the cross-entropy."""
    rate = 10 / np.linalg.eigvalsh(x.T @ x / len(x)).max()
    weights = np.zeros((x.shape[1], onehot.shape[1]))  # (P, M·C)
    for _ in range(20):
        odds = np.exp(x @ weights).reshape(len(x), -1, 10)  # (N, M, C)
        probs = odds / odds.sum(axis=2, keepdims=True)
        weights -= rate * x.T @ (probs.reshape(len(x), -1) - onehot) / len(x)
    return weights


def on_permuted_labels(fit: Fit, times: int) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
    """Confusion matrices on held-out digits: of the model that learnt the true labels, and of those that did not."""
    pixels, labels = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    order = rng.permutation(len(labels))
    x = np.column_stack([pixels / 16, np.ones(len(labels))])[order]  # (1797, 65)
    learn, held_out, y, true = x[:1438], x[1438:], labels[order[:1438]], labels[order[1438:]]

    def confusions(sets: list[NDArray[np.int64]]) -> list[NDArray[np.int64]]:
        onehot = np.eye(10)[np.column_stack(sets)].reshape(len(y), -1)  # (N, M·C)
        scores = (held_out @ fit(learn, onehot)).reshape(len(true), len(sets), 10)  # (n, M, C)
        return [np.bincount(10 * true + preds, minlength=100).reshape(10, 10) for preds in scores.argmax(axis=2).T]

    found = [c for _ in range(times // 50) for c in confusions([rng.permutation(y) for _ in range(50)])]
    return confusions([y])[0], found


@pytest.mark.parametrize("fit", [least_squares, nearest_mean, pytest.param(softmax_regression, marks=pytest.mark.full)])
def test_none_of_1_000_models_trained_on_permuted_labels_is_called_better_than_chance(fit: Fit) -> None:
    genuine, permuted = on_permuted_labels(fit, 1000)
    assert has_learnt(genuine)
    assert len(permuted) == 1000
    assert not any(has_learnt(confusion) for confusion in permuted)


def test_luck_with_names_passes_the_test_of_the_images_but_not_that_of_the_names() -> None:
    _, permuted = on_permuted_labels(nearest_mean, 250)
    by_images = [better_than_chance(int(c.trace()), int(c.sum()), c.sum(axis=1).max() / c.sum()) for c in permuted]
    assert np.mean([p < CHANCE_LEVEL for p in by_images]) > 0.03  # true on new images too, and yet nothing was learnt
    by_names = [better_than_relabelled(confusion) for confusion in permuted]
    assert np.mean([p <= 0.05 for p in by_names]) < 0.08


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=16, max_size=16), st.integers(0, 2**32))
def test_relabelling_equals_going_through_all_permutations(cells: list[int], seed: int) -> None:
    confusion = np.array(cells).reshape(4, 4) + np.eye(4, dtype=np.int64)
    hits = [sum(confusion[c, name] for c, name in enumerate(names)) for names in permutations(range(4))]
    expected = np.mean([k >= confusion.trace() for k in hits])
    assert better_than_relabelled(confusion, seed) == pytest.approx(expected, abs=0.01)


def test_naming_one_class_always_is_no_learning_and_naming_three_in_ten_images_rightly_is() -> None:
    constant = np.zeros((10, 10), np.int64)
    constant[:, 1] = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert better_than_relabelled(constant) == pytest.approx(0.1, abs=0.005)
    assert not has_learnt(constant)
    weak = np.full((10, 10), 70) + np.diag([230] * 10)
    assert better_than_relabelled(weak) == 1 / 100_001
    assert has_learnt(weak)
    assert not has_learnt(np.roll(weak, 1, axis=0))


def test_with_few_classes_only_the_images_are_tested() -> None:
    assert has_learnt(np.array([[90, 10], [10, 90]]))
    assert not has_learnt(np.array([[60, 40], [40, 60]]))
    two_of_ten = np.full((10, 10), 10)
    two_of_ten[0, 0] = two_of_ten[1, 1] = 100  # 10 % of hits by guessing, and two classes recognized
    assert better_than_chance(int(two_of_ten.trace()), int(two_of_ten.sum()), 190 / 1180) < CHANCE_LEVEL
    assert not has_learnt(two_of_ten)  # one naming in 90 would do as well


# Two models.


@pytest.mark.parametrize(("one", "two", "p"), [(15, 5, 0.041), (60, 40, 0.057), (120, 80, 0.006)])
def test_mcnemars_p_value_of_known_counts(one: int, two: int, p: float) -> None:
    assert round(mcnemar(one, two), 3) == round(mcnemar(two, one), 3) == p


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 3000), st.integers(0, 3000))
def test_mcnemars_p_value_equals_scipys_exact_test(one: int, two: int) -> None:
    expected = stats.binomtest(one, one + two, 0.5).pvalue if one + two else 1.0
    assert mcnemar(one, two) == pytest.approx(expected, rel=1e-9, abs=1e-300)


def test_mcnemars_false_alarms_are_at_most_5_percent_whatever_the_number_of_discordant_images() -> None:
    alarms = []
    for n in range(301):
        rejected = np.array([mcnemar(k, n - k) <= 0.05 for k in range(n + 1)])
        alarms.append(float(stats.binom.pmf(np.arange(n + 1), n, 0.5) @ rejected))
    assert max(alarms) <= 0.05
    assert min(alarms[100:]) > 0.02  # it does reject


def test_mcnemars_false_alarms_are_at_most_5_percent_on_simulated_pairs_of_equally_good_models() -> None:
    rng = np.random.default_rng(2)
    discordant = rng.multinomial(1000, [0.04, 0.04, 0.92], 20_000)  # (pairs, 3)
    alarms = np.mean([mcnemar(int(one), int(two)) <= 0.05 for one, two, _ in discordant])
    assert 0.03 < alarms < 0.05


def test_the_bootstrap_equals_one_that_resamples_the_images() -> None:
    rng = np.random.default_rng(3)
    first, second = rng.random(500) < 0.80, rng.random(500) < 0.86
    rows = rng.integers(500, size=(20_000, 500))
    drawn = second[rows].mean(axis=1) - first[rows].mean(axis=1)
    difference = paired_bootstrap(first, second)
    assert difference.value == pytest.approx(second.mean() - first.mean(), abs=1e-15)
    assert (difference.low, difference.high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=0.0041)
    assert difference == paired_bootstrap(first, second, seed=0) != paired_bootstrap(first, second, seed=1)


def test_the_bootstraps_interval_holds_the_true_difference_in_about_95_percent_of_the_cases() -> None:
    rng = np.random.default_rng(4)
    held = []
    for _ in range(1000):
        draw = rng.random(2000)
        difference = paired_bootstrap(draw > 0.1, (draw < 0.02) | (draw > 0.15), resamples=1000)  # −5 + 2 points
        held.append(difference.low <= -0.03 <= difference.high)
    assert 0.93 < np.mean(held) < 0.97


def test_models_that_agree_everywhere_do_not_differ() -> None:
    hits = np.array([True, False, True])
    assert paired_bootstrap(hits, hits) == Difference(0, 0, 0)
    assert paired_bootstrap(hits, np.ones(3, bool)).high <= 1
    assert mcnemar(0, 0) == 1


# Several.


def test_holms_adjustment_of_a_known_example() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.5]) == [1, 1]
    assert holm([]) == []


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(0, 1) | st.sampled_from([0.0, 0.01, 0.05]), min_size=1, max_size=7))
def test_holms_adjustment_equals_the_closed_test_of_bonferroni(p_values: list[float]) -> None:
    # A hypothesis falls if every set of hypotheses that holds it falls: the largest of their Bonferroni p-values.
    m = len(p_values)
    sets = [[i for i in range(m) if bits >> i & 1] for bits in range(1, 2**m)]
    expected = [max(min(1.0, len(s) * min(p_values[j] for j in s)) for s in sets if i in s) for i in range(m)]
    assert holm(p_values) == pytest.approx(expected, rel=1e-12)


def test_holm_makes_one_false_call_or_more_in_at_most_5_percent_of_the_cases() -> None:
    p_values = np.random.default_rng(5).random((4000, 6))
    assert 0.04 < np.mean([min(holm(list(row))) <= 0.05 for row in p_values]) < 0.06  # 1 − (1 − .05/6)⁶ = 4.9 %


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=20), st.floats(0.5, 0.999))
def test_the_spread_over_seeds_equals_numpys_and_scipys(values: list[float], level: float) -> None:
    spread = over_seeds(values, level)
    sd = float(np.std(values, ddof=1))
    half = stats.t.ppf((1 + level) / 2, len(values) - 1) * sd / math.sqrt(len(values))
    expected = (np.mean(values), sd, np.mean(values) - half, np.mean(values) + half)
    assert (spread.mean, spread.sd, spread.low, spread.high) == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert spread.n == len(values)


def test_one_seed_has_no_spread() -> None:
    spread = over_seeds([0.9])
    assert (spread.mean, spread.n) == (0.9, 1)
    assert all(math.isnan(value) for value in (spread.sd, spread.low, spread.high))
    assert over_seeds([0.25] * 3) == Spread(0.25, 0, 0.25, 0.25, 3)


# What is refused.

HITS = np.ones(3, bool)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (wilson, (3, 2)),
        (wilson, (-1, 2)),
        (wilson, (0, 0)),
        (wilson, (math.nan, 2)),
        (wilson, (1, 2, 1.0)),
        (wilson, (1, 2, 95)),
        (wilson, (1, 2, 0.0)),
        (newcombe, (1, 2, 3, 2)),
        (newcombe, (1, 2, 1, 2, math.nan)),
        (better_than_chance, (3, 2, 0.1)),
        (better_than_chance, (1, 2, 10)),
        (better_than_chance, (1, 2, -0.1)),
        (has_learnt, (np.ones((2, 3), int),)),
        (has_learnt, (np.zeros((2, 2), int),)),
        (better_than_relabelled, (np.array([[-1, 3], [1, 1]]),)),
        (better_than_relabelled, (np.ones(4, int),)),
        (mcnemar, (-1, 2)),
        (paired_bootstrap, (HITS, HITS[:2])),
        (paired_bootstrap, (HITS[:0], HITS[:0])),
        (paired_bootstrap, (HITS[:, None], HITS[:, None])),
        (paired_bootstrap, (HITS.astype(int), HITS)),
        (paired_bootstrap, (HITS, HITS, 0, 0)),
        (paired_bootstrap, (HITS, HITS, 0, 10, 1.5)),
        (holm, ([0.5, 1.5],)),
        (holm, ([math.nan],)),
        (over_seeds, ([],)),
        (over_seeds, ([1.0, 2.0], 0.0)),
    ],
)
def test_bad_arguments_are_refused_in_one_line(function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        function(*arguments)


def test_a_share_is_no_count() -> None:
    with pytest.raises(TypeError):
        wilson(0.58, 100)  # type: ignore[arg-type]
    assert wilson(np.int64(58), np.int64(100)) == wilson(58, 100)  # type: ignore[arg-type]


def test_the_public_names() -> None:
    own = {name for name, value in vars(statistics).items() if getattr(value, "__module__", "") == statistics.__name__}
    assert sorted(statistics.__all__) == sorted({name for name in own if name[0] != "_"} | {"CHANCE_LEVEL"})
