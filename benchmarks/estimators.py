"""byhand's estimators beside scikit-learn's: until the same optimum is as near, and until the same accuracy.

The linear one, MNIST's 60,000 images as float32 from 0 to 1, C = 1: both minimize P, the mean cross-entropy and
‖coef_‖² / (2 C N), the intercept being free. ``LinearClassifier("exact")`` is timed for the whole of ``fit``, to each
gap that it is asked for. ``LogisticRegression`` is watched at each evaluation of P that SciPy asks it for; its time is
that to the first P as near to the minimum, which only we know, who found it beforehand. A P that looks near enough is
judged in float64 while its clock stands. It is given up after ``PATIENCE`` times byhand's time to the last gap.

The MLP, 784-100-10: scikit-learn's ``MLPClassifier`` (Adam, its default; batches of 256; its other defaults) epoch by
epoch, and byhand's, SGD at the rate that it finds, for the epochs that it is told. A time an epoch, and the accuracy on
the 10,000 test images after so many; seconds to the accuracy that scikit-learn's ends with.
"""

import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from unittest import mock

import measure
import numpy as np
import scipy.optimize
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier as TheirMLP

import byhand
from byhand.estimators import LinearClassifier, MLPClassifier

GAPS = (1e-4, 1e-6)  # nats
PATIENCE = 12
ENDLESS = 1_000_000  # iterations
EPOCHS = 15

Array = NDArray[Any]


class Enough(Exception):
    """Everything is reached, or the time is up."""


def exact(x: Array, y: Array) -> dict[float, float]:
    """Seconds of ``fit`` for each gap."""
    taken = {}
    for gap in GAPS:
        start = time.perf_counter()
        model = LinearClassifier("exact", tol=gap).fit(x, y)
        taken[gap] = time.perf_counter() - start if model.gap_ <= gap else float("inf")
    return taken


def objective(x: Array, y: Array, w: Array) -> float:
    """P at weights (C, P + 1), the intercepts last, in float64."""
    logits = torch.as_tensor(x).double() @ torch.as_tensor(w[:, :-1].T) + torch.as_tensor(w[:, -1])  # (N, C)
    loss = torch.nn.functional.cross_entropy(logits, torch.as_tensor(y))
    return float(loss) + float((w[:, :-1] ** 2).sum()) / (2 * len(x))


def watched(x: Array, y: Array, minimum: float, cap: float) -> tuple[dict[float, float], float]:
    """Seconds until LogisticRegression(lbfgs) first holds a P so near to the minimum, and all that it took."""
    minimize, reached, spent = scipy.optimize.minimize, dict[float, float](), 0.0
    start = time.perf_counter()

    def watch(function: Callable[..., tuple[float, Array]], first: Array, **options: object) -> object:
        def evaluate(w: Array, *args: object) -> tuple[float, Array]:
            nonlocal spent, start
            value, gradient = function(w, *args)
            spent = time.perf_counter() - start
            near = [gap for gap in GAPS if gap not in reached and value - minimum <= gap]
            if near:
                true = objective(x, y, w.reshape((10, -1), order="F").astype(np.float64)) - minimum
                reached.update({gap: spent for gap in near if true <= gap})
                start = time.perf_counter() - spent
            if len(reached) == len(GAPS) or spent > cap:
                raise Enough
            return value, gradient

        return minimize(evaluate, first, **options)

    model = LogisticRegression(tol=1e-14, max_iter=ENDLESS)
    with mock.patch.object(scipy.optimize, "minimize", watch), warnings.catch_warnings(), suppress(Enough):
        warnings.simplefilter("ignore")  # that it has not converged
        model.fit(x, y)
    return reached, spent


def linear(x: Array, y: Array, rounds: int) -> list[str]:
    """A row a gap."""
    minimum = LinearClassifier("exact").fit(x, y).loss_curve_[-1]
    mine: list[dict[float, float]] = []
    theirs: list[tuple[dict[float, float], float]] = []
    for _ in range(rounds):
        mine.append(exact(x, y))
        theirs.append(watched(x, y, minimum, PATIENCE * mine[-1][GAPS[-1]]))
    lines = [f"{'P within':12}{'byhand, seconds (min to max)':34}{'LogisticRegression':34}times byhand's"]
    for gap in GAPS:
        missed = sum(gap not in reached for reached, _ in theirs)
        own, other = [one[gap] for one in mine], [reached.get(gap, spent) for reached, spent in theirs]
        over = "over " if missed else ""
        lines.append(
            f"{f'{gap:g} nats':12}{measure.spread(own, seconds):34}{over + measure.spread(other, seconds):34}"
            f"{over}{measure.ratio(other, own)}" + (f"; not reached in {missed} of {rounds}" if missed else "")
        )
    return lines


def mlp(x: Array, y: Array, tx: Array, ty: Array, rounds: int, epochs: int) -> list[str]:
    """Time an epoch and accuracy of both, and seconds to the accuracy that scikit-learn's ends with."""
    rows: dict[str, list[float]] = {name: [] for name in ("mine", "theirs", "my accuracy", "their accuracy", "to it")}
    for seed in range(rounds):
        start = time.perf_counter()
        own = MLPClassifier(random_state=seed, max_iter=epochs).fit(x, y)
        rows["mine"].append((time.perf_counter() - start) / epochs)
        rows["my accuracy"].append(float(own.score(tx, ty)))
        other = TheirMLP(random_state=seed, max_iter=epochs, batch_size=256, n_iter_no_change=epochs)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it has not converged
            start = time.perf_counter()
            other.fit(x, y)
        rows["theirs"].append((time.perf_counter() - start) / epochs)
        rows["their accuracy"].append(float(other.score(tx, ty)))
        rows["to it"].append(shortest(x, y, tx, ty, seed, rows["their accuracy"][-1], epochs))
    whole = [epochs * spent for spent in rows["theirs"]]
    return [
        f"an epoch of {epochs}, byhand with its search for the rate: {measure.spread(rows['mine'], seconds)}; "
        f"scikit-learn {measure.spread(rows['theirs'], seconds)}; "
        f"times byhand's {measure.ratio(rows['theirs'], rows['mine'])}",
        f"test accuracy after them: byhand {measure.spread(rows['my accuracy'], percent)}; scikit-learn "
        f"{measure.spread(rows['their accuracy'], percent)}",
        f"the shortest of byhand's runs that is as accurate: {measure.spread(rows['to it'], seconds)}; "
        f"scikit-learn's run {measure.spread(whole, seconds)}; times byhand's {measure.ratio(whole, rows['to it'])}",
    ]


def shortest(x: Array, y: Array, tx: Array, ty: Array, seed: int, accuracy: float, epochs: int) -> float:
    """Seconds of the shortest run, its length doubled from 4 epochs on, that is at least so accurate; else infinite."""
    length = 4
    while length <= 4 * epochs:
        start = time.perf_counter()
        model = MLPClassifier(random_state=seed, max_iter=length).fit(x, y)
        spent = time.perf_counter() - start
        if model.score(tx, ty) >= accuracy:
            return spent
        length *= 2
    return float("inf")


def seconds(value: float) -> str:
    return f"{value:.2f}"


def percent(value: float) -> str:
    return f"{100 * value:.2f} %"


def main() -> None:
    args = measure.options(__doc__, rounds=3, quick="6,000 images and 3 epochs: whether it runs, not how fast")
    data = byhand.load(measure.data_folder(), valid=0)
    few = 6000 if args.quick else len(data.train)
    x, tx = (part.images.reshape(len(part), -1).astype(np.float32) / 255 for part in (data.train, data.test))
    y, ty = data.train.labels, data.test.labels
    x, y = x[:few], y[:few]
    epochs = 3 if args.quick else EPOCHS
    lines = [
        measure.versions("torch", "numpy", "scipy", "scikit-learn")
        + f"; {torch.get_num_threads()} threads, n = {args.rounds}",
        "",
        f"linear, {len(x):,} images, C = 1",
        *linear(x, y, args.rounds),
        "",
        f"MLP 784-100-10, {len(x):,} images, batches of 256",
        *mlp(x, y, tx, ty, args.rounds, epochs),
    ]
    measure.report("estimators", lines, args.save and not args.quick)


if __name__ == "__main__":
    main()
