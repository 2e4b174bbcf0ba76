"""Scores that were rounded, cut to whole numbers or compared with a number: what they had been before."""

import weakref
from collections import deque
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from byhand.doctor.place import Place
from byhand.doctor.watch.arrays import as_numpy, is_array
from byhand.doctor.watch.lineage import Lineage

__all__ = ["CASTS", "ROUNDINGS", "Coarse"]

ROUNDINGS: Final = frozenset(("round", "rint", "around", "floor", "ceil", "trunc"))
"""Functions after which scores are whole numbers, or have fewer decimals."""

CASTS: Final = frozenset(
    ("astype", "int", "long", "short", "type", "to", "float", "double", "numpy", "array", "asarray")
)
"""Functions that give the same numbers another type; to whole numbers they cut off."""

_KEPT: Final = 8


@final
class Coarse:
    """The last few tables of scores that were made coarse, each with what it was made of."""

    def __init__(self, lineage: Lineage) -> None:
        self._lineage = lineage
        self._known: deque[tuple[Any, NDArray[Any], tuple[Place, ...]]] = deque(maxlen=_KEPT)

    def note(self, source: Any, result: Any, place: Place | None, *, cast: bool = False) -> None:
        """A table of scores (N, C) was made coarse; with ``cast`` only if its numbers have become whole ones.

        ``place`` is None of a cast to numbers with decimals, which changes none.
        """
        if (
            not is_array(source)
            or not is_array(result)
            or source.ndim != 2
            or tuple(source.shape) != tuple(result.shape)
        ):
            return
        before = self.before(source)
        if cast and before is not None:
            self._keep(result, before[0], before[1] if place is None else (*before[1], place))
            return
        if min(source.shape) < 2 or place is None or (before is None and self._lineage.role(source) != "derived"):
            return
        numbers, made = before or (as_numpy(source), ())
        outcome = as_numpy(result)
        if numbers is None or outcome is None or numbers.dtype.kind != "f" or (cast and outcome.dtype.kind == "f"):
            return
        self._keep(result, numbers, (*made, place))

    def before(self, scores: Any) -> tuple[NDArray[Any], tuple[Place, ...]] | None:
        """What a table was before it was made coarse, and where that was done; None of any other."""
        for ref, numbers, places in reversed(self._known):
            if ref() is scores:
                return numbers, places
        return None

    def _keep(self, result: Any, numbers: NDArray[Any], places: tuple[Place, ...]) -> None:
        self._known.append((weakref.ref(result), np.array(numbers, np.float32), places))
