"""The points of a run's curves: when the next is due, and which are kept."""

import math
from typing import Any, Final, final

__all__ = ["Curve", "rounded"]

_MOST: Final = 1500  # points kept
_EARLY: Final = 12  # points at the start, where a curve bends most
_SHARE: Final = 0.06  # of the time that may go into measuring points
_WATCHED, _ALONE = 0.25, 1.0  # seconds between two points, with and without somebody who looks


@final
class Curve:
    """Points by step, at most 1,500; of more, the one whose neighbours are nearest to each other is left out.

    The first twelve and the last always stay.

    At the start they are due at steps 0, 1, 2, 5, 10, 20, 50, …; then by time, and never so often that they take more
    than about 6 % of it.
    """

    def __init__(self, points: list[dict[str, Any]] | None = None) -> None:
        """Args: the points of a run that is taken up again."""
        self.points = points or []
        self._next = 0.0
        self._dense = [digit * 10**power for power in range(10) for digit in (1, 2, 5)]
        while self.points and self._dense and self._dense[0] <= self.points[-1]["step"]:
            self._dense.pop(0)

    def is_due(self, step: int, now: float, watched: bool) -> bool:
        """Whether step number ``step``, at ``now`` seconds, should be a point."""
        if self._dense and step >= self._dense[0]:
            while self._dense and step >= self._dense[0]:
                self._dense.pop(0)
            return True
        return now >= self._next + (0.0 if watched else _ALONE - _WATCHED)

    def add(self, point: dict[str, Any], now: float, seconds: float) -> None:
        """Keep a point, measured at ``now``, which took so long; one of the same step takes the other's place."""
        if self.points and self.points[-1]["step"] == point["step"]:
            self.points.pop()
        self.points.append(point)
        self._next = now + max(_WATCHED, seconds / _SHARE)
        if len(self.points) > _MOST:
            steps = [one["step"] for one in self.points]
            inner = range(_EARLY, len(steps) - 1)
            del self.points[min(inner, key=lambda i: steps[i + 1] - steps[i - 1])]

    def back_to(self, step: int) -> None:
        """Forget the points after a step, to which the weights have gone back."""
        while self.points and self.points[-1]["step"] > step:
            self.points.pop()


def rounded(value: float | None) -> float | None:
    """A number as a curve needs it, six digits; what is no number is None."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.6g}")
