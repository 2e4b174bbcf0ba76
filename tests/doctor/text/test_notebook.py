"""Notebooks of both formats as programs, and what is said of files that are none."""

import json
from pathlib import Path

import nbformat
import pytest
from nbformat import v3, v4

from byhand.doctor.text.notebook import read_notebook, shows_last
from byhand.doctor.text.program import Unit
from byhand.errors import DataError

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "by_hand.ipynb"


def test_code_cells_in_order_with_their_own_text(tmp_path: Path) -> None:
    cells = [
        v4.new_markdown_cell("# Title"),
        v4.new_code_cell("%matplotlib inline\nx = 1\nx"),
        v4.new_raw_cell("raw"),
        v4.new_code_cell(""),
        v4.new_code_cell("é = 'ü'\n!ls\n"),
    ]
    nbformat.write(v4.new_notebook(cells=cells), tmp_path / "a.ipynb")
    assert read_notebook(tmp_path / "a.ipynb") == (
        Unit("a.ipynb", 1, "%matplotlib inline\nx = 1\nx", "\nx = 1\nx", (1,)),
        Unit("a.ipynb", 2, "", ""),
        Unit("a.ipynb", 3, "é = 'ü'\n!ls\n", "é = 'ü'\n\n", (2,)),
    )


def test_the_old_format(tmp_path: Path) -> None:
    sheet = v3.new_worksheet(
        cells=[v3.new_code_cell("x = 1"), v3.new_text_cell("markdown", "so"), v3.new_code_cell("y")]
    )
    book = v3.new_notebook(worksheets=[sheet, v3.new_worksheet(cells=[v3.new_code_cell("z")])])
    (tmp_path / "old.ipynb").write_text(v3.writes_json(book), "utf-8")
    assert [(unit.cell, unit.code) for unit in read_notebook(tmp_path / "old.ipynb")] == [
        (1, "x = 1"),
        (2, "y"),
        (3, "z"),
    ]


def test_the_example_reads_as_nbformat_reads_it() -> None:
    theirs = [cell.source for cell in nbformat.read(EXAMPLE, as_version=4).cells if cell.cell_type == "code"]
    assert [unit.source for unit in read_notebook(EXAMPLE)] == theirs
    assert all(unit.tree.body for unit in read_notebook(EXAMPLE))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no notebook"),
        ('{"cells": [', "line 1"),
        ("[1, 2]", "no notebook"),
        ('{"metadata": {}}', "no notebook"),
        ('{"cells": [3]}', "no notebook"),
        ('{"cells": 3}', "no notebook"),
        ('{"cells": [{"cell_type": "code", "source": [1]}]}', "no notebook"),
        ('{"cells": [{"cell_type": "code", "source": 1}]}', "no notebook"),
        ('{"cells": [], "metadata": {"kernelspec": {"language": "R"}}}', "in R"),
        ('{"cells": [], "metadata": {"language_info": {"name": "julia"}}}', "in julia"),
        ("[" * 100_000, "no notebook"),
    ],
)
def test_a_file_that_is_no_notebook_of_pythons(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "bad.ipynb").write_text(text, "utf-8")
    with pytest.raises(DataError, match=said) as caught:
        read_notebook(tmp_path / "bad.ipynb")
    assert "\n" not in str(caught.value)
    assert "bad.ipynb" in str(caught.value)


def test_other_encodings(tmp_path: Path) -> None:
    text = json.dumps({"cells": [{"cell_type": "code", "source": ["x = 'é'\n", "y"]}]}, ensure_ascii=False)
    (tmp_path / "bom.ipynb").write_text(text, "utf-8-sig")
    assert read_notebook(tmp_path / "bom.ipynb")[0].code == "x = 'é'\ny"
    (tmp_path / "latin.ipynb").write_text(text, "latin-1")
    with pytest.raises(DataError, match=r"latin\.ipynb is no notebook"):
        read_notebook(tmp_path / "latin.ipynb")


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("x", True),
        ("x;", False),
        ("(x\n)  # ; no", True),
        ("x = 1", False),
        ("", False),
        ("x ; # so\n", False),
        ("'é';", False),
    ],
)
def test_whether_a_value_is_shown(code: str, shown: bool) -> None:
    assert shows_last(Unit("a.ipynb", 1, code, code)) == shown


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"cells": [{"cell_type": "code", "source": "a", "source": "b"}]}', "a field stands there twice"),
        (r'{"cells": [{"cell_type": "code", "source": "a\rb"}]}', "cell 1 has a carriage return within a line"),
        (r'{"cells": [], "metadata": {"kernelspec": {"language": "R\u001b[31m"}}}', r"in R\\x1b"),
        ('{"cells": [' + '{"cell_type": "code"},' * 6000 + "{}]}", "6,000 code cells"),
        (json.dumps({"cells": [{"cell_type": "code", "source": "x" * 5_000_000}]}), "5,000,000 characters"),
        ('{"cells": [' + "1," * 9_000_000 + "1]}", "clear its outputs"),
    ],
)
def test_what_a_notebook_may_not_hold_is_one_line(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "bad.ipynb").write_text(text, "utf-8")
    with pytest.raises(DataError, match=said) as caught:
        read_notebook(tmp_path / "bad.ipynb")
    assert str(caught.value).isprintable()
    assert str(tmp_path) in str(caught.value)
