"""``%doctor``: in real kernels, by what their notebooks hold when they are saved, and its line of options."""

import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

from byhand.commands import magic
from byhand.errors import DataError, UsageError

START = "%load_ext byhand\nimport torch\nfrom helper import rows"
LOOP = """\
for epoch in range(10):
    for i in range(0, 1400, 50):
        loss = torch.nn.functional.cross_entropy(x[i : i + 50] @ w, y[i : i + 50, 0])
        loss.backward()
        with torch.no_grad():
            w -= 0.5 * w.grad
            w.grad.zero_()"""
CELLS = [
    START,
    "%%time\ntorch.manual_seed(0)\nx, y = rows('digits.txt')\nw = torch.zeros(64, 10, requires_grad=True)",
    "x.nothing",
    LOOP,
    "!true\nwith torch.no_grad():\n    preds = (x[1400:] @ w).argmax(dim=1)\n"
    "print('accuracy', (preds == y[1400:]).float().mean().item())",
    "state = w.sum().item()\ndel preds, rows\nimport os\nos.chdir('/')",
    "%doctor --no-prove -o report.html",
    "print(state == w.sum().item(), 'preds' in globals(), os.getcwd(), torch.is_grad_enabled())",
    "%%doctor --no-prove\nimport numpy as np\n1 / 0",
    "print('np' in globals())",
]
HELPER = """\
import torch
from sklearn.datasets import load_digits

def rows(file):
    assert open(file).read() == "16"
    digits = load_digits()
    return torch.tensor(digits.data / 16, dtype=torch.float32), torch.tensor(digits.target).unsqueeze(1)
"""


def execute(folder: Path, cells: list[str]) -> list[NotebookNode]:
    """The cells of a notebook after it was run in a kernel of its own, saved, and opened again."""
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = NotebookClient(made, timeout=300, allow_errors=True, resources={"metadata": {"path": str(folder)}})
    text = nbformat.writes(client.execute())
    done = nbformat.reads(text, as_version=4)
    nbformat.validate(done)
    return done.cells


def printed(cell: NotebookNode) -> str:
    return "".join(output.get("text", "") for output in cell.outputs)


def answer(cell: NotebookNode) -> tuple[str, str]:
    """What the magic left below its cell: as text and as HTML."""
    (output,) = cell.outputs
    assert output.output_type == "display_data"
    assert set(output.data) == {"text/html", "text/plain"}
    assert not re.search(r"<script|<style|https?:|url\(", output.data["text/html"])
    return output.data["text/plain"], output.data["text/html"]


def test_a_session_is_examined_beside_it_and_the_answer_is_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")  # the session's own import leaves nothing in its folder
    (tmp_path / "helper.py").write_text(HELPER)
    (tmp_path / "digits.txt").write_text("16")
    cells = execute(tmp_path, CELLS)
    text, html = answer(cells[6])
    assert "\nbroadcast-accuracy   cell 5, line 4 " in text
    assert "preds [397] == y[1400:] [397, 1] gives [397, 397]" in " ".join(text.split())
    assert "note: cell 3 was left out: it raised AttributeError in the session" in text
    assert "--diff" not in text
    assert "<b>cell 5, line 4</b>: <b>broadcast-accuracy</b>" in html
    assert "+print(&#39;accuracy&#39;, (preds == y[1400:].squeeze(1))" in html
    assert printed(cells[7]) == "True False / True\n", "the session is as it was"
    assert "# cell 5" in (tmp_path / "report.html").read_text()

    text, html = answer(cells[8])
    assert "it stopped with an error at cell 9, line 3: ZeroDivisionError: division by zero" in text
    assert "no model was trained or judged in this run" in text
    assert printed(cells[9]) == "False\n", "a cell that is examined alone is not run"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["digits.txt", "helper.py", "report.html"]


def test_a_session_with_nothing_to_examine_and_what_is_asked_wrongly(tmp_path: Path) -> None:
    cells = execute(
        tmp_path,
        ["%load_ext byhand", "%doctor", "import math", "name = input('name? ') if False else ''", "%doctor --no-prove",
         "%doctor --fast", "%doctor -o none/report.html", "%doctor --help", "%reload_ext byhand\n%doctor -h"],
    )  # fmt: skip
    assert "no cell has been run in this session yet" in printed(cells[1])
    assert "no model was trained or judged in this run: there was nothing to examine" in answer(cells[4])[0]
    assert printed(cells[5]) == "UsageError: byhand: %doctor knows no --fast; %doctor --help names its options\n"
    assert "there is no folder for none/report.html" in printed(cells[6])
    assert printed(cells[7]) == printed(cells[8]) == magic.HELP + "\n"


def test_a_terminal_shows_the_same_as_text(tmp_path: Path) -> None:
    code = (
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        "for cell in ['%load_ext byhand', 'import math', '1 / 0', 'answer = input()', '%doctor --no-prove']:\n"
        "    shell.run_cell(cell, store_history=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, input="", capture_output=True, text=True, check=True
    )
    assert "there was nothing to examine\n" in done.stdout
    assert "note: cell 3 was left out: it raised ZeroDivisionError in the session\n" in done.stdout
    assert "note: cell 4 was left out: it raised EOFError in the session\n" in done.stdout
    assert done.stderr == "running session.ipynb as it is ...\n"


# The line of options.


def test_options_are_the_commands() -> None:
    usual = {"budget": 60.0, "proofs": True, "out": None, "width": 100}
    assert magic.options("") == usual
    assert magic.options("--budget 30 --no-prove") == {**usual, "budget": 30.0, "proofs": False}
    assert magic.options("--budget=5 -o 'my page.html'  # now") == {**usual, "budget": 5.0, "out": "my page.html"}
    assert magic.options("--no-prove --help") is None


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--budget", "--budget : give seconds"),
        ("--budget x", "--budget x: give seconds"),
        ("--budget -1", "--budget -1: give seconds"),
        ("--budget nan", "--budget nan: give seconds"),
        ("-o report.txt", "-o report.txt: the report is a page"),
        ("my_script.py", "knows no my_script.py"),
        ("'", "quotation"),
    ],
)
def test_options_that_cannot_be_meant_are_one_line(line: str, words: str) -> None:
    with pytest.raises(UsageError, match=re.escape(words)):
        magic.options(line)


# The process beside.


def request(folder: Path, *cells: str) -> dict[str, Any]:
    return {**(magic.options("--budget 20 --no-prove") or {}), "cells": [*cells, "%doctor"], "raised": {}, "body": None,
            "folder": str(folder)}  # fmt: skip


def test_it_tells_its_progress_and_answers_in_text_and_html(tmp_path: Path) -> None:
    said: list[str] = []
    told = magic._answer(request(tmp_path, "answer = input('?')\nprint(answer)"), said.append)
    assert said == ["running session.ipynb as it is ..."]
    assert "note: input() was answered with an empty line" in told["text"]
    assert list(told) == ["html", "text"]
    assert list(tmp_path.iterdir()) == []


def test_what_the_doctor_explains_is_passed_on_and_a_fault_of_its_own_is_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError, match="no cell has been run"):
        magic._answer(request(tmp_path), print)
    monkeypatch.setattr(magic, "_MODULE", "byhand.nothing")
    with pytest.raises(DataError, match=r"ended without an answer: .*No module named"):
        magic._answer(request(tmp_path, "x = 1"), lambda line: None)


def test_an_interruption_ends_the_process_beside(tmp_path: Path) -> None:
    def interrupt(line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        magic._answer(request(tmp_path, "while True:\n    pass"), interrupt)
    running = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(tmp_path) not in running
    assert list(tmp_path.iterdir()) == []


def test_failures_are_kept_where_ipython_keeps_them_and_where_not() -> None:
    history = SimpleNamespace(input_hist_raw=["", "a", "b"], exceptions={2: {"ename": "KeyError"}})
    shell = SimpleNamespace(history_manager=history)
    assert magic._history(shell, {1: "ValueError"}) == {
        "cells": ["a", "b"], "raised": {1: "ValueError", 2: "KeyError"},
    }  # fmt: skip
    del history.exceptions
    assert json.loads(json.dumps(magic._history(shell, {})["raised"])) == {}
