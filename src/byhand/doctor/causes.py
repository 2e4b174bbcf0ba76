"""Which fault explains which: training that goes wrong looks alike, whatever made it so."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

__all__ = ["SAID", "UNDER"]

_UNDER: Final = {
    # What training that goes wrong looks like, under what makes it so.
    "initial-loss-above-chance": """
        raw-pixel-range scaled-differently loss-summed-not-averaged gradient-wrong gradient-misscaled
    """,
    "learning-rate-too-high": """
        raw-pixel-range gradients-never-zeroed loss-of-wrong-sign fixed-batches clipped-in-vain loss-arguments-swapped
        regression-on-class-numbers loss-summed-not-averaged dead-relus saturated-units gradient-wrong
        gradient-misscaled exploding-gradients
    """,
    "learning-rate-too-low": """
        step-never-taken softmax-before-cross-entropy softmax-over-batch probabilities-into-nll broadcast-loss
        labels-out-of-step all-zero-hidden-weights loss-arguments-swapped nonlinearity-on-logits
        regression-on-class-numbers loss-summed-not-averaged trained-in-eval-mode softmax-as-hidden-unit
        rows-mixed-across-batch dead-relus saturated-units vanishing-gradients detached-loss step-before-backward
        optimizer-of-other-parameters schedule-decays-to-nothing gradient-wrong gradient-misscaled exploding-gradients
        parameter-never-updated
    """,
    "loss-not-finite": """
        raw-pixel-range log-of-softmax epsilon-in-log clipped-in-vain log-of-log-softmax loss-arguments-swapped
        loss-unbounded-below softmax-without-max loss-summed-not-averaged learning-rate-too-high
        initial-loss-above-chance gradient-wrong exploding-gradients
    """,
    "log-of-softmax": "raw-pixel-range softmax-without-max",
    "softmax-without-max": "raw-pixel-range loss-summed-not-averaged",
    "epsilon-in-log": "raw-pixel-range initial-loss-above-chance",
    "parameter-never-updated": """
        step-never-taken all-zero-hidden-weights dead-relus detached-loss optimizer-of-other-parameters
    """,
    # Units and gradients, under what makes them so.
    "dead-relus": """
        raw-pixel-range scaled-differently gradients-never-zeroed loss-of-wrong-sign all-zero-hidden-weights
        initial-loss-above-chance exploding-gradients
    """,
    "saturated-units": """
        raw-pixel-range scaled-differently gradients-never-zeroed loss-of-wrong-sign initial-loss-above-chance
        exploding-gradients
    """,
    "vanishing-gradients": """
        all-zero-hidden-weights raw-pixel-range scaled-differently trained-in-eval-mode softmax-as-hidden-unit
        dead-relus saturated-units initial-loss-above-chance learning-rate-too-high
    """,
    "exploding-gradients": """
        raw-pixel-range scaled-differently gradients-never-zeroed loss-of-wrong-sign initial-loss-above-chance
        loss-summed-not-averaged gradient-wrong gradient-misscaled
    """,
    "stopped-while-learning": """
        step-never-taken raw-pixel-range softmax-before-cross-entropy softmax-over-batch probabilities-into-nll
        broadcast-loss labels-out-of-step initial-loss-above-chance learning-rate-too-low loss-arguments-swapped
        nonlinearity-on-logits regression-on-class-numbers loss-summed-not-averaged trained-in-eval-mode
        partial-eval-mode dropout-never-off stacked-linear-layers softmax-as-hidden-unit rows-mixed-across-batch
        dead-relus saturated-units vanishing-gradients detached-loss step-before-backward
        optimizer-of-other-parameters schedule-decays-to-nothing gradient-wrong gradient-misscaled exploding-gradients
        parameter-never-updated
    """,
    "constant-answer": """
        step-never-taken raw-pixel-range broadcast-loss gradients-never-zeroed loss-of-wrong-sign labels-out-of-step
        class-sorted-batches fixed-batches scaled-differently softmax-over-batch probabilities-into-nll epsilon-in-log
        all-zero-hidden-weights loss-arguments-swapped regression-on-class-numbers nonlinearity-on-logits
        loss-unbounded-below loss-summed-not-averaged softmax-without-max log-of-log-softmax trained-in-eval-mode
        softmax-as-hidden-unit rows-mixed-across-batch dead-relus saturated-units vanishing-gradients loss-not-finite
        log-of-softmax learning-rate-too-high learning-rate-too-low detached-loss step-before-backward
        optimizer-of-other-parameters gradient-wrong exploding-gradients
    """,
    "overfitting": """
        labels-out-of-step scaled-differently loss-of-wrong-sign class-sorted-batches fixed-batches
        evaluated-in-train-mode learning-rate-too-high
    """,
    "gradient-wrong": "loss-of-wrong-sign",
    # The same printed number, wrong for more than one reason.
    "mean-of-batch-means": "broadcast-accuracy argmax-over-batch",
    "last-batch-metric": "broadcast-accuracy argmax-over-batch",
    "sum-of-means-over-count": "broadcast-accuracy argmax-over-batch",
    "evaluation-rows-dropped": "broadcast-accuracy argmax-over-batch",
    "validation-inside-training": "evaluated-on-training-rows",
    "no-held-out-data": "evaluated-on-training-rows validation-inside-training",
}

UNDER: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {check: tuple(causes.split()) for check, causes in _UNDER.items()}
)
"""Each consequence, and the checks that explain it where they are about the same program; the likelier cause first."""

SAID: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({"constant-answer": ("stacked-linear-layers",)})
"""Consequences of what explains them in some programs only: where the finding names the cause in ``under`` itself."""
