"""What an array is: a parameter, made of parameters, derived from rows, or data; and what it is called."""

import weakref
from collections.abc import Callable
from typing import Any, final

from byhand.doctor.place import Place
from byhand.doctor.watch.arrays import is_numpy
from byhand.doctor.watch.drafts import Slot
from byhand.doctor.watch.frames import Frames
from byhand.doctor.watch.parameters import Parameters

__all__ = ["Lineage"]


@final
class Lineage:
    """Follows arrays by identity; everything is held by weak references."""

    def __init__(self, frames: Frames, now: Callable[[], int]) -> None:
        self.parameters = Parameters()
        self.now = now  # a time to compare others with
        self._frames = frames
        self._names: dict[int, tuple[Any, str, Place, int]] = {}  # id → (weak reference, name, place, when)
        self._births: dict[int, tuple[Any, Place | None, int]] = {}
        self._derived: dict[int, tuple[Any, bool]] = {}  # id → (weak reference, whether rows went into it)

    def role(self, array: Any) -> str:
        """What an array is: a "parameter", something "made" of parameters alone, "derived" from rows, or "data"."""
        entry = self._derived.get(id(array))
        known = entry is not None and entry[0]() is array
        # Where it lies is asked last: of a NumPy array whose origin is known that tells nothing new.
        if (self.parameters.held if known and is_numpy(array) else self.parameters.find)(array) or self._adopt(array):
            return "parameter"
        if known and entry is not None:
            return "derived" if entry[1] else "made"
        if getattr(array, "requires_grad", False):
            return "derived"
        return "data"

    def derive(self, result: Any, rows: bool) -> None:
        """Mark a result as made of parameters; with ``rows``, of rows too."""
        try:
            self._derived[id(result)] = (weakref.ref(result), rows)
        except TypeError:
            return
        if len(self._derived) > 8192:
            self._derived = {key: entry for key, entry in self._derived.items() if entry[0]() is not None}
            if len(self._derived) > 4096:
                self._derived.clear()

    def forget(self) -> None:
        """Nothing counts as derived any more."""
        self._derived.clear()

    def _adopt(self, array: Any) -> bool:
        """Take a leaf of autograd's, or a module's parameter, for a parameter; whether it is one."""
        if is_numpy(array):
            return False
        if not (array.requires_grad and array.is_leaf) and type(array).__name__ != "Parameter":
            return False
        slot = self.add_parameter(array)
        if slot is not None:
            slot.frozen = not array.requires_grad
        return slot is not None

    def add_parameter(self, array: Any, place: Place | None = None) -> Slot | None:
        """A slot for an array, under the name and the place that are known of it."""
        ref, name, named, event = self._names.get(id(array), (None, "", None, 0))
        if ref is None or ref() is not array:
            name, named, event = "", None, 0
        birth = self._births.get(id(array))
        if birth is not None and birth[0]() is array:
            named, event = birth[1] or named, birth[2]
        return self.parameters.add(array, named or place, name, event)

    def birth(self, array: Any) -> None:
        """A leaf of autograd's was made, or given its start."""
        if id(array) in self._births and self._births[id(array)][0]() is array:
            self._births[id(array)] = (weakref.ref(array), self._frames.innermost(), self._births[id(array)][2])
        elif len(self._births) < 10_000:
            self._births[id(array)] = (weakref.ref(array), self._frames.innermost(), self.now())

    def member(self, array: Any, place: Place) -> None:
        """A NumPy array became a part of something; if it has no name yet, it was made there."""
        entry = self._births.get(id(array))
        if self.known_name(array) is None and (entry is None or entry[0]() is not array) and len(self._births) < 10_000:
            self._births[id(array)] = (weakref.ref(array), place, self.now())

    def name(self, array: Any, name: str, place: Place, *, again: bool = True) -> None:
        """An array got a name; with ``again`` False only if it had none."""
        known = self.known_name(array)
        if known is not None and (not again or ("." in known and "." not in name)):
            return  # what a module calls it says more than `for p in ...`
        first = self._names[id(array)][3] if known is not None else self.now()  # it was there before the loops since
        try:
            self._names[id(array)] = (weakref.ref(array), name, place, first)
        except TypeError:
            return
        if len(self._names) > 20_000:
            self._names = {key: entry for key, entry in self._names.items() if entry[0]() is not None}
        slot = self.parameters.find(array)
        if slot is not None and not slot.name:
            slot.name = name

    def known_name(self, array: Any) -> str | None:
        """The variable that holds an array."""
        entry = self._names.get(id(array))
        return entry[1] if entry is not None and entry[0]() is array else None
