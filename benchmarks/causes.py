"""Which fault gives which accuracy? One linear layer on MNIST, trained as a beginner writes it, one fault at a time.

Each row is what such programs PRINT on the 6,000 validation images, over ordinary settings: rates 0.01, 0.1 and 0.5
where the fault does not fix them, two seeds (of start and order), and batches of 256 for 5 and for 20 epochs or of 64
for 5. The test part stays closed. ``byhand.evaluate.causes`` keeps these ranges. About two minutes on one core.
"""

import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import measure
import torch
from torch import Tensor

import byhand
from byhand.lr_find.curvature import curvature

RATES = (0.01, 0.1, 0.5)
SMALL = (0.0001, 0.001)
SEEDS = (0, 1)
PRINTS = {256: (5, 20), 64: (5,)}  # after how many epochs a program with such batches prints and ends
EPSILON = 1e-8  # inside the log, as people write it
ROWS = 256  # of a batch of the evaluation


# What a program minimizes, for K programs side by side: logits (K, C, B) and labels (B,) to a loss each (K,).


def pick(values: Tensor, y: Tensor) -> Tensor:
    """The mean over the batch of the value at the label."""
    return values.gather(1, y.expand(len(values), 1, -1)).mean(dim=(1, 2))


def cross_entropy(z: Tensor, y: Tensor) -> Tensor:
    return -pick(z.log_softmax(dim=1), y)


def of_wrong_sign(z: Tensor, y: Tensor) -> Tensor:
    return pick(z.log_softmax(dim=1), y)


def after_softmax(z: Tensor, y: Tensor) -> Tensor:
    return cross_entropy(z.softmax(dim=1), y)


def over_the_batch(z: Tensor, y: Tensor) -> Tensor:
    return -pick(z.log_softmax(dim=2), y)


def with_epsilon(z: Tensor, y: Tensor) -> Tensor:
    return -pick((z.softmax(dim=1) + EPSILON).log(), y)


# What a program prints: logits (N, C) and labels (N,) to an accuracy.


def right(z: Tensor, y: Tensor) -> float:
    return (z.argmax(1) == y).float().mean().item()


def by_argmin(z: Tensor, y: Tensor) -> float:
    return right(-z, y)


def by_broadcasting(z: Tensor, y: Tensor) -> float:
    pairs = zip(z.argmax(1).split(ROWS), y.unsqueeze(1).split(ROWS), strict=True)
    return torch.stack([(preds == yb).float().mean() for preds, yb in pairs]).mean().item()


def by_broadcasting_sorted(z: Tensor, y: Tensor) -> float:
    order = y.argsort(stable=True)
    return by_broadcasting(z[order], y[order])


def by_softmax_over_the_batch(z: Tensor, y: Tensor) -> float:
    return right(torch.cat([zb.softmax(dim=0) for zb in z.split(ROWS)]), y)


def counted_from_one(z: Tensor, y: Tensor) -> float:
    return right(z, (y + 1) % z.shape[1])


@dataclass(frozen=True)
class Group:
    """Programs that differ in their fault's name, their rate and their start's standard deviation only."""

    programs: list[tuple[str, float, float]]
    loss: Callable[[Tensor, Tensor], Tensor] = cross_entropy
    measures: Callable[[Tensor, Tensor], float] = right
    is_sorted: bool = False
    pixels: float = 1.0  # the largest
    wrong_labels: float = 0.0  # the share of rows that have the label of another such row
    zeroes: bool = True


def group(name: str, **how: object) -> Group:
    """One fault at the ordinary rates, started at zero."""
    return Group([(name, rate, 0.0) for rate in RATES], **how)


def groups(best: float) -> list[Group]:
    """All that is trained; ``best`` is the rate that the curvature gives."""
    plain = [
        *(("nothing", rate, 0.0) for rate in RATES),
        *(("weights from N(0, 1), rate 0.1 or 0.5", rate, 1.0) for rate in RATES[1:]),
        ("weights from N(0, 1), rate 0.01", RATES[0], 1.0),
        *(("weights from N(0, 1), rate 0.0001 or 0.001", rate, 1.0) for rate in SMALL),
        *(("rate 0.0001 or 0.001", rate, 0.0) for rate in SMALL),
        *(("rate 10 or 100 times the curvature's", best * times, 0.0) for times in (10, 100)),
    ]
    capped = [
        *(("epsilon in the log, weights from N(0, 1), rate 0.1 or 0.5", rate, 1.0) for rate in RATES[1:]),
        ("epsilon in the log, weights from N(0, 1), rate 0.01", RATES[0], 1.0),
    ]
    in_order = [
        *(("rows sorted by class", rate, 0.0) for rate in RATES),
        *(("rows sorted by class, weights from N(0, 1)", rate, 1.0) for rate in RATES),
    ]
    return [
        Group(plain),
        Group(in_order, is_sorted=True),
        Group(capped, loss=with_epsilon),
        group("softmax over the batch", loss=over_the_batch, measures=by_softmax_over_the_batch),
        group("softmax before cross_entropy", loss=after_softmax),
        group("gradients never zeroed", zeroes=False),
        group("pixels from 0 to 255", pixels=255.0),
        group("labels one row out of step", wrong_labels=1.0),
        group("a tenth of the labels out of step", wrong_labels=0.1),
        group("loss of the wrong sign", loss=of_wrong_sign),
    ]


MEASURED_WRONGLY = {  # of the sound programs' weights
    "accuracy by [B] == [B, 1], mixed rows": by_broadcasting,
    "accuracy by [B] == [B, 1], sorted rows": by_broadcasting_sorted,
    "argmin of the probabilities": by_argmin,
    "labels counted from 1, then from 0": counted_from_one,
}
UNTRAINED = "never stepped, weights from N(0, 1)"


def train(x: Tensor, y: Tensor, of: Group, batch: int, seed: int) -> Iterator[Tensor]:
    """Weights (K, C, P) and biases joined to them, (K, C, P + 1), whenever the programs print."""
    generator = torch.Generator().manual_seed(seed)
    rates, stds = torch.tensor([program[1:] for program in of.programs]).t()  # (K,), (K,)
    k, c, p = len(rates), 10, x.shape[1]
    w = (torch.randn(1, c, p + 1, generator=generator) * stds.view(k, 1, 1)).view(k * c, p + 1).requires_grad_()
    rates = rates.repeat_interleave(c).unsqueeze(1)  # (K · C, 1)
    moved = torch.rand(len(y), generator=generator) < of.wrong_labels
    y = y.clone()
    y[moved] = y[moved].roll(1)
    order = y.argsort(stable=True)
    for epoch in range(1, max(PRINTS[batch]) + 1):
        if not of.is_sorted:
            order = torch.randperm(len(y), generator=generator)
        for rows in order.split(batch):
            z = torch.addmm(w[:, -1:], w[:, :-1], x[rows].mul_(of.pixels).t())  # (K · C, B)
            of.loss(z.view(k, c, -1), y[rows]).sum().backward()
            with torch.no_grad():
                w -= rates * w.grad
            if of.zeroes:
                w.grad = None
        if epoch in PRINTS[batch]:
            yield w.detach().view(k, c, p + 1)


def logits(x: Tensor, w: Tensor) -> Tensor:
    return torch.addmm(w[:, -1], x, w[:, :-1].t())  # (N, C)


def main() -> None:
    args = measure.options(__doc__, rounds=0)
    torch.set_num_threads(1)
    data = byhand.load(measure.data_folder())
    x, valid_x = (torch.from_numpy(part.images).flatten(1) / 255 for part in (data.train, data.valid))  # (N, P)
    y, valid_y = (torch.from_numpy(part.labels) for part in (data.train, data.valid))  # (N,)
    order = torch.randperm(len(valid_y), generator=torch.Generator().manual_seed(0))
    valid_x, valid_y = valid_x[order], valid_y[order]
    printed: dict[str, list[float]] = {}
    for seed in range(10):
        w = torch.randn(10, x.shape[1] + 1, generator=torch.Generator().manual_seed(seed))
        printed.setdefault(UNTRAINED, []).append(right(logits(valid_x, w), valid_y))
    for of in groups(10 / curvature(x, 256)):
        for batch, seed in ((batch, seed) for batch in PRINTS for seed in SEEDS):
            for weights in train(x, y, of, batch, seed):
                for (name, _, _), w in zip(of.programs, weights, strict=True):
                    z = logits(valid_x * of.pixels, w)
                    printed.setdefault(name, []).append(of.measures(z, valid_y))
                    for fault, measures in MEASURED_WRONGLY.items() if name == "nothing" else ():
                        printed.setdefault(fault, []).append(measures(z, valid_y))
        print(*dict.fromkeys(name for name, _, _ in of.programs), sep=", ", file=sys.stderr)
    percent = "{:8.1f}{:8.1f}{:8.1f}{:5d}".format
    lines = [
        measure.versions("torch", "numpy") + "; 1 thread",
        "accuracy that is printed on the 6,000 validation images of MNIST, in %",
        "",
        f"{'fault':60}{'lowest':>8}{'median':>8}{'highest':>8}{'n':>5}",
    ]
    for fault, values in sorted(printed.items(), key=lambda row: -statistics.median(row[1])):
        found = [100 * measured(values) for measured in (min, statistics.median, max)]
        lines.append(f"{fault:60}" + percent(*found, len(values)))
    measure.report("causes", lines, args.save)


if __name__ == "__main__":
    main()
