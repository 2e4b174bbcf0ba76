"""Reading a tape: which operation made a value, what it came from, and what it is.

A tape names operations; what they mean is told by their values. Letters: N rows of the forward, C classes.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, cast, final

import numpy as np
from numpy.typing import NDArray

from byhand.doctor.tape import Op, Tape, Value
from byhand.doctor.trace import Forward, Trace

__all__ = [
    "PICKS", "PRODUCTS", "SMALL", "THROUGH", "Reading", "exact_losses", "name_of", "numbers", "readings", "sums_to_one",
]  # fmt: skip

Array = NDArray[np.float64]

THROUGH: Final = frozenset({"view", "dropout", "alpha_dropout", "feature_dropout"})
"""Operations that leave a score what it is."""

PICKS: Final = frozenset({"getitem", "gather", "index_select", "take_along_dim", "take_along_axis", "take", "choose"})
"""Operations that take one value a row out of C."""

PRODUCTS: Final = frozenset(
    {"matmul", "mm", "mv", "bmm", "linear", "dot", "einsum", "tensordot", "inner", "outer", "addmm", "conv1d", "conv2d"}
)
"""Operations that mix the numbers of a row, or rows."""

SMALL: Final = 0.05
"""The largest number that is still an epsilon."""

_ALIASES: Final = {
    "true_divide": "div", "truediv": "div", "rtruediv": "div", "divide": "div", "subtract": "sub", "rsub": "sub",
    "multiply": "mul", "rmul": "mul", "radd": "add", "negative": "neg", "power": "pow", "amax": "max",
    "clip": "clamp", "clamp_min": "clamp", "maximum": "clamp", "average": "mean", "special_log_softmax": "log_softmax",
    "special_softmax": "softmax", "expit": "sigmoid", "absolute": "abs", "nll_loss_nd": "nll_loss",
}  # fmt: skip


_TAKEN: Final = frozenset({"softmax", "log_softmax", "sigmoid", "relu", "logsumexp", "expit"})
"""Names that programs give to functions of their own."""


def name_of(op: Op) -> str:
    """One name for what torch and NumPy call differently."""
    return _ALIASES.get(op.name, op.name)


@final
@dataclass(frozen=True)
class Reading:
    """A tape, the labels of its forward, and an index of what made each value."""

    tape: Tape
    forward: Forward | None  # that the tape is of, where it is known
    n: int  # N; 0 where unknown
    labels: NDArray[np.int64]  # (N,); (0,) where unknown
    makers: Mapping[int, Op]

    @property
    def train(self) -> bool:
        """Whether an update came of the forward."""
        return self.tape.kind == "train"

    def of(self, training: int | None) -> bool:
        """Whether it is of a forward of this training's model."""
        return self.forward is not None and self.forward.training == training

    def value(self, index: int) -> Value:
        """The value at an index of the tape."""
        return self.tape.values[index]

    def shape(self, index: int) -> tuple[int, ...]:
        """The shape of a value."""
        return self.value(index).summary.shape

    def source(self, index: int, through: Iterable[str] = THROUGH) -> int:
        """The value that this one is a view of, or the same through dropout or other operations that are named."""
        while (op := self.makers.get(index)) and name_of(op) in through and op.inputs:
            index = op.inputs[0]
        return index

    def maker(self, index: int, through: Iterable[str] = THROUGH) -> Op | None:
        """The operation that made a value, seen through views."""
        return self.makers.get(self.source(index, through))

    def ancestors(self, index: int | None) -> Iterator[Op]:
        """The operations that a value came of, each once, the nearest first."""
        waiting = [] if index is None else [index]
        seen: set[int] = set()
        while waiting:
            current = waiting.pop(0)
            op = self.makers.get(current)
            if op and current not in seen:
                yield op
                waiting += op.inputs
            seen.add(current)

    def leads_to(self, index: int) -> set[int]:
        """All values that came of this one, itself among them."""
        reached = {index}
        for op in self.tape.ops:
            if reached.intersection(op.inputs):
                reached.add(op.output)
        return reached

    def array(self, index: int) -> Array | None:
        """The elements of a value, where they were kept."""
        kept = self.value(index).kept
        return None if kept is None or kept.dtype.kind not in "fiub" else kept.astype(np.float64)

    def number(self, index: int | None) -> float | None:
        """A value that is one number."""
        if index is None or self.value(index).summary.shape not in ((), (1,)):
            return None
        kept = self.array(index)
        return float(kept.ravel()[0]) if kept is not None else self.value(index).summary.mean

    def rows(self, index: int, axis: int | None = None) -> Array | None:
        """A matrix of scores with a row for each of the N, whichever way the program holds it.

        Args:
            index: the value.
            axis: the axis of the classes, where it is known; else the shape must tell.

        Returns:
            (N, C), or None where the value was not kept or is no such matrix.
        """
        z = self.array(index)
        if z is None:
            return None
        if z.ndim == 1 and self.n == 1:
            return z[None]
        if z.ndim != 2 or self.n not in z.shape:
            return None
        if axis is None:
            axis = 1 if z.shape[0] == self.n else 0
        z = z if axis == 1 else z.T
        return z if len(z) == self.n else None

    def probabilities(self, index: int) -> bool:
        """Whether the rows are probabilities by their numbers: sixteen or more, not all alike, not all 0 or 1."""
        p = self.rows(index)
        if p is None or len(p) < 16 or p.shape[1] < 2 or not sums_to_one(p):
            return False
        return float(p.std()) > 1e-3 and float(np.minimum(p, 1 - p).max()) > 1e-3


def readings(trace: Trace) -> list[Reading]:
    """The tapes of a trace in their order, ready to be read."""
    out: list[Reading] = []
    for tape in trace.tapes:
        forward = trace.forwards[tape.forward] if tape.forward is not None else None
        labels = forward.labels if forward else np.zeros(0, np.int64)
        n = forward.n if forward else len(labels)
        tape = replace(tape, ops=tuple(_unmasked(tape)))
        known = labels if len(labels) == n else labels[:0]
        out.append(Reading(tape, forward, n, known, {op.output: op for op in tape.ops}))
    return out


def _unmasked(tape: Tape) -> Iterator[Op]:
    """The operations, with a function of the user's that has a library's name taken for what it last computed."""
    last: Op | None = None
    for op in tape.ops:
        if last and op.name in _TAKEN and last.name != op.name and last.output not in op.inputs:
            mine, inner = tape.values[op.output].kept, tape.values[last.output].kept
            if mine is not None and inner is not None and np.array_equal(mine, inner, equal_nan=mine.dtype.kind == "f"):
                op = replace(op, name="view", inputs=(last.output,))
        yield op
        last = op


def numbers(reading: Reading, op: Op) -> list[float]:
    """The plain numbers that an operation was given: constants, options, arrays of one element."""
    options = [op.options.get(key) for key in ("min", "max", "a_min", "a_max")]
    found = [*op.constants, *(float(x) for x in options if isinstance(x, int | float))]
    scalars = [reading.number(i) for i in op.inputs]
    return found + [x for x in scalars if x is not None]


def sums_to_one(p: Array) -> bool:
    """Whether each row of (N, C) numbers is a distribution: none below 0, and a sum of 1 but for float32's rounding."""
    return bool(np.isfinite(p).all() and (p >= 0).all() and (abs(p.sum(axis=1) - 1) < 1e-4).all())


def exact_losses(scores: Array, labels: NDArray[np.int64]) -> Array:
    """The cross-entropy of every row in float64: (N, C) scores and (N,) classes give (N,).

    Probabilities' logarithms may stand for scores: their exponentials sum to 1 already.
    """
    shifted = scores - scores.max(axis=1, keepdims=True)
    picked = np.take_along_axis(shifted, labels[:, None], axis=1)[:, 0]
    return cast("Array", np.log(np.exp(shifted).sum(axis=1)) - picked)
