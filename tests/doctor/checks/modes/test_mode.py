"""Modes in whole and in part, in training and in evaluation, in programs that really run."""

import pytest

from byhand.doctor.checks.modes import mode, regular
from tests.doctor.checks._real import DATA, line_of, seen
from tests.doctor.checks._traces import patched

NET = (
    DATA
    + """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU())
        self.drop = nn.Dropout(0.5)
        self.last = nn.Linear(16, 3)
    def forward(self, x):
        x = self.first(x)
        x = self.drop(x)
        return self.last(x)

model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

def test():
    with torch.no_grad():
        print("test accuracy", (model(test_x).argmax(1) == test_y).float().mean().item())

def epoch():
    for xb, yb in zip(train_x.split(50), train_y.split(50)):
        optimizer.zero_grad()
        F.cross_entropy(model(xb), yb).backward()
        optimizer.step()

"""
)


def found(evidence):
    checks = mode.evaluated_in_train_mode, mode.partial_eval_mode, mode.trained_in_eval_mode, regular.dropout_never_off
    return [finding for check in checks for finding in check(evidence)]


def looked_at(watched, tmp_path, rest, net=NET):
    return found(seen(watched, tmp_path, net + rest))


@pytest.mark.parametrize(
    "rest",
    [
        "for _ in range(8):\n    model.train()\n    epoch()\n    model.eval()\n    test()\n",
        # batch norm that is frozen after the first rounds, and the model put in order around it
        "for k in range(8):\n    model.train()\n    if k:\n        model.first[1].eval()\n    epoch()\n"
        "    model.eval()\n    test()\n",
        # Monte Carlo dropout, with the rest at rest
        "for _ in range(8):\n    model.train()\n    epoch()\nmodel.eval()\nmodel.drop.train()\n"
        "for _ in range(6):\n    test()\n",
        "for _ in range(8):\n    model.train()\n    epoch()\nmodel.eval()\nmodel.drop.train()\ntest()\n",
        # the last rounds without dropout and with a batch norm at rest, which is a way to end
        "for k in range(8):\n    model.train(k < 6)\n    epoch()\nmodel.eval()\ntest()\n",
    ],
)
def test_modes_that_are_as_they_should_be(watched, tmp_path, rest):
    assert looked_at(watched, tmp_path, rest) == []


def test_a_part_in_evaluation_mode(watched, tmp_path):
    rest = "for _ in range(8):\n    model.train()\n    epoch()\n    model.first.eval()\n    test()\n"
    evidence = seen(watched, tmp_path, NET + rest)
    (finding,) = found(evidence)
    assert finding.check == "partial-eval-mode"
    assert finding.needs_proof
    at = line_of(NET, "self.first(x)")
    assert f"BatchNorm (line {at}) was in evaluation mode and Dropout (line {at + 1}) was still" in finding.saw
    assert "model.eval()\n" in patched(evidence, finding.edits[0])


def test_layers_that_are_frozen_in_the_training_too_are_no_part_that_was_switched(watched, tmp_path):
    rest = "for _ in range(8):\n    model.train()\n    model.first.eval()\n    epoch()\n    test()\n"
    assert looked_at(watched, tmp_path, rest) == []


@pytest.mark.parametrize("before", [0, 1, 3])
def test_training_goes_on_in_evaluation_mode(watched, tmp_path, before):
    rest = f"for _ in range({before}):\n    epoch()\nfor _ in range(8):\n    model.eval()\n    test()\n    epoch()\n"
    evidence = seen(watched, tmp_path, NET + rest)
    (finding,) = found(evidence)
    assert finding.check == "trained-in-eval-mode"
    assert f"in evaluation mode in 48 of the {48 + 6 * before} steps" in finding.saw
    gathered = f"those of the first {6 * before} steps" if before else "0 and 1, its start"
    assert gathered in finding.so
    assert "    model.train()\n    for xb, yb in zip" in patched(evidence, finding.edits[0])


def test_fine_tuning_without_an_evaluation_before_it_is_left_alone(watched, tmp_path):
    assert looked_at(watched, tmp_path, "model.eval()\nfor _ in range(8):\n    epoch()\ntest()\n") == []


FUNCTIONAL = NET.replace("self.drop(x)", "F.dropout(x, 0.5{})").replace("        self.drop = nn.Dropout(0.5)\n", "")
ROUNDS = "for _ in range(8):\n    model.train()\n    epoch()\n    model.eval()\n    test()\n"


@pytest.mark.parametrize("written", ["", ", training=True", ", True"])
def test_a_function_that_is_not_told_the_mode(watched, tmp_path, written):
    evidence = seen(watched, tmp_path, FUNCTIONAL.format(written) + ROUNDS)
    (finding,) = found(evidence)
    assert finding.check == "dropout-never-off"
    assert "units while 100 held-out rows were judged although the model was in evaluation mode" in finding.saw
    assert finding.place.line == line_of(FUNCTIONAL, "F.dropout")
    assert "self.training)" in patched(evidence, finding.edits[0])


def test_a_function_that_is_told_the_mode(watched, tmp_path):
    assert looked_at(watched, tmp_path, ROUNDS, FUNCTIONAL.format(", training=self.training")) == []
    assert looked_at(watched, tmp_path, ROUNDS, FUNCTIONAL.format(", self.training")) == []


def test_a_model_that_is_never_switched_either_is_reported_once(watched, tmp_path):
    plain = FUNCTIONAL.format("").replace("nn.BatchNorm1d(16), ", "")
    evidence = seen(watched, tmp_path, plain + "for _ in range(8):\n    epoch()\n    test()\n")
    (finding,) = found(evidence)
    assert finding.check == "dropout-never-off"
    text = patched(evidence, finding.edits[0])
    assert "training=self.training" in text
    assert "model.eval()" in text
    assert "model.train()" in text


def test_a_module_that_is_made_in_every_forward(watched, tmp_path):
    net = NET.replace("self.drop(x)", "nn.Dropout(0.5)(x)")
    evidence = seen(watched, tmp_path, net + ROUNDS)
    (finding,) = found(evidence)
    assert finding.check == "dropout-never-off"
    assert "nn.Dropout(0.5).train(self.training)(x)" in patched(evidence, finding.edits[0])


PLAIN = (
    DATA
    + """
w1 = (torch.randn(6, 16) * 0.3).requires_grad_()
w2 = (torch.randn(16, 3) * 0.3).requires_grad_()
def model(x, training=True):
    h = (x @ w1).relu()
    {}
    return h @ w2
for _ in range(8):
    for xb, yb in zip(train_x.split(50), train_y.split(50)):
        F.cross_entropy(model(xb), yb).backward()
        with torch.no_grad():
            for w in (w1, w2):
                w -= 0.1 * w.grad
                w.grad = None
with torch.no_grad():
    print("test accuracy", (model(test_x, False).argmax(1) == test_y).float().mean().item())
"""
)


def test_a_plain_function_tells_by_the_gradients(watched, tmp_path):
    evidence = seen(watched, tmp_path, PLAIN.format("h = F.dropout(h, 0.4)"))
    (finding,) = found(evidence)
    assert "training=torch.is_grad_enabled())" in finding.instead


def test_a_mask_by_hand(watched, tmp_path):
    evidence = seen(watched, tmp_path, PLAIN.format("mask = (torch.rand(h.shape) > 0.5).float() / 0.5; h = h * mask"))
    (finding,) = found(evidence)
    assert (finding.check, finding.level, finding.needs_proof) == ("dropout-never-off", "warning", False)
    assert finding.saw.startswith("mask set ")


@pytest.mark.parametrize(
    "line",
    [
        "h = F.dropout(h, 0.4, training)",
        "h = h * ((torch.rand(h.shape) > 0.5).float() / 0.5 if training else 1)",
        "z = x @ w1; h = z * (z > 0)",
        "h = h * (torch.arange(16) % 4 > 0)",
        "h = h * (torch.arange(16) % 4 > 0).float().expand(len(h), 16)",
        "h = h * torch.rand(h.shape)",
    ],
)
def test_what_looks_like_a_mask_and_is_not(watched, tmp_path, line):
    assert found(seen(watched, tmp_path, PLAIN.format(line))) == []
