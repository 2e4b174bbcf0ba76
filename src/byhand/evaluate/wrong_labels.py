"""Labels that are probably wrong: two witnesses who have not seen each other say so.

The model gives the image's label almost no probability, and the training images that look most like it, found without
the model, are of the class that it names instead. A weak model alone doubts hundreds of right labels.
"""

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from byhand.data.dataset import Part
from byhand.evaluate.results import Suspect

__all__ = ["suspected_labels"]

_DOUBT: Final = 0.05  # the probability of the label below which the model doubts it
_NEIGHBOURS: Final = 10
_AGREEING: Final = 9  # of them, for the other class; of the label's class there may be none
_MOST: Final = 300  # images looked at, the most doubted first
_BLOCK: Final = 8192  # training images compared at a time


def suspected_labels(probs: NDArray[np.float64], part: Part, known: list[Part]) -> list[Suspect]:
    """The images of a part whose labels are probably wrong, the surest first.

    Of the images whose label has a probability below 0.05, at most 300, those are named of whose 10 nearest neighbours,
    by Euclidean distance of the pixels, at least 9 are of the class that the model prefers and none is of the label's.

    Args:
        probs: (N, C), the model's for the images of ``part``.
        part: the images to look at.
        known: the images to find neighbours among; the model may have learnt from them.
    """
    own = probs[np.arange(len(probs)), part.labels]  # (N,)
    doubted = np.flatnonzero((own < _DOUBT) & (probs.argmax(axis=1) != part.labels))
    doubted = doubted[np.argsort(own[doubted], kind="stable")][:_MOST]
    if not len(doubted) or sum(map(len, known)) < _NEIGHBOURS:
        return []
    labels = _nearest(part.images[doubted], known)  # (M, 10)
    suspects: list[Suspect] = []
    for row, near in zip(doubted.tolist(), labels, strict=True):
        other = int(probs[row].argmax())
        agreeing = int((near == other).sum())
        if agreeing >= _AGREEING and not (near == part.labels[row]).any():
            suspects.append(Suspect(row, int(part.labels[row]), other, float(probs[row, other]), agreeing))
    return sorted(suspects, key=lambda one: (-one.neighbours, -one.prob))


def _nearest(images: NDArray[np.uint8], known: list[Part]) -> NDArray[np.int64]:
    """The labels (M, 10) of the nearest known images to each of ``images`` (M, H, W).

    ‖a − b‖² = ‖a‖² − 2 a·b + ‖b‖², where ‖a‖² is the same for all b; only the nearest so far are kept.
    """
    a = torch.as_tensor(images.reshape(len(images), -1)).float() / 255  # (M, P)
    best = torch.full((len(a), _NEIGHBOURS), torch.inf)  # (M, 10)
    labels = torch.full((len(a), _NEIGHBOURS), -1)  # (M, 10)
    for part in known:
        for begin in range(0, len(part), _BLOCK):
            block = slice(begin, begin + _BLOCK)
            b = torch.as_tensor(part.images[block].reshape(-1, a.shape[1])).float() / 255  # (n, P)
            distance = b.square().sum(dim=1) - 2 * a @ b.t()  # (M, n)
            distance = torch.cat([best, distance], dim=1)
            owners = torch.cat([labels, torch.as_tensor(part.labels[block]).expand(len(a), -1)], dim=1)
            best, place = distance.topk(_NEIGHBOURS, dim=1, largest=False)
            labels = owners.gather(1, place)
    return labels.numpy()
