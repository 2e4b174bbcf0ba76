"""A data set's rows as a start wants them: scaled or not, shuffled or class after class; and a fixed sample of each.

Shapes: N rows, P pixels.
"""

import math
import threading
from dataclasses import dataclass
from typing import Final, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from byhand.data.dataset import Dataset, Part
from byhand.data.loader import DataLoader, DataLoaders
from byhand.play.controls import Controls

__all__ = ["Rows", "Sample"]

Pair = tuple[Tensor, Tensor]  # inputs (N, P) and labels (N,)

_SAMPLE: Final = 2000  # rows of a part that the curves are measured on while an epoch is under way


@final
@dataclass(frozen=True, slots=True)
class Sample:
    """Some rows of a part, each class as often as in the whole."""

    x: Tensor  # (n, P)
    y: Tensor  # (n,)
    rows: NDArray[np.int64]  # (n,) where they stand in the part


@final
class Rows:
    """Both parts, made ready when first asked for; of the ways to stand, only the last is kept."""

    def __init__(self, data: Dataset) -> None:
        """Args: the data set."""
        self.data = data
        self._judged = data.valid if len(data.valid) else data.train
        self._samples = [(part, _sample(part)) for part in (data.train, self._judged)]
        self._lock = threading.Lock()  # the finder asks too
        self._kept: tuple[tuple[bool, bool], tuple[Pair, Pair]] | None = None

    @property
    def judged(self) -> Part:
        """The part that mistakes are looked for in: the validation part, or the training part where there is none."""
        return self._judged

    def loaders(self, controls: Controls) -> DataLoaders:
        """What a ``Learner`` takes, as ``byhand.data.loader.loaders`` makes it when the rows are shuffled and scaled.

        Pixels that are not scaled are float16, in which 0..255 are exact; a linear layer takes them as they stand.
        Class after class, as one folder of pictures after the other is read, the validation part stands so too.
        """
        train, valid = self._pairs(controls)
        generator = torch.Generator().manual_seed(controls.seed)
        loader = DataLoader(train, controls.batch_size, shuffle=controls.shuffle, generator=generator)
        in_order = DataLoader(valid, controls.batch_size) if len(self.data.valid) else None
        return DataLoaders(loader, in_order, self.data.classes)

    def samples(self, controls: Controls) -> tuple[Sample, Sample]:
        """Of the training part and of the judged one, the same rows at every call."""
        samples = [
            Sample(_pixels(part.images[rows], controls.scaled), torch.as_tensor(part.labels[rows]), rows)
            for part, rows in self._samples
        ]
        return samples[0], samples[1]

    def _pairs(self, controls: Controls) -> tuple[Pair, Pair]:
        key = controls.scaled, controls.shuffle
        with self._lock:
            if self._kept is None or self._kept[0] != key:
                pairs = [_pair(part, controls) for part in (self.data.train, self.data.valid)]
                self._kept = key, (pairs[0], pairs[1])
            return self._kept[1]


def _pair(part: Part, controls: Controls) -> Pair:
    """(N, P), (N,)."""
    images, labels = part.images, part.labels
    if not controls.shuffle:
        order = np.argsort(labels, kind="stable")  # (N,)
        images, labels = images[order], labels[order]
    return _pixels(images, controls.scaled), torch.as_tensor(labels)


def _pixels(images: NDArray[np.uint8], scaled: bool) -> Tensor:
    """(N, P): uint8, which stands for x / 255, or float16 from 0 to 255."""
    flat = torch.as_tensor(images.reshape(len(images), math.prod(images.shape[1:])))
    return flat if scaled else flat.half()


def _sample(part: Part) -> NDArray[np.int64]:
    """Rows evenly spaced along the classes, in an order within each that a seed draws; sorted."""
    n = len(part)
    if n <= _SAMPLE:
        return np.arange(n)
    order = np.lexsort((np.random.default_rng(0).permutation(n), part.labels))  # (N,) class after class
    return np.sort(order[(2 * np.arange(_SAMPLE) + 1) * n // (2 * _SAMPLE)])
