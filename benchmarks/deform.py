"""How strong should deformations be? An MLP learns from MNIST's training part, as it is and in deformed versions.

784-512-10 with byhand's defaults but for the data: epoch e learns from version e of every picture, so that each picture
is seen as often as without deformations and all programs make the same number of steps. Judged on the validation part
(10 %, another one for each seed); the test part stays closed. Also: microseconds a picture, and how much ink comes to
stand on the border, which a picture can lose. About a minute a run.
"""

import argparse
import math
import sys
import time
from statistics import mean, stdev

import measure
import numpy as np
import torch

import byhand
from byhand.data.deform import STRENGTH, Strength, deform
from byhand.optim import flat_cos
from byhand.recipe import prepare
from byhand.settings import Settings

STRENGTHS: dict[str, Strength | None] = {
    "as it is": None,
    "weak": Strength(elastic=0.0125, turn=math.radians(5), scale=0.05, shear=0.05, shift=0.5 / 28),
    "chosen": STRENGTH,
    "strong": Strength(elastic=0.05, turn=math.radians(15), scale=0.15, shear=0.15, shift=2 / 28),
}


def learn(strength: Strength | None, seed: int, epochs: int) -> tuple[float, float]:
    """Accuracy and mean loss on the validation part of this seed."""
    data = byhand.load(measure.data_folder(), seed=seed)
    recipe = prepare(Settings(hidden=(512,), epochs=epochs, seed=seed).resolved(), data, quiet=True)
    train, epoch = recipe.learn.dls.train, 0

    def after(learn: byhand.Learner) -> None:
        nonlocal epoch
        if strength is not None and learn.step is None:
            epoch += 1
            images = deform(data.train.images, 0, epoch, seed, strength=strength)  # (N, H, W)
            train.x = torch.from_numpy(images.reshape(len(images), -1))  # (N, P)

    recipe.learn.cbs.append(after)
    recipe.learn.fit_schedule(epochs, flat_cos(recipe.lr))
    last = recipe.learn.history[-1]
    return last["valid_accuracy"], last["valid_loss"]


def border(images: np.ndarray) -> tuple[float, float]:
    """The share of all ink in the outermost pixels, and of pictures with a dark one (half of 255) there."""
    ring = np.ones(images.shape[1:], np.bool_)
    ring[1:-1, 1:-1] = False
    return images[:, ring].sum() / images.sum(), (images[:, ring].max(1) >= 128).mean()


def speed(images: np.ndarray, rounds: int) -> str:
    """Microseconds a picture."""
    seconds = []
    for version in range(1, rounds + 2):
        start = time.perf_counter()
        deform(images, 0, version, 42)
        seconds.append(time.perf_counter() - start)
    return measure.spread((1e6 * s / len(images) for s in seconds[1:]), lambda us: f"{us:.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="how many seeds, of split, start, order and versions [5]")
    parser.add_argument("--epochs", type=int, nargs="+", default=[30], help="how long, each a table of its own [30]")
    parser.add_argument("--save", action="store_true", help="keep what is printed in benchmarks/results")
    args = parser.parse_args()
    images = byhand.load(measure.data_folder()).train.images
    lines = [
        "How strong should deformations be? 784-512-10 on MNIST, the validation part.",
        measure.versions("torch", "numpy") + f"; {torch.get_num_threads()} threads",
        "",
        f"deform: {speed(images, 7)} microseconds a picture of {images.shape[1]} × {images.shape[2]}, n = 7",
        "",
        f"{'':12}{'ink on the border':20}{'dark there':12}",
    ]
    for name, strength in STRENGTHS.items():
        ink, dark = border(images if strength is None else deform(images, 0, 1, 42, strength=strength))
        lines.append(f"{name:12}{100 * ink:<20.2f}{100 * dark:<12.1f}% of ink, of pictures")
    for epochs in args.epochs:
        table(lines, epochs, args.seeds)
    measure.report("deform", lines, args.save)


def table(lines: list[str], epochs: int, seeds: int) -> None:
    """The accuracies after so many epochs, and the differences from the first row seed by seed."""
    lines += ["", f"{epochs} epochs", f"{'':12}{'accuracy, mean ± sd':24}{'loss':10}{'gain, seed by seed':30}n"]
    plain: list[float] = []
    for name, strength in STRENGTHS.items():
        found, losses = zip(*(learn(strength, seed, epochs) for seed in range(seeds)), strict=True)
        plain = plain or list(found)
        gains = [100 * (a - b) for a, b in zip(found, plain, strict=True)]
        accuracy = f"{100 * mean(found):.2f} ± {100 * stdev(found):.2f} %"
        gain = f"{mean(gains):+.2f} ({min(gains):+.2f} to {max(gains):+.2f})"
        lines.append(f"{name:12}{accuracy:24}{mean(losses):<10.4f}{gain:30}{seeds}")
        print(lines[-1], file=sys.stderr)


if __name__ == "__main__":
    main()
