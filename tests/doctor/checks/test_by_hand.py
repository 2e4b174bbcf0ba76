"""NumPy programs with faults that autograd's programs have too: what the checks say of them, and leave unsaid."""

from dataclasses import replace

import pytest

from byhand.doctor.audit.audit import audit
from byhand.doctor.audit.derived import clocks_to_probe
from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.data.parts import class_sorted_batches, validation_inside_training
from byhand.doctor.checks.loss.sign import loss_of_wrong_sign
from byhand.doctor.checks.metric.evaluate import evaluated_on_training_rows, sum_of_means_over_count
from byhand.doctor.checks.model.initial import initial_loss_above_chance
from byhand.doctor.checks.model.stacked import softmax_as_hidden_unit
from byhand.doctor.checks.paper.unmoved import bias_never_moves, parameter_never_moved
from byhand.doctor.checks.reading.tapes import readings
from byhand.doctor.checks.steps.optim import gradients_never_zeroed
from byhand.doctor.checks.steps.rate import stopped_while_learning
from byhand.doctor.text.edits import apply
from byhand.doctor.text.reading import read_program
from tests.doctor.checks._real import line_of
from tests.doctor.checks.paper.test_gradients import LAYERS, RIGHT, ROWS, changed

JUDGED = """
def predict(x):
    return softmax(np.maximum(0, x @ W1 + b1) @ W2 + b2).argmax(axis=1)
"""
OWN = """
class Dense:
    def __init__(self, n, m):
        self.W, self.b = rng.normal(0, .4, (n, m)), np.zeros(m)
        self.dW, self.db = np.zeros((n, m)), np.zeros(m)
    def forward(self, x):
        self.x = x
        return x @ self.W + self.b
    def backward(self, d):
        self.dW += self.x.T @ d
        self.db += d.sum(axis=0)
        return d @ self.W.T
    def step(self, lr):
        self.W -= lr * self.dW
        self.b -= lr * self.db
    def clear(self):
        self.dW[:] = 0
        self.db[:] = 0
layers = [Dense(12, 9), Dense(9, 5)]
for epoch in range(2):
    for i in range(0, 400, 20):
        x, t = X[i:i+20], Y[i:i+20]
        z = layers[0].forward(x)
        s = np.exp(layers[1].forward(np.maximum(0, z)))
        p = s / s.sum(axis=1, keepdims=True)
        for layer in layers:
            layer.clear()
        d = layers[1].backward((p - t) / len(x))
        layers[0].backward(d * (z > 0))
        for layer in layers:
            layer.step(0.1)
    print(epoch)
"""
OWN = ROWS[: ROWS.index("W1 =")] + OWN
CLEARED = "        for layer in layers:\n            layer.clear()\n"
IN_PLACE = changed(
    ROWS, ("dz2 = (p - t) / len(x)", "dz2 = p.copy()\n        dz2[np.arange(20), y[i:i+20]] -= 1\n        dz2 /= 20")
)


@pytest.fixture(scope="module")
def probed(watched, tmp_path_factory):
    """``probed(text)``: what is known of a program that was run as it is, and then once more for the probes."""

    def run(text):
        folder = tmp_path_factory.mktemp("by-hand")
        trace = watched(text, folder=folder)
        assert trace.end.how == "done", trace.end.error
        clocks = clocks_to_probe(trace)
        probes = watched(text, folder=folder, probe=clocks, light=True, soft=40.0).probes if clocks else ()
        program, whole = read_program(folder / "main.py"), replace(trace, probes=probes)
        return Evidence(program, whole, audit(whole))

    return run


def names(evidence, *checks):
    return [finding.check for check in checks for finding in check(evidence)]


@pytest.mark.parametrize("text", [ROWS, IN_PLACE], ids=["new arrays", "in place"])
def test_the_first_forward_has_a_tape(probed, text):
    evidence = probed(text)
    first = readings(evidence.trace)[0]
    assert (first.tape.clock, first.tape.kind, first.n, len(first.labels)) == (0, "train", 20, 20)
    product = first.tape.ops[0]
    assert [first.value(i).rows for i in product.inputs] == [True, False]
    assert first.value(product.inputs[1]).parameter is not None
    start = evidence.trace.parameters[first.value(product.inputs[1]).parameter].start
    assert start == first.value(product.inputs[1]).summary
    assert any(value.units is not None and value.units.kind == "relu" for value in first.tape.values)


def test_what_is_changed_in_place_is_another_value(probed):
    evidence = probed(IN_PLACE)
    reading = readings(evidence.trace)[0]
    [change, *_] = [op for op in reading.tape.ops if op.name == "setitem"]
    before, after = reading.array(change.inputs[0]), reading.array(change.output)
    assert abs(before.sum(axis=1) - 1).max() < 1e-9
    assert abs(after.sum(axis=1)).max() < 1e-9
    assert names(evidence, softmax_as_hidden_unit, initial_loss_above_chance) == []


@pytest.mark.parametrize(
    "pairs",
    [
        [("        W1 -= 0.2 * dW1\n", "")],
        [("        W2 -= 0.2 * dW2\n", "")],
        [("W1 -= 0.2 * dW1", "W1_new = W1 - 0.2 * dW1")],
    ],
    ids=["the first", "the last", "into a copy"],
)
def test_a_weight_that_stays(probed, pairs):
    text = changed(ROWS, *pairs)
    evidence = probed(text)
    [finding] = parameter_never_moved(evidence)
    name = pairs[0][0].split()[0]
    assert (finding.check, finding.level, finding.proof) == ("parameter-never-updated", "warning", "arithmetic")
    assert f"{name} (" in finding.saw
    assert f"(line {line_of(text, f'd{name} =')})" in finding.saw
    assert names(evidence, bias_never_moves) == []


@pytest.mark.parametrize(
    "text",
    [
        changed(ROWS, ("        W1 -= 0.2 * dW1\n", ""), ("        dW1 = x.T @ dz1\n", "")),  # random features
        changed(ROWS, ("        W1 -= 0.2 * dW1\n", "        # W1 is frozen\n")),
        LAYERS,  # the gradient of the rows is computed, and they stay as they are
        changed(ROWS, ("z1 = x @ W1", "z1 = x @ P @ W1"), ("W1 = rng", "P = rng.normal(size=(12, 12)); W1 = rng"),
                ("dW1 = x.T", "dW1 = (x @ P).T")),
        RIGHT["zero start, whole data, loss afterwards"],
    ],
    ids=["features", "frozen", "layers", "projected", "whole data"],
)  # fmt: skip
def test_a_matrix_that_stays_on_purpose(probed, text):
    assert names(probed(text), parameter_never_moved, bias_never_moves, gradients_never_zeroed) == []


def test_gradients_that_are_added_up(probed):
    text = changed(OWN, (CLEARED, ""))
    evidence = probed(text)
    [finding] = gradients_never_zeroed(evidence)
    assert (finding.level, finding.needs_proof) == ("warning", True)
    assert "self.dW still held the gradients" in finding.saw
    assert finding.place.line == line_of(text, "self.W -= lr")
    fixed = apply(evidence.program, finding.edits[0])["main.py"]
    assert "self.W -= lr * self.dW\n        self.dW[:] = 0\n" in fixed
    assert "self.b -= lr * self.db\n        self.db[:] = 0\n" in fixed


@pytest.mark.parametrize(
    "text",
    [
        OWN,
        changed(OWN, (CLEARED, ""), ("layer.step(0.1)", "layer.step(0.1)\n            layer.clear()")),
        changed(OWN, ("self.dW[:] = 0", "self.dW *= 0.9"), ("self.db[:] = 0", "self.db *= 0.9")),
        changed(OWN, ("self.dW[:] = 0", "self.dW = 0.9 * self.dW"), ("self.db[:] = 0", "self.db = 0.9 * self.db")),
        RIGHT["momentum"],
    ],
    ids=["before", "after", "momentum in place", "momentum", "velocity"],
)
def test_sums_that_begin_anew(probed, text):
    assert names(probed(text), gradients_never_zeroed) == []


SORTED = changed(ROWS, ("y = rng.integers(0, 5, 400)", "y = np.sort(rng.integers(0, 5, 400))"))


def test_what_is_no_wrong_sign(probed):
    evidence = probed(SORTED)
    assert names(evidence, class_sorted_batches) == ["class-sorted-batches"]
    assert names(evidence, loss_of_wrong_sign, initial_loss_above_chance) == []
    uphill = changed(ROWS, ("-= 0.2", "+= 0.2"))
    assert names(probed(uphill), loss_of_wrong_sign) == ["loss-of-wrong-sign"]


LONGER = changed(
    ROWS,
    ("for epoch in range(2)", "X, Y, y, XT, yT = X[:300], Y[:300], y[:300], X[300:], y[300:]\nfor epoch in range(2)"),
    ("range(0, 400, 20)", "range(0, 300, 20)"),
    (LOSS := "        loss = -np.mean(np.sum(t * np.log(p + 1e-12), axis=1))\n", ""),
    ("print(epoch, loss)", "print(epoch)"),
)
ENDS = JUDGED + 'print("test accuracy", (predict(XT) == yT).mean())\n'


def test_the_course_of_a_program_without_a_loss(probed):
    early = probed(changed(LONGER, ("0.2 *", "0.02 *")) + ENDS)
    assert names(early, stopped_while_learning) == ["stopped-while-learning"]


@pytest.mark.parametrize(
    ("pairs", "check", "expected"),
    [
        ([("(predict(XT) == yT)", "(predict(X) == y)")], evaluated_on_training_rows, "evaluated-on-training-rows"),
        ([("X[300:], y[300:]", "X[280:], y[280:]")], validation_inside_training, "validation-inside-training"),
        (
            [("(predict(XT) == yT)", "(sum((predict(XT[i:i+25]) == yT[i:i+25]).mean() for i in (0, 25, 50)) / 75)")],
            sum_of_means_over_count,
            "sum-of-means-over-count",
        ),
    ],
)  # fmt: skip
def test_what_it_prints(probed, pairs, check, expected):
    assert names(probed(LONGER + ENDS), check) == []
    assert names(probed(changed(LONGER + ENDS, *pairs)), check) == [expected]
