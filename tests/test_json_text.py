"""JSON as byhand writes and reads it: nothing that only Python would take, and a hash that no order changes."""

import hashlib
import json
import math
from pathlib import PurePosixPath

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from byhand.json_text import digest, json_text, parsed

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_what_is_written_is_read_again(value: object) -> None:
    text = json_text(value)
    assert text.isascii()
    assert parsed(text) == parsed(text.encode()) == json.loads(text) == value


def test_what_json_has_no_word_for() -> None:
    told = {
        "loss": math.nan,
        "folder": PurePosixPath("a/b"),
        "rows": np.arange(2),
        "bias": torch.ones(1),
        3: (1.5, -math.inf),
    }
    assert parsed(json_text(told)) == {"loss": None, "folder": "a/b", "rows": [0, 1], "bias": [1.0], "3": [1.5, None]}
    with pytest.raises(TypeError, match="object has no place in JSON"):
        json_text(object())


@pytest.mark.parametrize("text", ["", "{", "NaN", "[Infinity]", "[" * 100_000, b"\xff\xfe\x00"])
def test_what_is_no_json_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parsed(text)


def test_a_digest_is_that_of_the_sorted_text_and_of_the_bytes_after_it() -> None:
    told = {"b": [1, {"d": None, "c": 2.5}], "a": "x"}
    again = {"a": "x", "b": [1, {"c": 2.5, "d": None}]}
    text = b'{"a": "x", "b": [1, {"c": 2.5, "d": null}]}'
    assert digest(told) == digest(again) == hashlib.sha256(text).hexdigest()
    more = memoryview(b"labels"), memoryview(b"rows")
    assert digest(told, *more) == hashlib.sha256(text + b"labelsrows").hexdigest()
    assert digest(told, *more) != digest(told)
