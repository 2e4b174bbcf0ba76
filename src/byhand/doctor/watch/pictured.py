"""Weights as pictures: one for each of the units that a row goes into, as far as they are to be seen."""

import base64
import math
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Input", "picture"]

_UNITS: Final = 36
_NUMBERS: Final = 65_536  # of all pictures of one parameter
_LEVELS: Final = 127


class Input(NamedTuple):
    """What a row is where it meets a parameter."""

    shape: tuple[int, ...]  # of one row, as the program has it there
    columns: bool  # rows stand in columns
    ones: int | None  # 0 or -1: the place of a 1 that stands before or behind the numbers of each row


def picture(values: NDArray[Any], given: Input, known: Iterable[tuple[int, ...]]) -> dict[str, Any] | None:
    """Weights (P, C) or (C, P) as C pictures of P numbers, at most 36; None where they are no such table.

    Args:
        values: the weights.
        given: the rows that meet them.
        known: shapes of arrays that the program has, of which one may tell how P numbers stand in a picture.

    Returns:
        ``shape`` [H, W]; ``count``, how many there are; ``shown``; ``scale``, the largest of the numbers that are
        shown; ``data``, of each picture in turn its numbers by ``scale`` as signed bytes from -127 to 127, in base64.
    """
    size = math.prod(given.shape)
    if values.ndim != 2 or size not in values.shape or size < 4:
        return None
    turned = values.shape[0] == size and (values.shape[1] != size or not given.columns)
    rows = values.T if turned else values  # (C, P)
    size -= given.ones is not None
    shown = rows[: max(1, min(_UNITS, _NUMBERS // size))].astype(np.float64)
    if given.ones is not None:
        shown = shown[:, 1:] if given.ones == 0 else shown[:, :-1]
    finite = np.where(np.isfinite(shown), shown, 0)
    scale = float(np.abs(finite).max())
    levels = np.rint(finite * (_LEVELS / scale if scale else 0)).astype(np.int8)
    height, width = _shape(size, given, known)
    return {
        "shape": [height, width],
        "count": len(rows),
        "shown": len(shown),
        "scale": scale,
        "data": base64.b64encode(levels.tobytes()).decode("ascii"),
    }


def _shape(size: int, given: Input, known: Iterable[tuple[int, ...]]) -> tuple[int, int]:
    """Height and width: as the rows say, as a square, as an array of that many numbers a row says, or one line.

    Colours stand under each other, as they do in memory.
    """
    side = math.isqrt(size)
    if math.prod(given.shape) == size and len(given.shape) > 1 and given.shape[-1] > 1:
        return size // given.shape[-1], given.shape[-1]
    if side * side == size:
        return side, side
    for shape in known:
        if len(shape) > 2 and math.prod(shape[1:]) == size and shape[-1] > 1:
            return size // shape[-1], shape[-1]
    return 1, size
