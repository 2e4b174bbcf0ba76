"""The best of many evaluations of the same rows as the result, and programs that choose by other rows."""

import numpy as np
import pytest

from byhand.doctor.checks import selection
from byhand.doctor.trace import SourceFile

RIGHT = (240, 262, 268, 276, 270, 267, 271, 268)  # of 300, by epoch: the best is the fourth
SOURCE = """\
best = 0
for epoch in range(8):
    train()
    acc = accuracy(model(x_test), y_test)
    if acc > best:
        best = acc
print(f"test accuracy {best:.4f}")
"""


def told(run):
    return list(selection.test_set_selection(run.evidence(files=(SourceFile("main.py", None, ()),))))


@pytest.fixture
def epochs(make_run, scored):
    """``epochs(source, right)``: an evaluation of the same 300 rows after each epoch."""

    def make(source=SOURCE, right=RIGHT):
        run = make_run(source)
        for count in right:
            run.train(range(1000, 1300))
            run.evaluate(range(300), *scored(300, count), at="model(x_test)")
        return run

    return make


def test_the_best_epoch_is_reported(epochs):
    run = epochs()
    run.print("test accuracy 0.9200")
    (finding,) = told(run)
    assert (finding.level, finding.place.line) == ("warning", 5)
    assert "0.9200 is the best of 8 evaluations of the same 300 rows; the last of them gives 0.8933" in finding.saw
    assert "0.9200 is 0.0" in finding.so
    assert "one standard error of 300 rows is 0.0" in finding.so


def test_max_is_its_place(epochs):
    source = SOURCE.replace("    if acc > best:\n        best = acc\n", "    accs.append(acc)\n").replace(
        "{best", "{max(accs)"
    )
    run = epochs(source)
    run.print("test accuracy 0.9200")
    (finding,) = told(run)
    assert finding.place.line == 6


def test_luck_below_half_a_standard_error_is_a_note(epochs):
    run = epochs(right=(240, 262, 268, 270, 269, 269, 269, 269))
    run.print("test accuracy 0.9000")
    (finding,) = told(run)
    assert finding.level == "note"
    assert finding.so.startswith("harmless here")


def test_the_last_number_is_honest_though_every_epoch_was_judged(epochs):
    run = epochs(SOURCE.replace("{best", "{acc"))
    run.print("test accuracy 0.8933")
    assert not told(run)


def test_two_evaluations_choose_nothing(epochs):
    run = epochs(right=(276, 270))
    run.print("test accuracy 0.9200")
    assert not told(run)


def test_weights_that_were_kept_from_the_best_moment_are_seen_by_their_scores(epochs, scored):
    run = epochs(SOURCE.replace("{best", "{acc"))
    run.clock += 1
    run.evaluate(range(300), *scored(300, 276), at="model(x_test)")
    run.print("test accuracy 0.9200")
    (finding,) = told(run)
    assert "the best of 9 evaluations" in finding.saw


def test_a_third_part_chooses(epochs, scored):
    run = epochs()
    run.evaluate(range(300, 600), *scored(300, 264, seed=1), loader=run.loader("kept"))
    run.print("test accuracy 0.9200")
    assert not told(run)


def test_validation_rows_are_there_to_choose_by(epochs):
    run = epochs(SOURCE.replace("test", "valid"))
    run.print("best validation accuracy 0.9200")
    assert not told(run)


def test_a_number_of_the_training_rows_that_happens_to_be_the_same(epochs):
    run = epochs()
    run.print("train accuracy 0.9200")
    assert not told(run)


def test_rows_in_another_order_are_the_same_rows(make_run, scored):
    run, rng = make_run(SOURCE), np.random.default_rng(0)
    for count in RIGHT:
        run.train(range(1000, 1300))
        labels, scores = scored(300, count)
        order = rng.permutation(300)
        run.evaluate(np.arange(300)[order], labels[order], scores[order], at="model(x_test)")
    run.print("test accuracy 0.9200")
    assert told(run)
