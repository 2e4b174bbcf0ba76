"""What the checks see of a program that really ran."""

from pathlib import Path
from typing import Any

from byhand.doctor.audit.audit import audit
from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.text.reading import read_program

DATA = """\
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
torch.manual_seed(0)
rng = np.random.default_rng(0)
labels = rng.integers(0, 3, 400)
rows = (rng.normal(size=(3, 6))[labels] * 2 + rng.normal(size=(400, 6))).astype(np.float32)
x, y = torch.from_numpy(rows), torch.from_numpy(labels)
train_x, train_y, test_x, test_y = x[:300], y[:300], x[300:], y[300:]
"""


def trained(epochs: int, rows: int) -> str:
    """What trains ``model`` by SGD in batches of so many rows, and prints its accuracy."""
    return f"""
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range({epochs}):
    for xb, yb in zip(train_x.split({rows}), train_y.split({rows})):
        optimizer.zero_grad()
        F.cross_entropy(model(xb), yb).backward()
        optimizer.step()
with torch.no_grad():
    print("test accuracy", (model(test_x).argmax(1) == test_y).float().mean().item())
"""


def seen(watched: Any, folder: Path, text: str) -> Evidence:
    """The evidence of a program, run in a folder."""
    trace = watched(text, folder=folder)
    assert trace.end.how == "done", trace.end
    assert not [note for note in trace.notes if "watching failed" in note], trace.notes
    program = read_program(folder / "main.py")
    return Evidence(program, trace, audit(trace))


def line_of(text: str, part: str) -> int:
    """The line of a program on which a text stands."""
    return text[: text.index(part)].count("\n") + 1
