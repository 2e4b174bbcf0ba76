"""Two faults of programs written by hand, made on purpose: an epsilon in the loss, and a metric that is broadcast."""

import torch
from torch import Tensor

from byhand.loss import softmax

__all__ = ["EpsilonLoss", "broadcast_accuracy"]


class EpsilonLoss:
    """−log(p_y + ε), averaged over the rows: what many write against log(0).

    Its gradient is p / (p + ε) times that of −log p, so that the rows which are surest and most wrong teach nothing.
    Logits (B, C) and labels (B,) to (); it is differentiated by autograd.
    """

    def __init__(self, epsilon: float) -> None:
        """Args: ε, above 0."""
        self.epsilon = epsilon

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        """(B, C), (B,) to ()."""
        p = softmax(logits).gather(1, labels.unsqueeze(1))  # (B, 1)
        return -(p + self.epsilon).log().mean()


def broadcast_accuracy(preds: Tensor, labels: Tensor, batch_size: int, classes: int) -> float:
    """What ``(preds == labels.unsqueeze(1)).float().mean()`` prints: the mean, over batches, of B × B comparisons.

    In each batch it is Σ_c (predictions of c) · (labels of c) / B², so that no B × B numbers are needed.

    Args:
        preds: (N,) classes.
        labels: (N,) classes.
        batch_size: rows that are compared with each other; the last batch may be smaller.
        classes: C.
    """
    n = len(labels)
    batch = torch.arange(n) // batch_size  # (N,)
    batches = (n + batch_size - 1) // batch_size
    said, true = (
        torch.bincount(batch * classes + column, minlength=batches * classes).view(batches, classes).double()
        for column in (preds, labels)
    )
    rows = said.sum(1)  # (batches,)
    return float(((said * true).sum(1) / rows.square()).mean())
