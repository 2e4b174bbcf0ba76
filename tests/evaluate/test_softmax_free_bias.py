"""Softmax regression of numbers with a free bias: the certificate against a bound from the other side, the dual."""

import math
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import minimize

from byhand.evaluate import softmax_metric
from byhand.evaluate.softmax_bias import best_bias
from byhand.evaluate.softmax_numbers import Numbers
from byhand.evaluate.softmax_regression import Solution, solve
from byhand.evaluate.softmax_rows import Pixels, Rows
from byhand.evaluate.softmax_sparse import SparseNumbers

Array = NDArray[np.float64]
KINDS = ["noise", "unequal columns", "far from zero", "rare class", "separable", "constant column", "wide", "sparse"]
seeds = st.integers(0, 10**6)


@final
@dataclass(frozen=True)
class Problem:
    """Rows that count something, and what float64 makes of weights on them."""

    x: Any  # (N, P), an array or a SciPy matrix
    labels: NDArray[np.int64]
    counts: Array | None
    classes: int
    l2: float

    @property
    def dense(self) -> Array:
        x = self.x.toarray() if sparse.issparse(self.x) else self.x
        return np.asarray(x, dtype=np.float64)

    @property
    def share(self) -> Array:
        """(N,) s_i / Σs."""
        counts = np.ones(len(self.labels)) if self.counts is None else self.counts
        return counts / counts.sum()

    @property
    def truth(self) -> Array:
        return np.eye(self.classes)[self.labels]

    def rows(self) -> Rows:
        counts = None if self.counts is None else torch.as_tensor(self.counts)
        return SparseNumbers(self.x, counts) if sparse.issparse(self.x) else Numbers(torch.as_tensor(self.x), counts)

    def solve(self, gap: float, start: Array | None = None) -> Solution:
        counts = None if self.counts is None else torch.as_tensor(self.counts)
        first = None if start is None else torch.as_tensor(start)
        return solve(self.rows(), torch.as_tensor(self.labels), self.classes, self.l2, gap, first, counts)

    def value(self, weight: Array) -> tuple[float, float, Array, Array]:
        """The loss, P, ∂P/∂(W, b) (C, P + 1), and the probabilities (N, C)."""
        logits = self.dense @ weight[:, :-1].T + weight[:, -1]
        top = logits.max(axis=1, keepdims=True)
        log_p = logits - top - np.log(np.exp(logits - top).sum(axis=1, keepdims=True))
        loss = -(self.share[:, None] * log_p * self.truth).sum()
        error = (np.exp(log_p) - self.truth) * self.share[:, None]
        own = weight * [self.l2] * np.append(np.ones(self.dense.shape[1]), 0)
        gradient = np.hstack([error.T @ self.dense, error.sum(axis=0)[:, None]]) + own
        return loss, loss + self.l2 / 2 * (weight[:, :-1] ** 2).sum(), gradient, np.exp(log_p)

    def dual(self, probs: Array) -> float:
        """A number that no P is below: the dual at probabilities α with the right share of each class.

        D(α) = Σ s_i H(α_i) − ‖Σ s_i (α_i − truth_i) x_iᵀ‖² / (2λ), for any such α. Those of a point at which the bias
        is nearly right are made so by mixing in a little of one distribution for all rows.
        """
        excess = (self.share[:, None] * (probs - self.truth)).sum(axis=0)  # (C,)
        shares = (self.share[:, None] * self.truth).sum(axis=0)
        part = min(0.5, 2 * float(np.abs(excess / shares).max()))
        if part > 0:
            probs = (1 - part) * probs + part * (shares - (1 - part) / part * excess)
        entropy = -(self.share[:, None] * np.where(probs > 0, probs * np.log(probs.clip(1e-300)), 0)).sum()
        pull = ((probs - self.truth) * self.share[:, None]).T @ (self.dense - self.share @ self.dense)
        return float(entropy - (pull**2).sum() / (2 * self.l2))


def problem(seed: int, kind: str | None = None) -> Problem:
    rng = np.random.default_rng(seed)
    kind = kind or KINDS[seed % len(KINDS)]
    n, columns, classes = (int(rng.integers(*ends)) for ends in ((12, 251), (1, 25), (2, 9)))
    x, labels = rng.normal(size=(n, columns)), rng.integers(0, classes, n)
    if kind == "unequal columns":
        x *= 10 ** rng.uniform(-4, 4, columns)
    elif kind == "far from zero":
        x += 10 ** rng.uniform(0, 4)
    elif kind == "rare class":
        labels[rng.random(n) < 0.95] = 0
    elif kind == "separable":
        x += 5 * rng.normal(size=(classes, columns))[labels]
    elif kind == "constant column":
        x[:, ::2] = rng.normal()
    elif kind == "wide":
        x = rng.normal(size=(n, 3 * n))
    labels[:classes] = np.arange(classes)  # every class has a row
    l2 = float(10 ** rng.uniform(-5, 0))
    counts = rng.uniform(0.01, 3, n) if seed % 3 else None
    if kind == "sparse":
        return Problem(sparse.csr_array(x * (rng.random(x.shape) < 0.2)), labels, counts, classes, l2)
    return Problem(x.astype(np.float32) if seed % 5 == 0 else x, labels, counts, classes, l2)


def hold_certificates(numbers: range) -> None:
    for seed in numbers:
        one = problem(seed)
        asked = 10 ** np.random.default_rng(seed).uniform(-12, -1)
        found = one.solve(asked)
        loss, objective, gradient, probs = one.value(found.weight.numpy())
        assert found.weight.shape == (one.classes, one.dense.shape[1] + 1), seed
        assert (found.loss, found.objective) == pytest.approx((loss, objective), rel=1e-9, abs=1e-12), seed
        assert found.gap <= asked, seed
        assert np.abs(gradient[:, -1]).max() < 1e-9, seed  # the bias is exact
        true = objective - one.dual(probs)  # at least what P is above its minimum
        assert found.gap == pytest.approx(true, rel=1e-3, abs=2e-9), seed


def test_the_claimed_gap_is_the_duality_gap() -> None:
    hold_certificates(range(50))


@pytest.mark.full
def test_the_claimed_gap_is_the_duality_gap_on_five_hundred_problems() -> None:
    hold_certificates(range(50, 550))


@settings(max_examples=25, deadline=None)
@given(seeds, st.floats(-2, 1))
def test_any_weights_are_given_their_best_bias_and_their_gap(seed: int, magnitude: float) -> None:
    one = problem(seed, "noise")
    start = np.random.default_rng(seed).normal(0, 10**magnitude, (one.classes, one.dense.shape[1] + 1))
    start -= start.mean(axis=0)
    at = one.solve(1e300, start)  # a gap so large that no step is taken
    weight = at.weight.numpy()
    assert weight[:, :-1] == pytest.approx(start[:, :-1], rel=1e-9, abs=1e-9)
    _, objective, gradient, probs = one.value(weight)
    assert np.abs(gradient[:, -1]).max() < 1e-12
    assert at.gap == pytest.approx(objective - one.dual(probs), rel=1e-6, abs=1e-9)
    assert at.course == ()


@pytest.mark.parametrize("kind", KINDS)
def test_the_optimum_is_scipys(kind: str) -> None:
    one = problem(KINDS.index(kind) + 16, kind)
    shape = one.classes, one.dense.shape[1] + 1
    spread = one.dense.std(axis=0)
    scale = np.append(np.where(spread > 1e-9, spread, 1), 1)  # SciPy needs columns of one size

    def evaluate(flat: Array) -> tuple[float, Array]:
        _, objective, gradient, _ = one.value(flat.reshape(shape) / scale)
        return objective, (gradient / scale).ravel()

    options = {"gtol": 1e-10, "ftol": 1e-16, "maxiter": 5000, "maxfun": 5000, "maxcor": 60}
    reference = minimize(evaluate, np.zeros(shape).ravel(), jac=True, method="L-BFGS-B", options=options)
    assert one.solve(1e-12).objective <= reference.fun + 1e-12
    assert one.solve(1e-12).objective == pytest.approx(reference.fun, rel=1e-6)


@settings(max_examples=15, deadline=None)
@given(seeds)
def test_a_row_that_counts_three_is_the_row_three_times(seed: int) -> None:
    one = problem(seed, "noise")
    times = np.random.default_rng(seed).integers(1, 4, len(one.labels))
    weighted = Problem(one.x, one.labels, times.astype(float), one.classes, one.l2).solve(1e-18)
    repeated = Problem(one.x.repeat(times, axis=0), one.labels.repeat(times), None, one.classes, one.l2).solve(1e-18)
    assert weighted.weight.numpy() == pytest.approx(repeated.weight.numpy(), abs=4 * math.sqrt(2e-18 / one.l2) + 1e-9)


@settings(max_examples=15, deadline=None)
@given(seeds, st.floats(-6, 6), st.floats(-1e3, 1e3))
def test_moving_the_columns_moves_the_bias_alone(seed: int, power: float, shift: float) -> None:
    one = problem(seed, "noise")
    moved = Problem(one.x.astype(float) + shift, one.labels, one.counts, one.classes, one.l2).solve(1e-15)
    found = Problem(one.x.astype(float), one.labels, one.counts, one.classes, one.l2).solve(1e-15)
    size = 10 ** (power / 6)
    scaled = Problem(one.x.astype(float) * size, one.labels, one.counts, one.classes, one.l2 * size**2).solve(1e-15)
    near = 4 * math.sqrt(2e-15 / one.l2) + 1e-8
    assert moved.weight.numpy()[:, :-1] == pytest.approx(found.weight.numpy()[:, :-1], abs=near)
    assert scaled.weight.numpy()[:, :-1] * size == pytest.approx(found.weight.numpy()[:, :-1], abs=near * max(1, size))
    assert moved.objective == pytest.approx(found.objective, abs=1e-12)
    assert scaled.objective == pytest.approx(found.objective, abs=1e-12)


@pytest.mark.parametrize("kind", ["noise", "unequal columns", "sparse", "wide"])
def test_too_many_columns_for_whole_matrices_reach_the_same_optimum(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one = problem(3, kind)
    whole = one.solve(1e-10)
    monkeypatch.setattr(softmax_metric, "_LARGEST", 1)
    found = one.solve(1e-10)
    assert found.gap <= 1e-10
    assert found.objective == pytest.approx(whole.objective, abs=2e-10)


def test_sparse_rows_are_never_made_dense(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(softmax_metric, "_LARGEST", 1)
    rng = np.random.default_rng(0)
    x = sparse.random_array((500, 200_000), density=1e-4, rng=rng, format="csr")
    monkeypatch.setattr(type(x), "toarray", lambda self: pytest.fail("made dense"))
    found = solve(SparseNumbers(x), torch.as_tensor(rng.integers(0, 3, 500)), 3, 1e-2, 1e-8)
    assert found.gap <= 1e-8


def test_a_class_without_a_row_has_no_best_bias_and_is_refused() -> None:
    for rows in (Numbers(torch.randn(5, 2)), SparseNumbers(sparse.csr_array(np.eye(5)))):
        with pytest.raises(ValueError, match="a class has no rows"):
            solve(rows, torch.zeros(5, dtype=torch.int64), 2, 1.0)


@settings(max_examples=60, deadline=None)
@given(seeds, st.floats(-3, 3))
def test_the_best_bias_gives_each_class_its_share(seed: int, magnitude: float) -> None:
    rng = np.random.default_rng(seed)
    n, classes = int(rng.integers(2, 100)), int(rng.integers(2, 12))
    scores = torch.as_tensor(rng.normal(0, 10**magnitude, (classes, max(n, classes))))
    labels = torch.as_tensor(np.append(np.arange(classes), rng.integers(0, classes, max(n - classes, 0))))
    truth = torch.nn.functional.one_hot(labels, classes).t()
    counts = torch.as_tensor(rng.uniform(0.1, 5, len(labels))) if seed % 2 else None
    bias = best_bias(scores, truth, counts)
    weights = torch.ones(len(labels), dtype=torch.float64) if counts is None else counts
    weights = weights / weights.sum()
    have = torch.softmax(scores + bias.unsqueeze(1), dim=0) @ weights
    assert have.numpy() == pytest.approx((truth.double() @ weights).numpy(), abs=1e-9)
    assert float(bias.mean()) == pytest.approx(0, abs=1e-9 * max(1.0, float(bias.abs().max())))


def test_weights_of_rows_go_in_and_come_out() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(3, 2, (40, 6))
    weight = torch.as_tensor(rng.normal(size=(3, 7)))
    pixels = torch.as_tensor(rng.integers(0, 256, (40, 7)), dtype=torch.uint8)
    for rows in (Numbers(torch.as_tensor(x)), SparseNumbers(sparse.csr_array(x)), Pixels(pixels)):
        assert rows.outer(rows.inner(weight)).numpy() == pytest.approx(weight.numpy(), rel=1e-12)
    rows = Numbers(torch.as_tensor(x))
    scores = torch.cat([block.scores(rows.inner(weight)) for _, block in rows.blocks(torch.float64)], dim=1)
    assert scores.t().numpy() == pytest.approx(x @ weight[:, :-1].numpy().T + weight[:, -1].numpy(), rel=1e-12)
