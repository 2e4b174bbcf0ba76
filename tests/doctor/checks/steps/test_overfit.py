"""Held-out rows whose loss rises while the training rows are learnt by heart, and courses that look like it."""

import numpy as np
import pytest

from byhand.doctor.checks.steps.overfit import overfitting

RISING = [1.0, 0.6, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.8]


def scores_of(labels, right, loss, seed=0):
    """Logits (N, 10) of which the first ``right`` rows are right and sure, the others as sure as the mean loss asks."""
    n = len(labels)
    good = np.arange(n) < right
    scores = np.random.default_rng(seed).normal(0, 0.1, (n, 10))
    wrong = max(0.5, loss * n / max(1, n - right))
    scores[np.arange(n), np.where(good, labels, (labels + 1) % 10)] += np.where(good, 7.0, wrong)
    return scores


@pytest.fixture
def course(make_run, scored):
    """``course(losses, right, learnt)``: 400 held-out rows after each epoch, and 400 training rows at the end."""

    def make(losses, right, learnt=400, held=400):
        run = make_run()
        labels, _ = scored(held, held)
        own, _ = scored(400, 400, seed=5)
        for loss, count in zip(losses, right, strict=True):
            run.train(range(1000, 1400), own)
            run.evaluate(range(held), labels, scores_of(labels, count, loss))
        if learnt is not None:
            run.evaluate(range(1000, 1400), own, scores_of(own, learnt, 0.01))
        return run.evidence()

    return make


def told(evidence):
    return list(overfitting(evidence))


FALLING = [330, 345, 370, 368, 366, 364, 360, 358, 356, 350]


def test_a_loss_that_rises_and_answers_that_are_lost(course):
    (finding,) = told(course(RISING, FALLING))
    assert finding.level == "warning"
    assert "the loss of the 400 held-out rows is least" in finding.saw
    assert "1.000 of the training rows are right and 0.875 of these" in finding.saw
    assert "to 0.875" in finding.so


def test_a_small_gap_is_normal(course):
    assert not told(course(RISING, FALLING, learnt=360))


def test_a_loss_that_falls_to_the_end(course):
    assert not told(course([1.6, 1.5, 1.4, 1.3, 1.2, 1.1, 1.0, 0.9, 0.85, 0.8], [320] * 10))


def test_a_loss_that_leaps_up_and_down(course):
    assert not told(course([1.0, 0.6, 0.4, 0.9, 0.5, 0.95, 0.6, 0.9, 0.5, 0.8], FALLING))


def test_few_rows_and_few_evaluations_tell_nothing(course):
    assert not told(course(RISING, [int(r * 0.2) for r in FALLING], held=80))
    assert not told(course(RISING[2:6], FALLING[2:6]))


def test_without_a_number_of_the_training_rows_nothing_is_said(course):
    assert not told(course(RISING, FALLING, learnt=None))
