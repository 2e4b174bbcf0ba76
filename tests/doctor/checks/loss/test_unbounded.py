"""Losses without a least value, and linear losses that are meant."""

from pathlib import Path

import numpy as np
import pytest

from byhand.doctor.checks.loss.unbounded import loss_unbounded_below
from tests.doctor.checks._losses import fixed, look, one, program
from tests.doctor.checks._tapes import Builder, evidence_of, place_of, program_of, record, trace_of

SIGNS = "s = (y > 2).float() * 2 - 1\nb = (y > 2).float()\nt = F.one_hot(y, 5).float()\nv = torch.rand(32)\n\n"


@pytest.mark.parametrize(
    ("loss", "instead"),
    [
        ("F.nll_loss(x @ w, y)", "F.cross_entropy(x @ w, y)"),
        ("nn.NLLLoss()(x @ w, y)", "nn.CrossEntropyLoss()"),
        ("F.nll_loss(F.relu(x @ w), y)", "F.cross_entropy(F.relu(x @ w), y)"),
        ("-(x @ w)[torch.arange(32), y].mean()", "(torch.log_softmax(x @ w, dim=1))[torch.arange(32), y]"),
        ("-((x @ w).gather(1, y[:, None])).mean()", "(torch.log_softmax(x @ w, dim=1)).gather(1, y[:, None])"),
        ("(x @ w)[torch.arange(32), y].sum() / -32", "torch.log_softmax"),
        ("-(t * (x @ w)).sum(1).mean()", "log_softmax of the scores, times the labels"),
        ("F.binary_cross_entropy_with_logits((x @ w)[:, 0], s)", "(s + 1) / 2"),
        ("F.binary_cross_entropy_with_logits((x @ w)[:, 0], b + 1)", "(b + 1) - 1"),
        ("F.binary_cross_entropy_with_logits((x @ w)[:, 0], y.float())", "cross_entropy of C scores"),
    ],
)
def test_a_loss_that_falls_below_0(tmp_path: Path, loss: str, instead: str) -> None:
    evidence = look(tmp_path, loss, SIGNS)
    finding = one(loss_unbounded_below, evidence)
    assert (finding.level, finding.proof) == ("error", "arithmetic")
    assert " after 5 updates" in finding.saw
    assert instead in finding.instead
    if finding.edits:
        again = fixed(tmp_path, evidence, finding)
        assert list(loss_unbounded_below(again)) == []
        losses = [b.loss for b in again.trace.backwards if b.loss is not None]
        assert losses[0] > losses[-1] > 0


@pytest.mark.parametrize(
    "loss",
    [
        "F.nll_loss(F.log_softmax(x @ w, 1), y)",
        "F.nll_loss(F.softmax(x @ w, 1), y)",  # -1 is its least value: probabilities-into-nll
        "-F.softmax(x @ w, 1)[torch.arange(32), y].mean()",
        "-torch.sigmoid(x @ w)[torch.arange(32), y].mean()",
        "F.cross_entropy(x @ w, y) - 10",
        "-(x @ w)[:, 0].mean()",  # a critic's score: no label has a part in it
        "-(v * (x @ w)[:, 0]).mean()",
        "-(v * F.log_softmax(x @ w, 1)[torch.arange(32), y]).mean()",  # a policy's gain
        "F.relu(1 - s * (x @ w)[:, 0]).mean()",
        "-(x @ w)[torch.arange(32), y].mean() + 9 * w.square().sum()",
        "-F.cosine_similarity(x @ w, t).mean()",
        "-(F.normalize(x, dim=1) @ F.normalize(w, dim=0))[torch.arange(32), y].mean()",
        "(x @ w)[torch.arange(32), y].mean() + 3",  # of the other sign: it is no minus the right scores
        "F.binary_cross_entropy_with_logits((x @ w)[:, 0], b)",
        "F.binary_cross_entropy_with_logits(x @ w, t * 0.9 + 0.02)",
    ],
)
def test_losses_that_are_meant_or_end_somewhere_say_nothing(tmp_path: Path, loss: str) -> None:
    assert list(loss_unbounded_below(look(tmp_path, loss, SIGNS, rate=0.02))) == []


def test_weights_that_are_kept_small_give_a_linear_loss_an_end(tmp_path: Path) -> None:
    clamped = "        w.clamp_(-1, 1)\n"
    file = program(tmp_path, "-(x @ w)[torch.arange(32), y].mean()")
    file.write_text(file.read_text("utf-8") + clamped, "utf-8")
    assert list(loss_unbounded_below(record(file))) == []


@pytest.mark.parametrize("shift", [0, 1])
def test_targets_outside_0_and_1_by_hand_in_numpy(tmp_path: Path, shift: int) -> None:
    file = tmp_path / "numpy.py"
    file.write_text("loss = -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean()\n", "utf-8")
    place = place_of(program_of(file), "y * np.log(p)")
    labels = np.arange(40) % 2 + shift
    z = 3.0 * (labels - shift) - 1
    p = 1 / (1 + np.exp(-z if not shift else -np.abs(z) * 3))
    tape = Builder(labels, 40, clock=7)
    scores = tape.op("matmul", [tape.value(z, rows=True)], z)
    probs = tape.op("sigmoid", [scores], p)
    y = tape.value(labels)
    log = tape.op("log", [probs], np.log(p))
    tape.op("mul", [y, log], labels * np.log(p), place)
    rest = tape.op("sub", [y], 1 - labels, None, 1.0)
    other = tape.op("log", [tape.op("sub", [probs], 1 - p, None, 1.0)], np.log(1 - p))
    tape.op("mul", [rest, other], (1 - labels) * np.log(1 - p))
    found = list(loss_unbounded_below(evidence_of(program_of(file), trace_of(tape))))
    assert [finding.place for finding in found] == [place] * shift
    if shift:
        assert "go from 1 to 2" in found[0].saw
        assert "after 7 updates" in found[0].saw
