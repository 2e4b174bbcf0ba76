"""JSON as byhand writes it, to files and to standard output, and reads it: nothing that only Python would take."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any, Final, cast

__all__ = ["digest", "json_text", "parsed"]


def json_text(value: object, indent: int | None = None) -> str:
    """The value as JSON text, ASCII only, so that any terminal and any file name will do.

    NaN and infinities, for which JSON has no word, become null; paths become text; arrays and tensors become lists.

    Raises:
        TypeError: a value that has no place in JSON.
    """
    return json.dumps(_plain(value), indent=indent, allow_nan=False)


def digest(value: object, *more: memoryview) -> str:
    """SHA-256 of the value as JSON, in whatever order its names stand, and of the bytes after it."""
    found = hashlib.sha256(json.dumps(_plain(value), sort_keys=True, allow_nan=False).encode())
    for part in more:
        found.update(part)
    return found.hexdigest()


def parsed(text: str | bytes) -> Any:
    """The value of JSON text from outside.

    Raises:
        ValueError: it is none, it is nested without end, or it says NaN or Infinity, for which JSON has no word.
    """
    try:
        return _READER.decode(text if isinstance(text, str) else text.decode(json.detect_encoding(text)))
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


_READER: Final = json.JSONDecoder(parse_constant=_no_number)  # json.loads would make one for each line


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in cast("Mapping[object, object]", value).items()}
    if isinstance(value, Sequence):
        return [_plain(item) for item in cast("Sequence[object]", value)]
    if hasattr(value, "tolist"):  # NumPy's and torch's numbers and arrays, neither of which is imported here
        return _plain(cast("Any", value).tolist())
    raise TypeError(f"{type(value).__name__} has no place in JSON")
