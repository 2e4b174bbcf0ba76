"""What a person can choose while a training run is played, and what each choice may be.

Some choices are taken up by the step that comes next; the others (``STARTS``) need a new start.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any, Final, Self, cast, final

from byhand.errors import UsageError

__all__ = ["STARTS", "Controls", "Room", "shown"]

STARTS: Final = frozenset({"hidden", "batch_size", "init", "shuffle", "scaled", "epsilon", "seed"})
"""What a run begins with: to change it is to begin anew."""

_LAYERS, _UNITS, _WEIGHTS = 3, 2048, 5_000_000
_SEEDS = 2**53 - 1  # a browser's whole numbers are exact up to here
_NORMAL = re.compile(r"normal:(\d{1,4}(?:\.\d{1,9})?(?:e-?\d{1,2})?)", re.ASCII)


@final
@dataclass(frozen=True, slots=True)
class Room:
    """The sizes that choices have to fit to."""

    pixels: int
    classes: int
    rows: int  # of the training part


@final
@dataclass(frozen=True, slots=True)
class Controls:
    """Every choice of a run that is played. The names are those of the page's messages."""

    hidden: tuple[int, ...] = ()  # units of each hidden layer; none is a linear model
    lr: float | None = None  # None: the finder's
    batch_size: int = 256
    init: str = "zeros"  # zeros | normal:STD | kaiming
    shuffle: bool = True  # False: rows class after class, as folders of pictures are read
    scaled: bool = True  # False: pixels from 0 to 255 as they are
    momentum: float = 0.0
    weight_decay: float = 0.0
    epsilon: float = 0.0  # in the logarithm of the loss; 0 is the exact cross-entropy
    metric: str = "rows"  # rows | broadcast: every prediction against every label, as [256] == [256, 1] compares
    stop_after: int = 0  # epochs; 0: go on
    speed: float = 0.0  # steps a second, at most; 0: as fast as it goes
    seed: int = 42

    def changed(self, given: Mapping[str, Any], room: Room) -> Self:
        """The same but for what is given, checked by type and range.

        Where ``hidden`` turns a linear model into a network or back, a start that nobody named turns with it.

        Raises:
            UsageError: a choice that there is not, or a value that it cannot have.
        """
        names = {field.name for field in fields(self)}
        for name in given:
            if name not in names:
                raise UsageError(f"{shown(name)}: no such control; there are {', '.join(sorted(names))}")
        checked = {name: _checked(name, value, room) for name, value in given.items()}
        new = replace(self, **checked)
        if "init" not in given and bool(new.hidden) != bool(self.hidden) and not new.init.startswith("normal:"):
            new = replace(new, init="kaiming" if new.hidden else "zeros")
        if new.hidden and new.init == "zeros":
            raise UsageError("init zeros: hidden units that start alike stay alike; take kaiming or normal:STD")
        if "hidden" in given:
            sizes = [room.pixels, *new.hidden, room.classes]
            weights = sum((inputs + 1) * outputs for inputs, outputs in pairwise(sizes))
            if new.hidden and weights > _WEIGHTS:
                raise UsageError(f"hidden {list(new.hidden)}: {weights:,} weights are more than {_WEIGHTS:,}")
        return new


def shown(value: object) -> str:
    """A value that came from outside, for a message of one line."""
    text = ascii(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _checked(name: str, value: object, room: Room) -> Any:
    match name:
        case "hidden":
            return _hidden(value)
        case "lr":
            return None if value is None else _number(name, value, 0, 1e6)
        case "batch_size":
            return _whole(name, value, 1, room.rows)
        case "init":
            return _init(value)
        case "shuffle" | "scaled":
            return _truth(name, value)
        case "momentum":
            return _number(name, value, 0, 0.999999)
        case "weight_decay":
            return _number(name, value, 0, 1e6)
        case "epsilon":
            return _number(name, value, 0, 0.1)
        case "metric":
            if value not in ("rows", "broadcast"):
                raise UsageError(f"metric {shown(value)}: choose rows or broadcast")
            return value
        case "stop_after":
            return _whole(name, value, 0, 1_000_000)
        case "speed":
            return _number(name, value, 0, 100_000)
        case _:
            return _whole(name, value, 0, _SEEDS)


def _hidden(value: object) -> tuple[int, ...]:
    if not isinstance(value, list | tuple):
        raise UsageError(f"hidden {shown(value)}: give a list of whole numbers, a layer each; [] is a linear model")
    units = cast("list[object]", value)
    if len(units) > _LAYERS:
        raise UsageError(f"hidden has {len(units)} layers: at most {_LAYERS} are played")
    return tuple(_whole("hidden", one, 1, _UNITS) for one in units)


def _init(value: object) -> str:
    if isinstance(value, str) and (value in ("zeros", "kaiming") or _is_normal(value)):
        return value
    raise UsageError(f"init {shown(value)}: choose zeros, kaiming or normal:STD, with STD from 0 to 100")


def _is_normal(value: str) -> bool:
    found = _NORMAL.fullmatch(value)
    return found is not None and float(found[1]) <= 100


def _truth(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise UsageError(f"{name} {shown(value)}: it is true or false")
    return value


def _whole(name: str, value: object, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise UsageError(f"{name} {shown(value)}: it must be a whole number from {low} to {high}")
    return value


def _number(name: str, value: object, low: float, high: float) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:  # NaN is not
        raise UsageError(f"{name} {shown(value)}: it must be a number from {low:g} to {high:g}")
    return float(value)
