"""The best of many evaluations of the same rows as the result, and programs that choose by other rows."""

import textwrap

import numpy as np
import pytest

from byhand.doctor.audit.audit import audit
from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.data import parts as data
from byhand.doctor.checks.metric import selection
from byhand.doctor.job import Job
from byhand.doctor.text.reading import read_program
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
    assert finding.saw.endswith(
        "8 evaluations of the same 300 rows; the last of them gives 0.8933, and the weights of the best are kept"
    )


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


def test_weights_that_are_given_back_are_no_step_and_their_rows_not_learnt_from(workshop_of_all, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "main.py"
    path.write_text(
        textwrap.dedent(
            """\
            import copy
            import torch
            torch.manual_seed(0)
            x, y = torch.randn(400, 8), torch.randint(3, (400,))
            x[torch.arange(400), y] += 2
            model = torch.nn.Linear(8, 3)
            optimizer = torch.optim.SGD(model.parameters(), lr=2.0)
            best = 0
            def judge():
                with torch.no_grad():
                    return (model(x[200:]).argmax(1) == y[200:]).float().mean().item()
            for epoch in range(12):
                for rows in torch.randperm(200).split(20):
                    optimizer.zero_grad()
                    torch.nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
                    optimizer.step()
                accuracy = judge()
                if accuracy > best:
                    best, state = accuracy, copy.deepcopy(model.state_dict())
            model.load_state_dict(state)
            print(f"test accuracy {judge():.4f}")
            """
        )
    )
    program, trace = read_program(path), workshop_of_all.run(Job(path, tmp_path))
    evidence = Evidence(program, trace, audit(trace))
    assert {one.kind for one in trace.forwards if one.n == 200} == {"eval"}
    assert [one.n for one in evidence.audit.passes] == [200] * 13
    assert trace.forwards[-1].clock == trace.trainings[0].last + 1
    assert not list(data.validation_inside_training(evidence))
    (finding,) = selection.test_set_selection(evidence)
    assert finding.saw.endswith("and the weights of the best are kept")
