"""Accuracies over the ones and zeros of one-hot rows."""

import numpy as np
import pytest

from byhand.doctor.audit.audit import audit
from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.metric.elements import accuracy_over_one_hot
from byhand.doctor.text import edits
from byhand.doctor.text.reading import read_program

SOURCE = """
import numpy as np
rng = np.random.default_rng(0)
classes = 5
labels = rng.integers(0, classes, 300)
X = rng.normal(size=(classes, 8))[labels] + rng.normal(size=(300, 8))
Y = np.eye(classes)[labels]
W = np.zeros((8, classes))
for step in range(20):
    z = X[:200] @ W
    e = np.exp(z - z.max(1, keepdims=True))
    W -= 0.01 * X[:200].T @ (e / e.sum(1, keepdims=True) - Y[:200]) / 200
guess = np.eye(classes)[(X[200:] @ W).argmax(1)]
accuracy = np.mean(guess == Y[200:])
print(f"test accuracy: {accuracy:.4f}")
"""
COLUMNS = SOURCE.replace(".argmax(1)]", ".argmax(1)].T").replace("guess == Y[200:]", "guess == Y.T[:, 200:]")


@pytest.fixture(scope="module")
def told(watched, tmp_path_factory):
    def run(text):
        folder = tmp_path_factory.mktemp("elements")
        trace = watched(text, folder=folder)
        assert trace.end.how == "done", trace.end.error
        program = read_program(folder / "main.py")
        evidence = Evidence(program, trace, audit(trace))
        return evidence, list(accuracy_over_one_hot(evidence))

    return run


@pytest.mark.parametrize("source", [SOURCE, COLUMNS])
def test_ones_and_zeros_that_agree_are_no_rows(told, source):
    evidence, (finding,) = told(source)
    accuracy = evidence.audit.main.accuracy
    assert (finding.level, finding.proof, finding.place.line) == ("error", "arithmetic", 14)
    assert finding.effect.after == accuracy < 0.9
    assert finding.effect.before == pytest.approx(1 - 2 * (1 - accuracy) / 5, abs=1e-4)
    assert "a wrong row still counts 3 of 5" in finding.so
    axis = 1 if source == SOURCE else 0
    assert f"(guess.argmax({axis}) == Y" in edits.apply(evidence.program, finding.edits[0])["main.py"]
    assert evidence.audit.accuracy.printed == pytest.approx(finding.effect.before, abs=1e-4)


@pytest.mark.parametrize(
    "pair",
    [
        ("np.mean(guess == Y[200:])", "np.mean((guess == Y[200:]).all(1))"),
        ("np.mean(guess == Y[200:])", "np.mean(guess.argmax(1) == labels[200:])"),
        ("classes = 5", "classes = 2"),  # of two numbers a row both are right, or none
        ("print(f", "print() if step else print(f"),
    ],
)
def test_whole_rows_two_classes_and_what_is_not_shown_are_left_alone(told, pair):
    evidence, found = told(SOURCE.replace(*pair))
    assert not found
    assert evidence.audit.main.accuracy is not None


def test_several_labels_a_row_are_questions_of_their_own(told):
    several = SOURCE.replace("Y = np.eye(classes)[labels]", "Y = np.eye(classes)[labels]; Y[::3, 0] = 1")
    assert not told(several)[1]
    assert np.eye(2).sum() == 2
