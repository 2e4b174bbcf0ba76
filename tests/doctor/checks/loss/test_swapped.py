"""The two arguments of a loss exchanged: by the library's functions and by hand, and losses that are meant so."""

from pathlib import Path

import pytest

from byhand.doctor.checks.loss.swapped import loss_arguments_swapped
from tests.doctor.checks._losses import fixed, look, one, program
from tests.doctor.checks._tapes import record

TARGETS = "t = F.one_hot(y, 5).float()\nb = (y > 2).float()\nEPS = 1e-7\n\n"
OWN = """\
def cross_entropy(p, t):
    return -(t * torch.log(p + 1e-7)).sum(dim=1).mean()


def binary(p, t):
    return -(t * torch.log(p + 1e-7) + (1 - t) * torch.log(1 - p + 1e-7)).mean()


"""


@pytest.mark.parametrize(
    ("loss", "instead"),
    [
        ("F.cross_entropy(t, x @ w)", "F.cross_entropy(x @ w, t)"),
        ("nn.CrossEntropyLoss()(t, x @ w)", "(x @ w, t)"),
        ("F.cross_entropy(t, F.softmax(x @ w, 1))", "F.cross_entropy(F.softmax(x @ w, 1), t)"),
        ("F.binary_cross_entropy_with_logits(t, x @ w)", "(x @ w, t)"),
        (
            "F.kl_div(t, F.log_softmax(x @ w, 1), reduction='batchmean')",
            "F.kl_div(F.log_softmax(x @ w, 1), t, reduction=",
        ),
    ],
)
def test_labels_as_the_input_of_a_library_loss(tmp_path: Path, loss: str, instead: str) -> None:
    evidence = look(tmp_path, loss, TARGETS, rate=0.05)
    finding = one(loss_arguments_swapped, evidence)
    assert (finding.level, finding.proof) == ("error", "arithmetic")
    assert instead in finding.instead
    again = fixed(tmp_path, evidence, finding)
    assert list(loss_arguments_swapped(again)) == []
    losses = [b.loss for b in again.trace.backwards if b.loss is not None]
    assert losses[0] > losses[-1] > 0


@pytest.mark.parametrize(
    ("loss", "before", "instead"),
    [
        ("cross_entropy(t, F.softmax(x @ w, 1))", OWN, "cross_entropy(F.softmax(x @ w, 1), t)"),
        ("binary(b, torch.sigmoid(x @ w[:, 0]))", OWN, "binary(torch.sigmoid(x @ w[:, 0]), b)"),
        ("-(p * torch.log(t + EPS)).sum(1).mean()", "", "the logarithm of p, times t"),
        ("-(torch.log(t.clamp(min=1e-7)) * p).sum(1).mean()", "", "the logarithm of p, times t"),
        ("-(q * torch.log(b + EPS) + (1 - q) * torch.log(1 - b + EPS)).mean()", "", "the logarithm of q, times b"),
    ],
)
def test_the_logarithm_of_the_labels_by_hand(tmp_path: Path, loss: str, before: str, instead: str) -> None:
    file = program(tmp_path, loss, TARGETS + before, 0.05)
    made = "    p, q = F.softmax(x @ w, 1), torch.sigmoid(x @ w[:, 0])\n    loss = "
    file.write_text(file.read_text("utf-8").replace("    loss = ", made), "utf-8")
    evidence = record(file)
    finding = one(loss_arguments_swapped, evidence)
    assert (finding.level, finding.proof, finding.needs_proof) == ("error", None, False)
    assert "the logarithm is of the labels" in finding.saw
    assert finding.instead == instead
    assert list(loss_arguments_swapped(fixed(tmp_path, evidence, finding))) == []


@pytest.mark.parametrize(
    "loss",
    [
        "F.cross_entropy(x @ w, t)",
        "F.cross_entropy(x @ w, F.softmax(x @ w.detach() / 2, 1))",  # distillation
        "F.mse_loss(t, F.softmax(x @ w, 1))",  # the same both ways
        "F.l1_loss(t, x @ w)",
        "F.kl_div(F.log_softmax(x @ w, 1), t, reduction='batchmean')",
        "F.kl_div(s.log(), F.softmax(x @ w, 1), reduction='batchmean')",  # a reverse divergence, to smoothed labels
        "F.cross_entropy(x @ w, y) - (F.softmax(x @ w, 1) * torch.log(t.clamp(min=1e-4))).sum(1).mean()",  # symmetric
        "(s * (torch.log(s) - F.log_softmax(x @ w, 1))).sum(1).mean()",  # a divergence by hand
        "-(t * F.log_softmax(x @ w, 1)).sum(1).mean()",
        "F.binary_cross_entropy(torch.sigmoid(x @ w[:, 0]), b)",
        "F.binary_cross_entropy_with_logits(x @ w, torch.sigmoid(x @ w).detach())",
    ],
)
def test_losses_that_are_meant_say_nothing(tmp_path: Path, loss: str) -> None:
    evidence = look(tmp_path, loss, TARGETS + "s = 0.9 * t + 0.02\n\n", rate=0.05)
    assert list(loss_arguments_swapped(evidence)) == []
