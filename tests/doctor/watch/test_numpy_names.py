"""NumPy's functions that are operators by another name: they are told, written down and looked at as those are."""

import numpy as np
import pytest

from byhand.doctor.place import Place
from byhand.doctor.watch.activations import Activations
from byhand.doctor.watch.computed import Scalars
from byhand.doctor.watch.frames import Frames
from byhand.doctor.watch.hooks import Hooks
from byhand.doctor.watch.listening import on_result, replacing_results
from byhand.doctor.watch.numpy_names import ARITHMETIC, CALLS
from byhand.doctor.watch.recorder import Recorder

Z = np.linspace(-3, 3, 12).reshape(4, 3)
OPERATORS = {
    "add": (np.add,),
    "sub": (np.subtract,),
    "mul": (np.multiply,),
    "div": (np.divide, np.true_divide),
    "matmul": (np.matmul, np.dot),
    "pow": (np.power,),
}
SIGMOIDS = {
    "operators": lambda h: h.binary(0, "div", 1, h.binary(0, "add", 1, h.call(0, np.exp, h.unary(0, "neg", Z)))),
    "a function around operators": lambda h: h.call(0, np.divide, 1, 1 + np.exp(-Z)),
    "functions": lambda h: h.call(0, np.divide, 1.0, np.add(1, np.exp(np.negative(Z)))),
    "the function's other name": lambda h: h.call(0, np.true_divide, 1, 1 + np.exp(-Z)),
    "an inverse": lambda h: h.call(0, np.reciprocal, 1 + np.exp(-Z)),
}

UPDATED = """
import numpy as np
rng = np.random.default_rng(0)
y = rng.integers(0, 3, 60)
X, Y = rng.normal(size=(3, 4))[y] + rng.normal(size=(60, 4)), np.eye(3)[y]
W = np.zeros((4, 3))
for step in range(20):
    e = np.exp(X @ W)
    p = e / e.sum(axis=1, keepdims=True)
    g = X.T @ (p - Y) / 60
    {update}
"""


@pytest.fixture
def hooks():
    return Hooks(Recorder(Frames()), [Place("main.py", 1, 0, 1, 1)])


@pytest.mark.parametrize("name", OPERATORS)
def test_a_function_is_told_as_its_operator(hooks, name):
    told, replaced = [], []
    on_result(hooks, lambda k, name, operands, result: told.append((name, len(operands))))
    replacing_results(hooks, lambda k, name, operands, result: replaced.append(name))
    left = Z + 4
    right = left.T if name == "matmul" else left
    hooks.binary(0, name, left, right)
    for function in OPERATORS[name]:
        hooks.call(0, function, left, right)
    assert told == [(name, 2)] * (1 + len(OPERATORS[name]))
    assert set(replaced) == {name}
    assert {function.__name__ for function in OPERATORS[name]} <= CALLS
    assert name in ARITHMETIC


def test_a_method_has_its_array_among_the_operands(hooks):
    told = []
    on_result(hooks, lambda k, name, operands, result: told.append((name, operands)))
    hooks.call(0, Z.dot, Z.T)
    hooks.call(0, np.negative, Z)
    [(product, (left, right)), (sign, _)] = told
    assert (product, sign) == ("matmul", "neg")
    assert left is Z
    assert np.shares_memory(right, Z)


@pytest.mark.parametrize("way", SIGMOIDS)
def test_a_sigmoid_by_hand_is_one_however_it_is_written(hooks, way):
    seen = Activations()
    on_result(hooks, seen.note)
    SIGMOIDS[way](hooks)
    [site] = seen.sites()
    assert seen.kind(site) == "sigmoid"
    assert np.allclose(seen.of[site][0].z, Z)


def test_a_softmax_that_a_function_divides_is_probabilities(hooks):
    seen, scalars = Activations(), Scalars()
    on_result(hooks, seen.note)
    on_result(hooks, lambda k, name, operands, result: scalars.share(k, name, result))
    shares = hooks.call(0, np.exp, hooks.call(0, np.add, Z, 0))
    hooks.call(0, np.divide, shares, shares.sum(axis=1, keepdims=True))
    scalars.label(np.array([0, 1, 2, 1]))
    assert [seen.kind(site) for site in seen.sites()] == ["softmax"]
    assert (0, "cross-entropy") in scalars.last


@pytest.mark.parametrize(
    "update",
    [
        "W -= 0.1 * g",
        "W = np.subtract(W, np.multiply(0.1, g))",
        "W = np.add(np.multiply(W, 0.99), -0.1 * g)",
        "np.subtract(W, 0.1 * g, out=W)",
    ],
)
def test_an_update_is_one_however_it_is_written(watched, update):
    trace = watched(UPDATED.format(update=update))
    [training], [parameter] = trace.trainings, trace.parameters
    assert (training.first, training.last, parameter.name) == (0, 20, "W")
    assert [forward.kind for forward in trace.forwards] == ["train"] * 20


@pytest.mark.parametrize("axis", ["axis=1", "1", "axis=-1", "-1"])
def test_an_axis_counts_from_the_first_one(watched, axis):
    text = UPDATED.format(update="W -= 0.1 * g").replace("e.sum(axis=1, ", f"np.sum(e, {axis}, ")
    sums = [op.options["axis"] for tape in watched(text).tapes for op in tape.ops if op.name == "sum"]
    assert sums
    assert set(sums) == {1}
