"""The models without training, against scikit-learn's and against losses that are known."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from sklearn.dummy import DummyClassifier
from sklearn.neighbors import NearestCentroid
from torch import Tensor
from torch.nn.functional import cross_entropy

from byhand.evaluate.baselines import MajorityClass, NearestMean


def digits() -> tuple[Tensor, Tensor]:
    """Rows (N, P) of pixels 0..240, and labels (N,)."""
    data = load_digits()
    return torch.as_tensor(data.data * 15).to(torch.uint8), torch.as_tensor(data.target)


@given(st.lists(st.integers(0, 6), min_size=1, max_size=100))
def test_the_commonest_class_is_scikit_learns_prior(labels: list[int]) -> None:
    """Its training loss is the entropy of the shares. A class that never came has probability 0."""
    x = np.zeros((len(labels), 1))
    reference = DummyClassifier(strategy="prior").fit(x, labels)
    truth = torch.tensor(labels)
    logits = MajorityClass(truth, 7)(torch.zeros(len(labels), 4))
    assert logits.shape == (len(labels), 7)
    assert logits.argmax(dim=1).tolist() == reference.predict(x).tolist()  # the first of equals, as there
    shares = np.zeros(7)
    shares[reference.classes_] = reference.class_prior_
    assert logits[0].exp().numpy() == pytest.approx(shares, rel=1e-6)
    entropy = -sum(p * math.log(p) for p in shares if p)
    assert float(cross_entropy(logits, truth)) == pytest.approx(entropy, rel=1e-5, abs=1e-6)


@pytest.mark.filterwarnings("ignore:self.within_class_std_dev_")  # some pixels are never on
def test_the_nearest_mean_is_scikit_learns_nearest_centroid() -> None:
    rows, labels = digits()
    x = rows.double().numpy() / 255
    reference = NearestCentroid().fit(x[:1000], labels[:1000].numpy())
    model = NearestMean(rows[:1000], labels[:1000], 10)
    assert model.weight.numpy() == pytest.approx(reference.centroids_, abs=1e-6)
    preds = model(rows[1000:]).argmax(dim=1)
    assert preds.tolist() == reference.predict(x[1000:]).tolist()
    assert 0.85 < float((preds == labels[1000:]).float().mean()) < 0.95


def test_its_logits_differ_as_half_the_squared_distances_do() -> None:
    rows, labels = digits()
    model = NearestMean(rows, labels, 10)
    means = torch.stack([rows[labels == c].double().mean(dim=0) / 255 for c in range(10)])  # (C, P)
    half = -torch.cdist(rows[:50].double() / 255, means).square() / 2  # (B, C)
    logits = model(rows[:50]).double()
    torch.testing.assert_close(logits.log_softmax(dim=1), half.log_softmax(dim=1), atol=2e-5, rtol=0)


def test_bytes_and_numbers_from_0_to_1_get_the_same_answer() -> None:
    rows, labels = digits()
    of_bytes, of_floats = NearestMean(rows, labels, 10), NearestMean(rows.float() / 255, labels, 10)
    torch.testing.assert_close(of_bytes.weight, of_floats.weight, atol=1e-6, rtol=0)
    torch.testing.assert_close(of_bytes(rows), of_bytes(rows.float() / 255), atol=1e-4, rtol=0)


def test_a_class_without_images_has_the_black_image_for_its_mean() -> None:
    rows = torch.tensor([[255, 0], [0, 255]], dtype=torch.uint8)
    model = NearestMean(rows, torch.tensor([0, 2]), 3)
    assert model.weight.tolist() == [[1, 0], [0, 0], [0, 1]]
    assert model(rows).argmax(dim=1).tolist() == [0, 2]
    assert bool(model(rows).isfinite().all())
