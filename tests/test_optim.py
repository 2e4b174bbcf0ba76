"""The optimizers equal torch.optim's step by step, and the schedules fastai's and PyTorch's formulas."""

import itertools
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from byhand.loss import cross_entropy
from byhand.optim import SGD, Adam, constant, flat_cos, one_cycle, set_lr

STEPS = 100
SGD_OPTIONS: list[dict[str, Any]] = [
    {"momentum": momentum, "dampening": dampening, "weight_decay": weight_decay, "nesterov": nesterov}
    for momentum, dampening, weight_decay, nesterov in itertools.product(
        [0.0, 0.9], [0.0, 0.3], [0.0, 0.01], [False, True]
    )
    if not nesterov or (momentum and not dampening)
]
ADAM_OPTIONS: list[dict[str, Any]] = [
    {"betas": betas, "eps": eps, "weight_decay": weight_decay}
    for betas, eps, weight_decay in itertools.product([(0.9, 0.999), (0.0, 0.5)], [1e-8, 1e-3], [0.0, 0.01])
]
CASES = [(SGD, torch.optim.SGD, options) for options in SGD_OPTIONS] + [
    (Adam, torch.optim.Adam, options) for options in ADAM_OPTIONS
]


def start() -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    shapes = [(5, 4), (4,), (1, 3)]
    return [torch.randn(shape, dtype=torch.float64, generator=generator).requires_grad_() for shape in shapes]


def gradients(params: list[Tensor], step: int) -> None:
    """Every parameter's gradient; the last one has none in every third step."""
    generator = torch.Generator().manual_seed(100 + step)
    for p in params:
        p.grad = torch.randn(p.shape, dtype=torch.float64, generator=generator) + p.detach()
    if step % 3 == 0:
        params[-1].grad = None


@pytest.mark.parametrize(("ours", "theirs", "options"), CASES, ids=[f"{c[0].__name__} {c[2]}" for c in CASES])
def test_100_steps_equal_torch_optims(ours: Any, theirs: Any, options: dict[str, Any]) -> None:
    mine, reference = start(), start()
    by_hand, by_torch = ours(mine, lr=0.05, **options), theirs(reference, lr=0.05, **options)
    for step in range(STEPS):
        lr = 0.05 / (1 + step)  # a rate that changes, as under a schedule
        set_lr(by_hand, lr)
        set_lr(by_torch, lr)
        for params, opt in ((mine, by_hand), (reference, by_torch)):
            gradients(params, step)
            opt.step()
            opt.zero_grad()
        for a, b in zip(mine, reference, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("ours", [SGD, Adam])
def test_without_a_rate_torchs_default_holds(ours: Any) -> None:
    theirs = getattr(torch.optim, ours.__name__)
    assert ours(start()).lr == theirs(start()).param_groups[0]["lr"] == 1e-3


@pytest.mark.parametrize(("ours", "options"), [(SGD, {"momentum": 0.9, "nesterov": True}), (Adam, {})])
def test_steps_repeat_to_the_bit_and_change_no_gradient(ours: Any, options: dict[str, Any]) -> None:
    results: list[list[Tensor]] = []
    for _ in range(2):
        params = start()
        opt = ours(iter(params), lr=0.1, weight_decay=0.1, **options)
        for step in range(10):
            gradients(params, step + 1)
            before = [None if p.grad is None else p.grad.clone() for p in params]
            opt.step()
            for p, grad in zip(params, before, strict=True):
                assert (p.grad is None) == (grad is None)
                assert grad is None or torch.equal(grad, p.grad)
        results.append([p.detach() for p in params])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


@pytest.mark.parametrize(
    ("ours", "options"),
    [(SGD, {"lr": 0.5}), (SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True}), (Adam, {"lr": 0.05})],
)
def test_they_find_the_minimum_of_a_convex_loss(ours: Any, options: dict[str, Any]) -> None:
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(60, 4, dtype=torch.float64, generator=generator)
    y = torch.randint(3, (60,), generator=generator)
    w = torch.zeros(4, 3, dtype=torch.float64).requires_grad_()
    opt = ours([w], **options)
    for _ in range(300):
        opt.zero_grad()
        cross_entropy(x @ w, y).backward()
        opt.step()
    assert w.grad is not None
    assert w.grad.abs().max() < 1e-5
    assert w.requires_grad
    assert w.is_leaf


def test_a_decay_that_leaves_biases_alone_is_torchs_with_a_group_of_them() -> None:
    torch.manual_seed(0)
    mine, theirs = ([torch.ones(3, 2, requires_grad=True), torch.ones(3, requires_grad=True)] for _ in range(2))
    ours = SGD(mine, 0.1, momentum=0.5, weight_decay=0.3, decay_bias=False)
    groups = [{"params": theirs[:1], "weight_decay": 0.3}, {"params": theirs[1:]}]
    reference = torch.optim.SGD(groups, 0.1, momentum=0.5)
    for _ in range(5):
        for p, q in zip(mine, theirs, strict=True):
            p.grad = torch.randn(p.shape)
            q.grad = p.grad.clone()
        ours.step()
        reference.step()
    for p, q in zip(mine, theirs, strict=True):
        assert torch.allclose(p, q)


def test_autograd_goes_on_after_a_step() -> None:
    """A step is made in inference mode; its result must still be an ordinary leaf that the next graph can use."""
    for ours in (SGD, Adam):
        w = torch.ones(3, requires_grad=True)
        opt = ours([w], lr=0.1)
        for _ in range(2):
            (w * w).sum().backward()
            opt.step()
            opt.zero_grad()
            assert w.grad is None
        assert not w.is_inference()


@pytest.mark.parametrize(
    ("ours", "options", "what"),
    [
        (SGD, {"lr": -0.1}, "lr"),
        (SGD, {"lr": math.nan}, "lr"),
        (SGD, {"momentum": -0.9}, "momentum"),
        (SGD, {"weight_decay": -1.0}, "weight_decay"),
        (SGD, {"nesterov": True}, "Nesterov"),
        (SGD, {"nesterov": True, "momentum": 0.9, "dampening": 0.1}, "Nesterov"),
        (Adam, {"lr": -0.1}, "lr"),
        (Adam, {"eps": -1e-8}, "eps"),
        (Adam, {"weight_decay": -1.0}, "weight_decay"),
        (Adam, {"betas": (1.0, 0.999)}, "betas"),
        (Adam, {"betas": (0.9, -0.1)}, "betas"),
    ],
)
def test_what_torch_refuses_is_refused(ours: Any, options: dict[str, Any], what: str) -> None:
    with pytest.raises(ValueError, match=what) as error:
        ours(start(), **options)
    assert "\n" not in str(error.value)
    if not math.isnan(options.get("lr", 0.0)):  # torch takes a rate of nan
        with pytest.raises(ValueError, match=r"."):
            getattr(torch.optim, ours.__name__)(start(), **options)


@pytest.mark.parametrize("steps", [2, 10, 235])
@pytest.mark.parametrize("pct_start", [0.1, 0.25, 0.5])
def test_one_cycle_is_pytorchs_where_both_know_the_run_by_its_steps(steps: int, pct_start: float) -> None:
    lr_max, div, div_final = 0.3, 25.0, 1e5
    total = steps * 20
    opt = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        opt,
        lr_max,
        total_steps=total,
        pct_start=pct_start,
        div_factor=div,
        final_div_factor=div_final / div,  # PyTorch divides the first rate, fastai the largest
        cycle_momentum=False,
    )
    ours = one_cycle(lr_max, pct_start, div, div_final)
    peak = pct_start * total - 1  # the step at which PyTorch's rate is largest
    for step in range(total):
        done = (
            pct_start * step / peak if step <= peak else 1 - (1 - pct_start) * (total - 1 - step) / (total - 1 - peak)
        )
        assert ours(done) == pytest.approx(theirs.get_last_lr()[0], rel=1e-9, abs=1e-15)
        opt.step()
        if step + 1 < total:
            theirs.step()


def fastai_cos(start: float, end: float, pos: float) -> float:
    """fastai's SchedCos, from its documentation."""
    return start + (1 + math.cos(math.pi * (1 - pos))) * (end - start) / 2


@pytest.mark.parametrize("pct_start", [0.0, 0.25, 0.75])
def test_schedules_are_fastais(pct_start: float) -> None:
    for done in torch.linspace(0, 1, 101, dtype=torch.float64).tolist():
        up, down = done / (pct_start or 1), (done - pct_start) / (1 - pct_start)
        cycle = fastai_cos(0.4 / 25, 0.4, up) if done < pct_start else fastai_cos(0.4, 0.4 / 1e5, down)
        flat = 0.4 if done < pct_start else fastai_cos(0.4, 0.0, down)
        assert one_cycle(0.4, pct_start)(done) == pytest.approx(cycle, rel=1e-12, abs=1e-16)
        assert flat_cos(0.4, pct_start)(done) == pytest.approx(flat, rel=1e-12, abs=1e-16)
        assert constant(0.4)(done) == 0.4


def test_the_schedules_landmarks() -> None:
    cycle, flat = one_cycle(0.5), flat_cos(0.5)
    assert [cycle(done) for done in (0, 0.25, 1)] == pytest.approx([0.02, 0.5, 5e-6])
    assert [flat(done) for done in (0, 0.74, 0.875, 1)] == pytest.approx([0.5, 0.5, 0.25, 0])
    rates = [cycle(k / 1000) for k in range(1001)]
    assert max(range(1001), key=rates.__getitem__) == 250
    assert all(b > a for a, b in itertools.pairwise(rates[:251]))
    assert all(b < a for a, b in itertools.pairwise(rates[250:]))


@pytest.mark.parametrize("pct_start", [-0.1, 1.0, math.nan])
@pytest.mark.parametrize("schedule", [one_cycle, flat_cos])
def test_a_turning_point_outside_the_run_is_refused(schedule: Any, pct_start: float) -> None:
    with pytest.raises(ValueError, match="pct_start is"):
        schedule(0.1, pct_start)


def test_set_lr_sets_every_group_of_torchs_optimizers() -> None:
    a, b = start()[:2]
    theirs = torch.optim.SGD([{"params": [a]}, {"params": [b], "lr": 0.5}], lr=0.1)
    set_lr(theirs, 0.25)
    assert [group["lr"] for group in theirs.param_groups] == [0.25, 0.25]
    ours = SGD([a, b], lr=0.1)
    set_lr(ours, 0.25)
    assert ours.lr == 0.25


def test_the_state_is_what_a_run_needs_to_go_on() -> None:
    params = start()
    sgd, adam = SGD(params, momentum=0.9), Adam(params)
    assert sgd.state_dict() == {}
    gradients(params, 1)
    sgd.step()
    adam.step()
    assert list(sgd.state_dict()) == ["velocity.0", "velocity.1", "velocity.2"]
    state = adam.state_dict()
    assert state["steps"].tolist() == [1, 1, 1]
    assert {name: value.shape for name, value in state.items() if name != "steps"} == {
        f"{kind}.{i}": p.shape for i, p in enumerate(params) for kind in ("mean", "square")
    }
