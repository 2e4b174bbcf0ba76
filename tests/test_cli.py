"""The command line as a person or a script meets it: real processes, their output and their exit status."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import torch

from byhand.cli import COMMANDS
from byhand.commands import emit_json, one_line

BYHAND = [sys.executable, "-W", "error", "-m", "byhand"]
ON_LINUX = pytest.mark.skipif(sys.platform == "win32", reason="POSIX pipes and signals")


def run(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*BYHAND, *args], capture_output=True, text=True, encoding="utf-8", env={**os.environ, **env}, check=False
    )


def error_line(done: subprocess.CompletedProcess[str], status: int) -> str:
    """The one line of an error: nothing on standard output, no traceback, no control character."""
    assert done.returncode == status, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("byhand: ")
    assert done.stderr.endswith("\n")
    line = done.stderr[:-1]
    assert line.isprintable(), line
    return line


def test_help_names_every_command() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert done.stderr == ""
    for name, summary in COMMANDS.items():
        assert any(line.split()[:1] == [name] and summary[:30] in line for line in done.stdout.splitlines())


@pytest.mark.parametrize("args", [["--help"], ["--version"], *([name, "--help"] for name in COMMANDS)], ids=" ".join)
def test_help_loads_nothing_heavy(args: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "byhand", *args], capture_output=True, text=True, check=True
    )
    loaded = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert "byhand.cli" in loaded
    assert not loaded & {"torch", "sklearn", "scipy", "matplotlib", "pandas", "starlette", "uvicorn"}
    assert args != ["--help"] or not loaded & {"numpy", "rich", "PIL", "pooch"}


@pytest.mark.parametrize("columns", ["60", "100"])
def test_help_keeps_to_the_width_and_needs_no_colour(columns: str) -> None:
    done = run("--help", COLUMNS=columns)
    assert max(len(line) for line in done.stdout.splitlines()) <= int(columns)
    assert "\x1b" not in done.stdout


def test_version_is_the_installed_one() -> None:
    assert run("--version").stdout == f"byhand {metadata.version('byhand')}\n"


def test_the_console_script_is_the_same_program() -> None:
    (script,) = (entry for entry in metadata.entry_points(group="console_scripts") if entry.name == "byhand")
    assert script.value == "byhand.cli:main"


def test_nothing_asked_shows_the_help_and_is_a_usage_error() -> None:
    done = run()
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("Usage: byhand")


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["trian"], "'train'"),
        (["--nope"], "--nope"),
        (["train", "--nope"], "byhand train --help"),
        (["train", "digits", "--epochs", "many"], "--epochs"),
        (["train", "digits", "extra"], "extra"),
        (["predict"], "byhand predict --help"),
        (["\x1b[31mred\n"], "\\x1b[31mred\\n"),
    ],
)
def test_a_wrong_command_line_is_one_line_with_a_way_out(args: list[str], says: str) -> None:
    line = error_line(run(*args), 2)
    assert says in line
    assert "--help" in line


@pytest.mark.parametrize("name", ["nowhere", "a\x1b[2Jb", "line\nbreak", "\u202egnp.exe", "ünï"])
def test_a_missing_source_is_one_line_whatever_its_name(name: str, tmp_path: Path) -> None:
    line = error_line(run("train", str(tmp_path / name), "--out", str(tmp_path / "run")), 3)
    assert one_line(name) in line
    assert list(tmp_path.iterdir()) == []


@ON_LINUX
def test_a_name_that_is_no_unicode_is_one_line(tmp_path: Path) -> None:
    line = error_line(run("train", os.fsdecode(bytes(tmp_path) + b"/\xff")), 3)
    assert "udcff" in line


@ON_LINUX
def test_a_reader_that_has_gone_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([*BYHAND, "--help"], stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*BYHAND, "--help"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (3, "byhand: No space left on device\n")


@ON_LINUX
def test_ctrl_c_is_130_and_keeps_the_run(tmp_path: Path) -> None:
    command = [*BYHAND, "train", "digits", "--epochs", "1000000", "--out", str(tmp_path / "run")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        while not (tmp_path / "run" / "model.safetensors").exists():  # the first epoch is done and saved
            if process.poll() is not None:
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "Traceback" not in stderr
    record = json.loads((tmp_path / "run" / "run.json").read_text("utf-8"))
    assert record["status"] == "interrupted"


def test_output_that_is_not_unicode_still_shows_the_result() -> None:
    done = run("train", "digits", "--hidden", "×", PYTHONIOENCODING="ascii")
    assert done.returncode == 2
    assert "\\xd7" in done.stderr


def test_emit_json_has_one_object_and_no_nan(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"loss": math.nan, "best": -math.inf, "ok": True, "none": None}]
    numbers = [np.float32(0.5), np.int64(3), np.array([1.0, np.nan]), torch.tensor([1.5, math.inf])]
    emit_json("train", {"run": Path("a") / "b", "rows": rows, "numbers": numbers, "text": "\udcff\u202e\n"})
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert out.isascii()
    assert json.loads(out) == {
        "schema": "byhand.train/1",
        "run": str(Path("a") / "b"),
        "rows": [{"loss": None, "best": None, "ok": True, "none": None}],
        "numbers": [0.5, 3, [1.0, None], [1.5, None]],
        "text": "\udcff\u202e\n",
    }


def test_emit_json_refuses_what_json_cannot_hold() -> None:
    with pytest.raises(TypeError, match="object has no place in JSON"):
        emit_json("train", {"what": object()})
