"""Every system call of a save that fails or is the last one: nothing is lost, and the run ends with the same bits."""

import json
import os
import subprocess
import sys
from itertools import groupby
from pathlib import Path

import pytest

from tests.crash import _ptrace

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif((why := _ptrace.why_not()) is not None, reason=str(why))

SAVE = ["open .{}.*.tmp", "write .{}.*.tmp", "fsync .{}.*.tmp", "close .{}.*.tmp", "chmod .{}.*.tmp",
        "rename .{}.*.tmp", "open", "fsync", "close"]  # fmt: skip


def met(scene: str, extent: str) -> tuple[list[str], dict[str, int]]:
    program = [sys.executable, "-W", "error", "-m", "tests.crash._calls", scene, extent]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = os.environ | {"PYTHONPATH": path}
    done = subprocess.run(program, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    return told["calls"], told["met"]


def check(calls: list[str], faults: dict[str, int]) -> None:
    """A save makes the calls that it should make, in this order, and each was met."""
    once = [call for call, _ in groupby(calls)]  # large tensors are written one by one
    for name in ("run.json", "state.safetensors", "state-2.safetensors", "history.jsonl", "model.safetensors"):
        save = [call.format(name) for call in SAVE]
        assert save in [once[i : i + len(save)] for i in range(len(once))], calls
    assert calls[-4:] == ["unlink state.safetensors", "unlink state-2.safetensors", "unlink .lock", "close .lock"]
    assert calls[:2] == ["open .lock", "flock .lock"] or calls[0].startswith("mkdir")
    assert faults["before: killed"] == faults["after: killed"] > 60
    assert faults["short: status 0"] == sum(call.startswith("write") for call in calls) >= 8
    for name in ("EIO", "ENOSPC"):
        assert faults[f"{name}: status 3"] > 20


def test_each_call_of_a_save_fails_and_is_the_last_once() -> None:
    check(*met("resume", "some"))


@pytest.mark.full
@pytest.mark.parametrize("scene", ["train", "resume"])
def test_every_call_on_the_run_fails_in_every_way_and_is_the_last(scene: str) -> None:
    calls, faults = met(scene, "all")
    check(calls, faults)
    assert faults["before: killed"] == len(calls)
