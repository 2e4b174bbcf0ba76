"""The user's own program on the page: what it does, what it prints, what is found, while it runs and at its end."""

import asyncio
import base64
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from byhand.doctor.run.linux import children
from byhand.errors import DataError, UsageError
from byhand.json_text import json_text
from byhand.play.even_curve import EvenCurve
from byhand.play.watch import Watch, open_watch

ROWS = """
import time
import numpy as np
rng = np.random.default_rng(0)
y = rng.integers(0, 3, 300)
x = rng.normal(size=(3, 16))[y] * 2 + rng.normal(size=(300, 16))
"""
# Every prediction against every label, and it goes on for minutes.
BROADCAST = (
    ROWS
    + """
W = np.zeros((16, 3))
for epoch in range({epochs}):
    for i in range(0, 200, 50):
        p = np.exp(x[i:i + 50] @ W)
        p /= p.sum(1, keepdims=True)
        W -= 0.1 * x[i:i + 50].T @ (p - np.eye(3)[y[i:i + 50]]) / 50
    preds = (x[200:] @ W).argmax(1)
    print("accuracy", (preds == y[200:, None]).mean())
    time.sleep(0.01)
print("the end", W.sum())
np.save("W.npy", W)
"""
)
Watching = Callable[..., Watch]


@pytest.fixture
def watching(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watching]:
    """``watching(text)``: a program in a folder of its own, being watched."""
    monkeypatch.chdir(tmp_path)
    opened: list[Watch] = []
    before = set(children())

    def watch(text: str, *arguments: str, file: str = "mine.py") -> Watch:
        (tmp_path / file).write_text(text, "utf-8")
        opened.append(open_watch(Path(file), arguments))
        return opened[-1]

    yield watch
    for one in opened:
        one.close()
    assert set(children()) <= before


def wait(watch: Watch, is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The first state of which something is so."""
    for _ in range(6000):
        state = watch.state()
        if is_so(state):
            return state
        time.sleep(0.02)
    raise AssertionError(f"it never came: {state}")


def over(state: dict[str, Any]) -> bool:
    return state["status"] == "error" or state["fine"] is not None


def checks(state: dict[str, Any]) -> dict[str, str]:
    return {finding["check"]: finding["level"] for finding in state["findings"]}


def test_a_program_is_seen_from_its_start_to_its_end(watching: Watching, tmp_path: Path) -> None:
    watch = watching(BROADCAST.format(epochs=30))
    state = wait(watch, over)
    assert (state["mode"], state["title"], state["status"], state["how"]) == ("watch", "mine.py", "done", "")
    assert state["updates"] == 120
    assert json.loads(json_text(state))["seconds"] > 0
    printed = [float(line.split()[1]) for line in state["printed"].splitlines() if line.startswith("accuracy")]
    assert len(printed) == 30
    series = {one["counted"]: one for one in state["series"] if one["line"] == 15}
    assert series[False]["name"] == "line 15: accuracy"
    assert [value for _, value in series[False]["points"]] == pytest.approx(printed)
    assert [clock for clock, _ in series[True]["points"]] == list(range(4, 124, 4))
    W = np.load(tmp_path / "W.npy")
    [parameter] = state["parameters"]
    assert (parameter["name"], parameter["shape"], parameter["picture"]["shape"]) == ("W", [16, 3], [4, 4])
    assert parameter["norm"] == pytest.approx(np.linalg.norm(W))
    levels = np.frombuffer(base64.b64decode(parameter["picture"]["data"]), np.int8).reshape(3, 16).T
    assert levels * parameter["picture"]["scale"] / 127 == pytest.approx(W, abs=parameter["picture"]["scale"] / 250)
    assert state["measures"][0]["norm"][-1] == (120, parameter["norm"])
    assert checks(state)["broadcast-accuracy"] == "error"
    [finding] = [one for one in state["findings"] if one["check"] == "broadcast-accuracy"]
    assert (finding["file"], finding["line"], finding["so_far"]) == ("mine.py", 15, False)
    assert "y[200:, None].squeeze(1)" in finding["instead"]
    assert state["fine"] > 5
    assert watch.weights() is None


def test_findings_come_while_it_runs_and_it_can_be_stopped(watching: Watching) -> None:
    watch = watching(BROADCAST.format(epochs=100_000))
    state = wait(watch, lambda state: bool(state["findings"]))
    assert state["status"] == "running"
    assert all(finding["so_far"] for finding in state["findings"])
    assert checks(state)["broadcast-accuracy"] == "error"
    assert watch.do({"do": "stop"}) == {"ok": True}
    state = wait(watch, over)
    assert state["status"] == "stopped"
    assert "its training loops were ended" in state["how"]
    assert "the end" in state["printed"]  # what comes after the loops
    assert not any(finding["so_far"] for finding in state["findings"])


def test_one_that_does_not_end_is_ended(watching: Watching) -> None:
    watch = watching("import time\nprint('here', flush=True)\nwhile True:\n    time.sleep(0.01)\n")
    wait(watch, lambda state: "here" in state["printed"])
    watch.do({"do": "stop"})
    watch.do({"do": "stop"})
    state = wait(watch, over)
    assert (state["status"], state["updates"]) == ("stopped", 0)


def test_a_program_that_fails_is_a_report(watching: Watching) -> None:
    state = wait(watching(ROWS + "print('so far')\nprint(x @ y)\n"), lambda state: state["fine"] is not None)
    assert state["status"] == "error"
    assert state["how"].startswith("it stopped with an error at mine.py:8: ValueError: matmul")
    assert state["printed"].startswith("so far\nTraceback")
    assert state["printed"].rstrip().splitlines()[-1].startswith("ValueError: matmul")


@pytest.mark.parametrize(
    "text", ["import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n", "import os\nos.abort()\n"]
)
def test_a_program_that_dies_is_a_report(watching: Watching, text: str) -> None:
    state = wait(watching(text), over)
    assert state["status"] == "error"
    assert "killed by signal" in state["how"]


def test_a_program_that_prints_without_end_and_never_trains(watching: Watching) -> None:
    state = wait(watching("for i in range(100_000):\n    print('line', i, 'value', i / 2)\n"), over)
    assert (state["status"], state["updates"], state["losses"], state["parameters"]) == ("done", 0, [], [])
    assert len(state["printed"]) == 4_000
    assert state["printed"].endswith("line 99999 value 49999.5\n")
    assert len(json_text(state)) < 20_000


def test_what_a_line_is_overwritten_by_is_shown(watching: Watching) -> None:
    bar = "import sys\nfor i in range(50):\n    sys.stdout.write(f'\\r{i} of 50')\nprint()\nprint('done')\n"
    assert wait(watching(bar), over)["printed"] == "49 of 50\ndone\n"


def test_it_runs_anew_from_the_file_as_it_is_now(watching: Watching, tmp_path: Path) -> None:
    watch = watching("import sys\nprint('one', sys.argv[1:])\nwhile True: pass\n", "--fast", "3")
    wait(watch, lambda state: "one ['--fast', '3']" in state["printed"])
    (tmp_path / "mine.py").write_text("print('two')\n")
    assert watch.do({"do": "restart"}) == {"ok": True}
    assert wait(watch, over)["printed"] == "two\n"
    (tmp_path / "mine.py").write_text("print('three'\n")
    watch.do({"do": "restart"})
    state = wait(watch, over)
    assert (state["status"], state["printed"]) == ("error", "")
    assert "mine.py" in state["how"]
    (tmp_path / "mine.py").write_text("print('four')\n")
    watch.do({"do": "restart"})
    assert wait(watch, over)["printed"] == "four\n"


def test_a_notebook_runs_in_its_own_folder(watching: Watching, tmp_path: Path) -> None:
    cells = [ROWS, "import os\nprint(os.path.basename(os.getcwd()))\nx.shape"]
    notebook = {
        "cells": [
            {"cell_type": "code", "source": text, "metadata": {}, "outputs": [], "execution_count": None}
            for text in cells
        ],
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    (tmp_path / "book").mkdir()
    state = wait(watching(json.dumps(notebook), file="book/mine.ipynb"), over)
    assert state["printed"] == "book\n(300, 16)\n"


def test_tabs_are_told_what_is_new(watching: Watching) -> None:
    watch = watching(BROADCAST.format(epochs=100_000))

    async def listen() -> list[tuple[str, dict[str, Any]]]:
        told: list[tuple[str, dict[str, Any]]] = []
        async for text in watch.hub.listen(watch.state):
            if not text.startswith("event: "):
                continue
            event, data = text.split("\n")[:2]
            told.append((event.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
            if told[-1][0] == "findings" and told[-1][1]["findings"]:
                return told
        raise AssertionError("the stream has ended")

    told = asyncio.run(asyncio.wait_for(listen(), 100))
    assert told[0][0] == "state"
    kinds = [event for event, _ in told]
    assert {"state", "watch", "curves", "findings"} == set(kinds)
    assert kinds.count("watch") > 2 * kinds.count("curves") > 4
    updates = [data["updates"] for event, data in told if event == "watch"]
    assert updates == sorted(updates)
    assert all(data["parameters"][0]["picture"] for event, data in told if event == "watch" and data["updates"] > 10)


@pytest.mark.parametrize(
    "command", [{"do": "play"}, {"do": ["stop"]}, {"do": "stop", "now": True}, {"do": "set", "controls": {}}]
)
def test_other_commands_are_refused(watching: Watching, command: dict[str, Any]) -> None:
    watch = watching("print(1)\n")
    with pytest.raises(UsageError, match="stop"):
        watch.do(command)


def test_what_is_no_program_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("print(\n")
    with pytest.raises(DataError, match=r"broken\.py"):
        open_watch(tmp_path / "broken.py")
    with pytest.raises(DataError, match=r"none\.py"):
        open_watch(tmp_path / "none.py")


def test_nothing_is_left_when_it_is_closed(watching: Watching) -> None:
    text = "import os, subprocess, sys, time\n"
    text += "one = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    text += "print(os.getpid(), one.pid, flush=True)\ntime.sleep(600)\n"
    watch = watching(text)
    state = wait(watch, lambda state: state["printed"].endswith("\n"))
    watch.close()
    for process in map(int, state["printed"].split()):
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)
    with pytest.raises(UsageError, match="start it again"):
        watch.do({"do": "restart"})


def test_a_curve_is_bounded_and_keeps_its_ends() -> None:
    curve = EvenCurve(100)
    kept = []
    for clock in range(5_000):
        curve.add(clock, clock / 2)
        kept.append(len(curve.points()))
    points = curve.points()
    assert max(kept) <= 100
    assert min(kept[200:]) >= 45
    assert (points[0], points[-1]) == ((0, 0.0), (4_999, 2_499.5))
    steps = np.diff([clock for clock, _ in points[:-1]])
    assert steps.min() == steps.max() == 64
    still = EvenCurve(10)
    for value in range(1_000):
        still.add(0, value)
    assert still.points() == [(0, 0), (0, 999)]
    assert EvenCurve(10).points() == []
