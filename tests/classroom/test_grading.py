"""Real submissions, graded: what they reached, on which rows, and that none of them stops or fools the grading."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from byhand.classroom.grade import Grade
from byhand.classroom.grading import grade_all
from byhand.classroom.rows import Known
from byhand.classroom.submissions import find_submissions
from byhand.classroom.task import FENCE

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="what only Linux offers")
Grading = Callable[..., dict[str, Grade]]


@pytest.fixture
def grade(tmp_path: Path, class_data: Path, known: Known, programs: Path) -> Grading:
    """``grade("abel.py", own="print(1)")``: submissions of the benchmark, and others by their text, by name."""

    def run(*names: str, budget: float = 60.0, mark: float = 0.9, **texts: str) -> dict[str, Grade]:
        folder = tmp_path / "submissions"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name in names:
            copy = shutil.copytree if (programs / name).is_dir() else shutil.copyfile
            copy(programs / name, folder / name)
        for name, text in texts.items():
            (folder / f"{name}.py").write_text(text)
        found, _ = find_submissions(folder)
        grades = grade_all(found, class_data, known, mark=mark, budget=budget)
        assert [one.name for one in grades] == [one.name for one in found]
        return {one.name: one for one in grades}

    return run


@pytest.fixture(autouse=True)
def nothing_is_left(class_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Neither a process nor a file, and the data are as they were."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    before = {file.name: file.read_bytes() for file in class_data.iterdir()}
    yield
    assert list(temporary.iterdir()) == []
    assert {file.name: file.read_bytes() for file in class_data.iterdir()} == before
    assert marked(str(temporary)) == []


def marked(text: str) -> list[int]:
    """The processes whose environment holds a text."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if text.encode() in (place / "environ").read_bytes() and int(place.name) != os.getpid():
                found.append(int(place.name))
        except OSError:
            continue
    return found


def test_good_programs_of_every_style_pass(grade: Grading) -> None:
    grades = grade("cantor.py", "dido.ipynb", "fermat")
    for one in grades.values():
        assert (one.passed, one.rows, one.n, one.ended, one.ran) == (True, "test part, all 500", 500, "done", True)
        assert one.accuracy
        assert one.printed == pytest.approx(one.accuracy, abs=0.001)
        assert one.low
        assert one.high
        assert 0.9 < one.low < one.accuracy < one.high < 1
        assert not one.errors
        assert one.first_fix == ""
    assert grades["fermat"].file == "train.py"


def test_what_it_prints_is_not_what_counts(grade: Grading) -> None:
    grades = grade("quine.py", "hypatia.py")
    fake, low = grades["quine"], grades["hypatia"]
    assert (fake.passed, fake.printed) == (False, 0.99)
    assert fake.accuracy == pytest.approx(0.68, abs=0.05)
    assert low.passed
    assert low.printed == pytest.approx(0.1, abs=0.02)
    assert low.errors == ("broadcast-accuracy hypatia.py:38",)
    assert low.first_fix.startswith("hypatia.py:38: print(")


def test_only_rows_of_the_test_part_that_it_has_not_learnt_from_pass(grade: Grading) -> None:
    grades = grade("mersenne.py", "noether.py", "pascal.py", "ohm.py")
    assert {name: (one.passed, one.rows) for name, one in grades.items()} == {
        "mersenne": (False, "training part, 1,297 of 1,297, which it had learnt from"),
        "noether": (False, "training part, 297 of 1,297"),
        "ohm": (True, "test part, 100 of 500"),
        "pascal": (False, "test part, all 500, but it had learnt from all of them"),
    }
    assert all(one.accuracy and one.accuracy > 0.9 for one in grades.values())
    assert "test part" in grades["noether"].first_fix


LABELS = """
import os
from pathlib import Path
import numpy as np

def read(name):
    raw = (Path(os.environ["BYHAND_DATA"]) / name).read_bytes()
    shape = np.frombuffer(raw, ">i4", raw[3], 4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(shape)

x, y = read("train-images-idx3-ubyte").reshape(-1, 64) / 16.0, read("train-labels-idx1-ubyte")
t, truth = read("t10k-images-idx3-ubyte").reshape(-1, 64) / 16.0, read("t10k-labels-idx1-ubyte")
CHANGE
W = np.zeros((64, int(y.max()) + 1))
for epoch in range(40):
    for rows in np.array_split(np.random.default_rng(epoch).permutation(len(x)), 26):
        p = np.exp(x[rows] @ W)
        p /= p.sum(axis=1, keepdims=True)
        p[np.arange(len(rows)), y[rows]] -= 1
        W -= 0.3 * x[rows].T @ p / len(rows)
print("accuracy", np.mean((t @ W).argmax(axis=1) == truth))
"""


def test_labels_are_the_instructors_under_any_names(grade: Grading) -> None:
    grades = grade(
        plain=LABELS.replace("CHANGE", ""),
        renamed=LABELS.replace("CHANGE", "y, truth = 9 - y, 9 - truth"),
        cheat=LABELS.replace("CHANGE", "")
        .replace("(40)", "(1)")
        .replace("0.3 *", "0.001 *")
        .replace("print(", "truth = (t @ W).argmax(axis=1)\nprint("),
        twice=LABELS.replace("CHANGE", "t, truth = np.concatenate([t, t[:9]]), np.concatenate([truth, truth[:9]])"),
    )
    assert grades["renamed"].accuracy == pytest.approx(grades["plain"].accuracy, abs=0.01)
    assert grades["renamed"].passed
    assert grades["cheat"].printed == 1.0
    assert not grades["cheat"].passed
    assert grades["cheat"].accuracy
    assert grades["cheat"].accuracy < 0.9
    assert grades["cheat"].rows.endswith("of its labels are not those of the data)")
    assert (grades["twice"].n, grades["twice"].accuracy) == (500, grades["plain"].accuracy)


@pytest.mark.full
@LINUX
def test_programs_that_cannot_be_run_say_why(grade: Grading) -> None:
    grades = grade(
        "archimedes.py", "brahe.py", "curie", "darwin", "stokes.py", "turing.py", "ulam.py", "vieta.py", "weyl.py",
        dies="import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n",
        leaves="import sys\nsys.exit('no time')\n",
        asks="while True:\n    input('more? ')\n",
    )  # fmt: skip
    assert {name: one.ended for name, one in grades.items()} == {
        "archimedes": "it wrote or printed more than 256 MiB at archimedes.py:5",
        "asks": "error at asks.py:2: EOFError: nobody types here",
        "brahe": "error at brahe.py:12: PermissionError: [Errno 1] Operation not permitted",
        "curie": "which program is meant? first.py, second.py: name one main.py",
        "darwin": "no .py or .ipynb file in it",
        "dies": "killed by signal 11 (SIGSEGV)",
        "leaves": "ended itself with sys.exit('no time'): no time",
        "stokes": "out of memory at stokes.py:5: it may use 4 GiB",
        "turing": f"killed: more than {FENCE.processes} processes",
        "ulam": "error at ulam.py:23: AttributeError: 'Tensor' object has no attribute 'shap'",
        "vieta": "vieta.py, line 23: this is no Python 3 (expected ':'); mend it and run it once yourself",
        "weyl": "missing package: tensorflow",
    }
    assert not any(one.ran or one.passed for one in grades.values())


@LINUX
def test_memory_of_several_processes_counts_together(grade: Grading) -> None:
    text = (
        "import os, time\nfor _ in range(3):\n    if os.fork() == 0:\n        break\n"
        "kept = bytearray(b'x') * (1500 << 20)\ntime.sleep(600)\n"
    )
    assert grade(hoard=text)["hoard"].ended == "killed: more than 4 GiB of memory"


@pytest.mark.full
def test_a_run_that_does_not_end_has_no_accuracy(grade: Grading) -> None:
    endless = LABELS.replace("CHANGE", "").replace("range(40)", "range(10**9)")
    grades = grade("riemann.py", budget=6.0, endless=endless, deaf=DEAF)
    for one in grades.values():
        assert (one.ended, one.ran, one.passed, one.accuracy) == ("not done in 6 s", False, False, None)


DEAF = """
import time
while True:
    try:
        while True:
            time.sleep(0.1)
    except BaseException:
        pass
"""


def test_what_it_writes_and_removes_is_its_own(grade: Grading, tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("mine")
    text = f"""
import os, subprocess, tempfile
for act in (lambda: open({str(outside)!r}, "w"), lambda: os.remove({str(outside)!r})):
    try:
        act()
    except OSError as error:
        print(error)
subprocess.run(["sh", "-c", "echo 1 > {outside}"])
open("kept.txt", "w").write("here")
open("../beside.txt", "w").write("here")
tempfile.NamedTemporaryFile(delete=False).write(b"there")
"""
    grades = grade("zeno.py", "gauss.py", writer=text)
    assert outside.read_text() == "mine"
    assert grades["writer"].ended == "done"
    assert grades["zeno"].passed
    assert grades["zeno"].ended == "done"
    assert grades["gauss"].passed


def test_the_network_is_closed_to_it(grade: Grading) -> None:
    text = """
import socket
try:
    socket.create_connection(("192.0.2.1", 80), timeout=2)
except OSError as error:
    raise SystemExit(f"no: {error}")
"""
    assert "no: [Errno 101]" in grade(caller=text)["caller"].ended


@pytest.mark.full
def test_one_grades_the_same_twice_while_another_runs_beside_it(grade: Grading) -> None:
    names = ("abel.py", "cantor.py", "ibsen.py", "ulam.py")
    once, again = grade(*names), grade(*names)
    for name, one in once.items():
        assert replace(one, seconds=0) == replace(again[name], seconds=0)


@LINUX
def test_a_grading_that_is_killed_keeps_what_it_has_and_leaves_no_process(
    class_data: Path, programs: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "submissions"
    folder.mkdir()
    shutil.copyfile(programs / "vieta.py", folder / "a.py")
    (folder / "z.py").write_text("import time\ntime.sleep(600)\n")
    out, place = tmp_path / "grades.csv", tmp_path / "killed"
    place.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "byhand", "doctor", str(folder), "--class", "--data", str(class_data), "-o", str(out)],
        env={**os.environ, "TMPDIR": str(place)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + 60
    while not out.exists() and time.monotonic() < until:
        time.sleep(0.1)
    time.sleep(2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    while (marked(str(place)) or list(place.iterdir())) and time.monotonic() < until + 30:
        time.sleep(0.1)
    assert marked(str(place)) == []
    assert list(place.iterdir()) == []
    assert [line.split(",")[0] for line in out.read_text().splitlines()] == ["name", "a"]
