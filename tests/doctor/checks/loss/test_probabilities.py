"""The checks of the loss, each on small programs that really run: the fault, its edit, and what only looks like it."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from byhand.doctor.checks.loss.broadcast import broadcast_loss
from byhand.doctor.checks.loss.finite import loss_not_finite
from byhand.doctor.checks.loss.logs import epsilon_in_log, log_of_softmax
from byhand.doctor.checks.loss.probabilities import (
    probabilities_into_nll,
    softmax_before_cross_entropy,
    softmax_over_batch,
)
from byhand.doctor.checks.loss.sign import loss_of_wrong_sign
from byhand.doctor.checks.reading.softmaxes import softmaxes
from byhand.doctor.checks.reading.tapes import name_of, readings
from byhand.doctor.place import Place
from byhand.doctor.tape import Op
from byhand.doctor.text.edits import apply
from byhand.doctor.trace import Backward, Made, Training
from tests.doctor.checks._losses import fixed, one, program
from tests.doctor.checks._tapes import Builder, evidence_of, place_of, program_of, record, summary, trace_of

MODULE = """\
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.act = nn.Softmax(dim=1)

    def forward(self, x):
        return self.act(x @ w)


net = Net()
"""


@pytest.mark.parametrize(
    ("loss", "before", "line"),
    [
        ("F.cross_entropy(F.softmax(x @ w, dim=1), y)", "", "F.softmax("),
        ("F.cross_entropy((x @ w).softmax(1), y)", "", ".softmax(1)"),
        ("F.cross_entropy(torch.sigmoid(x @ w), y)", "", "torch.sigmoid"),
        ("nn.CrossEntropyLoss()(net(x), y)", MODULE, "nn.Softmax"),
        ("F.cross_entropy(net(x), y)", "net = nn.Sequential(nn.Linear(20, 5), nn.Softmax(dim=1))\n", "nn.Softmax"),
        ("F.cross_entropy(softmax(x @ w), y)", "", "softmax(x @ w)"),
        ("F.nll_loss(F.log_softmax(F.dropout(p.view(32, 5), 0.1), 1), y)", "", "F.softmax"),
    ],
)
def test_softmax_before_cross_entropy(tmp_path: Path, loss: str, before: str, line: str) -> None:
    loss = loss.replace("p.view", "F.softmax(x @ w, -1).view")
    if "net" in loss and "Sequential" in before:
        before += "net[0].weight = nn.Parameter(w.T.detach())\nw.grad = torch.zeros_like(w)\n"
    file = program(tmp_path, loss, before, rate=0.0 if "Sequential" in before else 0.5)
    file.write_text(
        file.read_text("utf-8").replace("        w.grad = None\n", "")
        if "Sequential" in before
        else file.read_text("utf-8"),
        "utf-8",
    )
    evidence = record(file)
    finding = one(softmax_before_cross_entropy, evidence)
    assert (finding.level, finding.proof) == ("error", "arithmetic")
    assert finding.place
    assert line in evidence.program.line(finding.place)
    best = torch.nn.functional.cross_entropy(torch.eye(5), torch.arange(5)).item()
    assert f"{best:.3f} = log(1 + 4/e)" in finding.so
    assert list(softmax_before_cross_entropy(fixed(tmp_path, evidence, finding))) == []


@pytest.mark.parametrize(
    "loss",
    [
        "F.cross_entropy(F.log_softmax(x @ w, dim=1), y)",  # idempotent
        "F.cross_entropy(x @ w, F.softmax(torch.rand(32, 5), dim=1))",  # the target may be probabilities
        "F.cross_entropy(10 * F.softmax(x @ w, dim=1), y)",
        "F.cross_entropy(F.softmax(x @ x.T, dim=1) @ x @ w, y)",  # attention
        "F.cross_entropy(torch.zeros(32, 5) + 0 * (x @ w), y)",
        "F.cross_entropy(x @ w, y) + 0 * F.softmax(x @ w, dim=1).argmax(1).sum()",
    ],
)
def test_softmax_elsewhere_is_no_fault(tmp_path: Path, loss: str) -> None:
    evidence = record(program(tmp_path, loss))
    checks = (softmax_before_cross_entropy, probabilities_into_nll, softmax_over_batch, log_of_softmax, epsilon_in_log)
    assert [finding for check in checks for finding in check(evidence)] == []


@pytest.mark.parametrize("made", ["F.softmax(x @ w, dim=1)", "(x @ w).softmax(dim=1)", "softmax(x @ w)"])
def test_probabilities_into_nll(tmp_path: Path, made: str) -> None:
    evidence = record(program(tmp_path, f"F.nll_loss({made}, y)"))
    finding = one(probabilities_into_nll, evidence)
    assert (finding.level, finding.proof) == ("error", "arithmetic")
    again = fixed(tmp_path, evidence, finding)
    assert list(probabilities_into_nll(again)) == []
    assert all(b.loss is not None and b.loss > 0 for b in again.trace.backwards)


def test_minus_the_mean_probability_by_hand_is_a_suspicion(tmp_path: Path) -> None:
    evidence = record(program(tmp_path, "-softmax(x @ w)[torch.arange(32), y].mean()"))
    finding = one(probabilities_into_nll, evidence)
    assert (finding.level, finding.needs_proof) == ("warning", True)
    meant = record(program(tmp_path, "(1 - softmax(x @ w)[torch.arange(32), y]).mean()"))
    assert list(probabilities_into_nll(meant)) == []


@pytest.mark.parametrize(
    "loss",
    [
        "F.nll_loss(F.log_softmax(x @ w, dim=0), y)",
        "F.nll_loss(torch.log_softmax(x @ w, 0), y)",
        "-torch.log((x @ w).softmax(0)[torch.arange(32), y]).mean()",
        "F.nll_loss(nn.LogSoftmax(dim=0)(x @ w), y)",
    ],
)
def test_softmax_over_batch(tmp_path: Path, loss: str) -> None:
    evidence = record(program(tmp_path, loss))
    finding = one(softmax_over_batch, evidence)
    assert (finding.level, finding.proof) == ("error", "arithmetic")
    assert "along the 32 rows of the batch, not along the 5 classes" in finding.saw
    assert list(softmax_over_batch(fixed(tmp_path, evidence, finding))) == []


def test_softmax_over_batch_by_hand(tmp_path: Path) -> None:
    file = program(tmp_path, "-torch.log(softmax(x @ w)[torch.arange(32), y]).mean()")
    file.write_text(file.read_text("utf-8").replace("dim=1, keepdim=True", "dim=0"), "utf-8")
    evidence = record(file)
    finding = one(softmax_over_batch, evidence)
    again = fixed(tmp_path, evidence, finding)
    assert "e.sum(dim=1, keepdim=True)" in again.program.units[0].source
    assert "z.max(dim=1, keepdim=True)" in again.program.units[0].source
    assert list(softmax_over_batch(again)) == []


@pytest.mark.parametrize("shape", [(40, 10), (10, 40)])
def test_which_axis_is_the_batch_is_told_by_the_labels(tmp_path: Path, shape: tuple[int, int]) -> None:
    file = tmp_path / "numpy.py"
    file.write_text("p = e / e.sum(axis=0)\n", "utf-8")
    labels = np.arange(40) % 10
    tape = Builder(labels, 40)
    z = np.random.default_rng(0).normal(size=shape)
    scores = tape.op("matmul", [tape.value(z, rows=True)], z)
    e = tape.op("exp", [scores], np.exp(z))
    total = tape.op("sum", [e], np.exp(z).sum(0), place_of(program_of(file), "e.sum(axis=0)"), axis=0)
    p = np.exp(z) / np.exp(z).sum(0)
    probs = tape.op("div", [e, total], p, place_of(program_of(file), "e / e.sum(axis=0)"))
    tape.op("sub", [probs, tape.value(labels)], p)
    found = list(softmax_over_batch(evidence_of(program_of(file), trace_of(tape))))
    assert len(found) == (shape == (40, 10))  # samples in columns, (C, N): axis 0 is right


@pytest.mark.parametrize(
    ("loss", "column"),
    [
        ("F.mse_loss(x @ w[:, :1], y.float())", "(x @ w[:, :1]).squeeze(1)"),
        ("((y[:, None].float() - (x @ w)[:, 0]) ** 2).mean()", "y[:, None].float().squeeze(1)"),
        ("(x @ w[:, :1] - y).abs().mean()", "(x @ w[:, :1]).squeeze(1)"),
        ("(p.gather(1, y[:, None]) * F.cross_entropy(x @ w, y, reduction='none')).mean()", ".squeeze(1) * F.cross"),
    ],
)
@pytest.mark.filterwarnings("ignore:Using a target size")
def test_broadcast_loss(tmp_path: Path, loss: str, column: str) -> None:
    loss = loss.replace("p.", "(1 - F.softmax(x @ w, dim=1)).") if loss.startswith("(p.") else loss  # a focal loss
    evidence = record(program(tmp_path, loss, rate=0.01))
    finding = one(broadcast_loss, evidence)
    assert (finding.level, finding.proof) == ("error", "arithmetic")
    assert "(32, 1) and (32,) give (32, 32): the loss is a mean over 1,024 pairs" in finding.saw
    assert column in finding.instead
    assert list(broadcast_loss(fixed(tmp_path, evidence, finding))) == []


def test_both_losses_of_a_broadcast_are_given(tmp_path: Path) -> None:
    evidence = record(
        program(tmp_path, "F.mse_loss(x @ w[:, 0], y.float()) + F.mse_loss(x @ w[:, :1], y[:, None].float())")
    )
    assert list(broadcast_loss(evidence)) == []
    with pytest.warns(UserWarning, match="target size"):
        evidence = record(program(tmp_path, "F.mse_loss(x @ w[:, :1], y.float())", rate=0.0))
    out = evidence.trace.tapes[0].values[evidence.trace.tapes[0].ops[-1].inputs[0]].kept
    assert out is not None
    target = np.arange(32) % 5
    grid, rows = ((out - target) ** 2).mean(), ((out[:, 0] - target) ** 2).mean()
    assert f"{grid:.4g} here, {rows:.4g} row by row" in one(broadcast_loss, evidence).saw


@pytest.mark.parametrize(
    "loss",
    [
        "((x @ w) * y[:, None]).mean()",  # (N, C) by (N, 1)
        "((x @ w)[:, :1] - (x @ w)[:, 0]).abs().mean()",  # every pair, and meant
        "F.cross_entropy(x @ w, y) + 0 * (y[:, None] == y).float().mean()",
        "F.mse_loss(x @ w[:, :1], y[:, None].float())",
        "((x @ w).gather(1, y[:, None]) * F.cross_entropy(x @ w, y, reduction='none')).logsumexp(1).mean()",
    ],
)
def test_broadcasting_that_is_meant(tmp_path: Path, loss: str) -> None:
    assert list(broadcast_loss(record(program(tmp_path, loss)))) == []


@pytest.mark.parametrize(
    "loss",
    [
        "-F.cross_entropy(x @ w, y)",
        "-F.nll_loss(F.log_softmax(x @ w, dim=1), y)",
        "F.nll_loss(-F.log_softmax(x @ w, dim=1), y)",
        "F.log_softmax(x @ w, dim=1)[torch.arange(32), y].mean()",
        "torch.log(softmax(x @ w)[torch.arange(32), y]).mean()",
    ],
)
def test_loss_of_wrong_sign(tmp_path: Path, loss: str) -> None:
    evidence = record(program(tmp_path, loss))
    finding = one(loss_of_wrong_sign, evidence)
    assert (finding.level, finding.proof) == ("error", "arithmetic")
    again = fixed(tmp_path, evidence, finding)
    assert list(loss_of_wrong_sign(again)) == []
    losses = [b.loss for b in again.trace.backwards if b.loss is not None]
    assert losses[0] > losses[-1] > 0


def test_ascent_on_a_likelihood_is_right(tmp_path: Path) -> None:
    file = program(tmp_path, "F.log_softmax(x @ w, dim=1)[torch.arange(32), y].mean()")
    file.write_text(file.read_text("utf-8").replace("w -= ", "w += "), "utf-8")
    assert list(loss_of_wrong_sign(record(file))) == []


def test_an_update_uphill_is_turned(tmp_path: Path) -> None:
    file = program(tmp_path, "F.cross_entropy(x @ w, y)")
    file.write_text(file.read_text("utf-8").replace("w -= ", "w += "), "utf-8")
    run = Training(0, 6, place_of(program_of(file), "w += 0.5 * w.grad"), True, None, (), None, None)
    evidence = record(file, training=run)
    finding = one(loss_of_wrong_sign, evidence)
    assert (finding.level, finding.needs_proof) == ("warning", True)
    assert finding.instead == "w -= 0.5 * w.grad"
    assert list(loss_of_wrong_sign(fixed(tmp_path, evidence, finding))) == []


def test_a_users_own_softmax_is_read_by_what_it_computes() -> None:
    z = np.random.default_rng(0).normal(size=(40, 10))
    tape = Builder(np.arange(40) % 10, 40)
    scores = tape.value(z, rows=True)
    e = tape.op("exp", [scores], np.exp(z))
    total = tape.op("sum", [e], np.exp(z).sum(0), axis=0)
    inner = tape.op("div", [e, total], np.exp(z) / np.exp(z).sum(0))
    tape.op("softmax", [scores], tape.arrays[inner])  # the call of the function that did all this
    assert [(s.op.name, s.axis) for s in softmaxes(readings(trace_of(tape))[0])] == [("div", 0)]


def test_log_of_softmax_that_breaks(tmp_path: Path) -> None:
    evidence = record(program(tmp_path, "-torch.log(F.softmax(200 * (x @ w), dim=1)[torch.arange(32), y]).mean()"))
    finding = one(log_of_softmax, evidence)
    assert (finding.level, finding.proof) == ("error", "arithmetic")
    assert "p is 0 in float32: the scores lie more than 104 apart" in finding.saw
    again = fixed(tmp_path, evidence, finding)
    assert list(log_of_softmax(again)) == []
    first = again.trace.backwards[0].loss
    assert first is not None
    assert math.isfinite(first)


def test_log_of_softmax_that_holds_is_a_note(tmp_path: Path) -> None:
    evidence = record(program(tmp_path, "-torch.log(softmax(x @ w)[torch.arange(32), y]).mean()"))
    finding = one(log_of_softmax, evidence)
    assert (finding.level, finding.proof) == ("note", None)
    assert "lie 104 apart" in finding.so


@pytest.mark.parametrize(
    "loss",
    [
        "-torch.log(F.softmax(9 * (x @ w), dim=1) + 1e-6).gather(1, y[:, None]).mean()",
        "-(softmax(9 * (x @ w)).gather(1, y[:, None]) + 1e-6).log().mean()",
        "-softmax(9 * (x @ w))[torch.arange(32), y].clamp(min=1e-6).log().mean()",
    ],
)
def test_epsilon_in_log(tmp_path: Path, loss: str) -> None:
    evidence = record(program(tmp_path, loss, rate=0.01))
    finding = one(epsilon_in_log, evidence)
    assert (finding.level, finding.needs_proof) == ("warning", True)
    assert "log(p + ε) stops at -13.8" in finding.saw
    for number in range(len(finding.edits)):
        again = fixed(tmp_path, evidence, finding, number)
        assert {f.level for f in epsilon_in_log(again)} <= {"note"}
        assert all(b.loss is not None and math.isfinite(b.loss) for b in again.trace.backwards)
    assert "1e-30" in str(finding.edits[-1])


def test_an_epsilon_beside_a_sigmoid_counts_the_rows_of_each_class(tmp_path: Path) -> None:
    loss = "-(t * torch.log(p() + 1e-3) + (1 - t) * torch.log(1 - p() + 1e-3)).mean()"
    before = "t = (y > 2).float()\n\n\ndef p():\n    return torch.sigmoid(9 * (x @ w)[:, 0])\n\n\n"
    evidence = record(program(tmp_path, loss, before, rate=0.0))
    found = list(epsilon_in_log(evidence))
    torch.manual_seed(0)
    x, w = torch.rand(32, 20), torch.randn(20, 5)
    p, t = torch.sigmoid(9 * (x @ w)[:, 0]), torch.arange(32) % 5 > 2
    counts = [int((q < 1e-3).sum()) for q in (p[t], 1 - p[~t])]
    assert max(counts) > 0
    steps = len(evidence.trace.tapes)
    for finding, count, rows in zip(found, counts, (t.sum(), (~t).sum()), strict=True):
        assert f"of {int(rows) * steps:,} rows at {steps} steps, {count * steps:,} have p < 0.001" in finding.saw
        assert finding.instead.startswith("binary_cross_entropy_with_logits")


def test_an_epsilon_that_no_row_is_near_is_a_note(tmp_path: Path) -> None:
    evidence = record(program(tmp_path, "-(softmax(x @ w / 9).gather(1, y[:, None]) + 1e-6).log().mean()"))
    finding = one(epsilon_in_log, evidence)
    assert (finding.level, finding.edits) == ("note", ())


def test_the_first_operation_that_is_not_finite(tmp_path: Path) -> None:
    evidence = record(program(tmp_path, "-torch.log(torch.relu(x @ w)).mean()"))
    finding = one(loss_not_finite, evidence)
    assert (finding.level, finding.proof) == ("error", "arithmetic")
    assert finding.saw.startswith(
        "the loss is infinite from step 1 on; the first operation to make it so is log, of numbers from 0 to"
    )
    assert evidence.program.text(finding.place or Place("", 1, 0, 1, 0)) == "torch.log(torch.relu(x @ w))"
    assert list(loss_not_finite(fixed(tmp_path, evidence, finding))) == []


def test_masks_and_finite_losses_say_nothing(tmp_path: Path) -> None:
    loss = "F.cross_entropy((x @ w).masked_fill(torch.arange(5) > 4, float('-inf')), y)"
    assert list(loss_not_finite(record(program(tmp_path, loss)))) == []


def test_an_input_that_is_not_finite(tmp_path: Path) -> None:
    file = tmp_path / "numpy.py"
    file.write_text("inputs = (images - mean) / std\n", "utf-8")
    place = place_of(program_of(file), "(images - mean) / std")
    tape = Builder(np.zeros(4, np.int64), 4)
    bad = np.array([[1.0, np.nan]] * 4)
    tape.loss = tape.op("matmul", [tape.value(bad, rows=True), tape.value(np.ones((2, 2)))], bad @ np.ones((2, 2)))
    trace = trace_of(
        tape, backwards=(Backward(0, None, 0, math.nan, False, ()),), made=(Made("inputs", place, summary(bad), 0),)
    )
    trace = replace(trace, forwards=(replace(trace.forwards[0], input=summary(bad)),))
    evidence = evidence_of(program_of(file), trace)
    finding = one(loss_not_finite, evidence)
    assert finding.place == place
    assert apply(evidence.program, finding.edits[0]) == {"numpy.py": "inputs = (images - mean) / (std + (std == 0))\n"}


def test_an_operation_is_read_by_its_meaning() -> None:
    assert name_of(Op("rsub", None, (), (), {}, 0)) == "sub"
    assert name_of(Op("special_softmax", None, (), (), {}, 0)) == "softmax"
