"""The metric through which the solver of a softmax regression sees a direction: something near to the Hessian itself.

For class c the Hessian has the block

    H_cc = (1/Σs) Σ_i s_i p_ic (1 − p_ic) x_i x_iᵀ + λ.

``_whole`` inverts each, made from rows that are drawn in proportion to s_i p_ic (1 − p_ic), which few rows have left at
the optimum. At W = 0 it is (C − 1)/C² times the Gram matrix of the columns; Böhning's bound, Ann. Inst. Stat. Math. 44
(1992), keeps ½ of the latter throughout and needs ten times the products. ``_diagonal`` has its diagonal alone, from
all rows. It is taken where C matrices of P × P would not fit; and, for columns that are scaled, where rows are so few
that such a matrix costs more than a hundred products, until a step needs more than it costs.

W = 0 is centred over the classes, and ∇P and H keep it so; each H_cc alone would not, so what it gives is centred
again.

Shapes: N rows, P columns, C classes.
"""

from collections.abc import Callable
from typing import Any, Final, cast

import torch
from torch import Tensor

from byhand.evaluate.softmax_rows import Rows

__all__ = ["Metric", "metric"]

Metric = Callable[[Tensor], Tensor]
"""The inverse of H_cc times r_c for each class, centred over the classes: (C, P) → (C, P)."""

_DRAWN: Final = 6  # rows drawn for each H_cc, in multiples of P
_LARGEST: Final = 200_000_000  # C · P², the numbers that all H_cc hold
_DEAR: Final = 100  # products: what costs more is not tried before a step has needed as many


def metric(rows: Rows, probs: Tensor, penalty: Tensor, counts: Tensor | None, needed: int) -> Metric:
    """The metric at a point.

    Args:
        rows: N of them.
        probs: (C, N) float32.
        penalty: (P,), λ of each column.
        counts: (N,), how much each row counts; None for 1 each.
        needed: the most products that a step has needed so far.
    """
    size = len(penalty)
    price = 3 * size**3 / rows.work  # of all H_cc, in products
    if len(probs) * size**2 > _LARGEST or (rows.free_bias and price > max(_DEAR, needed)):
        return _diagonal(rows, probs, penalty, counts)
    return _whole(rows, probs, penalty, counts)


def _whole(rows: Rows, probs: Tensor, penalty: Tensor, counts: Tensor | None) -> Metric:
    size = len(penalty)
    total = rows.count if counts is None else float(counts.sum())
    generator = torch.Generator().manual_seed(0)  # the same draw each time
    inverses = torch.empty(len(probs), size, size)  # (C, P, P)
    for inverse, p in zip(inverses, probs, strict=True):
        w = _curvature(p, counts)  # (N,)
        chance = (w * (_DRAWN * size / w.sum().clamp(min=1e-30))).clamp_(max=1)
        if rows.count <= _DRAWN * size:
            chance.fill_(1)
        drawn = (torch.rand(rows.count, generator=generator) < chance).nonzero().squeeze(1)  # (n,)
        share = (w[drawn] / chance[drawn]).sqrt().unsqueeze(1)  # (n, 1)
        x = rows.some(drawn) * (share / total**0.5)  # (n, P) float32
        h = x.t() @ x  # (P, P)
        blur = 1e-6 * float(h.diagonal().sum())  # what float32 cannot tell from 0
        h.diagonal().add_(penalty.float().clamp(min=max(blur, 1e-30)))
        inverse.copy_(torch.cholesky_inverse(cast("Any", torch.linalg).cholesky(h)))

    def apply(r: Tensor) -> Tensor:
        return _centred(torch.bmm(inverses, r.unsqueeze(2)).squeeze(2))

    return apply


def _diagonal(rows: Rows, probs: Tensor, penalty: Tensor, counts: Tensor | None) -> Metric:
    total = rows.count if counts is None else float(counts.sum())
    diagonal = torch.zeros(len(probs), len(penalty))  # (C, P)
    for at, block in rows.blocks(torch.float32):
        w = _curvature(probs[:, at], None if counts is None else counts[at])  # (C, n)
        diagonal += block.pull_squares(w / total)
    diagonal = diagonal * rows.scale.float().square() + penalty.float()
    diagonal.clamp_(min=1e-30)
    return lambda r: _centred(r / diagonal)


def _curvature(p: Tensor, counts: Tensor | None) -> Tensor:
    w = p * (1 - p)
    return w if counts is None else w * counts


def _centred(z: Tensor) -> Tensor:
    return z.sub_(z.mean(dim=0))
