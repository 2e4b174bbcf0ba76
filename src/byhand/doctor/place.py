"""Where something stands in the user's source, and an array in a few numbers."""

from dataclasses import dataclass
from typing import NamedTuple, final

__all__ = ["Place", "Summary"]


class Place(NamedTuple):
    """A span of the user's source. Lines count from 1, columns from 0 in characters; ``end_column`` is exclusive."""

    file: str  # relative to the program's folder, with /
    line: int  # in a notebook: within the cell
    column: int
    end_line: int
    end_column: int
    cell: int | None = None  # code cells of a notebook count from 1


@final
@dataclass(frozen=True, slots=True)
class Summary:
    """An array in a few numbers, over its finite elements."""

    shape: tuple[int, ...]
    dtype: str  # NumPy's name: float32, int64, ...
    low: float | None
    high: float | None
    mean: float | None
    std: float | None
    finite: bool  # no NaN and no infinity in it
    whole: bool  # every element is a whole number
