"""A ReLU over the scores of a program that derives its gradients on paper: it goes, and its derivative with it."""

import ast

import pytest

from byhand.doctor.checks.loss.rectified import but_for_the_last
from byhand.doctor.checks.loss.squashed import nonlinearity_on_logits
from tests.doctor.checks._real import seen
from tests.doctor.checks._traces import patched

HEAD = """\
import numpy as np
rng = np.random.default_rng(0)
y = rng.integers(0, 3, 400)
x = (rng.normal(size=(3, 6))[y] * 2 + rng.normal(size=(400, 6))).T


def softmax(z):
    e = np.exp(z - z.max(axis=0, keepdims=True))
    return e / e.sum(axis=0, keepdims=True)


def relu(z):
    return np.maximum(0, z)


def slope(z):
    return (z > 0) * 1.0


"""
LOOPS = (
    HEAD
    + """\
W = [rng.normal(0, 0.5, (n, m)) for m, n in ((6, 9), (9, 7), (7, 3))]
B = [np.zeros((n, 1)) for n in (9, 7, 3)]
for step in range(8):
    some = rng.permutation(400)[:32]
    acts = [x[:, some]]
    for {loop}:
        acts.append({act})
    g = softmax(acts[-1])
    g[y[some], np.arange(32)] -= 1
    g /= 32
    for i in (2, 1, 0):
        {back}
        dw, db = g @ acts[i].T, g.sum(axis=1, keepdims=True)
        g = W[i].T @ g
        W[i] -= 0.1 * dw
        B[i] -= 0.1 * db
"""
)
PLAIN = (
    HEAD
    + """\
W1, b1 = rng.normal(0, 0.5, (9, 6)), np.zeros((9, 1))
W2, b2 = rng.normal(0, 0.5, (3, 9)), np.zeros((3, 1))
for step in range(8):
    some = rng.permutation(400)[:32]
    rows = x[:, some]
    z1 = W1 @ rows + b1
    a1 = np.maximum(0, z1)
    z2 = W2 @ a1 + b2
    a2 = {act}
    g = softmax(a2)
    g[y[some], np.arange(32)] -= 1
    g /= 32
    {back}
    h = (W2.T @ g) * (z1 > 0)
    W2 -= 0.1 * g @ a1.T
    b2 -= 0.1 * g.sum(axis=1, keepdims=True)
    W1 -= 0.1 * h @ rows.T
    b1 -= 0.1 * h.sum(axis=1, keepdims=True)
"""
)
ZIP, ALL = "w, b in zip(W, B)", "np.maximum(0, w @ acts[-1] + b)"


def found(watched, tmp_path, text):
    evidence = seen(watched, tmp_path, text)
    return evidence, list(nonlinearity_on_logits(evidence))


@pytest.mark.parametrize(
    ("loop", "act", "back", "wanted"),
    [
        (ZIP, ALL, "g = g * (acts[i + 1] > 0)",
         ("if w is not W[-1] else w @ acts[-1] + b)", "g * ((acts[i + 1] > 0 if acts[i + 1] is not acts[-1] else 1))")),
        ("i in range(3)", "np.maximum(0, W[i] @ acts[-1] + B[i])", "g = slope(acts[i + 1]) * g",
         ("if i < 3 - 1 else W[i] @ acts[-1] + B[i])", "slope(acts[i + 1]) if acts[i + 1] is not acts[-1] else 1) *")),
        ("i, (w, b) in enumerate(zip(W, B))", ALL, "g *= acts[i + 1] > 0",
         ("if i < len(W) - 1 else w @ acts[-1] + b)", "g *= (acts[i + 1] > 0 if acts[i + 1] is not acts[-1] else 1)")),
    ],
)  # fmt: skip
def test_a_loop_over_layers(watched, tmp_path, loop, act, back, wanted):
    evidence, (finding,) = found(watched, tmp_path, LOOPS.format(loop=loop, act=act, back=back))
    assert (finding.level, finding.needs_proof) == ("error", True)
    text = patched(evidence, finding.edits[0])
    assert all(part in text for part in wanted), text
    assert "and without its derivative in the gradient, line 31" in finding.instead
    (tmp_path / "again").mkdir()
    assert found(watched, tmp_path / "again", text)[1] == []


@pytest.mark.parametrize(
    ("act", "back", "wanted"),
    [
        ("np.maximum(0, z2)", "g = g * (z2 > 0)", ("a2 = z2\n", "    g = g\n")),
        ("relu(z2)", "g = g * (a2 > 0)", ("return z\n", "    g = g\n")),
        ("np.maximum(0, z2)", "g *= a2 > 0", ("a2 = z2\n", "    pass\n")),
        ("np.maximum(0, z2)", "pass", ("a2 = z2\n", "    pass\n")),  # a gradient without it: wrong before, right after
    ],
)
def test_layers_one_by_one(watched, tmp_path, act, back, wanted):
    evidence, (finding,) = found(watched, tmp_path, PLAIN.format(act=act, back=back))
    text = patched(evidence, finding.edits[0])
    assert all(part in text for part in wanted), text
    assert ("derivative" in finding.instead) == (back != "pass")


def test_no_fix_where_the_derivative_cannot_be_left_out(watched, tmp_path):
    back = "for one in [a2]:\n        g = g * (one > 0)"
    _, (finding,) = found(watched, tmp_path, PLAIN.format(act="np.maximum(0, z2)", back=back))
    assert (finding.edits, finding.needs_proof) == ((), True)


@pytest.mark.parametrize(
    ("act", "back"),
    [
        ("np.maximum(0, w @ acts[-1] + b) if w is not W[-1] else w @ acts[-1] + b",
         "g = g if i == 2 else g * (acts[i + 1] > 0)"),
        ("np.tanh(w @ acts[-1] + b) if w is not W[-1] else w @ acts[-1] + b",
         "g = g if i == 2 else g * (1 - acts[i + 1] ** 2)"),
    ],
)  # fmt: skip
def test_scores_as_they_are_say_nothing(watched, tmp_path, act, back):
    assert found(watched, tmp_path, LOOPS.format(loop=ZIP, act=act, back=back))[1] == []


@pytest.mark.parametrize(
    ("loop", "condition"),
    [
        ("layer in self.layers", "layer is not self.layers[-1]"),
        ("w, b in layers", "w is not layers[-1][0]"),
        ("w, b in zip(ws, bs)", "w is not ws[-1]"),
        ("i, w in enumerate(ws)", "i < len(ws) - 1"),
        ("i, (w, b) in enumerate(zip(ws, bs))", "i < len(ws) - 1"),
        ("i in range(len(ws))", "i < len(ws) - 1"),
        ("i in range(1, L + 1)", "i < L + 1 - 1"),
        ("i in range(0, 9, 2)", ""),
        ("w in reversed(ws)", ""),
        ("(a, b), c in layers", ""),
        ("w, b in zip(ws[1:], bs)", ""),
        ("i, w in enumerate(ws, 1)", ""),
    ],
)
def test_all_rounds_of_a_loop_but_the_last(loop, condition):
    tree = ast.parse(f"for {loop}:\n    pass").body[0]
    assert isinstance(tree, ast.For)
    assert but_for_the_last(tree) == condition
