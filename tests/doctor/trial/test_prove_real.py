"""A real program, really run: its faults put right, each proven in the other's company, and patched."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from byhand.doctor.audit.audit import audit
from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.finding import Edit, Finding
from byhand.doctor.job import Job
from byhand.doctor.place import Place
from byhand.doctor.run.scratch import Scratch
from byhand.doctor.run.workshop import Workshop
from byhand.doctor.text.edits import Edits, apply, constants, definition
from byhand.doctor.text.patch import patch
from byhand.doctor.text.reading import read_program
from byhand.doctor.trace import Trace
from byhand.doctor.trial.outcome import outcome
from byhand.doctor.trial.prove import prove

DIGITS = """\
import numpy as np
from sklearn.datasets import load_digits

rng = np.random.default_rng(0)
x, y = load_digits(return_X_y=True)
x = x / 16
rows = rng.permutation(len(x))
train, test = rows[:1400], rows[1400:]
train = train[np.argsort(y[train], kind="stable")]
w = rng.normal(size=(64, 10)) * 3
for epoch in range(6):
    order = np.arange(len(train))
    for i in range(0, len(train), 50):
        xb, yb = x[train[order[i : i + 50]]], y[train[order[i : i + 50]]]
        z = xb @ w
        p = np.exp(z - z.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        g = xb.T @ (p - np.eye(10)[yb]) / len(xb)
        w -= 0.5 * g
preds = (x[test] @ w).argmax(axis=1)
print("test accuracy", (preds == y[test]).mean())
"""


def test_a_real_program_is_put_right_and_each_part_of_it_proven(tmp_path: Path):
    path = tmp_path / "digits.py"
    path.write_text(DIGITS)
    program = read_program(path)
    shuffle = replace_at(definition(program, "order", Place("digits.py", 13, 0, 13, 1)), "rng.permutation(len(train))")
    start = replace_at(constants(program, 3.0)[0], "0.01")
    quiet = replace_at(constants(program, 16)[0], "16.0")
    with Workshop(("numpy", "sklearn.datasets")) as shop, Scratch(tmp_path, inside=shop.folder) as scratch:

        def run(sets: Sequence[Edits], steps: int | None, shift: int) -> list[Trace]:
            jobs = [
                Job(
                    path,
                    tmp_path,
                    copy=scratch.fresh(),
                    sources=apply(program, one),
                    steps=steps,
                    shift=shift,
                    light=True,
                )
                for one in sets
            ]
            return shop.run_all(jobs, at_once=2)

        trace = shop.run(Job(path, tmp_path, copy=scratch.fresh()))
        evidence = Evidence(program, trace, audit(trace))
        names = ("class-sorted-batches", "initial-loss-above-chance", "raw-pixel")
        found = [
            Finding(name, "warning", edit.place, "saw", "so", "instead", edits=((edit,),), needs_proof=True)
            for name, edit in zip(names, (shuffle, start, quiet), strict=True)
        ]
        result = prove(evidence, found, run, 300, measure=lambda one: outcome(one, audit(one).main))
    assert [(one.check, one.level) for one in result.findings] == [
        ("class-sorted-batches", "error"),
        ("initial-loss-above-chance", "error"),
        ("raw-pixel", "note"),
    ]
    assert result.all_fixed is not None
    assert result.all_fixed > 0.9
    assert result.findings[2].effect is not None
    assert result.findings[2].effect.before == result.findings[2].effect.after  # to the bit: nothing was changed
    assert path.read_text() == DIGITS
    subprocess.run(["git", "apply", "-"], input=patch(program, result.fixes).encode(), cwd=tmp_path, check=True)
    printed = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, check=True).stdout
    assert float(printed.split()[-1]) == pytest.approx(result.all_fixed)


def replace_at(place: Place | None, text: str) -> Edit:
    assert place is not None
    return Edit(place, text)
