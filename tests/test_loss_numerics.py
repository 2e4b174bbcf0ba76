"""The losses keep their error bounds, with references in 200 digits or in a wider type.

The bounds are Blanchard, Higham & Higham's (IMA J. Numer. Anal. 41(4), 2021, theorem 4.3) for the shifted softmax, and
the componentwise one that follows for log-softmax. Their terms for the exponentials are taken four times, because a
vectorised exp may err by two units in the last place and not only by a half.
"""

import itertools
import math
from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.special
import torch
from torch import Tensor, tensor

from byhand import loss

UNIT = {torch.float64: 2.0**-53, torch.float32: 2.0**-24, torch.bfloat16: 2.0**-8}  # the rounding error of the result
WORK = {torch.float64: 2.0**-53, torch.float32: 2.0**-24, torch.bfloat16: 2.0**-24}  # and of the computation

ROWS: dict[str, list[float]] = {
    "equal": [1000.0, 1000.0],
    "10,000 equal": [1000.0] * 10_000,
    "one large": [1000.0, 0.0, 0.0, 0.0],
    "one small": [-1000.0, 0.0, 0.0, 0.0],
    "1e4": [1e4, -1e4, 0.0],
    "1e10": [1e10, -1e10, 1.0],
    "1e10 and 1e-10": [1e10, 1e-10],
    "a rest of e^-40": [0.0, -40.0],
    "tiny": [1e-40] * 1000,
    "four": [-25.0, 0.0, 25.0, 50.0],
    "underflow": [1.0, 325.0, 749.0, 750.0],
    "one class": [3.0],
}
TYPES = [torch.float64, torch.float32, torch.bfloat16]


def exact(x: Tensor) -> tuple[list[Any], list[Any]]:
    """Softmax and log-softmax of one row in 200 digits."""
    with mpmath.workdps(200):
        z = [mpmath.mpf(float(value)) for value in x]
        total = mpmath.fsum(mpmath.exp(value) for value in z)
        return [mpmath.exp(value) / total for value in z], [value - mpmath.log(total) for value in z]


def check_log_softmax(
    x: Tensor, log_p: Tensor, reference: np.ndarray, dtype: torch.dtype, y: np.ndarray | None = None
) -> None:
    """|error| ≤ u (|x_j - max| + |log p_j| + 4 (n-1)/e + n + 1 + ln n), and one more rounding for bfloat16.

    With y, log_p (N,) holds one entry of each row.
    """
    z, n = x.double().numpy(), x.shape[-1]
    shift = np.abs(z - z.max(axis=-1, keepdims=True))
    if y is not None:
        shift, reference = (np.take_along_axis(table, y[:, None], axis=1)[:, 0] for table in (shift, reference))
    bound = WORK[dtype] * (shift + np.abs(reference) + 4 * (n - 1) / math.e + n + 1 + math.log(n))
    if dtype is torch.bfloat16:
        bound = bound + UNIT[dtype] * np.abs(reference)
    error = np.abs(log_p.double().numpy().astype(reference.dtype) - reference)
    assert (error <= bound).all(), f"{(error / bound).max():.3f} of the bound"


def check_softmax(x: Tensor, p: Tensor, reference: np.ndarray, dtype: torch.dtype) -> None:
    """max |error| / max p ≤ u (4 (n + 2) + 2 (max - min)), and one more rounding for bfloat16."""
    z, n = x.double().numpy(), x.shape[-1]
    bound = WORK[dtype] * (4 * (n + 2) + 2 * (z.max(axis=-1) - z.min(axis=-1)))
    if dtype is torch.bfloat16:
        bound = bound + UNIT[dtype]
    error = np.abs(p.double().numpy().astype(reference.dtype) - reference).max(axis=-1) / reference.max(axis=-1)
    assert (error <= bound).all(), f"{(error / bound).max():.3f} of the bound"


@pytest.mark.parametrize("row", ROWS, ids=str)
@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_single_rows_against_200_digits(row: str, dtype: torch.dtype) -> None:
    x = tensor([ROWS[row]], dtype=dtype)
    p, log_p = (np.array([[float(value) for value in values]]) for values in exact(x[0]))
    check_softmax(x, loss.softmax(x), p, dtype)
    check_log_softmax(x, loss.log_softmax(x), log_p, dtype)
    for y in {0, x.shape[1] - 1}:
        target = tensor([y])
        expected = p.copy()
        expected[0, y] = -math.fsum(np.delete(p[0], y))
        for options in ({}, {"reduction": "sum"}):  # the short way, and the long one
            value, grad = loss.cross_entropy_with_grad(x, target, **options)
            check_log_softmax(x, -value.reshape(1), log_p, dtype, target.numpy())
            scale = UNIT[dtype] + WORK[dtype] * (4 * (len(p[0]) + 2) + 2 * float(x.max() - x.min()))
            assert np.abs(grad.double().numpy() - expected).max() <= scale * max(p.max(), 1.0)


@pytest.mark.parametrize("row", ["four", "underflow", "a rest of e^-40", "one large", "one small", "equal"])
def test_thirteen_digits_in_float64_even_where_a_probability_is_almost_1(row: str) -> None:
    x = tensor([ROWS[row]], dtype=torch.float64)
    p, log_p = (np.array([[float(value) for value in values]]) for values in exact(x[0]))
    np.testing.assert_allclose(loss.softmax(x).numpy(), p, rtol=1e-13, atol=5e-324)
    np.testing.assert_allclose(loss.log_softmax(x).numpy(), log_p, rtol=1e-13, atol=0)
    for y in range(x.shape[1]):
        assert float(loss.cross_entropy(x, tensor([y]))) == pytest.approx(-log_p[0, y], rel=1e-13, abs=0)


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_scipy_says_the_same(row: str) -> None:
    x = tensor([ROWS[row]], dtype=torch.float64)
    np.testing.assert_allclose(loss.softmax(x).numpy(), scipy.special.softmax(x.numpy(), axis=1), rtol=1e-13)
    np.testing.assert_allclose(
        loss.log_softmax(x).numpy(), scipy.special.log_softmax(x.numpy(), axis=1), rtol=1e-13, atol=1e-15
    )


def check_gradient(x: Tensor, y: Tensor, grad: Tensor, p: np.ndarray, dtype: torch.dtype) -> None:
    """p - [j = y] cancels at j = y, so the bound is softmax's with respect to 1, and one rounding of the difference."""
    z, n = x.double().numpy(), x.shape[1]
    expected = p.copy()
    expected[np.arange(len(p)), y.numpy()] -= 1
    bound = WORK[dtype] * (4 * (n + 2) + 2 * (z.max(axis=1) - z.min(axis=1)) + 2) + UNIT[dtype]
    error = np.abs(grad.double().numpy().astype(p.dtype) - expected).max(axis=1)
    assert (error <= bound).all(), f"{(error / bound).max():.3f} of the bound"


def campaign(dtype: torch.dtype, rows: int, seed: int) -> None:
    """Vectors of 10 scores in each of seven ranges, against a type with at least 11 more bits."""
    wide = np.longdouble if dtype is torch.float64 else np.float64
    if np.finfo(wide).eps > 2.0**-10 * WORK[dtype]:
        pytest.skip("this machine's long double is no wider than float64")
    generator = torch.Generator().manual_seed(seed)
    for scale in (0.1, 1.0, 10.0, 100.0, 500.0, 1e3, 1e4):
        x = ((torch.rand(rows, 10, dtype=torch.float64, generator=generator) * 2 - 1) * scale).to(dtype)
        y = torch.randint(10, (rows,), generator=generator)
        z = x.double().numpy().astype(wide)
        z = z - z.max(axis=1, keepdims=True)
        e = np.exp(z)
        total = e.sum(axis=1, keepdims=True)
        p, log_p = e / total, z - np.log(total)
        check_softmax(x, loss.softmax(x), p, dtype)
        check_log_softmax(x, loss.log_softmax(x), log_p, dtype)
        value, grad = loss.cross_entropy_with_grad(x, y, reduction="none")
        check_log_softmax(x, -value, log_p, dtype, y.numpy())
        check_gradient(x, y, grad, p, dtype)
        value, grad = loss.cross_entropy_with_grad(x.t().contiguous().t(), y)
        check_gradient(x, y, grad.to(torch.float64) * rows, p, dtype)
        mean = -np.take_along_axis(log_p, y.numpy()[:, None], 1).mean()
        assert float(value) == pytest.approx(
            float(mean), rel=max(1e-6 if dtype is not torch.float64 else 1e-14, UNIT[dtype])
        )


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_140_000_rows_stay_inside_the_bounds(dtype: torch.dtype) -> None:
    campaign(dtype, rows=20_000, seed=5)


@pytest.mark.full
@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_2_800_000_rows_stay_inside_the_bounds(dtype: torch.dtype, seed: int) -> None:
    campaign(dtype, rows=20_000, seed=1000 + seed)


@pytest.mark.parametrize("seed", range(3))
def test_the_mean_over_60_000_rows_is_right_to_1e_6(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(60_000, 10, generator=generator) * 3
    y = torch.randint(10, (60_000,), generator=generator)
    expected = math.fsum(loss.cross_entropy(x.double(), y, reduction="none").tolist()) / len(x)
    for laid_out in (x, x.t().contiguous().t()):
        assert float(loss.cross_entropy(laid_out, y)) == pytest.approx(expected, rel=1e-6)
        assert float(loss.cross_entropy_with_grad(laid_out, y)[0]) == pytest.approx(expected, rel=1e-6)


def scores(dtype: torch.dtype = torch.float64, rows: int = 50, classes: int = 7) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(6)
    x = (torch.randn(rows, classes, dtype=torch.float64, generator=generator) * 5).to(dtype)
    return x, torch.randint(classes, (rows,), generator=generator)


@pytest.mark.parametrize("constant", [1.0, -1000.0, 2.0**40])
def test_adding_one_number_to_a_row_changes_nothing(constant: float) -> None:
    x, y = scores()
    x = (x * 1024).round() / 1024  # so that the sum x + constant is exact
    for function in (loss.softmax, loss.log_softmax):
        assert torch.equal(function(x + constant), function(x))
    for a, b in zip(loss.cross_entropy_with_grad(x + constant, y), loss.cross_entropy_with_grad(x, y), strict=True):
        assert torch.equal(a, b)


def test_classes_and_rows_can_be_renumbered() -> None:
    x, y = scores()
    classes, rows = torch.randperm(7), torch.randperm(50)
    value, grad = loss.cross_entropy_with_grad(x, y)
    renumbered = loss.cross_entropy_with_grad(x[rows][:, classes], classes.argsort()[y[rows]])
    torch.testing.assert_close(renumbered, (value, grad[rows][:, classes]), rtol=1e-14, atol=1e-17)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_probabilities_add_up_to_1_and_each_rows_gradient_to_0(dtype: torch.dtype) -> None:
    x, y = scores(dtype, rows=1000)
    for scale in (0.01, 1.0, 100.0):
        assert float((loss.softmax(x * scale).double().sum(1) - 1).abs().max()) <= 9 * UNIT[dtype]
        for reduction in ("mean", "sum"):
            _, grad = loss.cross_entropy_with_grad(x * scale, y, reduction=reduction)
            size = 1 / len(x) if reduction == "mean" else 1.0
            assert float(grad.double().sum(1).abs().max()) <= 9 * UNIT[dtype] * size


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_equal_scores_cost_ln_k_to_the_last_digit(dtype: torch.dtype) -> None:
    for k in (1, 2, 3, 7, 10, 100, 1000, 4096, 10_000):
        x, y = torch.full((1, k), 0.3, dtype=dtype), tensor([k - 1])
        for value in (loss.cross_entropy(x, y), loss.cross_entropy_with_grad(x, y)[0]):
            assert abs(float(value) - math.log(k)) <= np.spacing(np.array(math.log(k), dtype=x.numpy().dtype))


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_a_perfect_prediction_costs_nothing(dtype: torch.dtype) -> None:
    x, y = torch.eye(5, dtype=dtype) * 1e4, torch.arange(5)
    assert loss.cross_entropy(x, y) == 0
    value, grad = loss.cross_entropy_with_grad(x, y)
    assert value == 0
    assert not grad.any()


def test_two_classes_are_logistic_regression() -> None:
    margin = torch.cat([torch.linspace(-700, 700, 2001, dtype=torch.float64), tensor([-40.0, 40.0, 1e-300])])
    x = torch.stack([torch.zeros_like(margin), margin], dim=1)  # (N, 2)
    y = torch.ones(len(x), dtype=torch.int64)
    np.testing.assert_allclose(
        loss.cross_entropy(x, y, reduction="none").numpy(), -scipy.special.log_expit(margin.numpy()), rtol=1e-13
    )
    np.testing.assert_allclose(loss.softmax(x)[:, 1].numpy(), scipy.special.expit(margin.numpy()), rtol=1e-13)
    _, grad = loss.cross_entropy_with_grad(x, y, reduction="sum")
    np.testing.assert_allclose(grad[:, 0].numpy(), scipy.special.expit(-margin.numpy()), rtol=1e-13)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_five_point_stencil_finds_the_gradient(smoothing: float) -> None:
    x, y = scores(rows=6)
    weight = torch.linspace(0.5, 2, 7, dtype=torch.float64)
    _, grad = loss.cross_entropy_with_grad(x, y, weight, label_smoothing=smoothing)
    h = 1e-3
    for i, j in itertools.product(range(6), range(7)):
        step = torch.zeros_like(x)
        step[i, j] = h
        f = [loss.cross_entropy(x + k * step, y, weight, label_smoothing=smoothing) for k in (-2, -1, 1, 2)]
        stencil = float(f[0] - 8 * f[1] + 8 * f[2] - f[3]) / (12 * h)
        assert float(grad[i, j]) == pytest.approx(stencil, rel=5e-6, abs=1e-10)


def test_the_curvature_is_that_of_a_convex_loss() -> None:
    """H = diag(p) - p pᵀ in the scores, at most 1/2; in a linear layer's weights at most λmax(XᵀX) / 2n."""
    x, y = scores(rows=1)
    hessian = torch.autograd.functional.hessian(lambda z: loss.cross_entropy(z, y), x).reshape(7, 7)
    p = loss.softmax(x)[0]
    torch.testing.assert_close(hessian, p.diag() - torch.outer(p, p), rtol=1e-12, atol=1e-15)
    eigenvalues = torch.linalg.eigvalsh(hessian)
    assert eigenvalues[0] >= -1e-15
    assert eigenvalues[-1] <= 0.5

    pixels = torch.rand(30, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(7))
    _, y = scores(rows=30)
    flat = torch.autograd.functional.hessian(
        lambda w: loss.cross_entropy(pixels @ w.reshape(5, 7), y), torch.zeros(35, dtype=torch.float64)
    )
    eigenvalues = torch.linalg.eigvalsh(flat)
    assert eigenvalues[0] >= -1e-14
    assert eigenvalues[-1] <= torch.linalg.eigvalsh(pixels.T @ pixels)[-1] / (2 * 30)
    direction = torch.randn(35, dtype=torch.float64, generator=torch.Generator().manual_seed(8))
    h = 1e-5

    def gradient(w: Tensor) -> Tensor:
        _, grad = loss.cross_entropy_with_grad(pixels @ w.reshape(5, 7), y)
        return (pixels.T @ grad).flatten()

    difference = (gradient(h * direction) - gradient(-h * direction)) / (2 * h)
    torch.testing.assert_close(flat @ direction, difference, rtol=1e-6, atol=1e-8)
