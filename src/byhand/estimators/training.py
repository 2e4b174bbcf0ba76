"""byhand's own loop on scikit-learn's rows: the hand-written layers, ``Learner``'s five steps, the rate that it finds.

The mean loss over rows that count s_i is Σ s_i loss_i / Σ s_i. The cross-entropy of a target t (C,) that need not add
to 1 is −Σ_c t_c log p_c, so a row of class y that counts s has the target s at y and 0 elsewhere, and the loop learns
nothing new. The s_i are scaled to a mean of 1, for a batch divides by its number of rows.

Sparse rows are made dense a batch at a time. Rows that fit into one batch are taken whole at each step; then a row that
counts 2 is the same as the row twice.

Shapes: N rows, P features, B batch, C classes.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import BatchSampler, Dataset, RandomSampler
from torch.utils.data import DataLoader as TorchDataLoader

from byhand.data.loader import Batches, DataLoader, DataLoaders
from byhand.estimators.inputs import is_sparse
from byhand.learner import Learner
from byhand.lr_find.finder import auto_lr
from byhand.model import Sequential
from byhand.optim import SGD, constant, flat_cos
from byhand.recipe import usual_epochs

__all__ = ["Plan", "learn", "learn_once"]

_BATCH = 256


@final
@dataclass(frozen=True, slots=True)
class Plan:
    """How to train; None where byhand chooses."""

    epochs: int | None
    batch_size: int | None
    lr: float | None
    penalty: float  # λ of (λ/2) ‖weights‖²; biases are free
    seed: int
    verbose: bool


def learn(model: Sequential, x: Any, labels: NDArray[np.int64], counts: Any, plan: Plan) -> tuple[float, list[float]]:
    """Train the model for the plan's epochs; the rate, and the mean loss in nats after each epoch.

    The rate stays for three quarters of the run and then falls to zero.
    """
    learner = _learner(model, x, labels, counts, plan)
    epochs = plan.epochs or usual_epochs("linear" if len(model.sizes) == 2 else "mlp", len(learner.dls.train))
    lr = plan.lr or auto_lr(learner, epochs, flat_cos).lr
    learner.fit_schedule(epochs, flat_cos(lr))
    return lr, _losses(learner)


def learn_once(
    model: Sequential, x: Any, labels: NDArray[np.int64], counts: Any, plan: Plan
) -> tuple[float, list[float]]:
    """One pass at a constant rate over rows that are a part of a stream; the rate, and the loss after it."""
    learner = _learner(model, x, labels, counts, plan)
    lr = plan.lr or auto_lr(learner, None, constant).lr
    learner.fit_schedule(1, constant(lr))
    return lr, _losses(learner)


def _losses(learner: Learner) -> list[float]:
    return [float(row["train_loss"] or 0.0) for row in learner.history[1:]]


def _learner(model: Sequential, x: Any, labels: NDArray[np.int64], counts: Any, plan: Plan) -> Learner:
    target = torch.as_tensor(labels)  # (N,)
    if counts is not None and counts.min() < counts.max():
        dtype = torch.float32 if x.dtype == np.float32 else torch.float64
        share = torch.as_tensor(counts / counts.mean(), dtype=dtype)  # (N,)
        of_class = torch.nn.functional.one_hot(target, model.sizes[-1])
        target = of_class * share.unsqueeze(1)  # (N, C)
    generator = torch.Generator().manual_seed(plan.seed)
    size = min(plan.batch_size or _BATCH, len(labels))
    if is_sparse(x):
        rows = _sparse_batches(x, target, size, generator)
    else:
        rows = DataLoader((x, target), size, shuffle=True, generator=generator)
    opt_func = partial(SGD, weight_decay=plan.penalty, decay_bias=False)
    return Learner(DataLoaders(rows), model, opt_func=opt_func, quiet=not plan.verbose)


def _sparse_batches(x: Any, target: Tensor, size: int, generator: torch.Generator) -> Batches:
    order = BatchSampler(RandomSampler(range(len(target)), generator=generator), size, drop_last=False)
    return TorchDataLoader(_SparseRows(x, target), batch_size=None, sampler=order, generator=generator)


@final
class _SparseRows(Dataset[tuple[Tensor, Tensor]]):
    """A SciPy matrix (N, P) that gives several rows at once, dense."""

    def __init__(self, x: Any, target: Tensor) -> None:
        self.x, self.target = x, target

    def __getitem__(self, index: Any) -> tuple[Tensor, Tensor]:
        return torch.as_tensor(self.x[index].toarray()), self.target[index]  # (B, P), (B,) or (B, C)
