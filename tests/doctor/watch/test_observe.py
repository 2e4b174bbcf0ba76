"""The same training, written as different people write it: whatever the style, the trace tells the same truth.

Each program trains three epochs of three batches of 50 rows in order, at the rate 0.1, and then judges 50 other rows.
"""

import json

import numpy as np
import pytest

from byhand.doctor.watch.rows import fingerprints

DATA = """
import json
import numpy as np
rng = np.random.default_rng(0)
y = rng.integers(0, 3, 200)
x = (rng.normal(size=(3, 6))[y] * 2 + rng.normal(size=(200, 6))).astype(np.float32)
"""
TORCH = (
    DATA
    + """
import torch
import torch.nn.functional as F
from torch import nn
torch.manual_seed(0)
xt, yt = torch.from_numpy(x), torch.from_numpy(y)
"""
)
STYLES = {
    "functional": TORCH
    + """
weights = (torch.randn(6, 3) * 0.01).requires_grad_()
bias = torch.zeros(3, requires_grad=True)
def model(xb): return xb @ weights + bias
for epoch in range(3):
    for i in range(0, 150, 50):
        xb, yb = xt[i:i + 50], yt[i:i + 50]
        loss = F.cross_entropy(model(xb), yb)
        loss.backward()
        with torch.no_grad():
            weights -= 0.1 * weights.grad
            bias -= 0.1 * bias.grad
            weights.grad.zero_()
            bias.grad.zero_()
with torch.no_grad():
    preds = model(xt[150:]).argmax(dim=1)
print("accuracy", (preds == yt[150:]).float().mean().item())
""",
    "data": TORCH
    + """
def init(size): return (torch.randn(size) * 0.01).requires_grad_()
params = init((6, 3)), init(3)
def linear1(xb): return xb @ params[0] + params[1]
def mine(out, targets):
    probs = out.exp() / out.exp().sum(1, keepdim=True)
    return -probs[range(len(targets)), targets].log().mean()
for epoch in range(3):
    for i in range(0, 150, 50):
        loss = mine(linear1(xt[i:i + 50]), yt[i:i + 50])
        loss.backward()
        for p in params:
            p.data -= p.grad * 0.1
            p.grad = None
preds = linear1(xt[150:]).max(1)[1]
print("accuracy", (preds == yt[150:]).float().mean().item())
""",
    "rebound": TORCH
    + """
W = torch.randn(6, 3).mul(0.01).requires_grad_()
b = torch.zeros(3).requires_grad_()
for epoch in range(3):
    for i in range(0, 150, 50):
        z = torch.matmul(xt[i:i + 50], W) + b
        loss = -z.log_softmax(1).gather(1, yt[i:i + 50].view(-1, 1)).mean()
        loss.backward()
        W = W - 0.1 * W.grad
        b = b - 0.1 * b.grad
        W = W.detach().requires_grad_()
        b = b.detach().requires_grad_()
correct = 0
logits = xt[150:] @ W.detach() + b.detach()
correct += (torch.argmax(logits, 1) == yt[150:]).sum().item()
print("accuracy", correct / 50)
""",
    "autograd.grad": TORCH
    + """
w = torch.zeros(6, 3, requires_grad=True)
b = torch.zeros(3, requires_grad=True)
for epoch in range(3):
    for i in range(0, 150, 50):
        loss = nn.CrossEntropyLoss()(xt[i:i + 50].mm(w) + b, yt[i:i + 50])
        dw, db = torch.autograd.grad(loss, [w, b])
        with torch.no_grad():
            w.sub_(dw, alpha=0.1)
            b.sub_(0.1 * db)
with torch.no_grad():
    preds = (xt[150:].mm(w) + b).argmax(-1)
print("accuracy", torch.eq(preds, yt[150:]).float().mean().item())
""",
    "module": TORCH
    + """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 3)
    def forward(self, x):
        return self.fc(x)
net = Net()
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
for epoch in range(3):
    net.train()
    for i in range(0, 150, 50):
        optimizer.zero_grad()
        loss = criterion(net(xt[i:i + 50]), yt[i:i + 50])
        loss.backward()
        optimizer.step()
net.eval()
with torch.no_grad():
    _, predicted = torch.max(net(xt[150:]), 1)
    print("accuracy", (predicted == yt[150:]).sum().item() / 50)
""",
    "sequential": TORCH
    + """
from torch.utils.data import DataLoader, TensorDataset
from sklearn.metrics import accuracy_score
train_dl = DataLoader(TensorDataset(xt[:150], yt[:150]), batch_size=50)
test_dl = DataLoader(TensorDataset(xt[150:], yt[150:]), batch_size=50)
model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
opt = torch.optim.SGD(model.parameters(), 0.1)
for epoch in range(3):
    for xb, yb in train_dl:
        F.cross_entropy(model(xb), yb).backward()
        opt.step()
        opt.zero_grad()
true, pred = [], []
with torch.no_grad():
    for xb, yb in test_dl:
        pred.extend(model(xb).argmax(1).tolist())
        true.extend(yb.tolist())
print("accuracy", accuracy_score(true, pred))
""",
    "dataset": TORCH
    + """
from torch.utils.data import DataLoader, Dataset
class Rows(Dataset):
    def __init__(self, x, y): self.x, self.y = x, y
    def __len__(self): return len(self.x)
    def __getitem__(self, i): return torch.tensor(self.x[i]), int(self.y[i])
def collate(batch):
    return torch.stack([row for row, _ in batch]), torch.tensor([label for _, label in batch])
train = DataLoader(Rows(x[:150], y[:150]), batch_size=50, collate_fn=collate)
test = DataLoader(Rows(x[150:], y[150:]), 50, collate_fn=collate)
layer = nn.Linear(6, 3)
def fit(epochs):
    for epoch in range(epochs):
        for images, labels in train:
            loss = nn.NLLLoss()(torch.log_softmax(layer(images), dim=1), labels)
            layer.zero_grad()
            loss.backward()
            with torch.no_grad():
                for p in layer.parameters():
                    p -= 0.1 * p.grad
fit(3)
preds = torch.cat([layer(images).argmax(dim=1) for images, _ in test])
print("accuracy", (preds.numpy() == y[150:]).mean())
""",
    "list of tuples, two workers": TORCH
    + """
from torch.utils.data import DataLoader
if __name__ == "__main__":
    train = DataLoader(list(zip(xt[:150], yt[:150].unsqueeze(1))), batch_size=50, num_workers=2)
    w = nn.Parameter(torch.zeros(6, 3))
    b = nn.Parameter(torch.zeros(3))
    opt = torch.optim.SGD([w, b], lr=0.1)
    for epoch in range(3):
        for xb, yb in train:
            opt.zero_grad()
            loss = F.cross_entropy(xb @ w + b, yb.squeeze(1))
            loss.backward()
            opt.step()
    preds = (xt[150:] @ w + b).argmax(dim=1, keepdim=True)
    print("accuracy", (preds == yt[150:, None]).float().mean().item())
""",
    "one-hot": TORCH
    + """
targets = F.one_hot(yt, 3).float()
w, b = torch.zeros(6, 3, requires_grad=True), torch.zeros(3, requires_grad=True)
for epoch in range(3):
    for i in range(0, 150, 50):
        logp = F.log_softmax(xt[i:i + 50] @ w + b, dim=1)
        loss = -(targets[i:i + 50] * logp).sum(dim=1).mean()
        loss.backward()
        with torch.no_grad():
            for p in (w, b):
                p -= 0.1 * p.grad
                p.grad.zero_()
preds = (xt[150:] @ w + b).argmax(dim=1)
print("accuracy", (preds == targets[150:].argmax(dim=1)).float().mean().item())
""",
    "torch by hand": TORCH
    + """
w, b = torch.zeros(6, 3), torch.zeros(3)
for epoch in range(3):
    for i in range(0, 150, 50):
        xb, yb = xt[i:i + 50], yt[i:i + 50]
        p = torch.softmax(xb @ w + b, dim=1)
        g = (p - F.one_hot(yb, 3)) / len(xb)
        w -= 0.1 * (xb.T @ g)
        b -= 0.1 * g.sum(dim=0)
preds = (xt[150:] @ w + b).argmax(dim=1)
print("accuracy", (preds == yt[150:]).float().mean().item())
""",
    "NumPy rows": DATA
    + """
W = rng.normal(size=(6, 3)) * 0.01
b = np.zeros(3)
for epoch in range(3):
    for i in range(0, 150, 50):
        X, t = x[i:i + 50], y[i:i + 50]
        scores = X.dot(W) + b
        probs = np.exp(scores - scores.max(axis=1, keepdims=True))
        probs /= probs.sum(axis=1, keepdims=True)
        loss = -np.log(probs[np.arange(50), t]).mean()
        d = probs.copy()
        d[np.arange(50), t] -= 1
        d /= 50
        W -= 0.1 * X.T.dot(d)
        b -= 0.1 * d.sum(axis=0)
preds = np.argmax(x[150:].dot(W) + b, axis=1)
print("accuracy", np.mean(preds == y[150:]))
""",
    "NumPy columns": DATA
    + """
X, Y = x.T, np.eye(3)[y].T
params = {"W1": rng.normal(size=(3, 6)) * 0.01, "b1": np.zeros((3, 1))}
def forward(X):
    Z = np.dot(params["W1"], X) + params["b1"]
    E = np.exp(Z)
    return E / np.sum(E, axis=0)
for epoch in range(3):
    for i in range(0, 150, 50):
        A = forward(X[:, i:i + 50])
        dZ = A - Y[:, i:i + 50]
        params["W1"] = params["W1"] - 0.1 * np.dot(dZ, X[:, i:i + 50].T) / 50
        params["b1"] = params["b1"] - 0.1 * dZ.mean(axis=1, keepdims=True)
preds = np.argmax(forward(X[:, 150:]), axis=0)
correct = 0
for i in range(50):
    if preds[i] == y[150 + i]:
        correct += 1
print("accuracy", correct / 50)
""",
    "NumPy layers": DATA
    + """
class Dense:
    def __init__(self, inputs, outputs):
        self.w = rng.normal(size=(inputs, outputs)) * 0.1
        self.b = np.zeros((1, outputs))
    def forward(self, x):
        self.x = x
        return x @ self.w + self.b
    def backward(self, grad, lr):
        back = grad @ self.w.T
        self.w -= lr * (self.x.T @ grad)
        self.b -= lr * grad.sum(axis=0, keepdims=True)
        return back
class Tanh:
    def forward(self, x):
        self.y = np.tanh(x)
        return self.y
    def backward(self, grad, lr):
        return grad * (1 - self.y ** 2)
layers = [Dense(6, 8), Tanh(), Dense(8, 3)]
def predict(x):
    for layer in layers:
        x = layer.forward(x)
    return x
Y = np.eye(3)[y]
for epoch in range(3):
    for i in range(0, 150, 50):
        z = predict(x[i:i + 50])
        p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
        grad = (p - Y[i:i + 50]) / 50
        for layer in reversed(layers):
            grad = layer.backward(grad, 0.1)
preds = predict(x[150:]).argmax(1)
print("accuracy", sum(preds == y[150:]) / len(preds))
""",
}  # fmt: skip
BY_OBJECT = {"module", "sequential", "list of tuples, two workers"}
SHAPES = {
    "NumPy columns": {(3, 6), (3, 1)},
    "NumPy layers": {(6, 8), (1, 8), (8, 3), (1, 3)},
    "sequential": {(8, 6), (8,), (3, 8), (3,)},
    "module": {(3, 6), (3,)},
    "dataset": {(3, 6), (3,)},
}
NAMES = {
    "functional": {"weights", "bias"},
    "module": {"self.fc.weight", "self.fc.bias"},
    "sequential": {"model.0.weight", "model.0.bias", "model.2.weight", "model.2.bias"},
    "NumPy columns": {'params["W1"]', 'params["b1"]'},
    "NumPy layers": {"self.w", "self.b"},
    "NumPy rows": {"W", "b"},
    "rebound": {"W", "b"},
    "torch by hand": {"w", "b"},
    "autograd.grad": {"w", "b"},
}


def data():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 200)
    return (rng.normal(size=(3, 6))[y] * 2 + rng.normal(size=(200, 6))).astype(np.float32), y


@pytest.fixture(scope="module")
def traces(watched):
    return {name: watched(text) for name, text in STYLES.items()}


styles = pytest.mark.parametrize("name", STYLES)


def line_of(name, text):
    return STYLES[name][: STYLES[name].index(text)].count("\n") + 1


@styles
def test_it_runs_to_its_end(traces, name):
    end = traces[name].end
    assert (end.how, end.error) == ("done", None)
    assert traces[name].notes == ()
    assert traces[name].seeded


@styles
def test_each_use_of_the_model_with_its_rows_and_labels(traces, name):
    x, y = data()
    forwards = traces[name].forwards
    assert [one.kind for one in forwards] == ["train"] * 9 + ["eval"]
    assert [one.clock for one in forwards] == list(range(10))
    prints = fingerprints(x)
    assert len(set(prints.tolist())) == 200
    for k, one in enumerate(forwards):
        part = slice(150, 200) if k == 9 else slice(k % 3 * 50, k % 3 * 50 + 50)
        assert one.n == 50
        np.testing.assert_array_equal(one.rows, prints[part])
        np.testing.assert_array_equal(one.labels, y[part])
        assert one.input is not None
        assert one.input.low == pytest.approx(float(x[part].min()))
        assert one.input.mean == pytest.approx(float(x[part].mean()), abs=1e-5)
        assert one.training == 0
        assert (one.noisy, one.fixed) == ((), ())


@styles
def test_rows_once_each(traces, name):
    x, y = data()
    for examples, part in ((traces[name].trained_on, slice(150)), (traces[name].evaluated_on, slice(150, None))):
        assert examples is not None
        assert examples.whole
        assert examples.shape == (6,)
        np.testing.assert_allclose(examples.rows * examples.scale + examples.low, x[part], rtol=1e-6)
        np.testing.assert_array_equal(examples.labels, y[part])


@styles
def test_one_training_with_its_rate_and_its_loop(traces, name):
    (training,) = traces[name].trainings
    assert (training.first, training.last) == (0, 9)
    assert training.hand == (name not in BY_OBJECT)
    assert training.loop is not None
    assert training.loop.line == line_of(name, "for epoch")
    assert training.epochs == 3
    assert traces[name].end.epochs == (3, 3)
    if "NumPy" in name or name == "torch by hand":
        assert training.rate is None  # no gradient that anybody could see
    else:
        assert training.rate == pytest.approx(0.1, rel=1e-3)


@styles
def test_parameters(traces, name):
    parameters = traces[name].parameters
    assert {one.shape for one in parameters} == SHAPES.get(name, {(6, 3), (3,)})
    if name in NAMES:
        assert {one.name for one in parameters} == NAMES[name]
    for one in parameters:
        assert one.changed
        assert one.reached
        assert one.used
        assert not one.frozen
        assert one.training == 0
        assert one.optimizer == (0 if name in BY_OBJECT else None)
        assert one.place is not None


@styles
def test_the_prediction_its_comparison_and_what_is_printed(traces, name):
    _, y = data()
    trace = traces[name]
    printed = float(trace.output.split()[-1])
    prediction = trace.predictions[-1]
    assert prediction.forward == 9
    scores = prediction.scores.T if name == "NumPy columns" else prediction.scores
    assert scores.shape == (50, 3)
    np.testing.assert_array_equal(prediction.chosen.reshape(-1), scores.argmax(axis=1))
    assert (prediction.chosen.reshape(-1) == y[150:]).mean() == pytest.approx(printed)
    comparison = trace.comparisons[-1]
    assert (comparison.forward, comparison.prediction) == (9, len(trace.predictions) - 1)
    assert comparison.total == 50
    assert comparison.equal / comparison.total == pytest.approx(printed)
    np.testing.assert_array_equal(comparison.labels, y[150:])
    assert [line.text for line in trace.printed] == [trace.output.strip()]
    assert trace.printed[0].numbers[-1].value == pytest.approx(printed)
    assert trace.printed[0].forward == 9
    assert trace.printed[0].place is not None
    assert trace.printed[0].place.line == line_of(name, 'print("accuracy"')


@styles
def test_backward_passes(traces, name):
    trace = traces[name]
    if "NumPy" in name or name == "torch by hand":
        assert trace.backwards == ()
        return
    assert [one.forward for one in trace.backwards] == list(range(9))
    assert [one.clock for one in trace.backwards] == list(range(9))
    assert not any(one.stale for one in trace.backwards)
    losses = [one.loss for one in trace.backwards]
    assert all(0 < loss < 3 for loss in losses if loss is not None)
    assert losses[-1] < losses[0]
    assert set(trace.backwards[0].parameters) == set(range(len(trace.parameters)))


@styles
def test_loss_calls_and_tapes(traces, name):
    trace = traces[name]
    calls = {one.name for one in trace.loss_calls}
    if name in ("functional", "module", "sequential", "autograd.grad", "list of tuples, two workers"):
        assert calls == {"cross_entropy"}
        assert [one.value for one in trace.loss_calls] == [one.loss for one in trace.backwards]
        assert {(one.input, one.target, one.reduction) for one in trace.loss_calls} == {((50, 3), (50,), "mean")}
    first = next(tape for tape in trace.tapes if tape.kind == "train")
    assert (first.forward, first.clock) == (0, 0)
    names = [op.name for op in first.ops]
    assert names[0] in ("matmul", "linear", "mm")
    rows, weight = (first.values[i] for i in first.ops[0].inputs[:2])
    if name == "NumPy columns":
        rows, weight = weight, rows
    assert rows.rows
    assert weight.parameter is not None
    if first.loss is not None:
        assert first.values[first.loss].summary.mean == pytest.approx(trace.backwards[0].loss)


def test_what_json_of_the_standard_library_prints_is_no_metric(watched):
    trace = watched("import json\nprint(json.dumps({'a': 1}))")
    assert json.loads(trace.output) == {"a": 1}
