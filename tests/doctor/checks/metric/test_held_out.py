"""A program that judges itself only by what it learnt from, and programs that look like it."""

import pytest

from byhand.doctor.checks.metric.held_out import no_held_out_data

SOURCE = """\
def accuracy(x, y):
    return (model(x).argmax(1) == y).mean()
print(f"accuracy {accuracy(x, y):.4f}")
"""


def told(evidence):
    return list(no_held_out_data(evidence))


@pytest.fixture
def learnt(make_run, scored):
    """``learnt(n, source)``: a run that has learnt from n rows, twice, and knows their labels."""

    def make(n=300, source=SOURCE, epochs=2):
        run = make_run(source)
        labels, _ = scored(n, n)
        for _ in range(epochs):
            run.train(range(n), labels)
        return run

    return make


def test_the_training_rows_are_all_that_judges(learnt, scored):
    run = learnt()
    run.evaluate(range(300), *scored(300, 294), at="model(x)")
    run.print("accuracy 0.9800")
    (finding,) = told(run.evidence())
    assert (finding.level, finding.edits, finding.place.line) == ("warning", (), 3)
    assert "the printed 0.9800 is of 300 rows that it learnt from" in finding.saw


def test_held_out_rows_that_lie_there_are_tried(learnt, scored):
    source = SOURCE.replace("accuracy(x, y):.4f", "accuracy(x_train, y_train):.4f")
    source = "x_test, y_test = load('t10k')\nscore = accuracy(x_train, y_train)\n" + source
    run = learnt(source=source)
    run.evaluate(range(300), *scored(300, 294), at=("model(x)", "accuracy(x_train, y_train)"))
    run.print("accuracy 0.9800")
    (finding,) = told(run.evidence())
    assert finding.proof == "arithmetic"
    assert [edit.text for edit in finding.edits[0]] == ["x_test", "y_test"]


def test_other_rows_that_are_judged_too_or_only_get_answers(learnt, scored):
    for n, right in ((300, 280), (5, 4)):
        run = learnt()
        run.evaluate(range(1000, 1000 + n), *scored(n, right), known=n > 5)
        run.evaluate(range(300), *scored(300, 294), at="model(x)")
        run.print("accuracy 0.9800")
        assert not told(run.evidence())


def test_a_result_that_is_called_a_test_s_is_another_check_s(learnt, scored):
    run = learnt()
    run.evaluate(range(300), *scored(300, 294), at="model(x)")
    run.print("test accuracy 0.9800")
    assert not told(run.evidence())


def test_a_toy_of_four_rows(learnt, scored):
    run = learnt(n=40)
    run.evaluate(range(40), *scored(40, 40), at="model(x)")
    run.print("accuracy 1.0000")
    assert not told(run.evidence())


def test_rows_that_the_last_update_did_not_come_of_are_held_out(learnt, scored):
    run = learnt()
    labels, _ = scored(300, 294)
    run.forward("train", range(2000, 2300), labels, None, "model(x)")  # for a gradient of the picture, and no update
    run.evaluate(range(300), *scored(300, 294), at="model(x)")
    run.print("accuracy 0.9800")
    assert not told(run.evidence())


def test_a_loss_alone_is_a_note_unless_the_weights_are_kept(learnt):
    run = learnt(source='print("loss", loss)\n')
    run.print("loss 0.1234")
    (finding,) = told(run.evidence())
    assert finding.level == "note"
    run = learnt(source='print("loss", loss)\ntorch.save(model.state_dict(), "weights.pt")\n')
    run.print("loss 0.1234")
    assert not told(run.evidence())


def test_rows_that_come_once_are_new_when_they_are_judged(learnt):
    run = learnt(epochs=1, source='print("loss", loss)\n')
    run.print("loss 0.1234")
    assert not told(run.evidence())


def test_many_rows_without_labels_that_only_get_answers_judge_nothing(learnt, scored):
    def run_with(n, *lines):
        run = learnt()
        labels, scores = scored(n, n)
        run.evaluate(range(300), *scored(300, 294), at="model(x)")
        for line in lines:
            run.print(line)
        run.evaluate(range(1000, 1000 + n), labels, scores, known=False)
        run.comparisons.pop()
        return run.evidence()

    (finding,) = told(run_with(200, "accuracy 0.9800"))
    assert finding.level == "warning"
    assert (
        "of 300 rows that it learnt from, and of the 200 others that the model is given none has a label" in finding.saw
    )
    assert not told(run_with(20, "accuracy 0.9800"))  # pictures to look at
    assert not told(run_with(200, "accuracy 0.9800", "accuracy 0.9123"))  # another figure: of those rows, perhaps
