"""What a data set is: three parts of images and labels, with a hash of their content."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from byhand.data.loader import DataLoaders


class Rows(NamedTuple):
    """Images with their labels, in the source's order."""

    images: NDArray[np.uint8]  # (N, H, W)
    labels: NDArray[np.int64]  # (N,), an index into the classes


def empty_rows(count: int, shape: tuple[int, ...]) -> Rows:
    """Room for ``count`` images of ``shape`` (H, W) and their labels, whose values mean nothing yet."""
    return Rows(np.empty((count, *shape), np.uint8), np.empty(count, np.int64))


class Raw(NamedTuple):
    """What a reader finds, before any split. A part that the source does not have is None."""

    train: Rows
    valid: Rows | None
    test: Rows | None
    classes: tuple[str, ...]

    def parts(self) -> dict[str, Rows]:
        """Those that the source has, by name, the training part first."""
        found = {"train": self.train, "valid": self.valid, "test": self.test}
        return {name: rows for name, rows in found.items() if rows is not None}


@final
@dataclass(frozen=True, slots=True)
class Part:
    """One part of a data set. ``hash`` names its content and does not depend on the order of its rows."""

    images: NDArray[np.uint8]  # (N, H, W)
    labels: NDArray[np.int64]  # (N,), an index into classes
    classes: tuple[str, ...]
    hash: str

    def __len__(self) -> int:
        return len(self.labels)


@final
@dataclass(frozen=True, slots=True)
class Dataset:
    """A source, split. ``valid`` may have no rows. Only evaluation opens ``test``.

    ``source`` is the name, or the path as it was given. ``hash`` covers the rows of all parts and the class names; it
    depends neither on the order of the rows nor on which part holds them.
    """

    source: str
    train: Part
    valid: Part
    test: Part
    classes: tuple[str, ...]
    hash: str

    @property
    def shape(self) -> tuple[int, int]:
        """H, W."""
        _, height, width = self.train.images.shape
        return height, width

    def loaders(self, batch_size: int = 256, seed: int = 42, augment: bool = False) -> "DataLoaders":
        """The training part in shuffled batches and the validation part in order, as ``DataLoaders(train, valid)``.

        With ``augment`` the training images come deformed a little, otherwise at each pass (``deform``).
        """
        from byhand.data.loader import loaders  # here, because it imports torch

        return loaders(self.train, self.valid, batch_size, seed, augment=augment)
