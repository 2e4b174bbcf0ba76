"""The audit against counts made here by hand, and the readings that it must not make."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from byhand.doctor.audit import scores as tables
from byhand.doctor.audit.audit import audit
from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.reading.course import best, course
from byhand.doctor.text.program import Program, Unit
from byhand.doctor.trace import Comparison, Prediction


def test_a_pass_is_exact_whatever_the_batches_are(make_run, scored):
    labels, scores = scored(300, 271)
    for batch in (300, 128, 1):
        run = make_run()
        run.train(range(1000, 1500))
        run.evaluate(range(300), labels, scores, batch=batch, loader=run.loader("dl"))
        (only,) = run.evidence().audit.passes
        assert (only.n, only.on, only.share) == (300, "held-out", 0)
        assert only.accuracy == 271 / 300
        np.testing.assert_array_equal(only.right, np.arange(300) < 271)
        np.testing.assert_array_equal(only.labels, labels)


def test_the_loss_is_that_of_an_independent_formula(make_run, scored):
    labels, logits = scored(50, 40)
    expected = np.mean([np.log(np.exp(z).sum()) - z[y] for z, y in zip(logits.astype(np.float64), labels, strict=True)])
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    for table, kind in (
        (logits, "logits"),
        (probs, "probabilities"),
        (np.log(probs), "log-probabilities"),
        (-np.log(probs), "negative log-probabilities"),
    ):
        run = make_run()
        run.evaluate(range(50), labels, table, name="argmin" if kind.startswith("neg") else "argmax")
        main = run.evidence().audit.main
        assert main.loss_of == kind
        assert main.loss == pytest.approx(expected, rel=1e-5)
        assert main.accuracy == 0.8


def test_a_sigmoid_output_is_no_distribution():
    assert tables.kind(np.array([[0.9, 0.8], [0.1, 0.2]], dtype=np.float32)) is None


def test_columns_of_samples_are_understood(make_run, scored):
    labels, scores = scored(120, 90)
    run = make_run()
    run.evaluate(range(120), labels, scores, axis=0, columns=True, batch=50, loader=run.loader("dl"))
    assert run.evidence().audit.main.accuracy == 0.75


def test_square_batches_follow_the_other_tables_of_the_run(make_run, scored):
    labels, scores = scored(100, 90)
    run = make_run()
    run.evaluate(range(100), labels, scores, axis=0, columns=True, batch=10, loader=run.loader("dl"))
    assert run.evidence().audit.main.accuracy == 0.9  # by the labels alone
    run.evaluate(range(200, 225), labels[:25], scores[:25], axis=0, columns=True)
    assert run.evidence().audit.passes[0].accuracy == 0.9


def test_argmin_over_distances_is_the_prediction(make_run, scored):
    labels, scores = scored(60, 54)
    run = make_run()
    run.evaluate(range(60), labels, 50 - scores, name="argmin")
    main = run.evidence().audit.main
    assert main.smallest
    assert main.accuracy == 0.9


def test_labels_in_one_hot_form_are_no_scores(make_run, scored):
    labels, scores = scored(60, 54)
    run = make_run()
    run.evaluate(range(60), labels, scores)
    run.predictions.append(Prediction(0, None, "argmax", 1, np.eye(10, dtype=np.float32)[labels], labels))
    assert run.evidence().audit.main.accuracy == 0.9


def test_a_rival_on_the_same_rows_is_not_the_model(make_run, scored):
    labels, scores = scored(60, 54)
    run = make_run()
    run.evaluate(range(60), labels, scores)
    run.predictions.append(Prediction(0, None, "argmin", 1, -scores[::-1], (-scores[::-1]).argmin(axis=1)))
    run.comparisons.append(Comparison(0, 1, None, "==", (60,), (60,), (60,), 5, 60, labels))
    assert run.evidence().audit.main.accuracy == 0.9


def test_one_row_at_a_time(make_run, scored):
    labels, scores = scored(40, 30)
    run = make_run()
    run.forward("eval", range(40), labels, None, None)
    run.predictions = [Prediction(0, None, "argmax", 0, row, np.asarray(row.argmax())) for row in scores]
    assert run.evidence().audit.passes[0].accuracy == 0.75


def test_a_python_loop_over_the_rows_of_a_batch(make_run, scored):
    labels, scores = scored(40, 30)
    run = make_run()
    run.forward("eval", range(40), None, None, None)
    for row, label in zip(scores, labels, strict=True):
        run.predictions.append(Prediction(0, None, "argmax", 0, row, np.asarray(row.argmax())))
        hit = int(row.argmax() == label)
        run.comparisons.append(Comparison(0, len(run.predictions) - 1, None, "==", (), (), (), hit, 1, label[None]))
    assert run.evidence().audit.main.accuracy == 0.75


def test_scores_collected_over_the_loop_belong_to_the_pass(make_run, scored):
    labels, scores = scored(100, 80)
    run = make_run()
    run.evaluate(range(100), labels, scores, batch=30, compare=None, loader=run.loader("dl"))
    run.predictions = [Prediction(3, None, "argmax", 1, scores, scores.argmax(axis=1))]
    run.comparisons = [Comparison(3, 0, None, "==", (100,), (100,), (100,), 80, 100, labels)]
    (only,) = run.evidence().audit.passes
    assert only.accuracy == 0.8
    assert len(only.batches) == 4


class TestGrouping:
    def test_another_clock_another_loader_or_the_same_rows_again_begin_a_pass(self, make_run, scored):
        labels, scores = scored(100, 80)
        run = make_run()
        valid, test = run.loader("valid"), run.loader("test")
        for _ in range(2):
            run.train(range(1000, 1200))
            run.evaluate(range(100), labels, scores, batch=40, loader=valid)
        run.evaluate(range(100), labels, scores, batch=40, loader=valid)
        run.evaluate(range(200, 300), labels, scores, batch=40, loader=test)
        assert [one.n for one in run.evidence().audit.passes] == [100] * 4

    def test_slices_by_hand_of_two_parts_are_two_passes(self, make_run, scored):
        labels, scores = scored(100, 80)
        run = make_run()
        run.train(range(1000, 1100))
        run.evaluate(range(1000, 1100), labels, scores, batch=32, at="model(x)")
        run.evaluate(range(100), labels, scores, batch=32, at="model(x)")
        assert [(one.n, one.on) for one in run.evidence().audit.passes] == [(100, "training"), (100, "held-out")]

    def test_two_calls_of_one_helper_are_two_passes(self, make_run, scored):
        source = "def accuracy(x):\n    return model(x)\naccuracy(a)\naccuracy(b)\n"
        labels, scores = scored(50, 40)
        run = make_run(source)
        run.evaluate(range(50), labels, scores, at=("model(x)", "accuracy(a)"))
        run.evaluate(range(50, 100), labels, scores, at=("model(x)", "accuracy(b)"))
        assert [one.n for one in run.evidence().audit.passes] == [50, 50]

    def test_the_same_batch_twice_is_a_pass_beside_the_first(self, make_run, scored):
        labels, scores = scored(90, 80)
        run = make_run()
        loader = run.loader("dl")
        for start in range(0, 90, 30):
            for _ in range(2):
                part = slice(start, start + 30)
                run.evaluate(range(start, start + 30), labels[part], scores[part], loader=loader)
        assert [one.n for one in run.evidence().audit.passes] == [90, 90]

    def test_a_printed_accuracy_after_each_part_separates_them(self, make_run, scored):
        labels, scores = scored(50, 40)
        more, better = scored(50, 45, seed=1)
        run = make_run()
        run.evaluate(range(50), labels, scores)
        run.print("validation 0.800")
        run.evaluate(range(50, 100), more, better)
        run.print("test 0.900")
        assert [one.accuracy for one in run.evidence().audit.passes] == [0.8, 0.9]

    def test_a_running_accuracy_does_not(self, make_run, scored):
        labels, scores = scored(100, 60)
        run = make_run()
        run.evaluate(range(100), labels, scores, batch=50, show="batch accuracy {:.3f}")
        run.print("all 0.600")
        assert [one.n for one in run.evidence().audit.passes] == [100]


class TestMain:
    def test_the_last_on_held_out_rows_and_no_demonstration(self, make_run, scored):
        labels, scores = scored(100, 80)
        run = make_run()
        run.train(range(1000, 1100))
        run.evaluate(range(100), labels, scores, loader=run.loader("test"))
        run.evaluate(range(1000, 1100), labels, scores, loader=run.loader("train"))
        run.evaluate(range(5), labels[:5], scores[:5], loader=run.loader("shown"))
        assert run.evidence().audit.main.first == 2

    def test_of_the_model_trained_last(self, make_run, scored):
        labels, scores = scored(100, 80)
        run = make_run()
        run.train(range(1000, 1100), training=0)
        run.evaluate(range(100), labels, scores, training=0)
        run.train(range(1000, 1100), training=1)
        run.evaluate(range(100), labels, scores, training=1)
        seen = run.evidence().audit
        assert seen.main is seen.passes[1]

    def test_training_rows_where_there_are_no_others(self, make_run, scored):
        labels, scores = scored(100, 80)
        run = make_run()
        run.train(range(100))
        run.evaluate(range(100), labels, scores)
        assert run.evidence().audit.main.on == "training"

    def test_nothing_ran(self, make_run):
        run = make_run()
        seen = audit(run.trace())
        assert (seen.main, seen.accuracy, seen.passes, seen.misprints) == (None, None, (), ())


class TestPrinted:
    @pytest.mark.parametrize(
        "line",
        [
            "accuracy 0.9033",
            "test acc: 90.33%",
            "Accuracy of the network: 90.33 %",
            "271/300 right",
            "error rate 0.0967",
            "0.9033333333",
            "Accuracy (percent): 90.3333",
        ],
    )
    def test_an_honest_number_is_found_in_any_form(self, make_run, scored, line):
        labels, scores = scored(300, 271)
        run = make_run()
        run.evaluate(range(300), labels, scores, batch=128, loader=run.loader("dl"))
        run.print(line)
        seen = run.evidence().audit
        assert seen.misprints == ()
        assert seen.accuracy.printed == pytest.approx(271 / 300, abs=1e-4)
        assert (seen.accuracy.actual, seen.accuracy.n) == (271 / 300, 300)

    @pytest.mark.parametrize("line", ["epoch 3 loss 0.41", "0.93", "f1 score 0.9273", "took 0.9271 seconds"])
    def test_an_unknown_number_is_not_judged(self, make_run, scored, line):
        labels, scores = scored(300, 271)
        run = make_run()
        run.evaluate(range(300), labels, scores, batch=128, loader=run.loader("dl"))
        run.print(line)
        seen = run.evidence().audit
        assert seen.misprints == ()
        assert seen.accuracy.printed is None

    def test_two_decimals_prove_nothing_once_and_something_often(self, make_run, scored):
        run = make_run()
        loader = run.loader("dl")
        for epoch, right in enumerate((150, 180, 200, 220, 235)):
            run.train(range(1000, 1100))
            labels, scores = scored(259, right, seed=epoch)
            run.evaluate(range(259), labels, scores, batch=128, loader=loader)
            hits = scores.argmax(axis=1) == labels
            run.print(f"valid accuracy {np.mean([hits[s : s + 128].mean() for s in (0, 128, 256)]):.2f}")
            assert len(run.evidence().audit.misprints) == (epoch > 1)

    def test_the_best_of_earlier_evaluations_may_be_printed(self, make_run, scored):
        run = make_run()
        loader = run.loader("dl")
        for right in (250, 240):
            run.train(range(1000, 1100))
            run.evaluate(range(259), *scored(259, right), batch=128, loader=loader)
        run.print(f"best accuracy {250 / 259:.4f}")
        assert run.evidence().audit.misprints == ()

    def test_a_number_that_was_rounded_before_it_was_printed(self, make_run, scored):
        run = make_run()
        run.evaluate(range(300), *scored(300, 271))
        run.print("accuracy 0.9033")
        run.printed[-1] = replace(run.printed[-1], values=(0.9033,))
        assert run.evidence().audit.accuracy.printed == 0.9033

    def test_parts_of_the_data_that_one_line_tells_of(self, make_run, scored):
        run = make_run()
        run.evaluate(range(50), *scored(50, 40))
        run.evaluate(range(50, 100), *scored(50, 45, seed=1))
        run.print("valid 0.80, test 0.90")
        assert [one.accuracy for one in run.evidence().audit.passes] == [0.8, 0.9]


ONLY_LEARNING = """
import numpy as np
rng = np.random.default_rng(0)
y = rng.integers(0, 4, 500)
x = rng.normal(size=(4, 6))[y] * 2 + rng.normal(size=(500, 6))
w = np.zeros((6, 4))
for step in range(60):
    z = x @ w
    e = np.exp(z - z.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    if step % 5 == 0:
        print("accuracy", np.mean(np.argmax(p, axis=1) == y))
    p[np.arange(500), y] -= 1
    w -= 0.01 * (x.T @ p) / 500
for row in range(3):
    print(np.argmax(x[row:row + 1] @ w, axis=1))
"""


def test_a_program_that_judges_no_rows_but_those_that_it_learns_from(watched):
    trace = watched(ONLY_LEARNING)
    program = Program(Path("main.py"), (Unit("main.py", None, ONLY_LEARNING, ONLY_LEARNING),))
    seen = audit(trace)
    assert seen.accuracy.learning
    assert seen.accuracy.n == 500  # each row once
    assert seen.accuracy.printed == pytest.approx(float(trace.printed[11].text.split()[1]))
    assert seen.measured is not seen.main
    evidence = Evidence(program, trace, seen)
    how = course(evidence, best(evidence))
    assert how.first == pytest.approx(np.log(4), rel=1e-3)
    assert how.last < how.first
