"""Softmax regression to its optimum, with a certificate that nobody has to take on trust.

The penalized loss of weights W (C, P) on N rows x that count s_i each, the bias being the weight of a column that is
always on, is

    P(W) = (1/Σs) Σ_i s_i · −log softmax(W x_i)[y_i] + (λ/2) ‖W‖².

P is λ-strongly convex, so P(W) − min P ≤ ‖∇P(W)‖² / (2λ) at every W, wherever W came from. (At the dual point
α_i = softmax(W x_i) this is the duality gap itself: Ndiaye et al., NIPS 2015.) The gradient that enters it is computed
in float64.

For pixels the bias is penalized like every weight. For numbers of any scale it is free, as scikit-learn has it, and P
is not strongly convex in it. There the certificate is that of h(W) = min_b P(W, b), which is λ-strongly convex in W: to
minimize a convex function over a part of its variables leaves it convex, and (λ/2) ‖W‖² is not touched. The slope of h
is ∂P/∂W at the best b, since there the change of b with W costs nothing (∂P/∂b = 0). So before a gap is claimed b is
made exact (``softmax_bias``), until float64 can make it no better.

The solver is Newton's method. Each step is found by conjugate gradients, which need only products H V of the Hessian.
They need few of them, because V is seen through a metric near to H itself (``softmax_metric``). W = 0 is centred over
the classes, and ∇P and H keep it so.

Where the processor multiplies bfloat16 fast, the products H V are made in it: pixels 0..255 are exact there, and a step
that is off by rounding is mended by the next. P and its gradient are computed in float32, and in float64, with
products in float32, from where that no longer tells a better point from a worse.

Shapes: N rows, P columns and the one that is always on, C classes.
"""

import math
from dataclasses import dataclass
from typing import Final, final

import torch
from torch import Tensor

from byhand.evaluate.softmax_bias import best_bias
from byhand.evaluate.softmax_metric import Metric, metric
from byhand.evaluate.softmax_rows import PIXEL, Pixels, Rows

__all__ = ["Solution", "rows_of", "solve"]

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
    passes: int  # products with all rows: two for a gradient, two for a product H V, one for a bias made exact
    course: tuple[float, ...]  # nats; P after each of Newton's steps


def rows_of(images: Tensor) -> Tensor:
    """Images (N, ...) of pixels 0..255 as rows (N, P), uint8, with the pixel that is always on as their last."""
    flat = images.flatten(1)
    return torch.cat([flat, torch.full((len(flat), 1), PIXEL, dtype=torch.uint8)], dim=1)


def solve(
    rows: Tensor | Rows,
    labels: Tensor,
    classes: int,
    l2: float,
    gap: float = 1e-6,
    start: Tensor | None = None,
    counts: Tensor | None = None,
) -> Solution:
    """Minimize P until the certificate says that no weights are better by more than ``gap``.

    Args:
        rows: (N, P) uint8, from ``rows_of``, a pixel x standing for x / 255; or ``Numbers``; or ``SparseNumbers``.
        labels: (N,) int64.
        classes: C.
        l2: λ, above 0.
        gap: nats, above 0. One below what float64 can tell ends the search where it gets no further.
        start: (C, P) weights to begin with, such as those for a nearby λ; zero if not given.
        counts: (N,) above 0, how much each row counts; 1 each if not given.

    Raises:
        ValueError: λ or the gap is not above 0, there are no rows, or the bias is free and a class has none.
    """
    if not (l2 > 0 and gap > 0 and len(labels)):
        raise ValueError(f"softmax regression needs rows, l2 and gap above 0, not {len(labels)}, {l2} and {gap}")
    rows = Pixels(rows) if isinstance(rows, Tensor) else rows
    problem = _Problem(rows, labels, classes, l2, counts)
    weight = problem.start()  # (C, P')
    if start is not None:
        weight = rows.inner(start)
        weight -= weight.mean(dim=0)  # nearer to the optimum, which is centred
    at = problem.look(weight)
    seen: Metric | None = None
    needed = most = 0
    course = list[float]()
    for _ in range(_STEPS):
        if at.gap <= gap and not at.exact:
            at = problem.look(at.weight, exact=True)
        if at.gap <= gap:
            break
        if seen is None or needed > _PATIENCE:
            seen = metric(rows, at.probs, problem.penalty, problem.counts, most)
        before = problem.products
        step = _conjugate_gradients(problem, at, seen)
        needed = problem.products - before
        most = max(most, needed)
        new = _downhill(problem, at, step)
        if new is None and at.exact:  # rounding has the last word
            break
        at = new or problem.look(at.weight, exact=True)
        course.append(at.objective)
    if not at.exact:
        at = problem.look(at.weight, exact=True)
    loss = at.objective - problem.penalized(at.weight)
    return Solution(rows.outer(at.weight), loss, at.objective, at.gap, problem.passes, tuple(course))


@final
@dataclass(frozen=True, slots=True)
class _Point:
    """P at some weights."""

    weight: Tensor  # (C, P) float64
    objective: float
    gradient: Tensor  # (C, P) float64
    probs: Tensor  # (C, N) float32
    gap: float
    exact: bool  # computed in float64, with the best bias where it is free


@final
class _Problem:
    """P of one set of rows, and how often they were multiplied."""

    def __init__(self, rows: Rows, labels: Tensor, classes: int, l2: float, counts: Tensor | None) -> None:
        self.rows = rows
        self.penalty = l2 * rows.penalty  # (P,) float64, λ of each column
        self.truth = torch.nn.functional.one_hot(labels, classes).t().contiguous()  # (C, N)
        self._exact_counts = None if counts is None else counts.double()  # (N,)
        self.counts = None if counts is None else counts.float()  # (N,)
        self.total = rows.count if self._exact_counts is None else float(self._exact_counts.sum())  # Σs
        self.all = rows.all_of_them(fast=True)
        self._fast = True
        self.products = self.looks = self.biases = 0

    @property
    def passes(self) -> int:
        """Products with all rows."""
        return 2 * (self.products + self.looks) + self.biases

    def start(self) -> Tensor:
        """Zero (C, P); a free bias at the shares of the classes, its best place there."""
        weight = torch.zeros(len(self.truth), len(self.penalty), dtype=torch.float64)
        if self.rows.free_bias:
            of_class = (
                self.truth.double().sum(dim=1)
                if self._exact_counts is None
                else self.truth.double() @ self._exact_counts
            )
            if not bool((of_class > 0).all()):
                raise ValueError("a class has no rows: a bias that is not penalized has no best value then")
            logs = of_class.log()  # (C,)
            weight[:, -1] = logs - logs.mean()
        return weight

    def penalized(self, weight: Tensor) -> float:
        """(λ/2) ‖W‖²."""
        return float((weight.square() * self.penalty).sum()) / 2

    def look(self, weight: Tensor, exact: bool = False) -> _Point:
        """P and ∇P = (1/Σs) Σ_i s_i (softmax(W x_i) − truth_i) x_iᵀ + λ W, in float32 or, ``exact``, in float64."""
        self.looks += 1
        dtype, counts = (torch.float64, self._exact_counts) if exact else (torch.float32, self.counts)
        if exact and self.rows.free_bias:
            weight = self._with_best_bias(weight)
        loss = 0.0
        gradient = torch.zeros_like(weight, dtype=dtype)  # (C, P)
        probs: list[Tensor] = []
        scaled = (weight * self.rows.scale).to(dtype)
        for at, block in self.rows.blocks(dtype):
            truth = self.truth[:, at]  # (C, n)
            log_p = torch.log_softmax(block.scores(scaled), dim=0)  # (C, n)
            surprise = log_p * truth
            loss -= float((surprise if counts is None else surprise * counts[at]).sum(dtype=torch.float64))
            p = log_p.exp_()
            probs.append(p.float())
            error = p - truth
            gradient += block.pull(error if counts is None else error * counts[at])
        gradient = gradient.double() * (self.rows.scale / self.total) + self.penalty * weight
        held = self.penalty > 0  # (P,)
        gap = float((gradient[:, held].square() / self.penalty[held]).sum()) / 2
        objective = loss / self.total + self.penalized(weight)
        return _Point(weight, objective, gradient, torch.cat(probs, dim=1), gap, exact)

    def _with_best_bias(self, weight: Tensor) -> Tensor:
        self.biases += 1
        scaled = weight * self.rows.scale
        scores = torch.cat([block.scores(scaled) for _, block in self.rows.blocks(torch.float64)], dim=1)  # (C, N)
        weight = weight.clone()
        weight[:, -1] += best_bias(scores, self.truth, self._exact_counts)
        return weight

    def hessian(self, at: _Point, v: Tensor) -> Tensor:
        """H V (C, P): (1/Σs) Σ_i s_i (p_i ∘ (V x_i) − p_i · Σ_c p_ic (V x_i)_c) x_iᵀ + λ V."""
        self.products += 1
        if at.exact and self._fast:  # from now on: no later point is less exact
            self.all, self._fast = self.rows.all_of_them(fast=False), False
        scale = self.rows.scale.float()
        u = self.all.scores(v * scale).float().mul_(at.probs)  # (C, N)
        u.addcmul_(at.probs, u.sum(dim=0, keepdim=True), value=-1)
        if self.counts is not None:
            u *= self.counts
        hv = self.all.pull(u).float()  # (C, P)
        return hv.mul_(scale / self.total).addcmul_(v, self.penalty.float())


def _conjugate_gradients(problem: _Problem, at: _Point, metric: Metric) -> Tensor:
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
    step = d.double()
    return step - step.mean(dim=0)  # rounding took it off the centre, where the metric cannot see it


def _downhill(problem: _Problem, at: _Point, step: Tensor) -> _Point | None:
    """The point after the step, halved until P falls as its slope promises; None where it falls no more."""
    slope = float((at.gradient * step).sum())
    blur = 1e-6 if not at.exact else 1e-14  # what rounding can make of an equal value
    for halvings in range(20):
        new = problem.look(at.weight + step / 2**halvings, exact=at.exact)
        if math.isfinite(new.objective) and new.objective <= at.objective + 1e-4 * slope / 2**halvings + blur:
            return new if new.gap < at.gap or new.objective < at.objective - blur else None
    return None
