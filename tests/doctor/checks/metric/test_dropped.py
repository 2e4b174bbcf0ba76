"""Rows that never judge, and hits that are divided by a number that is not theirs."""

from dataclasses import replace

import numpy as np
import pytest

from byhand.doctor.checks.metric.dropped import evaluation_rows_dropped
from byhand.doctor.text import edits
from byhand.doctor.trace import Comparison, Made, Prediction, SourceFile
from tests.doctor.checks._traces import summary

LOADER = """\
test_dl = DataLoader(test_ds, batch_size=64, drop_last=True)
for xb, yb in test_dl:
    hits += (model(xb).argmax(1) == yb).sum()
print(f"test accuracy {hits / len(test_ds):.4f}")
"""
SLICES = """\
for i in range(len(X_test) // 50):
    xb, yb = X_test[i * 50 : (i + 1) * 50], y_test[i * 50 : (i + 1) * 50]
    hits += (model(xb).argmax(1) == yb).sum()
print(f"test accuracy {hits / len(X_test):.4f}")
"""


def told(evidence):
    return list(evaluation_rows_dropped(evidence))


def fixed(evidence, finding):
    return edits.apply(evidence.program, finding.edits[0])["main.py"]


@pytest.fixture
def judged(make_run, scored):
    """``judged(source, n, right, batch, line, ...)``: a training, one evaluation of n rows, and a printed line."""

    def make(source, n, right, batch, line, *, rows=None, drop_last=False, arrays=None):
        run = make_run(source)
        run.train(range(1000, 1300))
        loader = None
        if rows is not None:
            loader = run.loader("test_dl", rows, batch, at=source.splitlines()[0].partition("= ")[2])
            run.loaders[-1] = replace(run.loaders[-1], drop_last=drop_last)
        labels, scores = scored(n, right)
        order = np.random.default_rng(1).permutation(n)
        run.evaluate(range(n), labels[order], scores[order], batch=batch, loader=loader, at="model(xb)")
        run.print(line)
        made = tuple(Made(name, None, summary(np.zeros((length, 2))), 0) for name, length in (arrays or {}).items())
        return run.evidence(made=made, files=(SourceFile("main.py", None, ()),))

    return make


def test_a_loader_that_drops_its_last_batch_and_hits_over_all_rows(judged):
    evidence = judged(LOADER, 384, 360, 64, f"test accuracy {360 / 397:.4f}", rows=397, drop_last=True)
    (finding,) = told(evidence)
    assert (finding.level, finding.proof, finding.place.line) == ("error", "arithmetic", 1)
    assert "384 of the 397 rows of test_dl are judged, and their 360 hits are divided by 397" in finding.saw
    assert (finding.effect.before, finding.effect.after) == (pytest.approx(360 / 397, abs=1e-4), 360 / 384)
    assert "drop_last=False)" in fixed(evidence, finding)
    assert evidence.audit.accuracy.printed == pytest.approx(360 / 397, abs=1e-4)
    assert evidence.audit.accuracy.actual == 360 / 384


def test_an_honest_mean_of_the_rows_that_are_left_is_no_more_than_a_note_with_its_bounds(judged):
    evidence = judged(LOADER, 384, 360, 64, f"test accuracy {360 / 384:.4f}", rows=397, drop_last=True)
    (finding,) = told(evidence)
    assert finding.level == "note"
    assert f"between {360 / 397:.4f} and {373 / 397:.4f}" in finding.so


def test_a_large_part_that_is_left_out_is_a_warning(judged):
    (finding,) = told(judged(LOADER, 300, 280, 100, f"test accuracy {280 / 300:.4f}", rows=397, drop_last=True))
    assert finding.level == "warning"


def test_whole_batches_cut_by_hand(judged):
    evidence = judged(SLICES, 350, 340, 50, f"test accuracy {340 / 397:.4f}", arrays={"X_test": 397, "y_test": 397})
    (finding,) = told(evidence)
    assert (finding.level, finding.place.line) == ("error", 1)
    assert "350 of the 397 rows of X_test" in finding.saw
    assert fixed(evidence, finding).startswith("for i in range(-(-len(X_test) // 50)):")


def test_an_array_of_no_part_in_the_evaluation_tells_nothing(judged):
    assert not told(judged(SLICES, 350, 340, 50, f"test accuracy {340 / 350:.4f}", arrays={"other": 397}))


def test_the_first_thousand_of_many_are_a_sample(judged):
    arrays = {"X_test": 10_000}
    assert not told(judged(SLICES, 1000, 940, 50, "test accuracy 0.9400", arrays=arrays))
    source = SLICES.replace("len(X_test) // 50", "7").replace("X_test[i * 50 : (i + 1) * 50]", "X_test[:350][i:j]")
    assert not told(judged(source, 350, 340, 50, f"test accuracy {340 / 350:.4f}", arrays={"X_test": 397}))


FULL = LOADER.replace(", drop_last=True", "").replace("len(test_ds)", "(len(test_dl) * 64)")
FEWER = LOADER.replace(", drop_last=True", "").replace("len(test_ds)", "(len(test_ds) - 1)")


@pytest.mark.parametrize(("source", "by"), [(FULL, 448), (FEWER, 396)])
def test_hits_divided_by_full_batches_or_by_one_row_fewer(judged, source, by):
    evidence = judged(source, 397, 360, 64, f"test accuracy {360 / by:.4f}", rows=397)
    (finding,) = told(evidence)
    assert (finding.level, finding.place.line) == ("error", 4)
    assert f"360 hits among 397 rows are divided by {by}" in finding.saw
    assert finding.effect.after == 360 / 397
    if by == 396:
        assert 'print(f"test accuracy {hits / len(test_ds):.4f}")' in fixed(evidence, finding)


def test_all_rows_and_their_mean_are_right(judged):
    assert not told(judged(FULL, 397, 360, 64, f"test accuracy {360 / 397:.4f}", rows=397))
    assert not told(judged(FULL, 384, 360, 64, f"test accuracy {360 / 384:.4f}", rows=384))


def test_three_digits_are_too_few_to_tell_one_divisor_from_another(judged):
    assert not told(judged(FEWER, 397, 360, 64, f"test accuracy {360 / 396:.3f}", rows=397))


WINDOWS = """\
for i in range(len(X_test) // 20):
    xb, yb = X_test[i : i + 20], y_test[i : i + 20]
    total += (model(xb).argmax(1) == yb).mean()
print(f"test accuracy {total / (len(X_test) // 20):.4f}")
"""


def windows(make_run, scored, source, starts, *, length, size=20):
    """A training, and an evaluation of windows of rows that begin at some of them."""
    run = make_run(source)
    run.train(range(10_000, 10_300))
    labels, scores = scored(length, length - length // 10)
    for start in starts:
        rows = np.arange(start, start + size)
        run.evaluate(rows, labels[rows], scores[rows], at="model(xb)")
    run.print("test accuracy 0.9000")
    made = (Made("X_test", None, summary(np.zeros((length, 2))), 0),)
    return run.evidence(made=made, files=(SourceFile("main.py", None, ()),))


def test_batches_that_begin_one_row_after_another(make_run, scored):
    evidence = windows(make_run, scored, WINDOWS, range(20), length=400)
    (finding,) = told(evidence)
    assert (finding.level, finding.place.line) == ("warning", 2)
    assert (
        "begins 1 row after the one before: 39 of the 400 rows of X_test are judged, most of them 20 t" in finding.saw
    )
    assert "xb, yb = X_test[i * 20 : (i + 1) * 20], y_test[i * 20 : (i + 1) * 20]" in finding.instead
    assert evidence.audit.main.n == 400


def test_windows_that_go_on_to_the_end_judge_all_rows(make_run, scored):
    source = WINDOWS.replace("len(X_test) // 20", "0, len(X_test) - 20, 10")
    assert not told(windows(make_run, scored, source, range(0, 390, 10), length=400))


def test_batches_one_after_another_are_no_windows(make_run, scored):
    assert not told(windows(make_run, scored, WINDOWS, range(0, 400, 20), length=400))


ONE_BY_ONE = """\
for n in range(len(X_test)):
    if model(X_test[n]).argmax() == y_test[n]:
        hits += 1
print("test accuracy", hits / n)
"""


def test_rows_one_by_one_and_hits_divided_by_the_last_index(make_run, scored):
    run = make_run(ONE_BY_ONE)
    run.train(range(1000, 1300))
    labels, scores = scored(400, 300)
    run.evaluate(np.arange(400), labels, scores, batch=1, at="model(X_test[n])", compare=None)
    index = run.forwards[-1].index
    run.predictions += [
        Prediction(one.index, None, "argmax", 1, scores[i : i + 1], scores[i : i + 1].argmax(1))
        for i, one in enumerate(run.forwards[-400:])
    ]
    last = len(run.predictions) - 1
    run.comparisons.append(Comparison(index, last, None, "==", (400,), (400,), (400,), 300, 400, labels))
    run.print(f"test accuracy {300 / 399:.8f}")
    (finding,) = told(run.evidence(files=(SourceFile("main.py", None, ()),)))
    assert (finding.level, finding.place.line) == ("error", 4)
    assert "300 hits among 400 rows are divided by 399" in finding.saw
