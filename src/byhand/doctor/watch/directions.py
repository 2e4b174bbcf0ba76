"""The directions in which one parameter is moved, and how the numbers of an iteration answer."""

import itertools
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from byhand.doctor.watch.finite_differences import Move
from byhand.doctor.watch.iteration import Seen

__all__ = ["Directions", "answering_of"]

Array = NDArray[np.float64]

_SMALL: Final = 16  # elements of a parameter that is moved element by element
_DIRECTIONS: Final = 12  # of a larger one
_STEP: Final = {False: 1e-5, True: 4e-3}  # of the size of the elements, in float64 and in float32
_ZERO: Final = 0.05  # taken for the size of the elements of a parameter that is 0, or nearly
_TINY: Final = 1e-3
_ANSWERS: Final = 1e-12  # relative change from which a number answers


@final
class Directions:
    """The directions in which one parameter is moved, and the answers."""

    def __init__(self, number: int, array: Any, single: bool) -> None:
        self.number, self.array = number, array
        self.units: bool = array.size <= _SMALL
        if self.units:
            self.directions: list[Array] = [one.reshape(array.shape) for one in np.eye(int(array.size))]
        else:
            rng = np.random.default_rng([7, number])
            self.directions = [rng.standard_normal(array.shape) for _ in range(_DIRECTIONS)]
        size = float(np.linalg.norm(array)) / float(np.sqrt(int(array.size)))
        self.step = _STEP[single] * (size if size > _TINY else _ZERO)
        if self.units:
            self.step *= float(np.sqrt(array.size))
        self._answers: list[Array | None] = [None] * len(self.directions)

    def move(self, i: int, times: float = 1.0, prepare: Any = None) -> Move:
        """Along direction i."""
        return Move(self.number, times * self.step * self.directions[i], prepare)

    def take(self, i: int, answer: Array | None) -> None:
        """The differences (S, 2) along direction i."""
        self._answers[i] = None if answer is None else answer / self.step

    @property
    def count(self) -> int:
        """Directions with an answer, without a gap from the first on."""
        return next((i for i, answer in enumerate(self._answers) if answer is None), len(self._answers))

    def slopes(self, answering: list[tuple[int, int]]) -> Array:
        """(S, K) of the numbers that answer."""
        whole = np.array(self._answers[: self.count], np.float64)  # (K, S, 2)
        return np.array([whole[:, key, summed] for key, summed in answering]).reshape(len(answering), self.count)

    def rows(self, differences: list[Array | None], answering: list[tuple[int, int]], times: float) -> Array:
        """The same of other differences; without those from the first on that is missing."""
        known = list(itertools.takewhile(lambda one: one is not None, differences))
        if not known:
            return np.zeros((len(answering), 0))
        whole = np.array(known, np.float64) / (self.step * times)
        return np.array([whole[:, key, summed] for key, summed in answering]).reshape(len(answering), len(known))

    def along(self, values: Array) -> Array:
        """(K,) products of an array with the directions."""
        values = values.reshape(self.array.shape)
        return np.array([float(np.vdot(values, one)) for one in self.directions[: self.count]])


def answering_of(seen: Seen, plans: list[Directions]) -> list[tuple[int, int]]:
    """The numbers that answer to a parameter, last and summed where the two differ: (position, 0 or 1)."""
    found: list[tuple[int, int]] = []
    for key in range(len(seen.keys)):
        for summed in (0, 1):
            value = (seen.sums if summed else seen.last)[key]
            if (summed and value == seen.last[key]) or not np.isfinite(value):
                continue
            rows = [plan.slopes([(key, summed)])[0] for plan in plans]
            if all(np.isfinite(row).all() for row in rows):
                moved = max(float(abs(row).max()) * plan.step for row, plan in zip(rows, plans, strict=True))
                if moved > _ANSWERS * abs(value):
                    found.append((key, summed))
    return found
