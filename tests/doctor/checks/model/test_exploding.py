"""Gradients that grow from layer to layer, in programs that really run."""

import pytest

from byhand.doctor.checks.model import exploding
from tests.doctor.checks._real import DATA, seen
from tests.doctor.checks._traces import patched

LAYERS = (
    DATA
    + """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(6, 32)] + [nn.Linear(32, 32) for _ in range(9)])
        self.last = nn.Linear(32, 3)
        for layer in self.layers:
            nn.init.normal_(layer.weight, std={std})
    def forward(self, x):
        for layer in self.layers:
            x = {unit}
        return self.last(x)
model = Net()
optimizer = {optimizer}
for _ in range(8):
    for xb, yb in zip(train_x.split(20), train_y.split(20)):
        optimizer.zero_grad()
        F.cross_entropy(model(xb), yb).backward()
        {clip}
        optimizer.step()
with torch.no_grad():
    print("test accuracy", (model(test_x).argmax(1) == test_y).float().mean().item())
"""
)
SGD = "torch.optim.SGD(model.parameters(), lr={rate})"
RELU = "layer(x).relu()"

RECURRENT = (
    DATA
    + """
steps = {steps}
w_in = (torch.randn(6, 24) * 0.3).requires_grad_()
w_state = (torch.{start}).requires_grad_()
w_out = (torch.randn(24, 3) * 0.1).requires_grad_()
def model(x):
    state = torch.zeros(len(x), 24)
    for _ in range(steps):
        state = torch.relu(x @ w_in + state @ w_state)
    return state @ w_out
lr = 0.05
for _ in range(8):
    for xb, yb in zip(train_x.split(20), train_y.split(20)):
        F.cross_entropy(model(xb), yb).backward()
        with torch.no_grad():
            w_in -= lr * w_in.grad
            w_state -= lr * w_state.grad
            w_out -= lr * w_out.grad
            for w in (w_in, w_state, w_out):
                w.grad = None
with torch.no_grad():
    print("test accuracy", (model(test_x).argmax(1) == test_y).float().mean().item())
"""
)

NUMPY = """\
import numpy as np
rng = np.random.default_rng(0)
labels = rng.integers(0, 3, 400)
x = rng.normal(size=(3, 6))[labels] * 2 + rng.normal(size=(400, 6))
weights = [rng.normal(size=(6 if i == 0 else 32, 32)) * {std} for i in range(9)] + [rng.normal(size=(32, 3)) * 0.1]
lr = 0.05
for epoch in range(8):
    for start in range(0, 300, 20):
        xb, yb = x[start : start + 20], labels[start : start + 20]
        kept = [xb]
        for w in weights[:-1]:
            kept.append(np.maximum(kept[-1] @ w, 0))
        z = kept[-1] @ weights[-1]
        e = np.exp(z - z.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        dz = (p - np.eye(3)[yb]) / len(xb)
        for i in range(9, -1, -1):
            dw = kept[i].T @ dz
            dz = (dz @ weights[i].T) * (kept[i] > 0)
            weights[i] -= lr * dw
    a = x[300:]
    for w in weights[:-1]:
        a = np.maximum(a @ w, 0)
    print("test accuracy", np.mean((a @ weights[-1]).argmax(axis=1) == labels[300:]))
"""


def found(watched, tmp_path, text):
    evidence = seen(watched, tmp_path, text)
    return evidence, list(exploding.exploding_gradients(evidence))


def layers(std=0.36, unit=RELU, rate=0.1, optimizer=SGD, clip="pass"):
    return LAYERS.format(std=std, unit=unit, optimizer=optimizer.format(rate=rate), clip=clip)


def test_layers_that_each_make_their_input_larger(watched, tmp_path):
    evidence, (finding,) = found(watched, tmp_path, layers())
    assert "over 10 hidden layers the deviation" in finding.saw
    assert "times its own length" in finding.so
    assert "normal_(layer.weight, std=0.24)" in patched(evidence, finding.edits[0])


def test_a_start_that_cannot_be_written(watched, tmp_path):
    text = layers().replace("nn.init.normal_(layer.weight, std=0.36)", "layer.weight.data *= 3.5")
    evidence, (finding,) = found(watched, tmp_path, text)
    arrays = '[p for group in optimizer.param_groups for p in group["params"]]'
    after = patched(evidence, finding.edits[0])
    assert f"torch.nn.utils.clip_grad_norm_({arrays}, 1.0)\n        optimizer.step()" in after
    compile(after, "main.py", "exec")


def test_a_recurrence(watched, tmp_path):
    evidence, (finding,) = found(watched, tmp_path, RECURRENT.format(steps=20, start="randn(24, 24) * 0.4"))
    assert "products with w_state the deviation" in finding.saw
    after = patched(evidence, finding.edits[0])
    assert "w_state = ((torch.randn(24, 24) * 0.49) * 0.4).requires_grad_()" in after
    assert "w_state -= lr * w_state.grad / w_state.grad.norm().clamp(min=1)" in after


def test_numpy(watched, tmp_path):
    evidence, (finding,) = found(watched, tmp_path, NUMPY.format(std=0.38))
    assert "hidden layers" in finding.saw
    assert "the second gradient of" in finding.saw
    assert "weights = [(rng.normal(size=(6 if i == 0 else 32, 32)) * 0." in patched(evidence, finding.edits[0])


@pytest.mark.parametrize(
    "text",
    [
        layers(std=0.25),
        layers(unit="torch.tanh(layer(x))"),
        layers(unit="F.layer_norm(layer(x).relu(), (32,))"),
        layers(rate=1e-5),
        layers(optimizer="torch.optim.Adam(model.parameters(), lr=0.001)"),
        layers(clip="nn.utils.clip_grad_norm_(model.parameters(), 1.0)"),
        layers(std=0.25, rate=30),
        layers(std=0.25).replace("def forward(self, x):", "def forward(self, x):\n        x = 255 * x"),
        RECURRENT.format(steps=20, start="randn(24, 24) * 0.15"),
        RECURRENT.format(steps=3, start="randn(24, 24) * 0.4"),
        NUMPY.format(std=0.25),
    ],
    ids=[
        "a good start", "tanh", "layer norm", "a rate to match", "adam", "clipped already", "only the rate",
        "only the pixels", "a small recurrence", "a short recurrence", "a good start in numpy",
    ],
)  # fmt: skip
def test_look_alikes(watched, tmp_path, text):
    assert found(watched, tmp_path, text)[1] == []
