"""Models that anybody has without training: what a real one must beat.

Each has the interface of a trained model, from rows (B, P) to logits (B, C), and is made from the training part alone.
Their logits are honest log-probabilities where that costs nothing, so that their loss can be compared too.
"""

from typing import final

import torch
from torch import Tensor

__all__ = ["MajorityClass", "NearestMean"]


@final
class MajorityClass:
    """The classes' shares in the training part, whatever the image shows: it always says the commonest.

    Among all answers that do not look at the image this has the lowest training loss, the entropy −Σ p_c log p_c.
    """

    def __init__(self, labels: Tensor, num_classes: int) -> None:
        """Args: labels (N,), C."""
        counts = torch.bincount(labels, minlength=num_classes)  # (C,)
        self.log_share = (counts / counts.sum()).log()  # (C,)

    def __call__(self, x: Tensor) -> Tensor:
        """(B, ...) → (B, C), the same row for all."""
        return self.log_share.expand(len(x), -1)


@final
class NearestMean:
    """The class whose mean training image μ_c is nearest, by Euclidean distance: the pixel similarity of the tutorials.

    −½‖x − μ_c‖² = μ_c · x − ½‖μ_c‖² − ½‖x‖², and the last term is the same for every class. So this is a linear
    classifier, made without any training: the least that a trained one should reach.
    """

    def __init__(self, rows: Tensor, labels: Tensor, num_classes: int) -> None:
        """Args: rows (N, P), ``uint8`` standing for x / 255; labels (N,); C."""
        member = torch.nn.functional.one_hot(labels, num_classes).float()  # (N, C)
        x, scale = _scaled(rows)
        sums = member.t() @ x * scale  # (C, P)
        self.weight = sums / member.sum(dim=0).clamp(min=1).unsqueeze(1)  # (C, P), the means
        self.bias = -self.weight.square().sum(dim=1) / 2  # (C,)

    def __call__(self, x: Tensor) -> Tensor:
        """(B, P) → (B, C)."""
        x, scale = _scaled(x)
        return torch.addmm(self.bias, x, self.weight.t(), alpha=scale)


def _scaled(x: Tensor) -> tuple[Tensor, float]:
    return x.float(), 1 / 255 if x.dtype == torch.uint8 else 1.0
