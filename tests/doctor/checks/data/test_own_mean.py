"""Rows that judge, scaled by their own mean."""

import numpy as np
import pytest

from byhand.doctor.checks.data.other_scale import scaled_differently
from tests.doctor.checks._traces import Story, examples, pictures

SOURCE = "x2 = scaler.fit_transform(x2)\nnet(x2)\n"


def told(learnt, judged, labels, learnt_labels):
    story = Story(SOURCE)
    story.learn(learnt, learnt_labels)
    story.judge(judged, labels, accuracy=0.8, at="net(x2)")
    made = (story.made("x2", "scaler.fit_transform(x2)", judged),)
    both = {"trained_on": examples(learnt, learnt_labels), "evaluated_on": examples(judged, labels)}
    return list(scaled_differently(story.evidence(made=made, **both)))


@pytest.fixture
def parts():
    x, y = pictures(600)
    x2, y2 = pictures(200, seed=5)
    return x.astype(np.float64), y, x2.astype(np.float64), y2


def standard(x, by=None):
    by = x if by is None else by
    return ((x - by.mean(axis=0)) / by.std(axis=0)).astype(np.float32)


def test_rows_that_are_scaled_by_their_own_numbers(parts):
    x, y, x2, y2 = parts
    (finding,) = told(standard(x), standard(x2), y2, y)
    assert (finding.level, finding.proof, finding.place.line) == ("warning", "arithmetic", 1)
    assert "each of the 20 columns of the 200 rows that judge is 0, and the deviation 1" in finding.saw
    assert "± 0.071" in finding.saw


def test_numbers_of_the_training_one_mean_for_all_and_rows_by_themselves_are_left_alone(parts):
    x, y, x2, y2 = parts
    assert not told(standard(x), standard(x2, x), y2, y)
    whole = ((x2 - x2.mean()) / x2.std()).astype(np.float32)
    assert not told(((x - x.mean()) / x.std()).astype(np.float32), whole, y2, y)
    alone = (x2 - x2.mean(axis=1, keepdims=True)).astype(np.float32)
    assert not told((x - x.mean(axis=1, keepdims=True)).astype(np.float32), alone, y2, y)


def test_both_parts_scaled_together_and_judged_together_are_left_alone(parts):
    x, y, x2, y2 = parts
    both = standard(np.concatenate([x, x2]))
    assert not told(both[:600], both[600:], y2, y)
    assert not told(both[:600], both, np.concatenate([y, y2]), y)
