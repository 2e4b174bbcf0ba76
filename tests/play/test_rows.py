"""The rows of a start: as the house's loaders have them, or unscaled, or class after class; and samples of them."""

from dataclasses import replace

import numpy as np
import torch

from byhand.data.dataset import Dataset, Part
from byhand.data.load import load
from byhand.data.loader import loaders
from byhand.play.controls import Controls
from byhand.play.rows import Rows


def test_the_usual_rows_are_those_of_byhand_train() -> None:
    data = load("digits")
    ours, theirs = Rows(data).loaders(Controls(batch_size=100, seed=7)), loaders(data.train, data.valid, 100, 7)
    for _ in range(2):  # each pass has an order of its own
        for (x, y), (tx, ty) in zip(ours.train.batches(), theirs.train.batches(raw=True), strict=True):
            assert torch.equal(x, tx)
            assert x.dtype == torch.uint8
            assert torch.equal(y, ty)
    assert torch.equal(ours.valid.x, theirs.valid.x)
    assert ours.classes == theirs.classes


def test_class_after_class_each_in_the_order_of_the_source() -> None:
    data = load("digits")
    dls = Rows(data).loaders(Controls(shuffle=False))
    x = np.concatenate([data.train.images[data.train.labels == c] for c in range(10)]).reshape(-1, 64)
    assert torch.equal(torch.cat([xb for xb, _ in dls.train.batches()]), torch.as_tensor(x))
    assert torch.equal(dls.train.y, torch.as_tensor(np.sort(data.train.labels)))
    assert torch.equal(dls.valid.y, torch.as_tensor(np.sort(data.valid.labels)))


def test_pixels_that_are_not_scaled_are_the_numbers_from_0_to_255() -> None:
    every = np.arange(256, dtype=np.uint8).reshape(4, 8, 8)
    part = Part(every, np.zeros(4, np.int64), ("a", "b"), "")
    data = Dataset("made", part, part, part, ("a", "b"), "")
    rows, controls = Rows(data), Controls(scaled=False, batch_size=4)
    x = rows.loaders(controls).train.x
    assert torch.equal(x.float().flatten(), torch.arange(256.0))
    assert torch.equal(rows.samples(controls)[0].x.double().flatten(), torch.arange(256.0, dtype=torch.float64))


def test_a_sample_has_every_class_as_often_as_the_whole() -> None:
    rng = np.random.default_rng(0)
    labels = rng.choice(5, 20_000, p=[0.5, 0.3, 0.15, 0.04, 0.01])
    images = np.arange(20_000, dtype=np.uint32).view(np.uint8).reshape(20_000, 2, 2)  # each row its number
    part = Part(images, labels, tuple("abcde"), "")
    rows = Rows(Dataset("made", part, replace(part, images=images[:50], labels=labels[:50]), part, part.classes, ""))
    train, valid = rows.samples(Controls())
    assert len(train.y) == 2000
    assert len(set(train.rows)) == 2000
    shares = np.bincount(labels) / 20_000 * 2000
    assert np.abs(np.bincount(train.y) - shares).max() <= 1
    assert np.array_equal(train.x.numpy().view(np.uint32).ravel(), train.rows)
    assert np.array_equal(train.y, labels[train.rows])
    assert np.array_equal(rows.samples(Controls())[0].rows, train.rows)
    assert np.array_equal(valid.rows, np.arange(50))  # all of a small part


def test_without_a_validation_part_mistakes_are_looked_for_in_the_training_part() -> None:
    rows = Rows(load("digits", valid=0))
    assert rows.loaders(Controls()).valid is None
    assert rows.judged is rows.data.train
    assert len(rows.samples(Controls())[1].y) == len(rows.data.train)
