"""The report as HTML in a notebook, of a session that has no file: what stands in it, and that it obeys nobody."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from byhand.doctor.audit.audit import Audit
from byhand.doctor.examine import Examination
from byhand.doctor.finding import Effect, Finding
from byhand.doctor.place import Place
from byhand.doctor.show.fragment import fragment
from byhand.doctor.show.report import Report
from byhand.doctor.show.terminal import terminal
from byhand.doctor.text.edits import insert_line, replace
from byhand.doctor.text.history import as_notebook
from byhand.doctor.text.patch import cell_changes
from byhand.doctor.text.program import Program
from byhand.doctor.text.reading import read_program
from byhand.doctor.trace import End, SourceFile, Trace
from byhand.doctor.trial.prove import Proven

CELLS = ["", "rate = 0.1\n# <script>alert(1)</script>\nfor x in y:\n    step(rate)\n", "go(rate)"]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    file = tmp_path / "session.ipynb"
    file.write_text(json.dumps(as_notebook(CELLS)))
    return read_program(file, home=tmp_path)


def report(program: Program, *, saw: str = "it is <b>slow</b>\x1b[31m") -> Report:
    place = Place("session.ipynb", 1, 7, 1, 10, 2)
    edits = (replace(place, "0.5"),)
    found = (
        Finding("learning-rate-too-low", "error", place, saw, "so & so", "rate = 0.5\nor so", "experiment",
                Effect("accuracy", 0.7, 0.9, steps=100), (edits,)),
        Finding("raw-pixel-range", "warning", Place("session.ipynb", 1, 0, 1, 8, 3), "s", "so", "i"),
        Finding("update-through-data", "note", place, "noted", "so", "i"),
    )  # fmt: skip
    trace = Trace(
        End("done", 1.0),
        "",
        seeded=True,
        notes=("cell 1 was left out",),
        files=(SourceFile("session.ipynb", 2, ((4, 4),)),),
    )
    proven = Proven(found, 0.9, "accuracy", edits, 100, shortened=False, runs=2, left=())
    e = Examination(program, trace, Audit((), None, (), (), None), proven, ("loss-not-finite",), ignored=0, seconds=3.0)
    return Report(e, (), None, None, (cell_changes(program, edits), "", ""), cell_changes(program, edits), 3.0)


class Balanced(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_it_is_plain_html_that_needs_nothing_from_elsewhere(program: Program) -> None:
    html = fragment(report(program))
    parser = Balanced()
    parser.feed(html)
    assert parser.open == []
    assert parser.seen <= {"div", "p", "b", "i", "br", "small", "pre", "code", "details", "summary"}
    assert parser.attributes == {"style"}
    assert not re.search(r"url\(|https?:|<script|<style", html)
    assert "it is &lt;b&gt;slow&lt;/b&gt;\\x1b[31m" in html
    assert "# &lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_it_says_what_the_terminal_says(program: Program) -> None:
    one = report(program, saw="it is slow")
    text = re.sub(r"<[^>]*>", "", fragment(one)).replace("&amp;", "&")
    for words in (
        "1 error, 1 warning", "cell 2, line 1: learning-rate-too-low",
        "proven by trying the fix; with it 0.700, without 0.900",
        "saw it is slow", "so & so", "instead rate = 0.5", "or so", "  1  rate = 0.1", "-rate = 0.1\n+rate = 0.5",
        "Fixed: 0.900", "Not examined: cell 2, line 4 (never ran)", "Note: cell 1 was left out",
        "Note: update-through-data, cell 2, line 1: noted; i", "cell 3, line 1: raw-pixel-range",
    ):  # fmt: skip
        assert words in text, words
    assert "\nfixed: 0.900\n" in terminal(one), "a session has no file to patch"


def test_the_changes_of_cells_are_told_by_cell(program: Program) -> None:
    added = insert_line(program, Place("session.ipynb", 1, 0, 1, 2, 3), "stop()")
    assert added
    assert cell_changes(program, [replace(Place("session.ipynb", 4, 9, 4, 13, 2), "1"), added]) == (
        "# cell 2\n for x in y:\n-    step(rate)\n+    step(1)\n# cell 3\n go(rate)\n+stop()\n"
    )
    assert cell_changes(program, []) == ""
