"""What a tab sends, read as Python's own reader would, or refused."""

import json
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byhand.errors import UsageError
from byhand.play.commands import read_command, read_picture
from byhand.play.limits import PICTURE_SIDE, WHOLE_NUMBER

SCALARS = st.none() | st.booleans() | st.integers(-WHOLE_NUMBER, WHOLE_NUMBER) | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4)
)


def attempt(read: Callable[[bytes], Any], body: bytes) -> tuple[Any, str]:
    """What was read, or None and what was said."""
    try:
        return read(body), ""
    except UsageError as error:
        return None, str(error)


def finite(value: Any) -> bool:
    if isinstance(value, list | dict):
        return all(map(finite, value.values() if isinstance(value, dict) else value))
    return not isinstance(value, float) or abs(value) < float("inf")


@given(fields=st.dictionaries(st.text(), VALUES, max_size=4), do=st.text(), indent=st.none() | st.integers(0, 3))
@settings(max_examples=200, deadline=None)
def test_a_command_is_what_json_says(fields: dict[str, Any], do: str, indent: int | None) -> None:
    command = {**fields, "do": do}
    body = json.dumps(command, indent=indent).encode()
    if finite(command):
        assert read_command(body) == json.loads(body) == command
    else:
        with pytest.raises(UsageError, match="not finite"):
            read_command(body)


@given(body=st.binary(max_size=200) | st.text(alphabet='{}[]":,do0e-+.NaInfty \\u', max_size=60).map(str.encode))
@settings(max_examples=400, deadline=None)
def test_anything_else_is_one_line(body: bytes) -> None:
    command, said = attempt(read_command, body)
    assert command == json.loads(body) if command is not None else said.isprintable()


@pytest.mark.parametrize(("number", "taken"), [(WHOLE_NUMBER, True), (WHOLE_NUMBER + 1, False), (-WHOLE_NUMBER, True)])
def test_whole_numbers_are_those_that_a_page_can_tell_apart(number: int, taken: bool) -> None:
    body = b'{"do": "set", "seed": %d}' % number
    if taken:
        assert read_command(body)["seed"] == number
    else:
        with pytest.raises(UsageError, match="too large"):
            read_command(body)


@given(width=st.integers(1, 40), height=st.integers(1, 40), seed=st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_a_picture_is_its_rows(width: int, height: int, seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (height, width), np.uint8)
    np.testing.assert_array_equal(read_picture(struct.pack("<HH", width, height) + image.tobytes()), image)


def test_the_largest_picture_is_taken_and_no_larger_one() -> None:
    side = PICTURE_SIDE
    assert read_picture(struct.pack("<HH", side, side) + bytes(side * side)).shape == (side, side)
    with pytest.raises(UsageError, match="pixels a side"):
        read_picture(struct.pack("<HH", side + 1, side) + bytes((side + 1) * side))


@given(body=st.binary(max_size=80))
@settings(max_examples=200, deadline=None)
def test_no_bytes_are_a_fault(body: bytes) -> None:
    image, said = attempt(read_picture, body)
    assert image.tobytes() == body[4:] if image is not None else said.isprintable()
