"""``byhand doctor FOLDER --class``: the table, the page, one object, one line, and what the command line refuses."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

Call = Callable[..., Any]

PROGRAM = """\
import os
import numpy as np

with np.load(os.environ["BYHAND_DATA"] + "/digits.npz") as data:
    x, y = data["x_train"].reshape(-1, 64) / 16, data["y_train"]
    t, truth = data["x_test"].reshape(-1, 64) / 16, data["y_test"]
W = np.zeros((64, 10))
for epoch in range(EPOCHS):
    p = np.exp(x @ W)
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(len(x)), y] -= 1
    W -= 1.0 * x.T @ p / len(x)
print("accuracy", np.mean((t @ W).argmax(axis=1) == truth))
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    images, labels = load_digits(return_X_y=True)
    images, labels = images.reshape(-1, 8, 8).astype(np.uint8), labels.astype(np.uint8)
    order = np.random.default_rng(0).permutation(len(labels))
    x, y = images[order], labels[order]
    Path("data").mkdir()
    np.savez("data/digits.npz", x_train=x[:1297], y_train=y[:1297], x_test=x[1297:], y_test=y[1297:])
    Path("all").mkdir()
    Path("all/bob.py").write_text(PROGRAM.replace("EPOCHS", "1"))
    Path("all/anna").mkdir()
    Path("all/anna/main.py").write_text(PROGRAM.replace("EPOCHS", "200"))
    Path("all/=zoe.py").write_text("x = 1\nx.y\n")
    return tmp_path


def test_a_table_and_a_sentence(start: Call, place: Path) -> None:
    done = start("doctor", "all", "--class", "--data", "data", "-o", "grades.csv", "--budget", "60")
    assert done.status == 1
    told = done.out.splitlines()
    assert told[0] == "programs run with your rights, within limits: this is no sandbox against an attacker"
    assert told[1] == "=zoe  -     error at =zoe.py:2: AttributeError: 'int' object has no attribute 'y'"
    assert told[2].startswith("anna  pass  0.9")
    assert told[3].startswith("bob   no    0.")
    assert told[4:] == ["3 submissions: 1 pass at 0.9, 1 does not, 1 could not be run", "grades: grades.csv"]
    assert len(done.err.splitlines()) == 3
    with open("grades.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["name"], row["passed"]) for row in rows] == [("'=zoe", "no"), ("anna", "yes"), ("bob", "no")]
    assert sorted(file.name for file in place.iterdir()) == ["all", "data", "grades.csv"]


def test_a_page_one_object_and_one_line(call: Call, place: Path) -> None:
    Path("all/=zoe.py").unlink()
    Path("all/bob.py").unlink()
    common = ("doctor", "all", "--class", "--data", "data", "--min-accuracy", "0.85")
    done = call(*common, "--json", "-o", "grades.html")
    assert (done.status, done.err) == (0, "")
    said = json.loads(done.out)
    assert said["schema"] == "byhand.doctor/1"
    assert (said["passed"], said["not_run"], said["min_accuracy"], said["test"]) == (1, 0, 0.85, 500)
    (grade,) = said["submissions"]
    assert (grade["name"], grade["file"], grade["passed"], grade["n"]) == ("anna", "main.py", True, 500)
    assert grade["low"] < grade["accuracy"] < grade["high"]
    assert "anna" in Path("grades.html").read_text("utf-8")
    assert call(*common, "--quiet").out == "1 submission: 1 pass at 0.85, 0 do not\n"


@pytest.mark.parametrize(
    ("args", "status", "said"),
    [
        (("all", "--class"), 2, "--class needs --data FOLDER"),
        (("--class", "--data", "data"), 2, "--class grades a folder"),
        (("all/bob.py", "--class", "--data", "data"), 2, "--class grades a folder"),
        (("all", "--class", "--data", "data", "--min-accuracy", "90"), 2, "give a fraction between 0 and 1"),
        (("all", "--class", "--data", "data", "-o", "grades.txt"), 2, "end in .csv or .html"),
        (("all", "--class", "--data", "data", "--budget", "0"), 2, "give seconds above 0"),
        (("all", "--class", "--data", "data", "--diff"), 2, "leave out --class"),
        (("all", "--class", "--data", "data", "-o", "no/grades.csv"), 3, "there is no folder no"),
        (("all", "--class", "--data", "nowhere"), 3, "there is no nowhere"),
        (("data", "--class", "--data", "data"), 3, "holds no submission"),
        (("nowhere", "--class", "--data", "data"), 3, "nowhere: No such file"),
        (("all/bob.py", "--min-accuracy", "0.9"), 2, "add --class"),
        (("all",), 2, "add --class to grade all"),
    ],
)
def test_what_cannot_be_meant_is_one_line(
    call: Call, place: Path, args: tuple[str, ...], status: int, said: str
) -> None:
    assert said in call("doctor", *args).error(status)
