"""A recorded step is the step: played on its own places in memory, it leaves the same weights. No GPU is needed."""

import itertools
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

import byhand
from byhand import capture
from byhand.capture import Captured, can_capture
from byhand.data.loader import DataLoader, loaders
from byhand.model import MLP, LinearClassifier, Sequential
from byhand.optim import SGD, Adam, flat_cos

DATA = byhand.load("digits")


def learner(**opt: Any) -> byhand.Learner:
    generator = torch.Generator().manual_seed(1)
    model = MLP(64, [20], 10, dropout=0.2, generator=generator, batch_norm=True)
    dls = loaders(DATA.train, DATA.valid, 100)  # 1,294 rows: the last batch of a pass is short
    return byhand.Learner(dls, model, opt_func=partial(SGD, **opt), metrics=byhand.accuracy, quiet=True)


def state(learn: byhand.Learner) -> dict[str, Tensor]:
    assert isinstance(learn.model, Sequential)
    return learn.model.state_dict()


@pytest.fixture
def recording(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Record on the processor too; the list grows by the number of a recording's rows."""
    monkeypatch.setattr(capture, "_DEVICES", ("cpu",))
    recorded: list[int] = []
    record = Captured._record  # pyright: ignore[reportPrivateUsage]

    def watched(self: Captured, opt: SGD, xb: Tensor, yb: Tensor) -> Any:
        recorded.append(len(yb))
        return record(self, opt, xb, yb)

    monkeypatch.setattr(Captured, "_record", watched)
    return recorded


@pytest.mark.parametrize(
    "opt",
    [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True, "weight_decay": 1e-3}, {"weight_decay": 1e-3}],
    ids=str,
)
def test_a_run_of_played_steps_is_that_of_plain_ones(
    opt: dict[str, Any], recording: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    played, plain = learner(**opt), learner(**opt)
    played.fit_schedule(4, flat_cos(0.05))
    assert recording == [100]
    monkeypatch.setattr(capture, "_DEVICES", ())
    plain.fit_schedule(4, flat_cos(0.05))
    assert recording == [100]
    for name, numbers in state(plain).items():
        torch.testing.assert_close(state(played)[name], numbers, rtol=1e-4, atol=1e-5)
    for ours, theirs in zip(played.history, plain.history, strict=True):
        assert ours["train_loss"] == pytest.approx(theirs["train_loss"], rel=1e-4)


def test_another_optimizer_other_numbers_or_other_memory_are_recorded_anew(recording: list[int]) -> None:
    learn = learner(momentum=0.5)
    learn.fit(1, 0.05)
    learn.fit(1, 0.05)
    assert len(recording) == 1
    opt = learn.optimizer()
    opt.momentum = 0.6
    learn.fit(1, 0.05)
    assert len(recording) == 2
    opt.load_state_dict(opt.state_dict())  # the momenta lie elsewhere now
    learn.fit(1, 0.05)
    assert len(recording) == 3
    learn.opt = None
    learn.fit(1, 0.05)
    assert len(recording) == 4


def test_the_rate_of_each_step_counts_and_the_optimizer_keeps_its_own() -> None:
    def step(opt: SGD, xb: Tensor, yb: Tensor) -> Tensor:
        seen.append(float(opt.lr))
        return xb.sum() + yb.sum()

    seen: list[float] = []
    captured, opt = Captured(step), SGD([torch.zeros(2)], lr=0.5)
    losses: list[float] = []
    for i in range(6):
        opt.lr = 2.0**-i
        losses.append(float(captured(opt, torch.full((2, 1), i), torch.tensor([0, 1]))))
    assert seen == [2.0**-i for i in range(6)]
    assert losses == [2 * i + 1 for i in range(6)]
    assert opt.lr == 2.0**-5
    assert float(captured(opt, torch.ones(1, 1), torch.tensor([0]))) == 1  # a short batch is not played
    assert len(seen) == 7


def test_a_step_that_fails_leaves_the_rate() -> None:
    def step(opt: SGD, xb: Tensor, yb: Tensor) -> Tensor:
        if isinstance(opt.lr, Tensor):
            raise ValueError("no")
        return torch.tensor(1.0)

    captured, opt = Captured(step), SGD([torch.zeros(2)], lr=0.5)
    xb, yb = torch.zeros(2, 1), torch.zeros(2)
    for _ in range(3):
        captured(opt, xb, yb)
    with pytest.raises(ValueError, match="no"):
        captured(opt, xb, yb)
    assert opt.lr == 0.5


def test_what_can_be_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    model, dl = LinearClassifier(64, 10), DataLoader(DATA.train, 100)
    opt = SGD(model.parameters())
    assert not can_capture(model, opt, dl)
    monkeypatch.setattr(capture, "_DEVICES", ("cpu",))
    assert can_capture(model, opt, dl)
    assert not can_capture(model, Adam(model.parameters()), dl)
    assert not can_capture(torch.nn.Linear(64, 10), opt, dl)
    assert not can_capture(LinearClassifier(64, 9), opt, dl)
    assert not can_capture(model, opt, DataLoader((torch.zeros(3, 64), torch.tensor([0, 1, -1])), 100))
    assert not can_capture(model, opt, DataLoader((torch.zeros(3, 64), torch.zeros(3)), 100))
    assert not can_capture(model, opt, [(torch.zeros(1, 64), torch.zeros(1))])


def test_a_rate_that_is_a_tensor_is_the_same_rate() -> None:
    for lr, momentum in itertools.product((0.1, 0.7), (0.0, 0.9)):
        one, other = torch.ones(5), torch.ones(5)
        for p, rate in ((one, lr), (other, torch.tensor(lr))):
            opt = SGD([p], lr=0.0, momentum=momentum)
            opt.lr = rate
            for i in range(3):
                p.grad = torch.full((5,), i + 0.3)
                opt.step()
        torch.testing.assert_close(one, other)
