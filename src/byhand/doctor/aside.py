"""What was seen beside the training: numbers that are set, graphs that are held, options that are parsed."""

from dataclasses import dataclass
from typing import final

from byhand.doctor.place import Place

__all__ = ["Kept", "Option", "Setting"]


@final
@dataclass(frozen=True, slots=True)
class Setting:
    """A plain number that an assignment gave to a name that learning rates go by."""

    name: str  # lr, self.alpha
    place: Place  # of the statement, or of the value that was assigned
    clock: int
    value: float


@final
@dataclass(frozen=True, slots=True)
class Kept:
    """A sum or a list that holds autograd's graphs of many rounds, and through which no backward pass ever went."""

    name: str  # the sum; empty for a list
    place: Place  # of the statement that adds, or of the value that is appended
    count: int  # the most rounds that were held at a time
    nodes: int  # of autograd's, in each round
    bytes: int  # of tensors that these nodes hold, in each round; 0 where a backward pass has freed them


@final
@dataclass(frozen=True, slots=True)
class Option:
    """An option that argparse parsed."""

    name: str  # of the attribute: batch_size
    flag: str  # as it is written on the command line: --batch-size
    place: Place | None  # of the call of add_argument
    value: float | None  # where it is a number
    read: bool  # the program looked at it, by itself or with all others
