"""SARIF: what the standard and code hosts ask of a log, and that every region is the text that it speaks of."""

import json
import re
import urllib.parse
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from byhand.doctor.audit.audit import Audit
from byhand.doctor.checks.table import CHECKS
from byhand.doctor.examine import Examination
from byhand.doctor.finding import Effect, Finding
from byhand.doctor.place import Place
from byhand.doctor.show import sarif
from byhand.doctor.show.report import make_report
from byhand.doctor.text.edits import insert_line, replace, wrap
from byhand.doctor.text.program import Program
from byhand.doctor.text.reading import read_program
from byhand.doctor.trace import End, SourceFile, Trace
from byhand.doctor.trial.prove import Proven

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SOURCE = 'title = "größe 𝟙𝟚"; hits = preds == yb  # {0}\nprint(hits)\n'
CELLS = ["import os\n", 'title = "größe 𝟙𝟚"\nif title:\n\thits = preds == yb  # "é"\n\tprint(hits)', "%time print(1)"]
LEVELS = {"none", "note", "warning", "error"}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "my programs").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def script(text: str = SOURCE, newline: str = "\n") -> Program:
    file = Path("my programs/größe 1.py")
    file.write_text(text, "utf-8", newline=newline)
    return read_program(file)


def notebook(*, form: str = "list", ascii_only: bool = False, indent: int | None = 1) -> Program:
    def source(text: str) -> str | list[str]:
        return text if form == "string" else text.splitlines(keepends=True)

    cells: list[dict[str, Any]] = [{"cell_type": "markdown", "metadata": {}, "source": source("# preds == yb")}]
    code = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
    cells += [{**code, "source": source(text)} for text in CELLS]
    whole = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    file = Path("my programs/my.ipynb")
    file.write_text(json.dumps(whole, indent=indent, ensure_ascii=ascii_only), "utf-8")
    return read_program(file)


def at(program: Program, text: str) -> Place:
    unit = next(unit for unit in program.units if text in unit.code)
    before = unit.code[: unit.code.index(text)]
    line, column = before.count("\n") + 1, len(before.rpartition("\n")[2])
    return Place(unit.file, line, column, line, column + len(text), unit.cell)


def log(program: Program, *findings: Finding, end: End | None = None) -> dict[str, Any]:
    files = tuple(SourceFile(unit.file, unit.cell, ((2, 2),)) for unit in program.units)
    trace = Trace(end or End("done", 1.0), "", seeded=True, notes=("a {0} note",), files=files)
    proven = Proven(findings, None, None, (), None, shortened=False, runs=0, left=())
    e = Examination(program, trace, Audit((), None, (), (), None), proven, (), ignored=0, seconds=60.0)
    told = sarif.log(make_report(e), NOW)
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    check_the_log(told)
    return told["runs"][0]


def compared(program: Program) -> Finding:
    place = at(program, "preds == yb")
    return Finding(
        "broadcast-accuracy", "error", place, "preds [9] == yb [9, 1], self.layers[0](x) {0}", "it is wrong",
        "a {x} b\nc", "arithmetic", Effect("printed accuracy", 0.1, 0.9), (wrap(place, "", ".squeeze(1)"),),
    )  # fmt: skip


def everything(one: object) -> Iterator[dict[str, Any]]:
    if isinstance(one, dict):
        yield one
        for value in one.values():
            yield from everything(value)
    elif isinstance(one, list):
        for value in one:
            yield from everything(value)


def check_the_log(told: dict[str, Any]) -> None:
    """What the standard's schema and a code host's rules ask of what is used here."""
    assert told["version"] == "2.1.0"
    assert told["$schema"].endswith("sarif-2.1.0.json")
    (run,) = told["runs"]
    assert run.keys() <= {
        "tool", "automationDetails", "invocations", "originalUriBaseIds", "artifacts", "results", "columnKind",
        "language",
    }  # fmt: skip
    assert run["columnKind"] == "utf16CodeUnits"
    driver = run["tool"]["driver"]
    assert driver["name"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", driver["semanticVersion"])
    ids = [rule["id"] for rule in driver["rules"]]
    assert len(set(ids)) == len(ids)
    assert set(CHECKS) <= set(ids)
    for rule in driver["rules"]:
        assert 0 < len(rule["shortDescription"]["text"]) <= 1024
        assert 0 < len(rule["fullDescription"]["text"]) <= 1024
        assert rule["help"]["text"]
        assert rule["properties"]["tags"]
        assert rule["defaultConfiguration"]["level"] in LEVELS
    (invocation,) = run["invocations"]
    assert isinstance(invocation["executionSuccessful"], bool)
    for when in (invocation["startTimeUtc"], invocation["endTimeUtc"]):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", when)
    for one in invocation["toolExecutionNotifications"]:
        assert one["level"] in LEVELS
        assert one["message"]["text"]
    for result in run["results"]:
        assert result["level"] in LEVELS
        assert ids[result["ruleIndex"]] == result["ruleId"]
        assert result["message"]["text"]
        assert len(result["locations"]) == 1
        assert list(result["partialFingerprints"]) == ["primaryLocationLineHash"]
    for one in everything(told):
        if "uri" in one and one.get("uriBaseId"):
            assert one["uriBaseId"] == "%SRCROOT%"
            assert not re.search(r"[^\w.~%/-]|^/", one["uri"], re.ASCII)
            assert Path(urllib.parse.unquote(one["uri"])).is_file()
        if "startLine" in one:
            assert text_of(one) is not None
        if "physicalLocation" in one:
            assert cut(one["physicalLocation"]) is not None


def text_of(region: dict[str, Any]) -> tuple[int, ...]:
    points = tuple(region[name] for name in ("startLine", "startColumn", "endLine", "endColumn"))
    assert all(isinstance(point, int) and point >= 1 for point in points)
    assert points[:2] <= points[2:]
    return points


def cut(physical: dict[str, Any]) -> str:
    """The text that a region covers, counted as an editor counts it."""
    file = Path(urllib.parse.unquote(physical["artifactLocation"]["uri"]))
    return covered(file.read_bytes().decode("utf-8"), physical["region"])


def covered(text: str, region: dict[str, Any]) -> str:
    rows = [row.encode("utf-16-le") for row in re.split(r"(?<=\n)", text)]
    line, column, end_line, end_column = text_of(region)
    assert end_line <= len(rows)
    assert column <= len(rows[line - 1]) // 2 + 1
    assert end_column <= len(rows[end_line - 1]) // 2 + 1
    rows = rows[line - 1 : end_line]
    rows[-1] = rows[-1][: 2 * (end_column - 1)]
    rows[0] = rows[0][2 * (column - 1) :]
    return b"".join(rows).decode("utf-16-le")


def repaired(result: dict[str, Any]) -> str:
    """The file with a result's fix made, by its regions alone."""
    (change,) = result["fixes"][0]["artifactChanges"]
    text = Path(urllib.parse.unquote(change["artifactLocation"]["uri"])).read_bytes().decode("utf-8")
    for one in reversed(change["replacements"]):
        region = one["deletedRegion"]
        start = {**region, "startLine": 1, "startColumn": 1, "endLine": region["startLine"]}
        before = covered(text, {**start, "endColumn": region["startColumn"]})
        text = before + one["insertedContent"]["text"] + text[len(before) + len(covered(text, region)) :]
    return text


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_finding_of_a_script_is_shown_at_its_columns_with_its_fix(newline: str) -> None:
    it = script(newline=newline)
    (result,) = log(it, compared(it))["results"]
    (location,) = result["locations"]
    assert location["physicalLocation"]["artifactLocation"] == {
        "uri": "my%20programs/gr%C3%B6%C3%9Fe%201.py", "uriBaseId": "%SRCROOT%",
    }  # fmt: skip
    assert cut(location["physicalLocation"]) == "preds == yb"
    assert location["physicalLocation"]["region"]["startColumn"] == 30, "two letters are two UTF-16 units each"
    assert repaired(result) == SOURCE.replace("== yb", "== yb.squeeze(1)").replace("\n", newline)
    assert result["properties"] == {"proof": "arithmetic", "effect": "printed 0.100, true 0.900"}
    assert result["message"]["text"].split("\n") == [
        r"preds [9] == yb [9, 1], self.layers\[0\](x) {{0}}.",
        "it is wrong.",
        "printed 0.100, true 0.900.",
        "Instead: a {x} b",
        "Instead: c",
    ]


@pytest.mark.parametrize("form", ["list", "string"])
@pytest.mark.parametrize("ascii_only", [False, True])
@pytest.mark.parametrize("indent", [1, None])
def test_a_finding_of_a_notebook_is_in_the_file_and_names_its_cell(
    form: str, ascii_only: bool, indent: int | None
) -> None:
    it = notebook(form=form, ascii_only=ascii_only, indent=indent)
    one = compared(it)
    title, printed = at(it, '"größe 𝟙𝟚"'), at(it, "print(1)")
    added = insert_line(it, at(it, "hits = preds"), "go()")
    assert added
    two = Finding("raw-pixel-range", "warning", title, "s", "so", "i", edits=((replace(title, '"é"'), added),))
    three = Finding("update-through-data", "note", printed, "s", "so", "i")
    run = log(it, one, two, three)
    texts = [cut(result["locations"][0]["physicalLocation"]) for result in run["results"]]
    assert [json.loads(f'"{text}"') if ascii_only else text.replace("\\", "") for text in texts] == [
        "preds == yb",
        '\\"größe 𝟙𝟚\\"'.replace("\\", ""),
        "print(1)",
    ]
    assert run["results"][0]["message"]["text"].startswith("cell 2, line 3: preds")
    (logical,) = run["results"][0]["locations"][0]["logicalLocations"]
    assert (logical["name"], logical["fullyQualifiedName"]) == ("cell 2", "my.ipynb, cell 2, line 3")
    (first, second) = (json.loads(repaired(result))["cells"][2]["source"] for result in run["results"][:2])
    assert "".join(first) == CELLS[1].replace("== yb", "== yb.squeeze(1)")
    assert "".join(second) == CELLS[1].replace('"größe 𝟙𝟚"', '"é"').replace('"é"\n\tp', '"é"\n\tgo()\n\tp')
    assert run["artifacts"][0]["location"]["uri"] == "my%20programs/my.ipynb"


def test_a_fingerprint_stays_when_lines_move_and_tells_twins_apart() -> None:
    def prints(text: str, count: int = 1) -> list[str]:
        it = script(text)
        results = log(it, *[compared(it)] * count)["results"]
        return [one["partialFingerprints"]["primaryLocationLineHash"] for one in results]

    (usual,) = prints(SOURCE)
    assert re.fullmatch(r"[0-9a-f]{16}:1", usual)
    assert prints("import os\n\n" + SOURCE) == [usual]
    assert prints(SOURCE.replace("hits =", "all_hits =")) != [usual]
    assert prints(SOURCE, 2) == [usual, usual.replace(":1", ":2")]


def test_a_consequence_names_its_cause_and_a_note_that_follows_is_left_to_it() -> None:
    it = script()
    place = at(it, "print(hits)")
    run = log(
        it,
        compared(it),
        Finding("learning-rate-too-low", "warning", place, "slow", "so", "i", under="broadcast-accuracy"),
        Finding("stopped-while-learning", "note", place, "s", "so", "i", under="broadcast-accuracy"),
        Finding("unknown-place", "note", None, "s", "so", "i"),
    )
    assert [one["ruleId"] for one in run["results"]] == ["broadcast-accuracy", "learning-rate-too-low", "unknown-place"]
    follows = run["results"][1]
    assert "it follows from broadcast-accuracy." in follows["message"]["text"]
    (cause,) = follows["relatedLocations"]
    assert cut(cause["physicalLocation"]) == "preds == yb"
    assert run["results"][2]["locations"][0]["physicalLocation"]["region"]["startLine"] == 1
    assert run["tool"]["driver"]["rules"][-1]["id"] == "unknown-place"


@pytest.mark.parametrize(
    ("end", "well", "status"),
    [
        (End("done", 1.0), True, 0),
        (End("shortened", 1.0, epochs=(2, 3)), True, 0),
        (End("error", 1.0, "KeyError: 'x'"), False, 1),
    ],
)
def test_how_it_ended_and_what_was_not_seen_are_told(end: End, well: bool, status: int) -> None:
    (invocation,) = log(script(), end=end)["invocations"]
    assert (invocation["executionSuccessful"], invocation["exitCode"]) == (well, status)
    assert invocation["endTimeUtc"] == "2026-01-02T03:04:05.000Z"
    assert "2026-01-02T03:03:0" in invocation["startTimeUtc"]
    said = [(one["level"], one["message"]["text"]) for one in invocation["toolExecutionNotifications"]]
    assert said[-2:] == [("note", "a {{0}} note"), ("note", "not examined: line 2 (never ran)")]
    if end.how == "error":
        assert said[0] == ("error", "it stopped with an error: KeyError: 'x'")


def test_paths_are_the_repositorys(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(here / "my programs")
    assert log_of_cwd() == "gr%C3%B6%C3%9Fe%201.py"
    (here / ".git").mkdir()
    script_there = read_program(here / "my programs" / "größe 1.py")
    monkeypatch.chdir(here)
    assert log(script_there)["artifacts"][0]["location"]["uri"] == "my%20programs/gr%C3%B6%C3%9Fe%201.py"


def log_of_cwd() -> str:
    file = Path("größe 1.py")
    file.write_text(SOURCE, "utf-8")
    run = log(read_program(file))
    assert run["automationDetails"]["id"] == "byhand-doctor/gr%C3%B6%C3%9Fe%201.py/"
    return str(run["artifacts"][0]["location"]["uri"])


def test_a_file_that_has_changed_since_keeps_its_line_and_offers_no_fix() -> None:
    it = script()
    one = compared(it)
    one_place = one.place
    assert one_place
    report_of = Finding("broadcast-accuracy", "error", one_place, "s", "so", "i", edits=one.edits)
    Path("my programs/größe 1.py").write_text("x = 1\n" * 3)
    files = (SourceFile("größe 1.py", None, ()),)
    trace = Trace(End("done", 1.0), "", seeded=True, notes=(), files=files)
    proven = Proven((report_of,), None, None, (), None, shortened=False, runs=0, left=())
    e = Examination(it, trace, Audit((), None, (), (), None), proven, (), ignored=0, seconds=1.0)
    from byhand.doctor.show.report import Report

    (run,) = sarif.log(Report(e, (), None, None, ("",), "", 1.0), NOW)["runs"]
    (result,) = run["results"]
    assert "fixes" not in result
    assert result["locations"][0]["physicalLocation"]["region"]["startLine"] == 1


def test_it_is_written_as_ascii() -> None:
    it = script()
    trace = Trace(End("done", 1.0), "", seeded=True, notes=(), files=())
    proven = Proven((compared(it),), None, None, (), None, shortened=False, runs=0, left=())
    e = Examination(it, trace, Audit((), None, (), (), None), proven, (), ignored=0, seconds=1.0)
    sarif.write(make_report(e), Path("findings.sarif"))
    data = Path("findings.sarif").read_bytes()
    assert data.isascii()
    assert data.endswith(b"}\n")
    check_the_log(json.loads(data))
