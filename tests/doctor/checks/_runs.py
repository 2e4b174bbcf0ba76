"""Evidence of a small program that was really run."""

from dataclasses import replace
from pathlib import Path

from byhand.doctor.audit.audit import audit
from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.text import edits
from byhand.doctor.text.program import Program, Unit

DATA = """\
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
torch.manual_seed(0)
rng = np.random.default_rng(0)
labels = rng.integers(0, 3, 200)
rows = (rng.normal(size=(3, 6))[labels] * 2 + rng.normal(size=(200, 6))).astype(np.float32)
x, y = torch.from_numpy(rows), torch.from_numpy(labels)
"""
"""200 rows of three classes: ``x`` (200, 6) and ``y`` (200,), and the same in NumPy as ``rows`` and ``labels``."""


def evidence_of(watched, text, **fields):
    """Run ``DATA + text`` and read its trace."""
    source = DATA + text
    program = Program(Path("main.py"), (Unit("main.py", None, source, source),))
    trace = replace(watched(source), **fields)
    return Evidence(program, trace, audit(trace))


def line(source, part):
    """The line of a text in the program."""
    whole = DATA + source
    return whole[: whole.index(part)].count("\n") + 1


def patched(evidence, fix):
    """The program's text with a fix."""
    return edits.apply(evidence.program, fix)["main.py"]
