"""A trace as a folder of two files: ``trace.json``, and ``arrays.npz`` with one array of each type.

A trace has tens of thousands of small arrays. Those of one type stand end to end in one array, and the JSON names each
by its type, offset and shape. Nothing in the files is ever run.
"""

import dataclasses
import json
import math
import types
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, Union, cast, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from byhand.doctor.trace import Trace
from byhand.errors import DataError

__all__ = ["read", "write"]

_TYPES: Final = ("uint8", "int64", "float32", "float64", "bool")


def write(folder: Path, trace: Trace) -> None:
    """Write a trace into an existing folder."""
    arrays: dict[str, list[NDArray[Any]]] = defaultdict(list)
    sizes: dict[str, int] = defaultdict(int)

    def plain(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            array = cast("NDArray[Any]", value)
            kind = array.dtype.name if array.dtype.name in _TYPES else "float64"
            start = sizes[kind]
            sizes[kind] += array.size
            arrays[kind].append(array.astype(kind, copy=False).ravel())
            return [kind, start, *array.shape]
        if isinstance(value, list | tuple):
            return [plain(item) for item in cast("tuple[Any, ...]", value)]
        if isinstance(value, Mapping):
            return {key: plain(item) for key, item in cast("Mapping[str, Any]", value).items()}
        if dataclasses.is_dataclass(value):
            return [plain(getattr(value, field.name)) for field in dataclasses.fields(value)]
        if isinstance(value, float) and not math.isfinite(value):
            return str(value)  # JSON has no infinity
        return value

    text = json.dumps(plain(trace))
    # NumPy writes at offsets of its own; the JSON comes last, so that a folder with one is whole.
    whole: dict[str, Any] = {kind: np.concatenate(parts) for kind, parts in arrays.items()}
    np.savez(folder / "arrays.npz", **whole)
    (folder / "trace.json").write_text(text, "utf-8")


def read(folder: Path) -> Trace:
    """Read what ``write`` has written.

    Raises:
        DataError: the folder holds no whole trace.
    """
    try:
        record = json.loads((folder / "trace.json").read_text("utf-8"))
        with np.load(folder / "arrays.npz", allow_pickle=False) as file:
            arrays = {kind: file[kind] for kind in file.files}
        return cast("Trace", _build(Trace, record, arrays))
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise DataError(f"{folder} holds no whole trace ({error}); run the program again") from error


def _build(kind: Any, value: Any, arrays: dict[str, NDArray[Any]]) -> Any:
    """A value of the annotated type, out of what JSON made of it."""
    if value is None:
        return None
    origin = get_origin(kind)
    if origin is np.ndarray:
        name, start, *shape = value
        return arrays[name][start : start + math.prod(shape)].reshape(shape) if name in arrays else np.zeros(shape)
    if origin in (Union, types.UnionType):
        choices = [choice for choice in get_args(kind) if choice is not types.NoneType]
        return _build(choices[0], value, arrays) if len(choices) == 1 else value
    if origin is tuple:
        inner = get_args(kind)
        if len(inner) == 2 and inner[1] is Ellipsis:
            return tuple([_build(inner[0], item, arrays) for item in value])
        return tuple([_build(one, item, arrays) for one, item in zip(inner, value, strict=True)])
    if dataclasses.is_dataclass(kind) or hasattr(kind, "_fields"):
        make = cast("Any", kind)
        return make(*[_build(hint, item, arrays) for hint, item in zip(_hints(kind), value, strict=True)])
    return float(value) if kind is float else value


@cache
def _hints(kind: Any) -> tuple[Any, ...]:
    """The types of a record's fields, in order."""
    hints = get_type_hints(kind)
    names = kind._fields if hasattr(kind, "_fields") else [field.name for field in dataclasses.fields(kind)]
    return tuple(hints[name] for name in names)
