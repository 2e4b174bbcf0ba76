"""How strong should deformations be? An MLP learns from MNIST's training part, as it is and in deformed versions.

784-512-10 with byhand's defaults but for the data: epoch e learns from version e of every picture, so that each picture
is seen as often as without deformations and all programs make the same number of steps. Judged on the validation part
(10 %, another one for each seed); the test part stays closed. Also: microseconds a picture, and how much ink comes to
stand on the border, which a picture can lose. About a minute a run.
"""

import argparse
import itertools
import math
import sys
from statistics import mean, stdev

import measure
import numpy as np
import torch
from scipy.ndimage import gaussian_filter, map_coordinates

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


def as_usually_written(images: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Simard's field alone, a picture at a time with SciPy: the peer."""
    height, width = images.shape[1:]
    y, x = np.mgrid[:height, :width]
    out = np.empty_like(images)
    for row, image in enumerate(images):
        dy, dx = (34 * gaussian_filter(generator.uniform(-1, 1, (height, width)), 4) for _ in "yx")  # (H, W)
        out[row] = map_coordinates(image, [y + dy, x + dx], order=1)
    return out


def speed(images: np.ndarray, rounds: int) -> list[str]:
    """Microseconds a picture, of ours and of the peer, which gets a hundredth of the pictures."""
    few, versions, generator = images[: len(images) // 100], itertools.count(1), np.random.default_rng(42)
    rivals = {
        "deform": lambda: deform(images, 0, next(versions), 42),
        "SciPy, a picture at a time": lambda: as_usually_written(few, generator),
    }
    seconds = measure.in_turn(rivals, rounds)
    return [
        f"{name:30}{measure.spread((1e6 * s / n for s in seconds[name]), '{:.1f}'.format)} microseconds a picture"
        for name, n in zip(rivals, (len(images), len(few)), strict=True)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="how many seeds, of split, start, order and versions [5]")
    parser.add_argument("--epochs", type=int, nargs="+", default=[30], help="how long, each a table of its own [30]")
    parser.add_argument("--save", action="store_true", help="keep what is printed in benchmarks/results")
    args = parser.parse_args()
    images = byhand.load(measure.data_folder()).train.images
    lines = [
        "How strong should deformations be? 784-512-10 on MNIST, the validation part.",
        measure.versions("torch", "numpy", "scipy") + f"; {torch.get_num_threads()} threads",
        "",
        *speed(images, 7),
        f"of {images.shape[1]} × {images.shape[2]}, n = 7; SciPy's makes the field only, neither turns nor scales",
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
