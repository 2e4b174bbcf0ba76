"""Names that stand for an entry of a dictionary, and steps from them."""

import ast

import pytest

from byhand.doctor.text.aliases import stepping

UPDATE = """
def update(params, grads, layers, lr):
    for l in range(layers):
        W = params["W" + str(l + 1)]
        dW = grads["dW" + str(l + 1)]
        params["W" + str(l + 1)] = W - lr * dW
    return params
"""


def lines(text):
    tree = ast.parse(text)
    found = stepping(tree)
    return [node.lineno for node in ast.walk(tree) if id(node) in found]


def test_an_entry_that_a_name_stands_for_is_stepped_on_from():
    assert lines(UPDATE) == [6]
    assert lines(UPDATE.replace("W - lr * dW", "np.clip(W - lr * dW, -1, 1)")) == [6]


@pytest.mark.parametrize(
    "pair",
    [
        ('params["W" + str(l + 1)] = W', 'params["V" + str(l + 1)] = W'),  # another entry
        ("    return params", "        W = 0\n    return params"),  # the name is something else too
        ("W - lr * dW", "np.dot(W, dW)"),
        ('        W = params["W" + str(l + 1)]\n', ""),
    ],
)
def test_other_entries_other_names_and_other_values_are_no_steps(pair):
    assert pair[0] in UPDATE
    assert lines(UPDATE.replace(*pair)) == []
