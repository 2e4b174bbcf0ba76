"""Layers as they ran: dropout and batch norm with their modes, and what the units of a hidden layer did."""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from byhand.doctor.place import Place

__all__ = ["Layer", "Units"]


@final
@dataclass(frozen=True, slots=True)
class Layer:
    """A dropout or a batch norm, in one of the ways in which it ran."""

    name: str  # "Dropout", "BatchNorm"
    place: Place | None  # the user's expression that ran it
    noisy: bool  # in training mode: it dropped, or used the batch's own statistics
    module: str | None  # the class of torch's module that it is; None for a function
    mode: bool | None  # ``training`` of the outermost module around it, the model; None where there is none
    kept: bool  # its module is a part of that model; False for a function, and for a module that is made for one use


@final
@dataclass(frozen=True, slots=True)
class Units:
    """What U units did on N rows. A unit is flat where its derivative is next to 0: nothing is learnt through it."""

    kind: str  # "relu", "sigmoid", "tanh"
    rows: int  # N
    flat: NDArray[np.float32]  # (U,) share of its numbers that are 0 (relu), or within 1 % of an end (the others)
    slope: float  # the mean derivative, of the largest that it can have
