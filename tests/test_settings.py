"""The choices of a run: what is filled in, what is refused, and how a run's record gives them back."""

import json
from dataclasses import asdict, replace
from typing import Any

import pytest

from byhand.errors import DataError, UsageError
from byhand.settings import MODELS, OPTIMIZERS, SCHEDULES, Settings


def test_nothing_said_is_a_linear_model_from_zeros() -> None:
    chosen = Settings().resolved()
    assert (chosen.model, chosen.hidden, chosen.init) == ("linear", (), "zeros")
    assert (chosen.opt, chosen.schedule, chosen.batch_size, chosen.seed) == ("sgd", "flat-cos", 256, 42)
    assert chosen.lr is None
    assert chosen.epochs is None


@pytest.mark.parametrize("given", [{"model": "mlp"}, {"hidden": (30,)}, {"model": "mlp", "hidden": (30,)}])
def test_an_mlp_has_30_units_unless_told_and_hidden_alone_asks_for_one(given: dict[str, Any]) -> None:
    chosen = Settings(**given).resolved()
    assert (chosen.model, chosen.hidden, chosen.init) == ("mlp", (30,), "kaiming")


@pytest.mark.parametrize("settings", [Settings(), Settings(hidden=(8, 4), dropout=0.1, opt="adam", init="normal:0.1")])
def test_resolving_twice_changes_nothing_and_what_was_said_stays(settings: Settings) -> None:
    chosen = settings.resolved()
    assert chosen.resolved() == chosen
    for name, value in asdict(settings).items():
        assert value is None or getattr(chosen, name) == value


def test_every_choice_that_is_named_exists() -> None:
    for name, choices in (("model", MODELS), ("opt", OPTIMIZERS), ("schedule", SCHEDULES)):
        for choice in choices:
            assert getattr(Settings(**{name: choice}).resolved(), name) == choice
        with pytest.raises(UsageError, match=f"^--{name} resnet: choose {' or '.join(choices)}$"):
            Settings(**{name: "resnet"}).resolved()


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("name", "wrong", "right"),
    [
        ("epochs", [-1, 1_000_001], [0, 1]),
        ("batch_size", [0, -1], [1, 10**6]),
        ("lr", [-0.1, INF, -INF, NAN], [0.0, 1e-9, 10.0]),
        ("momentum", [-0.1, 1.0, NAN], [0.0, 0.99]),
        ("weight_decay", [-1e-9, NAN, INF], [0.0, 1e-4]),
        ("dropout", [-0.1, 1.0, NAN], [0.0, 0.5]),
        ("input_dropout", [-0.1, 1.0, NAN], [0.0, 0.2]),
        ("seed", [-1, 2**63], [0, 2**63 - 1]),
        ("save_every", [0, -5], [1]),
        ("hidden", [(0,), (30, -1), (10**7,)], [(1,), (512, 256)]),
    ],
)
def test_numbers_must_lie_in_their_range(name: str, wrong: list[Any], right: list[Any]) -> None:
    start = Settings(model="mlp")
    for value in right:
        assert getattr(replace(start, **{name: value}).resolved(), name) == value
    option = "--" + name.replace("_", "-")
    for value in wrong:
        with pytest.raises(UsageError, match="it must lie between") as caught:
            replace(start, **{name: value}).resolved()
        assert str(caught.value).startswith(option + " ")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "option"),
    [
        ({"model": "linear", "hidden": (30,)}, "--hidden"),
        ({"dropout": 0.5}, "--dropout"),
        ({"input_dropout": 0.2}, "--input-dropout"),
        ({"batch_norm": True}, "--batch-norm"),
        ({"hidden": (9,), "batch_norm": True, "batch_size": 1}, "--batch-norm"),
        ({"freeze": True}, "--freeze"),
        ({"precision": "bfloat16"}, "--precision bfloat16"),
        ({"hidden": (9,), "precision": "float8"}, "--precision float8"),
        ({"model": "mlp", "init": "zeros"}, "--init"),
        ({"opt": "adam", "momentum": 0.9}, "--momentum"),
    ],
)
def test_two_choices_that_exclude_each_other_are_refused(given: dict[str, Any], option: str) -> None:
    with pytest.raises(UsageError, match=f"^{option}"):
        Settings(**given).resolved()


def test_a_record_gives_the_settings_back_through_json() -> None:
    for settings in (Settings(), Settings(hidden=(8, 4), lr=0.25, epochs=7, weights="w.safetensors", freeze=True)):
        chosen = settings.resolved()
        assert Settings.of(json.loads(json.dumps({"settings": asdict(chosen)}))) == chosen


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"settings": None},
        {"settings": []},
        {"settings": {}},
        {"settings": {"hidden": None}},
        {"settings": {"hidden": [], "colour": "red"}},
        {"settings": {"hidden": [], "epochs": "many"}},
        {"settings": {"hidden": ["x"], "model": "mlp"}},
        {"settings": {"hidden": [], "model": "transformer"}},
    ],
    ids=str,
)
def test_a_damaged_record_is_one_line(record: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"run\.json is damaged") as caught:
        Settings.of(record)
    assert "\n" not in str(caught.value)


def test_another_model_leaves_open_what_depended_on_the_old_one() -> None:
    linear = Settings(momentum=0.5).resolved()
    mlp = linear.changed({"hidden": (7,)}).resolved()
    assert (mlp.model, mlp.hidden, mlp.init, mlp.momentum) == ("mlp", (7,), "kaiming", 0.5)
    back = (
        replace(mlp, dropout=0.5, input_dropout=0.2, batch_norm=True, freeze=True)
        .changed({"model": "linear"})
        .resolved()
    )
    assert back == linear
    assert linear.changed({"seed": 7}) == replace(linear, seed=7)
