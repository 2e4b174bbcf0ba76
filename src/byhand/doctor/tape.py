"""What was computed for one forward: values, and the operations between them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from byhand.doctor.layers import Units
from byhand.doctor.place import Place, Summary

__all__ = ["Op", "Tape", "Value"]


@final
@dataclass(frozen=True, slots=True)
class Value:
    """Something that an operation took or gave: one array, or a number."""

    summary: Summary
    kept: NDArray[np.generic] | None  # its elements, where they are few
    name: str | None  # the variable that held it, if any
    parameter: int | None  # in Trace.parameters
    labels: bool  # these are the labels of the forward
    rows: bool  # these are the rows of the forward
    units: Units | None = None  # of a hidden layer, that this is the output of


@final
@dataclass(frozen=True, slots=True)
class Op:
    """One operation of torch's or NumPy's, under the library's name without underscores: matmul, linear, add, softmax.

    Views, casts and copies (view, reshape, squeeze, T, to, float, detach, data, clone, numpy, ...) are "view".
    """

    name: str
    place: Place | None
    inputs: tuple[int, ...]  # in Tape.values; numbers that are constants in the call stand in ``constants``
    constants: tuple[float, ...]  # plain numbers among the operands, in order
    options: Mapping[str, int | float | str | bool | None]  # axis (counted from 0; None: all), keepdims, reduction, ...
    output: int
    module: str | None = None  # the class of the torch module in whose forward it ran, e.g. "Softmax"


@final
@dataclass(frozen=True, slots=True)
class Tape:
    """All that was computed for one forward, in order: all operations of torch's, and NumPy's in the user's files."""

    forward: int | None
    clock: int
    kind: str  # of the forward
    values: tuple[Value, ...]
    ops: tuple[Op, ...]
    loss: int | None  # the value on which backward() was called
    cost: float | None = None  # the rows' mean cross-entropy, where their probabilities are too many to be kept
