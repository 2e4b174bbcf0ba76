"""The best bias of given scores, to the last digit: what a certificate needs where the bias is free.

For scores z (C, N) of N rows that count s_i each, a bias b (C,) costs

    f(b) = (1/Σs) Σ_i s_i (log Σ_c exp(z_ic + b_c) − z_iy − b_y),

which is convex. With p_i = softmax(z_i + b), its gradient is r = (1/Σs) Σ_i s_i (p_i − truth_i), what the predictions
have too much of each class, and its Hessian H = (1/Σs) Σ_i s_i (diag p_i − p_i p_iᵀ). H does not see a number that is
added to all of b; H + 1 1ᵀ/C is inverted, and the step d = −H⁻¹ r stays centred.

Along d the third derivative of f is at most δ = max d − min d times the second, since a number that lies in [min d, max
d] can be no more skewed. For such a function log(1 + δ) / δ of Newton's step always goes down, and is the whole step
near the end: Sun and Tran-Dinh, Math. Program. 178 (2019). So nothing is searched for, and at each step the digits
double.
"""

import math
from typing import Any, Final, cast

import torch
from torch import Tensor

__all__ = ["best_bias"]

_STEPS: Final = 1000  # five are usual; from scores in the thousands the way is long, log δ a step
_NEAR: Final = 1e-6  # from here each step must halve the last, or rounding is all that is left
_TINY: Final = 1e-15  # added to the Hessian, in which a class that no row is given any more leaves nothing


def best_bias(scores: Tensor, truth: Tensor, counts: Tensor | None = None) -> Tensor:
    """The centred bias (C,), float64, with which the predictions have the right share of each class.

    Every class must have a row, or there is no best one.

    Args:
        scores: (C, N) float64.
        truth: (C, N), 1 where the row is of the class.
        counts: (N,) float64, how much each row counts; 1 each if not given.
    """
    classes, rows = scores.shape
    weights = torch.full((rows,), 1 / rows, dtype=torch.float64) if counts is None else counts / counts.sum()  # (N,)
    shares = truth.double() @ weights  # (C,)
    base = torch.full((classes, classes), 1 / classes, dtype=torch.float64).fill_diagonal_(1 / classes + _TINY)
    bias, last = torch.zeros(classes, dtype=torch.float64), math.inf
    for _ in range(_STEPS):
        p = torch.softmax(scores + bias.unsqueeze(1), dim=0)  # (C, N)
        weighted = p * weights
        have = weighted.sum(dim=1)  # (C,)
        hessian = torch.diag(have) - weighted @ p.t() + base  # (C, C)
        step = cast("Any", torch.linalg).solve(hessian, shares - have)  # (C,)
        length = float(step.max() - step.min())
        if length == 0 or not (length < last / 2 or _NEAR < length < math.inf):
            break
        bias += step * (math.log1p(length) / length)
        last = length
    return bias - bias.mean()
