"""The multilayer perceptron for scikit-learn: byhand's hand-written layers under its training loop.

Shapes: N rows, P features, H hidden units, C classes.
"""

from typing import Any, Self, cast

import numpy as np
import torch
from sklearn import utils
from sklearn.utils import validation

from byhand.estimators.classifier import Array, Classifier
from byhand.estimators.inputs import integers, number, rows
from byhand.model import MLP, Sequential

__all__ = ["MLPClassifier"]

_ROWS = 8192  # predicted at a time, so that only their hidden units are in memory


class MLPClassifier(Classifier):
    """Linear layers with a ReLU between them, under softmax: the mean loss + (alpha/2) ‖weights‖², biases being free.

    Args:
        hidden_layer_sizes: units of each hidden layer; one number for one layer.
        alpha: of the penalty, at least 0. It does not depend on the number of rows, as that of ``SGDClassifier``;
            scikit-learn's ``MLPClassifier`` divides it by the rows of a batch.
        max_iter: epochs; "auto" is as many as ``byhand train`` makes.
        batch_size: rows of a step; "auto" is 256, or all of fewer rows.
        learning_rate_init: the rate; "auto" finds it. In ``fit`` it falls to 0 in the last quarter.
        random_state: where the first weights and the order of the rows come from.
        verbose: print the table of epochs.

    Attributes:
        classes_: (C,) the labels.
        coefs_: the weights of each layer, (P, H), …, (H, C).
        intercepts_: the biases of each layer, (H,), …, (C,).
        n_iter_: epochs, or calls of ``partial_fit``.
        loss_curve_: nats, the mean loss of the training rows after each of these, without the penalty.
        n_features_in_: P.
        feature_names_in_: (P,) the columns' names, where all are strings.
    """

    coefs_: list[Array]
    intercepts_: list[Array]

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        *,
        alpha: float = 0.0,
        max_iter: int | str = "auto",
        batch_size: int | str = "auto",
        learning_rate_init: float | str = "auto",
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.alpha = alpha
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn from all rows.

        Args:
            X: (N, P) an array or a data frame.
            y: (N,) labels of any kind.
            sample_weight: (N,) how much each row counts, at least 0; 1 each if not given.

        Raises:
            ValueError: what comes in is no such thing, a parameter is none that there is, or there is one class only.
        """
        given, labels = self._begin(X, y, sample_weight, sparse=False)
        return self._train(given, labels, self._penalty(given.total))

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Learn from one pass over some rows of a stream, at a constant rate.

        Args:
            X: as in ``fit``.
            y: likewise.
            classes: all labels that will ever come; needed by the first call.
            sample_weight: as in ``fit``.

        Raises:
            ValueError: as in ``fit``; a label that is none of the classes.
        """
        return self._go_on(X, y, classes, sample_weight, sparse=False)

    def decision_function(self, X: Any) -> Array:
        """The scores of each class (N, C), in nats; of two classes, how far the second is ahead (N,)."""
        cast("Any", validation).check_is_fitted(self)
        x = rows(self, X, sparse=False)
        scores = np.concatenate([self._logits(x[at]) for at in cast("Any", utils).gen_batches(len(x), _ROWS)])  # (N, C)
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    def _logits(self, x: Array) -> Array:
        """(n, P) → (n, C)."""
        for weight, bias in zip(self.coefs_[:-1], self.intercepts_[:-1], strict=True):
            x = np.maximum(x @ weight.astype(x.dtype, copy=False) + bias.astype(x.dtype, copy=False), 0)  # (n, H)
        return x @ self.coefs_[-1].astype(x.dtype, copy=False) + self.intercepts_[-1].astype(x.dtype, copy=False)

    def _penalty(self, total: float) -> float:
        return number(self, "alpha", 0, above=False) or 0.0

    def _model(self, classes: int, dtype: torch.dtype, seed: int | None) -> Sequential:
        hidden = integers(self, "hidden_layer_sizes")
        made = MLP(self.n_features_in_, hidden, classes, generator=torch.Generator().manual_seed(seed or 0))
        made.to(dtype=dtype)
        if seed is None:
            names, numbers = list(made.state_dict()), list[torch.Tensor]()
            for weight, bias in zip(self.coefs_, self.intercepts_, strict=True):
                numbers += [torch.tensor(weight.T), torch.tensor(bias)]
            made.load_state_dict(dict(zip(names, numbers, strict=True)))
        return made

    def _keep(self, model: Sequential) -> None:
        layers = [tensor.numpy() for tensor in model.state_dict().values()]
        self.coefs_ = [np.ascontiguousarray(weight.T) for weight in layers[::2]]
        self.intercepts_ = [bias.copy() for bias in layers[1::2]]
