"""What each process of tests/test_distributed.py's comparison does: fit in float64, and rank 0 writes what came out."""

import json
import sys
from pathlib import Path

import torch
from torch import nn

from byhand import MLP, DataLoaders, Learner, LinearClassifier, accuracy, cross_entropy
from byhand.data.loader import DataLoader
from byhand.distributed import World, joined, share_work
from byhand.optim import SGD, Adam

ROWS, BATCH, PIXELS, CLASSES = 331, 30, 20, 5  # the last batch of each pass has one row


def fit(world: World, by_hand: bool, hidden: tuple[int, ...], adam: bool) -> dict[str, list[float]]:
    """The losses of 108 steps and of both parts, all weights, and how many rows are right after each epoch."""
    g = torch.Generator().manual_seed(0)
    x = torch.rand(ROWS + 50, PIXELS, generator=g, dtype=torch.float64)  # (N, P)
    y = (x @ torch.randn(PIXELS, CLASSES, generator=g, dtype=torch.float64)).argmax(1)  # (N,)
    train = DataLoader((x[:ROWS], y[:ROWS]), BATCH, shuffle=True, generator=torch.Generator().manual_seed(1))
    dls = DataLoaders(train, DataLoader((x[ROWS:], y[ROWS:]), BATCH))
    model = MLP(PIXELS, hidden, CLASSES, generator=g) if hidden else LinearClassifier(PIXELS, CLASSES, "normal:0.1", g)
    model.to(dtype=torch.float64)
    opt = (lambda params: Adam(params)) if adam else (lambda params: SGD(params, momentum=0.9))
    loss = cross_entropy if by_hand else nn.functional.cross_entropy
    found: list[float] = []

    def note(learn: Learner) -> None:
        if learn.step is not None:
            found.append(learn.loss)

    learn = Learner(dls, model, loss, opt, accuracy, note, quiet=True)
    share_work(learn, world)
    learn.fit(9, 0.01 if adam else 0.1)
    return {
        "losses": found,
        "measured": [row[f"{part}_loss"] or 0.0 for row in learn.history for part in ("train", "valid")],
        "right": [round(ROWS * (row["train_accuracy"] or 0.0), 3) for row in learn.history],
        "weights": [v for p in model.parameters() for v in p.flatten().tolist()],
    }


def main() -> None:
    torch.set_num_threads(1)
    with joined("cpu") as world:
        results = {
            f"{name} {'by hand' if by_hand else 'by autograd'}": fit(world, by_hand, hidden, adam)
            for name, hidden, adam in (("linear", (), False), ("mlp", (12,), False), ("mlp, Adam", (12,), True))
            for by_hand in (True, False)
        }
        world.ends_together = True
        if world.rank == 0:
            Path(sys.argv[1]).write_text(json.dumps(results), encoding="utf-8")


main()
