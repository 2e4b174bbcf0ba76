"""What is written of grades: safe for a spreadsheet, a page and a terminal, whatever a student calls a file."""

import csv
import io
from dataclasses import replace

import pytest

from byhand.classroom.grade import Grade, ungraded
from byhand.classroom.page import render
from byhand.classroom.table import COLUMNS, lines, summary, to_csv

GOOD = Grade(
    "anna", "main.py", passed=True, accuracy=0.95, low=0.93, high=0.964, n=500, rows="test part, all 500", printed=0.95,
    errors=("broadcast-accuracy main.py:28",), warnings=(), suspected=("learning-rate-too-low",),
    first_fix="main.py:28: x", ended="done", ran=True, seconds=3.4,
)  # fmt: skip
BAD = replace(GOOD, name="bob", passed=False, accuracy=0.5, errors=(), suspected=())


def test_columns_and_numbers() -> None:
    header, row, other = csv.reader(io.StringIO(to_csv([GOOD, ungraded("zoe", "zoe.py", "missing package: jax")])))
    assert tuple(header) == COLUMNS
    assert row == [
        "anna", "main.py", "yes", "0.9500", "0.9300", "0.9640", "500", "test part, all 500", "0.9500",
        "broadcast-accuracy main.py:28", "", "learning-rate-too-low", "main.py:28: x", "done", "3",
    ]  # fmt: skip
    assert dict(zip(header, other, strict=True))["ended"] == "missing package: jax"
    assert dict(zip(header, other, strict=True))["accuracy"] == ""


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "=cmd|' /C calc'!A0"])
def test_no_cell_is_a_formula(name: str) -> None:
    text = to_csv([replace(GOOD, name=name, first_fix=name, ended=name, rows=name)])
    _, row = csv.reader(io.StringIO(text))
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row)


def test_a_cell_is_on_one_line() -> None:
    text = to_csv([replace(GOOD, name='a"b,c\n=1', ended="x\x1b[31m\u202e")])
    assert text.count("\n") == 2
    assert text.isascii()
    assert "\x1b" not in text


def test_the_page_runs_and_loads_nothing() -> None:
    page = render([replace(GOOD, name="<script>alert(1)</script>"), ungraded("b", "b.py", "<b>")], 0.9, "d", total=3)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "http" not in page.replace("http-equiv", "")
    assert "1 more are not graded yet" in page
    assert "no sandbox" in page


def test_the_sentence_for_all() -> None:
    broken = ungraded("zoe", "", "no program")
    assert summary([GOOD, GOOD, BAD, broken], 0.9) == "4 submissions: 2 pass at 0.9, 1 does not, 1 could not be run"
    assert summary([GOOD], 0.95) == "1 submission: 1 pass at 0.95, 0 do not"


def test_lines_for_a_terminal() -> None:
    one, two, three = lines([GOOD, BAD, ungraded("z\x1b", "", "it crashed")])
    assert one == "anna   pass  0.950 (0.930 to 0.964) test part, all 500; broadcast-accuracy main.py:28"
    assert two.startswith("bob    no    0.500")
    assert three == "z\\x1b  -     it crashed"
