"""Notebooks that are run from their top: what they keep of another session."""

import json
from pathlib import Path

import pytest

from byhand.doctor.audit.audit import audit
from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.program.cells import hidden_notebook_state
from byhand.doctor.text.program import Program
from byhand.doctor.text.reading import read_program


def notebook(*cells):
    """Cells as (code, count, output)."""
    return json.dumps(
        {
            "cells": [
                {
                    "cell_type": "code", "metadata": {}, "execution_count": count, "source": code,
                    "outputs": [{"output_type": "stream", "name": "stdout", "text": [output]}] if output else [],
                }
                for code, count, output in cells
            ],
            "metadata": {}, "nbformat": 4, "nbformat_minor": 5,
        }
    )  # fmt: skip


@pytest.fixture
def found(watched, tmp_path):
    def look(*cells):
        text = notebook(*cells)
        trace = watched(text, folder=tmp_path, file="main.ipynb")
        program: Program = read_program(Path(tmp_path / "main.ipynb"))
        return list(hidden_notebook_state(Evidence(program, trace, audit(trace))))

    return look


SEED = "import random\nrandom.seed(0)"
SHOW = "print(f'loss {hits / 90:.3f}, test accuracy {hits / 100:.3f}')"


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ((1, 2, 5, 6), "the counts jump from 2 to 5 between cells 2 and 3: 2 times a cell was run again, or is gone"),
        ((1, 4, 3, 5), "by the counts cell 3 (3) was run before cell 2 (4)"),
    ],
)
def test_a_stored_accuracy_that_the_top_does_not_give(found, counts, words):
    (finding,) = found(
        (SEED, counts[0], ""), ("hits = 60", counts[1], ""), ("hits += 10", counts[2], ""),
        (SHOW, counts[3], "loss 1.000, test accuracy 0.900\n"),
    )  # fmt: skip
    assert (finding.level, finding.place.cell, finding.place.line) == ("warning", 4, 1)
    assert finding.saw == f"the stored output says 0.900, and a run from the top 0.700; {words}"


@pytest.mark.parametrize("missing", ["later", "gone"])
def test_a_name_that_is_not_there_yet(found, missing):
    cells = [("print(hits)", 4, "60\n"), ("hits = 60", 3, "")]
    (finding,) = found(*cells[: 2 if missing == "later" else 1])
    assert (finding.level, finding.proof, finding.place.cell) == ("error", "arithmetic", 1)
    assert ("cell 2 makes it (counts 4 and 3)" if missing == "later" else "no cell makes it") in finding.saw


@pytest.mark.parametrize(
    "cells",
    [
        [(SEED, 1, ""), ("hits = 60", 5, ""), (SHOW, 9, "loss 0.667, test accuracy 0.600\n")],  # jumps, the same number
        [(SEED, 41, ""), ("hits = 60", 42, ""), (SHOW, 43, "loss 1.000, test accuracy 0.900\n")],  # an old session
        [(SEED, 1, ""), ("hits = 60", 5, ""), (SHOW, 9, "loss 0.900, test accuracy 0.610\n")],  # another machine
        [(SEED, None, ""), ("hits = 60", None, ""), (SHOW, None, "")],
        [(SEED, 3, ""), ("hits = 60", 2, ""), ("print('rows', hits)", 1, "rows 90\n")],
        [("print(hits)", None, "")],  # it never ran
        [("hits = 60", 2, ""), (SHOW, 4, "loss 0.700, test accuracy 0.640\n")],  # no seed
    ],
)
def test_notebooks_that_keep_no_secret(found, cells):
    assert not found(*cells)
