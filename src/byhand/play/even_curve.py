"""A curve that grows without end, as evenly spread points, in a list that does not grow."""

from typing import final

__all__ = ["EvenCurve"]


@final
class EvenCurve:
    """At most ``most`` points, evenly spread over the clock: of those that lie too close the first one is kept.

    The newest is always there: the next one may take its place.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._width = 1  # of the clock: two points are no closer
        self._points: list[tuple[int, float]] = []
        self._newest: tuple[int, float] | None = None

    def add(self, clock: int, value: float) -> None:
        """A point; ``clock`` never falls."""
        self._newest = clock, value
        if self._points and clock // self._width == self._points[-1][0] // self._width:
            return
        self._points.append((clock, value))
        while len(self._points) >= self._most:
            self._width *= 2
            before = [-1, *(at // self._width for at, _ in self._points)]
            self._points = [
                one for one, last in zip(self._points, before, strict=False) if one[0] // self._width > last
            ]

    def points(self) -> list[tuple[int, float]]:
        """The points, in order."""
        last = [] if self._newest is None or self._newest == self._points[-1] else [self._newest]
        return [*self._points, *last]
