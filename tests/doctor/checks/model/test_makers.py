"""Which expressions may have made a weight, and how many numbers go into one of its units."""

import ast

import pytest

from byhand.doctor.checks.model.makers import makers
from byhand.doctor.checks.model.starts import fan_in
from tests.doctor.checks._real import seen

PROGRAM = """\
import numpy as np
rng = np.random.default_rng(0)
y = rng.integers(0, 3, 200)
X = rng.normal(size=(3, 6))[y] * 2 + rng.normal(size=(200, 6))

def draw(n, m):
    {draw}

{made}
for step in range(10):
    Z = {product}
    P = np.exp(Z) / np.exp(Z).sum(1, keepdims=True)
    D = (P - np.eye(3)[y]) / 200
    back = D @ {back}
    {name} = {name} - 0.1 * {gradient}
"""


def program(draw="return rng.normal(size=(n, m)) * 0.1", made="W = draw(6, 3)", name="W", left=False):
    product, back, gradient = f"X @ {name}", f"{name}.T", "X.T @ D"
    if left:
        product, back, gradient = f"X @ {name}.T", name, "D.T @ X"
    return PROGRAM.format(draw=draw, made=made, name=name, product=product, back=back, gradient=gradient)


@pytest.mark.parametrize(
    ("draw", "made", "name", "returned"),
    [
        ("return rng.normal(size=(n, m)) * 0.1", "W = draw(6, 3)", "W", ["rng.normal(size=(n, m)) * 0.1"]),
        ("V = rng.normal(size=(n, m))\n    return V", "W = draw(6, 3)", "W", ["rng.normal(size=(n, m))"]),
        ("return {'W': rng.normal(size=(n, m)), 'c': 1}", "p = draw(6, 3)", "p['W']", ["rng.normal(size=(n, m))"]),
        ("return {'V': rng.normal(size=(n, m))}", "k = 'V'\np = draw(6, 3)", "p[k]", []),  # which of them, who knows
        ("return rng.normal(size=(n, m)), 1", "W, c = draw(6, 3)", "W", []),
        ("return rng.normal(size=(n, m))", "W = np.zeros((6, 3))", "W", []),
    ],
)
def test_what_a_function_returns_that_was_called_for_a_weight(watched, tmp_path, draw, made, name, returned):
    evidence = seen(watched, tmp_path, program(draw, made, name))
    (weight,) = evidence.trace.parameters
    found = [ast.unparse(node) for _, node in makers(evidence, weight)]
    assert [text for text in dict.fromkeys(found) if text.startswith(("rng.normal", "(rng"))] == returned


@pytest.mark.parametrize(("made", "left"), [("W = draw(6, 3)", False), ("W = draw(3, 6)", True)])
def test_the_numbers_that_go_into_a_unit_whichever_way_the_weight_lies(watched, tmp_path, made, left):
    evidence = seen(watched, tmp_path, program(made=made, left=left))
    (weight,) = evidence.trace.parameters
    assert fan_in(evidence.trace, weight) == 6
