"""Thrift's compact protocol, in which a Parquet file says what it holds: the fields of a structure.

A structure is fields until a zero byte. A field is its number, as the step from the last one, its kind, and its value.
Numbers are written seven bits a byte, the lowest first, those with a sign as 0, -1, 1, -2 for 0, 1, 2, 3; a text is
its length and its bytes; a list is its length, the kind of its items, and these.

Source: "Thrift compact protocol encoding". What other readers would bend is refused here: a field that comes twice, a
number beyond its kind.
"""

from typing import Any, Final

__all__ = ["I32", "I64", "LIST", "STRUCT", "key", "read_struct"]

I32, I64, _TEXT, LIST, STRUCT = 5, 6, 8, 9, 12
_BITS: Final = {4: 16, I32: 32, I64: 64}
_SIZES: Final = {1: 0, 2: 0, 3: 1, 7: 8}  # bytes of a bool (which is in its kind), a byte, a fraction
_DEPTH: Final = 16  # structures and lists in each other: the footer's deepest are nine


def key(field: int, kind: int) -> int:
    """What the value of a field of that kind stands under."""
    return field << 4 | kind


def read_struct(data: bytes, at: int = 0, depth: int = 0) -> tuple[dict[int, Any], int]:
    """The structure at a place of ``data``: the values by :func:`key`, and the place behind it.

    Numbers are int, structures dict, lists of structures list. Of all else only the place is of interest: it is left
    out.

    Raises:
        IndexError: it ends behind ``data``.
        ValueError: it is none.
    """
    fields: dict[int, Any] = {}
    field = 0
    while data[at]:
        step, kind = data[at] >> 4, data[at] & 15
        at += 1
        if step == 0:
            field, at = _number(data, at, 16)
        field += step
        name = field << 4 | kind
        if not 0 < field < 1 << 15 or name in fields:
            raise ValueError(field)
        fields[name], at = _value(data, at, kind, depth)
    return fields, at + 1


def _value(data: bytes, at: int, kind: int, depth: int) -> tuple[Any, int]:
    if kind in _BITS:
        return _number(data, at, _BITS[kind])
    if kind == _TEXT:
        length, at = _varint(data, at)
        return None, at + length
    if depth > _DEPTH:
        raise ValueError(depth)
    if kind == STRUCT:
        return read_struct(data, at, depth + 1)
    if kind == LIST:
        return _list(data, at, depth)
    if kind in _SIZES:
        return None, at + _SIZES[kind]
    raise ValueError(kind)  # a set or a map: Parquet has none


def _list(data: bytes, at: int, depth: int) -> tuple[list[Any] | None, int]:
    count, kind = data[at] >> 4, data[at] & 15
    at += 1
    if count == 15:
        count, at = _varint(data, at)
    if count > len(data) - at:  # an item takes a byte
        raise IndexError(count)
    if kind in (1, 2):
        return None, at + count
    items: list[Any] = []
    for _ in range(count):
        item, at = _value(data, at, kind, depth + 1)
        items.append(item)
    return items if kind == STRUCT else None, at


def _number(data: bytes, at: int, bits: int) -> tuple[int, int]:
    value, at = _varint(data, at)
    if value >> bits:
        raise ValueError(value)
    return value >> 1 ^ -(value & 1), at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    byte = data[at]
    at += 1
    if byte < 128:
        return byte, at
    value, shift = byte & 127, 7
    while shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
    raise ValueError(value)
