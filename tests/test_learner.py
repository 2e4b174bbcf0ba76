"""The training loop: by hand as by autograd, what it writes down, and what it does when a run is cut short."""

import copy
import itertools
import math
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader as TorchDataLoader

from byhand import (
    MLP,
    SGD,
    Adam,
    DataError,
    DataLoader,
    DataLoaders,
    Learner,
    LinearClassifier,
    accuracy,
    cross_entropy,
    init_params,
)
from byhand.data.dataset import Part

CLASSES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def digits() -> tuple[Tensor, Tensor]:
    """1,797 real digits: pixels (N, 64) uint8 and labels (N,)."""
    bunch = load_digits()
    return torch.as_tensor(bunch.data * 255 / 16).round().to(torch.uint8), torch.as_tensor(bunch.target)


@pytest.fixture(scope="module")
def xy(digits: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """The first 640, from 0 to 1 in float64."""
    return digits[0][:640].double() / 255, digits[1][:640]


@pytest.fixture
def dls(digits: tuple[Tensor, Tensor]) -> DataLoaders:
    """600 to learn from in uneven batches, 150 to be judged by, as floats."""
    x, y = digits[0].float() / 255, digits[1]
    train = DataLoader((x[:600], y[:600]), 64, shuffle=True, generator=torch.Generator().manual_seed(0))
    return DataLoaders(train, DataLoader((x[600:750], y[600:750]), 64), CLASSES)


def seed(number: int) -> torch.Generator:
    return torch.Generator().manual_seed(number)


def function(params: list[Tensor]) -> Callable[[Tensor], Tensor]:
    """A linear model or a network with one hidden layer as the seeds write it: a function of a batch."""

    def linear(x: Tensor) -> Tensor:
        return x @ params[0] + params[1]

    def net(x: Tensor) -> Tensor:
        return (x @ params[0] + params[1]).clamp(min=0) @ params[2] + params[3]

    return linear if len(params) == 2 else net


def twins(hidden: list[int], dtype: torch.dtype = torch.float64) -> dict[str, tuple[Any, list[Tensor]]]:
    """One network three times, with the same numbers: ours, PyTorch's, and a plain function; each with its parameters.

    The function keeps its weights as (I, O), as the seeds do, so they are shown transposed.
    """
    ours = MLP(64, hidden, 10, generator=seed(5)).to(dtype=dtype)
    layers = [nn.Linear(64, hidden[0]), nn.ReLU(), nn.Linear(hidden[0], 10)] if hidden else [nn.Linear(64, 10)]
    module = nn.Sequential(*layers).to(dtype)
    module.load_state_dict(ours.state_dict())
    params = [
        (p.detach().t() if p.dim() == 2 else p.detach()).clone().contiguous().requires_grad_()
        for p in ours.parameters()
    ]
    return {
        "by hand": (ours, ours.parameters()),
        "module": (module, list(module.parameters())),
        "function": (function(params), params),
    }


class Record:
    """A callback that writes down each step's loss and the weights of each epoch's end."""

    def __init__(self, params: list[Tensor]) -> None:
        self.params = params
        self.losses: list[float] = []
        self.weights: list[list[Tensor]] = []

    def __call__(self, learn: Learner) -> None:
        if learn.step is None:
            self.weights.append([p.detach().clone() for p in self.params])
        else:
            self.losses.append(learn.loss)


def same(mine: list[Tensor], theirs: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(mine, theirs, strict=True))


def deviation(mine: list[Tensor], theirs: list[Tensor]) -> float:
    """The largest difference of two sets of parameters, relative to the largest number of each."""
    worst = 0.0
    for a, b in zip(mine, theirs, strict=True):
        b = b.t() if a.shape != b.shape else b
        worst = max(worst, float((a.detach() - b.detach()).abs().max() / b.detach().abs().max()))
    return worst


# By hand and by autograd.

OPTIMIZERS = {
    "sgd": SGD,
    "nesterov": partial(SGD, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "adam": partial(Adam, weight_decay=1e-3),
    "torch's sgd": partial(torch.optim.SGD, momentum=0.9),
}


@pytest.mark.parametrize("hidden", [[], [30]], ids=["linear", "784-30-10's shape"])
@pytest.mark.parametrize("opt", OPTIMIZERS)
def test_100_steps_by_hand_are_100_steps_by_autograd(xy, opt: str, hidden: list[int]) -> None:
    runs: dict[str, tuple[Record, list[Tensor], Learner]] = {}
    for kind, (model, params) in twins(hidden).items():
        record = Record(params)
        loss_func = cross_entropy if kind == "by hand" else F.cross_entropy
        dl = DataLoader(xy, 64, shuffle=True, generator=seed(9))
        learn = Learner(DataLoaders(dl), model, loss_func, OPTIMIZERS[opt], cbs=record, quiet=True)
        assert learn.by_hand == (kind == "by hand")
        learn.fit(10, lr=0.01 if opt == "adam" else 0.1)
        runs[kind] = record, params, learn
    mine, params, learn = runs["by hand"]
    assert len(mine.losses) == 100
    assert mine.losses[-1] < 0.8 * mine.losses[0]  # the two had something to agree on
    for kind in ("module", "function"):
        theirs, their_params, their_learn = runs[kind]
        assert mine.losses == pytest.approx(theirs.losses, rel=1e-9, abs=0)
        assert deviation(params, their_params) < 1e-9, kind
        for row, their_row in zip(learn.history, their_learn.history, strict=True):
            assert row["train_loss"] == pytest.approx(their_row["train_loss"], rel=1e-9, abs=0)


def test_our_own_model_goes_through_autograd_too_where_the_loss_is_not_ours(xy) -> None:
    hand, auto = twins([16])["by hand"], twins([16])["by hand"]
    for (model, _), loss_func in ((hand, cross_entropy), (auto, F.cross_entropy)):
        dl = DataLoader(xy, 64, shuffle=True, generator=seed(1))
        learn = Learner(DataLoaders(dl), model, loss_func, quiet=True)
        assert learn.by_hand == (loss_func is cross_entropy)
        learn.fit(3, 0.2)
    assert deviation(hand[1], auto[1]) < 1e-10


def test_raw_pixels_by_hand_are_scaled_pixels_by_autograd(digits) -> None:
    pixels, y = digits[0][:640], digits[1][:640]
    part = Part(pixels.numpy().reshape(-1, 8, 8), y.numpy(), CLASSES, "h")
    models = twins([30])
    for kind, data in (("by hand", part), ("module", (pixels.double() / 255, y))):
        dl = DataLoader(data, 64, shuffle=True, generator=seed(4))
        Learner(DataLoaders(dl), models[kind][0], quiet=True).fit(10, 0.1)
    assert deviation(models["by hand"][1], models["module"][1]) < 1e-9


def test_in_float32_the_two_stay_together_as_far_as_float32_does(digits) -> None:
    pixels, y = digits[0][:640], digits[1][:640]
    part = Part(pixels.numpy().reshape(-1, 8, 8), y.numpy(), CLASSES, "h")
    models = twins([30], torch.float32)
    for kind in ("by hand", "module"):
        dl = DataLoader(part, 64, shuffle=True, generator=seed(4))
        Learner(DataLoaders(dl), models[kind][0], quiet=True).fit(2, 0.1)
    assert 0 < deviation(models["by hand"][1], models["module"][1]) < 1e-4


def test_looking_for_a_functions_parameters_draws_no_random_number(xy) -> None:
    models = twins([])
    rows = list(zip(*xy, strict=True))
    for kind in ("module", "function"):
        with torch.random.fork_rng():
            torch.manual_seed(8)
            dl = TorchDataLoader(rows, batch_size=64, shuffle=True)
            Learner(DataLoaders(dl), models[kind][0], quiet=True).fit(2, 0.1)
    assert deviation(models["function"][1], models["module"][1]) < 1e-10


def test_after_a_run_by_hand_autograd_still_works_on_the_model(dls: DataLoaders) -> None:
    model = MLP(64, [8], 10, generator=seed(0))
    learn = Learner(dls, model, opt_func=partial(SGD, momentum=0.9), quiet=True)
    learn.fit(1, 0.1)
    x, y = next(iter(dls.train))
    F.cross_entropy(model(x), y).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
    for p in model.parameters():
        p.grad = None
    learn.fit(1, 0.1)
    assert len(learn.history) == 3


# What is written down.


def test_the_history_has_its_keys_in_the_tables_order(dls: DataLoaders) -> None:
    learn = Learner(dls, LinearClassifier(64, 10), metrics=accuracy, quiet=True)
    learn.fit(2, 0.3)
    keys = ["epoch", "train_loss", "valid_loss", "train_accuracy", "valid_accuracy", "seconds"]
    assert [list(row) for row in learn.history] == [keys] * 3
    assert [row["epoch"] for row in learn.history] == [0, 1, 2]
    assert all(type(value) in (int, float) for row in learn.history for value in row.values())
    assert all((row["seconds"] or 0) > 0 for row in learn.history)


def test_epoch_0_is_the_untrained_model(dls: DataLoaders) -> None:
    learn = Learner(dls, LinearClassifier(64, 10), metrics=accuracy, quiet=True)
    learn.fit(0, 0.3)
    (row,) = learn.history
    assert row["train_loss"] == pytest.approx(math.log(10), rel=1e-6)
    assert row["valid_loss"] == pytest.approx(math.log(10), rel=1e-6)
    share = float((dls.train.y == 0).float().mean())  # equal scores everywhere, and the first of the largest is taken
    assert row["train_accuracy"] == pytest.approx(share, rel=1e-6)


def test_several_metrics_and_a_loss_of_ones_own_have_columns_of_their_names(dls: DataLoaders) -> None:
    def surprise(preds: Tensor, y: Tensor) -> Tensor:
        return -preds.log_softmax(1)[torch.arange(len(y)), y].mean()

    def top2_accuracy(preds: Tensor, y: Tensor) -> Tensor:
        return (preds.topk(2).indices == y[:, None]).any(dim=1).float().mean()

    learn = Learner(dls, LinearClassifier(64, 10), surprise, metrics=[accuracy, top2_accuracy], quiet=True)
    learn.fit(1, 0.3)
    parts = [("train_" + name, "valid_" + name) for name in ("loss", "accuracy", "top2_accuracy")]
    assert list(learn.history[0]) == ["epoch", *(key for pair in parts for key in pair), "seconds"]
    assert learn.history[1]["valid_top2_accuracy"] > learn.history[1]["valid_accuracy"]


@pytest.mark.parametrize("kind", ["by hand", "module", "function"])
def test_both_parts_are_measured_with_the_weights_of_the_epochs_end(dls: DataLoaders, kind: str) -> None:
    model, params = twins([12], torch.float32)[kind]
    record = Record(params)
    learn = Learner(dls, model, metrics=accuracy, cbs=record, quiet=True)
    learn.fit(3, 0.5)
    for row, weights in zip(learn.history, record.weights, strict=True):
        w = [p.double() if kind == "function" or p.dim() == 1 else p.double().t() for p in weights]
        for name, dl in (("train", dls.train), ("valid", dls.valid)):
            preds = function(w)(dl.x.double())
            assert row[f"{name}_loss"] == pytest.approx(F.cross_entropy(preds, dl.y).item(), rel=2e-6)
            right = (preds.argmax(1) == dl.y).double().mean().item()
            assert row[f"{name}_accuracy"] == pytest.approx(right, abs=1e-6)


def test_averages_are_weighted_by_count(digits) -> None:
    x, y = digits[0][:70].float() / 255, digits[1][:70]
    dl = DataLoader((x, y), 64)  # 64 rows and 6
    module = twins([], torch.float32)["module"][0]
    learn = Learner(DataLoaders(dl, TorchDataLoader(list(zip(x, y, strict=True)), batch_size=64)), module,
                    metrics=accuracy, quiet=True)  # fmt: skip
    learn.fit(4, 0.5)
    with torch.no_grad():
        preds = module(x)
        rows = F.cross_entropy(preds, y, reduction="none").double()
        right = (preds.argmax(1) == y).double()
    means = [float((values[:64].mean() + values[64:].mean()) / 2) for values in (rows, right)]
    for part in ("train", "valid"):
        for name, values, mean_of_means in zip(("loss", "accuracy"), (rows, right), means, strict=True):
            assert learn.history[-1][f"{part}_{name}"] == pytest.approx(float(values.mean()), rel=1e-6)
            assert abs(float(values.mean()) - mean_of_means) > 1e-3  # the wrong average would be seen


def test_a_second_fit_goes_on_where_the_first_ended(dls: DataLoaders) -> None:
    once, twice = (MLP(64, [8], 10, generator=seed(0)) for _ in range(2))
    learners = []
    for model, epochs in ((once, [5]), (twice, [2, 3])):
        train = DataLoader((dls.train.x, dls.train.y), 64, shuffle=True, generator=seed(3))
        learn = Learner(DataLoaders(train, dls.valid), model, opt_func=partial(SGD, momentum=0.9), quiet=True)
        for n_epoch in epochs:
            learn.fit(n_epoch, 0.05)
        learners.append(learn)
    assert [row["epoch"] for row in learners[1].history] == list(range(6))
    assert same(once.parameters(), twice.parameters())  # the velocity went on too
    pairs = zip(*(learn.history for learn in learners), strict=True)
    assert all(a["valid_loss"] == b["valid_loss"] for a, b in pairs)


def test_without_a_validation_part_its_columns_are_none(dls: DataLoaders) -> None:
    learn = Learner(DataLoaders(dls.train), LinearClassifier(64, 10), metrics=accuracy, quiet=True)
    learn.fit(2, 0.3)
    assert all(row["valid_loss"] is None and row["valid_accuracy"] is None for row in learn.history)
    assert learn.history[2]["train_loss"] < learn.history[0]["train_loss"]
    for judge in (learn.validate, learn.get_preds):
        with pytest.raises(ValueError, match="no validation part"):
            judge()


# The seeds' own cells.


def calc_loss(preds: Tensor, y: Tensor) -> Tensor:
    """The second seed's loss."""
    return torch.nn.functional.cross_entropy(preds, y.squeeze())


@pytest.fixture
def seeds_loaders(digits) -> tuple[Any, Any]:
    """``dl`` and ``valid_dl`` of the second seed: a list of pairs, labels of shape [1], rows sorted by class."""
    x, y = digits[0].float() / 255, digits[1]
    train, valid = (
        list(zip(x[rows], y[rows].unsqueeze(1), strict=True))
        for rows in (torch.arange(500)[y[:500].argsort(stable=True)], torch.arange(500, 600))
    )
    return TorchDataLoader(train, batch_size=64), TorchDataLoader(valid, batch_size=64)


@pytest.mark.parametrize("opt_func", [SGD, torch.optim.SGD], ids=["byhand", "torch"])
def test_the_seeds_learner_cell(seeds_loaders, opt_func: Any, capsys: pytest.CaptureFixture[str]) -> None:
    dl, valid_dl = seeds_loaders
    with torch.random.fork_rng():
        torch.manual_seed(0)
        simple_net = nn.Sequential(nn.Linear(64, 30), nn.ReLU(), nn.Linear(30, 10))

    dls = DataLoaders(dl, valid_dl)
    learn = Learner(dls, simple_net, opt_func=opt_func, loss_func=calc_loss, metrics=accuracy)
    learn.fit(20)

    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"lr \S+, by short trials around \S+, from the curvature of the data", lines[0])
    assert lines[1].split() == ["epoch", "train_loss", "valid_loss", "train_accuracy", "valid_accuracy", "time"]
    assert [line.split()[0] for line in lines[2:]] == [str(epoch) for epoch in range(21)]
    x, y = (torch.cat(column) for column in zip(*valid_dl, strict=True))
    right = int((simple_net(x).argmax(1) == y.squeeze(1)).sum())
    assert learn.history[-1]["valid_accuracy"] == pytest.approx(right / 100)
    assert learn.history[-1]["train_loss"] < learn.history[0]["train_loss"]


@pytest.mark.parametrize("kind", ["by hand", "module", "function"])
def test_labels_of_shape_b_1_give_the_run_of_labels_of_shape_b(xy, kind: str) -> None:
    x, y = xy
    results = []
    for labels in (y, y.unsqueeze(1)):
        for loss_func in (cross_entropy, calc_loss):
            model, params = twins([8])[kind]
            dl = DataLoader(list(zip(x, labels, strict=True)), 64)
            learn = Learner(DataLoaders(dl, dl), model, loss_func, metrics=accuracy, quiet=True)
            learn.fit(2, 0.3)
            results.append((params, [row["valid_accuracy"] for row in learn.history]))
    for params, right in results[1:]:
        assert deviation(params, results[0][0]) < 1e-10
        assert right == pytest.approx(results[0][1], rel=1e-6)  # by hand the batches to judge by are larger


def test_the_seeds_linear_model_learns_with_its_own_function(seeds_loaders) -> None:
    weights, bias = init_params((64, 10), generator=seed(0)), init_params(10, generator=seed(1))

    def matrix_x(x: Tensor) -> Tensor:
        return x @ weights + bias

    before = weights.detach().clone(), bias.detach().clone()
    learn = Learner(DataLoaders(*seeds_loaders), matrix_x, calc_loss, metrics=accuracy, quiet=True)
    learn.fit(3, 0.1)
    assert not torch.equal(weights, before[0])
    assert not torch.equal(bias, before[1])
    assert learn.history[-1]["train_loss"] < learn.history[0]["train_loss"]


def test_a_model_without_parameters_is_refused(dls: DataLoaders) -> None:
    fixed = torch.zeros(64, 10)
    for model in (lambda x: x @ fixed, nn.Linear(64, 10).requires_grad_(False)):
        with pytest.raises(ValueError, match="no parameter that requires a gradient"):
            Learner(dls, model, quiet=True).fit(1, 0.1)


# Rates and callbacks.


def test_without_a_rate_the_default_is_taken_and_printed_with_its_reason(
    dls: DataLoaders, capsys: pytest.CaptureFixture[str]
) -> None:
    learn = Learner(dls, LinearClassifier(64, 10))
    learn.fit(1)
    first = capsys.readouterr().out.splitlines()[0]
    rate = learn.optimizer().lr
    assert re.fullmatch(rf"lr {rate:.3g}, by short trials around \S+, from the curvature of the data", first)
    assert 0.1 < rate < 3
    learn = Learner(dls, nn.Linear(64, 10), opt_func=torch.optim.Adam)
    learn.fit(1)
    rate = learn.optimizer().param_groups[0]["lr"]
    assert f"lr {rate:.3g}, by short trials around " in capsys.readouterr().out.splitlines()[0]
    assert 1e-4 < rate < 0.1


@pytest.mark.parametrize("opt_func", [SGD, torch.optim.SGD], ids=["byhand", "torch"])
def test_fit_one_cycle_takes_fastais_rates(dls: DataLoaders, opt_func: Any) -> None:
    rates = []

    def note(learn: Learner) -> None:
        if learn.step is not None:
            rates.append(learn.opt.lr if opt_func is SGD else learn.opt.param_groups[0]["lr"])

    Learner(dls, LinearClassifier(64, 10), opt_func=opt_func, cbs=note, quiet=True).fit_one_cycle(
        4, lr_max=0.5, div=10.0, div_final=1e3, pct_start=0.3
    )
    done = np.arange(40) / 40  # 10 batches, 4 epochs

    def cosine(first: float, last: float, part: np.ndarray) -> np.ndarray:
        return first + (1 + np.cos(np.pi * (1 - part))) * (last - first) / 2  # as fastai writes it

    up, down = cosine(0.05, 0.5, done / 0.3), cosine(0.5, 0.5e-3, (done - 0.3) / 0.7)
    assert rates == pytest.approx(np.where(done < 0.3, up, down), rel=1e-12)
    assert max(rates) == pytest.approx(0.5)
    assert rates[0] == pytest.approx(0.05)


def test_fit_one_cycle_without_a_rate_peaks_at_the_default(dls: DataLoaders) -> None:
    rates = []
    model = LinearClassifier(64, 10)
    Learner(dls, model, cbs=lambda learn: rates.append(learn.opt.lr), quiet=True).fit_one_cycle(4)
    learn = Learner(dls, model, quiet=True)
    learn.fit(1)
    assert max(rates) == pytest.approx(learn.opt.lr)  # pyright: ignore[reportOptionalMemberAccess]


@pytest.mark.parametrize("kind", ["by hand", "module"])
def test_callbacks_are_called_after_each_step_and_each_epoch_in_order(dls: DataLoaders, kind: str) -> None:
    calls: list[tuple[str, int | None, int]] = []
    cbs = [lambda learn, name=name: calls.append((name, learn.step, len(learn.history))) for name in "ab"]
    model = twins([], torch.float32)[kind][0]
    learn = Learner(dls, model, cbs=cbs, quiet=True)
    assert calls == []
    learn.fit(2, 0.1)
    expected = [(None, 1)]
    for epoch in (1, 2):
        expected += [(step, epoch) for step in range(10)] + [(None, epoch + 1)]
    assert calls == [(name, *call) for call in expected for name in "ab"]


def test_a_callback_sees_the_step_that_was_made(dls: DataLoaders) -> None:
    model = LinearClassifier(64, 10)
    seen: list[tuple[float, Tensor]] = []
    learn = Learner(dls, model, cbs=lambda learn: seen.append((learn.loss, model.parameters()[0].clone())), quiet=True)
    learn.fit(1, 0.3)
    assert math.isnan(seen[0][0])  # epoch 0: no step yet
    assert seen[1][0] == pytest.approx(math.log(10), rel=1e-6)  # the loss of the batch before the step
    assert seen[0][1].abs().sum() == 0 < seen[1][1].abs().sum()


# Cut short.


class Enough(Exception):
    pass


def stop_at(epoch: int, step: int | None, error: type[BaseException]) -> Callable[[Learner], None]:
    def callback(learn: Learner) -> None:
        if (len(learn.history) - (learn.step is None), learn.step) == (epoch, step):
            raise error

    return callback


@pytest.mark.parametrize("step", [0, 4, 9, None], ids=["first", "middle", "last", "end of epoch"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, Enough])
@pytest.mark.parametrize("kind", ["by hand", "module", "function"])
def test_what_stops_a_run_keeps_the_finished_epochs_and_their_weights(
    dls: DataLoaders, kind: str, error: type[BaseException], step: int | None
) -> None:
    model, params = twins([8], torch.float32)[kind]
    record = Record(params)
    learn = Learner(dls, model, cbs=[record, stop_at(3, step, error)], quiet=True)
    with pytest.raises(error):
        learn.fit(6, 0.1)
    finished = 3 if step is None else 2
    assert [row["epoch"] for row in learn.history] == list(range(finished + 1))
    assert same(params, record.weights[finished])
    assert not same(params, record.weights[finished - 1])
    assert learn.step is None
    assert learn.stopped is None
    assert learn.validate(dls.train)[0] == pytest.approx(learn.history[-1]["train_loss"], rel=1e-6)
    assert all(p.grad is None for p in params)


def test_training_can_go_on_after_an_interruption(dls: DataLoaders) -> None:
    learn = Learner(dls, LinearClassifier(64, 10), cbs=stop_at(2, 3, KeyboardInterrupt), quiet=True)
    with pytest.raises(KeyboardInterrupt):
        learn.fit(5, 0.3)
    learn.cbs.clear()
    learn.fit(2, 0.3)
    assert [row["epoch"] for row in learn.history] == [0, 1, 2, 3]
    losses = [row["train_loss"] for row in learn.history]
    assert losses == sorted(losses, reverse=True)


def test_a_step_that_is_cut_in_two_leaves_no_gradient_for_the_next_fit(dls: DataLoaders) -> None:
    class Interrupted(torch.optim.SGD):
        calls = 0

        def step(self, closure: Any = None) -> Any:
            self.calls += 1
            if self.calls == 15:
                raise KeyboardInterrupt
            return super().step(closure)

    module = nn.Linear(64, 10)
    learn = Learner(dls, module, opt_func=Interrupted, quiet=True)
    with pytest.raises(KeyboardInterrupt):
        learn.fit(3, 0.1)
    assert [row["epoch"] for row in learn.history] == [0, 1]
    assert all(p.grad is None for p in module.parameters())


def finite(learn: Learner) -> bool:
    return all(math.isfinite(value) for row in learn.history for value in row.values() if value is not None)


@pytest.mark.parametrize("kind", ["by hand", "module", "function"])
def test_a_loss_that_becomes_nan_stops_the_run_and_keeps_the_last_good_weights(dls: DataLoaders, kind: str) -> None:
    model, params = twins([8], torch.float32)[kind]
    record = Record(params)
    learn = Learner(dls, model, opt_func=partial(SGD, momentum=0.9), cbs=record, quiet=True)
    learn.fit(2, 0.05)
    good = [p.detach().clone() for p in params]
    said = (
        r"^the loss became nan at step [2-9] of epoch 3; the weights are those after epoch 2; try a tenth of the rate, "
        "and look whether the inputs lie between 0 and 1$"
    )
    with pytest.warns(RuntimeWarning, match=said):
        learn.fit(5, 1e30)
    assert learn.stopped
    assert len(learn.history) == len(record.weights) == 3
    assert finite(learn)
    assert same(params, good)
    before = learn.history[-1]["train_loss"]
    learn.fit(2, 0.05)  # the velocity that broke the weights is gone too
    assert learn.stopped is None
    assert [row["epoch"] for row in learn.history] == [0, 1, 2, 3, 4]
    assert learn.history[-1]["train_loss"] < before


def test_a_loss_that_breaks_in_the_last_step_of_an_epoch_leaves_no_row(digits) -> None:
    x, y = digits[0][:300].float() / 255, digits[1][:300]
    model = MLP(64, [8], 10, generator=seed(0))
    good = [p.detach().clone() for p in model.parameters()]
    learn = Learner(DataLoaders(DataLoader((x, y), 300)), model, quiet=True)
    with pytest.warns(RuntimeWarning, match="the loss became nan after the last step of epoch 1; .* after epoch 0;"):
        learn.fit(3, 1e30)
    assert len(learn.history) == 1
    assert finite(learn)
    assert same(model.parameters(), good)


def test_an_infinite_loss_stops_the_run_too(dls: DataLoaders) -> None:
    def naive(preds: Tensor, y: Tensor) -> Tensor:
        return -preds.softmax(1).log()[torch.arange(len(y)), y].mean()  # log(0) = -inf, the first seed's trouble

    params = [init_params((64, 10), std=200.0, generator=seed(0)), torch.zeros(10, requires_grad=True)]
    start = params[0].detach().clone()
    learn = Learner(dls, function(params), naive, quiet=True)
    with pytest.warns(
        RuntimeWarning, match="the loss became inf at step 1 of epoch 1; the weights are those after epoch 0"
    ):
        learn.fit(2, 0.1)
    assert torch.equal(params[0], start)
    assert [row["train_loss"] for row in learn.history] == [math.inf]  # the untrained model is as bad as that


# Judging.


def test_validate_is_the_loss_and_the_metrics_over_all_rows(dls: DataLoaders) -> None:
    for kind, (model, _) in twins([8], torch.float32).items():
        learn = Learner(dls, model, metrics=accuracy, quiet=True)
        loss, right = learn.validate()
        with torch.no_grad():
            preds = model(dls.valid.x)
        assert loss == pytest.approx(F.cross_entropy(preds, dls.valid.y).item(), rel=1e-6), kind
        assert right == pytest.approx((preds.argmax(1) == dls.valid.y).float().mean().item())
        assert learn.validate(dls.train)[0] != loss
        assert learn.history == []


def test_a_loader_of_no_rows_is_not_taken_for_the_validation_part(dls: DataLoaders) -> None:
    learn = Learner(dls, LinearClassifier(64, 10), metrics=accuracy, quiet=True)
    assert all(math.isnan(value) for value in learn.validate(DataLoader((dls.train.x[:0], dls.train.y[:0]))))


@pytest.mark.parametrize("loss_func", [cross_entropy, F.cross_entropy, nn.CrossEntropyLoss()], ids=["ours", "F", "nn"])
@pytest.mark.parametrize("kind", ["by hand", "module", "function"])
def test_get_preds_gives_probabilities_in_the_order_of_the_rows(dls: DataLoaders, kind: str, loss_func: Any) -> None:
    model = twins([8], torch.float32)[kind][0]
    learn = Learner(dls, model, loss_func, quiet=True)
    for dl in (None, dls.train):  # the training part is shuffled as it is learnt from, not as it is judged
        probs, labels = learn.get_preds(dl)
        rows = dl or dls.valid
        assert torch.equal(labels, rows.y)
        assert torch.allclose(probs, model(rows.x).detach().softmax(1), rtol=1e-5, atol=1e-7)
        assert torch.allclose(probs.sum(1), torch.ones(len(probs)), atol=1e-6)
        assert (probs >= 0).all()


def test_under_another_loss_get_preds_gives_what_the_model_returns(dls: DataLoaders) -> None:
    model = twins([], torch.float32)["module"][0]
    preds, labels = Learner(dls, model, calc_loss, quiet=True).get_preds()
    assert torch.allclose(preds, model(dls.valid.x).detach(), rtol=1e-6, atol=1e-7)
    assert torch.equal(labels, dls.valid.y)


@pytest.mark.parametrize("kind", ["by hand", "module", "function"])
def test_predict_names_the_class_of_one_image(dls: DataLoaders, digits, kind: str) -> None:
    model = twins([30], torch.float32)[kind][0]
    learn = Learner(dls, model, quiet=True)
    learn.fit(10, 0.3)
    probs, labels = learn.get_preds()
    for row in range(20):
        image = digits[0][600 + row].reshape(8, 8)  # uint8
        name, number, found = learn.predict(image)
        assert name == CLASSES[number]
        assert number == int(probs[row].argmax())
        assert torch.allclose(found, probs[row], atol=1e-6)
        assert torch.allclose(learn.predict(image.flatten().float() / 255)[2], found, atol=1e-6)
    assert float((probs.argmax(1) == labels).float().mean()) > 0.7


def test_predict_takes_an_mnist_image_and_without_names_says_the_number() -> None:
    model = LinearClassifier(784, 10)
    with torch.no_grad():
        model.parameters()[1][7] = 1.0
    data = torch.zeros(2, 784), torch.zeros(2, dtype=torch.long)
    name, number, probs = Learner(DataLoaders(data), model, quiet=True).predict(torch.zeros(28, 28, dtype=torch.uint8))
    assert (name, number) == ("7", 7)
    assert probs.tolist() == pytest.approx([1 / (9 + math.e)] * 7 + [math.e / (9 + math.e)] + [1 / (9 + math.e)] * 2)


def dropouts() -> Iterator[tuple[Any, Any]]:
    """A model with dropout, and the same without: ours, then PyTorch's."""
    ours = [MLP(64, [40], 10, dropout=p, generator=seed(2)) for p in (0.5, 0.0)]
    yield ours[0], ours[1]
    module = nn.Sequential(nn.Linear(64, 40), nn.ReLU(), nn.Dropout(0.5), nn.Linear(40, 10))
    plain = nn.Sequential(nn.Linear(64, 40), nn.ReLU(), nn.Identity(), nn.Linear(40, 10))
    plain.load_state_dict(copy.deepcopy(module.state_dict()))
    yield module, plain


def test_dropout_is_on_while_training_and_off_while_judging(dls: DataLoaders) -> None:
    for model, plain in dropouts():
        modes: list[tuple[bool, bool]] = []

        def note(learn: Learner, modes: list[tuple[bool, bool]] = modes) -> None:
            modes.append((learn.step is None, learn.model.training))

        learn = Learner(dls, model, cbs=note, quiet=True)
        expected = Learner(dls, plain, quiet=True).get_preds()[0]
        assert torch.allclose(learn.get_preds()[0], expected, atol=1e-6)
        assert torch.equal(learn.get_preds()[0], learn.get_preds()[0])
        assert torch.allclose(learn.predict(dls.valid.x[0])[2], expected[0], atol=1e-6)
        batches = [list(DataLoader((dls.train.x, dls.train.y), 64))] * 2
        losses = []
        for each, rows in zip((model, plain), batches, strict=True):
            each.train()
            losses.append([F.cross_entropy(each(xb), yb).item() for xb, yb in rows])
        assert all(a != b for a, b in zip(*losses, strict=True))  # in training mode the mask is there
        learn.fit(2, 0.1)
        assert all(training != between for between, training in modes)
        assert len(modes) == 23


# Weights on the disk.


def models(kind: str) -> tuple[Any, list[Tensor]]:
    if kind == "batch norm":
        module = nn.Sequential(nn.Linear(64, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 10))
        return module, [*module.parameters(), *module.buffers()]
    return twins([8], torch.float32)[kind]


@pytest.mark.parametrize("kind", ["by hand", "module", "function", "batch norm"])
def test_save_and_load_bring_the_weights_back_to_the_bit(dls: DataLoaders, kind: str, tmp_path: Path) -> None:
    model, params = models(kind)
    learn = Learner(dls, model, metrics=accuracy, quiet=True)
    learn.fit(2, 0.1)
    file = learn.save(tmp_path / "mine.safetensors")
    assert file == tmp_path / "mine.safetensors"
    saved, measured = [p.detach().clone() for p in params], learn.validate()
    learn.fit(1, 0.1)
    assert not same(params, saved)
    learn.load(file)
    assert same(params, saved)
    assert learn.validate() == measured
    other, other_params = models(kind)
    loaded = Learner(dls, other, metrics=accuracy, quiet=True)
    loaded.load(str(file))
    assert same(other_params, saved)
    assert loaded.validate() == measured
    assert [path.name for path in tmp_path.iterdir()] == ["mine.safetensors"]


def test_weights_of_another_model_are_one_line_and_change_nothing(dls: DataLoaders, tmp_path: Path) -> None:
    file = Learner(dls, MLP(64, [8], 10), quiet=True).save(tmp_path / "mlp.safetensors")
    for model, words in (
        (MLP(64, [9], 10), r"0\.weight has shape \(8, 64\), the model wants \(9, 64\)"),
        (LinearClassifier(64, 10), r"missing nothing, unknown 2\.bias, 2\.weight"),
        (
            nn.Sequential(nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 10), nn.Linear(10, 10)),
            r"missing 3\.bias, 3\.weight",
        ),
    ):
        before = [p.detach().clone() for p in model.parameters()]
        with pytest.raises(DataError, match=words) as caught:
            Learner(dls, model, quiet=True).load(file)
        assert str(file) in str(caught.value)
        assert "\n" not in str(caught.value)
        assert same(list(model.parameters()), before)


def test_frozen_parameters_do_not_move(dls: DataLoaders) -> None:
    for kind in ("by hand", "module"):
        for frozen, opt in itertools.product(([0, 1], [2, 3], [1]), (SGD, Adam, torch.optim.SGD)):
            model, params = twins([8], torch.float32)[kind]
            for i in frozen:
                params[i].requires_grad_(False)
            before = [p.detach().clone() for p in params]
            Learner(dls, model, opt_func=opt, quiet=True).fit(1, 0.01)
            moved = [i for i, (p, was) in enumerate(zip(params, before, strict=True)) if not torch.equal(p, was)]
            assert moved == [i for i in range(4) if i not in frozen], (kind, opt)


def test_quiet_prints_nothing(dls: DataLoaders, capfd: pytest.CaptureFixture[str]) -> None:
    learn = Learner(dls, LinearClassifier(64, 10), metrics=accuracy, quiet=True)
    learn.fit(1)
    learn.fit_one_cycle(1)
    learn.validate()
    learn.get_preds()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("units", "threads"), [(10, 1), (2000, 2)])
def test_small_steps_take_one_thread_and_give_the_others_back(units: int, threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        rows = torch.rand(300, 64), torch.arange(300) % 10
        seen: set[int] = set()
        learn = Learner(DataLoaders(DataLoader(rows, 256)), MLP(64, [units], 10), quiet=True)
        learn.cbs.append(lambda learn: learn.step is not None and seen.add(torch.get_num_threads()))
        learn.fit(1, 0.1)
        assert seen == {threads}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
