"""When the parameters are looked at: before and after some of the updates, ever more rarely."""

from collections.abc import Mapping
from typing import Any, Final, Protocol, final

from byhand.doctor.place import Place
from byhand.doctor.watch.drafts import Slot
from byhand.doctor.watch.parameters import Parameters

__all__ = ["Samples", "is_looked_at"]

_MANY: Final = 200  # parameters; with more of them none is looked at


def is_looked_at(n: int) -> bool:
    """Whether the n-th of many is looked at, counted from 0: the first four, and those with a power of two."""
    return n < 4 or n & (n - 1) == 0


class Listener(Protocol):
    """Who is told of a run while it goes on."""

    def loss(self, clock: int, value: float) -> None:
        """A backward pass begins at a loss."""

    def before(self) -> None:
        """A forward begins."""

    def gradients(self, returned: Mapping[int, Any]) -> None:
        """A backward pass is done; ``returned`` as ``Samples.gradients`` has it."""

    def after(self) -> None:
        """An update is done."""

    def shown(self, text: str, place: Place | None) -> None:
        """A line was shown."""


@final
class Samples:
    """Looks at the first updates of a training, at those with a power of two, and at every 500th."""

    def __init__(self, parameters: Parameters) -> None:
        self.updates = 0  # of the training that goes on
        self._parameters = parameters
        self._slots: list[Slot] = []
        self.live: Listener | None = None

    def before(self) -> None:
        """A forward begins; an update may follow."""
        n = self.updates
        if is_looked_at(n) or n % 500 == 0:
            self._slots = self._all()
            self._parameters.remember(self._slots, None)
        if self.live is not None:
            self.live.before()

    def gradients(self, returned: Mapping[int, Any]) -> None:
        """A backward pass is done; ``returned`` has the gradients that are not in ``.grad``, by slot."""
        if self._slots:
            self._slots = self._all()
            self._parameters.remember(self._slots, returned)
        if self.live is not None:
            self.live.gradients(returned)

    def after(self, clock: int) -> None:
        """The update is done."""
        if self._slots:
            self._parameters.look(self._slots, clock)
            self._slots = []
        if self.live is not None:
            self.live.after()

    def _all(self) -> list[Slot]:
        slots = self._parameters.slots
        return list(slots) if len(slots) < _MANY else []
