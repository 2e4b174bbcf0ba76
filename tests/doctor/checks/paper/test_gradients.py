"""Gradients derived on paper: programs that are right, in many styles, and each way to be wrong, at its line.

The programs are really run, and probed at two of their updates.
"""

from dataclasses import replace

import numpy as np
import pytest

from byhand.doctor.audit.audit import audit
from byhand.doctor.audit.derived import clocks_to_probe
from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.loss.sign import loss_of_wrong_sign
from byhand.doctor.checks.paper.descended import update_not_of_printed_loss
from byhand.doctor.checks.paper.gradients import gradient_misscaled, gradient_wrong
from byhand.doctor.checks.paper.probes import reference
from byhand.doctor.checks.paper.unmoved import bias_never_moves, parameter_never_moved
from byhand.doctor.slopes import cosine
from byhand.doctor.text import edits
from byhand.doctor.text.reading import read_program
from byhand.doctor.trace import Backward, Training

DATA = """
import numpy as np
rng = np.random.default_rng(0)
y = rng.integers(0, 5, 400)
X = rng.normal(size=(5, 12))[y] + rng.normal(size=(400, 12))
Y = np.eye(5)[y]
"""
ROWS = (
    DATA
    + """
W1 = rng.normal(0, .4, (12, 9)); b1 = np.zeros(9)
W2 = rng.normal(0, .4, (9, 5)); b2 = np.zeros(5)
def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
for epoch in range(2):
    for i in range(0, 400, 20):
        x, t = X[i:i+20], Y[i:i+20]
        z1 = x @ W1 + b1
        a1 = np.maximum(0, z1)
        p = softmax(a1 @ W2 + b2)
        loss = -np.mean(np.sum(t * np.log(p + 1e-12), axis=1))
        dz2 = (p - t) / len(x)
        dW2 = a1.T @ dz2
        db2 = dz2.sum(axis=0)
        da1 = dz2 @ W2.T
        dz1 = da1 * (z1 > 0)
        dW1 = x.T @ dz1
        db1 = dz1.sum(axis=0)
        W1 -= 0.2 * dW1
        b1 -= 0.2 * db1
        W2 -= 0.2 * dW2
        b2 -= 0.2 * db2
    print(epoch, loss)
"""
)
LOSS = "        loss = -np.mean(np.sum(t * np.log(p + 1e-12), axis=1))\n"
TANH = (("np.maximum(0, z1)", "np.tanh(z1)"), ("(z1 > 0)", "(1 - a1 ** 2)"))
NIELSEN = (
    DATA
    + """
def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))
def sigmoid_prime(z):
    return sigmoid(z) * (1 - sigmoid(z))
class Network:
    def __init__(self, sizes):
        self.biases = [rng.normal(size=(n, 1)) for n in sizes[1:]]
        self.weights = [rng.normal(size=(n, m)) for m, n in zip(sizes[:-1], sizes[1:])]
    def update_mini_batch(self, batch, eta):
        nabla_b = [np.zeros(b.shape) for b in self.biases]
        nabla_w = [np.zeros(w.shape) for w in self.weights]
        for x, t in batch:
            delta_b, delta_w = self.backprop(x, t)
            nabla_b = [nb + dnb for nb, dnb in zip(nabla_b, delta_b)]
            nabla_w = [nw + dnw for nw, dnw in zip(nabla_w, delta_w)]
        self.weights = [w - (eta / len(batch)) * nw for w, nw in zip(self.weights, nabla_w)]
        self.biases = [b - (eta / len(batch)) * nb for b, nb in zip(self.biases, nabla_b)]
    def backprop(self, x, t):
        nabla_b, nabla_w = [None] * 2, [None] * 2
        activation, activations, zs = x, [x], []
        for b, w in zip(self.biases, self.weights):
            z = np.dot(w, activation) + b
            zs.append(z)
            activation = sigmoid(z)
            activations.append(activation)
        delta = (activations[-1] - t) * sigmoid_prime(zs[-1])
        nabla_b[-1] = delta
        nabla_w[-1] = np.dot(delta, activations[-2].transpose())
        delta = np.dot(self.weights[-1].transpose(), delta) * sigmoid_prime(zs[-2])
        nabla_b[-2] = delta
        nabla_w[-2] = np.dot(delta, activations[-3].transpose())
        return nabla_b, nabla_w
net = Network([12, 7, 5])
pairs = [(x.reshape(-1, 1), t.reshape(-1, 1)) for x, t in zip(X, Y)]
for epoch in range(2):
    for k in range(0, 400, 20):
        net.update_mini_batch(pairs[k:k + 20], 3.0)
    print(epoch)
"""
)
LAYERS = (
    DATA
    + """
class Dense:
    def __init__(self, n, m):
        self.params = {"W": rng.normal(0, .4, (m, n)), "b": np.zeros((m, 1))}
    def forward(self, a):
        self.a = a
        return self.params["W"].dot(a) + self.params["b"]
    def backward(self, d):
        self.grads = {"W": d.dot(self.a.T) / d.shape[1], "b": np.mean(d, axis=1, keepdims=True)}
        return self.params["W"].T.dot(d)
class Sigmoid:
    def forward(self, z):
        self.out = 1 / (1 + np.exp(-z))
        return self.out
    def backward(self, d):
        return d * self.out * (1 - self.out)
class Adam:
    def __init__(self, layers):
        self.layers, self.t = layers, 0
        self.m = [{k: np.zeros_like(v) for k, v in l.params.items()} for l in layers]
        self.v = [{k: np.zeros_like(v) for k, v in l.params.items()} for l in layers]
    def step(self):
        self.t += 1
        for l, m, v in zip(self.layers, self.m, self.v):
            for k in l.params:
                m[k] = 0.9 * m[k] + 0.1 * l.grads[k]
                v[k] = 0.999 * v[k] + 0.001 * l.grads[k] ** 2
                l.params[k] -= 0.01 * (m[k] / (1 - 0.9 ** self.t)) / (np.sqrt(v[k] / (1 - 0.999 ** self.t)) + 1e-8)
first, act, last = Dense(12, 9), Sigmoid(), Dense(9, 5)
adam = Adam([first, last])
def step(x, t):
    a = act.forward(first.forward(x))
    p = 1 / (1 + np.exp(-last.forward(a)))
    cost = -np.sum(t * np.log(p) + (1 - t) * np.log(1 - p)) / x.shape[1]
    first.backward(act.backward(last.backward(p - t)))
    adam.step()
    return cost
for i in range(40):
    cost = step(X.T, Y.T)
print(cost)
"""
)
FULL = (  # the whole data each time, the loss from another forward after the update
    DATA
    + """
W = np.zeros((12, 5)); b = np.zeros((1, 5))
def probabilities():
    s = np.exp(X @ W + b)
    return s / s.sum(axis=1, keepdims=True)
for step in range(30):
    g = probabilities() - Y
    W, b = W - 0.001 * X.T @ g, b - 0.001 * g.sum(axis=0, keepdims=True)
    nll = -np.log(probabilities()[np.arange(400), y]).sum()
print(nll)
"""
)


IRLS = (
    DATA
    + """
t = (y > 2).astype(float)
w = np.zeros(12)
for step in range(12):
    p = 1 / (1 + np.exp(-(X @ w)))
    loss = -np.mean(t * np.log(p) + (1 - t) * np.log(1 - p))
    H = X.T @ (X * (p * (1 - p))[:, None]) + np.eye(12)
    w = w + np.linalg.solve(H, X.T @ (t - p))
    print(step, loss)
"""
)
RETURNED = (
    (
        """        W1 -= 0.2 * dW1
        b1 -= 0.2 * db1
        W2 -= 0.2 * dW2
        b2 -= 0.2 * db2
""",
        "        P = update(P, dict(W1=dW1, b1=db1, W2=dW2, b2=db2))\n",
    ),
    (
        "def softmax",
        "P = dict(W1=W1, b1=b1, W2=W2, b2=b2)\n"
        "def update(P, G):\n    return {k: v - 0.2 * G[k] for k, v in P.items()}\ndef softmax",
    ),
    ("x @ W1 + b1", "x @ P['W1'] + P['b1']"),
    ("a1 @ W2 + b2", "a1 @ P['W2'] + P['b2']"),
    ("dz2 @ W2.T", "dz2 @ P['W2'].T"),
)
PERCEPTRON = (
    DATA
    + """
W = rng.normal(0, .1, (12, 5))
for epoch in range(3):
    for i in range(0, 400, 20):
        x, t = X[i:i+20], Y[i:i+20]
        s = x @ W
        loss = np.mean((s - t) ** 2)
        d = np.eye(5)[s.argmax(axis=1)] - t
        W -= 0.1 * x.T @ d
    print(epoch, loss)
"""
)


def changed(source, *pairs):
    """The program with parts of it replaced."""
    for old, new in pairs:
        assert old in source, old
        source = source.replace(old, new)
    return source


PENALTY = (  # a loss with a penalty, whose gradient stands in each update beside the rest, and a momentum
    ("p + 1e-12), axis=1))\n", "p + 1e-12), axis=1)) + 0.05 * (np.sum(W1 ** 2) + np.sum(W2 ** 2))\n"),
    ("        W1 -= 0.2 * dW1\n", "        v1 = 0.5 * v1 + dW1 + 0.1 * W1\n        W1 = W1 - 0.2 * v1\n"),
    ("        W2 -= 0.2 * dW2\n", "        v2 = 0.5 * v2 + dW2 + 0.1 * W2\n        W2 = W2 - 0.2 * v2\n"),
    ("def softmax", "v1, v2 = np.zeros_like(W1), np.zeros_like(W2)\ndef softmax"),
)
RIGHT = {
    "relu": ROWS,
    "a shown penalty and momentum": changed(ROWS, *PENALTY),
    "tanh": changed(ROWS, *TANH),
    "no loss": changed(ROWS, (LOSS, ""), ("print(epoch, loss)", "print(epoch)")),
    "loops over samples": NIELSEN,
    "layers, columns, Adam, cross-entropy of sigmoids": LAYERS,
    "zero start, whole data, loss afterwards": FULL,
    "weight decay in place": changed(ROWS, ("        W1 -=", "        dW1 += .1 * W1; dW2 += .1 * W2\n        W1 -=")),
    "momentum": changed(
        ROWS,
        ("        W1 -= 0.2 * dW1\n", "        v = 0.9 * v - 0.2 * dW1\n        W1 += v\n"),
        ("def softmax", "v = np.zeros_like(W1)\ndef softmax"),
    ),
    "dropout": changed(
        ROWS,
        ("        p = ", "        m = (rng.random(a1.shape) > .5) / .5\n        a1 = a1 * m\n        p = "),
        ("(z1 > 0)", "m * (z1 > 0)"),
    ),
    "clipped": changed(ROWS, ("        W1 -=", "        dW1 = np.clip(dW1, -.02, .02)\n        W1 -=")),
    "float32": changed(
        ROWS,
        ("+ rng.normal(size=(400, 12))", "+ rng.normal(size=(400, 12)); X = X.astype(np.float32)"),
        ("np.eye(5)", "np.eye(5, dtype=np.float32)"),
        ("def softmax", "W1, b1, W2, b2 = [p.astype(np.float32) for p in (W1, b1, W2, b2)]\ndef softmax"),
    ),
    "other rates for other parameters": changed(ROWS, ("b1 -= 0.2", "b1 -= 0.6"), ("W2 -= 0.2", "W2 -= 0.02")),
    "rates that are as many times apart as there are rows": changed(ROWS, ("W2 -= 0.2", "W2 -= 0.01")),
    "sums": changed(ROWS, ("(p - t) / len(x)", "(p - t)"), ("0.2 *", "0.01 *")),
    "up the log-likelihood": changed(ROWS, ("(p - t)", "(t - p)"), ("-= 0.2", "+= 0.2"), ("loss = -np", "loss = np")),
    "in place, as in a course": changed(
        ROWS,
        ("dz2 = (p - t) / len(x)", "dz2 = p\n        dz2[np.arange(20), y[i:i+20]] -= 1\n        dz2 /= 20"),
        ("dz1 = da1 * (z1 > 0)", "dz1 = da1\n        dz1[a1 <= 0] = 0"),
    ),
    "classes weighted, no loss": changed(
        ROWS, (LOSS, ""), ("print(epoch, loss)", "print(epoch)"), ("(p - t)", "(p - t) * (1 + y[i:i+20][:, None])")
    ),
    "squared error": changed(
        ROWS, ("softmax(a1 @ W2 + b2)", "a1 @ W2 + b2"), (LOSS, "        loss = np.mean((p - t) ** 2)\n")
    ),
    "an offset on purpose": changed(
        ROWS,
        ("softmax(a1 @ W2 + b2)", "softmax(a1 @ W2 + b2 + prior)"),
        ("def softmax", "prior = np.log(Y.mean(0))\ndef softmax"),
    ),
    "classes weighted, the plain loss shown": changed(ROWS, ("(p - t)", "(p - t) * (1 + y[i:i+20][:, None])")),
    "only the rows that are hard": changed(
        ROWS, ("        dW2 =", "        dz2[np.arange(20)[(p * t).sum(1) > .4]] = 0\n        dW2 =")
    ),
    "labels smoothed in the update": changed(ROWS, ("(p - t)", "(p - (t * .9 + .02))")),
    "weights on the classes, the loss with another mask": changed(
        ROWS,
        ("        p = ", "        m = (rng.random(a1.shape) > .5) / .5\n        a1 = a1 * m\n        p = "),
        ("(z1 > 0)", "m * (z1 > 0)"),
        (
            LOSS,
            "        m2 = (rng.random(a1.shape) > .5) / .5\n"
            "        q = softmax(np.maximum(0, x @ W1 + b1) * m2 @ W2 + b2)\n"
            "        loss = -np.mean(np.log((q * t).sum(1)))\n",
        ),
        ("(p - t)", "(p - t) * (1 + y[i:i+20][:, None])"),
    ),
    "the loss of other rows": changed(
        ROWS,
        (
            LOSS,
            "        q = softmax(np.maximum(0, X[:50] @ W1 + b1) @ W2 + b2)\n"
            "        loss = -np.mean(np.log((q * Y[:50]).sum(1)))\n",
        ),
        ("(p - t)", "(p - t) * (1 + y[i:i+20][:, None])"),
    ),
    "the last layer first, its old weights used": changed(
        ROWS,
        ("        dW1 = x", "        W2 -= 0.2 * dW2\n        b2 -= 0.2 * db2\n        dW1 = x"),
        ("        b1 -= 0.2 * db1\n        W2 -= 0.2 * dW2\n        b2 -= 0.2 * db2\n", "        b1 -= 0.2 * db1\n"),
    ),
    "Newton's method": IRLS,
    "the perceptron's rule": PERCEPTRON,
    "made anew by a function": changed(ROWS, *RETURNED),
    "one row after another, each with its update": changed(ROWS, ("20", "1"), ("400", "60"), ("0.2", "0.02")),
}
QUICK = (
    "relu",
    "loops over samples",
    "layers, columns, Adam, cross-entropy of sigmoids",
    "float32",
    "weight decay in place",
)
WRONG = {
    "relu's mask": (ROWS, [("da1 * (z1 > 0)", "da1")], "dz2 @ W2.T", "without the derivative"),
    "tanh's derivative": (
        ROWS,
        [TANH[0], ("da1 * (z1 > 0)", "da1 * (1 - z1 ** 2)"), (".4, (12", ".1, (12")],
        "da1 * (1",
        "from its input",
    ),
    "sum over all": (ROWS, [("dz1.sum(axis=0)", "np.sum(dz1)")], "np.sum(dz1)", "same number"),
    "sum over all, that is zero": (ROWS, [("dz2.sum(axis=0)", "np.sum(dz2)")], "np.sum(dz2)", "same number"),
    "uphill": (ROWS, [("b1 -= 0.2", "b1 += 0.2")], "b1 +=", "minus the gradient"),
    "transpose": (
        ROWS,
        [("(12, 9)", "(12, 12)"), ("np.zeros(9)", "np.zeros(12)"), ("(9, 5)", "(12, 5)"), ("x.T @ dz1", "dz1.T @ x")],
        "dz1.T @ x",
        "transpose",
    ),
    "of the quadratic cost": (
        NIELSEN,
        [("delta) * sigmoid_prime(zs[-2])", "delta) * sigmoid_prime(activations[-2])")],
        "delta) * sigmoid_prime(activations[-2])",
        "at its output",
    ),
    "through weights that were updated": (
        ROWS,
        [
            ("        da1 =", "        W2 -= 0.5 * dW2\n        b2 -= 0.5 * db2\n        da1 ="),
            ("        W2 -= 0.2 * dW2\n        b2 -= 0.2 * db2\n", ""),
            ("W1 -= 0.2", "W1 -= 0.5"),
        ],
        "dz2 @ W2.T",
        "if W2 is updated before: the backward pass goes through the new one",
    ),
    "sum over all, in a program whose parameters a function makes anew": (
        ROWS,
        [*RETURNED, ("dz1.sum(axis=0)", "np.sum(dz1)")],
        "np.sum(dz1)",
        "same number",
    ),
    "the last row's bias": (ROWS, [("dz1.sum(axis=0)", "dz1[-1]")], "dz1[-1]", "last of the 20 rows alone"),
    "the first row's weights": (
        ROWS,
        [("x.T @ dz1", "np.outer(x[0], dz1[0])")],
        "np.outer",
        "first of the 20 rows alone",
    ),
    "the last of a loop over rows": (
        NIELSEN,
        [("[nw + dnw for nw, dnw in zip(nabla_w, delta_w)]", "delta_w")],
        "nabla_w[-1] = np",
        "the last of 20 rows alone",
    ),
    "the sigmoid's derivative for tanh": (
        ROWS,
        [TANH[0], ("(z1 > 0)", "a1 * (1 - a1)")],
        "da1 * a1",
        "the derivative of the sigmoid in the place of",
    ),
    "softmax's diagonal": (ROWS, [("(p - t) /", "(-t / p) * p * (1 - p) /")], "dz2 = ", "each depend on all scores"),
    "softmax's diagonal, of the squared error": (
        ROWS,
        [("(p - t) /", "(p - t) * p * (1 - p) /")],
        "dz2 = ",
        "of the squared error, which is another loss",
    ),
    "softmax's diagonal, of the squared error that is shown": (
        ROWS,
        [("(p - t) /", "(p - t) * p * (1 - p) /"), (LOSS, "        loss = np.mean((p - t) ** 2)\n")],
        "dz2 = ",
        "with a * (1 - a) for the derivative of the softmax",
    ),
    "softmax forgotten": (ROWS, [("(p - t) /", "(-t / p) /"), ("0.2 *", "0.01 *")], "dz2 = ", "without the derivative"),
    "a shown penalty, momentum, and weights that were updated before": (
        ROWS,
        [
            *PENALTY,
            ("        W2 = W2 - 0.2 * v2\n", ""),
            ("        v2 = 0.5 * v2 + dW2 + 0.1 * W2\n", ""),
            ("        da1 =", "        v2 = 0.5 * v2 + dW2 + 0.1 * W2\n        W2 = W2 - 0.5 * v2\n        da1 ="),
        ],
        "dz2 @ W2.T",
        "W2 is updated before",
    ),
    "in a layer's class": (LAYERS, [("d * self.out * (1 - self.out)", "d")], None, ""),
    "the sigmoid's derivative forgotten, of one written with NumPy's functions": (
        ROWS,
        [("np.maximum(0, z1)", "np.divide(1, np.add(1, np.exp(np.negative(z1))))"), ("da1 * (z1 > 0)", "da1")],
        "dz2 @ W2.T",
        "without the derivative of the sigmoid",
    ),
}
CHECKS = (gradient_wrong, gradient_misscaled, bias_never_moves, update_not_of_printed_loss)


@pytest.fixture(scope="module")
def probed(watched, tmp_path_factory):
    """``probed(text)``: what is known of a program that was run once as it is and once for the probes."""

    def run(text):
        folder = tmp_path_factory.mktemp("derived")
        trace = watched(text, folder=folder)
        assert trace.end.how == "done", trace.end.error
        closer = watched(text, folder=folder, probe=clocks_to_probe(trace), light=True, soft=40.0)
        assert not closer.notes
        program = read_program(folder / "main.py")
        whole = replace(trace, probes=closer.probes)
        return Evidence(program, whole, audit(whole))

    return run


def said(evidence):
    return [finding for check in CHECKS for finding in check(evidence)]


def line_of(text, part):
    return text[: text.index(part)].count("\n") + 1


@pytest.mark.parametrize(
    "style", [pytest.param(style, marks=() if style in QUICK else pytest.mark.full) for style in RIGHT]
)
def test_nothing_is_said_of_a_right_program(probed, style):
    evidence = probed(RIGHT[style])
    assert evidence.trace.probes
    assert said(evidence) == []
    if not any(word in style for word in ("weight", "hard", "Newton", "perceptron", "other rows")) or "decay" in style:
        assert reference(evidence.trace.probes[-1]) is not None


@pytest.mark.parametrize(
    "fault", [pytest.param(fault, marks=() if fault == "relu's mask" else pytest.mark.full) for fault in WRONG]
)
def test_a_wrong_gradient_is_named_with_what_it_is(probed, fault):
    source, pairs, at, words = WRONG[fault]
    text = changed(source, *pairs)
    [finding] = said(probed(text))
    assert (finding.check, finding.level) == ("gradient-wrong", "error")
    assert words in finding.saw
    assert at is None or finding.place.line == line_of(text, at)


@pytest.mark.full
def test_weights_that_were_updated_a_little_before_are_a_note(probed):
    text = changed(
        ROWS,
        ("        da1 =", "        W2 -= 0.03 * dW2\n        b2 -= 0.03 * db2\n        da1 ="),
        ("b1 -= 0.2 * db1\n        W2 -= 0.2 * dW2\n        b2 -= 0.2 * db2\n", "b1 -= 0.2 * db1\n"),
    )
    for finding in said(probed(text)):
        assert (finding.check, finding.level) == ("gradient-wrong", "note")
        assert "W2 is updated before" in finding.saw


@pytest.mark.full
@pytest.mark.parametrize(
    ("pairs", "at", "words"),
    [
        ([("dz1.sum(axis=0)", "dz1.mean(axis=0)")], "dz1.mean", "b1 (9) is 20 times smaller"),
        (
            [("(p - t) / len(x)", "(p - t)"), ("x.T @ dz1", "x.T @ dz1 / 20"), ("a1.T @ dz2", "a1.T @ dz2 / 20")],
            "dz2.sum",
            "20 times larger",
        ),
        (
            [("x.T @ dz1", "x.T @ dz1 / 20"), ("dz1.sum(axis=0)", "dz1.mean(axis=0)")],
            "x.T",
            "W1 (12 × 9) is 20 times smaller",
        ),
    ],
)
def test_a_gradient_of_another_scale(probed, pairs, at, words):
    text = changed(ROWS, *pairs)
    first, *_ = said(probed(text))
    assert first.check == "gradient-misscaled"
    assert words in first.saw


@pytest.mark.full
@pytest.mark.parametrize(
    ("pairs", "level"),
    [
        ([("        b1 -= 0.2 * db1\n", "")], "error"),
        ([("        b1 -= 0.2 * db1\n", ""), ("        db1 = dz1.sum(axis=0)\n", "")], "warning"),
        ([("b1 -= 0.2 * db1", "b1 -= 0.0 * db1")], "error"),
    ],
)
def test_a_bias_that_stays(probed, pairs, level):
    [finding] = said(probed(changed(ROWS, *pairs)))
    assert (finding.check, finding.level) == ("bias-never-moves", level)
    assert "b1 (9)" in finding.saw


STACK = (
    DATA
    + """
class Layer:
    def __init__(self, inputs, outputs):
        self.w = rng.normal(0, .4, (inputs, outputs))
    def update(self, x, rate):
        self.w -= rate * (x.T @ self.error) / len(x)
layers = [Layer(12, 9), Layer(9, 7), Layer(7, 5)]
def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
for epoch in range(2):
    for i in range(0, 400, 20):
        x, t = X[i:i+20], Y[i:i+20]
        h1 = np.maximum(0, x @ layers[0].w)
        h2 = np.maximum(0, h1 @ layers[1].w)
        p = softmax(h2 @ layers[2].w)
        loss = -np.mean(np.sum(t * np.log(p + 1e-12), axis=1))
        layers[2].error = p - t
        layers[2].gradient = h2.T @ layers[2].error
        layers[1].error = (layers[2].error @ layers[2].w.T) * (h2 > 0)
        layers[0].error = (layers[1].error @ layers[1].w.T) * (h1 > 0)
        for layer, inputs in zip(layers[:2], (x, h1)):
            layer.update(inputs, 0.2)
    print(epoch, loss)
"""
)


def test_a_layer_that_the_loop_of_updates_does_not_reach(probed):
    [finding] = parameter_never_moved(probed(STACK))
    assert (finding.check, finding.level) == ("parameter-never-updated", "warning")
    assert finding.place.line == line_of(STACK, "zip(layers[:2]")
    assert f"computed (line {line_of(STACK, 'h2.T @')}) and goes nowhere" in finding.saw
    assert finding.instead.endswith("as the others are updated")


@pytest.mark.full
@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ([(LOSS, "        loss = np.mean((p - t) ** 2)\n")], "loss is the squared error"),
        (
            [
                (LOSS, "        kept.append(mse(p, t))\n"),
                ("print(epoch, loss)", "print(epoch, kept[-1])"),
                ("def softmax", "kept = []\ndef mse(p, t):\n    return np.mean((p - t) ** 2)\ndef softmax"),
            ],
            "what is shown is the squared error",
        ),
        ([("axis=1))\n", "axis=1)) + 0.05 * (np.sum(W1 ** 2) + np.sum(W2 ** 2))\n")], "a penalty on the weights, 0.05"),
    ],
)
def test_a_loss_that_is_only_shown(probed, pairs, words):
    [finding] = said(probed(changed(ROWS, *pairs)))
    assert (finding.check, finding.level) == ("update-not-of-printed-loss", "warning")
    assert words in finding.saw


@pytest.mark.full
def test_all_updates_uphill(probed):
    text = changed(ROWS, ("-= 0.2", "+= 0.02"))
    evidence = probed(text)
    [finding] = loss_of_wrong_sign(evidence)
    assert finding.level == "error"
    assert finding.place.line == line_of(text, "W1 +=")
    [fix] = finding.edits
    assert edits.apply(evidence.program, fix)["main.py"].count("-= 0.02") == 4
    assert said(evidence) == []


def test_slopes_are_those_of_autograd(probed):
    """The same network in torch, at the parameters that the probed iteration had."""
    import torch

    source = changed(
        ROWS,
        (
            "        z1 = x",
            "        if epoch == 0 and i == 60:\n            np.savez('at', x=x, t=t, W1=W1, b1=b1, W2=W2, b2=b2)\n"
            "        z1 = x",
        ),
    )
    evidence = probed(source)
    probe = evidence.trace.probes[0]
    assert probe.clock == 3
    with np.load(evidence.program.folder / "at.npz") as file:
        x, t, *parameters = [torch.tensor(file[name]) for name in ("x", "t", "W1", "b1", "W2", "b2")]
    W1, b1, W2, b2 = [one.requires_grad_() for one in parameters]
    loss = torch.nn.functional.cross_entropy((x @ W1 + b1).relu() @ W2 + b2, t)
    gradients = dict(zip(("W1", "b1", "W2", "b2"), torch.autograd.grad(loss, [W1, b1, W2, b2]), strict=True))
    [index] = [i for i, one in enumerate(probe.scalars) if one.name == "loss"]
    for one in probe.parameters:
        true = gradients[one.name].numpy()
        if one.units:
            assert one.slopes[index] == pytest.approx(true.ravel(), rel=1e-3, abs=1e-6)
        assert cosine(one.slopes[index], one.taken) > 0.9999
        assert np.linalg.norm(true) == pytest.approx(one.moved / 0.2, rel=1e-9)


def test_only_long_trainings_without_autograd_are_looked_at(make_run):
    trace = make_run().trace(libraries=("numpy", "torch"))
    by_hand = Training(10, 500, None, True, None, (), None, None)
    assert clocks_to_probe(replace(trace, trainings=(by_hand,))) == (13, 19)
    backward = Backward(None, None, 20, 1.0, False, ())
    assert clocks_to_probe(replace(trace, trainings=(by_hand,), backwards=(backward,))) == ()
