"""Order, labels, parts and scale: each check on traces that have its fault, and on traces that only look like it."""

import numpy as np
import pytest

from byhand.doctor.checks.data import parts as data
from byhand.doctor.checks.data.labels import labels_out_of_step
from byhand.doctor.checks.data.other_scale import scaled_differently
from byhand.doctor.checks.data.scale import raw_pixel_range
from byhand.doctor.trace import Loader
from tests.doctor.checks._traces import Story, examples, patched, pictures, summary

SLICES = """\
import numpy as np
X, y = load()
for epoch in range(3):
    for i in range(0, len(X), 20):
        xb, yb = X[i : i + 20], y[i : i + 20]
        loss = model(xb)
"""
LOADER = "train_dl = DataLoader(train_ds, batch_size=20)\nfor xb, yb in train_dl:\n    model(xb)\n"


def found(check, evidence):
    return list(check(evidence))


def sorted_rows(n=600, classes=10):
    x, y = pictures(n, classes)
    order = np.argsort(y, kind="stable")
    return x[order], y[order]


# class-sorted-batches


def test_rows_class_after_class_are_said_with_their_numbers_and_mixed_before_the_loop():
    x, y = sorted_rows()
    story = Story(SLICES)
    story.learn(x, y, batch=20, epochs=3, at="model(xb)")
    (finding,) = found(data.class_sorted_batches, story.evidence())
    assert finding.saw == "30 of the 30 batches hold one class only, in the order 0 … 9, the same every epoch"
    assert finding.needs_proof
    assert finding.place.line == 5
    text = patched(story.evidence(), finding.edits[0]).splitlines()
    assert text[2:5] == [
        "order = np.random.permutation(len(X))",
        "X, y = X[order], y[order]",
        "for epoch in range(3):",
    ]


def test_a_loader_of_sorted_rows_is_told_to_shuffle():
    x, y = sorted_rows()
    story = Story(LOADER)
    story.learn(x, y, epochs=2, at="model(xb)", loader=0)
    loader = Loader("train_dl", story.at("DataLoader(train_ds, batch_size=20)"), 600, 20, False, False)
    (finding,) = found(data.class_sorted_batches, story.evidence(loaders=(loader,)))
    assert finding.instead == "DataLoader(train_ds, batch_size=20, shuffle=True)"
    assert "batch_size=20, shuffle=True)" in patched(story.evidence(), finding.edits[0])


def test_single_rows_are_looked_at_together():
    x, y = sorted_rows(200)
    story = Story(SLICES)
    story.learn(x, y, batch=1, at="model(xb)")
    assert found(data.class_sorted_batches, story.evidence())


@pytest.mark.parametrize("batch", [1, 4, 20, 60])
def test_mixed_rows_are_in_no_order_whatever_the_batch(batch):
    x, y = pictures()
    story = Story(SLICES)
    story.learn(x, y, batch=batch, epochs=2, at="model(xb)")
    assert not found(data.class_sorted_batches, story.evidence())


def test_gradients_that_are_added_up_over_all_classes_make_one_mixed_batch():
    x, y = sorted_rows()
    story = Story(SLICES)
    for _ in range(12):
        rows = np.random.default_rng(0).permutation(600)[:100]
        for c in range(10):
            story.forward("train", x[rows][y[rows] == c], y[rows][y[rows] == c])
        story.clock += 1
    assert not found(data.class_sorted_batches, story.evidence())


def test_one_task_after_another_is_no_order():
    x, y = sorted_rows()
    story = Story(SLICES)
    for pair in range(5):
        part = (y // 2) == pair
        story.learn(x[part], y[part], epochs=3)
    assert not found(data.class_sorted_batches, story.evidence())


def test_the_whole_training_part_as_one_batch_has_no_order():
    x, y = sorted_rows()
    story = Story()
    story.learn(x, y, batch=600, epochs=30)
    assert not found(data.class_sorted_batches, story.evidence())


# labels-out-of-step


def test_rows_whose_labels_change_between_epochs_are_counted():
    x, y = pictures()
    story = Story(
        "np = 0\nimport numpy as np\nfor e in range(2):\n    np.random.shuffle(X)\n    np.random.shuffle(y)\n"
    )
    story.learn(x, y)
    story.learn(x, np.random.default_rng(3).permutation(y))
    story.judge(*pictures(200, seed=5), accuracy=0.1)
    (finding,) = found(labels_out_of_step, story.evidence())
    changed = int((np.random.default_rng(3).permutation(y) != y).sum())
    assert finding.saw.startswith(f"{changed} of the 600 rows")
    assert (finding.proof, finding.level, finding.place.line) == ("arithmetic", "error", 5)
    assert "X, y = X[order], y[order]" in patched(story.evidence(), finding.edits[0])


def test_one_class_against_the_rest_may_change_its_labels():
    x, y = pictures()
    story = Story()
    for c in range(10):
        story.learn(x, (y == c).astype(np.int64))
    assert not found(labels_out_of_step, story.evidence())


def test_a_model_that_has_learnt_speaks_against_it():
    x, y = pictures()
    story = Story()
    story.learn(x, y)
    story.learn(x, np.roll(y, 1))
    story.judge(*pictures(200, seed=5), accuracy=0.95)
    assert not found(labels_out_of_step, story.evidence())


def evaluated(train_labels, test_labels, accuracy=0.1):
    x, y = pictures()
    x2, y2 = pictures(400, seed=5)
    story = Story()
    y, y2 = train_labels(y), test_labels(y2)
    story.learn(x, y)
    story.judge(x2, y2, accuracy=accuracy)
    return story.evidence(trained_on=examples(x, y), evaluated_on=examples(x2, y2))


def mixed(labels):
    return np.random.default_rng(7).permutation(labels)


def same(labels):
    return labels


def test_class_means_tell_whose_labels_are_out_of_step():
    (finding,) = found(labels_out_of_step, evaluated(mixed, same))
    assert "of the training labels fit their rows, no more than by chance, and 100% of those that judge" in finding.saw
    (finding,) = found(labels_out_of_step, evaluated(same, mixed))
    assert "of the labels that judge fit their rows, no more than by chance, and 100%" in finding.saw


def test_classes_that_are_counted_from_one_are_named():
    (finding,) = found(labels_out_of_step, evaluated(same, lambda labels: labels + 1))
    assert finding.saw == ("what is class 0 in training is class 1 in the evaluation, and so for 10 of the 10 classes")


def test_labels_in_step_and_labels_that_nobody_can_tell_are_left_alone():
    assert not found(labels_out_of_step, evaluated(same, same, accuracy=0.3))
    assert not found(labels_out_of_step, evaluated(mixed, mixed))


def test_with_both_parts_at_chance_a_line_that_moves_one_alone_is_a_suspicion():
    x, y = pictures()
    text = (
        "class D:\n    def __init__(self):\n        self.order = np.random.permutation(9)\n"
        "    def __getitem__(self, i):\n        return self.x[self.order[i]], self.y[i]\n"
    )
    story = Story(text)
    story.learn(x, mixed(y))
    (finding,) = found(labels_out_of_step, story.evidence(trained_on=examples(x, mixed(y))))
    assert finding.needs_proof
    assert "self.x[self.order[i]], self.y[self.order[i]]" in patched(story.evidence(), finding.edits[0])


# validation-inside-training


JUDGED = "X_valid = X[150:450]\nnet(X_valid)\nnet(rows)\nnet(X_train)\n"


@pytest.mark.parametrize("inside", [10, 150, 300])
def test_rows_in_both_parts_are_counted(inside):
    x, y = pictures()
    story = Story(JUDGED)
    story.learn(x, y)
    rows = np.concatenate([x[:inside], pictures(300, seed=8)[0][inside:]])
    story.judge(rows, y[:300], at="net(X_valid)")
    (finding,) = found(data.validation_inside_training, story.evidence())
    assert finding.saw == f"{inside} of the 300 rows that judge the model had been trained on before"
    assert (finding.proof, finding.place.line) == ("arithmetic", 1)


@pytest.mark.parametrize("at", ["net(rows)", "net(X_train)"])
def test_training_rows_that_nobody_calls_held_out_are_left_alone(at):
    x, y = pictures()
    story = Story(JUDGED)
    story.learn(x, y)
    story.judge(x[:200], y[:200], at=at)
    assert not found(data.validation_inside_training, story.evidence())


def test_rows_apart_rows_tested_before_they_are_learnt_and_natural_twins_are_left_alone():
    x, y = pictures()
    apart = Story(JUDGED)
    apart.learn(x[:400], y[:400])
    apart.judge(x[400:], y[400:], at="net(X_valid)")
    assert not found(data.validation_inside_training, apart.evidence())

    online = Story(JUDGED)
    for start in range(0, 600, 100):
        online.judge(x[start : start + 100], y[start : start + 100], at="net(X_valid)")
        online.learn(x[start : start + 100], y[start : start + 100])
    assert not found(data.validation_inside_training, online.evidence())

    coarse = np.round(x[:, :4])  # 16 different rows, in both parts
    twins = Story(JUDGED)
    twins.learn(coarse[:400], y[:400])
    twins.judge(coarse[400:], y[400:], at="net(X_valid)")
    assert not found(data.validation_inside_training, twins.evidence())


# raw-pixel-range


RAW = "raw = read()\nX = raw.float()\nX_train, X_test = X[:500], X[500:]\nfor e in range(9):\n    net(X_train)\n"


def raw_story(source=RAW):
    x, y = pictures()
    x = np.rint(255 * x / x.max()).astype(np.float32)
    story = Story(source)
    story.learn(x, y, at="net(X_train)")
    return story, x


def test_pixels_up_to_255_are_divided_once_where_they_became_floats():
    story, x = raw_story()
    made = (
        story.made("raw", "read()", x.astype(np.uint8)),
        story.made("X", "raw.float()", x),
        story.made("X_train", "X[:500], X[500:]", x[:500]),
    )
    evidence = story.evidence(made=made)
    (finding,) = found(raw_pixel_range, evidence)
    assert finding.needs_proof
    assert "65,025" in finding.so
    assert finding.instead == "X / 255"
    first, second = (patched(evidence, fix) for fix in finding.edits)
    assert "X = raw.float() / 255\nX_train, X_test = X[:500], X[500:]\n" in first
    assert "net(X_train / 255)" in second


def test_scaled_pixels_small_counts_indices_and_tables_are_left_alone():
    x, y = pictures()
    for rows in (x, np.rint(16 * x), np.rint(1000 * x), np.rint(200 * x)[:, :4]):
        story = Story(RAW)
        story.learn(rows.astype(np.float32), y, at="net(X_train)")
        assert not found(raw_pixel_range, story.evidence())
    story = Story(RAW)
    story.learn(np.rint(200 * x).astype(np.int64), y, at="net(X_train)")
    assert not found(raw_pixel_range, story.evidence())


# scaled-differently


def scales(change, accuracy=0.5, labelled=True):
    x, y = pictures()
    x2, y2 = pictures(300, seed=5)
    known = y2 if labelled else []
    story = Story("net(x)\n")
    story.learn(x, y)
    if labelled:
        story.judge(change(x2), y2, accuracy=accuracy, at="net(x)")
    else:
        story.forward("eval", change(x2), np.zeros(0, dtype=np.int64), "net(x)")
    return story.evidence(trained_on=examples(x, y), evaluated_on=examples(change(x2), known))


def test_another_scale_or_shift_of_the_same_pictures_is_said_in_numbers():
    (finding,) = found(scaled_differently, scales(lambda x: x * 255))
    assert finding.proof == "arithmetic"
    assert finding.saw.startswith("training rows run from 0.")
    assert "255 times larger" in finding.so or "25" in finding.so
    (finding,) = found(scaled_differently, scales(lambda x: x - 1))
    assert finding.so == "the model sees every row that judges it shifted"


def test_the_same_scale_a_little_noise_and_other_pictures_are_left_alone():
    noise = np.random.default_rng(0).normal(0, 0.05, (300, 20)).astype(np.float32)
    for change in (lambda x: x, lambda x: x + noise, lambda x: 1.2 * x, lambda x: 9 * np.roll(x, 7, axis=1)):
        assert not found(scaled_differently, scales(change))


def test_rows_without_labels_are_compared_by_their_mean_picture():
    (finding,) = found(scaled_differently, scales(lambda x: x * 255, labelled=False))
    assert "times larger" in finding.so
    for change in (lambda x: x, lambda x: 9 * np.roll(x, 7, axis=1)):
        assert not found(scaled_differently, scales(change, labelled=False))


def test_a_summary_of_the_builder_is_what_numpy_says():
    assert summary(np.array([[0.0, 2.0]])).mean == 1
