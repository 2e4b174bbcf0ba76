"""The logarithm taken twice: where it is NaN, where it changes nothing, and where it is no second logarithm."""

import math
from pathlib import Path

import pytest

from byhand.doctor.checks.loss.twice import log_of_log_softmax
from tests.doctor.checks._losses import fixed, look, one


@pytest.mark.parametrize(
    "loss",
    [
        "-torch.log(F.log_softmax(x @ w, dim=1))[torch.arange(32), y].mean()",
        "-F.log_softmax(x @ w, dim=1)[torch.arange(32), y].log().mean()",
        "F.nll_loss(torch.log((x @ w).log_softmax(1)), y)",
        "F.nll_loss((F.log_softmax(x @ w, 1) + 1e-9).log(), y)",
        "-torch.log(lp(x @ w).gather(1, y[:, None])).mean()",
    ],
)
def test_the_logarithm_of_log_probabilities_is_an_error(tmp_path: Path, loss: str) -> None:
    by_hand = "def lp(z):\n    return z - torch.logsumexp(z, dim=1, keepdim=True)\n\n\n"
    evidence = look(tmp_path, loss, by_hand)
    finding = one(log_of_log_softmax, evidence)
    assert (finding.level, finding.proof) == ("error", "arithmetic")
    assert "are negative, down to -" in finding.saw
    again = fixed(tmp_path, evidence, finding)
    assert list(log_of_log_softmax(again)) == []
    losses = [b.loss for b in again.trace.backwards if b.loss is not None]
    assert losses[0] > losses[-1] > 0


def test_a_lower_limit_under_the_second_logarithm_leaves_a_constant(tmp_path: Path) -> None:
    evidence = look(tmp_path, "-torch.log(F.log_softmax(x @ w, 1).clamp(min=1e-7))[torch.arange(32), y].mean()")
    finding = one(log_of_log_softmax, evidence)
    assert "cut off at 1e-07 below: all 160 numbers" in finding.saw
    assert "has no gradient" in finding.so
    losses = [b.loss for b in fixed(tmp_path, evidence, finding).trace.backwards if b.loss is not None]
    assert losses[0] > losses[-1] > 0


@pytest.mark.parametrize(
    "loss",
    [
        "F.cross_entropy(F.log_softmax(x @ w, dim=1), y)",
        "F.nll_loss(F.log_softmax(F.log_softmax(x @ w, 1), 1), y)",
        "nn.CrossEntropyLoss()(nn.LogSoftmax(dim=1)(x @ w), y)",
    ],
)
def test_log_softmax_twice_is_a_note(tmp_path: Path, loss: str) -> None:
    finding = one(log_of_log_softmax, look(tmp_path, loss))
    assert (finding.level, finding.edits) == ("note", ())
    assert "sum to 1 within" in finding.saw


@pytest.mark.parametrize(
    "loss",
    [
        "F.cross_entropy(x @ w, y)",
        "F.cross_entropy(F.log_softmax(x @ w, dim=0), y)",  # along the batch: the second is another one
        "-torch.log(F.softmax(F.log_softmax(x @ w, 1), 1))[torch.arange(32), y].mean()",  # probabilities again
        "F.nll_loss(F.log_softmax(x @ w, 1), y).log()",  # of the loss, which is positive
        "-torch.log(F.log_softmax(x @ w, 1).exp())[torch.arange(32), y].mean()",
    ],
)
def test_one_logarithm_says_nothing(tmp_path: Path, loss: str) -> None:
    evidence = look(tmp_path, loss)
    assert list(log_of_log_softmax(evidence)) == []
    assert all(b.loss is not None and math.isfinite(b.loss) for b in evidence.trace.backwards)
