"""What a model says of images, and the score that is expected of it."""

import numpy as np
import pytest
import torch

from byhand.data.dataset import Part
from byhand.errors import DataError
from byhand.evaluate.statistics import next_accuracy, wilson
from byhand.kaggle.entry import FLOOR_CHANCE, PUBLIC_SHARE, judge, name_images
from byhand.model import MLP, LinearClassifier, Sequential


def images(n: int, side: int = 4) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, side, side), np.uint8)


def model() -> Sequential:
    return MLP(16, [8], 3, dropout=0.5, generator=torch.Generator().manual_seed(0))


def test_the_likeliest_class_of_each_image_by_numpys_own_products() -> None:
    net, many = model(), images(9000)  # more than are taken at a time
    w1, b1, w2, b2 = (p.detach().double().numpy() for p in net.parameters())
    hidden = np.maximum(many.reshape(-1, 16) / 255 @ w1.T + b1, 0)
    logits = hidden @ w2.T + b2  # (N, 3)
    sure = np.diff(np.sort(logits, axis=1), axis=1)[:, -1] > 1e-5
    named = name_images(net, many)
    assert named.dtype == np.int64
    np.testing.assert_array_equal(named[sure], logits.argmax(axis=1)[sure])
    assert sure.mean() > 0.99


def test_the_accuracy_is_counted_and_the_score_follows_from_it() -> None:
    net, many = model(), images(400)
    labels = name_images(net, many)
    labels[:30] = (labels[:30] + 1) % 3
    judged = judge(net, Part(many, labels, ("0", "1", "2"), ""), 1000)
    assert judged is not None
    valid, score = judged
    assert valid == wilson(370, 400)
    likely = next_accuracy(370, 400, 250)
    assert (score.value, score.low, score.high, score.rows) == (likely.value, likely.low, likely.high, 250)
    assert score.floor == next_accuracy(370, 400, 250, 1 - 2 * FLOOR_CHANCE).low
    assert 0 < score.floor < score.low < valid.low < valid.value < valid.high < score.high < 1


def test_nothing_kept_aside_is_no_score_and_one_image_to_name_is_a_wide_one() -> None:
    none = Part(images(0), np.empty(0, np.int64), ("0", "1", "2"), "")
    assert judge(model(), none, 100) is None
    many = images(50)
    judged = judge(model(), Part(many, name_images(model(), many), ("0", "1", "2"), ""), 1)
    assert judged is not None
    assert judged[1].rows == 1
    assert PUBLIC_SHARE < 1


def test_answers_that_are_no_numbers_are_refused() -> None:
    net = LinearClassifier(16, 3)
    net.parameters()[0].detach()[1, 2] = np.inf
    with pytest.raises(DataError, match="answers with what is no number"):
        name_images(net, images(10))
