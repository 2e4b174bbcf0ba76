"""Single records of the trace against what each program does."""

import numpy as np
import pytest

from byhand.doctor.watch.rows import fingerprints

TORCH = """
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
torch.manual_seed(0)
rng = np.random.default_rng(0)
labels = rng.integers(0, 3, 200)
rows = (rng.normal(size=(3, 6))[labels] * 2 + rng.normal(size=(200, 6))).astype(np.float32)
x, y = torch.from_numpy(rows), torch.from_numpy(labels)
"""


def line_of(text, part):
    return text[: text.index(part)].count("\n") + 1


def kinds(trace):
    return "".join(one.kind[0] for one in trace.forwards)


def test_dropout_and_batch_norm_as_they_were(watched):
    trace = watched(
        TORCH
        + """
model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3))
opt = torch.optim.SGD(model.parameters(), lr=0.1)
F.cross_entropy(model(x[:50]), y[:50]).backward()
opt.step()
model(x[50:80]).argmax(1)
model.eval()
model(x[80:120]).argmax(1)
with torch.no_grad():
    F.dropout(x[120:150] @ model[0].weight.T, 0.5)
    model(x[150:])
"""
    )
    assert kinds(trace) == "teeee"
    both = ("BatchNorm", "Dropout")
    assert [one.noisy for one in trace.forwards] == [both, both, (), ("Dropout",), ()]
    assert [one.fixed for one in trace.forwards] == [(), (), both, (), both]
    assert [one.grad for one in trace.forwards] == [True, True, True, False, False]


def test_gradients_that_are_left_and_gradients_that_are_added_up_on_purpose(watched):
    text = """
w = torch.zeros(6, 3, requires_grad=True)
opt = torch.optim.SGD([w], lr=0.1)
for i in range(0, 200, 25):
    F.cross_entropy(x[i:i + 25] @ w, y[i:i + 25]).backward()
    {}
"""
    left = watched(TORCH + text.format("opt.step()"))
    assert [one.stale for one in left.backwards] == [False] + [True] * 7
    added = watched(TORCH + text.format("if i % 50:\n        opt.step()\n        opt.zero_grad()"))
    assert [one.stale for one in added.backwards] == [False] * 8
    assert [one.clock for one in added.backwards] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert kinds(added) == "t" * 8
    assert (added.trainings[0].last, added.optimizers[0].steps) == (4, 4)


def test_two_trainings_in_one_run(watched):
    text = (
        TORCH
        + """
def train(part, lr):
    model = nn.Linear(6, 3)
    opt = torch.optim.SGD(model.parameters(), lr=lr)
    for epoch in range(3):
        for xb, yb in zip(x[part].split(25), y[part].split(25)):
            opt.zero_grad()
            F.cross_entropy(model(xb), yb).backward()
            opt.step()
    return model
parts = [slice(0, 100), slice(100, 200)]
models = [train(parts[0], 0.1), train(parts[1], 0.02)]
for one in models:
    print((one(x).argmax(1) == y).float().mean().item())
"""
    )
    trace = watched(text)
    assert kinds(trace) == "t" * 24 + "ee"
    assert [one.training for one in trace.forwards] == [0] * 12 + [1] * 12 + [0, 1]
    assert [(one.first, one.last, one.rate) for one in trace.trainings] == [(0, 12, 0.1), (12, 24, 0.02)]
    assert {one.loop.line for one in trace.trainings} == {line_of(text, "for epoch")}
    assert [one.epochs for one in trace.trainings] == [3, 3]
    assert [(one.shape, one.training, one.optimizer) for one in trace.parameters] == [
        ((3, 6), 0, 0),
        ((3,), 0, 0),
        ((3, 6), 1, 1),
        ((3,), 1, 1),
    ]
    assert [one.forward for one in trace.comparisons] == [24, 25]
    printed = [float(word) for word in trace.output.split()]
    assert [one.equal / one.total for one in trace.comparisons] == pytest.approx(printed)


def test_the_time_between_updates_is_part_of_the_whole(watched):
    step = "F.cross_entropy(x @ w, y).backward(); opt.step()\n"
    head = TORCH + "w = torch.zeros(6, 3, requires_grad=True); opt = torch.optim.SGD([w], lr=0.1)\n"
    several, one, none = watched(head + step * 3).end, watched(head + step).end, watched(TORCH).end
    assert 0 < several.training < several.seconds
    assert (one.training, none.training) == (0, None)


def test_rates_that_change(watched):
    trace = watched(
        TORCH
        + """
model = nn.Linear(6, 3)
opt = torch.optim.SGD(model.parameters(), lr=0.4)
schedule = torch.optim.lr_scheduler.StepLR(opt, 2, gamma=0.5)
for epoch in range(6):
    opt.zero_grad()
    F.cross_entropy(model(x), y).backward()
    opt.step()
    schedule.step()
"""
    )
    assert trace.trainings[0].rates == ((0, 0.4), (2, 0.2), (4, 0.1))
    assert (trace.optimizers[0].name, trace.optimizers[0].rate) == ("SGD", 0.4)


def test_parameters_that_stay_as_they_are(watched):
    text = (
        TORCH
        + """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(6, 8)
        self.frozen = nn.Linear(8, 8)
        self.last = nn.Linear(8, 3)
        self.spare = nn.Linear(3, 3)
    def forward(self, x):
        return self.last(self.frozen(self.first(x)))
net = Net()
nn.init.constant_(net.last.weight, 0.1)
for p in net.frozen.parameters():
    p.requires_grad = False
opt = torch.optim.SGD(list(net.first.parameters()) + list(net.last.parameters()), lr=0.1)
for i in range(3):
    opt.zero_grad()
    F.cross_entropy(net(x), y).backward()
    opt.step()
"""
    )
    trace = watched(text)
    found = {one.name: one for one in trace.parameters}
    assert {name for name, one in found.items() if one.changed} == {
        "self.first.weight",
        "self.first.bias",
        "self.last.weight",
        "self.last.bias",
    }
    assert found["self.frozen.weight"].frozen
    assert found["self.frozen.weight"].used
    assert not found["self.frozen.weight"].reached
    assert not found["self.first.weight"].frozen
    assert found["self.first.weight"].optimizer == 0
    assert found["self.last.weight"].start.low == found["self.last.weight"].start.high == pytest.approx(0.1)
    assert found["self.first.weight"].place.line == line_of(text, "self.first = ")
    assert "self.spare.weight" not in found or not found["self.spare.weight"].used


def test_samples_of_a_parameter(watched):
    trace = watched(
        TORCH
        + """
w = torch.zeros(6, 3, requires_grad=True)
for step in range(20):
    loss = F.cross_entropy(x @ w, y)
    loss.backward()
    print(w.grad.norm().item(), w.norm().item())
    with torch.no_grad():
        w -= 0.25 * w.grad
    w.grad = None
print(0, w.norm().item())
"""
    )
    lines = [[float(word) for word in line.split()] for line in trace.output.splitlines()]
    (parameter,) = trace.parameters
    clocks = [one.clock for one in parameter.samples]
    assert clocks[:4] == [0, 1, 2, 3]
    assert len(clocks) >= 6
    for one in parameter.samples:
        assert one.gradient == pytest.approx(lines[one.clock][0], rel=1e-5)
        assert one.norm == pytest.approx(lines[one.clock + 1][1], rel=1e-5)
        assert one.step == pytest.approx(0.25 * lines[one.clock][0], rel=1e-4)
        assert one.rate == pytest.approx(0.25, rel=1e-4)
    assert parameter.alike is False
    assert trace.trainings[0].rate == pytest.approx(0.25, rel=1e-4)


def test_loaders(watched):
    text = (
        TORCH
        + """
from torch.utils.data import DataLoader, TensorDataset, Subset
train_loader = DataLoader(TensorDataset(x[:150], y[:150]), batch_size=40, shuffle=True, drop_last=True)
loaders = {"valid": DataLoader(Subset(TensorDataset(x, y), range(150, 200)), 25)}
w = torch.zeros(6, 3, requires_grad=True)
for epoch in range(2):
    for xb, yb in train_loader:
        F.cross_entropy(xb.view(-1, 6) @ w, yb).backward()
        w.data -= 0.1 * w.grad
        w.grad.zero_()
for xb, yb in loaders["valid"]:
    print((xb @ w).argmax(1).eq(yb).sum())
(x[150:175] @ w).argmax(1)
"""
    )
    trace = watched(text)
    first, second = trace.loaders
    assert (first.name, first.rows, first.batch_size, first.shuffles, first.drop_last) == (
        "train_loader",
        150,
        40,
        True,
        True,
    )
    assert (second.name, second.rows, second.batch_size, second.shuffles, second.drop_last) == (
        None,
        50,
        25,
        False,
        False,
    )
    assert first.place.line == line_of(text, "train_loader =")
    assert [one.loader for one in trace.forwards] == [0] * 6 + [1, 1, None]
    x = data()[0]
    assert {p for one in trace.forwards[:3] for p in one.rows.tolist()} < set(fingerprints(x[:150]).tolist())
    np.testing.assert_array_equal(np.concatenate([one.rows for one in trace.forwards[6:8]]), fingerprints(x[150:]))


def data():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 200)
    return (rng.normal(size=(3, 6))[y] * 2 + rng.normal(size=(200, 6))).astype(np.float32), y


TRAINED = (
    TORCH
    + """
w = torch.zeros(6, 3, requires_grad=True)
for i in range(4):
    F.cross_entropy(x[:150] @ w, y[:150]).backward()
    w.data -= 0.5 * w.grad
    w.grad.zero_()
test, t = x[150:], y[150:]
"""
)
METRICS = {
    "equal": "print(((test @ w).argmax(1) == t).sum().item() / 50)",
    "other way round": "print((t == (test @ w).argmax(1)).float().mean().item())",
    "not equal": "print(1 - ((test @ w).argmax(1) != t).float().mean().item())",
    "topk": "print((test @ w).topk(1, dim=1)[1].view(-1).eq(t).float().mean().item())",
    "topk, the function": "print((torch.topk(test @ w, 1).indices.squeeze() == t).float().mean().item())",
    "sort": "print(((test @ w).sort(dim=1, descending=True)[1][:, 0] == t).float().mean().item())",
    "softmax first": "print((F.softmax(test @ w, dim=1).max(dim=1).indices == t).float().mean().item())",
    "to NumPy": "print(np.mean(np.argmax((test @ w).detach().numpy(), axis=1) == t.numpy()))",
    "sklearn": (
        "from sklearn.metrics import accuracy_score\n"
        "print(accuracy_score(y_true=t, y_pred=(test @ w).argmax(1).cpu().numpy()))"
    ),
    "confusion": (
        "from sklearn.metrics import confusion_matrix\n"
        "m = confusion_matrix(t.tolist(), (test @ w).argmax(1).tolist())\nprint(m.trace() / m.sum())"
    ),
    "columns": "print(((test @ w).argmax(1, keepdim=True) == t.view(-1, 1)).double().mean().item())",
    "one-hot": "print(((test @ w).argmax(1) == F.one_hot(t, 3).argmax(1)).double().mean().item())",
    "array_equal rows": "p = (test @ w).argmax(1).numpy()\nprint(np.equal(p, t.numpy()).mean())",
    "a loop over numbers": (
        "p = (test @ w).argmax(1).tolist()\nright = 0\nfor a, b in zip(p, t.tolist()):\n"
        "    if a == b:\n        right += 1\nprint(right / 50)"
    ),
    "a loop over elements": (
        "p = (test @ w).argmax(1)\nright = 0\nfor i in range(len(t)):\n"
        "    if p[i] == t[i]:\n        right += 1\nprint(right / 50)"
    ),
    "a comprehension": (
        "p = (test @ w).argmax(1).numpy()\nprint(sum(int(a == b) for a, b in zip(p, t.numpy())) / len(t))"
    ),
    "batches put together": (
        "ps, ts = [], []\nfor a, b in zip(test.split(20), t.split(20)):\n    ps.append((a @ w).argmax(1))\n"
        "    ts.append(b)\nprint((torch.cat(ps) == torch.cat(ts)).float().mean().item())"
    ),
    "batches put together in NumPy": (
        "ps, ts = [], []\nfor a, b in zip(test.split(20), t.split(20)):\n"
        "    ps.append((a @ w).detach().numpy().argmax(axis=1))\n    ts.append(b.numpy())\n"
        "print((np.concatenate(ps) == np.concatenate(ts)).mean())"
    ),
    "extended lists": (
        "ps = []\nfor a in test.split(20):\n    ps += (a @ w).argmax(1).tolist()\n"
        "print(np.mean(np.array(ps) == np.array(t)))"
    ),
}


@pytest.mark.parametrize("how", METRICS)
def test_a_metric_however_it_is_computed(watched, how):
    trace = watched(TRAINED + METRICS[how] + "\n")
    assert (trace.end.how, trace.end.error, trace.notes) == ("done", None, ())
    printed = float(trace.output)
    y = data()[1]
    compared = [one for one in trace.comparisons if trace.forwards[one.forward].kind == "eval"]
    assert sum(one.total for one in compared) == 50
    assert sum(one.equal for one in compared) == pytest.approx(printed * 50)
    np.testing.assert_array_equal(np.concatenate([one.labels for one in compared]), y[150:])
    judged = [one for one in trace.predictions if trace.forwards[one.forward].kind == "eval"]
    chosen = np.concatenate(
        [one.chosen.reshape(-1) for one in judged[: 3 if "batches" in how or "lists" in how else 1]]
    )
    assert (chosen == y[150:]).mean() == pytest.approx(printed)


def test_rows_one_by_one(watched):
    trace = watched(
        TRAINED
        + """
right = 0
for i in range(len(test)):
    guess = torch.argmax(test[i] @ w)
    if guess.item() == t[i].item():
        right += 1
print(right / 50)
"""
    )
    evaluated = [one for one in trace.forwards if one.kind == "eval"]
    assert [one.n for one in evaluated] == [1] * 50
    np.testing.assert_array_equal(np.concatenate([one.rows for one in evaluated]), fingerprints(data()[0][150:]))
    assert [one.forward for one in trace.predictions] == [one.index for one in evaluated]
    (comparison,) = trace.comparisons
    assert (comparison.total, comparison.equal) == (50, round(float(trace.output) * 50))


LISTS = """
import numpy as np
rng = np.random.default_rng(0)
labels = rng.integers(0, 3, 60)
rows = rng.normal(size=(3, 5))[labels] * 2 + rng.normal(size=(60, 5))
data = [(row.reshape(5, 1), np.eye(3)[label].reshape(3, 1)) for row, label in zip(rows, labels)]
weights = [rng.normal(size=(4, 5)), rng.normal(size=(3, 4))]
biases = [np.zeros((4, 1)), np.zeros((3, 1))]
def sigmoid(z):
    return 1 / (1 + np.exp(-z))
def gradients(x, y):
    a = sigmoid(np.dot(weights[0], x) + biases[0])
    out = sigmoid(np.dot(weights[1], a) + biases[1])
    delta = (out - y) * out * (1 - out)
    inner = np.dot(weights[1].T, delta) * a * (1 - a)
    return [inner, delta], [np.dot(inner, x.T), np.dot(delta, a.T)]
def answer(x):
    for w, b in zip(weights, biases):
        x = sigmoid(np.dot(w, x) + b)
    return x
for start in range(0, 60, 10):
    sum_b, sum_w = [np.zeros(b.shape) for b in biases], [np.zeros(w.shape) for w in weights]
    for x, y in data[start:start + 10]:
        db, dw = gradients(x, y)
        sum_b = [s + d for s, d in zip(sum_b, db)]
        sum_w = [s + d for s, d in zip(sum_w, dw)]
    weights = [w - 0.3 * s for w, s in zip(weights, sum_w)]
    biases = [b - 0.3 * s for b, s in zip(biases, sum_b)]
found = [(np.argmax(answer(x)), np.argmax(y)) for x, y in data]
print(sum(int(one == other) for one, other in found), "of", len(found))
"""


def test_lists_of_parameters_that_are_made_anew(watched):
    trace = watched(LISTS)
    assert [(one.shape, one.changed) for one in trace.parameters] == [
        ((4, 5), True), ((3, 4), True), ((4, 1), True), ((3, 1), True),
    ]  # fmt: skip
    assert [(one.first, one.last) for one in trace.trainings] == [(0, 6)]
    assert kinds(trace) == "t" * 60 + "e" * 60


def test_lists_of_tensors_that_are_made_anew(watched):
    trace = watched(
        TORCH
        + """
params = [torch.zeros(6, 3, requires_grad=True), torch.zeros(3, requires_grad=True)]
for _ in range(5):
    grads = torch.autograd.grad(F.cross_entropy(x @ params[0] + params[1], y), params)
    params = [p - 0.1 * g for p, g in zip(params, grads)]
    params = [p.detach().requires_grad_() for p in params]
"""
    )
    assert [(one.shape, one.changed) for one in trace.parameters][:2] == [((6, 3), True), ((3,), True)]
    assert [one.last for one in trace.trainings] == [5]


def test_a_dictionary_of_parameters_that_is_made_anew(watched):
    text = LISTS.replace("weights = [w - 0.3 * s for w, s in zip(weights, sum_w)]", "{}")
    text = text.format("weights = {k: w - 0.3 * sum_w[k] for k, w in weights.items()}").replace(
        "weights = [rng.normal(size=(4, 5)), rng.normal(size=(3, 4))]",
        "weights = {0: rng.normal(size=(4, 5)), 1: rng.normal(size=(3, 4))}",
    )
    text = text.replace("for w in weights]", "for w in weights.values()]")
    text = text.replace("zip(weights, biases)", "zip(weights.values(), biases)")
    trace = watched(text)
    assert sorted(one.shape for one in trace.parameters) == [(3, 1), (3, 4), (4, 1), (4, 5)]
    assert [one.last for one in trace.trainings] == [6]


@pytest.mark.parametrize(
    "step",
    [
        "self.params['W' + str(l)] -= rate * grads['dW' + str(l)]",
        "self.params['W' + str(l)] = self.params['W' + str(l)] - rate * grads['dW' + str(l)]",
        "self.params[f'W{l}'] -= rate * grads[f'dW{l}']",
        "self.params['W{}'.format(l)] -= rate * grads['dW{}'.format(l)]",
        "self.params['W%d' % l] -= rate * grads['dW%d' % l]",
        "W = self.params['W' + str(l)]\n            self.params['W' + str(l)] = W - rate * grads['dW' + str(l)]",
    ],
)
def test_parameters_in_a_dictionary_whose_keys_are_put_together(watched, step):
    trace = watched(
        f"""
import numpy as np
rng = np.random.default_rng(0)
x, y = rng.normal(size=(5, 80)), rng.integers(0, 3, 80)
class Net:
    def __init__(self):
        self.L = 2
        self.params = {{}}
        for l in range(1, self.L + 1):
            self.params['W' + str(l)] = rng.normal(size=(4 if l == 1 else 3, 5 if l == 1 else 4))
    def step(self, rate):
        grads = {{}}
        z = self.params['W1'] @ x
        a = np.maximum(z, 0)
        s = self.params['W' + str(self.L)] @ a
        p = np.exp(s) / np.exp(s).sum(axis=0)
        p[y, np.arange(80)] -= 1
        grads['dW2'] = p @ a.T / 80
        grads['dW1'] = (self.params['W2'].T @ p * (z > 0)) @ x.T / 80
        for l in range(1, self.L + 1):
            {step}
net = Net()
for _ in range(9):
    net.step(0.1)
"""
    )
    assert [(one.shape, one.changed) for one in trace.parameters] == [((4, 5), True), ((3, 4), True)]
    assert (len(trace.trainings), trace.trainings[0].last) == (1, 9)


@pytest.mark.parametrize(
    ("made", "right"),
    [
        ("p = torch.sigmoid(x @ w); hits = ((p > 0.5) == t).sum()", "torch"),
        ("p = torch.sigmoid(x @ w); hits = ((0.5 < p).float() == t).sum()", "torch"),
        ("p = torch.sigmoid(x @ w); hits = (p.round() == t).sum()", "torch"),
        ("p = torch.sigmoid(x @ w).squeeze(1); hits = ((p >= 0.5).long() == t.squeeze(1)).sum()", "torch"),
        ("p = x.numpy() @ w.detach().numpy(); hits = ((p > 0) == t.numpy()).sum()", "numpy"),
        ("p = 1 / (1 + np.exp(-(x.numpy() @ w.detach().numpy()))); hits = (np.round(p) == t.numpy()).sum()", "numpy"),
    ],
)
def test_two_classes_told_apart_by_a_threshold(watched, made, right):
    trace = watched(
        TORCH
        + f"""
t = (y > 0).long().unsqueeze(1)
w = torch.zeros(6, 1, requires_grad=True)
for _ in range(5):
    F.binary_cross_entropy_with_logits(x @ w, t.float()).backward()
    with torch.no_grad():
        w -= 0.1 * w.grad
        w.grad = None
{made}
print(int(hits))
"""
    )
    chosen, compared = trace.predictions[-1], trace.comparisons[-1]
    assert (chosen.name, chosen.axis, chosen.scores.shape) == ("threshold", 1, (200, 2))
    np.testing.assert_array_equal(chosen.scores.argmax(1), chosen.chosen)
    np.testing.assert_allclose(chosen.scores[:, 0], -chosen.scores[:, 1])
    assert compared.prediction == len(trace.predictions) - 1
    assert trace.forwards[compared.forward].kind == "eval"
    assert trace.printed[-1].text == str(compared.equal)
    assert compared.equal == (chosen.chosen == trace.forwards[compared.forward].labels).sum()


def test_broadcast_comparison(watched):
    trace = watched(TRAINED + "print(((test @ w).argmax(1) == t.unsqueeze(1)).float().mean().item())")
    (comparison,) = trace.comparisons
    assert (comparison.left, comparison.right, comparison.shape) == ((50,), (50, 1), (50, 50))
    assert comparison.total == 2500
    assert comparison.equal == round(float(trace.output) * 2500)


HAND = {
    "torch": """
w = (torch.randn(6, 3) * 0.1).requires_grad_()
for i in range(2):
    z = x @ w
    e = torch.exp(z)
    p = e / e.sum(dim=1, keepdim=True)
    loss = -torch.log(p[range(200), y]).mean()
    loss.backward()
    w.data -= 0.1 * w.grad
    w.grad.zero_()
print(repr(loss.item()))
""",
    "NumPy": """
w = rng.normal(size=(6, 3)) * 0.1
for i in range(2):
    z = rows @ w
    e = np.exp(z)
    p = e / e.sum(axis=1, keepdims=True)
    loss = -np.log(p[np.arange(200), labels]).mean()
    d = p.copy()
    d[np.arange(200), labels] -= 1
    w -= 0.1 * rows.T @ d / 200
print(repr(float(loss)))
""",
}


@pytest.mark.parametrize("kind", HAND)
def test_a_tape_has_every_operation_with_its_values(watched, kind):
    trace = watched(TORCH + HAND[kind])
    tape = next(one for one in trace.tapes if one.clock == 1)
    names = [op.name for op in tape.ops if op.name != "view"]
    assert names[:5] == ["matmul", "exp", "sum", "div", "getitem"]
    assert {"log", "mean"} <= set(names)
    values = {op.name: op for op in reversed(tape.ops)}
    x, y = data()
    product, total, quotient = values["matmul"], values["sum"], values["div"]
    left, right = (tape.values[i] for i in product.inputs)
    z = x.astype(float) @ right.kept.astype(float)
    np.testing.assert_allclose(tape.values[product.output].kept, z, rtol=1e-4, atol=1e-5)
    assert left.rows
    assert right.parameter == 0
    assert right.name == "w"
    assert total.options["axis"] == 1
    assert tape.values[total.output].summary.shape == (200, 1)
    probs = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(tape.values[quotient.output].kept, probs, rtol=1e-4)
    mean = tape.values[values["mean"].output].kept
    assert abs(float(mean)) == pytest.approx(-np.log(probs[np.arange(200), y]).mean(), rel=1e-5)
    assert float(trace.output) == pytest.approx(abs(float(mean)), rel=1e-6)


def test_a_tape_of_library_functions(watched):
    trace = watched(
        TORCH
        + """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc, self.out = nn.Linear(6, 3), nn.Softmax(dim=-1)
    def forward(self, x):
        return self.out(self.fc(x))
net = Net()
loss = nn.CrossEntropyLoss(label_smoothing=0.1)(net(x), y)
loss.backward()
"""
    )
    ops = {op.name: op for op in trace.tapes[0].ops}
    assert [op.name for op in trace.tapes[0].ops if op.name != "view"][:3] == ["linear", "softmax", "cross_entropy"]
    assert (ops["softmax"].module, ops["softmax"].options["axis"]) == ("Softmax", 1)
    assert ops["cross_entropy"].options["label_smoothing"] == 0.1
    target = trace.tapes[0].values[ops["cross_entropy"].inputs[1]]
    assert target.labels
    assert trace.tapes[0].loss == ops["cross_entropy"].output
    assert trace.tapes[0].values[ops["softmax"].output].summary.mean == pytest.approx(1 / 3, abs=1e-3)
    call = trace.loss_calls[0]
    assert (call.name, call.input, call.target) == ("cross_entropy", (200, 3), (200,))


LABELS = {
    "(N,)": ("y", "F.cross_entropy(z, yb)"),
    "(N, 1)": ("y.unsqueeze(1)", "F.cross_entropy(z, yb.squeeze(1))"),
    "(N, 1), by hand": ("y.unsqueeze(1)", "-F.log_softmax(z, 1).gather(1, yb).mean()"),
    "one-hot in cross_entropy": ("F.one_hot(y, 3).float()", "F.cross_entropy(z, yb)"),
    "one-hot in mse": ("F.one_hot(y, 3).float()", "((z.softmax(1) - yb) ** 2).mean()"),
    "one-hot mask": ("F.one_hot(y, 3)", "-(F.log_softmax(z, 1) * yb).sum() / len(z)"),
    "float": ("y.float()", "F.cross_entropy(z, yb.long())"),
    "boolean mask": ("F.one_hot(y, 3).bool()", "-F.log_softmax(z, 1)[yb].mean()"),
    "advanced index": ("y", "-F.log_softmax(z, 1)[torch.arange(len(z)), yb].mean()"),
}


@pytest.mark.parametrize("form", LABELS)
@pytest.mark.parametrize("source", ["slices", "loader"])
def test_labels_of_every_form(watched, form, source):
    targets, loss = LABELS[form]
    head = {
        "slices": "for i in range(0, 200, 50):\n    xb, yb = x[i:i + 50], t[i:i + 50]\n",
        "loader": (
            "from torch.utils.data import DataLoader, TensorDataset\n"
            "for xb, yb in DataLoader(TensorDataset(x, t), batch_size=50):\n"
        ),
    }[source]
    trace = watched(
        TORCH
        + f"t = {targets}\nw = torch.zeros(6, 3, requires_grad=True)\n{head}    z = xb @ w\n    loss = {loss}\n"
        + "    loss.backward()\n    w.data -= 0.1 * w.grad\n    w.grad = None\n"
    )
    assert (trace.end.error, trace.notes, kinds(trace)) == (None, (), "tttt")
    for k, one in enumerate(trace.forwards):
        np.testing.assert_array_equal(one.labels, data()[1][k * 50 : k * 50 + 50])


@pytest.mark.parametrize("how", ["g[yb(), np.arange(50)] -= 1", "g[yb(), range(50)] = g[yb(), np.arange(50)] - 1"])
def test_labels_that_have_no_name(watched, how):
    trace = watched(
        f"""
import numpy as np
rng = np.random.default_rng(0)
y = rng.integers(0, 3, 200)
x = (rng.normal(size=(3, 6))[y] * 2 + rng.normal(size=(200, 6))).T
W = np.zeros((3, 6))
for i in range(0, 200, 50):
    def yb():
        return y[i:i + 50]
    z = W @ x[:, i:i + 50]
    g = np.exp(z) / np.exp(z).sum(0)
    {how}
    W -= 0.1 * g @ x[:, i:i + 50].T / 50
"""
    )
    assert (trace.end.error, trace.notes, kinds(trace)) == (None, (), "tttt")
    y = np.random.default_rng(0).integers(0, 3, 200)
    for k, one in enumerate(trace.forwards):
        np.testing.assert_array_equal(one.labels, y[k * 50 : k * 50 + 50])


def test_what_never_ran(watched):
    trace = watched("def f():\n    return 1\n\nif len('a') == 2:\n    a = 1\n    b = 2\nelse:\n    c = 3\n")
    assert [(one.file, one.never) for one in trace.files] == [("main.py", ((2, 2), (5, 6)))]


def test_arrays_that_were_made(watched):
    trace = watched(TORCH + "scaled = rows / 4\nfor i in range(9):\n    part = rows[i:i + 2]\n")
    scaled = next(one for one in trace.made if one.name == "scaled")
    assert scaled.summary.shape == (200, 6)
    assert scaled.summary.mean == pytest.approx(float(data()[0].mean()) / 4, rel=1e-4)
    assert scaled.summary.dtype == "float32"
    assert sum(one.name == "part" for one in trace.made) == 3


@pytest.mark.parametrize(
    ("text", "seeded"),
    [
        ("import torch\ntorch.manual_seed(1)\nprint(torch.rand(1).item())", True),
        ("import numpy as np\nnp.random.seed(1)\nprint(np.random.rand())", True),
        ("import numpy as np\nprint(np.random.default_rng(1).random())", True),
        ("import random\nrandom.seed(1)\nprint(random.random())", True),
        ("import numpy as np\nnp.random.seed()\nnp.random.default_rng()", False),
        ("import torch, random, numpy as np\nprint(torch.rand(1).item(), random.random(), np.random.rand())", False),
    ],
)
def test_seeds(watched, text, seeded):
    first, again, moved = (watched(text, shift=shift) for shift in (0, 0, 3))
    assert first.seeded is seeded
    assert first.output == again.output
    if seeded:
        assert moved.output != first.output
        assert watched(text.replace("1)", "4)", 1)).output == moved.output


@pytest.mark.parametrize("columns", [False, True])
def test_rows_that_are_centred_after_an_update_are_no_parameters(watched, columns):
    forward = "x = (x - x.mean(0)) / (x.std(0) + 1e-8)\n    return x, x @ w + b"
    text = f"""
import numpy as np
rng = np.random.default_rng(0)
y = rng.integers(0, 3, 90)
rows = rng.normal(size=(3, 5))[y] + rng.normal(size=(90, 5))
w, b = np.zeros((5, 3)), np.zeros(3)
def forward(x):
    {forward}
for step in range(12):
    x, z = forward(rows[:60])
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    p[np.arange(60), y[:60]] -= 1
    w -= 0.1 * x.T @ p / 60
    b -= 0.1 * p.sum(0) / 60
    if step % 4 == 0:
        print((forward(rows[60:])[1].argmax(1) == y[60:]).mean())
"""
    if columns:
        for old, new in (
            (
                forward,
                "x = (x - x.mean(1, keepdims=True)) / (x.std(1, keepdims=True) + 1e-8)\n    return x, w @ x + b",
            ),
            ("np.zeros(3)", "np.zeros((3, 1))"),
            ("forward(rows[:60])", "forward(rows[:60].T)"),
            ("sum(1, keepdims=True)", "sum(0, keepdims=True)"),
            ("p[np.arange(60), y[:60]]", "p[y[:60], np.arange(60)]"),
            ("np.zeros((5, 3))", "np.zeros((3, 5))"),
            ("x.T @ p", "p @ x.T"),
            ("p.sum(0)", "p.sum(1, keepdims=True)"),
            ("forward(rows[60:])[1].argmax(1)", "forward(rows[60:].T)[1].argmax(0)"),
        ):
            text = text.replace(old, new)
    trace = watched(text)
    assert trace.end.how == "done", trace.end.error
    assert sorted(one.shape for one in trace.parameters) == ([(3, 1), (3, 5)] if columns else [(3,), (5, 3)])
    assert [one.last for one in trace.trainings] == [12]
    assert [f.n for f in trace.forwards if f.kind == "eval"] == [30, 30, 30]


OCTAVE = """
import numpy as np
rng = np.random.default_rng(0)
y = rng.integers(0, 3, 200)
x = rng.normal(size=(3, 6))[y] * 2 + rng.normal(size=(200, 6))
Y = np.eye(3)[y]
Theta1, Theta2 = rng.normal(size=(8, 7)) * 0.5, rng.normal(size=(3, 9)) * 0.5
def ones(A):
    return {join}
for step in range(20):
    a1 = ones(x)
    z2 = a1 @ Theta1.T
    a2 = ones(np.maximum(z2, 0))
    z3 = a2 @ Theta2.T
    p = np.exp(z3) / np.exp(z3).sum(1, keepdims=True)
    d3 = (p - Y) / 200
    d2 = (d3 @ Theta2)[:, 1:] * (z2 > 0)
    Theta1 = Theta1 - 0.1 * d2.T @ a1
    Theta2 = Theta2 - 0.1 * d3.T @ a2
print((np.argmax(ones(np.maximum(ones(x) @ Theta1.T, 0)) @ Theta2.T, axis=1) == y).mean())
"""
JOINS = [
    "np.column_stack((np.ones(len(A)), A))",
    "np.hstack([np.ones((len(A), 1)), A])",
    "np.concatenate((np.ones((len(A), 1)), A), axis=1)",
    "np.insert(A, 0, 1, axis=1)",
    "np.c_[np.ones(len(A)), A]",
]


@pytest.mark.parametrize("join", JOINS)
def test_weights_that_are_turned_and_have_a_column_for_the_bias(watched, join):
    trace = watched(OCTAVE.format(join=join))
    assert not [note for note in trace.notes if "watching failed" in note]
    assert [(one.name, one.shape, one.training) for one in trace.parameters] == [
        ("Theta1", (8, 7), 0),
        ("Theta2", (3, 9), 0),
    ]
    assert kinds(trace) == "t" * 20 + "e"  # and a layer's output is no rows of its own
    assert {one.input.shape for one in trace.forwards} == {(200, 7)}
    late = trace.tapes[-1]
    hidden = [value for value in late.values if value.units]
    assert [value.units.kind for value in hidden] == ["relu"]
    assert [late.values[op.inputs[1]].parameter for op in late.ops if op.name == "matmul"] == [0, 1]


MEMBERS = """
import numpy as np
rng = np.random.default_rng(0)
y = rng.integers(0, 3, 200)
x = rng.normal(size=(3, 6))[y] * 2 + rng.normal(size=(200, 6))
sizes, params, biases = [6, 8, 3], {{}}, []
weights = {weights}
for n in sizes[1:]:
    biases.append(rng.normal(size=n) * 0.1)
for i, m in enumerate(sizes[1:]):
    params["W" + str(i)] = rng.normal(size=(sizes[i], m)) * 0.5
for step in range(5):
    for w, b in zip({used}, biases):
        last = w is not w0
    h = np.tanh(x @ {used}[{first}] + biases[0])
    z = h @ {used}[{second}] + biases[1]
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    d = (p - np.eye(3)[y]) / 200
    g = [x.T @ (d @ {used}[{second}].T * (1 - h ** 2)), h.T @ d]
    for k, (key, b) in enumerate(zip([{first}, {second}], biases)):
        {used}[key] -= 0.1 * g[k]
        b -= 0.1 * (d if k else d @ {used}[{second}].T).sum(0)
"""


@pytest.mark.parametrize(
    ("weights", "used", "keys", "made"),
    [
        ("[rng.normal(size=(a, b)) for a, b in zip(sizes, sizes[1:])]", "weights", ("0", "1"), "[rng.normal"),
        ("[]", "params", ('"W0"', '"W1"'), "rng.normal(size=(sizes[i], m)) * 0.5"),
    ],
)
def test_the_parts_of_a_list_were_made_where_they_came_into_it(watched, weights, used, keys, made):
    text = MEMBERS.format(weights=weights, used=used, first=keys[0], second=keys[1])
    text = text.replace("    for w, b in zip", "    w0 = None\n    for w, b in zip", 1)
    trace = watched(text if used == "weights" else text.replace("zip(params,", "zip(params.values(),"))
    assert trace.end.how == "done", trace.end
    where = {one.shape: one.place.line for one in trace.parameters}
    assert where[6, 8] == where[8, 3] == line_of(text, made)
    assert where[8,] == where[3,] == line_of(text, "biases.append")


def test_a_part_that_has_a_name_was_made_where_it_got_it(watched):
    text = """
import numpy as np
rng = np.random.default_rng(0)
y = rng.integers(0, 3, 200)
x = rng.normal(size=(3, 6))[y] * 2 + rng.normal(size=(200, 6))
W = rng.normal(size=(6, 3))
params = list((W,))
for step in range(5):
    p = np.exp(x @ W) / np.exp(x @ W).sum(1, keepdims=True)
    W -= 0.1 * x.T @ (p - np.eye(3)[y]) / 200
"""
    (one,) = watched(text).parameters
    assert (one.name, one.place.line) == ("W", line_of(text, "W = rng"))
