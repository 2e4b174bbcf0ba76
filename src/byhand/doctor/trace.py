"""What was seen of a program's run: frozen records, and nothing of what to think of them.

Letters: N rows of a forward pass, C classes, P numbers a row. A *forward* is one use of the program's model on N rows.
The *clock* is the number of times that parameters were updated before something happened; two events with the same
clock saw the same weights. Arrays are NumPy's, in the program's own orientation unless a field says otherwise.
"""

from dataclasses import dataclass
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

from byhand.doctor.aside import Kept, Option, Setting
from byhand.doctor.clip import Clip
from byhand.doctor.layers import Layer
from byhand.doctor.place import Place, Summary
from byhand.doctor.slopes import Probe
from byhand.doctor.tape import Tape

LIMIT: Final = 1_000_000
"""Characters of output that a trace keeps."""


@final
@dataclass(frozen=True, slots=True)
class Forward:
    """One use of the model on N rows."""

    index: int  # its position in Trace.forwards
    place: Place | None  # the user's line that handed the rows to the model
    clock: int
    kind: str  # "train": a backward pass or an update came of it; "eval": neither
    n: int
    rows: NDArray[np.int64]  # (N,) fingerprints, equal where rows are equal to the bit; (0,) where none were taken
    labels: NDArray[np.int64]  # (N,) that the program used with these rows; (0,) where unknown
    input: Summary | None  # of what went into the model; None where it was not looked at
    grad: bool  # autograd recorded (always True for NumPy)
    noisy: tuple[str, ...]  # dropout and batch norm that were in training mode here: their class names
    fixed: tuple[str, ...]  # dropout and batch norm that were in evaluation mode here
    loader: int | None  # in Trace.loaders, if the rows came from one
    training: int | None  # in Trace.trainings: the model that was used
    stack: tuple[Place, ...] = ()  # the user's calls around ``place``, from the inside out, ``place`` itself first
    layers: tuple[int, ...] = ()  # in Trace.layers: dropout and batch norm as they ran here


@final
@dataclass(frozen=True, slots=True)
class Prediction:
    """A choice of one class a row: argmax, argmin, max(dim), topk, ... over scores of some forward.

    A "threshold", which tells two classes apart by one number a row, has the distances to it as scores: (−d, d).
    """

    forward: int | None
    place: Place | None
    name: str  # "argmax", "argmin", "max", "min", "topk", "sort"
    axis: int | None  # counted from 0; None: over the flattened array
    scores: NDArray[np.float32]  # as the program had them, (N, C) or (C, N); before they were rounded, where they were
    chosen: NDArray[np.int64]
    rounded: tuple[Place, ...] = ()  # where the scores were rounded, cut or compared before the choice


@final
@dataclass(frozen=True, slots=True)
class Comparison:
    """Labels compared with predictions: ``==``, torch.eq, a metric's function, or a Python loop's scalars in a row."""

    forward: int | None
    prediction: int | None  # in Trace.predictions, whose ``chosen`` is one of the two sides, by value
    place: Place | None
    name: str  # "==", "!=", or the function: "accuracy_score", ...
    left: tuple[int, ...]  # shapes; () for scalars
    right: tuple[int, ...]
    shape: tuple[int, ...]  # of the outcome
    equal: int  # pairs that agree
    total: int  # pairs that were compared
    labels: NDArray[np.int64]  # (N,) the other side, flattened; (0,) where unknown


@final
@dataclass(frozen=True, slots=True)
class LossCall:
    """A loss that a library computed for one forward: cross_entropy, nll_loss, mse_loss, log_loss, ..."""

    forward: int | None
    place: Place | None
    name: str
    value: float | None  # None where it is not one number
    reduction: str  # "mean", "sum", "none"
    input: tuple[int, ...]
    target: tuple[int, ...]


@final
@dataclass(frozen=True, slots=True)
class Backward:
    """One backward pass of autograd."""

    forward: int | None
    place: Place | None
    clock: int
    loss: float | None
    stale: bool  # gradients from before the last update were still there, and not zero
    parameters: tuple[int, ...]  # in Trace.parameters; () where the graph was not walked


@final
@dataclass(frozen=True, slots=True)
class Sample:
    """A parameter and its gradient at one moment."""

    clock: int
    norm: float  # of the values
    gradient: float | None  # norm of the gradient; None where it had none
    step: float | None  # norm of what the next update changed; None where none came or it was not looked at
    rate: float | None  # step = rate × gradient, where one number explains it; None where not


@final
@dataclass(frozen=True, slots=True)
class Parameter:
    """An array that is trained, or that the model uses as one: a leaf of autograd's, or what ``W -= ...`` changes."""

    name: str  # the program's own: weights, self.fc1.weight, params["W1"]
    place: Place | None  # where it was made
    shape: tuple[int, ...]
    start: Summary
    end: Summary
    changed: bool  # differs from its start, to the bit, at the end of its training
    reached: bool  # a gradient that is not all zero ever came to it (NumPy: it was updated)
    used: bool  # took part in a forward
    frozen: bool  # does not require grad, on purpose
    alike: bool  # a matrix whose rows or columns (the units) were still all equal when it was last looked at
    optimizer: int | None  # in Trace.optimizers; None where no optimizer object has it
    training: int | None
    samples: tuple[Sample, ...]


@final
@dataclass(frozen=True, slots=True)
class Training:
    """One model's training: the updates of one set of parameters, from ``first`` to ``last`` on the clock."""

    first: int
    last: int
    place: Place | None  # the update: optimizer.step(), W -= ..., p.data -= ...
    hand: bool  # updated by hand rather than by an optimizer object
    rate: float | None  # the first learning rate, of the optimizer or as measured
    rates: tuple[tuple[int, float], ...]  # (clock, rate) at each change that was seen
    loop: Place | None  # the `for` or `while` (its header) of the outermost loop around the updates
    epochs: int | None  # how often that loop went round

    @property
    def steps(self) -> int:
        """How many updates it made."""
        return self.last - self.first


@final
@dataclass(frozen=True, slots=True)
class Optimizer:
    """An optimizer object of torch's, or one that is derived from it."""

    name: str  # its class
    place: Place | None  # where it was made
    rate: float
    steps: int
    parameters: tuple[int, ...]  # in Trace.parameters
    idle: bool = False  # each of its steps that was looked at found no gradient, or only zeros


@final
@dataclass(frozen=True, slots=True)
class Loader:
    """A torch DataLoader."""

    name: str | None  # the variable that first held it
    place: Place | None  # the call that made it
    rows: int | None
    batch_size: int | None
    shuffles: bool
    drop_last: bool


@final
@dataclass(frozen=True, slots=True)
class Number:
    """A number as it was printed."""

    value: float  # 63.7 for "63.7 %"
    decimals: int
    percent: bool
    of: int | None = None  # the 10000 of "6370/10000"
    words: str = ""  # what stands before it on its line, back to the number before


@final
@dataclass(frozen=True, slots=True)
class Printed:
    """A line that the program showed."""

    place: Place | None  # None for output that no print of the user's made (a progress bar, a library, a logger)
    text: str
    numbers: tuple[Number, ...]
    values: tuple[float, ...]  # floats that print was handed as they are, in full precision
    clock: int
    forward: int | None  # the last forward before it


@final
@dataclass(frozen=True, slots=True)
class Made:
    """An array that an assignment gave a name."""

    name: str
    place: Place  # of the value that was assigned
    summary: Summary
    clock: int


@final
@dataclass(frozen=True, slots=True)
class Examples:
    """Rows that went through the model, each once, up to a limit."""

    rows: NDArray[np.generic]  # (M, P) uint8 where that is exact (up to one scale and shift), else float32
    scale: float  # the program's number = low + scale × stored
    low: float
    labels: NDArray[np.int64]  # (M,); (0,) where unknown
    fingerprints: NDArray[np.int64]  # (M,)
    shape: tuple[int, ...]  # of one row as the model took it
    whole: bool  # every distinct row is here


@final
@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file or cell of the user's that ran."""

    file: str
    cell: int | None
    never: tuple[tuple[int, int], ...]  # (first, last) lines that never ran
    skipped: tuple[int, ...] = ()  # lines left out: shell commands, magics that do nothing here


@final
@dataclass(frozen=True, slots=True)
class End:
    """How the run ended; "running" is how a trace of a run that goes on says that it did not."""

    how: str  # "done", "exit", "error", "shortened" (its training loops were ended early), "stopped", "killed"
    seconds: float
    error: str | None = None  # "KeyError: 'x'", one line
    place: Place | None = None  # of the error, or where it was stopped
    epochs: tuple[int, int | None] | None = None  # rounds of the outer training loop that ran, and were to run
    training: float | None = None  # seconds from the first update to the last; None where it was not seen

    @property
    def by_itself(self) -> bool:
        """Whether the program came to an end of its own: its last line, or an exit that it asked for."""
        return self.how in ("done", "exit")


@final
@dataclass(frozen=True, slots=True)
class Trace:
    """A whole run."""

    end: End
    output: str  # what it wrote to standard output and error, at most its last million characters
    seeded: bool  # it set a seed of torch's, NumPy's or Python's itself
    notes: tuple[str, ...]  # what the observer changed or could not see: "torch.compile was switched off"
    files: tuple[SourceFile, ...]
    forwards: tuple[Forward, ...] = ()
    predictions: tuple[Prediction, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    loss_calls: tuple[LossCall, ...] = ()
    backwards: tuple[Backward, ...] = ()
    trainings: tuple[Training, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    optimizers: tuple[Optimizer, ...] = ()
    loaders: tuple[Loader, ...] = ()
    printed: tuple[Printed, ...] = ()
    made: tuple[Made, ...] = ()
    settings: tuple[Setting, ...] = ()  # in order, each change
    kept: tuple[Kept, ...] = ()
    options: tuple[Option, ...] = ()
    drew: tuple[str, ...] = ()  # torch, numpy, random: whose global generator gave numbers
    tapes: tuple[Tape, ...] = ()
    trained_on: Examples | None = None
    evaluated_on: Examples | None = None
    libraries: tuple[str, ...] = ()  # torch, numpy, sklearn, ... that the program imported
    clips: tuple[Clip, ...] = ()
    layers: tuple[Layer, ...] = ()
    probes: tuple[Probe, ...] = ()  # from a run of their own
