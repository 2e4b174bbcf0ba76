"""A full disk, a folder that is gone or closed, data that change, a clock set back, a second process: one line each."""

import ctypes
import errno
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from byhand import checkpoint, locks
from tests.crash.conftest import STATES, Place, files

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and permissions")
BYHAND = [sys.executable, "-W", "error", "-m", "byhand"]


def line(said: str) -> str:
    assert said.startswith("byhand: ")
    assert said.endswith("\n")
    assert said[:-1].isprintable()
    return said[:-1]


@POSIX
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_stopped_after_any_state_it_ends_file_for_file_as_if_it_had_not_been(place: Place, number: int) -> None:
    for state in range(1, STATES):
        place.at_state(state, lambda: os.kill(os.getpid(), number))
        status, said = place.train(f"run{state}")
        assert (status, "byhand train --resume run" in line(said)) == (130, True)
        assert json.loads(Path(f"run{state}/run.json").read_text())["status"] == "interrupted"
        place.finish(f"run{state}")


@POSIX
def test_a_second_signal_ends_it_at_once_and_nothing_is_lost(place: Place) -> None:
    def twice() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)

    place.at_state(5, twice)
    assert place.train()[0] == 130
    state, damaged = checkpoint.read_state("run")
    assert state is not None
    assert (state.epochs * 4 + state.step, damaged) == (4, [])  # and no later one
    place.finish()


def test_a_run_that_is_over_has_nothing_to_be_taken_up_and_keeps_no_state(place: Place) -> None:
    shutil.copytree("whole", "run")
    for name in ("state.safetensors", "state-2.safetensors", ".lock", ".run.json.abc.tmp"):  # killed before it left
        Path("run", name).touch()
    status, said = place.call("train --resume run")
    assert (status, line(said)) == (2, "byhand: run is finished; there is nothing to take up")
    assert files("run") == place.whole


def interrupt() -> None:
    raise KeyboardInterrupt


def test_a_damaged_state_is_named_and_the_one_before_is_used(place: Place) -> None:
    place.at_state(7, interrupt)
    assert place.train()[0] == 130
    newest = Path("run/state.safetensors")
    whole = newest.read_bytes()
    newest.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    shutil.copytree("run", "both")
    status, said = place.call("train --resume run --quiet")
    told = r"byhand: run/state.safetensors is damaged: the checksum of"
    assert (status, line(said).startswith(told), said.count("\n")) == (0, True, 1)
    assert line(said).endswith("the state before it is used")
    assert files("run") == place.whole

    Path("both/state-2.safetensors").write_bytes(b"nothing")
    status, said = place.call("train --resume both --quiet")
    assert (status, said.count("\n")) == (3, 1)
    assert line(said).startswith("byhand: no state of both can be taken up: both/state.safetensors is damaged: ")
    assert "both/state-2.safetensors" in said


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a megabyte, mounted."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root on Linux may mount a small disk")
    folder, libc = tmp_path / "disk", ctypes.CDLL(None, use_errno=True)
    folder.mkdir()
    if libc.mount(b"none", bytes(folder), b"tmpfs", 0, b"size=1m"):
        pytest.skip(f"no small disk may be mounted here: {os.strerror(ctypes.get_errno())}")
    yield folder
    libc.umount2(bytes(folder), 2)  # when it is no longer in use


@pytest.mark.parametrize("left", [0, 1, 2])
def test_a_disk_that_is_full_stops_it_and_it_goes_on_when_there_is_room(
    place: Place, small_disk: Path, left: int
) -> None:
    """``left`` pages: nothing can be written, or some of what is to be."""
    filler = small_disk / "filler"

    def fill() -> None:
        with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            all(map(file.write, itertools.repeat(bytes(4096))))
        os.truncate(filler, max(0, filler.stat().st_size - 4096 * left))

    run = small_disk / "run"
    place.at_state(6, fill)
    status, said = place.train(str(run))
    assert status == 3
    assert "No space left on device; choose another folder or make room; then byhand train --resume " in line(said)
    state, damaged = checkpoint.read_state(run)
    assert state is not None
    assert (state.epochs * 4 + state.step >= 5, damaged) == (True, [])
    assert not list(run.glob(".*"))
    filler.unlink()
    place.finish(str(run))


def test_a_folder_that_is_deleted_meanwhile_is_one_line(place: Place) -> None:
    place.at_state(6, lambda: shutil.rmtree("run"))
    status, said = place.train()
    assert (status, "cannot write run/" in line(said), "--resume" in said) == (3, True, False)
    assert not Path("run").exists()


SCENES = r"""
import os, resource, signal, sys, tempfile
from pathlib import Path
from benchmarks import kills
from byhand import checkpoint

place = Path(os.path.realpath(sys.argv[1]))
data = kills.prepare(place)
options = f"{data} --lr 0.3 --hidden 9 --save-every 1 {kills.COMMON}"
assert kills.wait(kills.start(f"train {options} --out {place}/whole")) == 0
whole = kills.content(place / "whole")

def at_state(number, act):
    write_state = checkpoint.write_state
    def writing(folder, state):
        nonlocal number
        write_state(folder, state)
        number -= 1
        if number == 0:
            act(folder)
    checkpoint.write_state = writing

def no_more_than(folder):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048))

def close(folder):
    os.chmod(folder, 0o555)

def nobody():
    for name in ("said", "home", "home/decoded", "run-closed"):
        os.chown(place / name, 65534, 65534) if (place / name).exists() else None
    os.setgid(65534)
    os.setuid(65534)

os.chmod(place, 0o777)
for name, first, act in (("large", lambda: None, no_more_than), ("closed", nobody, close)):
    run = place / f"run-{name}"
    status = kills.wait(kills.start(f"train {options} --out {run}", None, lambda: (first(), at_state(6, act))))
    said = Path("said").read_text()
    left = sorted(file.name for file in run.glob(".*"))
    kills.check(run, 5)
    print(name, status, left, said, end="")
    if name == "closed":
        status = kills.wait(kills.start(f"train --resume {run} --quiet", None, nobody))
        print(name, status, left, Path("said").read_text(), end="")
        os.chmod(run, 0o755)
    kills.finish(run, options, whole)
"""


@POSIX
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become somebody else")
def test_a_folder_that_may_not_be_written_to_and_a_file_too_large_are_one_line(place: Place, tmp_path: Path) -> None:
    root = str(Path(__file__).resolve().parents[2])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}
    scene = tmp_path.parent / f"{tmp_path.name}-scene"  # below folders that anybody may pass
    scene.mkdir()
    scene.chmod(0o777)
    for folder in scene.parents:  # pytest's own, one more where its tests run side by side
        if folder.stat().st_mode & 0o005 != 0o005:
            folder.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", SCENES, scene], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    large, closed, again = [text for text in done.stdout.splitlines() if text.startswith(("large", "closed"))]
    advice = f"choose another folder or make room; then byhand train --resume {scene}"
    assert large.startswith("large 3 [] byhand: cannot write ")
    assert f"File too large; {advice}" in large
    assert closed.startswith("closed 3 [")
    assert f"Permission denied; {advice}" in closed
    assert again.startswith("closed 3 [")
    assert "Permission denied; choose another folder" in again


def test_data_that_are_deleted_meanwhile_are_no_matter_until_it_is_taken_up(
    place: Place, home: Path, tmp_path: Path
) -> None:
    def delete() -> None:
        Path("data.npz").rename(tmp_path / "kept.npz")
        shutil.rmtree(home / "byhand", ignore_errors=True)  # and what was decoded of them

    place.at_state(3, delete)
    assert place.train() == (0, "")
    assert files("run") == place.whole
    Path("kept.npz").rename("data.npz")
    place.at_state(3, lambda: [delete(), interrupt()])
    assert place.train("left")[0] == 130
    status, said = place.call("train --resume left")
    assert (status, line(said).startswith("byhand: data.npz: no such file")) == (3, True), said
    Path("kept.npz").rename("data.npz")
    place.finish("left")


def test_data_that_change_meanwhile_are_no_matter_until_it_is_taken_up(place: Place) -> None:
    before = Path("data.npz").read_bytes()

    def change() -> None:
        with np.load("data.npz") as old:
            images, labels = old["x_train"].copy(), old["y_train"]
        images[7, 0, 0] ^= 1
        np.savez("data.npz", x_train=images, y_train=labels)

    place.at_state(3, change)
    assert place.train() == (0, "")
    assert files("run") == place.whole
    Path("data.npz").write_bytes(before)
    place.at_state(3, lambda: [change(), interrupt()])
    assert place.train("left")[0] == 130
    status, said = place.call("train --resume left --quiet")
    told = "byhand: data.npz has changed since left was begun; bring the old data back, or train anew"
    assert (status, line(said)) == (3, told)
    Path("data.npz").write_bytes(before)
    place.finish("left")


def test_a_clock_that_is_set_back_changes_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 2e9

    def back() -> float:
        nonlocal now
        now -= 1000.0
        return now

    monkeypatch.setattr(time, "time", back)
    monkeypatch.setattr(time, "time_ns", lambda: int(back() * 1e9))
    place.at_state(5, interrupt)
    assert place.train()[0] == 130
    states = [Path("run", name) for name in ("state.safetensors", "state-2.safetensors")]
    for order in (1, -1):
        for i, file in enumerate(states[::order]):
            os.utime(file, (i, i))
        state, _ = checkpoint.read_state("run")
        assert state is not None
        assert state.epochs * 4 + state.step == 4
    place.finish()


@pytest.fixture
def training(place: Place) -> Iterator[Path]:
    """A run that another process is at, in its midst."""
    words = "train data.npz --epochs 1000000 --batch-size 60 --lr 0.1 --save-every 1 --quiet --out theirs"
    process = subprocess.Popen([*BYHAND, *words.split()], stderr=subprocess.PIPE)
    end = time.monotonic() + 60
    while not Path("theirs/model.safetensors").exists() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
    yield Path("theirs")
    process.kill()
    process.communicate()


def test_two_processes_cannot_train_one_run_and_readers_can_read_it(place: Place, training: Path) -> None:
    status, said = place.call(f"train --resume {training}")
    told = f"byhand: {training} is in use: another process is at work in it; wait until it has ended"
    assert (status, line(said)) == (3, told)
    status, said = place.train(str(training))
    assert (status, f"{training} is not empty" in line(said)) == (2, True)
    skip = "--skip ceiling --skip size-curve --skip wrong-labels"
    for words in (f"evaluate {training} {skip} --json", f"compare {training} whole"):
        for _ in range(2):
            status, said = place.call(words)
            assert (status, said) == (0, "")
    state, damaged = checkpoint.read_state(training)
    assert (state is not None, damaged) == (True, [])


def test_an_opening_of_the_test_part_meanwhile_is_counted(place: Place) -> None:
    seen: list[tuple[int, str]] = []
    skip = "--skip ceiling --skip size-curve --skip wrong-labels"
    place.at_state(8, lambda: seen.append(place.call(f"evaluate run {skip} --json")))
    assert place.train() == (0, "")
    assert seen == [(0, "")]
    record = json.loads(Path("run/run.json").read_text())
    assert (record["status"], record["test_openings"]) == ("finished", 1)
    assert record == json.loads(place.whole["run.json"]) | {"test_openings": 1}


def test_the_lock_itself(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path; from byhand import locks\n"
        "with locks.held(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()\n"
    )
    holders = [
        subprocess.Popen([sys.executable, "-c", program, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    ]
    assert holders[0].stdout is not None
    assert holders[0].stdout.readline() == b"held\n"
    with pytest.raises(checkpoint.DataError, match="is in use: another process is at work in it"), locks.held(tmp_path):
        pass
    holders[0].kill()
    holders[0].communicate()
    assert os.listdir(tmp_path) == [".lock"]
    with locks.held(tmp_path):
        assert os.listdir(tmp_path) == [".lock"]
    assert os.listdir(tmp_path) == []
    with pytest.raises(checkpoint.DataError, match=r"cannot write .*: No such file"), locks.held(tmp_path / "gone"):
        pass
