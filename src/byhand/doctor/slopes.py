"""What finite differences say of one iteration: how each number that it computes answers to each parameter.

Letters: K directions in the space of one parameter, S numbers that the iteration computes. Along a direction v a number
has the slope (L(W + εv) − L(W − εv)) / 2ε, everything else of the iteration being the same. A gradient G that belongs
to L has ⟨G, v⟩ there, for every v.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from byhand.doctor.place import Place

__all__ = ["ALIKE", "Array", "Found", "Probe", "Scalar", "Slopes", "Straight", "cosine", "of_one_row"]

Array = NDArray[np.float64]

ALIKE: Final = MappingProxyType({False: 0.9999, True: 0.999})
"""Cosine from which a gradient is the one of a loss, in float64 and in float32 (key: ``Probe.single``)."""


@final
@dataclass(frozen=True, slots=True)
class Scalar:
    """A number that an iteration computes, or a loss that it would have: of what it subtracts from one another."""

    place: Place
    name: str  # the variable that it was assigned to; "" where it has none
    assumed: str  # "": the program computes it; "cross-entropy", "binary cross-entropy", "squared error", ... and
    # the same of one row, see ``of_one_row``
    summed: bool  # the sum over all times that it was computed; else the last one
    value: float


@final
@dataclass(frozen=True, slots=True)
class Found:
    """An array of a parameter's shape that the iteration made before the update: a gradient, perhaps."""

    place: Place
    inputs: tuple[int, ...]  # of the same shape, positions in Slopes.found
    made: bool  # of arrays of other shapes: where a gradient begins
    sources: tuple[Place, ...]  # where those were made
    time: int  # operations before it
    old: bool  # something of its shape from before the iteration went into it: a momentum, the parameter itself
    like: float  # cosine with what the update took away; 0 where nothing was
    norm: float
    even: bool  # all its elements are equal
    along: Array  # (K,) its products with the directions
    total: Array  # (K,) those of the sum of all that was made at its place
    turned: Array  # (K,) those of its transpose, where the parameter is square; else (0,)


@final
@dataclass(frozen=True, slots=True)
class Straight:
    """Slopes with a derivative replaced: what a backward pass gives that has it so."""

    what: str  # of activations "dropped", "of its output", "formula of its input", "diagonal"; of parameters "updated"
    kind: str  # of the first activation: relu, tanh, sigmoid, softmax; of parameters their names
    places: tuple[Place, ...]  # of the activations; of the parameters' updates
    slopes: Array  # (S, K) for the first K of the directions


@final
@dataclass(frozen=True, slots=True)
class Slopes:
    """One parameter, or an array that the model adds as one."""

    name: str
    place: Place | None  # of the update; of the addition where there is none
    shape: tuple[int, ...]
    updated: bool  # the program updates it
    still: bool  # it has been the same, to the bit, since the first look
    zero: bool  # all its elements are 0
    units: bool  # the directions are its elements, all of them; else random ones
    step: float  # ε times the length of a direction
    moved: float  # norm of what the update took away
    taken: Array  # (K,) its products with the directions
    own: Array  # (K,) those of the parameter itself
    slopes: Array  # (S, K)
    wider: Array  # (S, K) for the first K of the directions, with ten times the ε; (S, 0) where it was not looked at
    found: tuple[Found, ...]  # in the order in which they were made
    straight: tuple[Straight, ...]


@final
@dataclass(frozen=True, slots=True)
class Probe:
    """One iteration of a training whose gradients were derived by hand."""

    clock: int
    rows: int  # of the forwards in it
    single_rows: int  # different rows that went through the model one by one; 0 where rows go together
    single: bool  # it computes in float32
    since: int  # updates over which ``still`` was observed
    scalars: tuple[Scalar, ...]  # S numbers that answer to some parameter
    parameters: tuple[Slopes, ...]
    branches: int
    seconds: float


def cosine(left: Array, right: Array) -> float:
    """Of two arrays with as many elements; 0 where one of them is zero."""
    size = float(np.linalg.norm(left)) * float(np.linalg.norm(right))
    return float(np.vdot(left, right)) / size if 0 < size < np.inf else 0.0


def of_one_row(assumed: str) -> bool:
    """Whether an assumed loss is that of the first or the last row alone: "cross-entropy of the last row"."""
    return assumed.endswith(" row")
