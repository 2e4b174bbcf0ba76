"""Plain numbers that go by a learning rate's name: what a program without an optimizer object turns while it trains."""

import math
from typing import Final, final

from byhand.doctor.aside import Setting
from byhand.doctor.place import Place

__all__ = ["Settings"]

_RATE_NAMES: Final = frozenset(
    {
        "lr",
        "learning_rate",
        "alpha",
        "eta",
        "step_size",
        "rate",
        "lrate",
        "learningrate",
        "lr_t",
        "current_lr",
        "cur_lr",
    }
)
"""Names that a rate goes by, in small letters, without what stands before a point."""

_EXACT: Final = 1_000  # changes that are all kept; after them those that are larger than _SMALL
_MOST: Final = 10_000
_SMALL: Final = 0.02  # of the value before


@final
class Settings:
    """All changes so far."""

    def __init__(self) -> None:
        self.seen: list[Setting] = []
        self._last: dict[str, float] = {}

    def wants(self, name: str) -> bool:
        """Whether a name is one that rates go by."""
        return name.rpartition(".")[2].lower() in _RATE_NAMES

    def set(self, name: str, value: float, place: Place, clock: int) -> None:
        """A name was given a number."""
        last = self._last.get(name)
        if last == value or len(self.seen) >= _MOST:
            return
        if last is not None and len(self.seen) >= _EXACT and math.isclose(last, value, rel_tol=_SMALL):
            return
        self._last[name] = value
        self.seen.append(Setting(name, place, clock, value))
