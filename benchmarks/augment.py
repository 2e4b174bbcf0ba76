"""What does ``--augment`` cost? Images a second that a network learns from, as they are and deformed anew.

Steps alone, over one epoch of MNIST's 54,000 training images, in turn. Deforming alone is the loader without a step:
what the threads that work ahead make by themselves.
"""

from collections.abc import Callable
from typing import Any

import measure
import torch

import byhand
from byhand.data import augment
from byhand.optim import constant
from byhand.progress import Table
from byhand.recipe import prepare
from byhand.settings import Settings

MODELS: dict[str, dict[str, Any]] = {
    "784-10": {},
    "784-512-10": {"hidden": (512,)},
    "the ladder's best": {"hidden": (1024, 1024), "batch_norm": True, "dropout": 0.2, "momentum": 0.9},
}


def steps(data: byhand.Dataset, **given: Any) -> Callable[[], object]:
    """An epoch's steps of such a run."""
    learn = prepare(Settings(lr=0.01, epochs=1, **given).resolved(), data, quiet=True).learn
    return lambda: learn._epoch(learn.optimizer(), 1, constant(0.01), Table([], quiet=True))


def main() -> None:
    args = measure.options(__doc__, rounds=5)
    data = byhand.load(measure.data_folder())
    n = len(data.train)
    rivals: dict[str, Callable[[], object]] = {}
    for name, given in MODELS.items():
        rivals[name] = steps(data, **given)
        rivals[f"{name}, deformed"] = steps(data, **given, augment=True)
    dl = data.loaders(augment=True).train
    rivals["deforming alone"] = lambda: sum(1 for _ in dl)
    seconds = measure.in_turn(rivals, args.rounds)
    lines = [
        measure.versions("torch", "numpy") + f"; {torch.get_num_threads()} threads, {augment._THREADS} that deform",
        f"n = {args.rounds}, median (smallest to largest)",
        "",
        f"{'':34}{'images a second':34}{'times the plain ones':24}",
    ]
    for name, taken in seconds.items():
        slower = measure.ratio(taken, seconds[name.removesuffix(", deformed")]) if name.endswith("deformed") else ""
        lines.append(f"{name:34}{measure.spread((n / s for s in taken), '{:,.0f}'.format):34}{slower}")
    measure.report("augment", lines, args.save)


if __name__ == "__main__":
    main()
