"""Class numbers as a quantity, and numbers that are one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.loss.regression import regression_on_class_numbers
from byhand.doctor.trace import Comparison, Examples
from tests.doctor.checks._losses import fixed, look, one

TARGETS = "t = F.one_hot(y, 5).float()\nb = (y > 2).float()\n\n"
LABELS = np.arange(32) % 5
MIXED = np.random.default_rng(0).normal(size=(5, 6))[LABELS]  # classes in no order
ORDERED = np.outer(LABELS, np.ones(6)) + np.random.default_rng(1).normal(0, 0.1, (32, 6))


def with_rows(evidence: Evidence, rows: np.ndarray, *, compared: bool = True) -> Evidence:
    """The same, with what the classes look like, and with answers that were counted as right or wrong."""
    seen = Examples(rows.astype(np.float32), 1.0, 0.0, LABELS, np.arange(32), (6,), True)
    one_ = Comparison(0, None, None, "==", (32,), (32,), (32,), 20, 32, LABELS)
    forwards = tuple(replace(forward, labels=LABELS) for forward in evidence.trace.forwards)
    trace = replace(evidence.trace, forwards=forwards, trained_on=seen, comparisons=(one_,) if compared else ())
    return replace(evidence, trace=trace)


@pytest.mark.parametrize(
    "loss",
    [
        "F.mse_loss((x @ w)[:, 0], y.float())",
        "nn.MSELoss()((x @ w)[:, :1], y[:, None].float())",
        "F.l1_loss((x @ w)[:, 0], y.float())",
        "F.smooth_l1_loss(y.float(), (x @ w)[:, 0])",
        "((x @ w)[:, 0] - y).pow(2).mean()",
        "((y - (x @ w)[:, 0]) ** 2).sum() / 32",
        "((x @ w)[:, 0] - y).abs().mean()",
    ],
)
def test_one_output_that_is_to_be_the_class_number(tmp_path: Path, loss: str) -> None:
    evidence = look(tmp_path, loss, rate=0.01)
    finding = one(regression_on_class_numbers, with_rows(evidence, MIXED))
    assert (finding.level, finding.proof, finding.edits) == ("warning", None, ())
    assert "with the class numbers 0 … 4" in finding.saw
    assert "a row that could be 0 or 4 is answered with 2" in finding.so
    assert list(regression_on_class_numbers(with_rows(evidence, ORDERED))) == []  # a quantity: ratings, ages
    assert (
        list(regression_on_class_numbers(with_rows(evidence, MIXED, compared=False))) == []
    )  # how far off, not how often
    assert list(regression_on_class_numbers(evidence)) == []


@pytest.mark.parametrize("loss", ["F.mse_loss(x @ w, n)", "nn.MSELoss()(x @ w, n)", "F.l1_loss(x @ w, n)"])
def test_all_outputs_that_are_to_be_the_class_number(tmp_path: Path, loss: str) -> None:
    evidence = look(tmp_path, loss, "n = y[:, None].float().expand(32, 5)\n\n", rate=0.1)
    finding = one(regression_on_class_numbers, with_rows(evidence, MIXED))
    assert (finding.level, finding.proof) == ("error", "arithmetic")
    assert "each of the 5 outputs of a row is to become the row's number" in finding.saw


def test_cross_entropy_takes_the_place_of_the_distance(tmp_path: Path) -> None:
    loss = "F.mse_loss(x @ w, y[:, None].float().expand(32, 5))"
    evidence = with_rows(look(tmp_path, loss, rate=0.1), MIXED)
    tape = evidence.trace.tapes[0]
    names = [replace(v, name="y") if np.array_equal(v.kept, LABELS) else v for v in tape.values]
    named = replace(evidence.trace, tapes=(replace(tape, values=tuple(names)), *evidence.trace.tapes[1:]))
    evidence = replace(evidence, trace=named)
    finding = one(regression_on_class_numbers, evidence)
    assert finding.instead == "torch.nn.functional.cross_entropy(x @ w, y)"
    assert list(regression_on_class_numbers(with_rows(fixed(tmp_path, evidence, finding), MIXED))) == []


@pytest.mark.parametrize(
    "loss",
    [
        "F.mse_loss(x @ w, t)",  # one-hot
        "F.mse_loss(torch.sigmoid(x @ w), t)",
        "F.mse_loss(torch.sigmoid((x @ w)[:, 0]), b)",  # two classes
        "((x @ w)[:, 0] - b).square().mean()",
        "F.cross_entropy(x @ w, y)",
        "F.mse_loss((x @ w)[:, 0], x[:, 0])",  # a quantity beside the classes
        "F.cross_entropy(x @ w, y) + 0 * ((x @ w).argmax(1) - y).abs().float().mean()",  # how far off answers are
    ],
)
def test_targets_that_are_no_class_numbers_say_nothing(tmp_path: Path, loss: str) -> None:
    assert list(regression_on_class_numbers(with_rows(look(tmp_path, loss, TARGETS, rate=0.01), MIXED))) == []
