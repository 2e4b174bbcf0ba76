"""Whether what JSON text gave is of the form that a type describes."""

import dataclasses
import math
import types
from collections.abc import Callable
from functools import cache
from typing import Any, Final, Union, cast, get_args, get_origin, get_type_hints, is_typeddict

__all__ = ["fits"]

_WHOLE: Final = 2**53
"""Whole numbers below it are the same to every reader of JSON."""

_Check = Callable[[Any], bool]


def fits(value: object, kind: Any) -> bool:
    """Whether the value is what JSON makes of a value of the kind.

    The kind is ``int`` (between -2⁵³ and 2⁵³, no ``true``), ``float`` (finite; a whole number may stand for it),
    ``str``, ``bool``, ``None``, ``list[X]``, ``tuple[X, ...]`` or ``tuple[X, Y]`` (lists in JSON), ``X | Y``, a
    dataclass or a TypedDict: an object with exactly its fields.

    Raises:
        TypeError: the kind is another.
    """
    return _check(kind)(value)


@cache
def _check(kind: Any) -> _Check:
    origin, inner = get_origin(kind), get_args(kind)
    if kind is int:
        return _is_whole
    if kind is float:
        return _is_number
    if kind in (str, bool, types.NoneType):
        return lambda value: type(value) is kind
    if origin in (Union, types.UnionType):
        checks = [_check(one) for one in inner]
        return lambda value: any(check(value) for check in checks)
    if origin is list or (origin is tuple and inner[1:] == (Ellipsis,)):
        item = _check(inner[0])
        return lambda value: isinstance(value, list) and all(map(item, cast("list[object]", value)))
    if origin is tuple:
        return _row([_check(one) for one in inner])
    if dataclasses.is_dataclass(kind) or is_typeddict(kind):
        return _record({name: _check(one) for name, one in get_type_hints(kind).items()})
    raise TypeError(f"{kind} is no kind of JSON")


def _is_whole(value: object) -> bool:
    return type(value) is int and -_WHOLE < value < _WHOLE


def _is_number(value: object) -> bool:
    return _is_whole(value) or (type(value) is float and math.isfinite(value))


def _row(checks: list[_Check]) -> _Check:
    def check(value: Any) -> bool:
        return (
            isinstance(value, list)
            and len(cast("list[object]", value)) == len(checks)
            and all(one(item) for one, item in zip(checks, cast("list[object]", value), strict=True))
        )

    return check


def _record(checks: dict[str, _Check]) -> _Check:
    def check(value: Any) -> bool:
        return (
            isinstance(value, dict)
            and cast("dict[str, object]", value).keys() == checks.keys()
            and all(one(value[name]) for name, one in checks.items())
        )

    return check
