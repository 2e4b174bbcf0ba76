"""How long until the linear ceiling is certain? byhand's solver beside scikit-learn's and two more of L-BFGS.

Softmax regression on MNIST's 60,000 images with an always-on pixel for the bias, so that all minimize the same function
P, mean cross-entropy + λ/2 · ‖W‖². What counts is the time until weights are reached that lie at most so many nats above
the smallest P by one and the same certificate, ‖∇P‖² / (2λ). While a rival runs this is computed from its own gradient,
which costs it nothing; the weights that it names are then judged in float64, outside its time. byhand is run anew for
each gap, and its time is that of the whole call, from bytes to certificate; the rivals are handed their matrix of
numbers from 0 to 1.
"""

import gc
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from unittest import mock

import measure
import numpy as np
import scipy.optimize
import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression
from torch import Tensor

import byhand
from byhand.evaluate.ceiling import find_ceiling
from byhand.evaluate.softmax_regression import rows_of, solve

GAPS = (1e-4, 1e-6)  # nats
CAP = 45  # s, after which a rival is stopped
ENDLESS = 1_000_000  # iterations


class Enough(Exception):
    """The last gap is reached, or the time is up."""


@dataclass
class Watch:
    """When a solver first held weights with each gap. A pass is a product with all rows: an evaluation has two."""

    l2: float
    passes: int = 0
    seconds: dict[float, float] = field(default_factory=dict)
    at: dict[float, tuple[int, Tensor]] = field(default_factory=dict)
    least: float = float("inf")
    start: float = field(default_factory=time.perf_counter)
    spent: float = 0

    def look(self, weight: Tensor, gradient: Tensor) -> None:
        """One evaluation of P and ∇P, both (C, P), has been made."""
        self.passes += 2
        self.spent = time.perf_counter() - self.start
        self.least = min(self.least, gap := float(gradient.double().square().sum()) / (2 * self.l2))
        for wanted in GAPS:
            if gap <= wanted and wanted not in self.at:
                self.seconds[wanted], self.at[wanted] = self.spent, (self.passes, weight.clone())
        if len(self.at) == len(GAPS) or self.spent > CAP:
            raise Enough


def ours(rows: Tensor, labels: Tensor, l2: float) -> Watch:
    watch = Watch(l2)
    for gap in GAPS:
        start = time.perf_counter()
        found = solve(rows, labels, 10, l2, gap)
        watch.seconds[gap], watch.at[gap] = time.perf_counter() - start, (found.passes, found.weight)
        watch.least = found.gap
    return watch


def scikit_learn(x: np.ndarray, labels: np.ndarray, l2: float) -> Watch:
    """``LogisticRegression``, watched at each evaluation that SciPy's L-BFGS asks it for."""
    model = LogisticRegression(C=1 / (l2 * len(x)), fit_intercept=False, solver="lbfgs", tol=1e-14, max_iter=ENDLESS)
    minimize = scipy.optimize.minimize

    def watched(function: Callable[..., tuple[float, np.ndarray]], start: np.ndarray, **options: object) -> object:
        def evaluate(w: np.ndarray, *args: object) -> tuple[float, np.ndarray]:
            value, gradient = function(w, *args)
            shape = (10, -1)
            watch.look(torch.as_tensor(w.reshape(shape, order="F")), torch.as_tensor(gradient.reshape(shape, order="F")))
            return value, gradient

        return minimize(evaluate, start, **options)

    watch = Watch(l2)
    with mock.patch.object(scipy.optimize, "minimize", watched), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that it has not converged; the certificate says how far
        _until_enough(lambda: model.fit(x, labels))
    return watch
