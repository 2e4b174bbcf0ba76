"""Batches that never change, over rows whose neighbours are alike, and over rows that are mixed."""

import numpy as np

from byhand.doctor.checks.data import fixed
from byhand.doctor.checks.data import parts as data
from byhand.doctor.checks.data.drift import alike
from byhand.doctor.trace import Loader
from tests.doctor.checks._traces import Story, examples, patched, pictures

LOADER = "train_dl = DataLoader(train_ds, batch_size=20)\nfor xb, yb in train_dl:\n    model(xb)\n"
SLICES = """\
import numpy as np
X, y = load()
for epoch in range(3):
    for i in range(0, len(X), 20):
        xb, yb = X[i : i + 20], y[i : i + 20]
        loss = model(xb)
"""


def two_scanners(n=600):
    x, y = pictures(n)
    return np.concatenate([x[: n // 2], 1 - x[n // 2 :]]), y


def learnt(source, x, y, at, orders=None, **fields):
    story = Story(source)
    story.learn(x, y, epochs=2, at=at, orders=orders, **fields)
    return story, {"trained_on": examples(x, y)}


def told(evidence):
    assert not list(data.class_sorted_batches(evidence))
    return list(fixed.fixed_batches(evidence))


def test_one_scanner_after_the_other_is_a_suspicion_that_a_loader_can_be_cured_of():
    story, known = learnt(LOADER, *two_scanners(), "model(xb)", loader=0)
    loader = Loader("train_dl", story.at("DataLoader(train_ds, batch_size=20)"), 600, 20, False, False)
    evidence = story.evidence(loaders=(loader,), **known)
    (finding,) = told(evidence)
    assert (finding.level, finding.needs_proof, finding.place.line) == ("warning", True, 1)
    assert "the same 30 batches in the same order" in finding.saw
    assert "batch_size=20, shuffle=True)" in patched(evidence, finding.edits[0])


def test_batches_cut_by_hand_are_mixed_by_one_permutation():
    story, known = learnt(SLICES, *two_scanners(), "model(xb)")
    evidence = story.evidence(**known)
    (finding,) = told(evidence)
    assert "order = np.random.permutation(len(X))\nX, y = X[order], y[order]\n" in patched(evidence, finding.edits[0])


def test_a_loader_that_does_not_shuffle_mixed_rows_is_a_note():
    story, known = learnt(LOADER, *pictures(), "model(xb)", loader=0)
    (finding,) = told(story.evidence(loaders=(Loader("train_dl", None, 600, 20, False, False),), **known))
    assert (finding.level, finding.edits) == ("note", ())


def test_rows_that_were_mixed_once_are_left_alone():
    story, known = learnt(SLICES, *pictures(), "model(xb)")
    assert not told(story.evidence(**known))


def test_another_order_in_each_epoch_is_what_is_wanted():
    rng = np.random.default_rng(0)
    orders = [rng.permutation(600) for _ in range(2)]
    story, known = learnt(SLICES, *two_scanners(), "model(xb)", orders=orders)
    assert not told(story.evidence(**known))


def test_rows_class_after_class_are_another_check_s():
    x, y = pictures()
    order = np.argsort(y, kind="stable")
    story, known = learnt(SLICES, x[order], y[order], "model(xb)")
    assert not list(fixed.fixed_batches(story.evidence(**known)))
    assert list(data.class_sorted_batches(story.evidence(**known)))


def test_one_batch_of_all_rows_has_no_order():
    x, y = two_scanners()
    story = Story()
    story.learn(x, y, batch=600, epochs=5)
    assert not told(story.evidence(trained_on=examples(x, y)))


def test_the_correlation_is_zero_for_mixed_rows_and_one_for_equal_neighbours():
    x, y = pictures()
    story, _ = learnt(SLICES, x, y, "model(xb)")
    assert abs(alike(story.forwards[:30], examples(x, y), 20)) < 0.01
    same = np.repeat(x[:30], 20, axis=0)
    story, _ = learnt(SLICES, same, y, "model(xb)")
    assert alike(story.forwards[:30], examples(same, y), 20) > 0.999
    assert alike(story.forwards[:30], None, 20) is None
    assert alike(story.forwards[:30], examples(1 - x, y), 20) is None  # other rows
