"""What a frame shows: weights as pictures, a point of the curves, confusion, and the worst mistakes.

Everything is of a size that a page can take thirty times a second, whatever the images' size and the number of classes.

Shapes: n rows of a sample, P = H · W pixels, C classes, O units of the first layer.
"""

import base64
from collections.abc import Callable
from typing import Any, Final, NamedTuple, cast, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from byhand.loss import log_softmax
from byhand.model import Sequential
from byhand.play.rows import Sample

__all__ = ["CLASSES", "PICTURES", "Judged", "confusion", "judge", "pictures", "strongest", "worst"]

CLASSES: Final = 20
"""Of more classes, the confusion of the first so many is shown."""
PICTURES: Final = 36
"""Of more units, the weights of so many are shown."""

_FEWEST = 10  # pictures of weights: larger images are shown smaller rather than fewer
_MISTAKES, _FEWEST_MISTAKES = 12, 4
_PICTURE_BYTES = 48_000  # of the weights' pictures of a frame, and of the mistakes' too


@final
class Judged(NamedTuple):
    """A model's answers for a sample."""

    log_p: Tensor  # (n, C) log-probabilities
    preds: Tensor  # (n,)
    loss: float
    accuracy: float


def judge(model: Sequential, loss_func: Callable[[Tensor, Tensor], Tensor], sample: Sample) -> Judged:
    """Loss and accuracy on a sample, and all that ``confusion`` and ``worst`` need."""
    with torch.inference_mode():
        logits = model(sample.x)  # (n, C)
        log_p = log_softmax(logits)
        preds = logits.max(dim=1).indices
        loss = loss_func(logits, sample.y).item()
        return Judged(log_p, preds, loss, (preds == sample.y).float().mean().item())


def confusion(truth: Tensor, preds: Tensor, classes: int) -> list[list[int]]:
    """How often rows of one class (a line) are taken for another (a column); the first ``CLASSES`` of both."""
    counts = torch.bincount(truth * classes + preds, minlength=classes**2).view(classes, classes)
    return cast("list[list[int]]", cast(Any, counts[:CLASSES, :CLASSES]).tolist())


def worst(sample: Sample, judged: Judged, images: NDArray[np.uint8]) -> list[dict[str, Any]]:
    """The mistakes with the highest loss, worst first: at most 12, fewer and then smaller where images are large.

    Args:
        sample: the rows.
        judged: the answers.
        images: (N, H, W) of the part that the sample is from.
    """
    height, width = images.shape[1:]
    step = _step(_FEWEST_MISTAKES, height, width)
    shape = -(-height // step), -(-width // step)
    most = min(_MISTAKES, max(1, _PICTURE_BYTES // (shape[0] * shape[1])))
    surprise = -judged.log_p.gather(1, sample.y.unsqueeze(1)).squeeze(1)  # (n,)
    wrong = (judged.preds != sample.y).nonzero().squeeze(1)
    order = surprise[wrong].argsort(descending=True, stable=True)[:most]
    found: list[dict[str, Any]] = []
    for at in wrong[order]:
        i = int(at)
        row, pred = int(sample.rows[i]), int(judged.preds[i])
        picture = _smaller(torch.as_tensor(images[row : row + 1].astype(np.float32)), step)[0]  # (h, w)
        found.append(
            {
                "row": row,
                "image": _text(picture.round().to(torch.uint8)),
                "shape": list(shape),
                "label": int(sample.y[i]),
                "pred": pred,
                "prob": float(judged.log_p[i, pred].exp()),
                "loss": float(surprise[i]),
            }
        )
    return found


def strongest(weight: Tensor) -> Tensor:
    """The units (O, P) that are shown of a layer, in their order: of too many, those with the largest norm."""
    if len(weight) <= PICTURES:
        return torch.arange(len(weight))
    return weight.detach().square().sum(dim=1).topk(PICTURES).indices.sort().values


def pictures(weight: Tensor, shape: tuple[int, int], units: Tensor, hidden: bool) -> dict[str, Any]:
    """The weights of a first layer as pictures of signed bytes: a weight is byte / 127 · ``scale``.

    Args:
        weight: (O, P).
        shape: H, W. Of large images the weights are averaged over squares, and ``shape`` tells the picture's size.
        units: which to show, from ``strongest``; fewer where they would not fit.
        hidden: whether the units are hidden ones, not classes.
    """
    step = _step(min(_FEWEST, len(units)), *shape)
    height, width = -(-shape[0] // step), -(-shape[1] // step)
    units = units[: max(1, _PICTURE_BYTES // (height * width))]
    shown = _smaller(weight.detach()[units].view(len(units), *shape), step)  # (n, h, w)
    scale = shown.abs().max().item()
    data = (shown * (127 / scale)).round() if 0 < scale < float("inf") else torch.zeros_like(shown)
    what = "hidden units" if hidden else "classes"
    some = f"{len(weight)}" if len(units) == len(weight) else f"{len(units)} of the {len(weight)}"
    return {
        "layer": f"weights of the {some} {what}",
        "shape": [height, width],
        "scale": scale,
        "count": len(units),
        "units": list(map(int, units)),
        "data": _text(data.to(torch.int8)),
    }


def _step(count: int, height: int, width: int) -> int:
    """The side of the squares that pixels are averaged over, for so many pictures to fit into a frame."""
    step = 1
    while count * (-(-height // step)) * (-(-width // step)) > _PICTURE_BYTES:
        step += 1
    return step


def _smaller(images: Tensor, step: int) -> Tensor:
    """(n, H, W) to (n, h, w): the mean of each square of ``step`` pixels, of what is left at the lower right edges."""
    if step == 1:
        return images
    return torch.nn.functional.avg_pool2d(images.unsqueeze(1), step, ceil_mode=True, count_include_pad=False).squeeze(1)


def _text(numbers: Tensor) -> str:
    return base64.b64encode(numbers.contiguous().numpy().tobytes()).decode("ascii")
