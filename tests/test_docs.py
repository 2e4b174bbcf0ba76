"""What the README, CONTRIBUTING and docs/ show is executed, in an empty folder and home, and compared with what comes.

    ```python     runs, all blocks of a file one after another in one namespace
    ```text       straight after a python block: what that block prints
    ```console    `$ byhand …` runs, and what follows it is its output, both streams as a terminal shows them
    ```sh         is not run (it installs, or needs a person); a script that it names must exist

A block under `<!-- mnist -->` needs the genuine MNIST files, finds them in $BYHAND_DATA, and is left out without them.

Shown and real output must agree word by word; spaces and empty lines do not count. Numbers may differ as far as another
processor may make them, and no further: a percentage by 0.5 points, any other number with a decimal point by 0.02 or
2 %, a time (`1.23 s`, `4 ms`) and a date by anything, a whole number not at all. `…` stands for any text within a line,
and a line that is only `…` for any number of lines.
"""

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^(?P<mark><!-- mnist -->\n)?```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
DATE = r"\d{4}-\d\d-\d\d(?:-\d+)?"
NUMBER = re.compile(rf"(?P<date>{DATE})|(?P<number>\d+(?:\.\d+)?(?:e[+-]?\d+)?)(?P<unit> ?%| ?m?s\b)?")


class Block(NamedTuple):
    kind: str
    text: str
    line: int
    mnist: bool


def blocks(file: Path) -> list[Block]:
    text = file.read_text("utf-8")
    return [
        Block(m["kind"], m["text"], text.count("\n", 0, m.start("kind")) + 1, bool(m["mark"]))
        for m in FENCE.finditer(text)
    ]


def line_agrees(shown: str, real: str) -> bool:
    pieces, wanted, end = [], [], 0
    for m in NUMBER.finditer(shown):
        pieces += [re.escape(shown[end : m.start()])]
        if m["date"]:
            pieces.append(DATE)
        else:
            wanted.append(m)
            pieces.append(rf"(\d+(?:\.\d+)?(?:e[+-]?\d+)?){re.escape(m['unit'] or '')}")
        end = m.end()
    pattern = "".join([*pieces, re.escape(shown[end:])]).replace("…", ".*?")
    found = re.fullmatch(pattern, real)
    return found is not None and all(map(number_agrees, wanted, found.groups()))


def number_agrees(shown: re.Match[str], real: str) -> bool:
    unit, text = (shown["unit"] or "").strip(), shown["number"]
    if unit in ("s", "ms"):
        return True
    difference = abs(float(text) - float(real))
    if unit == "%":
        return difference <= 0.5
    if "." in text or "e" in text:
        return difference <= max(0.02, 0.02 * abs(float(text)))
    return text == real


def agrees(shown: list[str], real: list[str]) -> bool:
    if not shown:
        return not real
    if shown[0] == "…":
        return any(agrees(shown[1:], real[i:]) for i in range(len(real) + 1))
    return bool(real) and line_agrees(shown[0], real[0]) and agrees(shown[1:], real[1:])


def lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def check_output(shown: str, real: str, where: str) -> None:
    assert agrees(lines(shown), lines(real)), f"{where} shows\n{shown}\nand this came out:\n{real}"


def run_console(block: Block, where: str) -> None:
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        words = shlex.split(command, comments=True)
        assert words[0] == "byhand", f"{where}: a console block runs byhand only: {command}"
        done = subprocess.run(
            [sys.executable, "-m", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            check=False,
        )
        check_output(shown, done.stdout, f"{where} {command}")


def run_python(block: Block, namespace: dict[str, Any], file: Path) -> str:
    code = "\n" * block.line + block.text  # so that a traceback names the file's own line
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(code, str(file), "exec"), namespace)  # noqa: S102
    return out.getvalue()


LONG = [pytest.param(file, marks=pytest.mark.full) if file.parent.name == "docs" else file for file in DOCS]


@pytest.mark.parametrize("file", LONG, ids=[str(file.relative_to(ROOT)) for file in DOCS])
def test_what_is_shown_is_what_comes_out(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    namespace: dict[str, Any] = {"__name__": "__main__"}
    printed: str | None = None
    found = blocks(file)
    if any(block.mnist for block in found):
        try:
            monkeypatch.setenv("BYHAND_DATA", str(request.getfixturevalue("mnist_path")))
        except pytest.skip.Exception:
            found = [block for block in found if not block.mnist]
    for block in found:
        where = f"{file.relative_to(ROOT)}:{block.line}"
        with monkeypatch.context() as patch:
            if not block.mnist:
                patch.delenv("BYHAND_DATA", raising=False)
            if block.kind == "text" and printed is not None:
                check_output(block.text, printed, where)
            printed = run_python(block, namespace, file) if block.kind == "python" else None
            if block.kind == "console":
                run_console(block, where)
        if block.kind == "sh":
            for script in re.findall(r"scripts/\w+", block.text):
                assert os.access(ROOT / script, os.X_OK), f"{where}: {script}"


@pytest.mark.parametrize(
    ("shown", "real", "same"),
    [
        ("accuracy 92.31 %", "accuracy 92.60 %", True),
        ("accuracy 92.31 %", "accuracy 93.00 %", False),
        ("loss 0.2712 in 1.23 s", "loss 0.2799 in 99.01 s", True),
        ("loss 0.2712", "loss 0.3100", False),
        ("60000 images", "60001 images", False),
        ("60000 images", "60000 pictures", False),
        ("runs/2026-11-22-1", "runs/2031-01-02-7", True),
        ("a … z", "a b c z", True),
        ("a … z", "a b c y", False),
        ("one\n…\nfour", "one\ntwo\nthree\nfour", True),
        ("one\nfour", "one\ntwo\nfour", False),
        ("one", "", False),
        ("", "one", False),
    ],
)
def test_the_comparison_itself(shown: str, real: str, same: bool) -> None:
    assert agrees(lines(shown), lines(real)) is same
