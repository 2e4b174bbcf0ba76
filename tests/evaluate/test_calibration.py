"""Proper scores equal scikit-learn's, bins are what they say, and the calibration error is read beside its bias."""

import math
from collections.abc import Callable
from dataclasses import astuple
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics

from byhand.evaluate import calibration as module
from byhand.evaluate.calibration import (
    Bin,
    CalibrationError,
    brier,
    calibration,
    expected_calibration_error,
    log_loss,
    reliability,
)
from byhand.evaluate.statistics import wilson

Probs = NDArray[np.float64]
Labels = NDArray[np.int64]


def softmax(logits: NDArray[np.float64]) -> Probs:
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def simulated(n: int, seed: int, sharpen: float = 1.0) -> tuple[Probs, Labels]:
    """A model whose logits are the true ones times ``sharpen``: calibrated at 1, too sure of itself above."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(n, 10))
    labels = (softmax(logits).cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    return softmax(sharpen * logits), np.minimum(labels, 9)


def two_classes(confidences: list[float], hits: list[bool]) -> tuple[Probs, Labels]:
    return np.array([[p, 1 - p] for p in confidences]), np.array([0 if hit else 1 for hit in hits])


# The scores.


@settings(max_examples=100, deadline=None)
@given(st.integers(2, 40), st.integers(2, 6), st.integers(0, 2**32))
def test_log_loss_and_brier_equal_scikit_learns(n: int, c: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    probs, labels = softmax(3 * rng.normal(size=(n, c))), rng.integers(c, size=n)
    assert log_loss(probs, labels) == pytest.approx(metrics.log_loss(labels, probs, labels=range(c)), rel=1e-12)
    expected = metrics.mean_squared_error(np.eye(c)[labels], probs) * c
    assert brier(probs, labels) == pytest.approx(expected, rel=1e-12)
    if c == 2:
        halved = metrics.brier_score_loss(labels, probs[:, 1], labels=[0, 1])
        assert brier(probs, labels) == pytest.approx(2 * halved, rel=1e-12)


def test_the_scores_of_an_ignorant_a_perfect_and_a_perfectly_wrong_model() -> None:
    labels = np.arange(10)
    uniform, right = np.full((10, 10), 0.1), np.eye(10)
    assert log_loss(uniform, labels) == pytest.approx(math.log(10), rel=1e-15)
    assert brier(uniform, labels) == pytest.approx(0.9, rel=1e-15)
    assert (str(log_loss(right, labels)), brier(right, labels)) == ("0.0", 0)
    assert (log_loss(right, labels[::-1]), brier(right, labels[::-1])) == (math.inf, 2)


def test_one_label_of_probability_zero_costs_infinity() -> None:
    probs, labels = two_classes([1.0] * 1000, [True] * 999 + [False])
    assert log_loss(probs, labels) == calibration(probs, labels).log_loss == math.inf


def test_float32_is_scored_in_float64() -> None:
    probs, labels = simulated(2000, seed=0)
    narrow = probs.astype(np.float32)
    assert log_loss(narrow, labels) == pytest.approx(log_loss(probs, labels), rel=1e-7)
    assert brier(narrow, labels) == pytest.approx(brier(probs, labels), rel=1e-6)
    above = np.array([[1 + 1e-7, 0]], np.float32)
    assert log_loss(above, np.array([0])) == 0
    assert reliability(above, np.array([0]))[0].confidence == 1


# The bins.


def test_the_bins_of_a_made_up_model() -> None:
    probs, labels = two_classes([0.9, 0.6, 0.8, 0.7], [True, False, False, True])
    assert reliability(probs, labels, bins=2) == [
        Bin(pytest.approx(0.65), wilson(1, 2), 2),
        Bin(pytest.approx(0.85), wilson(1, 2), 2),
    ]
    error = expected_calibration_error(probs, labels, bins=2)
    assert error.value == pytest.approx((0.15 + 0.35) / 2)
    assert expected_calibration_error(probs, labels, bins=1).value == pytest.approx(0.25)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([0.5, 0.6, 0.7, 0.8, 0.9, 1.0]) | st.floats(0.5, 1), min_size=1), st.integers(1, 20))
def test_bins_hold_every_row_once_and_never_split_equal_confidences(confidences: list[float], bins: int) -> None:
    probs, labels = two_classes(confidences, [i % 3 > 0 for i in range(len(confidences))])
    found = reliability(probs, labels, bins)
    assert sum(b.count for b in found) == len(confidences)
    assert sum(b.confidence * b.count for b in found) == pytest.approx(sum(confidences), rel=1e-12)
    hits = (probs.argmax(axis=1) == labels).sum()
    assert sum(b.accuracy.value * b.count for b in found) == pytest.approx(hits, rel=1e-12)
    assert 1 <= len(found) <= bins
    ends = np.cumsum([0, *(b.count for b in found)])
    ordered = sorted(confidences)
    assert all(ordered[end - 1] < ordered[end] for end in ends[1:-1])
    assert all(b.accuracy.n == b.count for b in found)
    if len(set(confidences)) == len(confidences) >= bins:
        assert {b.count for b in found} <= {len(confidences) // bins, math.ceil(len(confidences) / bins)}


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 200))
def test_nothing_depends_on_the_order_of_the_rows_or_of_the_classes(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    probs, labels = simulated(n, seed)
    rows, classes = rng.permutation(n), rng.permutation(10)
    one = expected_calibration_error(probs, labels, resamples=2)
    two = expected_calibration_error(probs[rows][:, classes], np.argsort(classes)[labels[rows]], resamples=2)
    assert astuple(one) == pytest.approx(astuple(two), rel=1e-12, abs=1e-15)


# The calibration error.


def test_the_error_is_the_bins_weighted_by_their_counts() -> None:
    probs, labels = simulated(1000, seed=1, sharpen=2)
    found = reliability(probs, labels)
    expected = sum(b.count * abs(b.accuracy.value - b.confidence) for b in found) / 1000
    assert expected_calibration_error(probs, labels, resamples=1).value == pytest.approx(expected, rel=1e-12)


def test_a_calibrated_model_shows_the_error_that_chance_makes() -> None:
    errors = [expected_calibration_error(*simulated(500, seed), resamples=50) for seed in range(100)]
    measured = np.mean([error.value for error in errors])
    assert measured == pytest.approx(np.mean([error.by_chance for error in errors]), rel=0.05)
    assert measured > 0.03  # though the model has none at all
    assert sum(error.low == 0 for error in errors) >= 92


@pytest.mark.parametrize("sharpen", [0.5, 2.0])
def test_a_model_too_sure_or_not_sure_enough_lies_far_above_chance(sharpen: float) -> None:
    found = calibration(*simulated(2000, seed=2, sharpen=sharpen))
    assert found.ece > found.ece_low > 3 * found.ece_by_chance
    gaps = [b.accuracy.value - b.confidence for b in found.bins[1:-1]]
    assert all(gap > 0 for gap in gaps) if sharpen < 1 else all(gap < 0 for gap in gaps)


def test_the_interval_is_the_mirror_image_of_a_plain_bootstraps() -> None:
    probs, labels = simulated(1000, seed=4, sharpen=1.2)
    error = expected_calibration_error(probs, labels, resamples=2000)
    rng = np.random.default_rng(5)
    drawn = [rng.integers(1000, size=1000) for _ in range(500)]
    again = [expected_calibration_error(probs[rows], labels[rows], resamples=1).value for rows in drawn]
    low, high = np.quantile(again, [0.025, 0.975])
    assert high - error.value > 2 * (error.value - low)  # the bias that resampling adds
    assert (error.low, error.high) == pytest.approx((2 * error.value - high, 2 * error.value - low), abs=0.004)


def covered(n: int, sharpen: float, cases: int) -> float:
    """The share of simulated data sets whose interval holds the error of the same model on 200,000 rows."""
    probs, labels = simulated(200_000, seed=10**6, sharpen=sharpen)
    true = 0.0 if sharpen == 1 else expected_calibration_error(probs, labels, resamples=1).value
    errors = [expected_calibration_error(*simulated(n, seed, sharpen), resamples=100) for seed in range(cases)]
    return float(np.mean([error.low <= true <= error.high for error in errors]))


@pytest.mark.parametrize("sharpen", [1.0, 1.5])
def test_the_interval_holds_the_error_of_many_rows(sharpen: float) -> None:
    assert covered(1000, sharpen, cases=100) > 0.82


@pytest.mark.full
@pytest.mark.parametrize("sharpen", [0.7, 1.0, 1.1, 1.25, 1.5, 2.0])
@pytest.mark.parametrize("n", [100, 1000, 10_000])
def test_the_interval_holds_the_error_of_many_rows_whatever_the_model(n: int, sharpen: float) -> None:
    assert covered(n, sharpen, cases=100 if n > 1000 else 300) > 0.78


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 60), st.floats(0.1, 5), st.integers(0, 2**32))
def test_the_interval_holds_the_estimate(n: int, sharpen: float, seed: int) -> None:
    error = expected_calibration_error(*simulated(n, seed, sharpen), resamples=20)
    assert 0 <= error.low <= error.value <= error.high
    assert 0 <= error.by_chance <= 1


def test_a_model_that_is_always_sure_and_right() -> None:
    probs, labels = np.eye(10), np.arange(10)
    assert expected_calibration_error(probs, labels) == CalibrationError(0, 0, 0, 0)
    assert reliability(probs, labels) == [Bin(1, wilson(10, 10), 10)]


def test_the_same_seed_gives_the_same_answer_and_the_data_stay_as_they_were() -> None:
    probs, labels = simulated(300, seed=3, sharpen=2)
    before = probs.copy()
    found = calibration(probs, labels)
    assert found == calibration(probs, labels, seed=0)
    assert found.ece_by_chance != calibration(probs, labels, seed=1).ece_by_chance
    assert np.array_equal(probs, before)
    error = expected_calibration_error(probs, labels)
    assert (found.ece, found.ece_low, found.ece_high, found.ece_by_chance) == astuple(error)
    assert (found.log_loss, found.brier) == (log_loss(probs, labels), brier(probs, labels))
    assert found.bins == reliability(probs, labels)


# What is refused.

PROBS, LABELS = np.full((3, 4), 0.25), np.array([0, 1, 3])


@pytest.mark.parametrize("function", [log_loss, brier, reliability, expected_calibration_error, calibration])
@pytest.mark.parametrize(
    ("probs", "labels", "message"),
    [
        (PROBS[0], LABELS, "are needed"),
        (PROBS[:0], LABELS[:0], "are needed"),
        (PROBS, LABELS[:2], "are needed"),
        (PROBS, LABELS[:, None], "are needed"),
        (PROBS, LABELS.astype(float), "are needed"),
        (PROBS * 4, LABELS, "apply softmax"),
        (PROBS - np.array([[0.5, -0.5, 0, 0]]), LABELS, "apply softmax"),
        (np.full((3, 4), math.nan), LABELS, "apply softmax"),
        (PROBS, LABELS + 1, "between 0 and 3, not 1 to 4"),
        (PROBS, LABELS - 1, "between 0 and 3, not -1 to 2"),
    ],
)
def test_what_is_not_probabilities_and_labels_is_refused_in_one_line(
    function: Callable[..., Any], probs: Probs, labels: Labels, message: str
) -> None:
    with pytest.raises(ValueError, match=f"^[^\n]*{message}[^\n]*$"):
        function(probs, labels)


def test_no_bin_and_no_resample_are_refused() -> None:
    with pytest.raises(ValueError, match="bins must be at least 1"):
        reliability(PROBS, LABELS, bins=0)
    with pytest.raises(ValueError, match="resamples must be at least 1"):
        expected_calibration_error(PROBS, LABELS, resamples=0)


def test_the_public_names() -> None:
    own = {name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__}
    assert sorted(module.__all__) == sorted(name for name in own if name[0] != "_")
