"""What the units of a hidden layer do on the rows of a forward, told by the numbers before and behind it."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from byhand.doctor.layers import Units
from byhand.doctor.watch.arrays import as_numpy, is_array, is_tensor

__all__ = ["units_of"]

_RELUS: Final = frozenset({"relu", "relu6", "threshold", "clamp", "clamp_min", "maximum", "where", "mul"})
_SIGMOIDS: Final = frozenset({"sigmoid", "div", "rdiv", "reciprocal"})
_LOOKED_AT: Final = 1 << 20  # numbers of one layer
_END: Final = 0.01  # of the range of a sigmoid or tanh: nearer to an end a unit is flat


def units_of(name: str, inputs: list[Any], output: Any, n: int) -> Units | None:
    """What U units did on the N rows of a forward; None where an operation is no relu, sigmoid or tanh of units.

    Units are columns of (N, U), rows of (U, N), channels of (N, U, H, W).
    """
    if name not in _RELUS and name not in _SIGMOIDS and name != "tanh":
        return None
    out = _units_first(output, n)
    if out is None:
        return None
    if name == "tanh":
        return Units("tanh", n, _share(abs(out) > 1 - 2 * _END), float((1 - out**2).mean()))
    if name in _SIGMOIDS:
        if not (out.min() >= 0 and out.max() <= 1) or not _is_sigmoid(name, inputs):
            return None
        return Units("sigmoid", n, _share((out < _END) | (out > 1 - _END)), float((4 * out * (1 - out)).mean()))
    off = out == 0
    for given in inputs:
        before = _units_first(given, n) if is_array(given) else None
        if before is not None and before.dtype.kind == "f" and before.shape == out.shape:
            return Units("relu", n, _share(off), float(1 - off.mean())) if (off == (before <= 0)).all() else None
    return None


def _units_first(array: Any, n: int) -> NDArray[Any] | None:
    """(U, M): a row for each unit, of all its numbers on the N rows, or on so many of them as are looked at."""
    values = as_numpy(array) if array.ndim in (2, 4) else None
    if values is None or values.dtype.kind != "f" or n < 2 or not values.size:
        return None
    if values.shape[0] == n and (values.ndim == 4 or values.shape[1] != n or is_tensor(array)):
        some = values[: max(1, _LOOKED_AT * n // values.size)]
        return np.moveaxis(some, 1, 0).reshape(values.shape[1], -1)
    if values.ndim == 2 and values.shape[1] == n != values.shape[0]:
        return values[:, : max(1, _LOOKED_AT * n // values.size)]
    return None


def _share(flags: NDArray[np.bool_]) -> NDArray[np.float32]:
    return flags.mean(axis=1).astype(np.float32)


def _is_sigmoid(name: str, inputs: list[Any]) -> bool:
    """Of a division: whether it is 1 / (1 + ...), as a sigmoid by hand ends."""
    if name == "sigmoid":
        return True
    arrays = [value for value in inputs if is_array(value)]
    below = as_numpy(arrays[0]) if len(arrays) == 1 else None
    one = name == "reciprocal" or any(type(value) in (int, float) and value == 1 for value in inputs)
    return one and below is not None and bool((below >= 1).all())
