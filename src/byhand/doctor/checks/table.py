"""All checks by name, the most important of each kind first."""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.broadcast import broadcast_loss
from byhand.doctor.checks.data import class_sorted_batches, validation_inside_training
from byhand.doctor.checks.evaluate import (
    broadcast_accuracy,
    evaluated_on_training_rows,
    last_batch_metric,
    mean_of_batch_means,
    sum_of_means_over_count,
)
from byhand.doctor.checks.finite import loss_not_finite
from byhand.doctor.checks.flat import dead_relus, saturated_units
from byhand.doctor.checks.gradients import vanishing_gradients
from byhand.doctor.checks.labels import labels_out_of_step
from byhand.doctor.checks.logs import epsilon_in_log, log_of_softmax
from byhand.doctor.checks.loss import probabilities_into_nll, softmax_before_cross_entropy, softmax_over_batch
from byhand.doctor.checks.mixed import rows_mixed_across_batch
from byhand.doctor.checks.mode import evaluated_in_train_mode, partial_eval_mode, trained_in_eval_mode
from byhand.doctor.checks.model import all_zero_hidden_weights, initial_loss_above_chance
from byhand.doctor.checks.optim import gradients_never_zeroed, parameter_never_updated, step_never_taken
from byhand.doctor.checks.predictions import argmax_over_batch, argmin_as_prediction, constant_answer
from byhand.doctor.checks.rate import learning_rate_too_high, learning_rate_too_low, stopped_while_learning
from byhand.doctor.checks.regular import dropout_never_off
from byhand.doctor.checks.scale import raw_pixel_range, scaled_differently
from byhand.doctor.checks.sign import loss_of_wrong_sign
from byhand.doctor.checks.stacked import softmax_as_hidden_unit, stacked_linear_layers
from byhand.doctor.finding import Finding

__all__ = ["CHECKS", "Check"]

Check = Callable[[Evidence], Iterable[Finding]]

CHECKS: Final[Mapping[str, Check]] = MappingProxyType(
    {
        "broadcast-accuracy": broadcast_accuracy,
        "mean-of-batch-means": mean_of_batch_means,
        "sum-of-means-over-count": sum_of_means_over_count,
        "last-batch-metric": last_batch_metric,
        "argmin-as-prediction": argmin_as_prediction,
        "argmax-over-batch": argmax_over_batch,
        "evaluated-on-training-rows": evaluated_on_training_rows,
        "constant-answer": constant_answer,
        "class-sorted-batches": class_sorted_batches,
        "labels-out-of-step": labels_out_of_step,
        "validation-inside-training": validation_inside_training,
        "raw-pixel-range": raw_pixel_range,
        "scaled-differently": scaled_differently,
        "softmax-before-cross-entropy": softmax_before_cross_entropy,
        "probabilities-into-nll": probabilities_into_nll,
        "log-of-softmax": log_of_softmax,
        "epsilon-in-log": epsilon_in_log,
        "softmax-over-batch": softmax_over_batch,
        "broadcast-loss": broadcast_loss,
        "loss-of-wrong-sign": loss_of_wrong_sign,
        "loss-not-finite": loss_not_finite,
        "gradients-never-zeroed": gradients_never_zeroed,
        "step-never-taken": step_never_taken,
        "parameter-never-updated": parameter_never_updated,
        "learning-rate-too-high": learning_rate_too_high,
        "learning-rate-too-low": learning_rate_too_low,
        "stopped-while-learning": stopped_while_learning,
        "initial-loss-above-chance": initial_loss_above_chance,
        "rows-mixed-across-batch": rows_mixed_across_batch,
        "evaluated-in-train-mode": evaluated_in_train_mode,
        "partial-eval-mode": partial_eval_mode,
        "dropout-never-off": dropout_never_off,
        "trained-in-eval-mode": trained_in_eval_mode,
        "all-zero-hidden-weights": all_zero_hidden_weights,
        "vanishing-gradients": vanishing_gradients,
        "dead-relus": dead_relus,
        "saturated-units": saturated_units,
        "stacked-linear-layers": stacked_linear_layers,
        "softmax-as-hidden-unit": softmax_as_hidden_unit,
    }
)
