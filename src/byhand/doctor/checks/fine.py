"""What is in order where a check finds nothing, in words, and whether the check had anything to look at."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.metric.rejudged import series
from byhand.doctor.checks.paper.probes import reference
from byhand.doctor.checks.reading.course import best, course
from byhand.doctor.checks.steps.overfit import ENOUGH

__all__ = ["FINE", "looked"]


def _trained(evidence: Evidence) -> bool:
    return bool(evidence.trace.trainings)


def _coursed(evidence: Evidence) -> bool:
    index = best(evidence)
    return index is not None and course(evidence, index) is not None


def _went_back(evidence: Evidence) -> bool:
    return bool(evidence.trace.backwards)


def _clipped(evidence: Evidence) -> bool:
    return bool(evidence.trace.clips) and _went_back(evidence)


def _optimized(evidence: Evidence) -> bool:
    return any(optimizer.steps for optimizer in evidence.trace.optimizers)


def _scheduled(evidence: Evidence) -> bool:
    return any(len(training.rates) > 1 for training in evidence.trace.trainings)


def _has_options(evidence: Evidence) -> bool:
    return evidence.trace.end.how == "done" and bool(evidence.trace.options)


def _is_notebook(evidence: Evidence) -> bool:
    return evidence.program.notebook and evidence.trace.end.how == "done"


def _drew(evidence: Evidence) -> bool:
    return _trained(evidence) and bool(evidence.trace.drew)


def _judged(evidence: Evidence) -> bool:
    return any(one.accuracy is not None for one in evidence.audit.passes)


def _printed(evidence: Evidence) -> bool:
    return any(evidence.audit.lines)


def _held_out(evidence: Evidence) -> bool:
    return _trained(evidence) and any(
        one.accuracy is not None and one.on != "training" for one in evidence.audit.passes
    )


def _followed(evidence: Evidence) -> bool:
    """Whether the same held-out rows were judged again and again."""
    return any(len(passes) >= ENOUGH for passes in series(evidence))


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
        "schedule-decays-to-nothing": ("a rate that lasts", _scheduled),
        "stopped-while-learning": ("trained to its end", _coursed),
        "probabilities-into-nll": ("log-probabilities in the loss", _trained),
        "softmax-over-batch": ("softmax over the classes", _trained),
        "broadcast-loss": ("each score with its own target", _trained),
        "loss-of-wrong-sign": ("a loss that falls", _coursed),
        "loss-not-finite": ("a loss that is a number", _coursed),
        "loss-arguments-swapped": ("a loss of the scores and then the labels", _trained),
        "regression-on-class-numbers": ("classes that are no quantity", _trained),
        "nonlinearity-on-logits": ("scores free to be any number", _trained),
        "loss-unbounded-below": ("a loss with a least value", _trained),
        "loss-summed-not-averaged": ("a mean over the rows", _went_back),
        "log-of-log-softmax": ("one logarithm, not two", _trained),
        "softmax-without-max": ("no exponential that overflows", _trained),
        "scalar-bias": ("a bias for each class", _trained),
        "log-of-softmax": ("no log of a softmax that is 0", _trained),
        "epsilon-in-log": ("no ε in the log", _trained),
        "step-never-taken": ("steps taken", _went_back),
        "clipped-in-vain": ("gradients clipped between backward pass and step", _clipped),
        "detached-loss": ("a graph from the loss to every parameter", _went_back),
        "step-before-backward": ("each step after its gradient", _went_back),
        "optimizer-of-other-parameters": ("an optimizer of this model's parameters", _optimized),
        "hidden-notebook-state": ("cells that work from the top", _is_notebook),
        "unseeded": ("a seed", _drew),
        "option-never-used": ("every option used", _has_options),
        "graph-kept-by-total": ("no graph kept by a total", _went_back),
        "gradient-wrong": ("gradients that match the loss", _matched),
        "gradient-misscaled": ("gradients of one scale", _matched),
        "bias-never-moves": ("biases that move", _matched),
        "update-not-of-printed-loss": ("the loss that is shown is the one that falls", _matched),
        "all-zero-hidden-weights": ("hidden units that differ", _deep),
        "evaluation-rows-dropped": ("hits divided by the rows that were judged", _printed),
        "accuracy-over-one-hot": ("an accuracy of rows, not of ones and zeros", _judged),
        "rounded-before-argmax": ("scores as they are until the choice", _judged),
        "no-held-out-data": ("rows kept out to judge by", _held_out),
        "test-set-selection": ("nothing chosen by test rows", _held_out),
        "fixed-batches": ("batches that are draws of all rows", _trained),
        "overfitting": ("no training on after the best", _followed),
        "partial-eval-mode": ("all of it in one mode", _moody),
        "dropout-never-off": ("dropout off while it is judged", _moody),
        "trained-in-eval-mode": ("trained in training mode", _moody),
        "rows-mixed-across-batch": ("each row judged by itself", _judged),
        "vanishing-gradients": ("gradients that reach the first layer", _deep),
        "exploding-gradients": ("gradients no longer than they should be", _deep),
        "dead-relus": ("units that are not always 0", _deep),
        "saturated-units": ("units that are not always at an end", _deep),
        "stacked-linear-layers": ("a bend between layers", _deep),
        "softmax-as-hidden-unit": ("no softmax within", _deep),
    }
)
"""Each check: what its silence says, and what it needs to have seen. Those that a reader asks for first stand first."""


def looked(check: str, evidence: Evidence) -> bool:
    """Whether a run showed what a check looks at; otherwise its silence says nothing."""
    _, needs = FINE.get(check, ("", _trained))
    return needs(evidence)
