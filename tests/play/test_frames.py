"""What a frame shows is what the model is: pictures decode to its weights, mistakes are the worst, sums are right."""

import base64

import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix

from byhand.json_text import json_text
from byhand.loss import cross_entropy
from byhand.model import MLP, LinearClassifier
from byhand.play.frames import confusion, judge, pictures, strongest, worst
from byhand.play.rows import Sample

GENERATOR = torch.Generator().manual_seed(0)


def decoded(shown: dict) -> np.ndarray:
    data = np.frombuffer(base64.b64decode(shown["data"]), np.int8).reshape(shown["count"], *shown["shape"])
    return data.astype(float) / 127 * shown["scale"]


def averaged(images: np.ndarray, step: int) -> np.ndarray:
    """Means over squares, the slow way."""
    _, height, width = images.shape
    rows, columns = range(0, height, step), range(0, width, step)
    return np.array(
        [[[image[r : r + step, c : c + step].mean() for c in columns] for r in rows] for image in images.astype(float)]
    )


@pytest.mark.parametrize("shape", [(8, 8), (28, 28), (5, 9), (64, 64), (1, 1)])
def test_pictures_decode_to_the_weights(shape: tuple[int, int]) -> None:
    weight = torch.randn(10, shape[0] * shape[1], generator=GENERATOR)
    shown = pictures(weight, shape, strongest(weight), hidden=False)
    assert shown["layer"] == "weights of the 10 classes"
    assert shown["scale"] == weight.abs().max().item()
    assert np.abs(decoded(shown) - weight.view(10, *shape).numpy()).max() <= shown["scale"] / 254 * 1.001


def test_of_many_units_the_strongest_are_shown_in_their_order() -> None:
    weight = torch.randn(100, 784, generator=GENERATOR) * torch.rand(100, 1, generator=GENERATOR)
    units = strongest(weight)
    norms = weight.norm(dim=1)
    assert sorted(units.tolist()) == units.tolist()
    assert set(units.tolist()) == set(norms.argsort(descending=True)[:36].tolist())
    shown = pictures(weight, (28, 28), units, hidden=True)
    assert shown["layer"] == "weights of the 36 of the 100 hidden units"
    assert shown["units"] == units.tolist()
    assert np.abs(decoded(shown) - weight[units].view(36, 28, 28).numpy()).max() <= shown["scale"] / 254 * 1.001


@pytest.mark.parametrize(("shape", "step"), [((256, 256), 4), ((100, 203), 3)])
def test_large_pictures_are_averaged_over_squares(shape: tuple[int, int], step: int) -> None:
    weight = torch.randn(10, shape[0] * shape[1], generator=GENERATOR)
    shown = pictures(weight, shape, strongest(weight), hidden=False)
    mean = averaged(weight.view(10, *shape).numpy(), step)
    assert shown["shape"] == list(mean.shape[1:])
    assert np.abs(decoded(shown) - mean).max() <= shown["scale"] / 254 * 1.001


def test_weights_of_zero_are_grey() -> None:
    shown = pictures(torch.zeros(10, 64), (8, 8), torch.arange(10), hidden=False)
    assert shown["scale"] == 0
    assert not decoded(shown).any()


def sample_of(model: LinearClassifier | MLP, n: int, shape: tuple[int, int], classes: int) -> tuple[Sample, np.ndarray]:
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (2 * n, *shape)).astype(np.uint8)
    rows = np.sort(rng.permutation(2 * n)[:n])
    labels = torch.as_tensor(rng.integers(0, classes, n))
    return Sample(torch.as_tensor(images[rows].reshape(n, -1)), labels, rows), images


def test_the_worst_mistakes_are_the_worst() -> None:
    model = LinearClassifier(64, 10, "normal:0.1", GENERATOR)
    sample, images = sample_of(model, 300, (8, 8), 10)
    judged = judge(model, cross_entropy, sample)
    layer = model.layers[0]
    logits = (sample.x.double() / 255) @ layer.weight.detach().double().T + layer.bias.detach().double()
    p = logits.softmax(dim=1)
    loss, preds = -p[torch.arange(300), sample.y].log(), p.argmax(dim=1)
    assert judged.loss == pytest.approx(loss.mean().item(), rel=1e-5)
    assert judged.accuracy == pytest.approx((preds == sample.y).double().mean().item())
    expected = sorted((-loss[i].item(), i) for i in range(300) if preds[i] != sample.y[i])[:12]
    found = worst(sample, judged, images)
    assert [one["row"] for one in found] == [sample.rows[i] for _, i in expected]
    for one, (minus, i) in zip(found, expected, strict=True):
        assert one["loss"] == pytest.approx(-minus, rel=1e-4)
        assert (one["label"], one["pred"]) == (sample.y[i], preds[i])
        assert one["prob"] == pytest.approx(p[i].max().item(), rel=1e-4)
        pixels = np.frombuffer(base64.b64decode(one["image"]), np.uint8).reshape(one["shape"])
        assert np.array_equal(pixels, images[one["row"]])


def test_without_a_mistake_there_is_none() -> None:
    model = LinearClassifier(64, 10)
    sample, images = sample_of(model, 20, (8, 8), 10)
    sample = Sample(sample.x, torch.zeros(20, dtype=torch.int64), sample.rows)  # equal scores: the first class
    assert worst(sample, judge(model, cross_entropy, sample), images) == []


@pytest.mark.parametrize("classes", [2, 10, 20, 50])
def test_confusion_is_scikit_learns(classes: int) -> None:
    truth, preds = torch.randint(classes, (2, 500), generator=GENERATOR)
    counts = confusion_matrix(truth, preds, labels=range(classes))[:20, :20]
    assert confusion(truth, preds, classes) == counts.tolist()


@pytest.mark.parametrize("shape", [(8, 8), (28, 28), (64, 64), (37, 90), (300, 200), (1000, 1000)])
@pytest.mark.parametrize(("units", "classes"), [(2, 2), (10, 10), (2048, 300)])
def test_a_frame_is_small_whatever_the_data_are(shape: tuple[int, int], units: int, classes: int) -> None:
    if shape[0] * shape[1] * units > 10**8:
        pytest.skip("more weights than can be played")
    weight = torch.randn(units, shape[0] * shape[1], generator=GENERATOR)
    model = LinearClassifier(shape[0] * shape[1], classes, "normal:0.01", GENERATOR)
    sample, images = sample_of(model, 30, shape, classes)
    judged = judge(model, cross_entropy, sample)
    frame = {
        "pictures": pictures(weight, shape, strongest(weight), hidden=units != classes),
        "confusion": confusion(sample.y, judged.preds, classes),
        "worst": worst(sample, judged, images),
    }
    assert len(json_text(frame)) < 150_000
    assert frame["pictures"]["count"] >= min(10, units)
    assert len(frame["worst"]) >= 4
