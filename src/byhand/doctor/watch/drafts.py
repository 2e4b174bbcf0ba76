"""The records of a trace while they are being written."""

from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from byhand.doctor.place import Place, Summary
from byhand.doctor.trace import Sample

__all__ = ["NONE", "ForwardDraft", "Slot", "TrainingDraft"]

NONE: NDArray[np.int64] = np.zeros(0, np.int64)


@final
class ForwardDraft:
    """One use of the model; its labels and its kind are known later than its rows."""

    __slots__ = (
        "clock",
        "columns",
        "fixed",
        "grad",
        "index",
        "input",
        "kind",
        "labels",
        "layers",
        "loader",
        "n",
        "noisy",
        "operand",
        "place",
        "rank",
        "rows",
        "shape",
        "stack",
        "training",
        "values",
    )

    def __init__(self, index: int, clock: int, n: int, stack: tuple[Place, ...], grad: bool) -> None:
        self.index, self.clock, self.n, self.grad = index, clock, n, grad
        self.stack = stack
        self.place = stack[0] if stack else None
        self.kind = "eval"
        self.rows = NONE  # (N,) fingerprints
        self.values: NDArray[Any] | None = None  # (N, P) the rows, until they are collected
        self.shape: tuple[int, ...] = ()
        self.columns = False  # samples stand in columns
        self.labels = NONE
        self.rank = 0  # how much the source of the labels is worth; a better one replaces them
        self.input: Summary | None = None
        self.noisy: set[str] = set()
        self.fixed: set[str] = set()
        self.layers: set[int] = set()
        self.loader: int | None = None
        self.training: int | None = None
        self.operand: tuple[int, int] = (0, 0)  # pointer of the rows


@final
class TrainingDraft:
    """The updates of one set of parameters."""

    __slots__ = ("born", "epochs", "first", "hand", "last", "loop", "place", "rates", "updates")

    def __init__(self, clock: int, place: Place | None, hand: bool, born: int) -> None:
        self.first = self.last = clock
        self.place, self.hand = place, hand
        self.rates: list[tuple[int, float]] = []
        self.loop: Place | None = None
        self.epochs: int | None = None
        self.updates = 0
        self.born = born  # when its parameters were made, in events


@final
class Slot:
    """A parameter through all the arrays that hold it in turn."""

    __slots__ = (
        "alike",
        "before",
        "born",
        "changed",
        "end",
        "frozen",
        "gradient",
        "holders",
        "index",
        "name",
        "optimizer",
        "place",
        "reached",
        "samples",
        "shape",
        "start",
        "summary",
        "training",
        "used",
    )

    def __init__(self, index: int, shape: tuple[int, ...], start: NDArray[Any] | None, summary: Summary) -> None:
        self.index, self.shape, self.start, self.summary = index, shape, start, summary
        self.name = ""
        self.place: Place | None = None
        self.holders: list[Any] = []  # weak references to the arrays that have its memory now
        self.end = summary
        self.changed = self.reached = self.used = self.frozen = False
        self.alike = False
        self.optimizer: int | None = None
        self.training: int | None = None
        self.born = 0
        self.before: NDArray[Any] | None = None  # a copy from before an update that is being sampled
        self.gradient: NDArray[Any] | None = None
        self.samples: list[Sample] = []

    def current(self) -> Any:
        """An array that holds it now; None where the program has let all of them go."""
        return next((array for ref in self.holders if (array := ref()) is not None), None)
