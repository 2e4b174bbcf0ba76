"""``byhand doctor``: real programs, what is said of them, the patch, and one line where it cannot go on."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]

PROGRAM = """\
import torch
from sklearn.datasets import load_digits

torch.manual_seed(0)
digits = load_digits()
x = torch.tensor(digits.data / 16, dtype=torch.float32)
y = torch.tensor(digits.target).unsqueeze(1)
w = torch.zeros(64, 10, requires_grad=True)

for epoch in range(10):
    for i in range(0, 1400, 50):
        loss = torch.nn.functional.cross_entropy(x[i : i + 50] @ w, y[i : i + 50, 0])
        loss.backward()
        with torch.no_grad():
            w -= 0.5 * w.grad
            w.grad.zero_()
with torch.no_grad():
    preds = (x[1400:] @ w).argmax(dim=1)
print("accuracy", (preds == y[1400:]).float().mean().item())
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    Path("mine.py").write_text(PROGRAM)
    return Path("mine.py")


def test_a_fault_is_reported_written_as_a_page_and_status_1(start: Call, program: Path) -> None:
    done = start("doctor", program, "--no-prove", "-o", "report.html")
    assert done.status == 1
    assert done.err == "running mine.py as it is ...\n"
    assert "\nbroadcast-accuracy   mine.py:19 " in done.out
    assert "\n  saw      preds [397] == y[1400:] [397, 1] gives [397, 397]" in done.out
    assert "the patch: byhand doctor mine.py --diff\n" in done.out
    assert done.out.endswith("report: report.html\n")
    assert "\x1b" not in done.out
    assert "broadcast-accuracy" in Path("report.html").read_text("utf-8")
    assert sorted(file.name for file in Path().iterdir()) == ["mine.py", "report.html"]


def test_the_report_for_code_hosts_has_the_finding_at_its_line(start: Call, program: Path) -> None:
    done = start("doctor", program, "--no-prove", "--quiet", "-o", "findings.sarif")
    assert (done.status, done.out) == (1, "1 error: broadcast-accuracy mine.py:19\n")
    (run,) = json.loads(Path("findings.sarif").read_text())["runs"]
    (result,) = [one for one in run["results"] if one["level"] != "note"]
    assert result["locations"][0]["physicalLocation"]["region"]["startLine"] == 19
    assert result["fixes"][0]["artifactChanges"][0]["replacements"][0]["insertedContent"] == {"text": ".squeeze(1)"}


def test_json_is_one_object_and_the_patch_is_what_git_takes(call: Call, program: Path) -> None:
    done = call("doctor", program, "--no-prove", "--json")
    assert (done.status, done.err) == (1, "")
    said = json.loads(done.out)
    assert said["schema"] == "byhand.doctor/1"
    (finding,) = [one for one in said["findings"] if one["level"] != "note"]
    assert (finding["check"], finding["line"], finding["proof"]) == ("broadcast-accuracy", 19, "arithmetic")
    assert said["accuracy"]["n"] == 397
    assert said["accuracy"]["actual"] > 0.8 > said["accuracy"]["printed"]
    assert said["ceiling"] > 0.9
    assert said["not_examined"] == []

    patch = call("doctor", program, "--no-prove", "--diff")
    assert patch.status == 1
    assert patch.out == finding["diff"]
    git = shutil.which("git")
    assert git
    Path("fix.patch").write_text(patch.out)
    subprocess.run([git, "apply", "fix.patch"], check=True)
    assert "== y[1400:].squeeze(1)" in program.read_text()
    assert call("doctor", program, "--no-prove", "--quiet").out == "no error, no warning\n"


def test_arguments_are_the_programs_and_its_crash_is_reported(call: Call, program: Path) -> None:
    program.write_text("import sys\nsys.argv.remove('--deep')\nprint(int(sys.argv[1]))\n")
    done = call("doctor", program, "--", "--deep", "x7")
    assert done.status == 1
    assert "it stopped with an error at mine.py:3: ValueError: invalid literal for int()" in done.out
    assert "no model was trained or judged in this run" in done.out
    assert "fine" not in done.out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import nopackage", "mine.py:1 needs the package nopackage"),
        ("open('no.txt')", "mine.py:1 needs the file 'no.txt'"),
    ],
)
def test_what_the_program_lacks_is_one_line(call: Call, program: Path, text: str, words: str) -> None:
    program.write_text(text)
    assert words in call("doctor", program).error(3)


def test_nothing_to_patch_is_said_aside(call: Call, program: Path) -> None:
    program.write_text("print(1)\n")
    done = call("doctor", program, "--diff")
    assert (done.status, done.out) == (0, "")
    assert done.err.endswith("nothing to patch: no finding has a fix that stands\n")


def test_a_command_line_that_cannot_be_meant_is_one_line(call: Call, program: Path) -> None:
    assert "name a script or a notebook" in call("doctor").error(2)
    assert "is a folder; name a script or a notebook in it, like mine.py" in call("doctor", ".").error(2)
    assert "--budget" in call("doctor", program, "--budget", "0").error(2)
    wrong = call("doctor", program, "-o", "report.txt").error(2)
    assert all(ending in wrong for ending in (".html", ".htm", ".sarif"))
    assert "no folder" in call("doctor", program, "-o", "none/report.html").error(3)
    assert "there is no file none.py" in call("doctor", "none.py").error(3)


def test_the_list_names_every_check_in_a_line_of_its_page(call: Call) -> None:
    done = call("doctor", "--list")
    assert done.status == 0
    assert "class-sorted-batches " in done.out
    checks = json.loads(call("doctor", "--list", "--json").out)["checks"]
    assert len(checks) >= 30
    assert all(one["about"].endswith(".") for one in checks)


def test_explain_shows_a_checks_page_and_its_programs(call: Call) -> None:
    done = call("explain", "class-sorted-batches")
    assert done.status == 0
    assert done.out.startswith("class-sorted-batches\n\nThe training rows come class after class")
    assert "+train_loader = DataLoader(train_set, batch_size=32, shuffle=True)" in done.out
    said = json.loads(call("explain", "class-sorted-batches", "--json").out)
    assert said == {"schema": "byhand.explain/1", "check": "class-sorted-batches", "text": said["text"]}
    assert said["text"].startswith("# class-sorted-batches\n")
    assert "do you mean broadcast-" in call("explain", "broadcast-acc").error(2)
