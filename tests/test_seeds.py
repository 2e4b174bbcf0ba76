"""The list of the founding texts' parts names places and tests that exist."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "seeds.md").read_text("utf-8")


def test_every_part_has_a_place_and_a_test_that_exists() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= 20
    for row in rows:
        _, _, _, shown, _ = re.split(r"(?<!\\)\|", row)
        tests = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", shown)
        assert tests, row
        for file, name in tests:
            tree = ast.parse((ROOT / file).read_text("utf-8"))
            functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
            assert name in functions if name else functions, f"{file}::{name}"


def test_every_linked_file_exists() -> None:
    links = re.findall(r"\]\((\.\./[^)]+)\)", PAGE)
    assert links
    for link in links:
        assert (ROOT / "docs" / link).exists(), link
