"""Evaluations that keep a graph: said where it costs something, and nowhere else."""

from pathlib import Path

import pytest

from byhand.doctor.audit.audit import audit
from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.program.kept import evaluated_with_graph
from byhand.doctor.text.reading import read_program

PROGRAM = """\
import torch
from torch import nn
torch.manual_seed(0)
x, y = torch.rand(6000, 20), torch.arange(6000) % 3
model = nn.Sequential(nn.Linear(20, WIDE), nn.ReLU(), nn.Linear(WIDE, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for i in range(3):
    loss = nn.functional.cross_entropy(model(x[:100]), y[:100])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
EVALUATE
print((scores.argmax(1) == y).float().mean().item())
"""


@pytest.fixture
def notes(tmp_path: Path, watched):
    """The notes on the program with this evaluation."""

    def found(evaluate: str, wide: int = 512):
        trace = watched(PROGRAM.replace("WIDE", str(wide)).replace("EVALUATE", evaluate), folder=tmp_path)
        assert trace.end.how == "done", trace.end
        program = read_program(tmp_path / "main.py")
        return list(evaluated_with_graph(Evidence(program, trace, audit(trace))))

    return found


def test_what_is_kept_is_counted_and_no_more_than_a_note(notes):
    (note,) = notes("scores = model(x)")
    assert (note.check, note.level, note.place and note.place.line) == ("evaluated-with-graph", "note", 12)
    assert note.saw.startswith("1 of the 4 forward passes were recorded for a backward pass that never came")
    assert "with up to 24 MB of intermediate values" in note.saw, "6,000 rows, 512 + 512 + 3 values each in four bytes"


@pytest.mark.parametrize(
    ("evaluate", "wide"),
    [
        ("with torch.no_grad():\n    scores = model(x)", 512),
        ("with torch.inference_mode():\n    scores = model(x)", 512),
        ("scores = model(x)", 8),
        ("scores = torch.cat([model(x[i : i + 100]) for i in range(0, 6000, 100)])", 512),
        ("scores = model(x.requires_grad_())\nscores.sum().backward()\nx.requires_grad_(False)", 512),
        ("torch.set_grad_enabled(False)\nscores = model(x)", 512),
        ("scores = model(x)\nloss = nn.functional.cross_entropy(scores, y)\nloss.backward()\noptimizer.step()", 512),
    ],
)
def test_nothing_is_said_where_it_costs_nothing(notes, evaluate: str, wide: int):
    assert notes(evaluate, wide) == []
