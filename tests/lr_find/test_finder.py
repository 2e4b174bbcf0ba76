"""The rate that a learner finds, on real data: no trace left, invariances, and answers or refusals in odd cases."""

import math
import random
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.utils.data import DataLoader as TorchDataLoader
from torch.utils.data import TensorDataset

import byhand
from byhand import (
    MLP,
    SGD,
    Adam,
    DataError,
    DataLoader,
    DataLoaders,
    Learner,
    LinearClassifier,
    flat_cos,
    init_params,
)
from byhand.lr_find.finder import auto_lr
from byhand.lr_find.range_test import minimum, slide, steep, valley

pytestmark = pytest.mark.usefixtures("one_thread")


@cache
def digits() -> tuple[Tensor, Tensor]:
    data = load_digits()
    order = torch.randperm(len(data.data), generator=torch.Generator().manual_seed(1))
    return torch.as_tensor(data.data / 16, dtype=torch.float32)[order], torch.as_tensor(data.target)[order]


def seed(number: int) -> torch.Generator:
    return torch.Generator().manual_seed(number)


def learner(
    model: Any = None,
    x: Tensor | None = None,
    y: Tensor | None = None,
    batch_size: int = 256,
    order: int = 0,
    **given: Any,
) -> Learner:
    x, y = digits()[0] if x is None else x, digits()[1] if y is None else y
    model = LinearClassifier(x.shape[1], 10) if model is None else model
    dls = DataLoaders(DataLoader((x, y), batch_size, shuffle=True, generator=seed(order)))
    return Learner(dls, model, **{"quiet": True, **given})


def rate(learn: Learner, n_epoch: int = 200) -> float:
    return auto_lr(learn, n_epoch, flat_cos).lr


# No trace.


class Noisy(nn.Module):
    """A module with all that a trial might change: buffers, dropout, generators, running statistics."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(64, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Dropout(0.2), nn.Linear(12, 10))
        self.generator = seed(4)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x + 0.01 * torch.rand(x.shape, generator=self.generator))


def function() -> Any:
    w, b = init_params((64, 10), 0.01, seed(5)), init_params(10, 0, seed(6))
    return lambda x: x @ w + b


MODELS: dict[str, Any] = {
    "linear": lambda: LinearClassifier(64, 10),
    "mlp with dropout": lambda: MLP(64, [12], 10, dropout=0.2, generator=seed(3)),
    "module": Noisy,
    "function": function,
}
OPTS: dict[str, Any] = {
    "sgd": SGD,
    "momentum": partial(SGD, momentum=0.9, weight_decay=1e-3),
    "adam": Adam,
    "torch's sgd": partial(torch.optim.SGD, lr=1e-3, momentum=0.5),
    "torch's adamw": torch.optim.AdamW,
}


def loader(kind: str) -> Any:
    x, y = (rows[:300] for rows in digits())
    if kind == "byhand":
        return DataLoader((x, y), 64, shuffle=True, generator=seed(8))
    if kind == "byhand, in order":
        return DataLoader((x, y), 64)
    if kind == "byhand, torch's randomness":
        return DataLoader((x, y), 64, shuffle=True)
    return TorchDataLoader(TensorDataset(x, y), 64, shuffle=kind != "torch, in order", drop_last=True)


LOADERS = ["byhand", "byhand, in order", "byhand, torch's randomness", "torch", "torch, in order"]


def numbers(learn: Learner) -> list[Tensor]:
    """Every number that makes the learner what it is."""
    model = learn.model
    tensors = list(model.state_dict().values()) if hasattr(model, "state_dict") else list(learn._parameters().values())
    state: Any = learn.optimizer().state_dict()
    inner = state["state"].values() if "state" in state else [state]
    return [*tensors, *(value for some in inner for value in some.values() if isinstance(value, Tensor))]


@pytest.mark.parametrize("kind", LOADERS)
@pytest.mark.parametrize("opt", OPTS)
@pytest.mark.parametrize("model", MODELS)
def test_a_fit_after_a_search_is_the_fit_without_it_to_the_bit(model: str, opt: str, kind: str) -> None:
    """With the fit before and the one after: 4 models × 5 optimizers × 5 loaders, 100 of 100."""
    results: list[Any] = []
    for search in (False, True):
        torch.manual_seed(0)
        random.seed(0)
        np.random.seed(0)  # noqa: NPY002
        learn = Learner(DataLoaders(loader(kind)), MODELS[model](), opt_func=OPTS[opt], quiet=True)
        learn.fit(1, 0.01)
        if search:
            before, history = [t.clone() for t in numbers(learn)], [dict(row) for row in learn.history]
            learn.lr_find(num_it=20, orders=2, n_epoch=3, show_plot=False)
            assert all(torch.equal(a, b) for a, b in zip(before, numbers(learn), strict=True))
            assert (learn.history, learn.step, learn.stopped) == (history, None, None)
        learn.fit(1, 0.01)
        rows = [{name: value for name, value in row.items() if name != "seconds"} for row in learn.history]
        drawn = torch.rand(3).tolist(), random.random(), np.random.random()  # noqa: NPY002, S311
        results.append(([t.clone() for t in numbers(learn)], rows, drawn))
    (plain, *rest), (searched, *others) = results
    assert len(plain) == len(searched) > 1
    assert all(torch.equal(a, b) for a, b in zip(plain, searched, strict=True))
    assert rest == others


def test_gradients_and_modes_are_left_alone() -> None:
    net = nn.Sequential(nn.Linear(64, 10))
    learn = learner(net)
    net.eval()
    net(digits()[0]).sum().backward()
    grad = net[0].weight.grad
    kept = grad.clone()
    learn.lr_find(num_it=10, orders=1)
    assert net[0].weight.grad is grad
    assert torch.equal(grad, kept)
    assert not net.training
    assert learn.optimizer().state_dict() == {}


# Invariances.


@pytest.mark.parametrize("c", [3.0, 32.0, 255.0])
def test_inputs_c_times_as_large_give_a_linear_model_one_c_squared_th_of_the_rate(c: float) -> None:
    x = digits()[0]
    assert rate(learner(x=c * x)) == pytest.approx(rate(learner()) / c**2, rel=0.2)  # the bias's 1 is not scaled


def test_permuting_classes_or_pixels_leaves_the_rate_as_it_is() -> None:
    x, y = digits()
    pixels, classes = torch.randperm(64, generator=seed(0)), torch.randperm(10, generator=seed(1))
    for opt in (SGD, Adam):
        expected = rate(learner(opt_func=opt))
        assert rate(learner(x=x[:, pixels], opt_func=opt)) == pytest.approx(expected, rel=1e-3)
        assert rate(learner(y=classes[y], opt_func=opt)) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("hidden", [None, 16])
@pytest.mark.parametrize("opt", [SGD, Adam])
def test_twenty_orders_and_samples_agree_within_a_factor_of_two_around_their_middle(
    hidden: int | None, opt: Any
) -> None:
    x, y = digits()
    rates = []
    for number in range(20):
        rows = torch.randperm(len(x), generator=seed(number))
        model = MLP(64, [hidden], 10, generator=seed(number)) if hidden else None
        rates.append(rate(learner(model, x[rows], y[rows], order=number, opt_func=opt)))
    middle = float(np.median(rates))
    assert all(middle / 2.01 <= lr <= 2.01 * middle for lr in rates), sorted(rates)


@pytest.mark.parametrize("momentum", [0.5, 0.9])
def test_momentum_lowers_the_rate_by_what_it_adds_up(momentum: float) -> None:
    lr = rate(learner(opt_func=partial(SGD, momentum=momentum)))
    assert 0.35 < lr / ((1 - momentum) * rate(learner())) < 2.9


# What the rate does.

VIEWS: dict[str, Any] = {
    "as they are": lambda x: x,
    "dark on light": lambda x: 1 - x,
    "standardised": lambda x: (x - x.mean()) / x.std(),
    "bytes as numbers": lambda x: 255 * x,
    "black and white": lambda x: (x > 0.5).float(),
    "of equal length": lambda x: x / x.norm(dim=1, keepdim=True),
    "dim": lambda x: 0.1 * x,
}


@pytest.mark.parametrize("opt", [SGD, Adam])
@pytest.mark.parametrize("batch_size", [16, 256])
@pytest.mark.parametrize("view", VIEWS)
def test_the_rate_trains_a_linear_model_however_the_inputs_are_scaled(view: str, batch_size: int, opt: Any) -> None:
    learn = learner(x=VIEWS[view](digits()[0]), batch_size=batch_size, opt_func=opt)
    learn.fit_schedule(20, flat_cos(rate(learn, 20)))
    assert learn.stopped is None
    assert (learn.history[-1]["train_loss"] or 0.0) < (0.9 if view == "dim" else 0.35) * math.log(10)


@pytest.mark.parametrize("opt", [SGD, Adam, partial(torch.optim.SGD, momentum=0.9), torch.optim.RMSprop])
@pytest.mark.parametrize("view", ["as they are", "standardised", "bytes as numbers"])
def test_the_rate_trains_a_module_too(view: str, opt: Any) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    learn = learner(net, x=VIEWS[view](digits()[0]), opt_func=opt)
    learn.fit_schedule(30, flat_cos(rate(learn, 30)))
    assert learn.stopped is None
    assert (learn.history[-1]["train_loss"] or 0.0) < 0.3 * math.log(10)


def test_noise_without_a_rule_gets_the_rate_that_cannot_raise_the_loss() -> None:
    x, y = torch.rand(1000, 50, generator=seed(0)), torch.randint(10, (1000,), generator=seed(1))
    learn = learner(x=x, y=y)
    learn.fit_schedule(30, flat_cos(rate(learn, 30)))
    losses = [row["train_loss"] or 0.0 for row in learn.history]
    assert max(losses) < 1.02 * math.log(10)
    assert losses[-1] < losses[0]


def test_a_start_with_large_weights_is_searched_from_there() -> None:
    learn = learner(LinearClassifier(64, 10, "normal:1", seed(0)))
    start = learn.validate(learn.dls.train)[0]
    learn.fit_schedule(20, flat_cos(rate(learn, 20)))
    assert (learn.history[-1]["train_loss"] or 9.0) < 0.2 * start


@pytest.mark.full
@pytest.mark.parametrize(("hidden", "bar"), [(None, 0.917), (30, 0.96)])
def test_genuine_mnist_is_learnt_with_it(mnist_path: Path, hidden: int | None, bar: float) -> None:
    data = byhand.load(mnist_path)
    model = MLP(784, [hidden], 10, generator=seed(0)) if hidden else LinearClassifier(784, 10)
    learn = Learner(data.loaders(), model, metrics=byhand.accuracy, quiet=True)
    learn.fit_schedule(20, flat_cos(rate(learn, 20)))
    assert (learn.history[-1]["valid_accuracy"] or 0.0) > bar


# The range test beside it.


def test_lr_find_gives_the_rate_the_rules_and_the_curve() -> None:
    learn = learner(MLP(64, [16], 10, generator=seed(0)))
    found = learn.lr_find(orders=3)
    assert found.low <= found.lr <= found.high
    assert found.rule.startswith("by short trials around ")
    assert found.lr == rate_of(learn)
    assert len(found.curves) == 3
    assert found.curve is found.curves[0]
    assert len(found.curve.lrs) == len(found.curve.losses) <= 100
    assert found.curve.lrs[0] == pytest.approx(1e-7)
    assert found.suggestions.keys() == {"valley", "slide", "minimum", "steep"}
    for name, lr in found.suggestions.items():
        low, high = found.ranges[name] or (0, 0)
        assert getattr(found, name) == lr
        assert 1e-8 <= low <= (lr or 0) <= high <= 10
    assert found.steps > 0
    assert found.seconds > 0


def rate_of(learn: Learner) -> float:
    return learn.lr_find(num_it=1, orders=1).lr


def test_lr_find_unpacks_as_fastais_result_does() -> None:
    learn = learner()
    found = learn.lr_find(orders=2)
    assert list(found) == [found.valley]
    rules = (minimum, steep, valley, slide)
    assert list(learn.lr_find(orders=2, suggest_funcs=rules)) == [found.minimum, found.steep, found.valley, found.slide]
    assert list(learn.lr_find(1e-5, 1, 50, True, False, steep, orders=1)) != [None]


def test_lr_find_is_the_same_each_time_and_learns_the_runs_length() -> None:
    learn = learner(MLP(64, [16], 10, generator=seed(0)))
    first, second = learn.lr_find(orders=2), learn.lr_find(orders=2)
    assert (first.lr, first.curves) == (second.lr, second.curves)
    assert learn.lr_find(orders=1, n_epoch=2000).steps > learn.lr_find(orders=1, n_epoch=100).steps
    assert learn.lr_find(orders=1, num_it=10, end_lr=1e-3).curve.lrs[-1] < 1e-3


@pytest.mark.parametrize("wrong", [{"start_lr": 0.0}, {"start_lr": 2.0, "end_lr": 1.0}, {"num_it": 0}, {"orders": 0}])
def test_a_range_that_is_none_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="lr_find needs 0 < start_lr < end_lr"):
        learner().lr_find(**wrong)


def test_the_picture_shows_every_order_and_every_rule(tmp_path: Path) -> None:
    found = learner().lr_find(orders=3)
    for name in ("x.svg", "x.png"):
        found.save_plot(tmp_path / name)
    assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
    text = (tmp_path / "x.svg").read_text(encoding="utf-8")
    assert "<svg" in text
    figure = found.plot()
    labels = [entry.get_text() for entry in figure.axes[0].get_legend().get_texts()]
    assert [label.split()[0] for label in labels] == ["range", "valley", "slide", "minimum", "steep", "by"]
    from matplotlib import pyplot

    pyplot.close(figure)
    with pytest.raises(DataError, match="cannot write"):
        found.save_plot(tmp_path / "nowhere" / "x.png")


# Odd cases: an answer, or one line.


def test_inputs_that_are_no_numbers_are_refused_and_a_fit_takes_the_guess_all_the_same() -> None:
    x = digits()[0].clone()
    x[:, 3] = math.nan
    learn = learner(MLP(64, [8], 10), x=x)
    with pytest.raises(DataError, match="the loss is nan before any step"):
        learn.lr_find()
    with pytest.warns(RuntimeWarning, match="the loss became nan"):
        learn.fit(1)


def test_a_loss_that_never_moves_is_refused() -> None:
    net = nn.Linear(64, 10)
    learn = learner(net, loss_func=lambda preds, y: (0 * preds).sum() + 1)
    with pytest.raises(DataError, match="no rate makes the loss fall"):
        learn.lr_find()
    lr, low, high = (getattr(auto_lr(learn, 3, flat_cos), name) for name in ("lr", "low", "high"))
    assert low == lr == high < 10


def test_no_parameter_and_no_batch_are_refused() -> None:
    with pytest.raises(ValueError, match="no parameter that requires a gradient"):
        learner(nn.Linear(64, 10).requires_grad_(False)).lr_find()
    x, y = digits()
    empty = Learner(DataLoaders(DataLoader((x[:0], y[:0]), 8)), LinearClassifier(64, 10), quiet=True)
    with pytest.raises(DataError, match="has no batch"):
        empty.lr_find()


@pytest.mark.parametrize("hidden", [None, 8])
@pytest.mark.parametrize("opt", [SGD, Adam, torch.optim.Adam])
@pytest.mark.parametrize("rows", [1, 2, 10, 60, 256])
def test_one_batch_is_enough(rows: int, opt: Any, hidden: int | None) -> None:
    x, y = (part[:rows] for part in digits())
    learn = learner(MLP(64, [hidden], 10, generator=seed(0)) if hidden else None, x=x, y=y, opt_func=opt)
    choice = auto_lr(learn, 20, flat_cos)
    assert 1e-5 < choice.lr < 50
    learn.fit_schedule(20, flat_cos(choice.lr))
    assert learn.stopped is None
    assert (learn.history[-1]["train_loss"] or 0.0) < (learn.history[0]["train_loss"] or 0.0)


@pytest.mark.parametrize("opt", [SGD, Adam])
def test_two_classes_and_inputs_that_are_all_alike_get_a_sound_rate(opt: Any) -> None:
    x, y = digits()
    two = learner(LinearClassifier(64, 2), y=(y % 2), opt_func=opt)
    two.fit_schedule(20, flat_cos(rate(two, 20)))
    assert (two.history[-1]["train_loss"] or 9.0) < 0.5 * math.log(2)
    for value in (0.0, 1.0):
        alike = learner(x=torch.full_like(x, value), opt_func=opt)
        lr = rate(alike, 5)
        assert 1e-4 < lr < 30
        alike.fit_schedule(5, flat_cos(lr))
        assert (alike.history[-1]["train_loss"] or 9.0) < 1.05 * math.log(10)


def test_sorted_rows_that_are_not_shuffled_are_searched_as_they_come() -> None:
    x, y = digits()
    order = y.argsort(stable=True)
    for dl in (DataLoader((x[order], y[order]), 64), TorchDataLoader(TensorDataset(x[order], y[order]), 64)):
        learn = Learner(DataLoaders(dl), LinearClassifier(64, 10), quiet=True)
        with learn.rehearsal(10) as rehearsal:
            assert rehearsal.held_y.bincount(minlength=10).min() > 10
            firsts = [yb for _, yb in rehearsal.batches(10)]
        assert max(len(yb.unique()) for yb in firsts) <= 2
        assert len(torch.cat(firsts).unique()) >= 8
        assert 0.01 < rate(learn, 20) < 10


def test_the_search_takes_rows_to_judge_by_that_it_does_not_learn_from() -> None:
    x, y = torch.arange(1000.0).unsqueeze(1), torch.zeros(1000, dtype=torch.long)
    for dl in (DataLoader((x, y), 64, shuffle=True), DataLoader((x, y), 64)):
        learn = Learner(DataLoaders(dl), LinearClassifier(1, 2), quiet=True)
        with learn.rehearsal(40) as rehearsal:
            held = set(rehearsal.held_x.flatten().tolist())
            learnt = {value for xb, _ in rehearsal.batches(40) for value in xb.flatten().tolist()}
            assert len(held) == 250
            assert not held & learnt
            assert learnt | held <= set(x.flatten().tolist())
            again = [xb.tolist() for xb, _ in rehearsal.batches(40)]
            assert again == [xb.tolist() for xb, _ in rehearsal.batches(40)]


def test_a_run_over_one_batch_is_tried_on_all_its_rows_weighted_or_repeated() -> None:
    x, y = (part[:60] for part in digits())
    times = torch.randint(1, 4, (60,), generator=seed(1))
    share = times / times.float().mean()
    weighted = learner(x=x, y=torch.nn.functional.one_hot(y, 10) * share.unsqueeze(1))
    repeated = learner(x=x.repeat_interleave(times, dim=0), y=y.repeat_interleave(times))
    assert rate(weighted, 100) == pytest.approx(rate(repeated, 100), rel=1e-4)
    with repeated.rehearsal(10) as rehearsal:
        assert len(rehearsal.held_y) == len(rehearsal.y) == int(times.sum())


def test_a_search_counts_few_steps_beside_the_run(mnist_path: Path) -> None:
    data = byhand.load(mnist_path)
    for model, share in ((LinearClassifier(784, 10), 0.05), (MLP(784, [30], 10, generator=seed(0)), 0.15)):
        learn = Learner(data.loaders(), model, quiet=True)
        found = learn.lr_find(num_it=1, orders=1, n_epoch=20, schedule=flat_cos)
        assert 0 < found.steps < share * 20 * len(learn.dls.train)
