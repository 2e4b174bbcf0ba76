"""What is in order where a check finds nothing, in words, and whether the check had anything to look at."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.course import best, course
from byhand.doctor.checks.probes import reference

__all__ = ["FINE", "looked"]


def _trained(evidence: Evidence) -> bool:
    return bool(evidence.trace.trainings)


def _coursed(evidence: Evidence) -> bool:
    index = best(evidence)
    return index is not None and course(evidence, index) is not None


def _went_back(evidence: Evidence) -> bool:
    return bool(evidence.trace.backwards)


def _judged(evidence: Evidence) -> bool:
    return any(one.accuracy is not None for one in evidence.audit.passes)


def _printed(evidence: Evidence) -> bool:
    return any(evidence.audit.lines)


def _held_out(evidence: Evidence) -> bool:
    return _trained(evidence) and any(
        one.accuracy is not None and one.on != "training" for one in evidence.audit.passes
    )


def _moody(evidence: Evidence) -> bool:
    return any(forward.noisy or forward.fixed for forward in evidence.trace.forwards)


def _deep(evidence: Evidence) -> bool:
    """Whether a model has hidden units: two weights that are no bias."""
    wide = [p.training for p in evidence.trace.parameters if p.used and len(p.shape) > 1 and min(p.shape) > 1]
    return any(wide.count(training) > 1 for training in set(wide))


def _matched(evidence: Evidence) -> bool:
    """Whether finite differences were taken, and some gradient is that of a loss."""
    return any(reference(probe) is not None for probe in evidence.trace.probes)


FINE: Final[Mapping[str, tuple[str, Callable[[Evidence], bool]]]] = MappingProxyType(
    {
        "gradients-never-zeroed": ("gradients zeroed", _went_back),
        "labels-out-of-step": ("labels in step with images", _trained),
        "validation-inside-training": ("no row in both parts", _held_out),
        "class-sorted-batches": ("classes mixed in every batch", _trained),
        "broadcast-accuracy": ("each prediction compared with its own label", _judged),
        "evaluated-in-train-mode": ("dropout and batch norm as they should be", _moody),
        "evaluated-on-training-rows": ("judged on rows that it did not learn from", _held_out),
        "raw-pixel-range": ("inputs scaled", _trained),
        "softmax-before-cross-entropy": ("one softmax, not two", _trained),
        "mean-of-batch-means": ("means over rows, not over batches", _printed),
        "learning-rate-too-high": ("steps not too long", _coursed),
        "learning-rate-too-low": ("nor too short", _coursed),
        "initial-loss-above-chance": ("a start near chance", _coursed),
        "parameter-never-updated": ("every parameter updated", _trained),
        "scaled-differently": ("both parts on one scale", _held_out),
        "last-batch-metric": ("numbers that cover all batches", _printed),
        "sum-of-means-over-count": ("sums divided by what they count", _printed),
        "argmax-over-batch": ("the best class of each row", _judged),
        "argmin-as-prediction": ("the best score, not the worst", _judged),
        "constant-answer": ("more than one answer", _judged),
        "stopped-while-learning": ("trained to its end", _coursed),
        "probabilities-into-nll": ("log-probabilities in the loss", _trained),
        "softmax-over-batch": ("softmax over the classes", _trained),
        "broadcast-loss": ("each score with its own target", _trained),
        "loss-of-wrong-sign": ("a loss that falls", _coursed),
        "loss-not-finite": ("a loss that is a number", _coursed),
        "log-of-softmax": ("no log of a softmax that is 0", _trained),
        "epsilon-in-log": ("no ε in the log", _trained),
        "step-never-taken": ("steps taken", _went_back),
        "gradient-wrong": ("gradients that match the loss", _matched),
        "gradient-misscaled": ("gradients of one scale", _matched),
        "bias-never-moves": ("biases that move", _matched),
        "update-not-of-printed-loss": ("the loss that is shown is the one that falls", _matched),
        "all-zero-hidden-weights": ("hidden units that differ", _deep),
    }
)
"""Each check: what its silence says, and what it needs to have seen. Those that a reader asks for first stand first."""


def looked(check: str, evidence: Evidence) -> bool:
    """Whether a run showed what a check looks at; otherwise its silence says nothing."""
    _, needs = FINE.get(check, ("", _trained))
    return needs(evidence)
