"""A trace as a folder of two files: ``trace.json``, and ``arrays.npz`` with one array of each type.

A trace has tens of thousands of small arrays. Those of one type stand end to end in one array, and the JSON names each
by its type, offset and shape. The JSON is one line; below it stands a SHA-256 of both, so that a trace is whole or
none. Nothing in the files is ever run.
"""

import dataclasses
import hashlib
import json
import math
import types
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, Union, cast, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from byhand.doctor.trace import Trace
from byhand.errors import DataError
from byhand.json_text import parsed
from byhand.text import brief

__all__ = ["read", "write"]

_TYPES: Final = ("uint8", "int64", "float32", "float64", "bool")
_NOT_WHOLE: Final = (
    *(OSError, ValueError, LookupError, TypeError, AttributeError, OverflowError, EOFError, MemoryError),
    *(RuntimeError, RecursionError, NotImplementedError, zipfile.BadZipFile, zlib.error),
)
"""What JSON, NumPy and the zip module raise of files that were not written here."""
_AS_THEY_ARE: Final = frozenset({int, str, bool, types.NoneType})

_Arrays = Mapping[str, NDArray[Any]]
_Read = Callable[[Any, _Arrays], Any]


def write(folder: Path, trace: Trace) -> None:
    """Write a trace into an existing folder."""
    arrays: dict[str, list[NDArray[Any]]] = defaultdict(list)
    sizes: dict[str, int] = defaultdict(int)

    def stored(array: NDArray[Any]) -> list[Any]:
        kind = array.dtype.name if array.dtype.name in _TYPES else "float64"
        start = sizes[kind]
        sizes[kind] += array.size
        arrays[kind].append(array.astype(kind, copy=False).ravel())
        return [kind, start, *array.shape]

    def plain(value: Any) -> Any:
        kind = value.__class__
        if kind in _AS_THEY_ARE:
            return value
        if kind is float:
            return value if math.isfinite(value) else str(value)  # JSON has no infinity
        if kind is np.ndarray:
            return stored(value)
        if names := _fields(kind):
            return [plain(getattr(value, name)) for name in names]
        if isinstance(value, list | tuple):
            return [plain(item) for item in cast("tuple[Any, ...]", value)]
        if isinstance(value, Mapping):
            return {key: plain(item) for key, item in cast("Mapping[str, Any]", value).items()}
        return value

    text = json.dumps(plain(trace))
    # NumPy writes at offsets of its own; the JSON comes last, so that a folder with one is whole.
    whole: dict[str, Any] = {kind: np.concatenate(parts) for kind, parts in arrays.items()}
    np.savez(folder / "arrays.npz", **whole)
    check = json.dumps({"sha256": _digest(text.encode(), folder / "arrays.npz")})
    (folder / "trace.json").write_text(f"{text}\n{check}\n", "utf-8")


def read(folder: Path) -> Trace:
    """Read what ``write`` has written.

    Raises:
        DataError: the folder holds no whole trace.
    """
    try:
        text, _, check = (folder / "trace.json").read_bytes().partition(b"\n")
        if parsed(check) != {"sha256": _digest(text, folder / "arrays.npz")}:
            raise ValueError("its checksum is another")
        with (folder / "arrays.npz").open("rb") as archive, np.load(archive, allow_pickle=False) as file:
            if any(member.compress_type for member in file.zip.infolist()):
                raise ValueError("its arrays are packed")  # and may unpack to gigabytes
            arrays = {kind: file[kind] for kind in file.files}
        make = cast("_Read", _reader(Trace))
        return cast("Trace", make(parsed(text), arrays))
    except _NOT_WHOLE as error:
        raise DataError(f"{folder} holds no whole trace ({brief(error)}); run the program again") from error


def _digest(text: bytes, arrays: Path) -> str:
    """SHA-256 of the arrays' own SHA-256 and of the JSON."""
    with arrays.open("rb") as file:
        own = hashlib.file_digest(file, "sha256").digest()
    return hashlib.sha256(own + text).hexdigest()


@cache
def _reader(kind: Any) -> _Read | None:
    """What makes a value of the annotated type out of what JSON made of it; None where that is the value."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is np.ndarray:
        return _array
    if origin in (Union, types.UnionType):
        choices = [choice for choice in inner if choice is not types.NoneType]
        one = _reader(choices[0]) if len(choices) == 1 else None
        return one and (lambda value, arrays: None if value is None else one(value, arrays))
    if origin is tuple and len(inner) == 2 and inner[1] is Ellipsis:
        item = _reader(inner[0])
        if item is None:
            return lambda value, _: tuple(value)
        return lambda value, arrays: tuple([item(one, arrays) for one in value])
    if origin is tuple:
        return _record(lambda *values: values, inner)
    if names := _fields(kind):
        hints = get_type_hints(kind)
        return _record(kind, [hints[name] for name in names])
    return (lambda value, _: float(value)) if kind is float else None


def _record(make: Callable[..., Any], kinds: Iterable[Any]) -> _Read:
    readers = [_reader(kind) for kind in kinds]

    def read(value: Any, arrays: _Arrays) -> Any:
        return make(*[
            item if reader is None else reader(item, arrays) for reader, item in zip(readers, value, strict=True)
        ])  # fmt: skip

    return read


def _array(value: Any, arrays: _Arrays) -> NDArray[Any]:
    name, start, *shape = value
    return arrays[name][start : start + math.prod(shape)].reshape(shape) if name in arrays else np.zeros(shape)


@cache
def _fields(kind: Any) -> tuple[str, ...]:
    """The names of a record's fields, in order; () for what is no record."""
    if dataclasses.is_dataclass(kind):
        return tuple(field.name for field in dataclasses.fields(kind))
    return getattr(kind, "_fields", ())
