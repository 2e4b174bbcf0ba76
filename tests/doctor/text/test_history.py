"""A session's cells as a notebook: numbers that the user sees, and what is not run again."""

from pathlib import Path

import pytest

from byhand.doctor.text.history import alone, as_notebook, session
from byhand.doctor.text.reading import read_program
from byhand.json_text import json_text

ASKS = "%doctor --budget 9"


def kept(*cells: str, raised: dict[int, str] | None = None) -> list[str]:
    return session([*cells, ASKS], raised or {})[0][:-1]


@pytest.mark.parametrize(
    "cell",
    [
        "x = 1",
        "%%time\nx = 1",
        "!pip install x",
        "pip install x",
        "%cd ..\nx = 1",
        "# words",
        "x = '\\d'",
        "await f()",
        ">>> x = 1",
    ],
)
def test_a_cell_that_ran_is_run_again_as_it_was(cell: str) -> None:
    assert session([cell, ASKS], {}) == ([cell, ""], [])


@pytest.mark.parametrize(
    "cell",
    [
        "%load_ext byhand",
        "load_ext byhand",
        ASKS,
        "%doctor",
        "doctor",
        "doctor --no-prove",
        "%%doctor\nx = 1",
        "",
        "  ",
    ],
)
def test_the_doctors_own_cells_are_not(cell: str) -> None:
    assert session([cell, ASKS], {}) == (["", ""], [])


def test_lines_of_the_doctors_own_leave_their_cell_where_it_is() -> None:
    assert kept("import os\n%load_ext byhand\nx = 1\n%doctor --no-prove\ny = 2") == ["import os\n\nx = 1\n\ny = 2"]
    assert kept("doctor = 3\nprint(doctor)") == ["doctor = 3\nprint(doctor)"]


def test_of_the_cell_that_asks_what_stands_above_is_run() -> None:
    assert session(["a = 1", "b = 2\n%doctor\nc = 3"], {}) == (["a = 1", "b = 2"], [])
    assert session(["for i in x:\n    %doctor"], {}) == ([""], [])
    assert session(["a = 1"], {}) == (["a = 1"], [])  # asked from elsewhere


def test_what_failed_is_left_out_and_said() -> None:
    cells, notes = session(
        ["a = 1", "1 / 0", "if if", "while 1: pass", "  ", ASKS],
        {2: "ZeroDivisionError", 4: "KeyboardInterrupt", 5: "X"},
    )
    assert cells == ["a = 1", "", "", "while 1: pass", "", ""]
    assert notes == [
        "cell 2 was left out: it raised ZeroDivisionError in the session",
        "cell 3 was left out: it is no Python",
        "cell 4 was interrupted in the session, and runs on here",
    ]


def test_a_cell_alone_keeps_its_number_and_its_lines(tmp_path: Path) -> None:
    cells = alone(["a = 1", "1 / 0", "\n%%doctor --no-prove\nx = 1\ny = 2\n"], "x = 1\ny = 2\n")
    assert cells == ["", "", "\n\nx = 1\ny = 2\n"]
    file = tmp_path / "session.ipynb"
    file.write_text(json_text(as_notebook(cells)))
    program = read_program(file, home=Path("elsewhere"))
    assert [unit.cell for unit in program.units if unit.tree.body] == [3]
    assert program.units[2].tree.body[0].lineno == 3
    assert (program.folder, program.stored("session.ipynb")) == (Path("elsewhere"), file)
    assert program.stored("model.py") == Path("elsewhere/model.py")
