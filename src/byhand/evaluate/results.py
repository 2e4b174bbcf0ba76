"""What an evaluation finds, as plain records: ``evaluation`` makes them, ``answer`` and ``report`` show them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from byhand.evaluate.calibration import Calibration
from byhand.evaluate.statistics import Difference, Proportion

__all__ = [
    "Baseline",
    "Ceiling",
    "Chance",
    "Curve",
    "CurvePoint",
    "ErrorParts",
    "Evaluation",
    "Landmarks",
    "Suspect",
    "baseline_fields",
    "ceiling_fields",
]


@final
@dataclass(frozen=True, slots=True)
class Baseline:
    """A model that anybody has without training: what the real one must beat."""

    name: str
    accuracy: Proportion


@final
@dataclass(frozen=True, slots=True)
class Chance:
    """Whether the model has learnt anything at all: better than always saying the commonest class."""

    value: float  # the commonest class's share of the test part
    label: str  # that class
    p_value: float  # of at least so many hits by that rate
    better: bool


@final
@dataclass(frozen=True, slots=True)
class Ceiling:
    """The best that one linear layer on these pixels can do: softmax regression at its certified optimum."""

    accuracy: Proportion  # on the test part
    train_accuracy: float  # on the rows that it was fitted to
    loss: float  # nats; mean cross-entropy on those rows, without the penalty
    test_loss: float  # nats
    gap: float  # nats; the penalized loss is at most this far above the best possible
    l2: float  # λ of the penalty λ/2 · ‖W‖², chosen on the validation part
    seconds: float  # that it took to find, when it was found


@final
@dataclass(frozen=True, slots=True)
class Landmarks:
    """What is known of a data set before any model is judged: the ladder that it will stand on."""

    source: str
    n: int  # rows of the test part
    classes: tuple[str, ...]
    counts: tuple[int, ...]  # (C,) rows of each class in the test part
    train_counts: tuple[int, ...]  # (C,) in the rows to learn from
    baselines: tuple[Baseline, ...]  # uniform, majority class, nearest mean image: worst first
    ceiling: Ceiling | None
    no_ceiling: str | None  # why there is none

    @property
    def commonest(self) -> tuple[str, float]:
        """The commonest class of the test part, and its share: what always naming it gets right."""
        most = max(self.counts)
        return self.classes[self.counts.index(most)], most / self.n


@final
@dataclass(frozen=True, slots=True)
class ErrorParts:
    """Where the missing points of a linear model went; the three sum to its test error."""

    optimization: float  # ceiling − yours: training that has not converged
    estimation: float  # train − test accuracy at the optimum: too few images
    model_class: float  # the rest: what one linear layer cannot say


@final
@dataclass(frozen=True, slots=True)
class Suspect:
    """A test image whose label is probably wrong."""

    row: int  # in the test part
    label: int  # as given
    other: int  # as the model and the nearest training images have it
    prob: float  # the model's, for ``other``
    neighbours: int  # how many of the nearest training images are of class ``other``


@final
@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Accuracy on the test part after training on so many images."""

    n: int
    accuracy: Proportion


@final
@dataclass(frozen=True, slots=True)
class Curve:
    """The test error over the number of training images, error = a + b · n^(−c), and what it says of twice as many.

    a, b and c fit all points. ``miss`` says what such a fit is worth: how far off it is at the last point
    if made without it.
    """

    points: tuple[CurvePoint, ...]  # few images first; the last is the run itself
    a: float
    b: float
    c: float
    miss: float  # error at the last point: foretold from the others − measured
    twice: Difference  # the error expected with twice as many images; the interval is a bootstrap's


@final
@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything that is known of a run once the test part has been opened. Images and labels are the test part's."""

    run: str  # the folder
    title: str  # "linear 784-10 on mnist"
    linear: bool
    record: Mapping[str, Any]  # run.json
    history: Sequence[Mapping[str, float | None]]  # a row an epoch
    images: NDArray[np.uint8]  # (N, H, W)
    labels: NDArray[np.int64]  # (N,)
    probs: NDArray[np.float64]  # (N, C)
    landmarks: Landmarks
    accuracy: Proportion
    train_accuracy: Proportion | None  # None where it is judged by other data than it learnt from
    overfitting: Difference | None  # train − test accuracy
    chance: Chance
    parts: ErrorParts | None  # of a linear model on its own data only
    confusion: NDArray[np.int64]  # (C, C), true × predicted
    calibration: Calibration
    weights: NDArray[np.float32] | None  # (K, H, W): a picture a class, a hidden unit, or a channel
    suspects: tuple[Suspect, ...] | None
    curve: Curve | None
    skipped: Mapping[str, str]  # a part that is missing, and why
    alarms: tuple[str, ...]  # sentences: too good, rows in both parts
    verdict: str  # the answer in one paragraph
    advice: tuple[str, ...]  # what to do next, first things first
    openings: int  # how often the test part has been opened for this run
    seconds: float


def baseline_fields(landmarks: Landmarks) -> list[dict[str, Any]]:
    """The baselines as they stand in JSON."""
    return [
        {"name": one.name, "accuracy": one.accuracy.value, "low": one.accuracy.low, "high": one.accuracy.high}
        for one in landmarks.baselines
    ]


def ceiling_fields(landmarks: Landmarks) -> dict[str, Any] | None:
    """The ceiling as it stands in JSON; None where there is none."""
    ceiling = landmarks.ceiling
    if ceiling is None:
        return None
    one = ceiling.accuracy
    return asdict(ceiling) | {"accuracy": one.value, "low": one.low, "high": one.high}
