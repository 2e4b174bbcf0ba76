"""All checks by name, the most important of each kind first."""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.data.fixed import fixed_batches
from byhand.doctor.checks.data.labels import labels_out_of_step
from byhand.doctor.checks.data.other_scale import scaled_differently
from byhand.doctor.checks.data.parts import class_sorted_batches, validation_inside_training
from byhand.doctor.checks.data.scale import raw_pixel_range
from byhand.doctor.checks.loss.broadcast import broadcast_loss
from byhand.doctor.checks.loss.finite import loss_not_finite
from byhand.doctor.checks.loss.logs import epsilon_in_log, log_of_softmax
from byhand.doctor.checks.loss.overflow import softmax_without_max
from byhand.doctor.checks.loss.probabilities import (
    probabilities_into_nll,
    softmax_before_cross_entropy,
    softmax_over_batch,
)
from byhand.doctor.checks.loss.regression import regression_on_class_numbers
from byhand.doctor.checks.loss.sign import loss_of_wrong_sign
from byhand.doctor.checks.loss.squashed import nonlinearity_on_logits
from byhand.doctor.checks.loss.summed import loss_summed_not_averaged
from byhand.doctor.checks.loss.swapped import loss_arguments_swapped
from byhand.doctor.checks.loss.twice import log_of_log_softmax
from byhand.doctor.checks.loss.unbounded import loss_unbounded_below
from byhand.doctor.checks.metric.dropped import evaluation_rows_dropped
from byhand.doctor.checks.metric.elements import accuracy_over_one_hot
from byhand.doctor.checks.metric.evaluate import (
    broadcast_accuracy,
    evaluated_on_training_rows,
    last_batch_metric,
    mean_of_batch_means,
    sum_of_means_over_count,
)
from byhand.doctor.checks.metric.held_out import no_held_out_data
from byhand.doctor.checks.metric.predictions import argmax_over_batch, argmin_as_prediction, constant_answer
from byhand.doctor.checks.metric.rounded import rounded_before_argmax
from byhand.doctor.checks.metric.selection import test_set_selection
from byhand.doctor.checks.model.biases import scalar_bias
from byhand.doctor.checks.model.exploding import exploding_gradients
from byhand.doctor.checks.model.flat import dead_relus, saturated_units
from byhand.doctor.checks.model.initial import all_zero_hidden_weights, initial_loss_above_chance
from byhand.doctor.checks.model.stacked import softmax_as_hidden_unit, stacked_linear_layers
from byhand.doctor.checks.model.vanishing import vanishing_gradients
from byhand.doctor.checks.modes.mixed import rows_mixed_across_batch
from byhand.doctor.checks.modes.mode import evaluated_in_train_mode, partial_eval_mode, trained_in_eval_mode
from byhand.doctor.checks.modes.regular import dropout_never_off
from byhand.doctor.checks.paper.descended import update_not_of_printed_loss
from byhand.doctor.checks.paper.gradients import gradient_misscaled, gradient_wrong
from byhand.doctor.checks.paper.unmoved import bias_never_moves, parameter_never_moved
from byhand.doctor.checks.program.cells import hidden_notebook_state
from byhand.doctor.checks.program.graphs import graph_kept_by_total
from byhand.doctor.checks.program.options import option_never_used
from byhand.doctor.checks.program.unseeded import unseeded
from byhand.doctor.checks.steps.clipping import clipped_in_vain
from byhand.doctor.checks.steps.detached import detached_loss
from byhand.doctor.checks.steps.optim import gradients_never_zeroed, step_never_taken
from byhand.doctor.checks.steps.order import step_before_backward
from byhand.doctor.checks.steps.overfit import overfitting
from byhand.doctor.checks.steps.owners import optimizer_of_other_parameters
from byhand.doctor.checks.steps.rate import learning_rate_too_high, learning_rate_too_low, stopped_while_learning
from byhand.doctor.checks.steps.schedule import schedule_decays_to_nothing
from byhand.doctor.finding import Finding

__all__ = ["CHECKS", "GAIN", "Check"]

Check = Callable[[Evidence], Iterable[Finding]]

CHECKS: Final[Mapping[str, Check]] = MappingProxyType(
    {
        # The metric.
        "broadcast-accuracy": broadcast_accuracy,
        "accuracy-over-one-hot": accuracy_over_one_hot,
        "mean-of-batch-means": mean_of_batch_means,
        "sum-of-means-over-count": sum_of_means_over_count,
        "last-batch-metric": last_batch_metric,
        "evaluation-rows-dropped": evaluation_rows_dropped,
        "argmin-as-prediction": argmin_as_prediction,
        "argmax-over-batch": argmax_over_batch,
        "rounded-before-argmax": rounded_before_argmax,
        "evaluated-on-training-rows": evaluated_on_training_rows,
        "no-held-out-data": no_held_out_data,
        "test-set-selection": test_set_selection,
        "constant-answer": constant_answer,
        # The data.
        "class-sorted-batches": class_sorted_batches,
        "fixed-batches": fixed_batches,
        "labels-out-of-step": labels_out_of_step,
        "validation-inside-training": validation_inside_training,
        "raw-pixel-range": raw_pixel_range,
        "scaled-differently": scaled_differently,
        # The loss.
        "softmax-before-cross-entropy": softmax_before_cross_entropy,
        "probabilities-into-nll": probabilities_into_nll,
        "loss-arguments-swapped": loss_arguments_swapped,
        "regression-on-class-numbers": regression_on_class_numbers,
        "nonlinearity-on-logits": nonlinearity_on_logits,
        "softmax-over-batch": softmax_over_batch,
        "broadcast-loss": broadcast_loss,
        "loss-of-wrong-sign": loss_of_wrong_sign,
        "loss-unbounded-below": loss_unbounded_below,
        "loss-summed-not-averaged": loss_summed_not_averaged,
        "log-of-log-softmax": log_of_log_softmax,
        "log-of-softmax": log_of_softmax,
        "softmax-without-max": softmax_without_max,
        "epsilon-in-log": epsilon_in_log,
        "loss-not-finite": loss_not_finite,
        # Gradients by hand.
        "gradient-wrong": gradient_wrong,
        "gradient-misscaled": gradient_misscaled,
        "bias-never-moves": bias_never_moves,
        "update-not-of-printed-loss": update_not_of_printed_loss,
        # The steps.
        "gradients-never-zeroed": gradients_never_zeroed,
        "step-never-taken": step_never_taken,
        "detached-loss": detached_loss,
        "step-before-backward": step_before_backward,
        "optimizer-of-other-parameters": optimizer_of_other_parameters,
        "parameter-never-updated": parameter_never_moved,
        "clipped-in-vain": clipped_in_vain,
        "schedule-decays-to-nothing": schedule_decays_to_nothing,
        "learning-rate-too-high": learning_rate_too_high,
        "learning-rate-too-low": learning_rate_too_low,
        "stopped-while-learning": stopped_while_learning,
        "overfitting": overfitting,
        # The model.
        "initial-loss-above-chance": initial_loss_above_chance,
        "all-zero-hidden-weights": all_zero_hidden_weights,
        "exploding-gradients": exploding_gradients,
        "vanishing-gradients": vanishing_gradients,
        "dead-relus": dead_relus,
        "saturated-units": saturated_units,
        "stacked-linear-layers": stacked_linear_layers,
        "softmax-as-hidden-unit": softmax_as_hidden_unit,
        "scalar-bias": scalar_bias,
        # The modes.
        "rows-mixed-across-batch": rows_mixed_across_batch,
        "evaluated-in-train-mode": evaluated_in_train_mode,
        "partial-eval-mode": partial_eval_mode,
        "dropout-never-off": dropout_never_off,
        "trained-in-eval-mode": trained_in_eval_mode,
        # The program.
        "hidden-notebook-state": hidden_notebook_state,
        "option-never-used": option_never_used,
        "graph-kept-by-total": graph_kept_by_total,
        "unseeded": unseeded,
    }
)

GAIN: Final[Mapping[str, float]] = MappingProxyType(
    {
        "learning-rate-too-high": 0.05,
        "learning-rate-too-low": 0.03,
        "stopped-while-learning": 0.03,
        "exploding-gradients": 0.05,
    }
)
"""The gain in accuracy from which on an experiment confirms a check's suspicion, where it is not the usual one."""
