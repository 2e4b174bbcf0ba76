"""The linear classifier for scikit-learn: by the hand-written loop, or at its certified optimum.

Both solvers have scikit-learn's objective for ``LogisticRegression``,

    C · Σ_i s_i loss_i + ½ ‖coef_‖²,     divided by C · Σ s_i the mean loss + (λ/2) ‖coef_‖²,  λ = 1 / (C · Σ s_i),

the intercept being free. Of two classes scikit-learn has one row w, the second class's less the first's. Here both have
one, and at the optimum they are −w/2 and w/2, with half of ‖w‖² together; so λ is doubled.

Shapes: N rows, P features, C classes.
"""

import math
import warnings
from typing import Any, Self, cast

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import metaestimators, validation

from byhand import model
from byhand.estimators.classifier import Array, Classifier
from byhand.estimators.inputs import Sample, is_sparse, number, rows
from byhand.evaluate.softmax_numbers import Numbers
from byhand.evaluate.softmax_regression import solve
from byhand.evaluate.softmax_sparse import SparseNumbers
from byhand.model import Sequential

__all__ = ["LinearClassifier"]

_FEW, _NEARER = 10_000_000, 1e-8  # N · P · C that cost nothing: there a row that counts 2 is the row twice, to 1e-9


def _has_passes(estimator: Any) -> bool:
    if estimator.solver == "exact":
        raise AttributeError('partial_fit is not there with solver="exact": an optimum is that of all rows at once')
    return True


_where_there_are_passes: Any = cast("Any", metaestimators).available_if(_has_passes)


class LinearClassifier(Classifier):
    """One linear layer under softmax, logits = x Wᵀ + b, with the objective of scikit-learn's ``LogisticRegression``.

    Args:
        solver: "sgd", the hand-written layer and byhand's training loop; or "exact", the optimum with a certificate.
        C: how much the loss weighs beside the penalty, as in ``LogisticRegression``; above 0.
        tol: of "exact", how far in nats P may lie above the smallest possible value; above 0.
        max_iter: of "sgd", epochs; "auto" is as many as ``byhand train`` makes.
        batch_size: of "sgd", rows of a step; "auto" is 256, or all of fewer rows.
        learning_rate_init: of "sgd", the rate; "auto" finds it. In ``fit`` it falls to 0 in the last quarter.
        random_state: of "sgd", where the order of the rows comes from.
        verbose: print the table of epochs.

    Attributes:
        classes_: (C,) the labels.
        coef_: (C, P), or (1, P) for two classes.
        intercept_: (C,), or (1,).
        n_iter_: epochs; steps of Newton's method with "exact"; calls of ``partial_fit``.
        loss_curve_: nats, after each of these; with "exact" it is P, the mean loss and the penalty.
        gap_: nats, with "exact": no weights have a P that is lower by more.
        n_features_in_: P.
        feature_names_in_: (P,) the columns' names, where all are strings.
    """

    coef_: Array
    intercept_: Array
    gap_: float

    def __init__(
        self,
        solver: str = "sgd",
        *,
        C: float = 1.0,
        tol: float = 1e-12,
        max_iter: int | str = "auto",
        batch_size: int | str = "auto",
        learning_rate_init: float | str = "auto",
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.solver = solver
        self.C = C
        self.tol = tol
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn from all rows.

        Args:
            X: (N, P) an array, a data frame or a SciPy matrix, which is never made dense.
            y: (N,) labels of any kind.
            sample_weight: (N,) how much each row counts, at least 0; 1 each if not given.

        Raises:
            ValueError: what comes in is no such thing, a parameter is none that there is, or there is one class only.
        """
        if self.solver not in ("sgd", "exact"):
            raise ValueError(f'solver of LinearClassifier is {self.solver!r}; give "sgd" or "exact"')
        given, labels = self._begin(X, y, sample_weight, sparse=True)
        vars(self).pop("gap_", None)  # of an earlier fit
        penalty = self._penalty(given.total)
        return self._train(given, labels, penalty) if self.solver == "sgd" else self._solve(given, labels, penalty)

    @_where_there_are_passes
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Learn from one pass over some rows of a stream, at a constant rate; with "sgd" only.

        λ is that of all rows that have come so far.

        Args:
            X: as in ``fit``.
            y: likewise.
            classes: all labels that will ever come; needed by the first call.
            sample_weight: as in ``fit``.

        Raises:
            ValueError: as in ``fit``; a label that is none of the classes.
        """
        return self._go_on(X, y, classes, sample_weight, sparse=True)

    def decision_function(self, X: Any) -> Array:
        """The scores of each class (N, C), in nats; of two classes, how far the second is ahead (N,)."""
        cast("Any", validation).check_is_fitted(self)
        x = rows(self, X, sparse=True)
        scores = x @ self.coef_.T.astype(x.dtype, copy=False) + self.intercept_.astype(x.dtype, copy=False)
        return scores[:, 0] if len(self.classes_) == 2 else scores

    def _solve(self, given: Sample, labels: NDArray[np.int64], penalty: float) -> Self:
        tol = number(self, "tol", 0, above=True) or 0.0
        counts = None if given.counts is None else torch.as_tensor(given.counts)
        stored = SparseNumbers(given.x, counts) if is_sparse(given.x) else Numbers(torch.as_tensor(given.x), counts)
        few = math.prod(given.x.shape) * len(self.classes_) < _FEW
        near = tol * _NEARER if few else tol
        found = solve(stored, torch.as_tensor(labels), len(self.classes_), penalty, near, counts=counts)
        self._set(found.weight[:, :-1].numpy(), found.weight[:, -1].numpy(), given.x.dtype)
        self.gap_, self.n_iter_, self.loss_curve_ = found.gap, len(found.course), list(found.course)
        if found.gap > tol:
            warnings.warn(
                f"P is within {found.gap:.1g} nats of its minimum, and rounding lets it come no nearer to the "
                f"{tol:.1g} of tol",
                ConvergenceWarning,
                stacklevel=3,
            )
        return self

    def _penalty(self, total: float) -> float:
        strength = number(self, "C", 0, above=True) or 0.0
        return (2 if len(self.classes_) == 2 else 1) / (strength * total)

    def _model(self, classes: int, dtype: torch.dtype, seed: int | None) -> Sequential:
        made = model.LinearClassifier(self.n_features_in_, classes).to(dtype=dtype)
        if seed is None:
            weight, bias = torch.tensor(self.coef_), torch.tensor(self.intercept_)
            if classes == 2:
                weight, bias = torch.cat([-weight, weight]) / 2, torch.cat([-bias, bias]) / 2
            made.load_state_dict({"0.weight": weight, "0.bias": bias})
        return made

    def _keep(self, model: Sequential) -> None:
        state = model.state_dict()
        weight, bias = state["0.weight"].numpy(), state["0.bias"].numpy()
        self._set(weight, bias, weight.dtype)

    def _set(self, weight: Array, bias: Array, dtype: Any) -> None:
        """From a row for each class (C, P) to scikit-learn's form."""
        if len(weight) == 2:
            weight, bias = weight[1:] - weight[:1], bias[1:] - bias[:1]
        self.coef_, self.intercept_ = weight.astype(dtype), bias.astype(dtype)

    def __sklearn_tags__(self) -> Any:
        tags = cast("Any", super()).__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
