"""Wrong labels are found where model and neighbours agree, and right ones are left alone."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from byhand.data.dataset import Part
from byhand.data.load import load
from byhand.evaluate.evaluation import evaluate
from byhand.evaluate.results import Suspect
from byhand.evaluate.wrong_labels import suspected_labels

Train = Callable[..., Path]
CLASSES = tuple("0123456789")


def part(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> Part:
    return Part(images, labels, CLASSES, "h")


@pytest.mark.parametrize("seed", range(3))
def test_flipped_labels_are_found_and_right_ones_left_alone(train_run: Train, tmp_path: Path, seed: int) -> None:
    data = load("digits", valid=0)
    rng = np.random.default_rng(seed)
    flipped = rng.choice(len(data.test), 10, replace=False)
    labels = data.test.labels.copy()
    labels[flipped] = (labels[flipped] + rng.integers(1, 10, 10)) % 10
    file = str(tmp_path / "flipped.npz")
    np.savez(file, x_train=data.train.images, y_train=data.train.labels, x_test=data.test.images, y_test=labels)
    found = evaluate(train_run(tmp_path / "run", file, epochs=60), skip=("ceiling", "size-curve"))
    assert found.suspects is not None
    named = {one.row: one for one in found.suspects}
    hit = named.keys() & set(flipped.tolist())
    assert len(hit) >= 7
    assert len(named) - len(hit) <= 2
    for row in hit:
        assert named[row].label == labels[row]
        assert named[row].other == data.test.labels[row]  # and what it should be is said too


def reference(probs: NDArray[np.float64], judged: Part, known: list[Part]) -> list[Suspect]:
    """The same by scikit-learn's exact neighbours, in float64."""
    rows = np.concatenate([one.images.reshape(len(one), -1) for one in known]).astype(np.float64)
    owners = np.concatenate([one.labels for one in known])
    near = NearestNeighbors(n_neighbors=10, algorithm="brute").fit(rows)
    found = []
    for i, image in enumerate(judged.images):
        label, said = int(judged.labels[i]), int(probs[i].argmax())
        around = owners[near.kneighbors(image.reshape(1, -1).astype(np.float64), return_distance=False)[0]]
        agreeing = int((around == said).sum())
        if probs[i, label] < 0.05 and said != label and agreeing >= 9 and label not in around:
            found.append(Suspect(i, label, said, float(probs[i, said]), agreeing))
    return sorted(found, key=lambda one: (-one.neighbours, -one.prob))


@pytest.mark.parametrize("seed", range(4))
def test_they_are_those_of_scikit_learns_neighbours(seed: int) -> None:
    rng = np.random.default_rng(seed)
    data = load("digits")
    truth = data.test.labels
    labels = np.where(rng.random(359) < 0.3, rng.integers(0, 10, 359), truth)
    sure = rng.random(359) < 0.8  # the model sees through most of it, and is unsure of the rest
    logits = rng.normal(size=(359, 10)) + np.where(sure, 8.0, 1.0)[:, None] * np.eye(10)[truth]
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)  # (359, 10)
    judged, known = part(data.test.images, labels), [data.train, data.valid]
    found = suspected_labels(probs, judged, known)
    assert found == reference(probs, judged, known)
    assert len(found) > 20


def test_the_neighbours_are_the_same_however_many_images_are_compared_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = load("digits")
    probs = np.eye(10)[data.test.labels] * 0.9 + 0.01
    judged = part(data.test.images, (data.test.labels + 1) % 10)
    whole = suspected_labels(probs, judged, [data.train])
    assert len(whole) > 100
    for block in (10, 999):
        monkeypatch.setattr("byhand.evaluate.wrong_labels._BLOCK", block)
        assert suspected_labels(probs, judged, [data.train]) == whole


def test_no_label_is_suspected_by_the_model_or_the_neighbours_alone() -> None:
    data = load("digits")
    right, wrong = np.eye(10)[data.test.labels] * 0.9 + 0.01, np.eye(10)[(data.test.labels + 1) % 10] * 0.9 + 0.01
    assert suspected_labels(wrong, data.test, [data.train]) == []  # the model doubts all, their neighbours do not
    other = part(data.test.images, (data.test.labels + 1) % 10)
    assert suspected_labels(wrong, other, [data.train]) == []  # the model has no doubt
    assert len(suspected_labels(right, other, [data.train])) > 100  # both


def test_too_few_images_to_compare_with_suspect_nothing() -> None:
    data = load("digits")
    probs = np.eye(10)[data.test.labels] * 0.9 + 0.01
    other = part(data.test.images, (data.test.labels + 1) % 10)
    few = part(data.train.images[:9], data.train.labels[:9])
    assert suspected_labels(probs, other, []) == []
    assert suspected_labels(probs, other, [few]) == []
    empty = part(data.test.images[:0], data.test.labels[:0])
    assert suspected_labels(probs[:0], empty, [data.train]) == []


def test_at_most_300_images_are_looked_at_the_most_doubted_first() -> None:
    image = np.zeros((400, 2, 2), np.uint8)
    labels = np.zeros(400, np.int64)
    doubt = np.linspace(0.049, 0.001, 400)
    probs = np.zeros((400, 10))
    probs[:, 0], probs[:, 1] = doubt, 1 - doubt
    known = part(np.zeros((20, 2, 2), np.uint8), np.ones(20, np.int64))
    found = suspected_labels(probs, part(image, labels), [known])
    assert [one.row for one in found] == list(range(399, 99, -1))
