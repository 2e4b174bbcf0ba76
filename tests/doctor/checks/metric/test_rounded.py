"""Scores that are made coarse before the argmax, in torch and NumPy, watched in small programs."""

import pytest

from byhand.doctor.audit.audit import audit
from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.metric.rounded import rounded_before_argmax
from byhand.doctor.job import Job
from byhand.doctor.text import edits
from byhand.doctor.text.reading import read_program

PROGRAM = """\
import numpy as np
import torch
rng = np.random.default_rng(0)
centres = rng.normal(size=(5, 8))
y = rng.integers(0, 5, 400)
x = centres[y] + 0.9 * rng.normal(size=(400, 8))
x, y = torch.tensor(x, dtype=torch.float32), torch.tensor(y)
w = torch.zeros(8, 5, requires_grad=True)
for epoch in range(10):
    loss = torch.nn.functional.cross_entropy(x[:200] @ w, y[:200])
    loss.backward()
    with torch.no_grad():
        w -= 0.5 * w.grad
        w.grad = None
with torch.no_grad():
    p = torch.softmax(x[200:] @ w, dim=1)
    a = p.numpy()
    right = (CHOICE == y[200:]).float().mean()
print("test accuracy", round(right.item(), 4))
"""


@pytest.fixture
def told(workshop_of_all, tmp_path, monkeypatch):
    """``told(choice)``: the findings, the program with the first one's fix, and the accuracy that is known."""

    def look(choice):
        monkeypatch.chdir(tmp_path)
        path = tmp_path / "main.py"
        path.write_text(PROGRAM.replace("CHOICE", choice))
        program, trace = read_program(path), workshop_of_all.run(Job(path, tmp_path))
        assert trace.end.how == "done", trace.output
        evidence = Evidence(program, trace, audit(trace))
        found = list(rounded_before_argmax(evidence))
        fix = edits.apply(program, found[0].edits[0])["main.py"] if found and found[0].edits else ""
        return found, fix, evidence.audit.accuracy

    return look


NUMPY = "torch.from_numpy({}.argmax(axis=1))"


@pytest.mark.parametrize(
    ("choice", "fixed"),
    [
        ("torch.round(p).argmax(dim=1)", "p.argmax(dim=1)"),
        ("p.round().argmax(dim=1)", "p.argmax(dim=1)"),
        ("(p > 0.5).int().argmax(dim=1)", "p.argmax(dim=1)"),
        ("p.int().argmax(dim=1)", "p.argmax(dim=1)"),
        ("(p > 0.5).float().max(dim=1)[1]", None),
        (NUMPY.format("np.round(a)"), NUMPY.format("a")),
        (NUMPY.format("(a > 0.5)"), NUMPY.format("a")),
        (NUMPY.format("a.astype(int)"), NUMPY.format("a")),
    ],
)
def test_ties_that_go_to_the_first_class_are_counted(told, choice, fixed):
    (finding,), fix, accuracy = told(choice)
    assert (finding.level, finding.proof, finding.place.line) == ("error", "arithmetic", 18)
    assert finding.effect.after > finding.effect.before + 0.01
    assert accuracy.actual == finding.effect.after
    assert accuracy.printed == pytest.approx(finding.effect.before, abs=1e-4)
    if fixed:
        assert f"right = ({fixed} == y[200:])" in fix


@pytest.mark.parametrize(
    "choice",
    [
        "p.argmax(dim=1)",
        "torch.round(p, decimals=5).argmax(dim=1)",
        "p.double().argmax(dim=1)",
        NUMPY.format("a.astype(float)"),
        NUMPY.format("np.asarray(a)"),
    ],
)
def test_scores_that_keep_their_order_are_left_alone(told, choice):
    assert told(choice)[0] == []
