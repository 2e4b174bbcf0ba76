"""The layers of a forward: products with weights, what leads from one to the next, and what their units are."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, final

from byhand.doctor.checks.reading.tapes import PRODUCTS, Reading, name_of
from byhand.doctor.layers import Units
from byhand.doctor.tape import Op

__all__ = ["LINEAR", "Hidden", "Product", "behind", "hidden", "products", "uses"]

LINEAR: Final = frozenset({"view", "dropout", "alpha_dropout", "feature_dropout", "scale", "bias"})
"""Steps that leave a sum of products one. "scale" and "bias" are products with a number and sums with a parameter."""

_NORMS: Final = frozenset({"batch_norm", "layer_norm", "group_norm", "max_pool2d", "avg_pool2d", "adaptive_avg_pool2d"})
_CONVOLUTIONS: Final = frozenset({"conv1d", "conv2d", "conv3d"})


@final
@dataclass(frozen=True, slots=True)
class Product:
    """A layer's product of what comes into it with a weight."""

    op: Op
    weight: int | None  # in Trace.parameters; None where a view hides which one of the forward's first layer it is
    data: int  # the value that is multiplied
    columns: bool  # samples are columns: W @ X

    @property
    def convolution(self) -> bool:
        """Whether it is a convolution."""
        return name_of(self.op) in _CONVOLUTIONS

    def sizes(self, reading: Reading) -> tuple[int, int]:
        """Numbers of a row before and behind it."""
        before, after = reading.shape(self.data), reading.shape(self.op.output)
        if self.convolution:
            return math.prod(before[1:]), math.prod(after[1:])
        axis = 0 if self.columns else -1
        return (before or (1,))[axis], (after or (1,))[axis]


@final
@dataclass(frozen=True, slots=True)
class Hidden:
    """Units of a hidden layer: a relu, sigmoid or tanh between two products."""

    op: Op
    units: Units
    before: Product


def products(reading: Reading) -> list[Product]:
    """The products with a weight, in order."""
    found: list[Product] = []
    for op in reading.tape.ops:
        if name_of(op) not in PRODUCTS:
            continue
        sides = op.inputs[1:3] if name_of(op) == "addmm" else op.inputs[:2]
        if len(sides) < 2:
            continue
        weights = [_parameter(reading, side) for side in sides]
        # A weight that was turned before the forward began is not known any more; rows times rows have none.
        outside = [_is_outside(reading, side) and reading.value(other).rows for side, other in (sides, sides[::-1])]
        if weights[1] is not None or (outside[1] and weights[0] is None):
            found.append(Product(op, weights[1], sides[0], False))
        elif weights[0] is not None or outside[0]:
            found.append(Product(op, weights[0], sides[1], True))
    return found


def _is_outside(reading: Reading, index: int) -> bool:
    """Whether a matrix was there before the forward began, and is not its rows."""
    return not reading.value(index).rows and index not in reading.makers and len(reading.shape(index)) == 2


def _parameter(reading: Reading, index: int) -> int | None:
    """The parameter that a value is, or is a view of, if it is no bias."""
    value = reading.value(reading.source(index, ("view",)))
    return value.parameter if len(value.summary.shape) > 1 else None


def behind(reading: Reading, index: int, through: Iterable[str] = LINEAR) -> tuple[Op | None, tuple[Op, ...]]:
    """The operation that a value comes from through others, and those others from the last to the first.

    Args:
        reading: the tape.
        index: the value.
        through: operations that are passed, by name; "bias" and "scale" as in ``LINEAR``.
    """
    passed: list[Op] = []
    while op := reading.makers.get(index):
        following = _passed(reading, op, through)
        if following is None:
            return op, tuple(passed)
        passed.append(op)
        index = following
    return None, tuple(passed)


def _passed(reading: Reading, op: Op, through: Iterable[str]) -> int | None:
    """The value that an operation changes, if it is one that is passed."""
    name = name_of(op)
    if name in through and op.inputs:
        return op.inputs[0]
    # A sigmoid by hand ends with a division too, 1 / (1 + exp(-z)), and a ReLU may be a product with its mask.
    if name in ("mul", "div") and len(op.inputs) == 1 and "scale" in through:
        return op.inputs[0] if reading.value(op.output).units is None else None
    if name == "add" and len(op.inputs) == 2 and "bias" in through:
        known = [reading.value(reading.source(i, ("view",))).parameter is not None for i in op.inputs]
        if known.count(True) == 1:
            return op.inputs[known.index(False)]
    return None


def uses(reading: Reading, index: int) -> Iterator[Op]:
    """What takes a value, or the same behind steps that leave a sum of products one."""
    waiting, seen = [index], {index}
    while waiting:
        current = waiting.pop()
        for op in reading.tape.ops:
            if current not in op.inputs or op.output in seen:
                continue
            if _passed(reading, op, LINEAR) == current:
                seen.add(op.output)
                waiting.append(op.output)
            else:
                yield op


def hidden(reading: Reading) -> list[Hidden]:
    """The hidden layers whose units are known, in order: each comes from a product and goes into one."""
    layers = products(reading)
    by_output = {layer.op.output: layer for layer in layers}
    taken: set[int] = set()
    for layer in layers:
        source, _ = behind(reading, layer.data, LINEAR | _NORMS)
        if source:
            taken.add(source.output)
    found: list[Hidden] = []
    for op in reading.tape.ops:
        units = reading.value(op.output).units
        if units is None or op.output not in taken or not op.inputs:
            continue
        for index in op.inputs:
            source, _ = behind(reading, index, LINEAR | _NORMS | {"exp", "neg", "add"})
            layer = by_output.get(source.output) if source else None
            if layer:
                found.append(Hidden(op, units, layer))
                break
    return found
