"""What a tab may send: a command in JSON, or a picture in bytes. Both are read here, and refused in one line."""

import json
import math
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from byhand.errors import UsageError
from byhand.play.limits import PICTURE_SIDE, WHOLE_NUMBER

__all__ = ["read_command", "read_picture"]

_SIZES: Final = 4  # bytes of a picture's width and height


def read_command(body: bytes) -> dict[str, Any]:
    """A JSON object whose ``do`` is text; its other fields are the session's to check.

    Raises:
        UsageError: anything else: no JSON, a field twice, a number that is none or that no program could mean, an
            object within an object without end.
    """
    try:
        command: object = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_once,
            parse_int=_whole,
            parse_float=_finite,
            parse_constant=_finite,
        )
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, _FieldError) else "it is no JSON"
        raise UsageError(f"a command could not be read: {reason}") from None
    fields = cast("dict[str, Any]", command) if isinstance(command, dict) else {}
    if not isinstance(fields.get("do"), str):
        raise UsageError('a command is a JSON object with what to do, like {"do": "play"}')
    return fields


def read_picture(body: bytes) -> NDArray[np.uint8]:
    """A grey picture (H, W) from its width and height, little-endian uint16, and a byte a pixel, row by row.

    Raises:
        UsageError: sizes out of range, or not as many bytes as they say.
    """
    width, height = (int.from_bytes(body[at : at + 2], "little") for at in (0, 2))
    if not (1 <= width <= PICTURE_SIDE and 1 <= height <= PICTURE_SIDE):
        raise UsageError(f"a picture has 1 to {PICTURE_SIDE} pixels a side, not {width} × {height}")
    if len(body) != _SIZES + width * height:
        raise UsageError(f"a picture of {width} × {height} has {width * height} bytes, not {len(body) - _SIZES}")
    return np.frombuffer(body, np.uint8, offset=_SIZES).reshape(height, width)


class _FieldError(ValueError):
    """A reason that is worth saying."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise _FieldError("a field stands there twice")
    return fields


def _whole(text: str) -> int:
    if len(text) > len(str(WHOLE_NUMBER)) + 1 or abs(int(text)) > WHOLE_NUMBER:
        raise _FieldError("a number is too large")
    return int(text)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _FieldError("a number is not finite")
    return number
