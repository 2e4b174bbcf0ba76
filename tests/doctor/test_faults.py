"""The table of faults: every row is there, and what it names is there too."""

import re
from pathlib import Path

import pytest

from byhand.doctor.checks.table import CHECKS

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "faults.md"
ROWS = {
    int(m["number"]): m["found"]
    for m in re.finditer(
        r"^\| (?P<number>\d+) \| (?P<fault>[^|]+) \| (?P<found>[^|]+) \|$", PAGE.read_text("utf-8"), re.MULTILINE
    )
}
LINK = re.compile(r"\[`(?P<check>[a-z-]+)`\]\((?P<path>[^)]+)\)")
NOTE = re.compile(r"note `(?P<note>[a-z-]+)`")


def test_every_fault_has_its_row_in_order() -> None:
    assert list(ROWS) == list(range(1, 54))
    assert all(LINK.search(found) or NOTE.search(found) for found in ROWS.values())


@pytest.mark.parametrize(
    ("check", "path"), sorted({m.groups() for found in ROWS.values() for m in LINK.finditer(found)})
)
def test_a_check_that_is_named_is_there_with_its_case(check: str, path: str) -> None:
    assert check in CHECKS
    folder = (PAGE.parent / path).resolve()
    assert folder.name == check
    assert (folder / "why.md").is_file()


@pytest.mark.parametrize("note", sorted({m["note"] for found in ROWS.values() for m in NOTE.finditer(found)}))
def test_a_note_that_is_named_is_somewhere_given(note: str) -> None:
    checks = ROOT / "src" / "byhand" / "doctor" / "checks"
    assert any(f'"{note}"' in file.read_text("utf-8") for file in checks.rglob("*.py"))


def test_at_least_48_faults_are_found_by_a_check() -> None:
    assert sum(bool(LINK.search(found)) for found in ROWS.values()) >= 48


def test_every_check_is_in_the_table() -> None:
    named = {m["check"] for found in ROWS.values() for m in LINK.finditer(found)}
    assert set(CHECKS) <= named
