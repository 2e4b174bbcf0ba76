"""The rate from curvature, against NumPy's eigenvalues, and what it does for a run."""

import gzip
import math
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from byhand import MLP, SGD, Adam, DataLoader, DataLoaders, Learner, LinearClassifier, Sequential, flat_cos
from byhand.lr_find import curvature, default_lr


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


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
    learn.fit(30)
    losses = [row["train_loss"] or 0.0 for row in learn.history]
    assert losses[0] == pytest.approx(math.log(classes), rel=1e-5)
    assert all(after <= before * (1 + 1e-6) for before, after in pairwise(losses))
    assert losses[-1] < 0.95 * losses[0]


VIEWS = {
    "as they are": lambda x: x,
    "dark on light": lambda x: 1 - x,
    "standardised": lambda x: (x - x.mean(0)) / (x.std(0) + 0.1),
    "ten times as bright": lambda x: 10 * x,
    "black and white": lambda x: (x > 0.5).float(),
    "of equal length": lambda x: x / x.norm(dim=1, keepdim=True),
}


@pytest.mark.parametrize("batch_size", [16, 256])
@pytest.mark.parametrize("view", VIEWS)
def test_the_rate_trains_on_the_digits_however_they_are_scaled(view: str, batch_size: int) -> None:
    x = VIEWS[view](torch.as_tensor(digits(), dtype=torch.float32))
    dl = DataLoader(
        (x, torch.as_tensor(load_digits().target)), batch_size, True, generator=torch.Generator().manual_seed(0)
    )
    learn = Learner(DataLoaders(dl), LinearClassifier(64, 10), quiet=True)
    learn.fit_schedule(8, flat_cos(default_lr(learn.model, dl, learn.optimizer())[0]))
    assert learn.stopped is None
    assert (learn.history[-1]["train_loss"] or 0.0) < 0.4 * math.log(10)


def batches(batch_size: int = 64) -> DataLoader:
    x = torch.as_tensor(digits(), dtype=torch.float32)
    return DataLoader((x, torch.zeros(len(x), dtype=torch.long)), batch_size)


@pytest.mark.parametrize("classes", [2, 10])
@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_one_linear_layer_takes_k_over_l_times_one_minus_momentum(momentum: float, classes: int) -> None:
    model, train = LinearClassifier(64, classes), batches(128)
    eigenvalue, largest = exact(digits())
    lr, reason = default_lr(model, train, SGD(model.parameters(), momentum=momentum))
    expected = classes / (eigenvalue + (largest - eigenvalue) / 128)
    assert lr == pytest.approx((1 - momentum) * expected, rel=1e-3)
    assert reason == "from the curvature of the data"
    plain = Sequential(*model.layers)  # any model that is one linear layer
    assert default_lr(plain, train, SGD(plain.parameters(), momentum=momentum)) == (lr, reason)


def test_adam_of_both_makes_takes_its_usual_rate() -> None:
    for model in (LinearClassifier(64, 10), MLP(64, [8], 10)):
        params = model.parameters()
        for opt in (Adam(params), torch.optim.Adam(params), torch.optim.AdamW(params)):
            assert default_lr(model, batches(), opt) == (1e-3, "Adam's usual rate")


def test_what_the_curvature_says_nothing_about_takes_a_usual_rate() -> None:
    linear, module = LinearClassifier(64, 10), nn.Linear(64, 10)
    rows = torch.utils.data.DataLoader(list(zip(batches().x, batches().y, strict=True)))
    for model, train, opt in (
        (module, batches(), SGD(module.parameters())),
        (linear, batches(), torch.optim.SGD(linear.parameters())),
        (linear, rows, SGD(linear.parameters())),
        (lambda x: x, batches(), SGD(linear.parameters())),
    ):
        assert default_lr(model, train, opt) == (0.1, "a usual rate for SGD")


@pytest.mark.parametrize(("hidden", "units"), [([30], 30), ([512, 256], 256), ([16, 400], 16)])
def test_an_mlp_takes_a_rate_that_grows_with_the_root_of_its_narrowest_layer(hidden: list[int], units: int) -> None:
    model = MLP(64, hidden, 10)
    for momentum in (0.0, 0.9):
        lr, reason = default_lr(model, batches(), SGD(model.parameters(), momentum=momentum))
        assert lr == pytest.approx(0.04 * math.sqrt(units) * (1 - momentum))
        assert reason == f"a usual rate for SGD with {units} hidden units"


def test_the_rate_with_momentum_trains_too() -> None:
    x = torch.as_tensor(digits(), dtype=torch.float32)
    dl = DataLoader((x, torch.as_tensor(load_digits().target)), 64, True, generator=torch.Generator().manual_seed(0))
    losses = []
    for momentum in (0.0, 0.9):
        learn = Learner(DataLoaders(dl), LinearClassifier(64, 10), opt_func=partial(SGD, momentum=momentum), quiet=True)
        learn.fit(10)
        losses.append(learn.history[-1]["train_loss"])
    assert max(losses) < 0.5
