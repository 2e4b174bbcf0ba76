"""Softmax, told by its values: the scores that probabilities were made of."""

from collections import deque
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from byhand.doctor.watch.arrays import is_float, is_numpy

__all__ = ["Shares"]

_RECENT: Final = 16  # arrays that may be the scores
_LARGEST: Final = 200_000  # elements of one
_NAMES: Final = frozenset({"div", "softmax", "exp"})

Array = NDArray[np.float64]


@final
class Shares:
    """Remembers the last arrays that operations gave, copied: programs subtract the largest score in place."""

    def __init__(self) -> None:
        self._recent: deque[Array] = deque(maxlen=_RECENT)

    def scores(self, name: str, operands: tuple[Any, ...], result: Any) -> Array | None:
        """The scores whose softmax an operation gave; None where it gave none, or they were not seen.

        The first that fits are those before the largest is subtracted: along that, softmax has no slope, but a wrong
        derivative of it may.
        """
        if not is_numpy(result) or not is_float(result) or not 1 < result.size <= _LARGEST or result.ndim > 2:
            return None
        found = None
        if name in _NAMES and bool((result >= 0).all()):
            axes = [axis for axis in range(result.ndim) if np.allclose(result.sum(axis), 1, atol=1e-4)]
            given = [x for x in operands if is_numpy(x) and x.shape == result.shape and is_float(x)]
            for z in [*self._recent, *given] if axes else []:
                if z.shape == result.shape and any(np.allclose(_softmax(z, axis), result, atol=1e-6) for axis in axes):
                    found = np.array(z, np.float64)
                    break
        self._recent.append(np.array(result, np.float64))
        return found


def _softmax(z: Any, axis: int) -> Array:
    with np.errstate(all="ignore"):
        e = np.exp(z - z.max(axis=axis, keepdims=True))
        return e / e.sum(axis=axis, keepdims=True)
