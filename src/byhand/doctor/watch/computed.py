"""The numbers that one iteration computes, each by where it comes up, and the losses that it leaves uncomputed."""

from collections.abc import Iterator
from typing import Any, Final, cast, final

import numpy as np
from numpy.typing import NDArray

from byhand.doctor.watch.arrays import is_float, is_numpy

__all__ = ["Key", "Scalars"]

_LARGE: Final = 4_000_000  # elements of an output
_TINY: Final = 1e-300

Array = NDArray[np.float64]
Key = tuple[int, str]  # the position of its place, and which loss was assumed; "" for a number of the program's own


@final
class Scalars:
    """For each place the last number, and the sum over all times. Whole numbers are left out: they are counts."""

    def __init__(self) -> None:
        self.last: dict[Key, float] = {}
        self.sums: dict[Key, float] = {}
        self.names: dict[Key, str] = {}
        self._lengths: dict[Key, int] = {}  # of the axis that is taken for the rows
        self._classes: NDArray[np.int64] = np.zeros(0, np.int64)
        self._shares: dict[int, Any] = {}  # by place: probabilities, copied, for they may become the gradient

    def note(self, k: int, value: Any, name: str = "") -> None:
        """A value came up; if it is one number it is kept."""
        if is_numpy(value):
            if value.size != 1 or not is_float(value):
                return
            value = value.reshape(-1)[0]
        elif not isinstance(value, float | np.floating):
            return
        self._keep((k, ""), float(cast("Any", value)))
        if name:
            self.names[k, ""] = name

    def _keep(self, key: Key, value: float) -> None:
        self.last[key] = value
        self.sums[key] = self.sums.get(key, 0.0) + value

    def differ(self, k: int, left: Any, right: Any) -> None:
        """Two arrays are subtracted: outputs and targets, perhaps. Keeps the losses whose gradient begins like that."""
        if not is_numpy(left) or not is_numpy(right) or left.shape != right.shape or not 0 < left.size <= _LARGE:
            return
        if "f" not in (left.dtype.kind, right.dtype.kind):
            return
        a: Array = left.astype(np.float64, copy=False)
        b: Array = right.astype(np.float64, copy=False)
        for assumed, value in _losses(a, b):
            self._keep((k, assumed), value)
        for axis in range(a.ndim if a.ndim == 2 else 0):
            rows = "" if axis == 0 else ", samples in columns,"
            for which, i in (("first", 0), ("last", -1)):
                for assumed, value in _losses(a.take([i], axis), b.take([i], axis)):
                    key = k, f"{assumed}{rows} of the {which} row"
                    self._keep(key, value)
                    self._lengths[key] = a.shape[axis]

    def keys(self, rows: int) -> list[Key]:
        """Of all numbers, those that are not of one row alone of as many as it cannot be."""
        return [key for key in self.last if key not in self._lengths or 1 < self._lengths[key] == rows]

    def share(self, k: int, name: str, result: Any) -> None:
        """An operation gave an array: probabilities, perhaps, from whose right classes 1 is subtracted in place.

        Or the classes themselves: whole numbers that were picked out of others.
        """
        if name == "getitem" and is_numpy(result) and result.ndim == 1 and result.dtype.kind in "iu":
            self._classes = result
        if name not in ("div", "exp") or not is_numpy(result) or result.ndim != 2:
            return
        if not is_float(result) or not 1 < result.size <= _LARGE or not (result >= 0).all():
            return
        if any(np.allclose(result.sum(axis), 1, atol=1e-4) for axis in (0, 1)):
            self._shares[k] = np.array(result, np.float64)

    def label(self, labels: NDArray[np.int64]) -> None:
        """The iteration is over, and these were its rows' labels, (0,) where unknown.

        Keeps the cross-entropy of what ``share`` has seen.
        """
        for k, shares in self._shares.items():
            for classes in (labels, self._classes):
                rows = shares if len(shares) == len(classes) else shares.T
                if 1 < len(rows) == len(classes) and classes.min() >= 0 and classes.max() < rows.shape[1]:
                    picked = rows[np.arange(len(classes)), classes]
                    self._keep((k, "cross-entropy"), -float(np.log(np.maximum(picked, _TINY)).sum()))
                    break


def _losses(a: Array, b: Array) -> Iterator[tuple[str, float]]:
    """The losses whose gradient begins with a difference; probabilities may be on either side."""
    with np.errstate(all="ignore"):
        apart = a - b
        yield "squared error", float(np.vdot(apart, apart)) / 2
        yield "absolute error", float(abs(apart).sum())
        for p, t in ((a, b), (b, a)):
            inside = p.min() >= 0 and p.max() <= 1 and bool(((p > 0) & (p < 1)).any())
            if inside and t.min() >= 0 and t.max() <= 1:
                entropy = -float(np.vdot(t, np.log(np.maximum(p, _TINY))))
                other = -float(np.vdot(1 - t, np.log(np.maximum(1 - p, _TINY))))
                yield "cross-entropy", entropy
                yield "binary cross-entropy", entropy + other
                break
