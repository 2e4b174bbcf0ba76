"""A call that clips gradients, as it was seen."""

from dataclasses import dataclass
from typing import final

from byhand.doctor.place import Place

__all__ = ["Clip"]


@final
@dataclass(frozen=True, slots=True)
class Clip:
    """One call of ``clip_grad_norm_`` or ``clip_grad_value_``."""

    place: Place | None
    name: str
    clock: int
    limit: float
    fresh: bool  # a backward pass had been made since the last update
    arrays: int  # that it was given
    gradients: int  # of them, those that had a gradient
    size: float | None  # what it compared with its limit, before it clipped; None where it was not looked at
