"""From a run to everything that can be said of it.

What is quick comes first; the parts that take long come last, and each is left out, and said to be, where it was asked
to be skipped or the time is up.
"""

import math
import time
from collections.abc import Collection
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from byhand import checkpoint, recipe
from byhand.data.dataset import Dataset, Part
from byhand.data.load import load
from byhand.errors import UsageError
from byhand.evaluate import answer
from byhand.evaluate.alarms import find_alarms
from byhand.evaluate.calibration import calibration
from byhand.evaluate.landmarks import find_landmarks, linear_optimum
from byhand.evaluate.learning_curve import learning_curve
from byhand.evaluate.opening import Opened, open_test, predict_probs
from byhand.evaluate.results import (
    Ceiling,
    Chance,
    Curve,
    ErrorParts,
    Evaluation,
    Landmarks,
    baseline_fields,
    ceiling_fields,
)
from byhand.evaluate.run_data import is_usual
from byhand.evaluate.statistics import Proportion, better_than_chance, has_learnt, newcombe, wilson
from byhand.evaluate.wrong_labels import suspected_labels
from byhand.published import IMAGENET
from byhand.resnet import ResNet18

__all__ = ["BUDGET", "PARTS", "evaluate", "summary"]

PARTS: Final = ("ceiling", "wrong-labels", "size-curve")
"""The parts that take long and can be skipped, in the order in which they are made."""

BUDGET: Final = 60.0
"""Seconds after which no further part is begun, unless told otherwise."""

_SAMPLE: Final = 10_000  # training images by which a slow model is judged: as many as MNIST has test images
_NAMES: Final = {"linear": "linear", "mlp": "MLP", "resnet18": "ResNet-18"}


def evaluate(
    run: str | Path, source: str | None = None, budget: float = BUDGET, skip: Collection[str] = ()
) -> Evaluation:
    """Judge a run on the test part of its data.

    Args:
        run: the run's folder.
        source: the data to judge by, where they are not those that the run names.
        budget: seconds after which no further one of ``PARTS`` is begun.
        skip: those of ``PARTS`` to leave out.

    Raises:
        UsageError: there is no such part.
        DataError: as for ``open_test``.
    """
    start = time.monotonic()
    for part in skip:
        if part not in PARTS:
            raise UsageError(f"--skip {part}: choose from {', '.join(PARTS)}")
    opened = open_test(run, source)
    data, settings, probs = opened.data, opened.settings, opened.probs
    hits, n = int(opened.hits.sum()), len(data.test)
    learnt = _some(data.train) if isinstance(opened.model, ResNet18) else data.train
    train = int((predict_probs(opened.model, learnt).argmax(axis=1) == learnt.labels).sum()) if opened.own else None
    confusion = _confusion(data.test.labels, probs.argmax(axis=1), len(data.classes))
    skipped: dict[str, str] = {}

    def wanted(part: str) -> bool:
        if part in skip:
            skipped[part] = "it was skipped, as asked"
        elif time.monotonic() - start > budget:
            skipped[part] = f"the {budget:.0f} seconds were over before it; give more with --budget"
        return part not in skipped

    usual = _as_usual(opened, source)
    landmarks = find_landmarks(usual, ceiling=wanted("ceiling"))
    if landmarks.ceiling is not None:
        skipped.pop("ceiling", None)  # it was known
    elif "ceiling" not in skipped:
        skipped["ceiling"] = landmarks.no_ceiling or ""
    accuracy, linear = wilson(hits, n), settings.model == "linear"
    chance = _chance(confusion, landmarks)
    parts = _parts(accuracy, landmarks.ceiling) if linear and opened.own else None
    suspects = tuple(suspected_labels(probs, data.test, [data.train, data.valid])) if wanted("wrong-labels") else None
    curve = None
    if wanted("size-curve"):
        curve = _size_curve(opened, start + budget, skipped)
    found = Evaluation(
        run=str(run),
        title=_title(opened),
        linear=linear,
        record=opened.record,
        history=checkpoint.read_history(opened.folder),
        images=data.test.images,
        labels=data.test.labels,
        probs=probs,
        landmarks=landmarks,
        accuracy=accuracy,
        train_accuracy=None if train is None else wilson(train, len(learnt)),
        overfitting=None if train is None else newcombe(train, len(learnt), hits, n),
        chance=chance,
        parts=parts,
        confusion=confusion,
        calibration=calibration(probs, data.test.labels),
        weights=_weights(opened),
        suspects=suspects,
        curve=curve,
        skipped=skipped,
        alarms=_alarms(opened, usual, landmarks),
        verdict="",
        advice=(),
        openings=opened.record["test_openings"],
        seconds=time.monotonic() - start,
    )
    found = replace(found, verdict=answer.verdict(found), advice=answer.advice(found))
    checkpoint.change_run(opened.folder, {"evaluation": summary(found)})
    return found


def summary(found: Evaluation) -> dict[str, Any]:
    """The fields that others rely on: those of ``byhand evaluate --json``, less the report's path."""
    return {
        "run": found.run,
        "accuracy": asdict(found.accuracy),
        "chance": asdict(found.chance),
        "baselines": baseline_fields(found.landmarks),
        "ceiling": ceiling_fields(found.landmarks),
        "error_parts": None if found.parts is None else asdict(found.parts),
        "train_accuracy": None if found.train_accuracy is None else asdict(found.train_accuracy),
        "overfitting": None if found.overfitting is None else asdict(found.overfitting),
        "calibration": {
            name: getattr(found.calibration, name)
            for name in ("log_loss", "brier", "ece", "ece_low", "ece_high", "ece_by_chance")
        },
        "suspected_labels": None if found.suspects is None else [asdict(one) for one in found.suspects],
        "size_curve": None if found.curve is None else asdict(found.curve),
        "alarms": found.alarms,
        "skipped": found.skipped,
        "verdict": found.verdict,
        "advice": found.advice,
        "test_openings": found.openings,
        "seconds": found.seconds,
    }


def _as_usual(opened: Opened, source: str | None) -> Dataset:
    """The data as ``load`` splits them when nobody says how: what the landmarks are found with, whoever asks."""
    s = opened.settings
    if is_usual(s):
        return opened.data
    return load(source or opened.record["data"]["source"], size=s.size, grayscale=s.grayscale, sample=True)


def _confusion(labels: NDArray[np.int64], preds: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """How many images of each class (rows) were given each name (columns): (C, C)."""
    return np.bincount(labels * classes + preds, minlength=classes**2).reshape(classes, classes)


def _chance(confusion: NDArray[np.int64], landmarks: Landmarks) -> Chance:
    label, share = landmarks.commonest
    p_value = better_than_chance(int(confusion.trace()), landmarks.n, share)
    return Chance(share, label, p_value, has_learnt(confusion))


def _parts(accuracy: Proportion, ceiling: Ceiling | None) -> ErrorParts | None:
    if ceiling is None:
        return None
    best = ceiling.accuracy.value
    return ErrorParts(best - accuracy.value, ceiling.train_accuracy - best, 1 - ceiling.train_accuracy)


def _alarms(opened: Opened, usual: Dataset, landmarks: Landmarks) -> tuple[str, ...]:
    """Of other data than its own neither the training images nor the ceiling say what the model can have seen."""
    model, data = opened.settings.model or "", opened.data
    if not opened.own:
        return find_alarms(opened.hits, model, replace(data, train=_none_of(data.train)), landmarks, None)
    return find_alarms(opened.hits, model, data, landmarks, linear_optimum(usual))


def _weights(opened: Opened) -> NDArray[np.float32]:
    """The first layer's weights as pictures (K, H, W), or (K, 7, 7) where they look at a part of the image."""
    weight = next(iter(opened.model.parameters())).detach().float().numpy()  # (K, P) or (K, 1, 7, 7)
    shape = weight.shape[2:] if isinstance(opened.model, ResNet18) else opened.data.test.images.shape[1:]
    return weight.reshape(len(weight), *shape)


def _title(opened: Opened) -> str:
    name = _NAMES[opened.settings.model or "linear"]
    return f"{name} {'-'.join(map(str, opened.model.sizes))} on {opened.data.source}"


def _size_curve(opened: Opened, deadline: float, skipped: dict[str, str]) -> Curve | None:
    """The run repeated on fewer images, if the time that it took itself leaves room for that."""
    usual = float(opened.record["seconds"] or 0.0)  # not known: the first repeat will tell
    steps = len(opened.data.train) * (opened.settings.epochs or 0)
    if not opened.own:
        skipped["size-curve"] = "it would repeat the run, which learnt from other data"
        return None
    if not steps:
        skipped["size-curve"] = "the run made no step"
        return None
    if time.monotonic() + 3 * usual > deadline:
        skipped["size-curve"] = (
            f"it repeats the run on fewer images, {usual:.0f} seconds each, and the time would not suffice; give more "
            "with --budget"
        )
        return None

    def again(data: Dataset) -> NDArray[np.bool_]:
        epochs = math.ceil(steps / len(data.train))
        settings = replace(opened.settings, epochs=epochs, lr=float(opened.record["lr"]))
        if settings.weights != IMAGENET:  # it knows none of these images; of another file nobody can say that
            settings = replace(settings, weights=None)
        model = recipe.fit(settings, replace(data, valid=_none_of(data.valid)))  # nothing to be measured on the way
        return predict_probs(model, data.test).argmax(axis=1) == data.test.labels

    curve = learning_curve(opened.data, opened.hits, again, deadline)
    if curve is None:
        skipped["size-curve"] = "too few images or too little time for three smaller runs"
    return curve


def _some(part: Part) -> Part:
    """A random sample of a part, for a model that takes long to answer."""
    rows = np.random.default_rng(0).permutation(len(part))[:_SAMPLE]
    return Part(part.images[rows], part.labels[rows], part.classes, "")


def _none_of(part: Part) -> Part:
    return Part(part.images[:0], part.labels[:0], part.classes, "")
