"""Batches of a data set, taken in bulk.

``torch.utils.data.DataLoader`` asks its data set for one row after the other and stacks what it gets; for pictures of
784 numbers that costs more than the training. Here a batch is one ``index_select`` on the array that holds them all; of
shards, on the stretch of them that is in memory (``stretches``).

Shapes: N rows, M rows of a stretch (all N where they are in memory), B batch, P pixels.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast, final

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader as TorchDataLoader
from torch.utils.data import TensorDataset

from byhand.data import stretches
from byhand.data.augment import deformed
from byhand.data.dataset import Part
from byhand.data.shards import Shards
from byhand.data.stretches import Stretch

__all__ = ["Batches", "DataLoader", "DataLoaders", "loaders", "part_of"]

Batch = tuple[Tensor, Tensor]
Piece = tuple[Tensor, Tensor, Tensor | None]  # inputs and labels of M rows, and the order (M,) to take them in

_SAMPLE = 8 << 20  # bytes of shards that are kept in memory, to guess a rate from


@final
class DataLoader:
    """Batches ``(xb, yb)`` of rows, in order or, with ``shuffle=True``, in a new random order at each pass.

    Arguments and behaviour are those of ``torch.utils.data.DataLoader``: it does not shuffle unless told, and the last
    batch is short unless ``drop_last``.

    Attributes:
        x: (N, ...) the inputs; for a ``Part`` its pixels, (N, P) uint8; of shards the first ones, 8 MiB.
        y: (N,), or (N, 1) as the seeds have it; likewise.
        share: (r, W) where process r of W takes its part of each batch only, rows ⌊r·n/W⌋ to ⌊(r+1)·n/W⌋ of its n rows,
            and of ``in_order`` its part of all rows. The order is drawn whole, so that all processes have the same.
        drawn_from: the generator's state that the order of the last pass was drawn from; None before any shuffled pass.
    """

    def __init__(
        self,
        dataset: object,
        batch_size: int = 1,
        shuffle: bool = False,
        drop_last: bool = False,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        augment: bool = False,
    ) -> None:
        """Take the data set as one pair of tensors.

        Args:
            dataset: one part of a byhand data set, in memory or in shards; a pair of tensors or arrays; a
                ``TensorDataset``; or the seeds' ``list(zip(x, y))``.
            batch_size: B.
            shuffle: whether each pass has an order of its own.
            drop_last: leave out a last batch of fewer than B rows.
            generator: where the orders come from; torch's global one if not given.
            device: where the tensors are kept.
            augment: serve the pictures deformed, otherwise at each pass (``augment``); ``in_order`` never does.

        Raises:
            TypeError: a data set of another kind; give ``DataLoaders`` a ``torch.utils.data.DataLoader`` then.
            ValueError: unequal lengths, a batch size below 1, or rows to deform that are no pictures.
        """
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}: it must be at least 1")
        x, y = _tensors(dataset)
        if len(x) != len(y):
            raise ValueError(f"{len(x)} inputs and {len(y)} labels: every input needs one label")
        self.x, self.y = x.to(device), y.to(device)  # (N, ...), (N,) or (N, 1)
        self._shards = dataset if isinstance(dataset, Shards) else None
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.generator = generator
        self.share: tuple[int, int] = (0, 1)
        self.drawn_from: Tensor | None = None
        self.augment = augment
        self._shape = _shape(dataset)
        if augment and self._shape is None:
            raise ValueError("augment deforms pictures, and these rows are none: give a part of byhand.load()")

    @property
    def _rows(self) -> int:
        return len(self.x) if self._shards is None else len(self._shards)

    def __len__(self) -> int:
        """The number of batches in a pass."""
        batches = self._rows / self.batch_size
        return math.floor(batches) if self.drop_last else math.ceil(batches)

    def has_classes_below(self, classes: int) -> bool:
        """Whether all rows are in memory, and their labels are known to lie in 0..classes − 1."""
        if self._shards is not None or self.y.dtype != torch.int64 or not len(self.y):
            return False
        return int(self.y.min()) >= 0 and int(self.y.max()) < classes

    def __iter__(self) -> Iterator[Batch]:
        """One pass: ``xb`` (B, ...) and ``yb`` (B,); pixels come as float32 from 0 to 1."""
        return self.batches()

    def batches(self, raw: bool = False, skip: int = 0) -> Iterator[Batch]:
        """One pass; with ``raw``, pixels come as they are, for models that scale them in their first product.

        The first ``skip`` batches are left out: a pass that is taken up again where it ended goes on with the next.
        """
        if self.shuffle or self.augment:
            self.drawn_from = (self.generator or torch.default_generator).get_state()
        pieces, skip, passed = self._shuffled(skip) if self.shuffle else self._as_they_stand(skip)
        taken = self._taken(pieces, skip, passed)
        for xb, yb in self._deformed(taken) if self.augment else ((xb, yb) for xb, yb, _ in taken):
            yield self._ready(xb, raw), yb

    def in_order(self, batch_size: int, raw: bool = False) -> Iterator[Batch]:
        """Every row once, from first to last, as an evaluation wants them: slices, nothing is gathered."""
        own = part_of(0, self._rows, self.share)
        pieces = iter([(self.x[own], self.y[own], None)])
        if self._shards is not None:
            pieces = self._here(
                stretches.in_order(self._shards, stretches.length(self._shards, batch_size), own.start, own.stop)
            )
        for x, y, _ in pieces:
            for start in range(0, len(y), batch_size):
                rows = slice(start, start + batch_size)
                yield self._ready(x[rows], raw), y[rows]

    def _taken(self, pieces: Iterator[Piece], skip: int, passed: int) -> Iterator[tuple[Tensor, Tensor, int]]:
        """The batches of a pass, and which of its rows is the first of each; ``passed`` come before the pieces."""
        for x, y, order in pieces:
            if order is not None:
                y = y.index_select(0, order)  # (M,), small enough to be put in order at once
            end = len(y) - len(y) % self.batch_size if self.drop_last else len(y)
            for start in range(skip * self.batch_size, end, self.batch_size):
                rows = part_of(start, min(start + self.batch_size, end), self.share)
                xb = x[rows] if order is None else x.index_select(0, order[rows])  # (B, P)
                yield xb, y[rows], passed + rows.start
            skip, passed = 0, passed + len(y)

    def _deformed(self, taken: Iterator[tuple[Tensor, Tensor, int]]) -> Iterator[Batch]:
        """The same batches, deformed; the pass's seed is drawn after its order."""
        seed = int(torch.randint(2**62, (), generator=self.generator))
        pictures = ((xb.cpu().numpy().reshape(-1, *(self._shape or ())), first, yb) for xb, yb, first in taken)
        for images, yb in deformed(pictures, seed):
            yield torch.as_tensor(images).flatten(1).to(self.x.device), yb  # (B, P)

    def _shuffled(self, skip: int) -> tuple[Iterator[Piece], int, int]:
        """A pass in a new order, from about batch ``skip`` on.

        With it come the number of its batches that are still to be left out, and of rows before it.
        """
        if self._shards is None:
            order = torch.randperm(self._rows, generator=self.generator).to(self.x.device)  # (N,)
            return iter([(self.x, self.y, order)]), skip, 0
        seed = int(torch.randint(2**62, (), generator=self.generator))
        rows = stretches.length(self._shards, self.batch_size)
        first = skip * self.batch_size // rows
        pieces = self._here(stretches.shuffled(self._shards, rows, seed, first))
        return pieces, skip - first * rows // self.batch_size, first * rows

    def _as_they_stand(self, skip: int) -> tuple[Iterator[Piece], int, int]:
        if self._shards is None:
            return iter([(self.x, self.y, None)]), skip, 0
        rows = stretches.length(self._shards, self.batch_size)
        passed = skip * self.batch_size
        return self._here(stretches.in_order(self._shards, rows, passed, self._rows)), 0, passed

    def _here(self, read: Iterable[Stretch]) -> Iterator[Piece]:
        """Stretches of shards as tensors on the device."""
        device = self.x.device
        for (images, labels), order in read:
            x, y = torch.as_tensor(images.reshape(len(labels), -1)), torch.as_tensor(labels)  # (M, P), (M,)
            yield x.to(device), y.to(device), None if order is None else torch.as_tensor(order, device=device)

    def _ready(self, xb: Tensor, raw: bool) -> Tensor:
        return xb.float().div_(255) if self._shape is not None and not raw else xb


def part_of(start: int, stop: int, share: tuple[int, int]) -> slice:
    """Rows ⌊r·n/W⌋ to ⌊(r+1)·n/W⌋ of the n from ``start`` to ``stop``: process r's of W. Each row is in one part."""
    (r, w), n = share, stop - start
    return slice(start + r * n // w, start + (r + 1) * n // w)


Batches = DataLoader | TorchDataLoader[Any]
"""What a ``Learner`` takes: ours, or PyTorch's for data that is not in memory or is changed as it is read."""


@final
@dataclass(slots=True)
class DataLoaders:
    """A loader to learn from, and one to be judged by (or None)."""

    train: Batches
    valid: Batches | None
    classes: tuple[str, ...] | None

    def __init__(self, train: object, valid: object = None, classes: tuple[str, ...] | None = None) -> None:
        """Take the two, and the names of the classes if they have any but their numbers.

        Args:
            train: a loader, byhand's or PyTorch's; any data set that ``DataLoader`` takes is served in batches of 64,
                shuffled.
            valid: likewise, in order; None for none.
            classes: C names.
        """
        self.train = _loader(train, shuffle=True)
        self.valid = None if valid is None else _loader(valid, shuffle=False)
        self.classes = classes


def loaders(
    train: Part | Shards,
    valid: Part | Shards,
    batch_size: int = 256,
    seed: int = 42,
    device: torch.device | str | None = None,
    augment: bool = False,
    drop_last: bool = False,
) -> DataLoaders:
    """The training part, shuffled anew at each pass from ``seed``, and the validation part in order.

    ``augment`` and ``drop_last`` are for the training part. A validation part of no rows gives ``valid=None``.
    """
    generator = torch.Generator().manual_seed(seed)
    shuffled = DataLoader(train, batch_size, True, drop_last, generator, device, augment)
    in_order = DataLoader(valid, batch_size, device=device) if len(valid) else None
    return DataLoaders(shuffled, in_order, train.classes)


def _loader(data: object, shuffle: bool) -> Batches:
    if isinstance(data, DataLoader | TorchDataLoader):
        return cast(Batches, data)
    return DataLoader(data, batch_size=64, shuffle=shuffle)


def _shape(dataset: object) -> tuple[int, int] | None:
    """H, W where the rows are pictures."""
    if isinstance(dataset, Part):
        _, height, width = dataset.images.shape
        return height, width
    return dataset.shape if isinstance(dataset, Shards) else None


def _tensors(dataset: object) -> tuple[Tensor, Tensor]:
    """Inputs and labels of all rows, each as one tensor."""
    if isinstance(dataset, Part):
        pixels = dataset.images.reshape(len(dataset), math.prod(dataset.images.shape[1:]))  # (N, P)
        return torch.as_tensor(pixels), torch.as_tensor(dataset.labels)
    if isinstance(dataset, Shards):
        images, labels = dataset.rows(0, max(1, _SAMPLE // math.prod(dataset.shape)))
        return torch.as_tensor(images.reshape(len(labels), -1)), torch.as_tensor(labels)
    if isinstance(dataset, TensorDataset) and len(dataset.tensors) == 2:
        return dataset.tensors[0], dataset.tensors[1]
    if isinstance(dataset, Sequence) and not isinstance(dataset, str | bytes):
        rows = cast(Sequence[Any], dataset)
        if len(rows) == 2 and all(isinstance(column, Tensor | np.ndarray) for column in rows):
            return torch.as_tensor(rows[0]), torch.as_tensor(rows[1])
        if len(rows) and all(isinstance(row, tuple) and len(cast(tuple[Any, ...], row)) == 2 for row in rows):
            return _stack([x for x, _ in rows]), _stack([y for _, y in rows])
    raise TypeError(
        f"a {type(cast(object, dataset)).__name__} is not a data set in memory: give a part of byhand.load(), a pair "
        "(x, y), a TensorDataset or list(zip(x, y)); or give DataLoaders a torch.utils.data.DataLoader of it"
    )


def _stack(rows: list[Any]) -> Tensor:
    """One tensor of N rows: tensors, arrays or numbers."""
    return torch.stack([torch.as_tensor(row) for row in rows])
