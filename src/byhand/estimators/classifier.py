"""What both estimators answer, from a row's decision to its label, and how they are trained.

Shapes: N rows, P features, C classes.
"""

from typing import Any, Self, cast

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn import utils
from sklearn.base import BaseEstimator, ClassifierMixin
from torch import Tensor

from byhand.estimators.inputs import Sample, integer, number, sample
from byhand.estimators.training import Plan, learn, learn_once
from byhand.loss import log_softmax, softmax
from byhand.model import Sequential

__all__ = ["Classifier"]

Array = NDArray[Any]


class Classifier(ClassifierMixin, BaseEstimator):
    """The half that the linear estimator and the MLP have in common."""

    max_iter: Any
    batch_size: Any
    learning_rate_init: Any
    random_state: Any
    verbose: Any

    n_features_in_: int
    classes_: Array
    n_iter_: int
    loss_curve_: list[float]

    def decision_function(self, X: Any) -> Array:
        """The scores of each class (N, C), in nats; of two classes, how far the second is ahead (N,)."""
        raise NotImplementedError

    def predict(self, X: Any) -> Array:
        """The likeliest label of each row, (N,)."""
        decision = self.decision_function(X)
        best = (decision > 0).astype(np.int64) if decision.ndim == 1 else decision.argmax(axis=1)
        return self.classes_[best]

    def predict_proba(self, X: Any) -> Array:
        """The probability of each class, (N, C) float64, in the order of ``classes_``."""
        return softmax(self._scores(X)).numpy()

    def predict_log_proba(self, X: Any) -> Array:
        """Their logarithms, (N, C), right where a probability rounds to 0 or 1 too."""
        return log_softmax(self._scores(X)).numpy()

    def _scores(self, X: Any) -> Tensor:
        decision = torch.as_tensor(self.decision_function(X)).double()
        return torch.stack([torch.zeros_like(decision), decision], dim=1) if decision.dim() == 1 else decision

    # What a subclass is: its model, and what it keeps of it.

    def _model(self, classes: int, dtype: torch.dtype, seed: int | None) -> Sequential:
        """Byhand's model: new from a seed, or, without one, with the weights that are kept."""
        raise NotImplementedError

    def _keep(self, model: Sequential) -> None:
        """Note the weights as scikit-learn has them."""
        raise NotImplementedError

    # Training.

    def _begin(self, X: Any, y: Any, sample_weight: Any, sparse: bool) -> tuple[Sample, NDArray[np.int64]]:
        """Rows to learn from anew, and their labels' numbers (N,); the classes are noted."""
        given = sample(self, X, y, sample_weight, sparse, first=True)
        classes, labels = np.unique(given.y, return_inverse=True)
        if len(classes) < 2:
            raise ValueError(
                f"one class alone, {classes[0]!r}, leaves nothing to learn; give rows of at least 2 classes"
            )
        self.classes_, self._seen, self._rate = classes, given.total, None
        self._random = cast("Any", utils).check_random_state(self.random_state)
        return given, labels.astype(np.int64)

    def _train(self, given: Sample, labels: NDArray[np.int64], penalty: float) -> Self:
        """Train a new model on all epochs."""
        plan = self._plan(penalty)
        model = self._model(len(self.classes_), _dtype(given.x), plan.seed)
        self._rate, self.loss_curve_ = learn(model, given.x, labels, given.counts, plan)
        self.n_iter_ = len(self.loss_curve_)
        self._keep(model)
        return self

    def _go_on(self, X: Any, y: Any, classes: Any, sample_weight: Any, sparse: bool) -> Self:
        """Train on one pass over the rows, from where the last call ended."""
        first = not hasattr(self, "classes_")
        if first and classes is None:
            raise ValueError("the first call of partial_fit needs classes, all labels that will ever come")
        given = sample(self, X, y, sample_weight, sparse, first)
        known = np.unique(classes) if classes is not None else self.classes_
        if not first and not np.array_equal(known, self.classes_):
            raise ValueError(f"classes are {list(known)}, and were {list(self.classes_)} before; they cannot change")
        if len(known) < 2:
            raise ValueError("partial_fit needs at least 2 classes")
        labels = np.searchsorted(known, given.y).clip(max=len(known) - 1)  # (N,)
        strange = known[labels] != given.y
        if strange.any():
            raise ValueError(f"the label {given.y[strange][0]!r} is none of the classes {list(known)}")
        if first:
            self.classes_, self._seen, self._rate, self.n_iter_, self.loss_curve_ = known, 0.0, None, 0, []
            self._random = cast("Any", utils).check_random_state(self.random_state)
        self._seen += given.total
        plan = self._plan(self._penalty(self._seen), self._rate)
        model = self._model(len(known), _dtype(given.x), plan.seed if first else None)
        self._rate, losses = learn_once(model, given.x, labels, given.counts, plan)
        self.loss_curve_ = [*self.loss_curve_, *losses]
        self.n_iter_ += 1
        self._keep(model)
        return self

    def _penalty(self, total: float) -> float:
        """λ of the penalty (λ/2) ‖weights‖² beside the mean loss of rows that count so much together."""
        raise NotImplementedError

    def _plan(self, penalty: float, rate: float | None = None) -> Plan:
        lr = number(self, "learning_rate_init", 0, above=True, auto=True) or rate
        seed = int(self._random.randint(2**31 - 1))
        size, epochs = integer(self, "batch_size"), integer(self, "max_iter")
        return Plan(epochs, size, lr, penalty, seed, bool(self.verbose))


def _dtype(x: Any) -> torch.dtype:
    return torch.float32 if x.dtype == np.float32 else torch.float64
