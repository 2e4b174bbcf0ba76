"""The curvature of one linear layer's loss, against NumPy's eigenvalues, and what a rate made of it does."""

import gzip
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from byhand import DataLoader, DataLoaders, Learner, LinearClassifier
from byhand.lr_find.curvature import curvature

pytestmark = pytest.mark.usefixtures("one_thread")


def exact(x: np.ndarray) -> tuple[float, float]:
    """λmax of XᵀX / N and max‖x‖², a column of ones joined to X (N, P), by NumPy in float64."""
    ones = np.hstack([x.astype(np.float64), np.ones((len(x), 1))])
    return float(np.linalg.eigvalsh(ones.T @ ones / len(x))[-1]), float((ones**2).sum(axis=1).max())


def digits() -> np.ndarray:
    return load_digits().data / 16


def mnist(path: Path, rows: int) -> np.ndarray:
    """The first rows of the genuine training images, read without byhand."""
    file = path / "train-images-idx3-ubyte"
    content = file.read_bytes() if file.exists() else gzip.decompress(file.with_suffix(".gz").read_bytes())
    return np.frombuffer(content, np.uint8, offset=16)[: rows * 784].reshape(rows, 784)


def assert_formula(x: Tensor, reference: np.ndarray, rel: float) -> None:
    """λ alone in an endless batch, λ and max‖x‖² in a batch of one, and the line in 1/B between them."""
    eigenvalue, largest = exact(reference)
    assert curvature(x, 10**12) == pytest.approx(eigenvalue, rel=rel)
    assert curvature(x, 1) == pytest.approx(largest, rel=1e-5)
    for batch_size in (2, 64, 256):
        expected = eigenvalue + (largest - eigenvalue) / batch_size
        assert curvature(x, batch_size) == pytest.approx(expected, rel=rel)


def test_the_curvature_of_the_digits_is_numpys() -> None:
    x = digits()
    assert_formula(torch.as_tensor(x), x, 1e-4)


def test_the_curvature_of_genuine_mnist_is_numpys(mnist_path: Path) -> None:
    """Of these, every second row alone would be 12 % off: the two halves of MNIST alternate."""
    x = mnist(mnist_path, 17_000)
    assert_formula(torch.tensor(x), x / 255, 0.02)


@pytest.mark.parametrize("rows", [8191, 8192, 16_383, 20_000])
def test_sampled_rows_stand_for_all_of_them(rows: int) -> None:
    rng = np.random.default_rng(rows)
    x = rng.random((rows, 12)) ** 3
    x[rows // 2, :] = 5.0  # the longest is looked for in all rows, not in the sample
    assert_formula(torch.as_tensor(x, dtype=torch.float32), x, 0.02)


def test_bytes_stand_for_their_value_over_255() -> None:
    pixels = torch.as_tensor(digits() * 255).to(torch.uint8)
    for batch_size in (1, 32, 1000):
        assert curvature(pixels, batch_size) == pytest.approx(curvature(pixels.float() / 255, batch_size), rel=1e-5)


@pytest.mark.parametrize("c", [1e-3, 0.5, 7.0, 255.0])
def test_scaling_the_inputs_scales_what_the_data_add_to_the_curvature(c: float) -> None:
    x = digits()
    assert_formula(torch.as_tensor(c * x, dtype=torch.float32), c * x, 1e-3)
    if c > 1:  # the bias's 1 hardly counts then, and the curvature grows with the square
        assert curvature(torch.as_tensor(c * x), 64) == pytest.approx(c**2 * curvature(torch.as_tensor(x), 64), rel=0.1)


def test_data_that_are_zero_everywhere_have_the_biass_curvature() -> None:
    for dtype in (torch.uint8, torch.float32):
        assert curvature(torch.zeros(50, 9, dtype=dtype), 16) == 1.0


def test_one_row_is_enough() -> None:
    assert curvature(torch.ones(1, 8), 4) == pytest.approx(9.0)


def test_looking_for_the_rate_changes_nothing() -> None:
    pixels, state = torch.as_tensor(digits() * 255).to(torch.uint8), torch.get_rng_state()
    before = pixels.clone()
    curvature(pixels, 64)
    assert torch.equal(pixels, before)
    assert torch.equal(torch.get_rng_state(), state)


def random_problem(seed: int, classes: int) -> tuple[Tensor, Tensor]:
    """Inputs of some scale and shape with labels that a noisy linear rule gives."""
    rng = np.random.default_rng(seed)
    rows, pixels = int(rng.integers(200, 900)), int(rng.integers(2, 120))
    kind = seed % 4
    if kind == 0:
        x = rng.random((rows, pixels))  # like pixels
    elif kind == 1:
        x = rng.normal(size=(rows, pixels)) * 10 ** rng.uniform(-1, 2)  # centred, of any unit
    elif kind == 2:
        x = (rng.random((rows, pixels)) < 0.1).astype(float)  # sparse
    else:
        x = rng.random((rows, pixels)) * np.geomspace(1e-3, 10, pixels)  # very unequal columns
    scores = x @ rng.normal(size=(pixels, classes))
    y = (scores / scores.std() + 0.3 * rng.gumbel(size=scores.shape)).argmax(axis=1)
    return torch.as_tensor(x, dtype=torch.float32), torch.as_tensor(y)


@pytest.mark.parametrize("classes", [2, 3, 4])
@pytest.mark.parametrize("seed", range(8))
def test_on_whole_batches_of_few_classes_the_loss_falls_at_each_step(seed: int, classes: int) -> None:
    """H is at most λ/2 everywhere (Böhning), so that a step of up to 4/λ cannot raise the loss: C/L, where C ≤ 4."""
    x, y = random_problem(seed, classes)
    learn = Learner(DataLoaders(DataLoader((x, y), len(x))), LinearClassifier(x.shape[1], classes), quiet=True)
    learn.fit(30, classes / curvature(x, len(x)))
    losses = [row["train_loss"] or 0.0 for row in learn.history]
    assert losses[0] == pytest.approx(math.log(classes), rel=1e-5)
    assert all(after <= before * (1 + 1e-6) for before, after in pairwise(losses))
    assert losses[-1] < 0.95 * losses[0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_row_that_counts_three_is_the_row_three_times(dtype: torch.dtype) -> None:
    x = torch.as_tensor(digits(), dtype=dtype)[:500]
    times = torch.randint(1, 4, (500,), generator=torch.Generator().manual_seed(0))
    counts = times.to(dtype) / times.to(dtype).mean()
    repeated = x.repeat_interleave(times, dim=0)
    near = 1e-12 if dtype == torch.float64 else 1e-5
    assert curvature(x, math.inf, counts) == pytest.approx(curvature(repeated, math.inf), rel=near)
    largest = float(((x.square().sum(dim=1) + 1) * counts).max())
    assert curvature(x, 1, counts) == pytest.approx(largest, rel=1e-5)


def test_a_batch_of_all_rows_has_their_curvature_alone() -> None:
    x = digits()
    assert curvature(torch.as_tensor(x), math.inf) == pytest.approx(exact(x)[0], rel=1e-4)
