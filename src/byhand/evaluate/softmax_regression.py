"""Softmax regression to its optimum, with a certificate that nobody has to take on trust.

The penalized loss of weights W (C, P) on N rows x, the bias being the weight of a pixel that is always on, is

    P(W) = (1/N) Σ_i −log softmax(W x_i)[y_i] + (λ/2) ‖W‖².

P is λ-strongly convex, so P(W) − min P ≤ ‖∇P(W)‖² / (2λ) at every W, wherever W came from. (At the dual point
α_i = softmax(W x_i) this is the duality gap itself: Ndiaye et al., NIPS 2015.) The gradient that enters it is computed
in float64.

The solver is Newton's method. Each step is found by conjugate gradients, which need only products H V of the Hessian.
They need few of them, because V is seen through a metric near to H itself: for class c the matrix

    H_cc = (1/N) Σ_i p_ic (1 − p_ic) x_i x_iᵀ + λ I,

from rows drawn in proportion to p_ic (1 − p_ic), which few rows have left at the optimum. At W = 0 it is (C − 1)/C²
times the Gram matrix of the pixels; Böhning's bound, Ann. Inst. Stat. Math. 44 (1992), keeps ½ of the latter throughout
and needs ten times the products. W = 0 is centred over the classes, and ∇P and H keep it so; each H_cc alone would not,
so what it gives is centred again.

Where the processor multiplies bfloat16 fast, the products H V are made in it: pixels 0..255 are exact there, and a step
that is off by the rounding of V is mended by the next. P and its gradient are computed in float32, and in float64, with
products in float32, from where that no longer tells a better point from a worse.

Shapes: N rows, P pixels and the one that is always on, C classes.
"""

import math
from dataclasses import dataclass
from typing import Any, Final, cast, final

import torch
from torch import Tensor

__all__ = ["Solution", "rows_of", "solve"]

_PIXEL: Final = 255.0  # the value that stands for 1
_BLOCK: Final = 8192  # rows in float64 at a time
_DRAWN: Final = 6  # rows drawn for each H_cc, in multiples of P
_PATIENCE: Final = 8  # products that a step may need before the metric is made anew
_STEPS: Final = 100  # Newton's method takes 10 on MNIST


@final
@dataclass(frozen=True, slots=True)
class Solution:
    """Weights and what is certain of them."""

    weight: Tensor  # (C, P) float64
    loss: float  # nats; the mean cross-entropy, without the penalty
    objective: float  # nats; P(W)
    gap: float  # nats; P(W) is at most this far above the smallest possible value
    passes: int  # products with all rows: two for a gradient, two for a product H V


def rows_of(images: Tensor) -> Tensor:
    """Images (N, ...) of pixels 0..255 as rows (N, P), uint8, with the pixel that is always on as their last."""
    flat = images.flatten(1)
    return torch.cat([flat, torch.full((len(flat), 1), int(_PIXEL), dtype=torch.uint8)], dim=1)


def solve(
    rows: Tensor, labels: Tensor, classes: int, l2: float, gap: float = 1e-6, start: Tensor | None = None
) -> Solution:
    """Minimize P until the certificate says that no weights are better by more than ``gap``.

    Args:
        rows: (N, P) uint8, from ``rows_of``; a pixel x stands for x / 255.
        labels: (N,) int64.
        classes: C.
        l2: λ, above 0.
        gap: nats, above 0. One below what float64 can tell ends the search where it gets no further.
        start: (C, P) weights to begin with, such as those for a nearby λ; zero if not given.

    Raises:
        ValueError: λ or the gap is not above 0, or there are no rows.
    """
    if not (l2 > 0 and gap > 0 and len(rows)):
        raise ValueError(f"softmax regression needs rows, l2 and gap above 0, not {len(rows)}, {l2} and {gap}")
    used = rows.amax(dim=0) > 0  # (P,): a pixel that is 0 in every row has the weight 0 at the optimum
    problem = _Problem(rows[:, used], labels, classes, l2)
    weight = torch.zeros(classes, int(used.sum()), dtype=torch.float64)  # (C, P')
    if start is not None:
        weight = start[:, used].double()
        weight -= weight.mean(dim=0)  # nearer to the optimum, which is centred
    at = problem.look(weight)
    metric, needed = None, 0
    for _ in range(_STEPS):
        if at.gap <= gap and not at.exact:
            at = problem.look(at.weight, exact=True)
        if at.gap <= gap:
            break
        if metric is None or needed > _PATIENCE:
            metric = _Metric(problem, at.probs)
        before = problem.products
        step = _conjugate_gradients(problem, at, metric)
        needed = problem.products - before
        new = _downhill(problem, at, step)
        if new is None and at.exact:  # rounding has the last word
            break
        at = new or problem.look(at.weight, exact=True)
    if not at.exact:
        at = problem.look(at.weight, exact=True)
    full = torch.zeros(classes, rows.shape[1], dtype=torch.float64)
    full[:, used] = at.weight
    penalty = l2 / 2 * float(at.weight.square().sum())
    return Solution(full, at.objective - penalty, at.objective, at.gap, 2 * (problem.products + problem.looks))


@final
@dataclass(frozen=True, slots=True)
class _Point:
    """P at some weights."""

    weight: Tensor  # (C, P) float64
    objective: float
    gradient: Tensor  # (C, P) float64
    probs: Tensor  # (C, N) float32
    gap: float
    exact: bool  # computed in float64


@final
class _Problem:
    """The rows in the types in which they are multiplied, and how often that was done."""

    def __init__(self, rows: Tensor, labels: Tensor, classes: int, l2: float) -> None:
        self.rows = rows  # (N, P) uint8
        self.l2 = l2
        self.truth = torch.nn.functional.one_hot(labels, classes).t().contiguous()  # (C, N)
        fast = getattr(torch.cpu, "get_capabilities", dict[str, object])()
        bfloat16 = bool(fast.get("avx512_bf16") or fast.get("amx_bf16"))
        self.fast = rows.to(torch.bfloat16 if bfloat16 else torch.float32)  # (N, P)
        self.products = self.looks = 0

    def look(self, weight: Tensor, exact: bool = False) -> _Point:
        """P and ∇P = (1/N) (softmax(W xᵀ) − truth) x + λ W, in float32 or, ``exact``, in float64."""
        self.looks += 1
        dtype = torch.float64 if exact else torch.float32
        loss = 0.0
        gradient = torch.zeros_like(weight, dtype=dtype)  # (C, P)
        probs: list[Tensor] = []
        scaled = (weight / _PIXEL).to(dtype)
        for begin in range(0, len(self.rows), _BLOCK):
            x = self.rows[begin : begin + _BLOCK].to(dtype)  # (n, P)
            truth = self.truth[:, begin : begin + _BLOCK]  # (C, n)
            log_p = torch.log_softmax(scaled @ x.t(), dim=0)  # (C, n)
            loss -= float((log_p * truth).sum(dtype=torch.float64))
            p = log_p.exp_()
            probs.append(p.float())
            gradient.addmm_(p - truth, x)
        n = len(self.rows)
        gradient = gradient.double() / (n * _PIXEL) + self.l2 * weight
        gap = float(gradient.square().sum()) / (2 * self.l2)
        objective = loss / n + self.l2 / 2 * float(weight.square().sum())
        return _Point(weight, objective, gradient, torch.cat(probs, dim=1), gap, exact)

    def hessian(self, at: _Point, v: Tensor) -> Tensor:
        """H V (C, P): (1/N) Σ_i (p_i ∘ (V x_i) − p_i · Σ_c p_ic (V x_i)_c) x_iᵀ + λ V."""
        self.products += 1
        if at.exact:  # from now on: no later point is less exact
            self.fast = self.fast.float()
        x = self.fast  # (N, P)
        u = (v.to(x.dtype) @ x.t()).float().mul_(at.probs)  # (C, N)
        u.addcmul_(at.probs, u.sum(dim=0, keepdim=True), value=-1)
        hv = (u.to(x.dtype) @ x).float()  # (C, P)
        return hv.div_(len(self.rows) * _PIXEL**2).add_(v, alpha=self.l2)


@final
class _Metric:
    """The inverses of all H_cc, each from a draw of rows."""

    def __init__(self, problem: _Problem, probs: Tensor) -> None:
        n, size = problem.rows.shape
        generator = torch.Generator().manual_seed(0)  # the same draw each time
        self.inverses = torch.empty(len(probs), size, size)  # (C, P, P)
        for inverse, p in zip(self.inverses, probs, strict=True):
            w = p * (1 - p)  # (N,)
            chance = (w * (_DRAWN * size / w.sum().clamp(min=1e-30))).clamp_(max=1)
            drawn = (torch.rand(n, generator=generator) < chance).nonzero().squeeze(1)  # (n,)
            share = (w[drawn] / chance[drawn]).sqrt().unsqueeze(1)  # (n, 1)
            x = problem.rows.index_select(0, drawn) * (share / (_PIXEL * n**0.5))  # (n, P) float32
            h = x.t() @ x  # (P, P)
            blur = 1e-6 * float(h.diagonal().sum())  # what float32 cannot tell from 0
            h.diagonal().add_(max(problem.l2, blur))
            inverse.copy_(torch.cholesky_inverse(cast("Any", torch.linalg).cholesky(h)))

    def __call__(self, r: Tensor) -> Tensor:
        """H_cc⁻¹ r_c for each class, centred over the classes: (C, P) → (C, P)."""
        z = torch.bmm(self.inverses, r.unsqueeze(2)).squeeze(2)
        return z.sub_(z.mean(dim=0))


def _conjugate_gradients(problem: _Problem, at: _Point, metric: _Metric) -> Tensor:
    """The step D (C, P) with H D ≈ −∇P: a tenth of the residual is left, more while the optimum is far."""
    r = -at.gradient.float()
    d, z = torch.zeros_like(r), metric(r)
    v, rz = z.clone(), float((r * z).sum())
    enough = rz * (0.1 if at.exact else 0.2) ** 2
    for _ in range(200):
        hv = problem.hessian(at, v)
        curve = float((v * hv).sum())
        if not curve > 0:
            break
        d.add_(v, alpha=rz / curve)
        r.sub_(hv, alpha=rz / curve)
        z = metric(r)
        last, rz = rz, float((r * z).sum())
        if not rz > enough:
            break
        v = z.add_(v, alpha=rz / last)
    return d.double()


def _downhill(problem: _Problem, at: _Point, step: Tensor) -> _Point | None:
    """The point after the step, halved until P falls as its slope promises; None where it falls no more."""
    slope = float((at.gradient * step).sum())
    blur = 1e-6 if not at.exact else 1e-14  # what rounding can make of an equal value
    for halvings in range(20):
        new = problem.look(at.weight + step / 2**halvings, exact=at.exact)
        if math.isfinite(new.objective) and new.objective <= at.objective + 1e-4 * slope / 2**halvings + blur:
            return new if new.gap < at.gap or new.objective < at.objective - blur else None
    return None
