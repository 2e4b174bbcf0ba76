"""A loss that is a multiple of the mean cross-entropy of its scores, and why it may be one on purpose."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from byhand.doctor.checks.loss.summed import loss_summed_not_averaged
from byhand.doctor.finding import Finding
from byhand.doctor.trace import Training
from tests.doctor.checks._losses import fixed, look, one, program
from tests.doctor.checks._tapes import Builder, evidence_of, place_of, program_of, record, trace_of

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
    same = tuple(replace(b, clock=b.clock // 2) for b in evidence.trace.backwards)
    evidence = replace(evidence, trace=replace(evidence.trace, backwards=same))
    assert list(loss_summed_not_averaged(evidence)) == []


def by_paper(tmp_path: Path, times: float, turned: bool, momentum: bool = False) -> list[Finding]:
    """What is said of three updates by hand, each ``times`` × lr × the mean gradient of 40 rows."""
    file = tmp_path / "numpy.py"
    file.write_text("lr = 0.01\nW -= lr * dW\n", "utf-8")
    source = program_of(file)
    rng = np.random.default_rng(0)
    labels, weights, speed = np.arange(40) % 10, rng.normal(0, 0.1, (6, 10)), np.zeros((6, 10))
    tapes: list[Builder] = []
    for clock in range(3):
        rows = rng.normal(size=(40, 6))
        z = rows @ weights
        p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
        tape = Builder(labels, 40, clock=clock)
        x, w = (rows.T, weights.T) if turned else (rows, weights)
        left, right = tape.value(x, rows=True), tape.value(w, "W", parameter=0)
        scores = tape.op("matmul", [right, left] if turned else [left, right], z.T if turned else z)
        exp = tape.op("exp", [scores], np.exp(z.T if turned else z))
        axis = 0 if turned else 1
        total = tape.op("sum", [exp], tape.arrays[exp].sum(axis, keepdims=True), axis=axis, keepdims=True)
        probs = tape.op("div", [exp, total], p.T if turned else p)
        hot = np.eye(10)[labels]
        dz = tape.op("sub", [probs, tape.value(hot.T if turned else hot)], (p - hot).T if turned else p - hot)
        tape.op("matmul", [dz, left], np.zeros((10, 6)))
        gradient = rows.T @ (p - hot) / 40
        speed = (0.9 * speed if momentum else 0) + gradient
        weights = weights - 0.01 * times * speed
        tapes.append(tape)
    run = Training(0, 3, place_of(source, "W -= lr * dW"), True, None, (), None, None)
    return list(loss_summed_not_averaged(evidence_of(source, trace_of(*tapes, trainings=(run,)))))


@pytest.mark.parametrize("turned", [False, True])
def test_a_gradient_on_paper_that_is_a_sum(tmp_path: Path, turned: bool) -> None:
    (finding,) = by_paper(tmp_path, 40, turned)
    assert "each of 2 steps that were looked at is 40 × 0.01 times the mean gradient of its 40 rows" in finding.saw
    assert finding.needs_proof
    assert [edit.text for edit in finding.edits[0]] == ["0.00025"]
    assert by_paper(tmp_path, 1, turned) == []
    assert by_paper(tmp_path, 7, turned) == []
    assert by_paper(tmp_path, 40, turned, momentum=True) == []
