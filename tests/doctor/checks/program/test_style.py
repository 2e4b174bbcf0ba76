"""Notes on style: at lines that ran, and only there."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from byhand.doctor.checks.program.style import style_notes
from byhand.doctor.place import Place
from byhand.doctor.trace import Forward, SourceFile
from tests.doctor.checks._tapes import evidence_of, program_of, record, trace_of

PROGRAM = """\
import torch
from torch.autograd import Variable
from torch.utils.data import DataLoader

torch.manual_seed(0)
x, y = torch.rand(8, 4), torch.arange(8) % 3
data = list(zip(x, y))
loader = DataLoader(data, batch_size=4)
w = Variable(torch.zeros(4, 3), requires_grad=True)
for xb, yb in loader:
    sum = torch.nn.functional.cross_entropy(xb @ w, yb)
    sum.backward()
    w.data -= 0.1 * w.grad
    w.grad.zero_()
right = (torch.softmax(x @ w, dim=1).argmax(dim=1) == y).float().mean()
"""


def test_each_kind_is_named_once_and_is_a_note(tmp_path: Path) -> None:
    file = tmp_path / "program.py"
    file.write_text(PROGRAM, "utf-8")
    found = {finding.check: finding for finding in style_notes(record(file))}
    lines = {name: finding.place.line for name, finding in found.items() if finding.place}
    assert lines == {
        "update-through-data": 13,
        "list-of-tuples": 8,
        "variable-wrapper": 9,
        "shadowed-builtin": 11,
        "softmax-before-argmax": 15,
    }
    assert {finding.level for finding in found.values()} == {"note"}
    assert found["list-of-tuples"].instead == "TensorDataset(x, y)"
    assert found["update-through-data"].instead == "with torch.no_grad(): w -= 0.1 * w.grad"


def test_lines_that_never_ran_are_not_spoken_of(tmp_path: Path) -> None:
    file = tmp_path / "program.py"
    file.write_text(PROGRAM, "utf-8")
    evidence = record(file)
    ran = replace(evidence, trace=replace(evidence.trace, files=(SourceFile("program.py", None, ((7, 14),)),)))
    assert {finding.check for finding in style_notes(ran)} == {"softmax-before-argmax"}


def test_one_row_at_a_time(tmp_path: Path) -> None:
    file = tmp_path / "program.py"
    file.write_text("model(x[i])\n", "utf-8")
    place = Place("program.py", 1, 0, 1, 11)
    none = np.zeros(0, np.int64)
    one = Forward(0, place, 0, "eval", 1, none, none, None, True, (), (), None, None)
    for count, notes in ((1000, 1), (900, 0)):
        evidence = evidence_of(program_of(file), replace(trace_of(), forwards=(one,) * count))
        assert len(list(style_notes(evidence))) == notes
