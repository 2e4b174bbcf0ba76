"""A watched program prints what it prints alone, to the byte."""

import os
import subprocess
import sys

import pytest

TORCH = """
import random
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset
torch.manual_seed(3)
np.random.seed(3)
random.seed(3)
x = torch.rand(700, 36)
y = (x[:, :12].sum(1) * 0.9).long() % 4
"""
FIT = """
opt = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(3):
    model.train()
    total = 0.0
    for xb, yb in train:
        opt.zero_grad()
        loss = F.cross_entropy(model(xb), yb)
        loss.backward()
        opt.step()
        total += loss.item() * len(xb)
    model.eval()
    with torch.no_grad():
        right = sum((model(xb).argmax(1) == yb).sum().item() for xb, yb in test)
    print(epoch, repr(total), right, [p.double().sum().item() for p in model.parameters()])
print(random.random(), np.random.rand(), torch.rand(1).item())
"""
PROGRAMS = {
    "functional": TORCH
    + """
def softmax(z): return z.exp() / z.exp().sum(-1, keepdim=True)
w = torch.randn(36, 4, requires_grad=True)
b = torch.randn(4).requires_grad_()
for epoch in range(4):
    for i in range(0, 700, 64):
        probs = softmax(x[i:i + 64] @ w + b)
        loss = -probs[range(len(probs)), y[i:i + 64]].log().mean()
        loss.backward()
        for p in (w, b):
            p.data -= 0.3 * p.grad
            p.grad = None
    acc = (softmax(x @ w + b).argmax(1) == y).float().mean()
    print(f"{epoch} {loss.item()!r} {acc:.6f}", w, b.grad)
""",
    "a module": TORCH
    + "train = [(x[i:i + 50], y[i:i + 50]) for i in range(0, 600, 50)]\ntest = [(x[600:], y[600:])]\n"
    + "model = nn.Sequential(nn.Linear(36, 16), nn.ReLU(), nn.Linear(16, 4))\n"
    + FIT,
    "NumPy": """
import numpy as np
rng = np.random.default_rng(5)
X = rng.random((500, 20), dtype=np.float32)
t = (X[:, :7].sum(axis=1)).astype(int) % 3
params = {"W1": rng.normal(size=(20, 8)) * 0.1, "b1": np.zeros(8)}
params.update(W2=rng.normal(size=(8, 3)) * 0.1, b2=np.zeros(3))
Y = np.eye(3)[t]
def forward(X):
    h = np.maximum(0, X @ params["W1"] + params["b1"])
    z = np.dot(h, params["W2"]) + params["b2"]
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return h, e / e.sum(axis=1, keepdims=True)
for epoch in range(4):
    order = rng.permutation(500)
    for i in range(0, 500, 32):
        xb, yb = X[order[i:i + 32]], Y[order[i:i + 32]]
        h, p = forward(xb)
        d = (p - yb) / len(xb)
        dh = d.dot(params["W2"].T) * (h > 0)
        grads = {"W2": h.T @ d, "b2": d.sum(0), "W1": xb.T @ dh, "b1": dh.sum(0)}
        for name, grad in grads.items():
            params[name] -= 0.5 * grad
    p = forward(X)[1]
    print(epoch, -np.log(p[np.arange(500), t]).mean(), np.mean(p.argmax(1) == t), params["W2"][0], p.T[0, :3])
    print(np.log(np.zeros(1)), np.float32(1) / 3, 7 // 2, 2 ** -1, "a" * 2, [1] + [2], (1, 2) == (1, 2), "%d" % 3)
print(np.random.rand() < 2, rng.random())
""",
    "a loader of a list": TORCH
    + "train = DataLoader(list(zip(x[:600], y[:600])), batch_size=64, shuffle=True)\n"
    + "test = DataLoader(list(zip(x[600:], y[600:])), 32)\nmodel = nn.Linear(36, 4)\n"
    + FIT,
    "a loader of tensors, dropout, batch norm": TORCH
    + "train = DataLoader(TensorDataset(x[:600], y[:600]), batch_size=64, shuffle=True, drop_last=True)\n"
    + "test = DataLoader(TensorDataset(x[600:], y[600:]), 64)\n"
    + "model = nn.Sequential(nn.Linear(36, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 4))\n"
    + FIT,
    "augmentation": TORCH
    + """
class Rows(Dataset):
    def __init__(self, x, y): self.x, self.y = x, y
    def __len__(self): return len(self.x)
    def __getitem__(self, i):
        row = self.x[i] * random.uniform(0.9, 1.1) + np.random.normal(0, 0.01) + torch.randn(36) * 0.01
        return row.roll(random.randint(0, 2)).float(), self.y[i]
train = DataLoader(Rows(x[:300], y[:300]), batch_size=50, shuffle=True)
test = DataLoader(Rows(x[600:], y[600:]), batch_size=50)
model = nn.Linear(36, 4)
"""
    + FIT,
    "workers": TORCH
    + """
from torch.utils.data import random_split
whole = TensorDataset(x, y)
train, test = random_split(whole, [600, 100], generator=torch.Generator().manual_seed(7))
train = DataLoader(train, 60, shuffle=True, num_workers=2)
test = DataLoader(test, 60, num_workers=1)
model = nn.Sequential(nn.Linear(36, 8), nn.Tanh(), nn.Linear(8, 4))
"""
    + FIT,
    "a convolution and torch's generator": TORCH
    + """
g = torch.Generator()
g.manual_seed(11)
images = x.view(-1, 1, 6, 6)
model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16, 4))
test = [(images[600:], y[600:])]
class Batches:
    def __iter__(self):
        order = torch.randperm(600, generator=g)
        for part in order.split(75):
            yield images[part], y[part]
train = Batches()
"""
    + FIT,
    "scikit-learn": """
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, classification_report, confusion_matrix
from sklearn.model_selection import train_test_split
rng = np.random.RandomState(2)
x, y = rng.rand(300, 5), rng.randint(0, 3, 300)
a, b, ya, yb = train_test_split(x, y, random_state=0)
preds = LogisticRegression().fit(a, ya).predict(b)
print(accuracy_score(yb, preds), np.mean(preds == yb), (preds != yb).sum())
print(confusion_matrix(yb, preds))
print(classification_report(yb, preds, zero_division=0))
""",
}
_ALONE = """
import runpy, sys
for path in sys.argv[1:]:
    runpy.run_path(path, run_name="__main__")
    print("=====", flush=True)
"""


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What each program prints unwatched, one after the other in one process that has imported nothing of ours."""
    folder = tmp_path_factory.mktemp("alone")
    files = [folder / f"{i}.py" for i in range(len(PROGRAMS))]
    for file, text in zip(files, PROGRAMS.values(), strict=True):
        file.write_text(text)
    threads = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _ALONE, *map(str, files)],
        env={**os.environ, **threads},
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(zip(PROGRAMS, done.stdout.split("=====\n"), strict=False))


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_same_to_the_byte(watched, alone, name):
    trace = watched("import warnings\nwarnings.simplefilter('ignore')\n" + PROGRAMS[name])
    assert (trace.end.how, trace.end.error) == ("done", None)
    assert trace.output == alone[name]
    assert len(trace.output) > 100
    assert trace.notes == ()
    if name != "scikit-learn":
        assert trace.forwards
        assert trace.trainings
        assert trace.seeded


@pytest.mark.parametrize("name", ["functional", "NumPy", "augmentation", "workers"])
def test_the_same_to_the_byte_while_it_is_told(told, alone, name):
    trace, lines, _ = told("import warnings\nwarnings.simplefilter('ignore')\n" + PROGRAMS[name])
    assert (trace.end.how, trace.notes) == ("done", ())
    assert trace.output == alone[name]
    assert lines[-1]["clock"] == trace.trainings[0].last
