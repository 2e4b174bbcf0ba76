from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byhand.data.parquet.thrift import I32, I64, LIST, STRUCT, key, read_struct
from tests.fuzz.parquet_file import Long, struct_of

numbers = st.integers(-(2**31), 2**31 - 1)
longs = st.integers(-(2**63), 2**63 - 1).map(Long)
leaves = numbers | longs | st.binary(max_size=200) | st.lists(numbers, min_size=1, max_size=20)
structs = st.recursive(
    st.dictionaries(st.integers(1, 15), leaves, max_size=4),
    lambda inner: st.dictionaries(
        st.integers(1, 15), leaves | inner | st.lists(inner, min_size=1, max_size=20), max_size=4
    ),
    max_leaves=6,
)


def expected(fields: dict[int, Any]) -> dict[int, Any]:
    right: dict[int, Any] = {}
    for field, value in fields.items():
        if isinstance(value, Long):
            right[key(field, I64)] = int(value)
        elif isinstance(value, int):
            right[key(field, I32)] = value
        elif isinstance(value, dict):
            right[key(field, STRUCT)] = expected(value)
        elif isinstance(value, list):
            right[key(field, LIST)] = [expected(item) for item in value] if isinstance(value[0], dict) else None
        else:
            right[key(field, 8)] = None
    return right


@given(fields=structs, before=st.binary(max_size=5), after=st.binary(max_size=5))
def test_what_was_written_is_read(fields: dict[int, Any], before: bytes, after: bytes) -> None:
    data = struct_of(fields)
    assert read_struct(before + data + after, len(before)) == (expected(fields), len(before) + len(data))


@given(fields=structs)
def test_a_structure_that_ends_early_is_none(fields: dict[int, Any]) -> None:
    data = struct_of(fields)
    for length in range(len(data)):
        with pytest.raises(IndexError):
            read_struct(data[:length])


@given(data=st.binary(max_size=60))
def test_any_bytes_are_a_structure_or_none(data: bytes) -> None:
    try:
        _, end = read_struct(data)
    except (IndexError, ValueError):
        return
    assert 0 < end <= len(data)


@pytest.mark.parametrize(
    "data",
    [
        b"\x15\x02\x05\x02\x02\x00",  # field 1 twice, the second time by its number
        b"\x05\x00\x02\x00",  # field 0
        b"\x05\x01\x02\x00",  # field -1
        b"\x05\x82\x80\x04\x02\x00",  # field 32769, which is negative for 16 bits
        b"\x05\x82\x80\x08\x02\x00",  # field 65537, which is 1 for 16 bits
        b"\x15\x80\x80\x80\x80\x10\x00",  # 2 ** 32, which is 0 for 32 bits
        b"\x16\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02\x00",  # 2 ** 64
        b"\x16" + b"\x80" * 11 + b"\x00",  # without end
        b"\x1a\x15\x02\x00",  # a set
        b"\x1b\x01\x55\x02\x02\x00",  # a map
        b"\x1c" * 100,
        b"\x19\x1c" * 100,
        b"\x19\x19" * 2000,
        b"\x1d\x00\x00",
    ],
)
def test_what_other_readers_would_bend_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"^-?\d+$"):
        read_struct(data)


def test_a_list_cannot_have_more_items_than_bytes() -> None:
    with pytest.raises(IndexError):
        read_struct(b"\x19\xfc\xff\xff\xff\xff\x0f\x00\x00")
