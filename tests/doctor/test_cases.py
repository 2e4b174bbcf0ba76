"""The cases: what the doctor says of the program that a check catches, and of the one that it leaves alone.

``BYHAND_WRITE_EXPECTED=1 pytest tests/doctor/test_cases.py -m full -k report`` writes each ``expected.txt`` anew.
"""

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, nullcontext
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.causes import UNDER
from byhand.doctor.checks.table import CHECKS
from byhand.doctor.examine import Examination, examine
from byhand.doctor.finding import Finding
from byhand.doctor.run.workshop import Workshop
from byhand.doctor.show.pages import about
from byhand.doctor.show.report import make_report, needed, status
from byhand.doctor.show.terminal import terminal
from byhand.doctor.text.reading import read_program

CASES = Path(str(resources.files("byhand.doctor") / "cases"))
WRITE = bool(os.environ.get("BYHAND_WRITE_EXPECTED"))  # read here: the tests' home hides it
PROVEN = (  # proven and put right in the quick suite too: a metric, data, two kinds of loss, a start, an update
    "argmin-as-prediction",
    "labels-out-of-step",
    "loss-of-wrong-sign",
    "probabilities-into-nll",
    "initial-loss-above-chance",
    "parameter-never-updated",
)
THIRD = [check for i, check in enumerate(CHECKS) if i % 3 == 0]
SEEN = [pytest.param(check, marks=() if check in (*THIRD, *PROVEN) else pytest.mark.full) for check in CHECKS]
QUICK = [pytest.param(check, marks=() if check in PROVEN else pytest.mark.full) for check in CHECKS]
BUDGET = 300.0  # seconds: nothing is left untried on a busy machine
PLACE = r"(?:bad\.py:|cell \d+, line )(\d+)"
TITLE = re.compile(rf"^([a-z-]+)(?: \((warning)\))?   {PLACE}\b", re.MULTILINE)
NOTE = re.compile(rf"^note: ([a-z-]+), {PLACE}:", re.MULTILINE)
NUMBER = re.compile(r"(?<![\w.:])-?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")  # but for the line in bad.py:12
TOLERANCE = 0.02
CHAOTIC = {
    "gradients-never-zeroed": 0.1,
    "learning-rate-too-high": 0.1,
    "log-of-softmax": 0.1,
}  # what it reaches hangs on the last bit, and so on the processor
LEAPT = "loss-summed-not-averaged"  # and so does the class that its model names for every row in the end

SHOPS: dict[tuple[str, ...], Workshop] = {}


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder, and one thread: sums are added up in the same order on every machine."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="module")
def workshops() -> Iterator[ExitStack]:
    """What ends the workshops that several tests use."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def shared(workshops: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """One workshop for all programs that want the same libraries, which take longer to load than most programs run."""

    def shop(preload: Sequence[str]) -> nullcontext[Workshop]:
        if tuple(preload) not in SHOPS:
            SHOPS[tuple(preload)] = workshops.enter_context(Workshop(preload))
            workshops.callback(SHOPS.clear)
        return nullcontext(SHOPS[tuple(preload)])

    monkeypatch.setattr("byhand.doctor.examine.Workshop", shop)


def program(check: str, which: str) -> Path:
    """A case's program: a script, or a notebook."""
    script = CASES / check / f"{which}.py"
    return script if script.exists() else script.with_suffix(".ipynb")


def look(check: str, which: str, **options: Any) -> Examination:
    file = program(check, which)
    shutil.copy(file, file.name)
    return examine(Path(file.name), budget=BUDGET, **options)


def suspected(e: Examination) -> list[Finding]:
    """What the checks say before anything is proven or dropped."""
    return [finding for check in CHECKS.values() for finding in check(Evidence(e.program, e.trace, e.audit))]


def title(check: str) -> tuple[str, str | None, int]:
    """The only finding of ``expected.txt``: its check, its level where that is not error, and its line."""
    text = (CASES / check / "expected.txt").read_text("utf-8")
    noted = [(name, "note", line) for name, line in NOTE.findall(text)]
    [(name, level, line)] = TITLE.findall(text) or noted
    return name, level or None, int(line)


def numbers(text: str) -> list[float]:
    """The numbers of a report, but for how many checks found nothing, which grows with every new check."""
    report = re.sub(r"^fine: \d+ checks", "", text, flags=re.MULTILINE)
    return [float(number.replace(",", "")) for number in NUMBER.findall(report)]


def words(text: str) -> list[str]:
    """The text without its numbers, however its lines are broken."""
    return NUMBER.sub("#", text).split()


def test_every_check_has_its_case_and_every_case_its_check() -> None:
    assert {folder.name for folder in CASES.iterdir()} == set(CHECKS)
    for check in CHECKS:
        files = {file.name for file in (CASES / check).iterdir() if not file.name.startswith("__")}
        end = program(check, "bad").suffix
        assert files == {f"bad{end}", f"good{end}", "why.md", "expected.txt"}, check


@pytest.mark.parametrize("check", CHECKS)
def test_a_page_begins_with_its_name_and_a_sentence_that_says_what_is_wrong(check: str) -> None:
    lines = (CASES / check / "why.md").read_text("utf-8").splitlines()
    assert lines[0] == f"# {check}"
    assert len(lines) <= 40
    assert re.fullmatch(r"[A-Z`].{20,139}\.", about(check))


@pytest.mark.parametrize("check", CHECKS)
def test_a_case_runs_without_byhand(check: str) -> None:
    for which in ("bad", "good"):
        source = "\n".join(unit.code for unit in read_program(program(check, which)).units) + "\n"
        assert "byhand" not in source
        assert 20 <= source.count("\n") <= 60


@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize("check", SEEN)
def test_a_fault_is_seen_at_its_line_and_no_other_is_certain(check: str) -> None:
    e = look(check, "bad", proofs=False)
    assert e.trace.end.how == "done"
    name, _, line = title(check)
    assert name == check
    assert [f.place and f.place.line for f in suspected(e) if f.check == check] == [line]
    certain = {f.check for f in suspected(e) if not f.needs_proof and f.level != "note"}
    assert {other for other in certain if check not in UNDER.get(other, ())} <= {check}


@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize("check", QUICK)
def test_the_program_put_right_raises_no_suspicion(check: str) -> None:
    e = look(check, "good", proofs=False)
    assert e.trace.end.how == "done"
    assert suspected(e) == []
    assert e.findings == ()
    assert e.audit.accuracy is None or e.audit.accuracy.actual > 0.9


@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize("check", QUICK)
def test_the_report_of_a_fault_is_the_expected_one(check: str) -> None:
    e = look(check, "bad", reserve=needed)
    text = terminal(make_report(e, budget=BUDGET)) + "\n"
    file = CASES / check / "expected.txt"
    if WRITE:
        file.write_text(text, "utf-8")
    expected = file.read_text("utf-8")
    if check == LEAPT:
        text, expected = (re.sub(r"rows are called \d+", "rows are called alike", one) for one in (text, expected))
    assert words(text) == words(expected)
    tolerance = CHAOTIC.get(check, TOLERANCE)
    assert numbers(text) == pytest.approx(numbers(expected), abs=tolerance, rel=TOLERANCE)
    name, level, _ = title(check)
    assert (name, status(e)) == (check, 0 if level else 1)
