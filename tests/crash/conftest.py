"""A small data set, a run of it that nobody disturbs, and a way to do something in the midst of another."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from byhand import checkpoint, cli

OPTIONS = "data.npz --epochs 3 --batch-size 60 --hidden 5 --dropout 0.2 --momentum 0.9 --lr 0.2 --save-every 1 --quiet"
STATES = 1 + 3 * 4  # one after the zeroth epoch, one after each step


class Place(NamedTuple):
    """An empty working directory with ``data.npz``, where commands are run."""

    call: Callable[[str], tuple[int, str]]  # a command's exit status, and what it said on standard error
    at_state: Callable[[int, Callable[[], object]], None]  # have something done when that many states are written
    whole: dict[str, bytes]  # the files of a run that nobody disturbs, but its times

    def train(self, out: str = "run") -> tuple[int, str]:
        return self.call(f"train {OPTIONS} --out {out}")

    def finish(self, out: str = "run") -> None:
        """Take the run up: it must end as the undisturbed one, with no file more."""
        assert self.call(f"train --resume {out} --quiet") == (0, "")
        assert files(out) == self.whole


def files(run: str | Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in Path(run).iterdir() if file.name != "times.json"}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Place]:
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    labels = np.arange(300) % 3
    np.savez("data.npz", x_train=rng.integers(0, 256, (300, 4, 4), dtype=np.uint8), y_train=labels)
    wanted: dict[int, Callable[[], object]] = {}
    written = 0
    write_state = checkpoint.write_state

    def writing(*args: Any) -> None:
        nonlocal written
        write_state(*args)
        written += 1
        if written in wanted:
            wanted.pop(written)()

    def call(words: str) -> tuple[int, str]:
        nonlocal written
        written = 0
        capfd.readouterr()
        status = cli._run(words.split())
        return status, capfd.readouterr().err

    monkeypatch.setattr(checkpoint, "write_state", writing)
    found = Place(call, wanted.__setitem__, {})
    assert found.train("whole") == (0, "")
    yield found._replace(whole=files("whole"))
    torch.set_num_threads(threads)
    os.chdir(tmp_path)
