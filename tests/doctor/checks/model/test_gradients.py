"""Gradients that get lost between the layers, in programs that really run."""

import pytest

from byhand.doctor.checks.model import gradients
from tests.doctor.checks._real import DATA, seen
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
model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(8):
    for xb, yb in zip(train_x.split(20), train_y.split(20)):
        optimizer.zero_grad()
        F.cross_entropy(model(xb), yb).backward()
        optimizer.step()
with torch.no_grad():
    print("test accuracy", (model(test_x).argmax(1) == test_y).float().mean().item())
"""
)


def found(watched, tmp_path, depth=6, unit="torch.sigmoid(layer(x))", start="pass"):
    evidence = seen(watched, tmp_path, DEEP.format(depth=depth, unit=unit, start=start))
    return evidence, list(gradients.vanishing_gradients(evidence))


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
