"""Which fault gives which accuracy, as measured: one linear layer on MNIST, one fault at a time.

``benchmarks/causes.py`` trains such programs at ordinary settings and keeps what they print on 6,000 validation images;
the figures here are its last result, and a test holds them to it. Two faults in one program go lower than either.
"""

from dataclasses import dataclass
from typing import Final, final

__all__ = ["CAUSES", "Cause", "likely"]

_SLACK: Final = 0.01  # other images, batches and seeds than the measured ones
_MOST: Final = 5


@final
@dataclass(frozen=True, slots=True)
class Cause:
    """A fault, and the accuracies that programs with it print, between 0 and 1."""

    fault: str  # its row in the benchmark's table
    check: str | None  # the doctor's check that finds it
    text: str  # what it is, and what to change
    low: float
    median: float
    high: float

    def away(self, accuracy: float) -> float:
        """How far an accuracy lies outside the measured range, one point of slack allowed; 0 inside."""
        return max(0.0, self.low - _SLACK - accuracy, accuracy - self.high - _SLACK)


CAUSES: Final = (
    Cause(
        "nothing",
        None,
        "Nothing but time: rows mixed, weights from zero, an ordinary rate. Train longer, or with a rate "
        "nearer to the one that byhand lr-find gives.",
        0.862,
        0.910,
        0.916,
    ),
    Cause(
        "softmax over the batch",
        "softmax-over-batch",
        "Softmax over the batch, dim=0, where it must be over the classes: write dim=1.",
        0.860,
        0.895,
        0.904,
    ),
    Cause(
        "a tenth of the labels out of step",
        "labels-out-of-step",
        "Some labels stand beside the wrong image: look at a few images with their labels, just before the step.",
        0.861,
        0.895,
        0.905,
    ),
    Cause(
        "softmax before cross_entropy",
        "softmax-before-cross-entropy",
        "Softmax before cross_entropy, which takes it once more: hand it the logits.",
        0.603,
        0.892,
        0.909,
    ),
    Cause(
        "pixels from 0 to 255",
        "raw-pixel-range",
        "Pixels from 0 to 255 act like a rate 65,025 times as large (255²): divide them by 255.",
        0.741,
        0.884,
        0.904,
    ),
    Cause(
        "rate 10 or 100 times the curvature's",
        "learning-rate-too-high",
        "A rate far above what the data's curvature allows, so that the weights jump to and fro: take the one "
        "that byhand lr-find gives.",
        0.770,
        0.883,
        0.911,
    ),
    Cause(
        "gradients never zeroed",
        "gradients-never-zeroed",
        "Gradients that are never zeroed, so that each step repeats all before it: zero them after every step.",
        0.857,
        0.878,
        0.895,
    ),
    Cause(
        "epsilon in the log, weights from N(0, 1), rate 0.1 or 0.5",
        "epsilon-in-log",
        "An epsilon inside the log, which hides the worst mistakes from the gradient, and weights started "
        "with standard deviation 1: use log_softmax, and start at zero.",
        0.797,
        0.867,
        0.898,
    ),
    Cause(
        "weights from N(0, 1), rate 0.1 or 0.5",
        "initial-loss-above-chance",
        "Weights started with standard deviation 1: the model begins sure and wrong, and unlearns it for many "
        "epochs. Start at zero.",
        0.798,
        0.865,
        0.897,
    ),
    Cause(
        "accuracy by [B] == [B, 1], sorted rows",
        "broadcast-accuracy",
        "The comparison of predictions (B,) with labels (B, 1) is (B, B), every one with every other, here on "
        "rows sorted by class: give both the same shape.",
        0.771,
        0.813,
        0.819,
    ),
    Cause(
        "rate 0.0001 or 0.001",
        "learning-rate-too-low",
        "A rate of 0.001 or less, which gets nowhere in a few epochs: take the one that byhand lr-find gives.",
        0.702,
        0.761,
        0.833,
    ),
    Cause(
        "weights from N(0, 1), rate 0.01",
        "initial-loss-above-chance",
        "Weights started with standard deviation 1, and a rate of about 0.01 that cannot undo it in a few "
        "epochs: start at zero, and take the rate that byhand lr-find gives.",
        0.423,
        0.703,
        0.710,
    ),
    Cause(
        "epsilon in the log, weights from N(0, 1), rate 0.01",
        "epsilon-in-log",
        "Weights started with standard deviation 1, an epsilon inside the log that hides the worst mistakes "
        "from the gradient, and a rate of about 0.01: start at zero, use log_softmax, and take the rate that "
        "byhand lr-find gives.",
        0.364,
        0.688,
        0.702,
    ),
    Cause(
        "rows sorted by class",
        "class-sorted-batches",
        "Rows sorted by class and not shuffled, so that each digit is forgotten while the next is learnt: "
        "shuffle them.",
        0.333,
        0.515,
        0.821,
    ),
    Cause(
        "rows sorted by class, weights from N(0, 1)",
        "class-sorted-batches",
        "Rows sorted by class and not shuffled, and weights started with standard deviation 1: shuffle the "
        "rows, and start at zero.",
        0.321,
        0.484,
        0.698,
    ),
    Cause(
        "loss of the wrong sign",
        "loss-of-wrong-sign",
        "A loss of the wrong sign, so that every step makes the right answer less probable: minimize −log p.",
        0.105,
        0.112,
        0.112,
    ),
    Cause(
        "accuracy by [B] == [B, 1], mixed rows",
        "broadcast-accuracy",
        "The comparison of predictions (B,) with labels (B, 1) is (B, B), every one with every other: give "
        "both the same shape.",
        0.103,
        0.103,
        0.103,
    ),
    Cause(
        "weights from N(0, 1), rate 0.0001 or 0.001",
        "learning-rate-too-low",
        "Weights started with standard deviation 1 and hardly moved by a rate of 0.001 or less: start at "
        "zero, and take the rate that byhand lr-find gives.",
        0.075,
        0.096,
        0.226,
    ),
    Cause(
        "never stepped, weights from N(0, 1)",
        "step-never-taken",
        "The weights that are judged were never trained: look whether the step moves these very tensors.",
        0.056,
        0.085,
        0.143,
    ),
    Cause(
        "labels one row out of step",
        "labels-out-of-step",
        "Labels that stand beside the wrong images, one row off or in another order: look at a few images "
        "with their labels, just before the step.",
        0.032,
        0.066,
        0.103,
    ),
    Cause(
        "labels counted from 1, then from 0",
        "labels-out-of-step",
        "Labels counted from 1 where the model learnt and from 0 where it is judged: count them the same way.",
        0.006,
        0.007,
        0.009,
    ),
    Cause(
        "argmin of the probabilities",
        "argmin-as-prediction",
        "The prediction is the argmin of the probabilities, the least likely class: take the argmax.",
        0.000,
        0.000,
        0.001,
    ),
)


def likely(accuracy: float) -> list[Cause]:
    """At most five causes of an accuracy of one linear layer on MNIST, the likeliest first.

    Those whose range holds it come first: the narrower the range and the nearer its median, the earlier. Then come
    those whose range ends nearest to it; ``Cause.away`` tells the two apart.
    """

    def unlikely(cause: Cause) -> tuple[float, float]:
        return cause.away(accuracy), cause.high - cause.low + abs(cause.median - accuracy)

    return sorted(CAUSES, key=unlikely)[:_MOST]
