"""Pictures deformed anew in each epoch, ahead of time: threads make the next batches while one is learnt from."""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from byhand.data.deform import deform

__all__ = ["deformed"]

_THREADS: Final = max(1, min(4, (os.cpu_count() or 1) - 1))  # one core is for the step
_AHEAD: Final = 2  # batches of each thread

T = TypeVar("T")


def deformed(batches: Iterable[tuple[NDArray[np.uint8], int, T]], seed: int) -> Iterator[tuple[NDArray[np.uint8], T]]:
    """A version of each picture of each batch (``deform``), in the batches' order.

    The deformation of a pass's i-th picture follows from the seed and i alone, to the bit. So a pass can be begun
    anywhere and be shared by several processes, and it does not matter how many threads there are.

    Args:
        batches: pictures (B, H, W), the number of the first one in the pass, and what goes with them.
        seed: of the pass, from 0 up.
    """
    with ThreadPoolExecutor(_THREADS, "byhand-deformer") as makers:
        under_way: deque[tuple[Future[NDArray[np.uint8]], T]] = deque()
        for images, first, others in batches:
            under_way.append((makers.submit(deform, images, first, 1, seed), others))
            if len(under_way) > _AHEAD * _THREADS:
                made, others = under_way.popleft()
                yield made.result(), others
        for made, others in under_way:
            yield made.result(), others
