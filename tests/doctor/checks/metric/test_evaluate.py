"""Each check on traces that have its fault, and on traces that only look like it."""

import re

import numpy as np
import pytest

from byhand.doctor.checks.metric import evaluate, predictions
from byhand.doctor.text import edits

CHECKS = [
    evaluate.broadcast_accuracy,
    evaluate.mean_of_batch_means,
    evaluate.sum_of_means_over_count,
    evaluate.last_batch_metric,
    evaluate.evaluated_on_training_rows,
    predictions.argmin_as_prediction,
    predictions.argmax_over_batch,
    predictions.constant_answer,
]


def findings(evidence):
    return [finding for check in CHECKS for finding in check(evidence)]


def only(evidence):
    (finding,) = findings(evidence)
    assert finding.proof == "arithmetic"
    return finding


def fixed(evidence, finding):
    """The source with the finding's fix."""
    return edits.apply(evidence.program, finding.edits[0])["main.py"]


def means(scores, labels, batch):
    hits = scores.argmax(axis=1) == labels
    return [hits[start : start + batch].mean() for start in range(0, len(labels), batch)]


BROADCAST = """\
def batch_accuracy(scores, yb):
    preds = scores.argmax(dim=1)
    return (preds == yb).float().mean()

print(f"{torch.stack(accs).mean():.4f}")
"""


class TestBroadcast:
    def test_the_matrix_is_found_and_the_column_squeezed(self, make_run, scored):
        labels, scores = scored(300, 270)
        run = make_run(BROADCAST)
        run.train(range(1000, 1300))
        at = {"at_comparison": "preds == yb", "loader": run.loader("dl")}
        run.evaluate(range(300), labels, scores, batch=100, compare="broadcast", **at)
        wrong = np.mean([c.equal / c.total for c in run.comparisons])
        run.print(f"{wrong:.4f}")
        seen = run.evidence()
        finding = only(seen)
        assert (finding.check, finding.level, finding.place.line) == ("broadcast-accuracy", "error", 3)
        assert "preds [100] == yb [100, 1] gives [100, 100]" in finding.saw
        assert (finding.effect.before, finding.effect.after) == (pytest.approx(wrong, abs=1e-4), 0.9)
        assert "return (preds == yb.squeeze(1)).float().mean()" in fixed(seen, finding)
        assert seen.audit.accuracy.printed == pytest.approx(wrong, abs=1e-4)
        assert seen.audit.accuracy.actual == 0.9

    def test_it_is_found_without_a_printed_number(self, make_run, scored):
        run = make_run(BROADCAST)
        run.evaluate(range(300), *scored(300, 270), compare="broadcast", at_comparison="preds == yb")
        assert only(run.evidence()).level == "error"

    def test_columns_with_columns_are_right(self, make_run, scored):
        run = make_run(BROADCAST)
        run.evaluate(range(300), *scored(300, 270), batch=100, compare="columns", loader=run.loader("dl"))
        run.print("0.9000")
        assert findings(run.evidence()) == []

    def test_a_comparison_with_the_list_of_classes_is_meant(self, make_run, scored):
        _, scores = scored(10, 9)
        run = make_run()
        run.evaluate(range(10), np.arange(10), scores, compare="broadcast", known=False)
        assert findings(run.evidence()) == []


MEANS = """\
accs = []
for xb, yb in test_dl:
    accs.append((model(xb).argmax(1) == yb).mean())
accuracy = np.mean(accs)
print(f"test accuracy {accuracy:.4f}")
"""


class TestMeanOfBatchMeans:
    def run(self, make_run, scored, n, right, batch, digits=4):
        labels, scores = scored(n, right)
        run = make_run(MEANS)
        run.train(range(1000, 1300))
        run.evaluate(range(n), labels, scores, batch=batch, loader=run.loader("test_dl"))
        run.print(f"test accuracy {np.mean(means(scores, labels, batch)):.{digits}f}")
        return run.evidence()

    def test_a_short_last_batch(self, make_run, scored):
        seen = self.run(make_run, scored, 259, 240, 128)
        finding = only(seen)
        assert (finding.check, finding.level, finding.place.line) == ("mean-of-batch-means", "error", 4)
        assert finding.effect.after == 240 / 259
        assert seen.audit.accuracy.printed == pytest.approx((1 + 112 / 128 + 0) / 3, abs=1e-4)

    def test_batches_of_one_size_are_right(self, make_run, scored):
        assert findings(self.run(make_run, scored, 256, 240, 128)) == []

    def test_a_difference_below_a_tenth_of_a_point_is_a_note(self, make_run, scored):
        labels, scores = scored(5050, 4700)
        order = np.random.default_rng(4).permutation(5050)
        labels, scores = labels[order], scores[order]
        run = make_run(MEANS)
        run.evaluate(range(5050), labels, scores, batch=100, loader=run.loader("test_dl"))
        wrong = np.mean(means(scores, labels, 100))
        assert 1e-4 < abs(wrong - 4700 / 5050) < 1e-3
        run.print(f"test accuracy {wrong:.4f}")
        assert only(run.evidence()).level == "note"

    def test_what_the_digits_do_not_show_is_not_told(self, make_run, scored):
        assert findings(self.run(make_run, scored, 259, 240, 128, digits=1)) == []

    def test_a_running_mean_of_training_is_no_evaluation(self, make_run):
        run = make_run(MEANS)
        run.train(range(130), batch=64, losses=[0.9, 0.8, 0.1])
        run.print("loss 0.6000")
        assert findings(run.evidence()) == []


SUMS = """\
for xb, yb in loader:
    test_loss += cross_entropy(model(xb), yb).item()
test_loss /= len(loader.dataset)
print(f"average loss: {test_loss:.5f}")
"""


class TestSumOfMeansOverCount:
    def test_means_over_rows(self, make_run, scored):
        run = make_run(SUMS)
        loader = run.loader("loader")
        for _ in range(2):
            run.train(range(1000, 1300))
            run.evaluate(range(300), *scored(300, 270), batch=50, reduction="mean", loader=loader)
            exact = np.mean([call.value for call in run.loss_calls])
            run.print(f"average loss: {6 * exact / 300:.5f}")
        seen = run.evidence()
        finding = only(seen)
        assert (finding.check, finding.level, finding.place.line) == ("sum-of-means-over-count", "error", 3)
        assert "50 times too small" in finding.so
        assert finding.effect.after == pytest.approx(exact)
        assert "test_loss /= len(loader)\n" in fixed(seen, finding)

    def test_sums_over_rows_are_right(self, make_run, scored):
        run = make_run(SUMS)
        run.evaluate(range(300), *scored(300, 270), batch=50, reduction="sum", loader=run.loader("loader"))
        run.print(f"average loss: {sum(call.value for call in run.loss_calls) / 300:.5f}")
        assert findings(run.evidence()) == []

    def test_of_the_training_too(self, make_run):
        run = make_run(SUMS)
        for losses in ([2.3, 2.0, 1.5, 1.2], [1.1, 1.0, 0.9, 0.8]):
            run.train(range(256), losses=losses)
            run.print(f"average loss: {sum(losses) / 256:.5f}")
        assert only(run.evidence()).check == "sum-of-means-over-count"

    @pytest.mark.parametrize(("first", "count"), [(2.3, 1), (2.3 * 64, 0)])
    def test_a_loss_by_hand_is_a_mean_or_a_sum_by_its_start(self, make_run, first, count):
        run = make_run(SUMS)
        labels = np.arange(256) % 10
        for losses in (first * np.array([1, 0.8, 0.7, 0.6]), first * np.array([0.5, 0.4, 0.35, 0.3])):
            run.train(range(256), labels=labels, losses=losses, call=False)
            run.print(f"average loss: {losses.sum() / 256:.5f}")
        assert len(findings(run.evidence())) == count


LAST = """\
for xb, yb in test_dl:
    preds = model(xb).argmax(1)
    accuracy = (preds == yb).float().mean()
print(f"test accuracy {accuracy:.4f}")
"""


class TestLastBatch:
    def test_the_batch_that_the_loop_left_behind(self, make_run, scored):
        run = make_run("print(accuracy(model(xb), yb))\n")
        run.train(range(300), batch=64)
        run.evaluate(range(256, 300), *scored(44, 40), at=("model(xb)", "accuracy(model(xb), yb)"))
        (finding,) = findings(run.evidence())
        assert (finding.check, finding.level, finding.proof) == ("last-batch-metric", "warning", None)
        assert "the last 44 of the 300" in finding.saw
        run.evaluate(range(1000, 1300), *scored(300, 270))
        assert findings(run.evidence()) == []

    def test_a_batch_of_its_own_or_all_rows_are_not_left_behind(self, make_run, scored):
        for rows, batch in ((range(64), 64), (range(300), 300)):
            run = make_run()
            run.train(range(300), batch=batch)
            run.evaluate(rows, *scored(len(rows), 50))
            assert findings(run.evidence()) == []

    def test_the_last_of_several(self, make_run, scored):
        labels, scores = scored(300, 270)
        run = make_run(LAST)
        run.train(range(1000, 1300))
        run.evaluate(range(300), labels, scores, batch=128, loader=run.loader("test_dl"), at_comparison="(preds == yb)")
        run.print(f"test accuracy {means(scores, labels, 128)[-1]:.4f}")
        finding = only(run.evidence())
        assert (finding.check, finding.level, finding.place.line) == ("last-batch-metric", "error", 3)
        assert "the last 44 of 300 rows" in finding.saw
        assert finding.effect.after == 0.9

    def test_the_only_one_that_was_compared(self, make_run, scored):
        labels, scores = scored(300, 270)
        run = make_run(LAST)
        run.evaluate(range(300), labels, scores, batch=128, loader=run.loader("test_dl"), compare="last")
        run.print(f"test accuracy {means(scores, labels, 128)[-1]:.4f}")
        finding = only(run.evidence())
        assert finding.check == "last-batch-metric"
        assert finding.effect is None

    def test_each_batch_as_it_goes_by(self, make_run, scored):
        run = make_run()
        run.evaluate(range(300), *scored(300, 270), batch=128, loader=run.loader("dl"), show="batch accuracy {:.4f}")
        assert findings(run.evidence()) == []

    def test_validation_and_test_rows_in_one_line(self, make_run, scored):
        run = make_run("def accuracy(x):\n    return model(x)\n")
        run.train(range(1000, 1300))
        run.evaluate(range(300), *scored(300, 270), at="model(x)")
        run.evaluate(range(300, 600), *scored(300, 255, seed=1), at="model(x)")
        run.print("valid accuracy 0.9000, test accuracy 0.8500")
        assert findings(run.evidence()) == []


ON_TRAINING = """\
test_x, test_y = load("test")
def accuracy(x, y):
    return (model(x).argmax(1) == y).mean()
test_accuracy = accuracy(train_x, train_y)
print(f"accuracy {test_accuracy:.4f}")
test_y = 0
"""


class TestTrainingRows:
    def run(self, make_run, scored, line, rows=range(300), source=ON_TRAINING, loader=None):
        labels, scores = scored(300, 270)
        run = make_run(source)
        run.train(range(300))
        index = run.loader(loader) if loader else None
        run.evaluate(rows, labels, scores, at=("model(x)", "accuracy(train_x, train_y)"), loader=index)
        run.print(line)
        return run.evidence()

    def test_by_the_name_of_the_result(self, make_run, scored):
        seen = self.run(make_run, scored, "accuracy 0.9000")
        finding = only(seen)
        assert (finding.check, finding.level, finding.place.line) == ("evaluated-on-training-rows", "error", 4)
        assert "test_accuracy = accuracy(test_x, test_y)" in fixed(seen, finding)

    @pytest.mark.parametrize("line", ["Test acc 0.9000", "epoch 1 val_acc: 90.00%", "validation error 0.1000"])
    def test_by_the_words_of_the_line(self, make_run, scored, line):
        assert only(self.run(make_run, scored, line, source="")).check == "evaluated-on-training-rows"

    def test_by_the_name_of_the_loader(self, make_run, scored):
        assert only(self.run(make_run, scored, "accuracy 0.9000", source="", loader="test_loader"))

    @pytest.mark.parametrize("line", ["train accuracy 0.9000", "Training acc: 90.00%", "accuracy 0.9000"])
    def test_a_training_accuracy_under_its_own_name(self, make_run, scored, line):
        assert findings(self.run(make_run, scored, line, source="")) == []

    @pytest.mark.parametrize(("call", "count"), [("test()", 1), ("test(train_x)", 0), ("show()", 0)])
    def test_by_the_function_that_judges(self, make_run, scored, call, count):
        head = re.sub(r"\(.*", "", call)
        source = f'def {head}(rows=data):\n    hits = model(rows)\n    print(f"accuracy {{hits:.4f}}")\n\n\n{call}\n'
        run = make_run(source)
        run.train(range(300))
        run.evaluate(range(300), *scored(300, 270), at=("model(rows)", f"{call}"))
        run.print("accuracy 0.9000")
        assert [one.check for one in findings(run.evidence())] == ["evaluated-on-training-rows"] * count

    def test_one_head_for_two_numbers(self, make_run, scored):
        source = 'print("train acc, test acc | " + str(train_acc) + ", " + str(test_acc))\n'
        run = make_run(source)
        run.train(range(300))
        run.evaluate(range(300), *scored(300, 270), at="print(")
        run.evaluate(range(300, 600), *scored(300, 255, seed=1), at="print(")
        run.print("train acc, test acc | 0.9, 0.85")
        assert findings(run.evidence()) == []

    @pytest.mark.parametrize("rows", [range(1000, 1300), range(30, 330)])
    def test_held_out_rows_some_of_them_seen(self, make_run, scored, rows):
        assert findings(self.run(make_run, scored, "test accuracy 0.9000", rows=rows)) == []

    def test_a_fold_of_rows_that_were_trained_on_in_another_fold(self, make_run, scored):
        labels, scores = scored(60, 54)
        run = make_run()
        run.train(range(300))
        run.evaluate(range(60), labels, scores)
        run.print("test accuracy 0.9000")
        assert findings(run.evidence()) == []


class TestChoice:
    def test_argmin_over_probabilities(self, make_run, scored):
        labels, scores = scored(300, 270)
        source = "preds = probs.argmin(dim=1)\nprint(accuracy)\n"
        run = make_run(source)
        probs = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        run.evaluate(range(300), labels, probs, name="argmin", at_prediction="probs.argmin(dim=1)")
        run.print(f"accuracy {(probs.argmin(axis=1) == labels).mean():.4f}")
        seen = run.evidence()
        finding = only(seen)
        assert (finding.check, finding.place.line) == ("argmin-as-prediction", 1)
        assert fixed(seen, finding).startswith("preds = probs.argmax(dim=1)")
        assert finding.effect.after == 0.9

    def test_min_over_logits(self, make_run, scored):
        labels, scores = scored(300, 270)
        run = make_run("_, preds = torch.min(out, 1)\n")
        run.evaluate(range(300), labels, scores, name="min", at_prediction="torch.min(out, 1)")
        seen = run.evidence()
        assert fixed(seen, only(seen)) == "_, preds = torch.max(out, 1)\n"

    @pytest.mark.parametrize("of", ["losses", "distances"])
    def test_argmin_where_small_is_likely(self, make_run, scored, of):
        labels, scores = scored(300, 270)
        probs = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        run = make_run()
        run.evaluate(range(300), labels, -np.log(probs) if of == "losses" else 20 - scores, name="argmin")
        run.print("accuracy 0.9000")
        assert findings(run.evidence()) == []

    def test_argmin_of_a_model_that_knows_nothing(self, make_run):
        rng = np.random.default_rng(0)
        run = make_run()
        run.evaluate(range(300), rng.integers(0, 10, 300), rng.normal(size=(300, 10)), name="argmin")
        assert findings(run.evidence()) == []

    def test_argmax_down_the_batch(self, make_run, scored):
        labels, scores = scored(300, 270)
        run = make_run("preds = torch.argmax(out, dim=0)\n")
        run.evaluate(
            range(300), labels, scores, batch=10, axis=0, loader=run.loader("dl"),
            at_prediction="torch.argmax(out, dim=0)",
        )  # fmt: skip
        seen = run.evidence()
        finding = only(seen)
        assert (finding.check, finding.place.line) == ("argmax-over-batch", 1)
        assert fixed(seen, finding) == "preds = torch.argmax(out, dim=1)\n"

    def test_argmax_of_columns_is_right(self, make_run, scored):
        run = make_run()
        run.evaluate(range(300), *scored(300, 270), batch=10, axis=0, columns=True, loader=run.loader("dl"))
        run.print("accuracy 0.9000")
        assert findings(run.evidence()) == []

    def test_one_answer_for_all(self, make_run, scored):
        labels, scores = scored(300, 270)
        scores[:, 4] += 50
        run = make_run()
        run.train(range(1000, 1100))
        run.evaluate(range(300), labels, scores)
        finding = only(run.evidence())
        assert finding.check == "constant-answer"
        assert finding.saw.startswith("all 300 rows are called 4; ")

    def test_one_answer_before_the_training_or_for_one_class(self, make_run, scored):
        labels, scores = scored(300, 270)
        scores[:, 4] += 50
        before = make_run()
        before.evaluate(range(300), labels, scores)
        before.train(range(1000, 1100))
        assert findings(before.evidence()) == []
        common = make_run()
        common.train(range(1000, 1100))
        common.evaluate(range(300), np.where(np.arange(300) < 260, 4, labels), scores)
        assert findings(common.evidence()) == []
