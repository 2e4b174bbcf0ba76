"""Softmax by hand without its maximum: where it overflows, where it only could, and where it cannot."""

import math
from pathlib import Path

import numpy as np
import pytest

from byhand.doctor.checks.loss.overflow import softmax_without_max
from byhand.doctor.text.edits import apply
from tests.doctor.checks._losses import fixed, look, one
from tests.doctor.checks._tapes import Builder, evidence_of, place_of, program_of, trace_of

RAW = "def raw(z):\n    e = torch.exp(z)\n    return e / e.sum(dim=1, keepdim=True)\n\n\n"


@pytest.mark.parametrize(
    ("loss", "before"),
    [
        ("-torch.log(raw({} * (x @ w)))[torch.arange(32), y].mean()", RAW),
        ("(raw({} * (x @ w)) - F.one_hot(y, 5)).square().mean()", RAW),
        (
            "-log_softmax({} * (x @ w))[torch.arange(32), y].mean()",
            "def log_softmax(z):\n    return z - z.exp().sum(-1).log().unsqueeze(-1)\n\n\n",
        ),
        (
            "loss_of({} * (x @ w))",
            "def loss_of(z):\n    total = torch.exp(z).sum(1)\n"
            "    return (torch.log(total) - z[torch.arange(32), y]).mean()\n\n\n",
        ),
    ],
)
def test_an_exponential_that_overflows(tmp_path: Path, loss: str, before: str) -> None:
    evidence = look(tmp_path, loss.format(60), before)
    finding = one(softmax_without_max, evidence)
    assert (finding.level, finding.proof) == ("error", "arithmetic")
    assert "float32 ends at e^88.7" in finding.saw
    if finding.edits:
        again = fixed(tmp_path, evidence, finding)
        assert not any(f.level == "error" for f in softmax_without_max(again))
        first = again.trace.backwards[0].loss
        assert first is not None
        assert not math.isnan(first)
    else:
        assert "total" in before  # a sum that was given a name: there is no one place to mend
    note = one(softmax_without_max, look(tmp_path, loss.format(1), before))
    assert (note.level, note.edits) == ("note", ())
    assert "overflows at 88.7 in float32; the largest score of" in note.saw


@pytest.mark.parametrize(
    "body",
    [
        "e = torch.exp(z - z.max(dim=1, keepdim=True).values)",
        "e = torch.exp(z - z.amax(1, keepdim=True))",
        "e = torch.exp(z - z.max())",
        "e = torch.exp(z.clamp(-50, 50))",
        "e = torch.exp(torch.tanh(z))",
        "e = torch.exp(z - torch.logsumexp(z, 1, keepdim=True))",
        "e = torch.exp(-(z * z))",
    ],
)
def test_what_cannot_overflow_says_nothing(tmp_path: Path, body: str) -> None:
    before = f"def raw(z):\n    {body}\n    return e / e.sum(dim=1, keepdim=True)\n\n\n"
    assert list(softmax_without_max(look(tmp_path, "-torch.log(raw(x @ w))[torch.arange(32), y].mean()", before))) == []


def test_exponentials_that_are_no_softmax_say_nothing(tmp_path: Path) -> None:
    assert list(softmax_without_max(look(tmp_path, "F.cross_entropy(torch.exp(x @ w / 9), y)"))) == []
    assert list(softmax_without_max(look(tmp_path, "torch.exp(x @ w / 9).sum(1).mean()"))) == []


@pytest.mark.parametrize("axis", [0, 1])
def test_in_numpy_samples_may_be_columns(tmp_path: Path, axis: int) -> None:
    file = tmp_path / "numpy.py"
    file.write_text(f"import numpy as np\n\ne = np.exp(z)\np = e / e.sum(axis={axis}, keepdims=True)\n", "utf-8")
    program = program_of(file)
    z = np.random.default_rng(0).normal(0, 900, (40, 10))
    z = z if axis else z.T
    with np.errstate(all="ignore"):
        e = np.exp(z)
        tape = Builder(np.arange(40) % 10, 40)
        scores = tape.op("matmul", [tape.value(z, rows=True)], z)
        exps = tape.op("exp", [scores], e, place_of(program, "np.exp(z)"))
        total = tape.op("sum", [exps], e.sum(axis, keepdims=True), axis=axis, keepdims=True)
        tape.op("div", [exps, total], e / e.sum(axis, keepdims=True))
    finding = one(softmax_without_max, evidence_of(program, trace_of(tape)))
    assert finding.level == "error"
    assert "of 40 rows" in finding.saw
    assert "e^709.8" in finding.saw
    (source,) = apply(program, finding.edits[0]).values()
    assert f"np.exp(z - z.max(axis={axis}, keepdims=True))" in source
