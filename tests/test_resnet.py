"""ResNet-18: torchvision's names, the numbers of an independent reference, and a run like any other."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from byhand import DataError, ResNet18, UsageError, checkpoint, recipe, runs, weights
from byhand.data.dataset import Dataset, Part
from byhand.data.load import load
from byhand.distributed import World
from byhand.networks import numbers, usual_lr
from byhand.resnet import BODY, BatchNorm, Block, stem
from byhand.settings import Settings
from byhand.state import State, get_state, set_state

# The parameters of torchvision's resnet18, as its releases have had them since 0.1 (models/resnet.py); bn is a batch
# norm, of so many channels.
LAYOUT = """
conv1.weight 64 3 7 7
bn1 bn 64
layer1.0.conv1.weight 64 64 3 3
layer1.0.bn1 bn 64
layer1.0.conv2.weight 64 64 3 3
layer1.0.bn2 bn 64
layer1.1.conv1.weight 64 64 3 3
layer1.1.bn1 bn 64
layer1.1.conv2.weight 64 64 3 3
layer1.1.bn2 bn 64
layer2.0.conv1.weight 128 64 3 3
layer2.0.bn1 bn 128
layer2.0.conv2.weight 128 128 3 3
layer2.0.bn2 bn 128
layer2.0.downsample.0.weight 128 64 1 1
layer2.0.downsample.1 bn 128
layer2.1.conv1.weight 128 128 3 3
layer2.1.bn1 bn 128
layer2.1.conv2.weight 128 128 3 3
layer2.1.bn2 bn 128
layer3.0.conv1.weight 256 128 3 3
layer3.0.bn1 bn 256
layer3.0.conv2.weight 256 256 3 3
layer3.0.bn2 bn 256
layer3.0.downsample.0.weight 256 128 1 1
layer3.0.downsample.1 bn 256
layer3.1.conv1.weight 256 256 3 3
layer3.1.bn1 bn 256
layer3.1.conv2.weight 256 256 3 3
layer3.1.bn2 bn 256
layer4.0.conv1.weight 512 256 3 3
layer4.0.bn1 bn 512
layer4.0.conv2.weight 512 512 3 3
layer4.0.bn2 bn 512
layer4.0.downsample.0.weight 512 256 1 1
layer4.0.downsample.1 bn 512
layer4.1.conv1.weight 512 512 3 3
layer4.1.bn1 bn 512
layer4.1.conv2.weight 512 512 3 3
layer4.1.bn2 bn 512
fc.weight 1000 512
fc.bias 1000
"""
OF_A_NORM = ("weight", "bias", "running_mean", "running_var")


def layout() -> dict[str, tuple[int, ...]]:
    """Shapes by name, in torchvision's order."""
    shapes: dict[str, tuple[int, ...]] = {}
    for line in LAYOUT.split("\n"):
        name, *sides = line.split() or ("", "bn", "0")
        if sides[0] == "bn" and name:
            shapes |= {f"{name}.{what}": (int(sides[1]),) for what in OF_A_NORM}
            shapes[f"{name}.num_batches_tracked"] = ()
        elif name:
            shapes[name] = tuple(map(int, sides))
    return shapes


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def shaken(shape: tuple[int, int], classes: int = 10, seed: int = 0) -> ResNet18:
    """A network in float64 none of whose numbers is special: as it starts, its blocks do nothing."""
    generator = seeded(seed)
    model = ResNet18(shape, classes, generator).double()
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if ("bn" in name or "downsample.1" in name) and tensor.is_floating_point():
                tensor.uniform_(0.5, 1.5, generator=generator)
    return model


def reference(state: dict[str, Tensor], x: Tensor, training: bool) -> Tensor:
    """The same network from the paper's table and its tensors by name. x (B, channels, H, W) → (B, C)."""

    def norm(name: str, x: Tensor) -> Tensor:
        if training:
            mean, var = x.mean(dim=(0, 2, 3)), x.var(dim=(0, 2, 3), unbiased=False)
        else:
            mean, var = state[f"{name}.running_mean"], state[f"{name}.running_var"]
        x = (x - mean.view(1, -1, 1, 1)) / (var.view(1, -1, 1, 1) + 1e-5) ** 0.5
        return x * state[f"{name}.weight"].view(1, -1, 1, 1) + state[f"{name}.bias"].view(1, -1, 1, 1)

    side = min(x.shape[2:])
    x = F.conv2d(x, state["conv1.weight"], stride=1 if side < 16 else 2, padding=3)
    x = torch.relu(norm("bn1", x))
    if side > 64:
        x = F.max_pool2d(x, 3, stride=2, padding=1)
    for stage in (1, 2, 3, 4):
        for block in (0, 1):
            at, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            y = torch.relu(norm(f"{at}.bn1", F.conv2d(x, state[f"{at}.conv1.weight"], stride=stride, padding=1)))
            y = norm(f"{at}.bn2", F.conv2d(y, state[f"{at}.conv2.weight"], padding=1))
            if stride == 2:
                x = norm(f"{at}.downsample.1", F.conv2d(x, state[f"{at}.downsample.0.weight"], stride=2))
            x = torch.relu(x + y)
    return F.adaptive_avg_pool2d(x, 1).flatten(1) @ state["fc.weight"].T + state["fc.bias"]


# The network.


def test_names_shapes_and_their_order_are_torchvision_s_but_for_the_colours() -> None:
    wanted = layout()
    assert len(wanted) == 122
    assert sum(map(math.prod, wanted.values())) == 11_699_132  # what the published file holds
    found = {name: tuple(tensor.shape) for name, tensor in ResNet18((28, 28), 1000).state_dict().items()}
    assert list(found) == list(wanted)
    assert found == wanted | {"conv1.weight": (64, 1, 7, 7)}
    for classes in (2, 10):
        held = sum(tensor.numel() for tensor in ResNet18((8, 8), classes).state_dict().values())
        assert held == BODY + 513 * classes == numbers(Settings(model="resnet18").resolved(), 64, classes)
    assert sum(p.numel() for p in ResNet18((8, 8), 10).parameters()) == 11_175_370


@pytest.mark.parametrize(
    ("shape", "training"),
    [((8, 8), False), ((8, 8), True), ((28, 28), True), ((9, 23), False), ((66, 70), False)],
    ids=str,
)
def test_its_answers_are_the_reference_s(shape: tuple[int, int], training: bool) -> None:
    model = shaken(shape).train(training)
    x = torch.rand(3, 1, *shape, dtype=torch.float64, generator=seeded(1))
    before = weights.snapshot(model, {})
    logits = model(x.flatten(1))
    torch.testing.assert_close(logits, reference(before, x, training), rtol=1e-9, atol=1e-9)


def test_bytes_stand_for_parts_of_255_and_bfloat16_changes_little() -> None:
    model = shaken((28, 28)).float().eval()
    pixels = torch.randint(0, 256, (7, 784), dtype=torch.uint8, generator=seeded(1))
    with torch.inference_mode():
        exact = model(pixels)
        assert torch.equal(exact, model(pixels / 255))
        model.mixed = True
        assert model(pixels).dtype == torch.float32
        assert (model(pixels) - exact).norm() < 0.03 * exact.norm()


def test_the_stem_follows_the_image() -> None:
    assert [stem(side) for side in (4, 15, 16, 28, 64, 65, 224)] == [
        (1, False),
        (1, False),
        (2, False),
        (2, False),
        (2, False),
        (2, True),
        (2, True),
    ]


def test_the_start_is_the_seed_s_and_hands_its_input_on() -> None:
    before = torch.get_rng_state()
    first, again, other = (ResNet18((28, 28), 10, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name]), name
        if name.endswith("conv1.weight") or name.startswith("fc"):
            assert not torch.equal(tensor, other.state_dict()[name]), name
    for part in first.modules():
        if isinstance(part, nn.Conv2d):
            outputs, _, height, width = part.weight.shape
            assert part.weight.std().item() == pytest.approx((2 / (outputs * height * width)) ** 0.5, rel=0.05)
            assert part.bias is None
    assert first.fc.weight.abs().max().item() == pytest.approx(512**-0.5, rel=0.01)
    assert first.sizes == (784, 64, 128, 256, 512, 10)
    block, x = first.layer1[0], torch.rand(3, 64, 14, 14)
    assert isinstance(block, Block)
    assert torch.equal(block(x), x)  # x has no negative number


def test_the_gradient_is_the_loss_s_and_reaches_everything() -> None:
    model = shaken((8, 8), seed=3).train()
    x, y = torch.rand(6, 64, dtype=torch.float64), torch.arange(6)
    F.cross_entropy(model(x), y).backward()
    params = dict(model.named_parameters())
    for name, p in params.items():
        assert p.grad is not None, name
        assert p.grad.abs().max() > 0, name
    for name in ("conv1.weight", "bn1.weight", "layer1.1.conv2.weight", "layer3.0.downsample.0.weight", "fc.bias"):
        p, way = params[name], torch.randn_like(params[name])
        losses: list[Tensor] = []
        with torch.no_grad():
            for step in (1e-8, -2e-8):
                p += step * way
                losses.append(F.cross_entropy(model(x), y))
            p += 1e-8 * way
        slope = (losses[0] - losses[1]).item() / 2e-8
        assert p.grad is not None
        assert slope == pytest.approx((p.grad * way).sum().item(), rel=1e-3, abs=1e-7), name


def test_a_batch_norm_is_torch_s_but_where_a_batch_teaches_nothing() -> None:
    ours, theirs = BatchNorm(4), nn.BatchNorm2d(4)
    for x in (torch.randn(3, 4, 2, 2), torch.randn(1, 4, 2, 2), torch.randn(2, 4, 1, 1)):
        for mode in (True, False):
            assert torch.equal(ours.train(mode)(x), theirs.train(mode)(x))
    assert all(torch.equal(t, theirs.state_dict()[name]) for name, t in ours.state_dict().items())
    kept = {name: t.clone() for name, t in ours.state_dict().items()}
    one = torch.randn(1, 4, 1, 1)
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        theirs.train()(one)
    assert torch.equal(ours.train()(one), theirs.eval()(one))
    ours.weight.requires_grad_(False)
    x = torch.randn(3, 4, 2, 2)
    assert torch.equal(ours.train()(x), theirs(x))
    assert all(torch.equal(t, kept[name]) for name, t in ours.state_dict().items())


# A run.


@cache
def few() -> Dataset:
    """129 digits to learn from, two batches of 64 and one image, and 40 to judge by."""
    data = load("digits")

    def part(whole: Part, n: int) -> Part:
        return Part(whole.images[:n], whole.labels[:n], whole.classes, whole.hash)

    return replace(data, train=part(data.train, 129), valid=part(data.valid, 40))


def chosen(**given: Any) -> Settings:
    return Settings(**{"model": "resnet18", "epochs": 2, "batch_size": 64} | given).resolved()


def run(folder: Path, callback: Callable[[Any], object] | None = None, **given: Any) -> dict[str, Any]:
    folder.mkdir()
    plan = recipe.prepare(chosen(**given), few(), quiet=True)
    if callback is not None:
        plan.learn.cbs.append(callback)
    return runs.train(plan, folder)


def files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name != "times.json"}


@pytest.mark.full
@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("kind", [{"momentum": 0.9}, {"opt": "adam"}], ids=["momentum", "adam"])
def test_left_and_taken_up_at_any_step_it_ends_with_the_same_bits(kind: dict[str, Any]) -> None:
    def learner() -> Any:
        return recipe.build(chosen(**kind), few(), quiet=True)[2]

    whole, states, calls = learner(), list[State](), 0

    def take(learn: Any) -> None:
        nonlocal calls
        calls += 1
        if calls in (3, 5, 7):  # in the first epoch, between the two, in the second: a state has 135 MB
            states.append(get_state(learn))

    whole.cbs.append(take)
    whole.fit_schedule(2, lambda done: 0.02 * (1 - done))
    end = weights.snapshot(whole.model, {})
    assert int(end["bn1.num_batches_tracked"]) == 2 * 3
    assert [(state.epochs, state.step) for state in states] == [(0, 2), (1, 0), (1, 2)]
    for state in states:
        again = learner()
        set_state(again, state)
        again.fit_schedule(2, lambda done: 0.02 * (1 - done), done=state.epochs)
        assert all(torch.equal(end[name], t) for name, t in weights.snapshot(again.model, {}).items())


class _Left(Exception):
    pass


@pytest.mark.usefixtures("one_thread")
def test_a_run_is_written_left_resumed_and_read(tmp_path: Path) -> None:
    record = run(tmp_path / "whole", momentum=0.9, save_every=1)
    assert (record["lr"], record["parameters"]) == (pytest.approx(0.1 * 64 / 256), 11_175_370)
    assert record["settings"]["schedule"] == "one-cycle"
    rows = checkpoint.read_history(tmp_path / "whole")
    assert (rows[-1]["train_loss"] or 9) < (rows[0]["train_loss"] or 0)
    steps = 0

    def leave(learn: Any) -> None:
        nonlocal steps
        steps += learn.step is not None
        if steps == 5:
            raise _Left

    with pytest.raises(_Left):
        run(tmp_path / "part", leave, momentum=0.9, save_every=1)
    plan, state, damaged = runs.resume(tmp_path / "part", few(), quiet=True)
    assert state is not None
    assert (state.epochs, state.step, damaged) == (1, 1, [])
    runs.train(plan, tmp_path / "part", state)
    assert files(tmp_path / "part") == files(tmp_path / "whole")
    model, _ = runs.load_run(tmp_path / "whole")
    assert isinstance(model, ResNet18)
    assert not model.training
    x = torch.as_tensor(few().valid.images.reshape(-1, 64))
    right = (model(x).argmax(1) == torch.as_tensor(few().valid.labels)).float().mean().item()
    assert right == pytest.approx(record["results"]["valid_accuracy"])
    for change in (lambda told: told["data"].update(shape=[64]), lambda told: told["data"].update(classes=["0"])):
        told = json.loads((tmp_path / "whole" / "run.json").read_text())
        change(told)
        (tmp_path / "part" / "run.json").write_text(json.dumps(told))
        with pytest.raises(DataError, match="damaged") as caught:
            runs.load_run(tmp_path / "part")
        assert "\n" not in str(caught.value)


@pytest.mark.full
def test_reproducible_means_the_same_bits_with_any_number_of_threads(tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    try:
        for n in (1, 2):
            torch.set_num_threads(n)
            run(tmp_path / str(n), epochs=1, reproducible=True)
    finally:
        torch.set_num_threads(threads)
    one, two = (checkpoint.read_weights(tmp_path / str(n)) for n in (1, 2))
    assert all(torch.equal(two[name], tensor) for name, tensor in one.items())


@pytest.mark.usefixtures("one_thread")
def test_a_frozen_body_keeps_its_bits(tmp_path: Path) -> None:
    run(tmp_path / "start", epochs=0)
    run(tmp_path / "frozen", freeze=True, opt="adam", lr=0.01)
    start, frozen = (checkpoint.read_weights(tmp_path / name) for name in ("start", "frozen"))
    assert {name for name in start if not torch.equal(start[name], frozen[name])} == {"fc.bias", "fc.weight"}
    rows = checkpoint.read_history(tmp_path / "frozen")
    assert (rows[-1]["train_loss"] or 9) < (rows[0]["train_loss"] or 0)


@pytest.mark.full
@pytest.mark.usefixtures("one_thread")
def test_the_rate_of_a_frozen_body_s_last_layer_is_tried_out(tmp_path: Path) -> None:
    plan = recipe.prepare(chosen(freeze=True), few(), quiet=True)
    before = weights.snapshot(plan.model, {})
    assert "usual" not in plan.reason
    assert all(torch.equal(before[name], t) for name, t in ResNet18((8, 8), 10, seeded(42)).state_dict().items())


def test_what_does_not_go_with_it_is_refused(tmp_path: Path) -> None:
    for given, words in (
        ({"hidden": (30,)}, "--hidden is for an MLP"),
        ({"dropout": 0.1}, "--dropout is for an MLP"),
        ({"init": "zeros"}, "--init zeros: a resnet18 starts from kaiming"),
        ({"init": "normal:0.1"}, "--init normal:0.1: a resnet18"),
    ):
        with pytest.raises(UsageError, match=f"^{words}"):
            chosen(**given)
    with pytest.raises(UsageError, match="--weights imagenet is for --model resnet18"):
        Settings(weights="imagenet").resolved()
    with pytest.raises(UsageError, match="batch norm learns in one process"):
        recipe.prepare(chosen(), few(), quiet=True, world=World(0, 2))
    run(tmp_path / "run", epochs=0)
    told = json.loads((tmp_path / "run" / "run.json").read_text()) | {"status": "interrupted"}
    (tmp_path / "run" / "run.json").write_text(json.dumps(told))
    with pytest.raises(UsageError, match="batch norm learns in one process"):
        runs.resume(tmp_path / "run", few(), quiet=True, world=World(0, 2))


def test_the_usual_rate_follows_batch_and_momentum() -> None:
    for given, lr in (
        ({"momentum": 0.9, "batch_size": 256}, 0.1),
        ({"batch_size": 256}, 1.0),
        ({"momentum": 0.9, "batch_size": 512}, 0.2),
        ({"opt": "adam"}, 0.001),
    ):
        assert (usual_lr(chosen(**given)) or [])[0] == pytest.approx(lr)
    assert usual_lr(chosen(freeze=True)) is None
    assert usual_lr(Settings(hidden=(9,)).resolved()) is None
