"""The choice of a class, in programs that really run: one row at a time, by order, after one class only."""

import re
from pathlib import Path

import pytest

from byhand.doctor.audit.audit import audit
from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.metric.predictions import argmax_over_batch, argmin_as_prediction, constant_answer
from byhand.doctor.text.edits import apply
from byhand.doctor.text.reading import read_program

PROGRAM = """\
import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits

torch.manual_seed(0)
X, y = load_digits(return_X_y=True)
X, y = torch.tensor(X / 16).float(), torch.tensor(y)
order = torch.randperm(len(y))
X, y = X[order], y[order]
train_x, train_y = X[:1200], y[:1200]
test_x, test_y = X[1200:], y[1200:]
model = torch.nn.Linear(64, 10)
opt = torch.optim.SGD(model.parameters(), lr=0.5)
for epoch in range(3):
    for i in range(0, len(train_x), 50):
        loss = F.cross_entropy(model(train_x[i : i + 50]), train_y[i : i + 50])
        opt.zero_grad()
        loss.backward()
        opt.step()
"""
ONE_BY_ONE = """\
hits = 0
for image, label in zip(test_x, test_y):
    scores = model(image[None])
    hits += (scores.argmax(0) == label).float().mean().item()
print(f"accuracy {hits / len(test_y):.4f}")
"""
SORTED = """\
scores = model(test_x).detach().numpy()
guess = np.argsort(scores, axis=1)[:, 0]
print(f"accuracy {(guess == test_y.numpy()).mean():.4f}")
"""
AT_ONCE = 'print(f"accuracy {(model(test_x).argmax(1) == test_y).float().mean():.4f}")\n'


@pytest.fixture
def seen(watched, tmp_path):
    def look(text: str) -> Evidence:
        trace = watched(text, folder=tmp_path)
        program = read_program(Path(tmp_path) / "main.py")
        return Evidence(program, trace, audit(trace))

    return look


def test_the_argmax_over_one_row_is_found_and_put_right(seen):
    evidence = seen(PROGRAM + ONE_BY_ONE)
    (finding,) = argmax_over_batch(evidence)
    assert evidence.program.line(finding.place).strip().startswith("hits += (scores.argmax(0)")
    assert (finding.level, finding.proof) == ("error", "arithmetic")
    again = seen(apply(evidence.program, finding.edits[0])["main.py"])
    assert list(argmax_over_batch(again)) == []
    printed = float(re.findall(r"accuracy ([\d.]+)", again.trace.output)[0])
    assert finding.effect.after == pytest.approx(printed, abs=1e-4)


def test_the_flat_scores_of_one_row_have_no_other_axis(seen):
    assert list(argmax_over_batch(seen(PROGRAM + ONE_BY_ONE.replace("model(image[None])", "model(image)")))) == []


def test_the_first_of_an_ascending_order_is_the_least_likely_even_where_little_was_learnt(seen):
    wrong = PROGRAM.replace("range(3)", "range(1)").replace("lr=0.5", "lr=0.001") + SORTED
    (finding,) = argmin_as_prediction(seen(wrong))
    assert finding.effect.before < finding.effect.after < finding.effect.before + 0.2
    assert list(argmin_as_prediction(seen(wrong.replace("[:, 0]", "[:, -1]")))) == []


def test_the_least_of_negated_scores_is_no_fault(seen):
    assert list(argmin_as_prediction(seen(PROGRAM + SORTED.replace("argsort(scores", "argsort(-scores")))) == []


def test_training_rows_of_one_class_explain_the_constant_answer_where_they_were_taken(seen):
    one_class = PROGRAM.replace("train_x, train_y = X[:1200], y[:1200]", "train_x, train_y = X[y == 0], y[y == 0]")
    evidence = seen(one_class + AT_ONCE)
    (finding,) = constant_answer(evidence)
    assert evidence.program.line(finding.place).startswith("train_x, train_y = X[y == 0]")
    assert "rows that the model learnt from are of class 0" in finding.saw
    assert list(constant_answer(seen(PROGRAM + AT_ONCE))) == []


CIRCLES = """\
import torch
import torch.nn.functional as F
from sklearn.datasets import make_circles, make_moons
from torch import nn

torch.manual_seed(0)
X, y = {data}
X, y = torch.tensor(X).float(), torch.tensor(y)
model = nn.Sequential({layers})
opt = torch.optim.SGD(model.parameters(), lr={rate})
for epoch in range(40):
    for i in range(0, 800, 100):
        loss = F.cross_entropy(model(X[i : i + 100]), y[i : i + 100])
        opt.zero_grad()
        loss.backward()
        opt.step()
with torch.no_grad():
    nn.init.constant_(model[-1].bias, 0.0)
    model[-1].bias[0] = 5.0
    print((model(X[800:]).argmax(1) == y[800:]).float().mean().item())
"""
CIRCLE, MOONS = (f"make_{name}(1000, noise=0.08, random_state=0)" for name in ("circles", "moons"))
STACKED, BENT = "nn.Linear(2, 8), nn.Linear(8, 2)", "nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2)"


@pytest.mark.parametrize(
    ("data", "layers", "cause"),
    [
        (CIRCLE, STACKED, "stacked-linear-layers"),
        (CIRCLE, "nn.Linear(2, 2)", "stacked-linear-layers"),  # folds under nothing, for nothing is stacked
        (MOONS, STACKED, None),  # a line is right on nine rows of ten
        (CIRCLE, BENT, None),
    ],
)
def test_one_answer_for_all_where_no_line_parts_the_classes(seen, data, layers, cause):
    (finding,) = constant_answer(seen(CIRCLES.format(data=data, layers=layers, rate=0.001)))
    assert finding.under == cause
    assert ("none tells these classes apart" in finding.so) == (cause is not None)
