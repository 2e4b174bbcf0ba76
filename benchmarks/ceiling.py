"""How long until the linear ceiling is certain? byhand's solver beside scikit-learn's and two more of L-BFGS.

Softmax regression on MNIST's 60,000 images, the bias being the weight of a pixel that is always on. So all minimize the
same P, the mean cross-entropy + λ/2 · ‖W‖². Two times count, each for two sizes of gap:

    proved   until the certificate ‖∇P‖² / (2λ) is at most the gap, so that anybody can see it
    true     until P itself is that near to its minimum, which only we know, who found it beforehand

A rival is watched at each of its evaluations of P and ∇P. Those that look near enough are judged in float64 while its
clock stands. It is handed its matrix of numbers from 0 to 1. byhand starts from bytes, and its proved time is that of
the whole call. A rival is stopped after ``PATIENCE`` times byhand's time to the last proof. All take part in the first
round, in the others the faster of scikit-learn's two precisions, the whitened L-BFGS and byhand.
"""

import time
import warnings
from collections.abc import Callable
from contextlib import suppress
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
from byhand.evaluate import softmax_regression
from byhand.evaluate.ceiling import find_ceiling
from byhand.evaluate.softmax_regression import rows_of, solve

GAPS = (1e-4, 1e-6)  # nats
PATIENCE = 12
ENDLESS = 1_000_000  # iterations
OURS, SINGLE, DOUBLE = "byhand", "scikit-learn, float32", "scikit-learn, float64"
PLAIN, WHITENED = "torch.optim.LBFGS, float32", "the same, whitened by the Gram matrix"


class Enough(Exception):
    """Everything is reached, or the time is up."""


@dataclass
class Problem:
    """What all minimize, and its minimum."""

    rows: Tensor  # (N, P) uint8
    labels: Tensor  # (N,)
    x: Tensor  # (N, P) float64, from 0 to 1
    l2: float
    minimum: float = 0.0

    def value(self, weight: Tensor) -> tuple[float, float]:
        """P and its certificate in float64."""
        weight = weight.double()
        logits = self.x @ weight.t()  # (N, C)
        objective = F.cross_entropy(logits, self.labels) + self.l2 / 2 * weight.square().sum()
        error = logits.softmax(dim=1) - F.one_hot(self.labels, 10)
        gradient = error.t() @ self.x / len(self.x) + self.l2 * weight  # (C, P)
        return float(objective), float(gradient.square().sum()) / (2 * self.l2)


@dataclass(eq=False)
class Watch:
    """When a solver first held weights of each kind, in seconds of its own and in products with all rows."""

    problem: Problem
    cap: float = float("inf")  # s
    reached: dict[tuple[str, float], tuple[float, int]] = field(default_factory=dict)
    passes: int = 0
    least: float = float("inf")  # the smallest certificate yet, by its own gradient
    spent: float = 0.0
    start: float = field(default_factory=time.perf_counter)

    def look(self, weight: Tensor, objective: float, gradient: Tensor) -> None:
        """P and ∇P have been evaluated at these weights (C, P)."""
        self.spent = time.perf_counter() - self.start
        self.passes += 2
        certificate = float(gradient.double().square().sum()) / (2 * self.problem.l2)
        self.least = min(self.least, certificate)
        claims = {"proved": certificate, "true": objective - self.problem.minimum}
        new = [
            (kind, gap) for kind in claims for gap in GAPS if claims[kind] <= gap and (kind, gap) not in self.reached
        ]
        if new:
            objective, certificate = self.problem.value(weight)
            judged = {"proved": certificate, "true": objective - self.problem.minimum}
            self.reached |= {(kind, gap): (self.spent, self.passes) for kind, gap in new if judged[kind] <= gap}
            self.start = time.perf_counter() - self.spent
        if len(self.reached) == 2 * len(GAPS) or self.spent > self.cap:
            raise Enough

    def until_enough(self, run: Callable[[], object]) -> "Watch":
        with suppress(Enough):
            run()
        return self


def ours(problem: Problem) -> Watch:
    """A whole call for each gap. The looks that it takes at P tell when P itself was near enough."""
    used = problem.rows.amax(dim=0) > 0  # the pixels that the solver keeps
    look = softmax_regression._Problem.look

    def watched(solver: softmax_regression._Problem, weight: Tensor, exact: bool = False) -> softmax_regression._Point:
        point = look(solver, weight, exact)
        full = torch.zeros(10, len(used), dtype=torch.float64)
        full[:, used] = weight
        watch.passes = 2 * (solver.products + solver.looks) - 2
        watch.look(full, point.objective, torch.full((1,), torch.inf))  # it is the call that proves
        return point

    with mock.patch.object(softmax_regression._Problem, "look", watched):
        reached: dict[tuple[str, float], tuple[float, int]] = {}
        for gap in GAPS:
            watch = Watch(problem)
            found = solve(problem.rows, problem.labels, 10, problem.l2, gap)
            watch.spent = time.perf_counter() - watch.start
            reached |= {**watch.reached, ("proved", gap): (watch.spent, found.passes)}
    watch.reached, watch.least = reached, found.gap
    return watch


def scikit_learn(problem: Problem, x: np.ndarray, cap: float) -> Watch:
    """LogisticRegression(lbfgs), watched at each evaluation that SciPy asks it for."""
    labels, strength = problem.labels.numpy(), 1 / (problem.l2 * len(x))
    model = LogisticRegression(C=strength, fit_intercept=False, solver="lbfgs", tol=1e-14, max_iter=ENDLESS)
    minimize = scipy.optimize.minimize

    def watched(function: Callable[..., tuple[float, np.ndarray]], start: np.ndarray, **options: object) -> object:
        def evaluate(w: np.ndarray, *args: object) -> tuple[float, np.ndarray]:
            value, gradient = function(w, *args)
            at, slope = (torch.as_tensor(a.reshape((10, -1), order="F").copy()) for a in (w, gradient))
            watch.look(at, float(value), slope)
            return value, gradient

        return minimize(evaluate, start, **options)

    with mock.patch.object(scipy.optimize, "minimize", watched), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it has not converged; how far it is, the certificate says
        watch = Watch(problem, cap)
        return watch.until_enough(lambda: model.fit(x, labels))


def torch_lbfgs(problem: Problem, x: Tensor, cap: float, whitened: bool) -> Watch:
    """L-BFGS with as many vectors as SciPy keeps, in W or in V where W = V L⁻¹ and L Lᵀ = xᵀx / (2N) + λ I."""
    watch = Watch(problem, cap)
    v = torch.zeros(10, x.shape[1], requires_grad=True)  # (C, P)
    opt = torch.optim.LBFGS(
        [v],
        max_iter=ENDLESS,
        max_eval=ENDLESS,
        history_size=10,
        tolerance_grad=0,
        tolerance_change=0,
        line_search_fn="strong_wolfe",
    )
    to_w = None
    if whitened:
        gram = (x.t() @ x).double() / (2 * len(x))
        gram.diagonal().add_(problem.l2)
        lower = torch.linalg.cholesky(gram)
        eye = torch.eye(len(gram), dtype=torch.float64)
        to_w = torch.linalg.solve_triangular(lower, eye, upper=False).float()  # L⁻¹

    def closure() -> Tensor:
        opt.zero_grad()
        w = v if to_w is None else v @ to_w
        w.retain_grad()
        objective = F.cross_entropy(F.linear(x, w), problem.labels) + problem.l2 / 2 * w.square().sum()
        objective.backward()
        watch.look(w.detach(), objective.item(), w.grad)
        return objective

    return watch.until_enough(lambda: opt.step(closure))


def compete(problem: Problem, rounds: int) -> dict[str, list[Watch]]:
    """The watches of each rival, a round after the other."""
    problem.minimum = solve(problem.rows, problem.labels, 10, problem.l2, 1e-10).objective
    double, single = problem.x.numpy(), problem.x.float()
    watches: dict[str, list[Watch]] = {}
    for turn in range(rounds):
        mine = ours(problem)
        cap = PATIENCE * mine.spent
        rivals: dict[str, Callable[[], Watch]] = {
            OURS: lambda mine=mine: mine,
            SINGLE: lambda cap=cap: scikit_learn(problem, single.numpy(), cap),
            DOUBLE: lambda cap=cap: scikit_learn(problem, double, cap),
            PLAIN: lambda cap=cap: torch_lbfgs(problem, single, cap, whitened=False),
            WHITENED: lambda cap=cap: torch_lbfgs(problem, single, cap, whitened=True),
        }
        for name in rivals if turn == 0 else (OURS, faster(watches), WHITENED):
            watches.setdefault(name, []).append(rivals[name]())
    return watches


def faster(watches: dict[str, list[Watch]]) -> str:
    """That of scikit-learn's precisions which came further in the first round, or as far in less time."""

    def rank(name: str) -> tuple[int, float]:
        first = watches[name][0]
        return -len(first.reached), first.spent if len(first.reached) == 2 * len(GAPS) else first.least

    return min(SINGLE, DOUBLE, key=rank)


def table(watches: dict[str, list[Watch]], kind: str, gap: float) -> list[str]:
    """A row a rival: its time, its passes, and how many times its time is byhand's."""
    lines = [f"{f'{kind}, {gap:g} nats':40}{'seconds, median (min to max)':40}{'passes':14}times byhand's"]
    mine = [watch.reached[kind, gap][0] for watch in watches[OURS]]
    for name, all_of in watches.items():
        times = [watch.reached.get((kind, gap), (watch.spent, 0))[0] for watch in all_of]
        missed = [watch for watch in all_of if (kind, gap) not in watch.reached]
        passes = sorted(watch.reached[kind, gap][1] for watch in all_of if watch not in missed)
        more = "over " if missed else ""
        lines.append(
            f"{name:40}{more + measure.spread(times, lambda s: f'{s:.2f}'):40}"
            f"{'-'.join(map(str, sorted({passes[0], passes[-1]}))) if passes else '':14}"
            f"{more + measure.ratio(times, mine[: len(times)]) if name != OURS else ''}"
            + (f"; not reached in {len(missed)} of {len(all_of)}, certificate {missed[-1].least:.1g}" if missed else "")
        )
    return [*lines, ""]


def main() -> None:
    args = measure.options(__doc__, rounds=3)
    folder = measure.data_folder()
    data = byhand.load(folder, valid=0)
    rows, labels = rows_of(torch.as_tensor(data.train.images)), torch.as_tensor(data.train.labels)
    x = rows.double() / 255
    lines = [
        measure.versions("torch", "numpy", "scipy", "scikit-learn") + f"; {torch.get_num_threads()} threads",
        f"A rival is stopped at {PATIENCE} times byhand's time to the last proof. The plain L-BFGS and the slower of "
        "scikit-learn's precisions run in the first round only.",
        "Passes are products of all rows with (C, P) or (P, C); Gram matrices and their like come on top.",
        "",
    ]
    for name, l2, rounds in (("1/N", 1 / len(rows), args.rounds), ("1e-4", 1e-4, 1)):
        watches = compete(Problem(rows, labels, x, l2), rounds)
        lines.append(f"λ = {name}, n = {rounds}; of scikit-learn's two the {faster(watches).split()[-1]} is the faster")
        lines += [line for kind in ("proved", "true") for gap in GAPS for line in table(watches, kind, gap)]
    start = time.perf_counter()
    found = find_ceiling(byhand.load(folder)).ceiling
    lines.append(
        f"the whole path with its choice of λ, find_ceiling: {time.perf_counter() - start:.1f} s with the reading; "
        f"accuracy {100 * found.accuracy.value:.2f} %, λ {found.l2:.2g}, gap {found.gap:.1g}"
    )
    lines.append("bar: scikit-learn's time at a gap of 1e-4 is at least 10 times byhand's")
    measure.report("ceiling", lines, args.save)


if __name__ == "__main__":
    main()
