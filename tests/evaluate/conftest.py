"""Evaluations of models that were never trained, in the shape of the real thing; and real, short runs."""

import math
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from byhand import checkpoint, recipe, runs
from byhand.data.load import load
from byhand.evaluate.calibration import calibration
from byhand.evaluate.evaluation import evaluate
from byhand.evaluate.results import (
    Baseline,
    Ceiling,
    Chance,
    Curve,
    CurvePoint,
    ErrorParts,
    Evaluation,
    Landmarks,
    Suspect,
)
from byhand.evaluate.statistics import Difference, Proportion, newcombe, wilson
from byhand.settings import Settings

MakeEvaluation = Callable[..., Evaluation]


def history(epochs: int, valid: bool) -> list[dict[str, float | None]]:
    rows: list[dict[str, float | None]] = []
    for epoch in range(epochs + 1):
        loss = math.log(10) / (epoch + 1)
        rows.append(
            {
                "epoch": epoch,
                "train_loss": loss,
                "valid_loss": loss + 0.05 if valid else None,
                "train_accuracy": 1 - 0.9 / (epoch + 1),
                "valid_accuracy": 1 - 0.95 / (epoch + 1) if valid else None,
                "seconds": 0.1,
            }
        )
    return rows


def build(classes: tuple[str, ...] = tuple("0123456789"), n: int = 600, valid: bool = True) -> Evaluation:
    """A linear model's evaluation with every part, the same for the same arguments."""
    rng = np.random.default_rng(0)
    count = len(classes)
    labels = rng.permutation(np.arange(n) % count)  # (N,)
    logits = rng.normal(size=(n, count)) + 3 * np.eye(count)[labels]  # (N, C)
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    said = probs.argmax(axis=1)  # (N,)
    hits = int((said == labels).sum())
    confusion = np.zeros((count, count), np.int64)
    np.add.at(confusion, (labels, said), 1)
    wrong = np.flatnonzero(said != labels)
    ceiling = Ceiling(wilson(min(n, hits + 12), n), 0.97, 0.21, 0.25, 3e-7, 1.6e-5, 0.4)
    best = ceiling.accuracy.value
    sizes = [50, 100, 200, 400, 800]
    points = tuple(CurvePoint(size, wilson(int(n * (0.9 - 2 / size**0.7)), n)) for size in sizes)
    return Evaluation(
        run="runs/2026-11-22-1",
        title="linear 64-10 on digits",
        linear=True,
        record={
            "status": "finished",
            "settings": {"model": "linear", "hidden": None, "seed": 4242, "reproducible": False, "lr": 0.25},
            "data": {"source": "digits", "train": 1294, "hash": "f00d" * 16, "classes": list(classes), "shape": [8, 8]},
            "lr": 0.872,
            "seconds": 1.3,
            "versions": {"byhand": "0.1.0", "torch": "2.13.0"},
            "threads": 1,
        },
        history=history(5, valid),
        images=rng.integers(0, 256, (n, 8, 8), dtype=np.uint8),
        labels=labels,
        probs=probs,
        landmarks=Landmarks(
            source="digits",
            n=n,
            classes=classes,
            counts=tuple(np.bincount(labels, minlength=count).tolist()),
            train_counts=tuple(np.bincount(labels, minlength=count).tolist()),
            baselines=(
                Baseline("uniform guess", Proportion(1 / count, 1 / count, 1 / count, n)),
                Baseline("majority class", wilson(n // count, n)),
                Baseline("nearest mean image", wilson(hits // 2, n)),
            ),
            ceiling=ceiling,
            no_ceiling=None,
        ),
        accuracy=wilson(hits, n),
        train_accuracy=wilson(1200, 1294),
        overfitting=newcombe(1200, 1294, hits, n),
        chance=Chance(1 / count, classes[0], 1e-200, True),
        parts=ErrorParts(best - hits / n, 0.97 - best, 0.03),
        confusion=confusion,
        calibration=calibration(probs, labels),
        weights=rng.normal(size=(count, 8, 8)).astype(np.float32),
        suspects=tuple(Suspect(int(row), int(labels[row]), int(said[row]), 0.98, 7) for row in wrong[:3]),
        curve=Curve(points, 0.1, 2.0, 0.7, -0.004, Difference(0.11, 0.09, 0.13)),
        skipped={},
        alarms=("Too good to be true.",),
        verdict="84.2 % (81.1 to 86.9 on 600). Nothing is wrong with it.",
        advice=("Train longer.", "Add a hidden layer."),
        openings=1,
        seconds=3.2,
    )


@pytest.fixture(scope="session")
def make_evaluation() -> MakeEvaluation:
    """A function that makes an evaluation: of given classes, with or without a validation part."""
    return build


@pytest.fixture(scope="session")
def full() -> Evaluation:
    """An evaluation with every part that there is."""
    return build()


@pytest.fixture(scope="session")
def minimal(full: Evaluation) -> Evaluation:
    """The same model, but not linear and with every optional part left out."""
    reasons = {
        "weights": "the first layer is no picture",
        "wrong-labels": "the time was up.",
        "size-curve": "it would have taken 40 s",
    }
    return replace(
        full,
        linear=False,
        history=[],
        landmarks=replace(full.landmarks, ceiling=None, no_ceiling="it was left out", baselines=()),
        parts=None,
        weights=None,
        suspects=None,
        curve=None,
        skipped=reasons,
        alarms=(),
        advice=(),
    )


@contextmanager
def one_thread() -> Iterator[None]:
    """The work is small, and the bits of a sum depend on how many threads share it."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """One thread and a home of its own, for what is made before a test's own home."""
    with one_thread(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("BYHAND_HOME", str(home))
        yield


@pytest.fixture(scope="module", autouse=True)  # before what a module makes for all its tests
def on_one_thread() -> Iterator[None]:
    with one_thread():
        yield


def train(folder: Path, source: str = "digits", **given: object) -> Path:
    """A run of a few epochs at a fixed rate, in a new folder."""
    settings = Settings(**{"epochs": 30, "lr": 1.0} | given).resolved()
    plan = recipe.prepare(settings, load(source, settings.valid, settings.seed), quiet=True)
    runs.train(plan, checkpoint.new_run(folder))
    return folder


@pytest.fixture(scope="session")
def train_run() -> Callable[..., Path]:
    """A function that trains: folder, source, settings."""
    return train


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Runs on digits, not to be written to: one linear layer, the same with another seed, a network."""
    place = tmp_path_factory.mktemp("trained")
    with alone(place / "home"):
        return {
            "linear": train(place / "linear"),
            "seed": train(place / "seed", seed=7),
            "mlp": train(place / "mlp", hidden=(16,), lr=0.3),
        }


@pytest.fixture(scope="session")
def evaluated(trained: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Evaluation]:
    """The linear run and the network, each with every part."""
    place = tmp_path_factory.mktemp("evaluated")
    with alone(place / "home"):
        return {kind: evaluate(shutil.copytree(trained[kind], place / kind)) for kind in ("linear", "mlp")}
