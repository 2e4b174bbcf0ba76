"""One number for all classes, and biases that are none."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.model.biases import scalar_bias
from byhand.doctor.text.edits import apply
from tests.doctor.checks._losses import look, one
from tests.doctor.checks._real import line_of, seen
from tests.doctor.checks._tapes import Builder, evidence_of, place_of, program_of, trace_of
from tests.doctor.checks._traces import parameter

BIAS = "b = torch.zeros(1, requires_grad=True)\nc = torch.zeros(5, requires_grad=True)\n\n"


def with_parameters(evidence: Evidence, shape: tuple[int, ...]) -> Evidence:
    """The same, with what is known of its parameters: the recorder calls all of them the first."""
    start = np.zeros(shape)
    place = place_of(evidence.program, "torch.zeros(1, requires_grad=True)")
    one_ = parameter("b", shape, start, start + 0.5, place=place)
    return replace(evidence, trace=replace(evidence.trace, parameters=(one_,)))


@pytest.mark.parametrize(
    "loss",
    [
        "F.cross_entropy(x @ w + b, y)",
        "F.nll_loss(F.log_softmax(b + x @ w, 1), y)",
        "-torch.log(softmax(x @ w + b))[torch.arange(32), y].mean()",
        "F.cross_entropy(torch.add(x @ w, b), y)",
    ],
)
def test_one_number_for_all_classes(tmp_path: Path, loss: str) -> None:
    evidence = with_parameters(look(tmp_path, loss, BIAS), (1,))
    finding = one(scalar_bias, evidence)
    assert (finding.level, finding.proof, finding.needs_proof) == ("error", None, False)
    assert "b is one number for all classes" in finding.saw
    assert "the loss of 32 rows changes by 0" in finding.saw
    assert finding.instead == "torch.zeros(5, requires_grad=True)"
    (source,) = apply(evidence.program, finding.edits[0]).values()
    assert "b = torch.zeros(5, requires_grad=True)" in source


@pytest.mark.parametrize(
    "loss",
    [
        "F.cross_entropy(x @ w + c, y)",
        "F.binary_cross_entropy_with_logits(x @ w + b, F.one_hot(y, 5).float())",  # there it counts
        "F.cross_entropy(torch.relu(x @ w + b), y)",
        "F.cross_entropy((x + b) @ w, y)",
        "F.cross_entropy((x @ w) * (1 + b), y)",  # a temperature
        "F.mse_loss(x @ w + b, F.one_hot(y, 5).float())",
    ],
)
def test_biases_that_count_say_nothing(tmp_path: Path, loss: str) -> None:
    evidence = look(tmp_path, loss, BIAS)
    shape = (5,) if " + c" in loss else (1,)
    ends = parameter("c", shape, np.zeros(shape), np.arange(shape[0]) / 9)
    assert list(scalar_bias(replace(evidence, trace=replace(evidence.trace, parameters=(ends,))))) == []


@pytest.mark.parametrize("rows", [True, False])
def test_a_gradient_that_is_summed_over_the_classes_too(tmp_path: Path, rows: bool) -> None:
    file = tmp_path / "numpy.py"
    file.write_text("import numpy as np\n\nz = x @ W + b\ndb = np.sum(dz)\nb -= 0.5 * db\n", "utf-8")
    program = program_of(file)
    rng = np.random.default_rng(0)
    labels, z = np.arange(40) % 10, rng.normal(size=(40, 10))
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    shape = (10,) if rows else (10, 1)

    def turn(a: np.ndarray) -> np.ndarray:
        return a if rows else a.T

    tape = Builder(labels, 40)
    scores = tape.op("matmul", [tape.value(turn(z), rows=True)], turn(z))
    bias = tape.value(np.full(shape, 0.25), "b", parameter=0)
    added = tape.op("add", [scores, bias], turn(z) + 0.25, place_of(program, "x @ W + b"))
    exp = tape.op("exp", [added], np.exp(turn(z) + 0.25))
    axis = 1 if rows else 0
    total = tape.op("sum", [exp], np.exp(turn(z) + 0.25).sum(axis, keepdims=True), axis=axis, keepdims=True)
    probs = tape.op("div", [exp, total], turn(p))
    hot = np.eye(10)[labels]
    dz = tape.op("sub", [probs, tape.value(turn(hot))], turn(p - hot))
    tape.op("sum", [dz], (p - hot).sum(), place_of(program, "np.sum(dz)"), axis=None)
    even = parameter("b", shape, np.zeros(shape), np.full(shape, 0.25))
    finding = one(scalar_bias, evidence_of(program, trace_of(tape, parameters=(even,))))
    assert "b is 10 numbers that are all 0.25" in finding.saw
    (source,) = apply(program, finding.edits[0]).values()
    assert f"db = np.sum(dz, axis={'0' if rows else '1, keepdims=True'})" in source
    learnt = replace(even, end=parameter("b", shape, np.zeros(shape), rng.normal(size=shape)).end)
    assert list(scalar_bias(evidence_of(program, trace_of(tape, parameters=(learnt,))))) == []


BY_HAND = """\
import numpy as np
rng = np.random.default_rng(0)
y = rng.integers(0, 5, 200)
X = rng.normal(size=(5, 6))[y] + rng.normal(size=(200, 6))
T = np.eye(5)[y]

class Model:
    b = 0.5

model = Model()
W = rng.normal(size=(6, 5)) * 0.1
{start}
for step in range(100):
    z = X @ W + {bias}
    e = np.exp(z - z.max(1, keepdims=True))
    D = (e / e.sum(1, keepdims=True) - T) / 200
    {update}
print((np.argmax(X @ W + {bias}, 1) == y).mean())
"""
STEP = "W = W - 0.5 * X.T @ D"


@pytest.mark.parametrize(
    ("start", "bias", "update"),
    [
        ("b = 0.0", "b", f"{STEP}\n    b = b - 0.5 * np.sum(D)"),
        ("b = 0", "b", f"{STEP}\n    b -= 0.5 * D.sum()"),
        ("b = 0.25", "b", "W, b = W - 0.5 * X.T @ D, b - 0.5 * np.sum(D)"),
        ("model.b = 0.0", "model.b", f"{STEP}\n    model.b = model.b - 0.5 * np.sum(D)"),
    ],
)
def test_a_number_that_each_step_makes_anew(watched, tmp_path, start, bias, update):
    evidence = seen(watched, tmp_path, BY_HAND.format(start=start, bias=bias, update=update))
    finding = one(scalar_bias, evidence)
    assert finding.place.line == line_of(BY_HAND, "{start}")
    assert f"{bias} is one number for all classes" in finding.saw
    (source,) = apply(evidence.program, finding.edits[0]).values()
    assert f"{bias} = np.zeros(5)" in source or f"{bias} = np.full(5, 0.25, dtype=float)" in source
    assert "axis=0)" in source


@pytest.mark.parametrize(
    ("start", "bias", "update"),
    [
        ("b = np.zeros(5)", "b", f"{STEP}\n    b = b - 0.5 * D.sum(0)"),
        ("b = 0.5", "b", STEP),  # a number that nothing moves is no bias that is trained
        ("b = 0.5", "b", f"{STEP}\n    if step < 0:\n        b = b - 0.5 * np.sum(D)"),
        ("b = 0.5", "b", f"{STEP}\n    b = b * 0.9"),
    ],
)
def test_numbers_that_are_no_bias(watched, tmp_path, start, bias, update):
    assert list(scalar_bias(seen(watched, tmp_path, BY_HAND.format(start=start, bias=bias, update=update)))) == []
