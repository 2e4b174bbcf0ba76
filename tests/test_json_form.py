"""What JSON gives is held against types: sound values of each kind fit it, and no other kind of JSON does."""

import json
from dataclasses import dataclass
from typing import Any, TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byhand.json_form import fits


class Named(TypedDict):
    name: str


class Point(Named):
    at: tuple[int, float | None]
    tags: list[str]


@dataclass(frozen=True, slots=True)
class Row:
    right: bool
    points: tuple[Point, ...]


POINT = {"name": "a", "at": [1, 0.5], "tags": ["b"]}
whole = st.integers(-(2**53) + 1, 2**53 - 1)
number = st.one_of(whole, st.floats(allow_nan=False, allow_infinity=False))
point = st.fixed_dictionaries(
    {"name": st.text(), "at": st.tuples(whole, st.none() | number), "tags": st.lists(st.text(), max_size=3)}
)
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), whole, number, st.text()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(value=st.fixed_dictionaries({"right": st.booleans(), "points": st.lists(point, max_size=3)}))
def test_what_a_type_describes_fits(value: Any) -> None:
    assert fits(json.loads(json.dumps(value)), Row)


@given(value=anything)
def test_nothing_else_does(value: Any) -> None:
    assert not fits(value, Row)
    assert fits(value, int | bool | str | float | None) != isinstance(value, list | dict)
    assert fits([value], list[int]) == (type(value) is int)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (True, int),
        (1, bool),
        (2**53, int),
        (-(2**53), float),
        (float("inf"), float),
        (float("nan"), float | None),
        ("1", float),
        ([1], tuple[int, int]),
        ([1, 2, 3], tuple[int, int]),
        ([1, None], tuple[int, ...]),
        ((1, 2), tuple[int, ...]),
        ({**POINT, "more": 1}, Point),
        ({"name": "a", "at": [1, 0.5]}, Point),
        ([POINT], Point),
        ({**POINT, "at": [1.0, 0.5]}, Point),
    ],
)
def test_what_looks_like_it_does_not_fit(value: Any, kind: Any) -> None:
    assert not fits(value, kind)


def test_a_kind_that_json_has_no_word_for_is_the_programmers_fault() -> None:
    with pytest.raises(TypeError, match="no kind of JSON"):
        fits({}, list[bytes])
