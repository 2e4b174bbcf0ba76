"""Shards as a loader takes them: in stretches that fit into memory, each read while the one before is learnt from.

A shuffled pass draws one seed. With it, the part is cut into blocks of consecutive rows, which are put in random order,
one after the other; the rows that follow each other so are cut into stretches, and those of a stretch are shuffled. In
formulas: with b = ⌈N / L⌉ blocks of L rows, π a permutation of the blocks and σ_j one of the rows of stretch j,

    row(j, i) = the (j · M + σ_j(i))th row of blocks π(0), π(1), …, π(b - 1)

Each row comes once. Which rows are neighbours is random as far as those of a block are strangers to each other, and
they are, because the training images of shards stand in random order. A stretch depends on the seed and its number
alone, so that a pass that was left goes on where it ended without reading what came before.

Shapes: N rows of the part, M of a stretch, of H × W pixels.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from byhand.data.dataset import Rows, empty_rows
from byhand.data.shards import Shards

__all__ = ["Stretch", "in_order", "length", "shuffled"]

_STRETCH: Final = 48 << 20  # bytes; two are in memory: one is learnt from, one is read
_BLOCK: Final = 1 << 20  # bytes: as fast as reading from first to last, on the disks that were tried


class Stretch(NamedTuple):
    """Rows in memory, and the order to take them in."""

    rows: Rows  # (M, H, W), (M,)
    order: NDArray[np.int64] | None  # (M,); None: as they stand


def length(part: Shards, batch_size: int) -> int:
    """M: the rows of a stretch, whole batches of them."""
    return max(1, _STRETCH // (math.prod(part.shape) * batch_size)) * batch_size


def shuffled(part: Shards, length: int, seed: int, first: int = 0) -> Iterator[Stretch]:
    """The stretches of ``length`` rows of a shuffled pass, from number ``first`` on.

    The rows of one are overwritten when the one after the next is asked for: new memory for each would cost as much as
    reading it.
    """
    size = max(1, _BLOCK // math.prod(part.shape))  # L
    blocks = np.random.Generator(np.random.PCG64([seed, 0])).permutation(math.ceil(len(part) / size))  # (b,)
    ends = np.cumsum(np.minimum(size, len(part) - blocks * size))  # (b,) where each ends in the row of all

    room = [empty_rows(min(length, len(part)), part.shape) for _ in range(2)]

    def stretch(number: int) -> Stretch:
        start, stop = number * length, min((number + 1) * length, len(part))
        images, labels = room[number % 2]
        rows = Rows(images[: stop - start], labels[: stop - start])
        which, done = int(np.searchsorted(ends, start, "right")), 0
        while done < stop - start:
            end = min(int(ends[which]), stop) - start
            block = int(blocks[which]) * size
            behind = int(ends[which]) - (start + done)  # rows of the block from here to its end
            part.read_into(Rows(rows.images[done:end], rows.labels[done:end]), min(block + size, len(part)) - behind)
            done, which = end, which + 1
        return Stretch(rows, np.random.Generator(np.random.PCG64([seed, 1, number])).permutation(stop - start))

    return _ahead(partial(stretch, number) for number in range(first, math.ceil(len(part) / length)))


def in_order(part: Shards, length: int, start: int, stop: int) -> Iterator[Stretch]:
    """Rows ``start`` to ``stop`` as they stand, in stretches of ``length``."""

    def stretch(at: int) -> Stretch:
        return Stretch(part.rows(at, min(at + length, stop)), None)

    return _ahead(partial(stretch, at) for at in range(start, stop, length))


def _ahead(makers: Iterable[Callable[[], Stretch]]) -> Iterator[Stretch]:
    """What each maker makes, in their order; a thread is one ahead."""
    with ThreadPoolExecutor(1, "byhand-reader") as reader:
        made: Future[Stretch] | None = None
        for maker in makers:
            following = reader.submit(maker)
            if made is not None:
                yield made.result()
            made = following
        if made is not None:
            yield made.result()
