"""A loss that is a multiple of the mean cross-entropy of its scores, and why it may be one on purpose."""

from pathlib import Path

import pytest

from byhand.doctor.checks.summed import loss_summed_not_averaged

from ._losses import fixed, look, one, program
from ._tapes import record

TARGETS = "t = F.one_hot(y, 5).float()\n\n"


@pytest.mark.parametrize(
    ("loss", "times", "instead"),
    [
        ("F.cross_entropy(x @ w, y, reduction='sum')", "32 times as much", '"mean"'),
        ("nn.CrossEntropyLoss(reduction='sum')(x @ w, y)", "32 times as much", '"mean"'),
        ("F.nll_loss(F.log_softmax(x @ w, 1), y, reduction='sum')", "32 times as much", '"mean"'),
        ("-F.log_softmax(x @ w, 1)[torch.arange(32), y].sum()", "32 times as much", ".mean()"),
        ("-(t * F.log_softmax(x @ w, 1)).sum()", "32 times as much", ".sum(1).mean()"),
        (
            "-torch.sum(t * torch.log(softmax(x @ w)))",
            "32 times as much",
            "torch.sum(t * torch.log(softmax(x @ w)), 1).mean()",
        ),
        ("-(t * F.log_softmax(x @ w, 1)).mean()", "one 5th", ".sum(1).mean()"),
        ("-torch.mean(t * F.log_softmax(x @ w, 1))", "one 5th", ".mean()"),
        ("F.cross_entropy(x @ w, y) / len(x)", "one 32th", "F.cross_entropy(x @ w, y)"),
        ("F.cross_entropy(x @ w, y) / 32", "one 32th", "F.cross_entropy(x @ w, y)"),
    ],
)
def test_a_loss_that_is_no_mean_over_the_rows(tmp_path: Path, loss: str, times: str, instead: str) -> None:
    evidence = look(tmp_path, loss, TARGETS, rate=0.01)
    finding = one(loss_summed_not_averaged, evidence)
    assert (finding.level, finding.needs_proof) == ("warning", True)
    assert times in finding.saw
    assert finding.instead.endswith(instead) or instead in finding.instead
    again = fixed(tmp_path, evidence, finding)
    assert list(loss_summed_not_averaged(again)) == []
    first, now = evidence.trace.backwards[0].loss, again.trace.backwards[0].loss
    assert first is not None
    assert now is not None
    assert first / now == pytest.approx({"32 t": 32, "one ": 1 / 5 if "5th" in times else 1 / 32}[times[:4]], rel=1e-3)


@pytest.mark.parametrize(
    "loss",
    [
        "F.cross_entropy(x @ w, y)",
        "F.cross_entropy(x @ w, y, reduction='sum') / 32",
        "-(t * F.log_softmax(x @ w, 1)).sum() / len(x)",
        "F.cross_entropy(x @ w, y) / 5",  # five pieces of a batch, as many as classes
        "F.cross_entropy(x @ w, y, label_smoothing=0.1)",
        "F.mse_loss(F.softmax(x @ w, 1), t, reduction='sum')",
        "(F.cross_entropy(x @ w, y, reduction='none') * torch.full((32,), 1 / 32)).sum()",  # weights that sum to 1
        "F.cross_entropy(x @ w, y) * 32",
    ],
)
def test_means_and_other_multiples_say_nothing(tmp_path: Path, loss: str) -> None:
    assert list(loss_summed_not_averaged(look(tmp_path, loss, TARGETS, rate=0.01))) == []


def test_pieces_of_a_batch_share_a_division(tmp_path: Path) -> None:
    file = program(tmp_path, "F.cross_entropy(x @ w, y) / 32", "", 0.01)
    text = file.read_text("utf-8").replace(
        "    with torch.no_grad():", "    if step % 2:\n        continue\n    with torch.no_grad():"
    )
    file.write_text(text, "utf-8")
    evidence = record(file)
    from dataclasses import replace

    same = tuple(replace(b, clock=b.clock // 2) for b in evidence.trace.backwards)
    evidence = replace(evidence, trace=replace(evidence.trace, backwards=same))
    assert list(loss_summed_not_averaged(evidence)) == []
