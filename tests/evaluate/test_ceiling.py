"""The linear ceiling of real digits: its certificate, its penalty, and what it is worth on the test part."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from byhand import load
from byhand.data.dataset import Dataset, Part
from byhand.errors import DataError
from byhand.evaluate import ceiling
from byhand.evaluate.ceiling import GAP, Optimum, find_ceiling
from byhand.evaluate.softmax_regression import rows_of, solve
from byhand.evaluate.statistics import wilson


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load("digits")


@pytest.fixture(scope="module")
def optimum(digits: Dataset) -> Optimum:
    return find_ceiling(digits)


def both(*parts: Part) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Rows (N, P + 1) from 0 to 1, a one as their last, and labels (N,)."""
    images = np.concatenate([part.images.reshape(len(part), -1) for part in parts])
    return np.hstack([images / 255, np.ones((len(images), 1))]), np.concatenate([part.labels for part in parts])


def probs(weight: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    logits = x @ weight.T  # (N, C)
    exp = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exp / exp.sum(axis=1, keepdims=True)


def test_every_number_is_what_the_weights_give(digits: Dataset, optimum: Optimum) -> None:
    found, weight = optimum.ceiling, optimum.weight.numpy()
    x, y = both(digits.train, digits.valid)
    train, classes = probs(weight, x), list(range(10))
    assert found.train_accuracy == (train.argmax(axis=1) == y).mean()
    assert found.loss == pytest.approx(log_loss(y, train, labels=classes), rel=1e-6)
    gradient = (train - np.eye(10)[y]).T @ x / len(x) + found.l2 * weight
    assert found.gap == pytest.approx((gradient**2).sum() / (2 * found.l2), rel=1e-6)
    assert found.gap <= GAP
    x, y = both(digits.test)
    test = probs(weight, x)
    assert found.accuracy == wilson(int((test.argmax(axis=1) == y).sum()), len(y))
    assert found.test_loss == pytest.approx(log_loss(y, test, labels=classes), rel=1e-5)
    assert 0.95 < found.accuracy.value < 0.99 < found.train_accuracy
    assert found.seconds > 0


def test_scikit_learn_with_the_same_penalty_names_the_same_digits(digits: Dataset, optimum: Optimum) -> None:
    x, y = both(digits.train, digits.valid)
    strength = 1 / (optimum.ceiling.l2 * len(x))
    model = LogisticRegression(C=strength, fit_intercept=False, solver="newton-cg", tol=1e-6, max_iter=1000).fit(x, y)
    x, y = both(digits.test)
    assert abs(model.score(x, y) - optimum.ceiling.accuracy.value) <= 1 / len(y)


def test_the_penalty_is_the_best_of_the_whole_path_on_the_validation_part(digits: Dataset, optimum: Optimum) -> None:
    x, y = both(digits.valid)
    rows, labels = rows_of(torch.as_tensor(digits.train.images)), torch.as_tensor(digits.train.labels)
    losses = {
        l2: log_loss(y, probs(solve(rows, labels, 10, l2, 1e-6).weight.numpy(), x), labels=list(range(10)))
        for l2 in ceiling._PATH
    }
    assert optimum.ceiling.l2 == min(losses, key=lambda l2: losses[l2])


def test_it_is_the_same_each_time_but_for_the_seconds(digits: Dataset, optimum: Optimum) -> None:
    again = find_ceiling(digits)
    assert torch.equal(again.weight, optimum.weight)
    assert replace(again.ceiling, seconds=0) == replace(optimum.ceiling, seconds=0)


def test_without_a_validation_part_the_penalty_is_one_over_the_rows() -> None:
    data = load("digits", valid=0)
    found = find_ceiling(data).ceiling
    assert found.l2 == 1 / len(data.train)
    assert found.gap <= GAP
    assert found.accuracy.value > 0.95


def test_the_test_part_is_not_learnt_from(digits: Dataset, optimum: Optimum) -> None:
    wrong = replace(digits.test, labels=(digits.test.labels + 1) % 10)
    found = find_ceiling(replace(digits, test=wrong))
    assert torch.equal(found.weight, optimum.weight)
    assert found.ceiling.accuracy.value < 0.1


@pytest.mark.parametrize(("side", "classes"), [(1500, 10), (64, 1000)])
def test_images_too_large_and_classes_too_many_are_refused_in_one_line(side: int, classes: int) -> None:
    names = tuple(map(str, range(classes)))
    part = Part(np.zeros((3, side, side), np.uint8), np.array([0, 1, 2]), names, "")
    with pytest.raises(DataError, match="too many for the linear ceiling; make the images smaller") as error:
        find_ceiling(Dataset("pictures", part, part, part, names, ""))
    assert f"{side**2:,} pixels and {classes} classes" in str(error.value)
    assert "\n" not in str(error.value)


def test_one_class_alone_is_always_right() -> None:
    part = Part(np.full((5, 2, 2), 9, np.uint8), np.zeros(5, np.int64), ("a",), "")
    found = find_ceiling(Dataset("one", part, part, part, ("a",), "")).ceiling
    assert (found.accuracy.value, found.loss, found.gap) == (1, 0, 0)


@pytest.mark.full
def test_the_ceiling_of_genuine_mnist(mnist_path: Path) -> None:
    found = find_ceiling(load(mnist_path)).ceiling
    assert 0.923 <= found.accuracy.value <= 0.930
    assert found.accuracy.n == 10_000
    assert found.gap <= GAP
    assert 0.93 < found.train_accuracy < 0.94
    assert found.l2 in ceiling._PATH
    assert found.loss < found.test_loss < math.log(10) / 8
