"""Commands as a person or a script meets them: in this process where that will do, else in one of their own."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from byhand import cli


class Done(NamedTuple):
    """What a command left behind."""

    status: int
    out: str
    err: str

    def error(self, status: int) -> str:
        """The one line on standard error with which it stopped, after lines of progress."""
        assert self.status == status, (self.status, self.out, self.err)
        assert self.out == ""
        assert self.err.endswith("\n")
        *progress, line = self.err[:-1].split("\n")
        assert all(one.endswith(" ...") for one in progress), self.err
        assert line.startswith("byhand: ")
        assert line.isprintable()
        return line


Call = Callable[..., Done]


@pytest.fixture
def quiet_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty working directory, and PyTorch's global settings back afterwards."""
    monkeypatch.chdir(tmp_path)
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Call]:
    """Runs a command in this process, on one thread, in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)

    def run(*args: str | Path) -> Done:
        capfd.readouterr()
        status = cli._run([str(arg) for arg in args])
        return Done(status, *capfd.readouterr())

    yield run
    torch.set_num_threads(threads)


def process(*args: str | Path) -> Done:
    command = [sys.executable, "-W", "error", "-m", "byhand", *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Starts a command as a process of its own, in an empty working directory; a warning is an error."""
    monkeypatch.chdir(tmp_path)
    return process


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs on digits, not to be written to: ``linear``, ``seed`` (another one), ``mlp`` and ``weak``."""
    place = tmp_path_factory.mktemp("runs")
    kinds: dict[str, list[str]] = {
        "linear": ["--epochs", "30", "--lr", "1"],
        "seed": ["--epochs", "30", "--lr", "1", "--seed", "7"],
        "mlp": ["--epochs", "30", "--lr", "0.3", "--hidden", "16"],
        "weak": ["--epochs", "1", "--lr", "1"],
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BYHAND_HOME", str(place / "home"))
        for name, options in kinds.items():
            status = cli._run(["train", "digits", "--quiet", "--out", str(place / name), *options])
            assert status == 0
    return place
