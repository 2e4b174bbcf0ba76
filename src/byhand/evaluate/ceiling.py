"""The best that one linear layer on these pixels can do.

Softmax regression is fitted along a path of penalties, strongest first and each from the last's weights, and the one
with the lowest loss on the validation part is taken; without such a part it is 1/N, which is scikit-learn's C = 1. With
it the optimum on all rows to learn from (training and validation part) is found to ``GAP``; that model meets the test
part once.

What is certified is the loss: no weights have a penalized training loss that is lower by more than the gap. The
accuracy is an estimate of the best: to minimize the number of errors itself over all linear rules is NP-hard.
"""

import math
import time
from typing import Final, NamedTuple, final

import torch
from torch import Tensor

from byhand.data.dataset import Dataset, Part
from byhand.errors import DataError
from byhand.evaluate.results import Ceiling
from byhand.evaluate.softmax_regression import Solution, rows_of, solve
from byhand.evaluate.statistics import wilson

__all__ = ["GAP", "Optimum", "find_ceiling"]

GAP: Final = 1e-6
"""Nats by which the certified loss may lie above the best possible."""

_PATH: Final = [10 ** (-k / 2) for k in range(4, 13)]  # λ from 10⁻² to 10⁻⁶
_PATH_GAP: Final = 1e-4  # nats: enough to tell the penalties apart
_LARGEST: Final = 200_000_000  # C · P², the numbers that the solver keeps in memory


@final
class Optimum(NamedTuple):
    """The ceiling, and the weights that reach it."""

    ceiling: Ceiling
    weight: Tensor  # (C, P + 1) float64; the last column is the bias


def find_ceiling(data: Dataset) -> Optimum:
    """The certified optimum of a data set, measured on its test part.

    Raises:
        DataError: the images are too large, or the classes too many, for the solver.
    """
    start = time.perf_counter()
    classes, pixels = len(data.classes), math.prod(data.shape)
    if classes * (pixels + 1) ** 2 > _LARGEST:
        raise DataError(
            f"{pixels:,} pixels and {classes} classes are too many for the linear ceiling; make the images smaller, "
            "for files with --size"
        )
    rows, labels = _both(data.train)
    l2, weight = 1 / len(rows), None
    if len(data.valid):
        valid_rows, valid_labels = _both(data.valid)
        l2, weight = _choose(rows, labels, valid_rows, valid_labels, classes)
        rows, labels = torch.cat([rows, valid_rows]), torch.cat([labels, valid_labels])
    best = solve(rows, labels, classes, l2, GAP, weight)
    train = _logits(best.weight, rows)  # (N, C)
    test_rows, test_labels = _both(data.test)
    test = _logits(best.weight, test_rows)  # (n, C)
    ceiling = Ceiling(
        accuracy=wilson(_hits(test, test_labels), len(test_labels)),
        train_accuracy=_hits(train, labels) / len(labels),
        loss=best.loss,
        test_loss=float(torch.nn.functional.cross_entropy(test, test_labels)),
        gap=best.gap,
        l2=l2,
        seconds=time.perf_counter() - start,
    )
    return Optimum(ceiling, best.weight)


def _choose(
    rows: Tensor, labels: Tensor, valid_rows: Tensor, valid_labels: Tensor, classes: int
) -> tuple[float, Tensor | None]:
    """The λ with the lowest validation loss, and its weights. The path ends where two in a row have made it worse."""
    best, best_l2, best_weight, worse = math.inf, _PATH[0], None, 0
    solution: Solution | None = None
    for l2 in _PATH:
        solution = solve(rows, labels, classes, l2, _PATH_GAP, solution.weight if solution else None)
        loss = float(torch.nn.functional.cross_entropy(_logits(solution.weight, valid_rows), valid_labels))
        if loss < best:
            best, best_l2, best_weight, worse = loss, l2, solution.weight, 0
        else:
            worse += 1
            if worse == 2:
                break
    return best_l2, best_weight


def _both(part: Part) -> tuple[Tensor, Tensor]:
    return rows_of(torch.as_tensor(part.images)), torch.as_tensor(part.labels)


def _logits(weight: Tensor, rows: Tensor) -> Tensor:
    """(N, C) float32."""
    return rows.float() @ (weight / 255).float().t()


def _hits(logits: Tensor, labels: Tensor) -> int:
    return int((logits.argmax(dim=1) == labels).sum())
