"""On a GPU, how many seconds to 92.5 % with one linear layer, and to 98.5 % with an MLP? byhand beside a plain loop.

Both keep all images on the GPU, draw the same batches of 256, follow the same rate, and look at the 10,000 test images
after each epoch, only to see when to stop the clock; byhand at the training images too, as it always does. byhand's
steps are recorded (``byhand.capture``); the plain loop is the one that tutorials teach, a ``torch.nn`` model under
autograd and ``torch.optim.SGD``. Each way warms up for an epoch of a model that is thrown away. Without a GPU nothing
is measured, and the table says so; ``--device cpu --epochs 1`` runs the same lines anywhere.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import measure
import torch
import torch.nn.functional as F
from torch import nn

import byhand
from byhand.data.loader import loaders
from byhand.optim import Schedule, flat_cos, set_lr

BATCH = 256


@dataclass(frozen=True)
class Race:
    """A model, how it is trained, and the accuracy that stops the clock."""

    name: str
    target: float
    epochs: int
    lr: float
    momentum: float
    ours: Callable[[], byhand.Sequential]
    plain: Callable[[], nn.Module]


def _deep() -> nn.Module:
    def hidden(inputs: int) -> list[nn.Module]:
        return [nn.Linear(inputs, 1024), nn.BatchNorm1d(1024), nn.ReLU(), nn.Dropout(0.5)]

    return nn.Sequential(nn.Dropout(0.2), *hidden(784), *hidden(1024), nn.Linear(1024, 10))


RACES = [
    Race("linear", 0.925, 20, 0.25, 0.0, lambda: byhand.LinearClassifier(784, 10), lambda: nn.Linear(784, 10)),
    Race(
        "784-1024-1024-10, batch norm, dropout",
        0.985,
        30,
        0.1,
        0.9,
        lambda: byhand.MLP(784, [1024, 1024], 10, 0.5, input_dropout=0.2, batch_norm=True),
        _deep,
    ),
]


def by_byhand(race: Race, data: byhand.Dataset, device: torch.device, epochs: int) -> Iterator[float]:
    """Accuracy on the test images after each epoch."""
    dls = loaders(data.train, data.test, BATCH, device=device)
    learn = byhand.Learner(dls, race.ours().to(device), metrics=byhand.accuracy, quiet=True)
    learn.opt_func = lambda params: byhand.SGD(params, momentum=race.momentum)
    learn.fit(0)
    schedule = flat_cos(race.lr)
    for epoch in range(epochs):
        learn.fit_schedule(1, lambda part, epoch=epoch: schedule((epoch + part) / epochs))
        yield learn.history[-1]["valid_accuracy"] or 0.0


def by_plain_loop(race: Race, data: byhand.Dataset, device: torch.device, epochs: int) -> Iterator[float]:
    """Likewise."""
    x, y, vx, vy = (
        torch.as_tensor(array).to(device)
        for part in (data.train, data.test)
        for array in (part.images.reshape(len(part), -1), part.labels)
    )
    x, vx = x.float() / 255, vx.float() / 255  # (N, P), (T, P)
    generator, model = torch.Generator().manual_seed(42), race.plain().to(device)
    opt = torch.optim.SGD(model.parameters(), lr=race.lr, momentum=race.momentum)
    schedule: Schedule = flat_cos(race.lr)
    for epoch in range(epochs):
        model.train()
        order = torch.randperm(len(x), generator=generator).to(device).split(BATCH)
        for step, rows in enumerate(order):
            set_lr(opt, schedule((epoch + step / len(order)) / epochs))
            opt.zero_grad()
            F.cross_entropy(model(x[rows]), y[rows]).backward()
            opt.step()
        model.eval()
        with torch.inference_mode():
            yield (model(vx).argmax(1) == vy).float().mean().item()


WAYS = {"byhand": by_byhand, "a plain loop": by_plain_loop}


def seconds_to(target: float, device: torch.device, accuracies: Iterator[float]) -> tuple[float | None, float, int]:
    """Until the accuracy is there (None: never); in all; and after how many epochs."""
    start, reached, epochs = time.perf_counter(), None, 0
    for accuracy in accuracies:
        epochs += 1
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        if accuracy >= target:
            reached = time.perf_counter() - start
            break
    return reached, time.perf_counter() - start, epochs


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="how often each way runs, from other starts [5]")
    parser.add_argument("--device", default="cuda", help="where [cuda]")
    parser.add_argument("--epochs", type=int, help="so many at most, for a try")
    parser.add_argument("--save", action="store_true", help="keep what is printed in benchmarks/results")
    args = parser.parse_args()
    device = torch.device(args.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        rows = [f"{race.name}, seconds to {race.target:.1%}: not measured (no GPU here)" for race in RACES]
        measure.report("gpu", [measure.versions("torch", "numpy"), "", *rows], args.save)
        return
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else "the processor"
    lines = [measure.versions("torch", "numpy") + f"; on {where}, n = {args.rounds}", ""]
    data = byhand.load(measure.data_folder(), valid=0)
    for race in RACES:
        epochs = args.epochs or race.epochs
        found: dict[str, list[tuple[float | None, float, int]]] = {name: [] for name in WAYS}
        for seed in range(args.rounds + 1):
            for name, way in WAYS.items():
                torch.manual_seed(seed)
                took = seconds_to(race.target, device, way(race, data, device, epochs if seed else 1))
                if seed:
                    found[name].append(took)
        for name, runs in found.items():
            an_epoch = measure.spread((all_ / n for _, all_, n in runs), measure.milliseconds)
            reached = [seconds for seconds, _, _ in runs if seconds is not None]
            told = measure.spread(reached, lambda s: f"{s:.2f} s") if reached else "no time"
            lines.append(
                f"{race.name}, {name}: {race.target:.1%} after {told} ({len(reached)} of {len(runs)}); "
                f"an epoch {an_epoch}"
            )
        ours, plain = found.values()
        slower = measure.ratio([all_ / n for _, all_, n in plain], [all_ / n for _, all_, n in ours])
        lines += [f"{race.name}: the plain loop's epoch takes {slower} times as long", ""]
    measure.report("gpu", lines, args.save)


if __name__ == "__main__":
    main()
