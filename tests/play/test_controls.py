"""Every choice is checked by type and by range, and refused in one line."""

import dataclasses
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byhand.errors import UsageError
from byhand.play.controls import STARTS, Controls, Room, shown

ROOM = Room(pixels=784, classes=10, rows=1000)
NAMES = [field.name for field in dataclasses.fields(Controls)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hidden", []),
        ("hidden", [2048]),
        ("hidden", [1, 2, 3]),
        ("lr", None),
        ("lr", 0),
        ("lr", 1e6),
        ("batch_size", 1),
        ("batch_size", 1000),
        ("init", "zeros"),
        ("init", "kaiming"),
        ("init", "normal:0.01"),
        ("init", "normal:1e-3"),
        ("init", "normal:100"),
        ("shuffle", False),
        ("scaled", False),
        ("momentum", 0.9),
        ("weight_decay", 1e-4),
        ("epsilon", 0.1),
        ("metric", "broadcast"),
        ("stop_after", 0),
        ("speed", 100_000),
        ("seed", 2**53 - 1),
    ],
)
def test_what_can_be_chosen(name: str, value: Any) -> None:
    chosen = getattr(Controls().changed({name: value}, ROOM), name)
    assert chosen == (tuple(value) if name == "hidden" else value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hidden", None),
        ("hidden", 30),
        ("hidden", "30"),
        ("hidden", [0]),
        ("hidden", [2049]),
        ("hidden", [True]),
        ("hidden", [1.0]),
        ("hidden", [1, 1, 1, 1]),
        ("hidden", [[30]]),
        ("hidden", [2048, 2048, 2048]),  # more than five million weights
        ("lr", -0.1),
        ("lr", 1e7),
        ("lr", math.nan),
        ("lr", math.inf),
        ("lr", True),
        ("lr", "0.1"),
        ("batch_size", 0),
        ("batch_size", 1001),
        ("batch_size", 1.5),
        ("batch_size", None),
        ("init", "ones"),
        ("init", "normal"),
        ("init", "normal:"),
        ("init", "normal:-1"),
        ("init", "normal:nan"),
        ("init", "normal:inf"),
        ("init", "normal:101"),
        ("init", "normal:٣"),
        ("init", "normal:1\n"),
        ("init", 0),
        ("shuffle", 0),
        ("shuffle", None),
        ("scaled", "false"),
        ("momentum", 1),
        ("momentum", -1e-9),
        ("weight_decay", math.nan),
        ("epsilon", 0.2),
        ("metric", "accuracy"),
        ("metric", ["rows"]),
        ("stop_after", -1),
        ("stop_after", True),
        ("speed", 1e9),
        ("seed", 2**53),
        ("seed", -1),
        ("momentums", 0.9),
        ("__class__", 1),
        ("x" * 10_000, 1),
    ],
)
def test_what_cannot_be_chosen(name: str, value: Any) -> None:
    with pytest.raises(UsageError) as caught:
        Controls().changed({name: value}, ROOM)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_hidden_units_that_start_alike_are_refused() -> None:
    with pytest.raises(UsageError, match="stay alike"):
        Controls().changed({"hidden": [30], "init": "zeros"}, ROOM)
    with pytest.raises(UsageError, match="stay alike"):
        Controls(hidden=(30,), init="kaiming").changed({"init": "zeros"}, ROOM)


def test_a_start_that_nobody_named_turns_with_the_kind_of_model() -> None:
    network = Controls().changed({"hidden": [30]}, ROOM)
    assert network.init == "kaiming"
    assert network.changed({"hidden": [20]}, ROOM).init == "kaiming"
    assert network.changed({"hidden": []}, ROOM) == Controls()
    assert Controls(init="normal:1").changed({"hidden": [30]}, ROOM).init == "normal:1"


def test_all_or_nothing_is_changed() -> None:
    controls = Controls()
    with pytest.raises(UsageError):
        controls.changed({"lr": 0.5, "momentum": 2}, ROOM)
    assert controls == Controls()
    assert controls.changed({}, ROOM) == controls


def test_a_long_value_is_cut_short() -> None:
    assert len(shown("x" * 1000)) == 40
    assert shown("a\nb") == "'a\\nb'"
    assert set(NAMES) > STARTS


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(given=st.dictionaries(st.sampled_from(NAMES) | st.text(), JSON, max_size=3))
def test_any_json_is_taken_or_refused_in_one_line(given: dict[str, Any]) -> None:
    try:
        new = Controls().changed(given, ROOM)
    except UsageError as error:
        said = str(error)
        new = None
    if new is None:
        assert "\n" not in said
        return
    assert new.changed({name: getattr(new, name) for name in NAMES}, ROOM) == new  # all that it has may be chosen
    for field in dataclasses.fields(Controls):
        assert type(getattr(new, field.name)) in (type(field.default), type(None) if field.name == "lr" else tuple) or (
            field.name == "lr" and isinstance(new.lr, float)
        )
