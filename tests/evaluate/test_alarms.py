"""What is too good is named, with its reason; clean data and honest models raise no alarm."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from byhand.data.dataset import Dataset, Part
from byhand.data.load import load
from byhand.evaluate.alarms import find_alarms
from byhand.evaluate.evaluation import PARTS, evaluate
from byhand.evaluate.landmarks import find_landmarks, linear_optimum
from byhand.evaluate.results import Evaluation, Landmarks
from byhand.settings import MODELS

Train = Callable[..., Path]
MNIST = (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009)


def rows(part: Part, places: NDArray[np.intp]) -> Part:
    return Part(part.images[places], part.labels[places], part.classes, f"{part.hash} {len(places)}")


def save(path: Path, train: Part, test: Part) -> str:
    np.savez(path, x_train=train.images, y_train=train.labels, x_test=test.images, y_test=test.labels)
    return str(path)


@pytest.fixture(scope="module")
def landmarks(full: Evaluation) -> Landmarks:
    return full.landmarks


@pytest.mark.parametrize("count", [1, 7, 359])
def test_training_images_in_the_test_part_are_counted_whatever_their_labels(landmarks: Landmarks, count: int) -> None:
    data = load("digits")
    images, labels = data.test.images.copy(), data.test.labels.copy()
    images[-count:] = data.train.images[:count]
    labels[-count:] = (data.train.labels[:count] + 1) % 10
    leaky = replace(data, test=Part(images, labels, data.classes, "h"))
    for model in MODELS:
        alarms = find_alarms(np.ones(359, np.bool_), model, leaky, landmarks, None)
        assert len(alarms) == 1
        assert f"{count} of the 359 test images stand among the training images too" in alarms[0]


def test_a_leak_in_a_file_is_named_by_the_evaluation(train_run: Train, tmp_path: Path) -> None:
    data = load("digits", valid=0)
    leaked = rows(data.train, np.arange(40))
    test = Part(
        np.concatenate([data.test.images, leaked.images]),
        np.concatenate([data.test.labels, leaked.labels]),
        data.classes,
        "h",
    )
    run = train_run(tmp_path / "run", save(tmp_path / "leak.npz", data.train, test), epochs=1, valid=0.0)
    found = evaluate(run, skip=PARTS)
    assert len(found.alarms) == 1
    assert "40 of the 399 test images" in found.alarms[0]
    assert found.advice == ("Find out first why the number is too good; until then it means nothing.",)


def few(data: Dataset) -> Dataset:
    """The data with only 120 images to learn from, so that one linear layer is far from all right."""
    return replace(data, train=rows(data.train, np.arange(120)), valid=rows(data.valid, np.arange(30)))


def test_a_linear_model_that_learnt_the_test_images_beats_the_ceiling(train_run: Train, tmp_path: Path) -> None:
    data = few(load("digits"))
    known, optimum = find_landmarks(data), linear_optimum(data)
    assert optimum is not None
    assert known.ceiling is not None
    run = train_run(tmp_path / "run", save(tmp_path / "d.npz", data.test, data.valid), epochs=200, valid=0.0)
    hits = evaluate(run, save(tmp_path / "judge.npz", data.train, data.test), skip=PARTS).probs.argmax(axis=1)
    hits = hits == data.test.labels
    assert hits.mean() > known.ceiling.accuracy.value + 0.05
    alarms = find_alarms(hits, "linear", data, known, optimum)
    assert len(alarms) == 1
    assert f"better than the best linear layer ({100 * known.ceiling.accuracy.value:.1f} %)" in alarms[0]
    assert "not by luck" in alarms[0]
    assert find_alarms(hits, "mlp", data, known, optimum) == ()  # a network may
    assert find_alarms(hits, "linear", data, known, None) == ()


def test_a_lead_that_luck_can_give_raises_no_alarm() -> None:
    data = few(load("digits"))
    known, optimum = find_landmarks(data), linear_optimum(data)
    assert optimum is not None
    x = data.test.images.reshape(359, -1) / 255
    best = (x @ optimum[:, :-1].T + optimum[:, -1]).argmax(axis=1) == data.test.labels
    assert known.ceiling is not None
    assert best.mean() == pytest.approx(known.ceiling.accuracy.value, abs=1 / 359)
    wrong = np.flatnonzero(~best)
    for more, expected in ((0, 0), (14, 0), (15, 1)):  # 2 · 2^-14 is above 1e-4, 2 · 2^-15 is below
        hits = best.copy()
        hits[wrong[:more]] = True
        assert len(find_alarms(hits, "linear", data, known, optimum)) == expected
    hits = best.copy()
    hits[np.flatnonzero(best)[:60]] = False
    assert find_alarms(hits, "linear", data, known, optimum) == ()  # worse is no alarm


def mnist_like(landmarks: Landmarks, right: int) -> tuple[NDArray[np.bool_], Dataset, Landmarks]:
    """10,000 hits, ``right`` of them true, on made-up images that count as MNIST's do."""
    rng = np.random.default_rng(0)
    classes = tuple("0123456789")
    test = Part(rng.integers(0, 256, (10_000, 4, 4), dtype=np.uint8), np.repeat(np.arange(10), MNIST), classes, "t")
    none = Part(test.images[:0], test.labels[:0], classes, "n")
    return np.arange(10_000) < right, Dataset("m", none, none, test, classes, "h"), replace(landmarks, counts=MNIST)


@pytest.mark.parametrize(
    ("right", "model", "alarm"),
    [
        (9350, "linear", False),
        (9351, "linear", True),
        (9930, "mlp", False),
        (9931, "mlp", True),
        (9700, "mlp", False),
        (9985, "resnet18", False),
        (9986, "resnet18", True),
    ],
)
def test_what_nobody_is_known_to_reach_on_mnist_raises_an_alarm(
    landmarks: Landmarks, right: int, model: str, alarm: bool
) -> None:
    hits, data, counted = mnist_like(landmarks, right)
    alarms = find_alarms(hits, model, data, counted, None)
    assert len(alarms) == alarm
    if alarm:
        kind = {"linear": "one linear layer", "mlp": "an MLP", "resnet18": "one convolutional network"}[model]
        assert f"{right / 100:.1f} % is too good for {kind}" in alarms[0]
    assert find_alarms(hits, model, data, replace(counted, counts=MNIST[::-1]), None) == ()


@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_clean_digits_raise_no_alarm(trained: dict[str, Path], kind: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    for path in trained[kind].iterdir():
        (run / path.name).write_bytes(path.read_bytes())
    assert evaluate(run, skip=("wrong-labels", "size-curve")).alarms == ()


def test_clean_mnist_has_no_image_in_both_parts(mnist_path: Path, landmarks: Landmarks) -> None:
    data = load(str(mnist_path))
    counts = tuple(np.bincount(data.test.labels).tolist())
    assert counts == MNIST
    hits = np.arange(10_000) < 9260
    assert find_alarms(hits, "linear", data, replace(landmarks, counts=counts), None) == ()
