"""The pages of the doctor's checks: made from the cases, all of them, with the right lines marked."""

import re
from pathlib import Path

import pytest

from byhand.doctor.checks.table import CHECKS
from docs.site.addresses import CASES, Addresses
from docs.site.checks import Program, index, kinds, named_line, new_lines, page, read

ROOT = Path(__file__).resolve().parents[2]
CASE = ROOT / CASES


@pytest.fixture(scope="module")
def addresses() -> Addresses:
    return Addresses(ROOT, CHECKS)


def marked(text: str) -> list[list[int]]:
    """The marked lines of each program on a page."""
    numbers = re.findall(r"^````\{code-block\} python\n(?::emphasize-lines: ([\d,]+))?", text, re.MULTILINE)
    return [[int(number) for number in line.split(",")] if line else [] for line in numbers]


def test_the_table_of_the_docs_names_every_check_once() -> None:
    named = [check for kind in kinds(ROOT) for check in kind.checks]
    assert sorted(named) == sorted(CHECKS)


@pytest.mark.parametrize("check", CHECKS)
def test_a_page_holds_its_case(check: str, addresses: Addresses) -> None:
    text = page(check, addresses)
    bad, good = read(CASE / check, "bad"), read(CASE / check, "good")
    assert text.startswith(f"# {check}\n")
    for part in (bad.text, good.text, (CASE / check / "expected.txt").read_text("utf-8")):
        assert part.rstrip() in text
    in_bad, in_good = marked(text)
    assert len(in_bad) == 1
    assert bad.text.splitlines()[in_bad[0] - 1].strip()
    assert all(good.text.splitlines()[number - 1].strip() for number in in_good)
    assert in_good


def test_the_line_of_the_report_is_marked() -> None:
    bad = read(CASE / "broadcast-accuracy", "bad")
    line = named_line("broadcast-accuracy", (CASE / "broadcast-accuracy" / "expected.txt").read_text("utf-8"), bad)
    assert bad.text.splitlines()[(line or 0) - 1] == "    return (preds == yb).float().mean()"


def test_the_line_of_a_cell_is_marked() -> None:
    bad = Program("bad.ipynb", "# cell 1\na\n\n# cell 2\nb\nc\n", (2, 5))
    assert named_line("x", "x (warning)   cell 2, line 2\n", bad) == 6
    assert named_line("x", "note: x, cell 1, line 1: words\n", bad) == 2
    assert named_line("x", "xy   bad.py:3\nnothing of it\n", bad) is None


def test_a_notebook_is_read_cell_by_cell() -> None:
    bad = read(CASE / "hidden-notebook-state", "bad")
    lines = bad.text.splitlines()
    assert [lines[start - 2].partition(",")[0] for start in bad.starts] == [
        "# cell 1",
        "# cell 2",
        "# cell 3",
        "# cell 4",
        "# cell 5",
    ]
    assert "# cell 2, run as [3]" in lines
    assert lines[bad.starts[0] - 1] == "import torch"


def test_lines_that_are_new_are_found() -> None:
    bad, good = Program("bad.py", "a\nb\nc\n", ()), Program("good.py", "a\nx\n\nc\ny\n", ())
    assert new_lines(bad, good) == [2, 5]
    assert new_lines(bad, bad) == []
    said = Program("good.py", '"""Other\nwords."""\na\nb\nc\nd\n', ())
    assert new_lines(bad, said) == [6]


def test_the_index_goes_by_kind(addresses: Addresses) -> None:
    table = kinds(ROOT)
    text = index(table, addresses)
    assert f": {len(CHECKS)} checks." in text
    assert re.findall(r"^\| \[`([a-z-]+)`\]", text, re.MULTILINE) == [check for kind in table for check in kind.checks]
    assert re.findall(r"^## (.+)$", text, re.MULTILINE)[:3] == ["The metric", "The data", "The loss"]
