"""Every system call of a run's saves made to fail, and killed before and after, each once; run as a program.

    python -m tests.crash._calls train|resume some|all

prints as JSON which calls were met and what came of the faults, or stops with an AssertionError. ``train`` is a run of
one epoch of two steps, each saved; ``resume`` is what is left of it after the first step. ``some``: the calls that
change something get one of each kind of fault (write, fsync, close, rename, unlink; EIO, ENOSPC, a short write, killed
before, killed after). ``all``: those that open and read as well, and more errors.
"""

import json
import os
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import kills
from byhand import checkpoint
from tests.crash import _ptrace
from tests.crash._ptrace import Call, Fault

kills.BATCHES = 2
OPTIONS = "--epochs 1 --batch-size 120 --lr 0.3 --momentum 0.9 --save-every 1 --quiet"
ERRORS = {
    "EIO": {"open", "write", "fsync", "close", "rename", "unlink", "chmod", "flock", "mkdir"},
    "ENOSPC": {"open", "write", "fsync", "rename", "mkdir"},
    "EDQUOT": {"write", "fsync"},
    "EROFS": {"open", "rename", "unlink", "mkdir"},
    "short": {"write"},
}


def before(scene: str) -> Callable[[], None]:
    """What the process does first: it asks to be traced when it begins to touch the run's folder."""

    def begin() -> None:
        name = "new_run" if scene == "train" else "held"
        real = getattr(checkpoint, name)

        def traced(*args: Any) -> Any:
            setattr(checkpoint, name, real)
            _ptrace.be_traced()
            return real(*args)

        setattr(checkpoint, name, traced)

    return begin


SOME = {"write", "fsync", "close", "rename", "unlink"}


def faults(calls: list[Call], every: bool) -> list[Fault]:
    """All that is to be done, one at a time."""
    numbered = [
        (at, call)
        for at, call in enumerate(calls)
        if every or (call.name in SOME and (not call.file or call.file.startswith(".") or call.name == "unlink"))
    ]
    found = [Fault(at, what) for what in ("before", "after") for at, _ in numbered]
    for what, names in ERRORS.items():
        if every or what in ("EIO", "ENOSPC", "short"):
            found += [Fault(at, what) for at, call in numbered if call.name in names]
    return found


def plain(call: Call) -> str:
    """A call, without the random part of a temporary file's name."""
    name, _, rest = call.file[1:].rpartition(".tmp")[0].rpartition(".")
    return f"{call.name} {f'.{name}.*.tmp' if rest else call.file}".strip()


def main(scene: str, extent: str) -> dict[str, Any]:
    place = Path(os.path.realpath(tempfile.mkdtemp(prefix="byhand-calls-")))
    try:
        return campaign(place, scene, extent == "all")
    finally:
        os.chdir("/")
        shutil.rmtree(place)


def campaign(place: Path, scene: str, every: bool) -> dict[str, Any]:
    options = f"{kills.prepare(place)} {OPTIONS}"
    half = place / "half"
    begin = before(scene)

    def run(folder: Path, fault: Fault | None, shared: kills.Shared | None) -> tuple[int, list[Call]]:
        words = f"train {options} --out {folder}"
        if scene == "resume":
            shutil.copytree(half, folder)
            words = f"train --resume {folder} --quiet"
        return _ptrace.trace(kills.start(words, shared, begin), folder, fault)

    process = kills.start(f"train {options} --out {place / 'whole'}", None, before("train"))
    status, calls = _ptrace.trace(process, place / "whole")
    assert status == 0, Path("said").read_text()
    whole = kills.content(place / "whole")
    if scene == "resume":  # left before the second step's state has its name, so that there is something to clear, too
        at = [i for i, call in enumerate(calls) if call.name == "rename" and "state" in call.file][2]
        process = kills.start(f"train {options} --out {half}", None, before("train"))
        assert _ptrace.trace(process, half, Fault(at, "before"))[0] == -signal.SIGKILL
        assert len(list(half.glob(".*.tmp"))) == 1
    first = 1 if scene == "resume" else -1  # the step of the last state whose save had returned
    status, calls = run(place / "seen", None, None)
    assert (status, kills.content(place / "seen")) == (0, whole), Path("said").read_text()

    was_left = {file.name for file in half.glob(".*.tmp")} if half.exists() else set()
    met: Counter[str] = Counter()
    for number, fault in enumerate(faults(calls, every)):
        folder, shared = place / f"run{number}", kills.Shared()
        shared.tell(0, first)
        status, seen = run(folder, fault, shared)
        where = f"{fault.what} at call {fault.at}, {plain(calls[fault.at])}"
        said = Path("said").read_text()
        try:
            assert list(map(plain, seen)) == list(map(plain, calls[: len(seen)])), "another run"
            judge(folder, fault, status, said, was_left)
            if folder.exists():
                kills.check(folder, shared.told.step)
            kills.finish(folder, options, whole)
        except AssertionError as error:
            raise AssertionError(f"{where}: {error}; status {status}, {said!r}") from error
        met[f"{fault.what}: {'killed' if status < 0 else f'status {status}'}"] += 1
        if folder.exists():
            shutil.rmtree(folder)
    return {"calls": [plain(call) for call in calls], "met": dict(met)}


def judge(folder: Path, fault: Fault, status: int, said: str, was_left: set[str]) -> None:
    """Whether a process ended as it should under a fault; files of ``was_left`` it found unfinished."""
    if fault.what in ("before", "after"):
        assert status == -signal.SIGKILL
        return
    if fault.what == "short":
        assert (status, said.count("\n")) == (0, 1)
        return
    assert status in (0, 3)
    assert status == 0 or (said.startswith("byhand: ") and said.count("\n") == 1)
    left = {file.name for file in folder.glob(".*.tmp")} if folder.exists() else set()
    assert left <= was_left, left


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
