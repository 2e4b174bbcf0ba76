"""The table of contents: every page stands in it, and it names nothing that is not there."""

from pathlib import Path

import pytest

from docs.site.addresses import HOMES
from docs.site.contents import TOUR, contents

ROOT = Path(__file__).resolve().parents[2]


def test_every_page_has_a_line_in_the_tour() -> None:
    listed = {entry.file for section in contents(ROOT) for entry in section.entries}
    pages = {f"docs/{file.name}" for file in (ROOT / "docs").glob("*.md")} - {TOUR}
    assert pages - listed == set(), f"give each of them a line in {TOUR}"
    assert set(HOMES) - {"README.md", TOUR} <= listed
    assert [file for file in listed if not (ROOT / file).exists()] == []


def test_the_contents_go_in_the_order_of_the_rooms() -> None:
    order = [entry.file for section in contents(ROOT) for entry in section.entries]
    rooms = [
        "docs/data.md",
        "docs/by-hand.md",
        "docs/training.md",
        "docs/evaluate.md",
        "docs/doctor.md",
        "docs/class.md",
    ]
    assert [file for file in order if file in rooms] == rooms
    assert len(order) == len(set(order))


def test_sections_and_titles_are_those_of_the_tour(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / TOUR).write_text(
        "# Tour\n\n[not in a section](x.md)\n\n## First\n\n1. [One\n   page](one.md): as [two](two.md#here)\n"
        "```text\n[code](no.md)\n```\n- [again](one.md), [outside](https://example.org), [here](#first)\n\n"
        "## Second\n\n- [`Code` too](../src/a.py)\n"
    )
    assert [(section.caption, list(section.entries)) for section in contents(tmp_path)] == [
        ("First", [("docs/one.md", "One page"), ("docs/two.md", "two")]),
        ("Second", [("src/a.py", "Code too")]),
    ]


@pytest.mark.parametrize("text", ["", "# Tour\n"])
def test_a_tour_without_sections_has_no_contents(tmp_path: Path, text: str) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / TOUR).write_text(text)
    assert contents(tmp_path) == []
