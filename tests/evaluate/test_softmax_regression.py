"""The certificate holds on random problems, and the optimum is Newton's own and scikit-learn's."""

import math
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from byhand.evaluate.softmax_regression import Solution, rows_of, solve

Array = NDArray[np.float64]
KINDS = ["noise", "separable", "rare class", "absent class", "constant pixels", "rows twice", "all zero", "sparse"]
ROUNDING = 1e-14  # nats, of an objective in float64
seeds = st.integers(0, 10**6)


@final
@dataclass(frozen=True)
class Problem:
    """Rows to learn from, and what the reference makes of them in float64."""

    images: NDArray[np.uint8]  # (N, P)
    labels: NDArray[np.int64]  # (N,)
    classes: int
    l2: float

    @property
    def x(self) -> Array:
        return np.hstack([self.images / 255, np.ones((len(self.images), 1))])  # (N, P + 1)

    @property
    def truth(self) -> Array:
        return np.eye(self.classes)[self.labels]  # (N, C)

    def solve(self, gap: float, start: Tensor | None = None) -> Solution:
        rows = rows_of(torch.as_tensor(self.images))
        return solve(rows, torch.as_tensor(self.labels), self.classes, self.l2, gap, start)

    def value(self, weight: Array) -> tuple[float, float, Array, Array]:
        """The loss, P, ∇P (C, P + 1) and the probabilities (N, C)."""
        logits = self.x @ weight.T  # (N, C)
        top = logits.max(axis=1, keepdims=True)
        log_p = logits - top - np.log(np.exp(logits - top).sum(axis=1, keepdims=True))
        loss = -(log_p * self.truth).sum() / len(self.x)
        gradient = (np.exp(log_p) - self.truth).T @ self.x / len(self.x) + self.l2 * weight
        return loss, loss + self.l2 / 2 * (weight**2).sum(), gradient, np.exp(log_p)

    def optimum(self) -> float:
        """The smallest P, by Newton's method with the whole Hessian, halving steps; one more would gain 1e-20."""
        x, n, size = torch.as_tensor(self.x), len(self.x), self.images.shape[1] + 1
        weight = np.zeros((self.classes, size))
        for _ in range(200):
            _, objective, gradient, probs = self.value(weight)
            z = (torch.as_tensor(probs).unsqueeze(2) * x.unsqueeze(1)).reshape(n, -1)  # (N, C (P + 1))
            hessian = z.t() @ z / -n
            for begin in range(0, len(hessian), size):
                block = slice(begin, begin + size)
                hessian[block, block] += x.t() @ z[:, block] / n
            hessian.diagonal().add_(self.l2)
            step = torch.cholesky_solve(torch.as_tensor(-gradient).reshape(-1, 1), torch.linalg.cholesky(hessian))
            step = step.reshape(weight.shape).numpy()
            gain = -(gradient * step).sum()
            if gain < 1e-20:
                return objective
            scale = 1.0
            while self.value(weight + scale * step)[1] > objective - 1e-4 * scale * gain + 1e-15:
                scale /= 2
            weight = weight + scale * step
        raise AssertionError("the reference has not converged")


def problem(seed: int, kind: str | None = None) -> Problem:
    rng = np.random.default_rng(seed)
    kind = kind or KINDS[seed % len(KINDS)]
    n, pixels, classes = (int(rng.integers(*ends)) for ends in ((5, 301), (1, 31), (2, 13)))
    images, labels = rng.integers(0, 256, (n, pixels)), rng.integers(0, classes, n)
    if kind == "separable":
        images = (rng.integers(0, 256, (classes, pixels))[labels] + rng.normal(0, 10, (n, pixels))).clip(0, 255)
    elif kind == "rare class":
        labels[rng.random(n) < 0.97] = 0
    elif kind == "absent class":
        labels = labels.clip(max=classes // 2 - 1)
    elif kind == "constant pixels":
        images[:, ::2] = rng.integers(0, 256)
    elif kind == "rows twice":
        images[n // 2 :] = images[: n - n // 2]
    elif kind == "all zero":
        images[:] = 0
    elif kind == "sparse":
        images *= rng.random((n, pixels)) < 0.1
    return Problem(images.astype(np.uint8), labels, classes, float(10 ** rng.uniform(-6, 0)))


def digits(l2: float) -> Problem:
    data: Any = load_digits()
    return Problem((data.data * (255 / 16)).astype(np.uint8), data.target, 10, l2)


def apart(gap: float, l2: float) -> float:
    """How far from the optimum weights with this gap can lie: P is λ-strongly convex."""
    return math.sqrt(2 * gap / l2)


# The certificate.


def hold_certificates(numbers: range) -> None:
    for seed in numbers:
        one = problem(seed)
        asked = 10 ** np.random.default_rng(seed).uniform(-12, -1)
        found, best = one.solve(asked), one.optimum()
        loss, objective, gradient, _ = one.value(found.weight.numpy())
        assert (found.loss, found.objective) == pytest.approx((loss, objective), rel=1e-12, abs=1e-15), seed
        assert found.gap == pytest.approx((gradient**2).sum() / (2 * one.l2), rel=1e-5, abs=1e-18), seed
        assert -ROUNDING <= found.objective - best <= found.gap + ROUNDING, seed
        assert found.gap <= asked, seed


def test_the_claimed_gap_is_at_least_the_true_one_and_at_most_what_was_asked() -> None:
    hold_certificates(range(150))


@pytest.mark.full
def test_the_claimed_gap_is_at_least_the_true_one_on_a_thousand_problems() -> None:
    hold_certificates(range(150, 1000))


@settings(max_examples=60, deadline=None)
@given(seeds, st.floats(-3, 2))
def test_the_certificate_of_any_weights_is_their_duality_gap(seed: int, magnitude: float) -> None:
    """The dual at α = softmax(W x): mean entropy of α − ‖(1/N) Σ (α_i − truth_i) x_iᵀ‖² / (2λ)."""
    one = problem(seed)
    weight = np.random.default_rng(seed).normal(0, 10**magnitude, (one.classes, one.x.shape[1]))
    at = one.solve(1e300, torch.as_tensor(weight))  # a gap so large that no step is taken
    _, primal, _, alpha = one.value(at.weight.numpy())
    entropy = -np.where(alpha > 0, alpha * np.log(alpha.clip(1e-300)), 0).sum() / len(alpha)
    pull = (alpha - one.truth).T @ one.x / len(alpha)  # (C, P + 1)
    dual = entropy - (pull**2).sum() / (2 * one.l2)
    assert at.gap == pytest.approx(primal - dual, rel=1e-10, abs=1e-10 * max(abs(primal), abs(dual)))
    assert at.passes == 4  # one look in float32 and one in float64


@pytest.mark.parametrize("kind", ["all zero", "separable", "rows twice"])
def test_a_gap_below_rounding_ends_and_what_is_claimed_is_still_true(kind: str) -> None:
    one = problem(7, kind)
    found = one.solve(1e-300)
    assert found.gap < 1e-12
    assert abs(found.objective - one.optimum()) <= found.gap + ROUNDING


@pytest.mark.parametrize("fast", [{"avx512_bf16": True}, {"amx_bf16": True}, {}], ids=["avx512", "amx", "none"])
def test_bfloat16_products_reach_the_same_certificate(fast: dict[str, bool], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: fast, raising=False)
    one = digits(1e-3)
    found, best = one.solve(1e-9), one.optimum()
    assert found.gap <= 1e-9
    assert -ROUNDING <= found.objective - best <= found.gap + ROUNDING


def test_a_torch_that_cannot_tell_what_the_processor_does_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert digits(1e-2).solve(1e-6).gap <= 1e-6


# The optimum.


def sklearn_weight(one: Problem) -> Array:
    """Its weights (C, P + 1). With two classes it fits w to their difference and penalizes ‖w‖², twice ours."""
    two = one.classes == 2
    strength = (2 if two else 1) / (one.l2 * len(one.x))
    model = LogisticRegression(C=strength, fit_intercept=False, solver="newton-cg", tol=1e-10, max_iter=10_000)
    weight = model.fit(one.x, one.labels).coef_
    return np.vstack([-weight, weight]) / 2 if two else weight


def hold_sklearn(one: Problem) -> None:
    found, reference = one.solve(1e-13), sklearn_weight(one)
    assert found.objective == pytest.approx(one.value(reference)[1], rel=1e-8)
    assert found.weight.numpy() == pytest.approx(reference, rel=1e-4, abs=1e-4)


def test_the_optimum_is_scikit_learns_on_digits() -> None:
    hold_sklearn(digits(1e-2))


def test_the_optimum_is_scikit_learns_on_random_problems() -> None:
    some = [problem(seed) for seed in range(200)]
    whole = [one for one in some if one.l2 > 1e-4 and len(set(one.labels)) == one.classes][:30]
    assert {one.classes for one in whole} >= {2, 5, 12}
    for one in whole:
        hold_sklearn(one)


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_labels_that_the_images_say_nothing_of_leave_no_weight(classes: int) -> None:
    found = Problem(np.zeros((6 * classes, 4), np.uint8), np.arange(6 * classes) % classes, classes, 1e-3).solve(1e-12)
    assert not found.weight.any()
    assert found.loss == found.objective == pytest.approx(math.log(classes), rel=1e-15)


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_the_weights_are_centred_and_none_are_on_pixels_that_are_never_on(seed: int) -> None:
    one, gap = problem(seed, "sparse"), 1e-8
    found = one.solve(gap)
    assert found.weight.shape == (one.classes, one.x.shape[1])
    assert found.weight.dtype == torch.float64
    assert float(found.weight.mean(dim=0).norm()) * one.classes**0.5 <= apart(gap, one.l2)
    assert not found.weight[:, :-1][:, (one.images == 0).all(axis=0)].any()


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_the_mean_prediction_is_the_share_of_each_class_but_for_the_biass_penalty(seed: int) -> None:
    one, gap = problem(seed), 1e-10
    found = one.solve(gap)
    probs = one.value(found.weight.numpy())[3]  # (N, C)
    missing = (probs - one.truth).mean(axis=0) + one.l2 * found.weight[:, -1].numpy()
    assert np.linalg.norm(missing) <= math.sqrt(2 * one.l2 * gap) * 1.001


@settings(max_examples=30, deadline=None)
@given(seeds)
def test_the_order_of_rows_and_classes_and_the_start_do_not_move_the_optimum(seed: int) -> None:
    one, gap, rng = problem(seed), 1e-9, np.random.default_rng(seed)
    found = one.solve(gap)
    rows, classes = rng.permutation(len(one.labels)), rng.permutation(one.classes)
    start = torch.as_tensor(rng.normal(size=found.weight.shape))
    other = Problem(one.images[rows], classes[one.labels[rows]], one.classes, one.l2).solve(gap, start)
    assert other.objective == pytest.approx(found.objective, abs=gap + ROUNDING)
    assert float((other.weight[classes] - found.weight).norm()) <= 2 * apart(gap, one.l2)


def test_the_weights_for_a_nearby_penalty_save_passes() -> None:
    cold, near = digits(1e-3).solve(1e-6), digits(2e-3).solve(1e-6)
    warm = digits(1e-3).solve(1e-6, near.weight)
    assert warm.gap <= 1e-6
    assert warm.passes < cold.passes
    again = digits(1e-3).solve(1e-6, warm.weight)
    assert again.passes == 4  # it is looked at and left as it is
    assert again.objective == pytest.approx(warm.objective, abs=ROUNDING)


def test_two_runs_agree_to_the_bit_and_leave_the_random_state() -> None:
    one = digits(1e-3)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = one.solve(1e-8)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    second = one.solve(1e-8)
    assert torch.equal(first.weight, second.weight)
    assert (first.loss, first.objective, first.gap, first.passes) == (
        second.loss,
        second.objective,
        second.gap,
        second.passes,
    )


# What is refused, and what comes in.


@pytest.mark.parametrize(("l2", "gap"), [(0, 1e-6), (-1, 1e-6), (math.nan, 1e-6), (1, 0), (1, -1), (1, math.nan)])
def test_a_penalty_or_a_gap_that_is_not_above_zero_is_refused(l2: float, gap: float) -> None:
    with pytest.raises(ValueError, match="needs rows, l2 and gap above 0"):
        solve(rows_of(torch.zeros(2, 3, dtype=torch.uint8)), torch.tensor([0, 1]), 2, l2, gap)


def test_no_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="needs rows"):
        solve(rows_of(torch.zeros(0, 3, dtype=torch.uint8)), torch.zeros(0, dtype=torch.int64), 2, 1.0)


def test_rows_are_the_images_flat_and_a_pixel_that_is_always_on() -> None:
    images = torch.arange(24, dtype=torch.uint8).reshape(2, 3, 4)
    rows = rows_of(images)
    assert rows.dtype == torch.uint8
    assert torch.equal(rows[:, :-1], images.reshape(2, 12))
    assert rows[:, -1].tolist() == [255, 255]
