"""Gradients that get lost between the layers, in programs that really run."""

import pytest

from byhand.doctor.checks.model.vanishing import vanishing_gradients
from tests.doctor.checks._real import DATA, line_of, seen, trained
from tests.doctor.checks._traces import patched

DEEP = (
    DATA
    + """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(6, 20)] + [nn.Linear(20, 20) for _ in range({depth})])
        self.last = nn.Linear(20, 3)
        {start}
    def forward(self, x):
        for layer in self.layers:
            x = {unit}
        return self.last(x)
model = Net()"""
    + trained(8, 20)
)


def found(watched, tmp_path, depth=6, unit="torch.sigmoid(layer(x))", start="pass"):
    evidence = seen(watched, tmp_path, DEEP.format(depth=depth, unit=unit, start=start))
    return evidence, list(vanishing_gradients(evidence))


@pytest.mark.parametrize(
    "unit", ["torch.sigmoid(layer(x))", "layer(x).sigmoid()", "F.dropout(torch.sigmoid(layer(x)), 0.1)"]
)
def test_many_sigmoids_leave_nothing(watched, tmp_path, unit):
    evidence, (finding,) = found(watched, tmp_path, unit=unit)
    assert "the gradient of self.layers.0.weight is" in finding.saw or "the gradient of" in finding.saw
    assert "7 layers later" in finding.saw
    assert "layer(x).relu()" in patched(evidence, finding.edits[0])


def test_small_weights_leave_nothing_either(watched, tmp_path):
    start = "[nn.init.normal_(p, 0, 0.01) for p in self.parameters() if p.ndim == 2]"
    evidence, (finding,) = found(watched, tmp_path, depth=5, unit="layer(x).relu()", start=start)
    assert "nn.init.normal_(p, 0, 0.2)" in patched(evidence, finding.edits[0])


@pytest.mark.parametrize(
    ("depth", "unit"), [(6, "layer(x).relu()"), (1, "torch.sigmoid(layer(x))"), (3, "torch.tanh(layer(x))")]
)
def test_gradients_that_arrive(watched, tmp_path, depth, unit):
    assert found(watched, tmp_path, depth, unit)[1] == []


BY_HAND = """\
import numpy as np
rng = np.random.default_rng(0)
y = rng.integers(0, 3, 400)
X = rng.normal(size=(3, 6))[y] * 2 + rng.normal(size=(400, 6))
Y = np.eye(3)[y]
sizes = [6, 16, 16, 16, 16, 16, 16, 3]
weights = [rng.normal(size=(a, b)) * 0.1 for a, b in zip(sizes, sizes[1:])]
biases = [np.zeros(b) for b in sizes[1:]]

def forward(x):
    out = [x]
    for i, (w, b) in enumerate(zip(weights, biases)):
        z = out[-1] @ w + b
        if i < len(weights) - 1:
            out.append({unit})
        else:
            e = np.exp(z - z.max(axis=1, keepdims=True))
            out.append(e / e.sum(axis=1, keepdims=True))
    return out

for epoch in range(20):
    for i in range(0, 300, 30):
        out = forward(X[i:i + 30])
        d = (out[-1] - Y[i:i + 30]) / 30
        for k in reversed(range(len(weights))):
            dw, db = out[k].T @ d, d.sum(axis=0)
            d = d @ weights[k].T * {slope}
            weights[k] -= 0.1 * dw
            biases[k] -= 0.1 * db
print("test accuracy", (forward(X[300:])[-1].argmax(axis=1) == y[300:]).mean())
"""


def test_weights_of_a_list_that_are_called_alike_are_changed_where_they_are_drawn(watched, tmp_path):
    text = BY_HAND.format(unit="1 / (1 + np.exp(-z))", slope="out[k] * (1 - out[k])")
    evidence = seen(watched, tmp_path, text)
    (finding,) = vanishing_gradients(evidence)
    assert finding.place.line == line_of(text, "weights = [rng")
    assert "of the first weight is" in finding.saw
    assert "that of the last one" in finding.saw
    (training,) = evidence.trace.trainings
    assert (training.loop.line, training.epochs) == (line_of(text, "for epoch"), 20)


def test_tanhs_by_hand_let_them_through(watched, tmp_path):
    text = BY_HAND.format(unit="np.tanh(z)", slope="(1 - out[k] ** 2)").replace("* 0.1 for", "* a ** -0.5 for")
    assert list(vanishing_gradients(seen(watched, tmp_path, text))) == []
