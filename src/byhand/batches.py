"""The batches of a loader as a learner takes them: of a whole pass, or of its first part."""

from collections.abc import Iterable, Iterator
from itertools import islice

from torch import Tensor
from torch.utils.data import SequentialSampler

from byhand.data.loader import Batches, DataLoader

__all__ = ["HELD", "batches", "draw", "is_shuffled"]

HELD = 2048  # rows to judge a rate by, at most: the loss within 2 %, and differences between rates far better
_EVALUATION_ROWS = 1024  # a batch when a model trained by hand is judged: more no longer fits into fast memory
_MEMORY = 256 * 2**20  # bytes of drawn batches, about


def batches(
    dl: Batches, raw: bool, flat_labels: bool, shuffled: bool = True, skip: int = 0
) -> Iterator[tuple[Tensor, Tensor]]:
    """One pass of a loader, without its first ``skip`` batches.

    Models trained by hand get raw pixels (``raw``), and when nothing is learnt (not ``shuffled``), large slices in
    order. With ``flat_labels``, labels of shape (B, 1), as the seeds have them, become (B,).
    """
    if isinstance(dl, DataLoader):
        rows = _EVALUATION_ROWS if raw else dl.batch_size
        pairs = dl.batches(raw, skip) if shuffled else dl.in_order(rows, raw=raw)
    else:
        pairs = islice(iter(dl), skip, None)
    if not flat_labels:
        yield from pairs
        return
    for xb, yb in pairs:
        yield xb, yb.squeeze(1) if yb.dim() == 2 else yb


def draw(batches: Iterable[tuple[Tensor, Tensor]], steps: int | None) -> list[tuple[Tensor, Tensor]]:
    """The first batches of a pass: enough for so many steps and the rows to judge by, or for None all of them.

    Never much more than 256 MiB.
    """
    drawn, rows, size = list[tuple[Tensor, Tensor]](), 0, 0
    for xb, yb in batches:
        drawn.append((xb, yb))
        rows, size = rows + len(yb), size + xb.nbytes
        if size > _MEMORY or (steps is not None and rows >= steps * len(drawn[0][1]) + HELD):
            break
    return drawn


def is_shuffled(dl: Batches) -> bool:
    """Whether a loader's passes have a random order, as far as one can see."""
    return dl.shuffle if isinstance(dl, DataLoader) else not isinstance(getattr(dl, "sampler", None), SequentialSampler)
