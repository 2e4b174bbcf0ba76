"""What each section of the report shows: words, numbers and pictures, taken out of an evaluation."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import numpy as np

from byhand.evaluate.calibration import Calibration
from byhand.evaluate.confusion import Pair, class_rows, confused_pairs
from byhand.evaluate.pictures import confusion_picture, image, weight_picture
from byhand.evaluate.results import ErrorParts, Evaluation
from byhand.evaluate.statistics import Difference, Proportion

__all__ = [
    "calibration_words",
    "confused_images",
    "confusion_shades",
    "error_parts",
    "interval_floor",
    "made_of",
    "overfitting_words",
    "rungs",
    "weight_pictures",
    "worst_mistakes",
]

_MISTAKES: Final = 24
_PAIRS: Final = 10
_EXAMPLES: Final = 6  # images a pair
_WEIGHTS: Final = 64
_CELLS: Final = 30  # classes; more have a picture of the confusion matrix and no numbers


def rungs(e: Evaluation) -> list[tuple[str, str, Proportion]]:
    """Kind (a CSS class), name and accuracy of each rung, worst first."""
    rungs = [("baseline", baseline.name, baseline.accuracy) for baseline in e.landmarks.baselines]
    rungs.append(("model", "this model", e.accuracy))
    if e.landmarks.ceiling:
        rungs.append(("ceiling", "linear ceiling", e.landmarks.ceiling.accuracy))
    return sorted(rungs, key=lambda rung: rung[2].value)


def error_parts(parts: ErrorParts | None) -> list[tuple[str, float, float]]:
    """Name, size and share of the bar of each part. A negative part, a gain, has no place in the bar."""
    if parts is None:
        return []
    sizes = {"optimization": parts.optimization, "estimation": parts.estimation, "model class": parts.model_class}
    whole = sum(max(0.0, size) for size in sizes.values()) or 1.0
    return [(name, size, max(0.0, size) / whole) for name, size in sizes.items()]


def overfitting_words(gap: Difference) -> str:
    """What the training accuracy minus the test accuracy says, in a sentence."""
    if gap.high < 0:
        return (
            "It is better on the test part than on the images it learnt from, which is unusual: look for a leak, "
            "or for a test part that is easier."
        )
    if gap.low <= 0:
        return "No overfitting can be seen: the interval holds 0."
    if gap.value < 0.01:
        return "It overfits a little."
    if gap.value < 0.05:
        return "It overfits: some of what it learnt holds for the training images only."
    return "It overfits strongly: much of what it learnt holds for the training images only."


def interval_floor(e: Evaluation) -> float:
    """Where the scale of the per-class intervals begins: at a round number below all of them."""
    lows = [row.accuracy.low for row in class_rows(e.confusion) if row.accuracy]
    return math.floor(10 * min(lows, default=0.0)) / 10


def confusion_shades(e: Evaluation) -> dict[str, Any]:
    """How dark each cell is, from 0 to 1: hits by their share of the class, errors beside the largest of their kind."""
    counts = e.confusion.astype(np.float64)  # (C, C)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    errors = share - np.diag(share.diagonal())
    shade = errors / (errors.max() or 1) + np.diag(share.diagonal())
    picture = confusion_picture(shade, shade) if len(counts) > _CELLS else None
    return {"shade": shade, "confusion_picture": picture}


def confused_images(e: Evaluation) -> list[tuple[Pair, list[str]]]:
    """The pairs that are mixed up most, with images of each, those first of which the model was surest."""
    said = e.probs.argmax(axis=1)  # (N,)
    pairs: list[tuple[Pair, list[str]]] = []
    for pair in confused_pairs(e.confusion, _PAIRS):
        rows = np.flatnonzero((e.labels == pair.label) & (said == pair.other))
        surest = rows[np.argsort(-e.probs[rows, pair.other], kind="stable")][:_EXAMPLES]
        pairs.append((pair, [image(e.images[row]) for row in surest]))
    return pairs


def worst_mistakes(e: Evaluation) -> list[dict[str, Any]]:
    """The images whose label the model gave the least probability, among those that it got wrong."""
    said = e.probs.argmax(axis=1)  # (N,)
    right = e.probs[np.arange(len(e.labels)), e.labels]  # (N,)
    wrong = np.flatnonzero(said != e.labels)
    worst = wrong[np.argsort(right[wrong], kind="stable")][:_MISTAKES]
    return [
        {
            "row": int(row),
            "image": image(e.images[row]),
            "label": int(e.labels[row]),
            "label_prob": float(right[row]),
            "said": int(said[row]),
            "said_prob": float(e.probs[row, said[row]]),
        }
        for row in worst
    ]


def calibration_words(c: Calibration) -> str:
    """Whether the probabilities can be believed, and if not, which way they are wrong, in a sentence."""
    n = sum(one.count for one in c.bins) or 1
    sure = sum(one.count * (one.confidence - one.accuracy.value) for one in c.bins) / n
    if c.ece_low <= 0:
        return "Nothing here that chance alone would not show: the probabilities can be taken at their word."
    if abs(sure) < c.ece / 2:
        return "The model is too sure in places, and not sure enough in others."
    return (
        f"On average the model is {'surer' if sure > 0 else 'less sure'} than right, by {100 * abs(sure):.1f} points."
    )


def weight_pictures(e: Evaluation, classes: Sequence[str]) -> dict[str, Any]:
    """Name and picture of each class's weights, or of the hidden units with the largest ones, on one scale.

    The scale leaves out the largest 0.5 %: a few pixels would make all others pale.
    """
    if e.weights is None:
        return {"weights": [], "scale": 0.0}
    weights = np.nan_to_num(e.weights)  # (K, H, W)
    size = np.square(weights).sum(axis=(1, 2))  # (K,)
    shown = np.arange(len(weights)) if e.linear else np.sort(np.argsort(-size, kind="stable")[:_WEIGHTS])
    rows = [int(i) for i in shown]
    scale = float(np.quantile(np.abs(weights[shown]), 0.995))
    names = classes if e.linear else [f"unit {i + 1}" for i in range(len(weights))]
    return {"weights": [(names[i], weight_picture(weights[i], scale)) for i in rows], "scale": scale}


def made_of(e: Evaluation) -> list[tuple[str, list[tuple[str, str]]]]:
    """The run's record as tables: a title, and names with values."""
    data = {name: value for name, value in _mapping(e.record.get("data")).items() if name not in ("classes", "ink_box")}
    plain = {"run": e.run} | {name: value for name, value in e.record.items() if _is_plain(value)}
    tables = {
        "Run": plain | {"seconds to evaluate": e.seconds},
        "Settings": _mapping(e.record.get("settings")),
        "Data": data,
        "Versions": _mapping(e.record.get("versions")),
    }
    return [
        (title, [(name, _value(name, value)) for name, value in rows.items()]) for title, rows in tables.items() if rows
    ]


def _mapping(value: object) -> dict[str, Any]:
    return dict(cast("Mapping[str, Any]", value)) if isinstance(value, Mapping) else {}


def _is_plain(value: object) -> bool:
    return value is None or isinstance(value, str | int | float)


def _value(name: str, value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return str(value) if name == "seed" else f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(_value(name, item) for item in cast("list[object]", value))
    return str(value)
