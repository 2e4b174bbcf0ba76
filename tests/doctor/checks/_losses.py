"""Small programs that differ in their loss: run, looked at, mended and run again."""

from pathlib import Path

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.finding import Finding
from byhand.doctor.text.edits import apply
from tests.doctor.checks._tapes import Check, record

__all__ = ["fixed", "look", "one", "program"]

HEAD = """\
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
x, y = torch.rand(32, 20), torch.arange(32) % 5
w = torch.randn(20, 5).requires_grad_()


def softmax(z):
    e = torch.exp(z - z.max(dim=1, keepdim=True).values)
    return e / e.sum(dim=1, keepdim=True)


"""
LOOP = """
for step in range(6):
    loss = {loss}
    loss.backward()
    with torch.no_grad():
        w -= {rate} * w.grad
        w.grad = None
"""


def program(tmp_path: Path, loss: str, before: str = "", rate: float = 0.5) -> Path:
    file = tmp_path / "program.py"
    file.write_text(HEAD + before + LOOP.format(loss=loss, rate=rate), "utf-8")
    return file


def one(check: Check, evidence: Evidence) -> Finding:
    found = list(check(evidence))
    assert len(found) == 1, found
    return found[0]


def fixed(tmp_path: Path, evidence: Evidence, finding: Finding, number: int = 0) -> Evidence:
    """The program after an edit, watched again."""
    (source,) = apply(evidence.program, finding.edits[number]).values()
    file = tmp_path / "fixed.py"
    file.write_text(source, "utf-8")
    return record(file)


def look(tmp_path: Path, loss: str, before: str = "", rate: float = 0.5) -> Evidence:
    """What is seen of a program with this loss."""
    return record(program(tmp_path, loss, before, rate))
