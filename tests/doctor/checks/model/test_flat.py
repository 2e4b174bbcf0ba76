"""Units that are always 0 or always at an end, in programs that really run."""

import re

import pytest

from byhand.doctor.checks.model import flat
from tests.doctor.checks._real import DATA, line_of, seen
from tests.doctor.checks._traces import patched

HAND = (
    DATA
    + """
train_x, test_x = train_x.abs(), test_x.abs()
w1 = {w1}
b1 = {b1}
w2 = (torch.randn(20, 3) * 0.1).requires_grad_()
def model(x):
    return {unit} @ w2
for _ in range(6):
    for xb, yb in zip(train_x.split(50), train_y.split(50)):
        F.cross_entropy(model(xb), yb).backward()
        with torch.no_grad():
            for w in (w1, b1, w2):
                if w.grad is not None:
                    w -= {rate} * w.grad
                    w.grad = None
with torch.no_grad():
    print("test accuracy", (model(test_x).argmax(1) == test_y).float().mean().item())
"""
)
RELU, SIGMOID = "F.relu(x @ w1 + b1)", "torch.sigmoid(x @ w1 + b1)"
W1, B1 = "(torch.randn(6, 20) * 0.4).requires_grad_()", "torch.zeros(20, requires_grad=True)"


def looked_at(watched, tmp_path, w1=W1, b1=B1, unit=RELU, rate=0.1):
    return seen(watched, tmp_path, HAND.format(w1=w1, b1=b1, unit=unit, rate=rate))


def dead(evidence):
    return list(flat.dead_relus(evidence))


def saturated(evidence):
    return list(flat.saturated_units(evidence))


@pytest.mark.parametrize(
    "unit",
    [
        RELU,
        "nn.ReLU()(x @ w1 + b1)",
        "(x @ w1 + b1).clamp(min=0)",
        "torch.where(x @ w1 + b1 > 0, x @ w1 + b1, torch.zeros(20))",
        "torch.maximum(x @ w1 + b1, torch.zeros(1))",
        "F.dropout(F.relu(x @ w1 + b1), 0.2)",
    ],
)
def test_a_bias_far_below_zero_kills_units(watched, tmp_path, unit):
    evidence = looked_at(watched, tmp_path, b1="torch.full((20,), -30.0, requires_grad=True)", unit=unit)
    (finding,) = dead(evidence)
    assert "20 of the 20 units behind w1 are 0 on all" in finding.saw
    assert "nothing before it learns" in finding.so
    assert "torch.full((20,), 0.0, requires_grad=True)" in patched(evidence, finding.edits[0])


def test_weights_to_one_side_kill_units(watched, tmp_path):
    evidence = looked_at(watched, tmp_path, w1="(torch.rand(6, 20) * 0.5 - 0.5).requires_grad_()")
    (finding,) = dead(evidence)
    assert "(torch.rand(6, 20) + 0.5) * 0.5 - 0.5" in patched(evidence, finding.edits[0])


@pytest.mark.parametrize("unit", [RELU, "F.leaky_relu(x @ w1 + b1 - 30)", "F.dropout(F.relu(x @ w1 + b1), 0.9)"])
def test_units_that_live(watched, tmp_path, unit):
    assert dead(looked_at(watched, tmp_path, unit=unit)) == []


def test_a_few_dead_units_are_normal(watched, tmp_path):
    bias = "torch.cat([torch.full((6,), -30.0), torch.zeros(14)]).requires_grad_()"
    assert dead(looked_at(watched, tmp_path, b1=bias)) == []


@pytest.mark.parametrize(
    "unit", [SIGMOID, "torch.tanh(x @ w1 + b1)", "(1 / (1 + torch.exp(-(x @ w1 + b1))))", "nn.Sigmoid()(x @ w1 + b1)"]
)
def test_sums_that_are_far_too_large_saturate_units(watched, tmp_path, unit):
    evidence = looked_at(watched, tmp_path, w1="(torch.rand(6, 20) * 30).requires_grad_()", unit=unit)
    (finding,) = saturated(evidence)
    assert "units behind w1 give lies within 1 % of an end (" in finding.saw
    assert "(torch.rand(6, 20) - 0.5) * 30" in patched(evidence, finding.edits[0])
    assert " * 0.0" in patched(evidence, finding.edits[1])


def test_sigmoids_that_bend(watched, tmp_path):
    assert saturated(looked_at(watched, tmp_path, unit=SIGMOID)) == []
    assert saturated(looked_at(watched, tmp_path, unit="F.hardtanh(x @ w1 * 100)")) == []


def test_the_sigmoid_at_the_end_is_no_hidden_unit(watched, tmp_path):
    text = HAND.format(w1=W1, b1=B1, unit=RELU, rate=0.1).replace("@ w2\n", "@ w2 * 50\n")
    text = text.replace(
        "F.cross_entropy(model(xb), yb)", "F.mse_loss(torch.sigmoid(model(xb)), F.one_hot(yb, 3).float())"
    )
    assert saturated(seen(watched, tmp_path, text)) == []


OCTAVE = """\
import numpy as np
rng = np.random.default_rng(0)
y = rng.integers(0, 3, 400)
X = abs(rng.normal(size=(3, 6))[y] * 2 + rng.normal(size=(400, 6)))
Y = np.eye(3)[y]

def init(n, m):
    epsilon = 0.3
    {init}

def ones(A):
    return np.column_stack((np.ones(len(A)), A))

Theta1, Theta2 = init(6, 12), init(12, 3)
for step in range(200):
    a1 = ones(X[:300])
    z2 = a1 @ Theta1.T
    a2 = ones(np.maximum(z2, 0))
    z3 = a2 @ Theta2.T
    p = np.exp(z3) / np.exp(z3).sum(1, keepdims=True)
    d3 = (p - Y[:300]) / 300
    d2 = (d3 @ Theta2)[:, 1:] * (z2 > 0)
    Theta1 = Theta1 - 0.5 * d2.T @ a1
    Theta2 = Theta2 - 0.5 * d3.T @ a2
print("test", np.mean(np.argmax(ones(np.maximum(ones(X[300:]) @ Theta1.T, 0)) @ Theta2.T, axis=1) == y[300:]))
"""


@pytest.mark.parametrize(
    "init",
    [
        "return rng.random((m, 1 + n)) * epsilon - epsilon",
        "W = rng.random((m, 1 + n)) * epsilon - epsilon\n    return W",
    ],
)
def test_weights_with_a_column_for_the_bias_that_a_function_draws_below_zero(watched, tmp_path, init):
    evidence = seen(watched, tmp_path, OCTAVE.format(init=init))
    (finding,) = dead(evidence)
    assert finding.place.line == line_of(OCTAVE, "{init}")
    assert "12 of the 12 units behind Theta1 are 0 on all" in finding.saw
    assert re.search(
        r"\(rng.random\(\(m, 1 \+ n\)\) \+ 0.\d\) \* epsilon - epsilon", patched(evidence, finding.edits[0])
    )
    again = seen(watched, tmp_path, patched(evidence, finding.edits[0]))
    assert dead(again) == []


def test_such_weights_on_both_sides_of_zero(watched, tmp_path):
    init = "return rng.random((m, 1 + n)) * 2 * epsilon - epsilon"
    assert dead(seen(watched, tmp_path, OCTAVE.format(init=init))) == []
