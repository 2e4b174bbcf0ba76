"""The curve over training-set size: the fit against SciPy's, the parts, the deadline, the interval by simulation."""

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import curve_fit

from byhand.data.dataset import Dataset, Part
from byhand.data.load import load
from byhand.evaluate import learning_curve as module
from byhand.evaluate.learning_curve import fit_power_law, learning_curve
from byhand.evaluate.results import Curve

SIZES = np.array([100, 200, 400, 800, 1600])
Hits = NDArray[np.bool_]


def power(n: NDArray[np.int64] | float, a: float, b: float, c: float) -> NDArray[np.float64]:
    return a + b * np.asarray(n, np.float64) ** -c


@pytest.mark.parametrize(("a", "b"), [(0.0, 1.0), (0.05, 2.0), (0.2, 0.5), (0.1, 0.0)])
def test_a_curve_without_noise_is_recovered(a: float, b: float) -> None:
    for c in module._EXPONENTS[[0, 10, 20, 50, 79]]:
        found = fit_power_law(SIZES, power(SIZES, a, b, c))
        if b:
            np.testing.assert_allclose(found, [a, b, c], rtol=1e-6, atol=1e-8)
        else:
            np.testing.assert_allclose(found[:2], [a, 0], atol=1e-8)


@given(st.floats(0, 0.3), st.floats(0.1, 3), st.floats(0.05, 2))
def test_between_the_exponents_it_foretells_as_well(a: float, b: float, c: float) -> None:
    found = fit_power_law(SIZES, power(SIZES, a, b, c))
    assert abs(float(power(3200, *found) - power(3200, a, b, c))) < 2e-3 * b
    assert found[0] >= 0
    assert found[1] >= 0


@pytest.mark.parametrize("seed", range(8))
def test_a_noisy_curve_is_fitted_as_by_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b, c = rng.uniform(0.02, 0.1), rng.uniform(1, 4), rng.uniform(0.4, 1.0)
    error = power(SIZES, a, b, c) + rng.normal(0, 0.004, len(SIZES))
    ours = fit_power_law(SIZES, error)
    best = min(
        (
            curve_fit(power, SIZES, error, p0, bounds=([0, 0, 0.05], [1, 1e6, 2.0]), max_nfev=20_000)[0]
            for p0 in ([0.05, 2.0, 0.7], [0.0, 1.0, 0.3], [0.1, 10.0, 1.2])
        ),
        key=lambda fit: float(np.square(power(SIZES, *fit) - error).sum()),
    )
    off = [float(np.square(power(SIZES, *fit) - error).sum()) for fit in (ours, best)]
    assert off[0] <= off[1] * 1.02 + 1e-8  # a grid of exponents costs next to nothing
    assert float(power(3200, *ours)) == pytest.approx(float(power(3200, *best)), abs=2e-3)


@given(st.lists(st.floats(0, 1), min_size=5, max_size=5), st.lists(st.floats(0, 1), min_size=5, max_size=5))
def test_rows_are_fitted_by_themselves_and_never_below_zero(one: list[float], other: list[float]) -> None:
    rows = np.array([one, other])
    together = fit_power_law(SIZES, rows)
    np.testing.assert_allclose(together, [fit_power_law(SIZES, row) for row in rows], rtol=1e-6, atol=1e-9)
    assert (together[:, :2] >= 0).all()
    assert ((together[:, 2] >= 0.05) & (together[:, 2] <= 2)).all()


def test_an_error_that_grows_is_fitted_by_its_mean() -> None:
    assert fit_power_law(SIZES, np.array([0.1, 0.2, 0.3, 0.4, 0.5]))[:2].tolist() == pytest.approx([0.3, 0])


# The parts and the deadline, with a function that trains nothing.


@pytest.fixture
def seen() -> list[Dataset]:
    return []


@pytest.fixture
def trainer(seen: list[Dataset]) -> Callable[[Dataset], Hits]:
    """Keeps what it is given; more images, more hits."""

    def train(data: Dataset) -> Hits:
        seen.append(data)
        return np.arange(359) < 359 * float(1 - power(len(data.train), 0.05, 2.0, 0.7))

    return train


def test_the_parts_are_nested_and_stratified(seen: list[Dataset], trainer: Callable[[Dataset], Hits]) -> None:
    data = load("digits")
    assert learning_curve(data, np.arange(359) < 330, trainer) is not None
    assert [len(one.train) for one in seen] == [81, 162, 324, 647]
    shares = np.bincount(data.train.labels) / len(data.train)
    before: set[bytes] = set()
    for one in seen:
        assert (one.valid, one.test) == (data.valid, data.test)
        counts = np.bincount(one.train.labels, minlength=10)
        assert (np.abs(counts - shares * len(one.train)) < 1).all()
        images = {image.tobytes() for image in one.train.images}
        assert before < images
        before = images
        own = {image.tobytes(): label for image, label in zip(data.train.images, data.train.labels, strict=True)}
        pairs = zip(one.train.images, one.train.labels, strict=True)
        assert all(own[image.tobytes()] == label for image, label in pairs)


def test_the_points_are_what_was_measured_and_the_miss_has_the_right_sign(
    trainer: Callable[[Dataset], Hits],
) -> None:
    data = load("digits")
    for right, sign in ((359, 1), (200, -1)):  # better than foretold: too much error was foretold; and worse
        hits = np.arange(359) < right
        found = learning_curve(data, hits, trainer)
        assert found is not None
        assert [point.n for point in found.points] == [81, 162, 324, 647, 1294]
        assert found.points[-1].accuracy.value == right / 359
        measured = np.array([1 - point.accuracy.value for point in found.points])
        foretold = power(1294, *fit_power_law(np.array([81, 162, 324, 647]), measured[:-1]))
        assert found.miss == pytest.approx(float(foretold) - (1 - right / 359), abs=1e-12)
        assert np.sign(found.miss) == sign
        assert found.twice.value == pytest.approx(float(power(2588, found.a, found.b, found.c)), abs=1e-12)
        assert found.twice.low <= found.twice.high


def test_the_same_question_gets_the_same_answer(trainer: Callable[[Dataset], Hits]) -> None:
    data, hits = load("digits"), np.arange(359) < 330
    assert learning_curve(data, hits, trainer) == learning_curve(data, hits, trainer)


@pytest.mark.parametrize(
    ("deadline", "runs"),
    [(0.0, 1), (1.9, 1), (2.0, 2), (8.9, 2), (9.0, 3), (24.9, 3), (25.0, 4), (1e9, 4)],
    ids=str,
)
def test_no_repetition_that_would_end_after_the_deadline_is_begun(
    monkeypatch: pytest.MonkeyPatch,
    seen: list[Dataset],
    trainer: Callable[[Dataset], Hits],
    deadline: float,
    runs: int,
) -> None:
    clock = 0.0

    def train(data: Dataset) -> Hits:
        nonlocal clock
        clock += (1.0, 4.0, 10.0, 15.0)[len(seen)]
        return trainer(data)

    monkeypatch.setattr(time, "monotonic", lambda: clock)
    found = learning_curve(load("digits"), np.arange(359) < 330, train, deadline)
    # Each is taken to last as long as the slowest so far: 1, 4 and 10 seconds, begun at 1, 5 and 15.
    assert len(seen) == runs
    assert (found is None) is (runs < 3)


def test_a_class_needs_two_images_in_the_smallest_part(seen: list[Dataset], trainer: Callable[[Dataset], Hits]) -> None:
    data = load("digits")
    few = np.arange(300)
    part = Part(data.train.images[few], data.train.labels[few], data.classes, "h")
    found = learning_curve(replace(data, train=part), np.arange(359) < 330, trainer)
    assert [len(one.train) for one in seen] == [38, 75, 150]  # 19 would be less than two of each class
    assert found is not None
    assert (
        learning_curve(
            replace(data, train=Part(part.images[:150], part.labels[:150], data.classes, "h")),
            np.arange(359) < 330,
            trainer,
        )
        is None
    )


# The interval.


def simulated(seed: int, a: float, b: float, c: float, n: int = 1000) -> Curve:
    """The curve of models whose expected error is known, judged on the same ``n`` images, some harder than others."""
    rng = np.random.default_rng(seed)
    labels = np.arange(6400) % 2
    part = Part(np.zeros((6400, 1, 1), np.uint8), labels, ("a", "b"), "h")
    data = Dataset("s", part, part, part, ("a", "b"), "h")
    easy = rng.random(n)  # mostly it is the image that decides whether a model mistakes it, else the model's own luck

    def train(data: Dataset) -> Hits:
        luck = np.where(rng.random(n) < 0.7, easy, rng.random(n))
        return luck >= float(power(len(data.train), a, b, c))

    found = learning_curve(data, train(data), train)
    assert found is not None
    return found


def held(a: float, b: float, c: float, repetitions: int) -> float:
    """In which share of the repetitions the interval holds the true error of twice as many images."""
    truth = float(power(12_800, a, b, c))
    found = [simulated(seed, a, b, c) for seed in range(repetitions)]
    assert abs(float(np.mean([one.twice.value for one in found])) - truth) < 0.01
    assert np.mean([one.twice.high - one.twice.low for one in found]) < 0.08  # it does not hold it by saying nothing
    return sum(one.twice.low <= truth <= one.twice.high for one in found) / repetitions


def test_the_interval_holds_the_true_error_mostly() -> None:
    assert held(0.0, 20.0, 0.7, 40) >= 0.85  # so steep that the error of as many images is far outside


@pytest.mark.full
@pytest.mark.parametrize(("a", "b", "c"), [(0.05, 3.0, 0.6), (0.0, 2.0, 0.4), (0.15, 5.0, 1.0)])
def test_the_interval_holds_the_true_error_mostly_on_other_curves_too(a: float, b: float, c: float) -> None:
    assert held(a, b, c, 300) >= 0.88
