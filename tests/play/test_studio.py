"""A training that is played is the Learner's own, to the bit, and every control does what it says."""

import base64
import random
import threading
from typing import Any

import numpy as np
import pytest
import torch

from byhand import recipe
from byhand.data.load import load
from byhand.errors import ByhandError, UsageError
from byhand.learner import Callback, Learner
from byhand.optim import constant
from byhand.play.faults import broadcast_accuracy
from byhand.play.frames import CLASSES
from byhand.play.material import of_data
from byhand.play.presets import PRESETS
from byhand.play.studio import open_studio
from byhand.settings import Settings
from tests.play._studios import PATIENCE, Listener, at_rest, flat, image_folder, numbers, played, studio, until


def trained(epochs: int, *cbs: Callback, **given: Any) -> Learner:
    """The same without any page: byhand's own recipe on the digits."""
    settings = Settings(epochs=epochs, schedule="constant", **given).resolved()
    settings, _, learn = recipe.build(settings, load("digits"), quiet=True)
    learn.cbs.extend(cbs)
    learn.fit_schedule(epochs, constant(settings.lr or 0.0))
    return learn


class Enough(Exception):
    """So many steps were made."""


def weights_after(steps: int, **given: Any) -> torch.Tensor:
    """All weights in one row, after so many steps without any page."""
    made = 0

    def count(learn: Learner) -> None:
        nonlocal made
        made += learn.step is not None
        if made == steps:
            raise Enough(flat(learn.model.parameters()))

    with pytest.raises(Enough) as enough:
        trained(steps, count, **given)
    return enough.value.args[0]


@pytest.mark.parametrize(
    "given",
    [
        {"lr": 0.5},
        {"lr": 0.1, "hidden": [12, 7], "batch_size": 100, "momentum": 0.9, "weight_decay": 0.01, "seed": 3},
        {"lr": 0.2, "init": "normal:1", "batch_size": 1294},
    ],
)
def test_played_to_the_end_it_is_the_learners_own_run_to_the_bit(given: dict[str, Any]) -> None:
    with studio(stop_after=4, **given) as made:
        state = played(made)
        learn = trained(4, **{name: tuple(v) if name == "hidden" else v for name, v in given.items()})
        assert torch.equal(numbers(made), flat(learn.model.parameters()))
        assert (state["epoch"], state["step"]) == (4, 4 * len(learn.dls.train))
        last = state["history"][-1]
        for name in ("train_loss", "valid_loss", "train_accuracy", "valid_accuracy"):
            assert last[name] == pytest.approx(learn.history[-1][name], rel=1e-5)


def test_pausing_stepping_and_watching_change_nothing() -> None:
    with studio(lr=0.5, batch_size=64) as made:
        rng = random.Random(0)  # noqa: S311
        while made.state()["epoch"] < 6:
            made.do({"do": rng.choice(["play", "pause", "step", "step"])})
            numbers(made)
            made.hub.listeners = rng.randrange(2)
            made.do({"do": "set", "controls": {"speed": rng.choice([0, 500, 5000])}})
        made.do({"do": "pause"})
        before, weights = -1, torch.empty(0)
        while before != (step := made.state()["step"]):  # one was under way
            before, weights = step, numbers(made)
        assert torch.equal(weights, weights_after(step, lr=0.5, batch_size=64))


def test_one_step_is_one_step() -> None:
    with studio(lr=0.5) as made:
        learn = trained(0, lr=0.5)
        for step in range(1, 15):  # over the ends of two epochs
            made.do({"do": "step"})
            until(lambda step=step: at_rest(made)["step"] == step)
            frame = made.state()["frame"]
            assert frame["point"]["step"] == frame["step"] == step
            assert frame["confusion"]
            assert frame["worst"]
            assert not made.state()["playing"]
        learn.fit_schedule(2, constant(0.5))  # 12 steps of it
        made.do({"do": "reset"})
        for _ in range(12):
            made.do({"do": "step"})
        until(lambda: at_rest(made)["step"] == 12)
        assert torch.equal(numbers(made), flat(learn.model.parameters()))


def test_it_stops_where_it_was_told_and_goes_on_when_played_again() -> None:
    with studio(lr=0.5, stop_after=3) as made:
        assert played(made)["epoch"] == 3
        assert made.state()["history"][-1]["epoch"] == 3
        made.do({"do": "play"})
        until(lambda: made.state()["epoch"] > 5)
        assert made.state()["playing"]
        made.do({"do": "set", "controls": {"stop_after": 2}})  # which is over
        assert not made.state()["playing"]


def test_reset_is_the_start() -> None:
    with studio(lr=0.5, init="normal:1") as made:
        start, run = numbers(made), made.state()["run"]
        made.do({"do": "play"})
        until(lambda: made.state()["step"] > 20)
        assert not torch.equal(numbers(made), start)
        made.do({"do": "reset"})
        state = at_rest(made)
        assert torch.equal(numbers(made), start)
        assert (state["run"], state["step"], state["epoch"], state["playing"]) == (run + 1, 0, 0, False)
        assert [point["step"] for point in state["history"]] == [0]


@pytest.mark.parametrize(
    ("name", "value"),
    [("batch_size", 7), ("shuffle", False), ("scaled", False), ("epsilon", 1e-6), ("seed", 5), ("hidden", [9])],
)
def test_what_a_run_begins_with_begins_it_anew(name: str, value: Any) -> None:
    with studio(lr=0.01) as made:
        run = made.state()["run"]
        made.do({"do": "play"})
        until(lambda: made.state()["step"] > 3)
        made.do({"do": "set", "controls": {name: value}})
        assert made.state()["run"] == run + 1
        assert made.state()["playing"]
        until(lambda: made.state()["step"] > 3)
        made.do({"do": "set", "controls": {name: value}})  # the same is no change
        assert made.state()["run"] == run + 1


@pytest.mark.parametrize(
    ("name", "value"), [("lr", 0.1), ("momentum", 0.5), ("weight_decay", 0.1), ("metric", "broadcast"), ("speed", 10)]
)
def test_what_can_change_under_way_does(name: str, value: Any) -> None:
    with studio(lr=0.01) as made:
        made.do({"do": "step"})
        until(lambda: at_rest(made)["step"] == 1)
        made.do({"do": "set", "controls": {name: value}})
        state = made.state()
        assert (state["run"], state["step"], state["controls"][name]) == (1, 1, value)


def test_rate_momentum_and_decay_are_taken_by_the_next_step() -> None:
    with studio(lr=0.5, batch_size=1294) as made:
        learn = trained(0, batch_size=1294, lr=0.5)
        courses = [(0.5, 0.0, 0.0), (0.1, 0.9, 0.0), (0.1, 0.9, 0.1), (0.2, 0.0, 0.1), (0.2, 0.5, 0.0)]
        for step, (lr, momentum, decay) in enumerate(courses, 1):
            made.do({"do": "set", "controls": {"lr": lr, "momentum": momentum, "weight_decay": decay}})
            made.do({"do": "step"})
            until(lambda step=step: at_rest(made)["step"] == step)
            opt = learn.optimizer()
            opt.momentum, opt.weight_decay = momentum, decay
            if not momentum:
                opt.velocity = [None, None]
            learn.fit_schedule(1, constant(lr))
        assert torch.equal(numbers(made), flat(learn.model.parameters()))


def test_class_after_class_unscaled_and_with_an_epsilon() -> None:
    data = load("digits")
    order = np.argsort(data.train.labels, kind="stable")
    x, y = data.train.images.reshape(-1, 64)[order], torch.as_tensor(data.train.labels[order])
    given = {"shuffle": False, "scaled": False, "epsilon": 1e-4, "lr": 1e-4, "batch_size": 500, "init": "normal:0.1"}
    with studio(stop_after=2, **given) as made:
        w, b = (p.detach().clone().requires_grad_() for p in made_parameters(made))
        played(made)
        for _ in range(2):  # the seeds' own loop
            for xb, yb in zip(torch.as_tensor(x).float().split(500), y.split(500), strict=True):
                p = (xb @ w.T + b).softmax(1)[torch.arange(len(yb)), yb]
                (-(p + 1e-4).log().mean()).backward()
                with torch.no_grad():
                    for one in (w, b):
                        one -= 1e-4 * one.grad
                        one.grad = None
        torch.testing.assert_close(numbers(made), flat([w, b]), rtol=1e-4, atol=1e-5)


def made_parameters(made: Any) -> list[torch.Tensor]:
    """W (10, 64) and b (10,)."""
    row = numbers(made)
    return [row[:640].view(10, 64), row[640:]]


def test_the_printed_accuracy_is_what_the_seeds_metric_prints() -> None:
    with studio(lr=0.1, shuffle=False, metric="broadcast", stop_after=3, batch_size=32) as made:
        point = played(made)["history"][-1]
        w, b = made_parameters(made)
        valid = load("digits").valid
        order = np.argsort(valid.labels, kind="stable")
        x, y = torch.as_tensor(valid.images[order].reshape(-1, 64)) / 255, torch.as_tensor(valid.labels[order])
        preds = (x @ w.T + b).argmax(1)
        assert point["printed_accuracy"] == pytest.approx(broadcast_accuracy(preds, y, 32, 10), abs=1e-6)
        assert point["valid_accuracy"] == pytest.approx((preds == y).double().mean().item(), abs=1e-6)
        made.do({"do": "set", "controls": {"metric": "rows"}})
        made.do({"do": "step"})
        until(lambda: at_rest(made)["step"] > point["step"])
        assert "printed_accuracy" not in made.state()["history"][-1]


def test_a_speed_is_an_upper_limit() -> None:
    with studio(lr=0.1, speed=20) as made:
        made.do({"do": "play"})
        until(lambda: made.state()["step"] >= 10)
        assert made.hub.frames[-1]["steps_per_second"] < 40  # over half a second
        made.do({"do": "set", "controls": {"speed": 0.001}})
        made.do({"do": "set", "controls": {"speed": 0}})  # does not wait for a thousand seconds
        until(lambda: made.state()["step"] >= 1000)


@pytest.mark.parametrize("given", [{"init": "normal:1"}, {"hidden": [20]}, {"init": "normal:1", "epsilon": 1e-8}])
def test_a_loss_that_is_no_number_stops_and_says_so(given: dict[str, Any]) -> None:
    with studio(lr=1e6, weight_decay=1e6, **given) as made:
        made.do({"do": "play"})
        until(lambda: made.state()["message"] is not None)
        state = at_rest(made)
        assert not state["playing"]
        assert "the loss became" in state["message"]
        assert "\n" not in state["message"]
        assert state["step"] == state["epoch"] * 6
        assert torch.isfinite(numbers(made)).all()
        assert all(point["step"] <= state["step"] for point in state["history"])
        made.do({"do": "set", "controls": {"lr": 1e-6, "weight_decay": 0}})
        made.do({"do": "play"})
        until(lambda: made.state()["step"] > state["step"] + 10)
        assert made.state()["message"] is None


def test_without_a_rate_it_plays_with_the_finders() -> None:
    with studio() as made:
        until(lambda: made.state()["finder"] is not None)
        found = made.state()["finder"]
        assert found["low"] <= found["lr"] <= found["high"]
        assert made.state()["finder_state"] == "found"
        assert made.state()["lr"] == found["lr"]
        made.do({"do": "set", "controls": {"stop_after": 1}})
        played(made)
        learn = trained(1, lr=found["lr"])
        assert torch.equal(numbers(made), flat(learn.model.parameters()))
        made.do({"do": "set", "controls": {"momentum": 0.9}})
        assert made.state()["lr"] < found["lr"]  # at once, by the guess
        made.do({"do": "set", "controls": {"lr": 0.125}})
        assert made.state()["lr"] == 0.125


def test_frames_show_the_weights_and_count_the_sample() -> None:
    with studio(lr=0.5, stop_after=2) as made:
        state = played(made)
        frame, weights = at_rest(made)["frame"], made_parameters(made)[0]
        shown = frame["pictures"]
        data = np.frombuffer(base64.b64decode(shown["data"]), np.int8).reshape(10, 8, 8) / 127 * shown["scale"]
        assert np.abs(data - weights.view(10, 8, 8).numpy()).max() <= shown["scale"] / 254 * 1.001
        valid = load("digits").valid
        counts = np.array(frame["confusion"])
        assert counts.sum() == len(valid)
        assert np.array_equal(counts.sum(1), np.bincount(valid.labels))
        assert frame["point"]["valid_accuracy"] == pytest.approx(np.trace(counts) / len(valid), abs=1e-6)
        assert [one["loss"] for one in frame["worst"]] == sorted((one["loss"] for one in frame["worst"]), reverse=True)
        assert state["history"][0]["step"] == 0
        assert [point["step"] for point in state["history"]][1:4] == [1, 2, 5]


def test_frames_are_only_for_those_who_look() -> None:
    with studio(listeners=0, lr=0.5) as made:
        made.do({"do": "play"})
        until(lambda: made.state()["epoch"] > 20)
        assert {frame["step"] for frame in made.hub.frames} <= {0}  # the start, for the tab that is to come
        assert len(made.state()["history"]) > 3
        made.hub.listeners = 1
        until(lambda: len(made.hub.frames) > 3)


@pytest.mark.parametrize(
    ("classes", "shape"), [(2, (8, 8)), (3, (5, 9)), (26, (28, 28)), (250, (12, 10)), (10, (64, 64))]
)
def test_any_classes_and_any_size(classes: int, shape: tuple[int, int], tmp_path: Any) -> None:
    with studio(image_folder(tmp_path, classes, shape)) as made:
        for hidden in ([], [5]):
            made.do({"do": "set", "controls": {"hidden": hidden, "stop_after": 2}})
            state = played(made)
            frame = at_rest(made)["frame"]
            assert state["sizes"] == [shape[0] * shape[1], *hidden, classes]
            assert state["data"]["shape"] == list(shape)
            assert len(frame["confusion"]) == min(classes, CLASSES)
            assert frame["pictures"]["shape"] == list(shape)


def test_without_a_validation_part_the_training_part_is_judged(tmp_path: Any) -> None:
    with studio(image_folder(tmp_path, 2, (4, 4), rows=1), stop_after=2) as made:
        state = played(made)
        assert state["data"]["valid"] == 0
        assert state["history"][-1]["valid_loss"] is None
        assert state["history"][-1]["train_loss"] is not None
        assert np.sum(at_rest(made)["frame"]["confusion"]) == 2


@pytest.mark.parametrize(
    "command",
    [
        {},
        {"do": None},
        {"do": 1},
        {"do": ["play"]},
        {"do": "close"},
        {"do": "__init__"},
        {"do": "play", "path": "x"},
        {"do": "set"},
        {"do": "set", "controls": []},
        {"do": "set", "controls": {"lr": "high"}},
        {"do": "set", "controls": {"path": "x"}},
        {"do": "preset"},
        {"do": "preset", "id": "third-seed"},
        {"do": "preset", "id": {}},
        {"do": "save", "folder": "elsewhere"},
    ],
)
def test_what_is_no_command_is_refused(command: dict[str, Any]) -> None:
    with studio() as made:
        before = made.state()["controls"]
        with pytest.raises(UsageError) as caught:
            made.do(command)
        assert "\n" not in str(caught.value)
        assert made.state()["controls"] == before


def test_the_state_has_what_a_page_needs() -> None:
    with studio() as made:
        state = made.state()
        data = load("digits")
        assert state["mode"] == "train"
        assert state["trainable"] is True
        assert state["data"]["classes"] == list(data.classes)
        assert (state["data"]["train"], state["data"]["valid"]) == (len(data.train), len(data.valid))
        assert state["chance"] == np.bincount(data.train.labels).max() / len(data.train)
        assert [preset["id"] for preset in state["presets"]] == [preset.id for preset in PRESETS]
        made.do({"do": "pause"})
        assert made.hub.states[-1]["controls"] == state["controls"] | {"hidden": []}


def test_closing_ends_the_threads_again_if_one_likes() -> None:
    before = set(threading.enumerate())
    with studio(lr=0.1, hidden=[100]) as made:
        made.do({"do": "play"})
        until(lambda: made.state()["step"] > 3)
        made.close()
        assert {t for t in set(threading.enumerate()) - before if t.name.startswith("byhand")} == set()
        numbers(made)
        made.close()


def test_a_hundred_commands_from_each_of_four_threads_break_nothing() -> None:
    values: dict[str, list[Any]] = {
        "hidden": [[], [3], [4, 5], [0], "x"],
        "lr": [None, 0.1, 1e6, 1e-6, True],
        "batch_size": [1, 100, 1294, 9999],
        "init": ["zeros", "kaiming", "normal:1", "normal:100"],
        "shuffle": [True, False, 1],
        "scaled": [True, False],
        "momentum": [0, 0.9],
        "weight_decay": [0, 1.0],
        "epsilon": [0, 1e-8],
        "metric": ["rows", "broadcast"],
        "stop_after": [0, 1, 3],
        "speed": [0, 10, 1e5],
        "seed": [0, 1],
        "other": [1],
    }
    errors: list[BaseException] = []

    def visitor(seed: int, made: Any) -> None:
        rng = random.Random(seed)  # noqa: S311
        try:
            for _ in range(100):
                what = rng.choice(["play", "pause", "step", "reset", "set", "set", "set", "preset", "weights", "state"])
                try:
                    if what in ("weights", "state"):
                        getattr(made, what)()
                    elif what == "set":
                        names = rng.sample(sorted(values), rng.randint(1, 3))
                        made.do({"do": "set", "controls": {name: rng.choice(values[name]) for name in names}})
                    elif what == "preset":
                        made.do({"do": "preset", "id": rng.choice(PRESETS).id})
                    else:
                        made.do({"do": what})
                except ByhandError as error:
                    assert "\n" not in str(error)  # noqa: PT017
        except BaseException as error:  # noqa: BLE001  a thread's, to be raised by the test
            errors.append(error)

    with studio() as made:
        threads = [threading.Thread(target=visitor, args=(seed, made)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()
        assert errors == []
        made.do({"do": "preset", "id": "first-seed-fixed"})
        until(lambda: not made.state()["playing"])
        assert made.state()["epoch"] == 10
        assert made.state()["history"][-1]["train_accuracy"] > 0.8


def test_a_hub_that_nobody_listens_to_is_told_no_state() -> None:
    with studio(listeners=0) as made:
        made.do({"do": "pause"})
        assert isinstance(made.hub, Listener)
        assert made.hub.states == []


def test_a_fault_of_ours_is_said_and_the_page_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[object] = []
    monkeypatch.setattr("threading.excepthook", lambda told: said.append(told.exc_value))
    with studio() as made:
        at_rest(made)

        def broken(*_: object) -> None:
            raise ZeroDivisionError("ours")

        monkeypatch.setattr("byhand.play.scene.pictures", broken)
        made.do({"do": "play"})
        until(lambda: said)
        state = made.state()
    assert isinstance(said[0], ZeroDivisionError)
    assert not state["playing"]
    assert "a bug of byhand's stopped the training" in state["message"]


@pytest.mark.parametrize(("speed", "then"), [(0, 0), (100, 1000), (5000, 5000)])
def test_a_replay_is_never_slow(speed: float, then: float) -> None:
    with studio(speed=speed) as made:
        made.do({"do": "preset", "id": "first-seed"})
        assert made.state()["controls"]["speed"] == then


def test_a_page_begins_calmly() -> None:
    made = open_studio(of_data("digits"))
    try:
        assert made.state()["controls"]["speed"] == 100
    finally:
        made.close()
