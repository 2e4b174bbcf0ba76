"""The same settings give the same bits: again, and under --reproducible at any number of threads."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from byhand import checkpoint, recipe, runs
from byhand.data.load import load
from byhand.record import unlike
from byhand.settings import Settings
from byhand.threads import same_bits

LINEAR: dict[str, Any] = {"epochs": 2}  # the rate is looked for
MLP: dict[str, Any] = {"hidden": (300,), "dropout": 0.2, "opt": "adam", "epochs": 2, "lr": 0.001, "batch_size": 512}
TIMED = {"times.json", "run.json"}  # the second says how many threads there were


@pytest.fixture
def threads() -> Iterator[None]:
    """As many as before, afterwards."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name not in TIMED}


def trained(folder: Path, **given: Any) -> dict[str, bytes]:
    """All that a run wrote but for its times, and its rate."""
    settings = Settings(**given).resolved()
    folder.mkdir()
    plan = recipe.prepare(settings, load("digits"), quiet=True)
    runs.train(plan, folder)
    return contents(folder) | {"lr": repr(checkpoint.read_run(folder)["lr"]).encode()}


BEST: dict[str, Any] = MLP | {"batch_norm": True, "input_dropout": 0.2, "augment": True}


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("given", [LINEAR, MLP, BEST], ids=["linear", "mlp", "best"])
def test_under_reproducible_the_number_of_threads_is_nothing_and_is_left_as_it_was(
    given: dict[str, Any], tmp_path: Path
) -> None:
    found: list[dict[str, bytes]] = []
    for count in (1, 2, 4, 8):
        torch.set_num_threads(count)
        found.append(trained(tmp_path / str(count), reproducible=True, **given))
        assert torch.get_num_threads() == count
        assert not torch.are_deterministic_algorithms_enabled()
        assert checkpoint.read_run(tmp_path / str(count))["threads"] == 1
    assert all(one == found[0] for one in found)


def test_what_bits_hang_on_is_put_back_after_an_error_too() -> None:
    before = torch.get_num_threads()
    within: list[object] = []

    def fail() -> None:
        with same_bits(True):
            within.extend([torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert within == [1, True]
    assert torch.get_num_threads() == before
    assert not torch.are_deterministic_algorithms_enabled()
    with same_bits(False):
        assert torch.get_num_threads() == before


@pytest.mark.usefixtures("threads")
def test_another_machine_is_told_from_the_runs_own(tmp_path: Path) -> None:
    torch.set_num_threads(2)
    trained(tmp_path / "run", **LINEAR)
    told = checkpoint.read_run(tmp_path / "run")
    learn = recipe.prepare(Settings(lr=0.1).resolved(), load("digits"), quiet=True).learn
    assert unlike(told, learn) == []
    torch.set_num_threads(1)
    other = {**told, "device": "cuda:0", "versions": {**told["versions"], "torch": "1.0"}}
    assert unlike(other, learn) == [
        "threads 1 and not 2",
        "device cpu and not cuda:0",
        f"torch {torch.__version__} and not 1.0",
    ]
    assert unlike({**told, "settings": {**told["settings"], "reproducible": True}}, learn) == []
    assert unlike({"status": "finished"}, learn) == []  # an older run says nothing of it


def by_command(folder: Path, threads: int, *options: str) -> tuple[dict[str, bytes], str]:
    """A run in a process of its own: its files, and what it said to standard error."""
    command = [sys.executable, "-m", "byhand", "train", *options, "--out", str(folder), "--quiet"]
    some = {"OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    done = subprocess.run(command, env=os.environ | some, check=True, capture_output=True, timeout=300, text=True)
    return contents(folder), done.stderr


OPTIONS = {
    "linear": ["digits", "--epochs", "2"],
    "mlp": ["digits", "--hidden", "300", "--dropout", "0.2", "--opt", "adam", "--epochs", "2", "--lr", "0.001"],
}


@pytest.mark.full
@pytest.mark.parametrize("model", OPTIONS)
def test_processes_of_any_number_of_threads_write_the_same_files(model: str, tmp_path: Path) -> None:
    found = [by_command(tmp_path / str(n), n, *OPTIONS[model], "--reproducible")[0] for n in (1, 2, 4, 8)]
    assert all(one == found[0] for one in found)


@pytest.mark.full
@pytest.mark.parametrize("model", OPTIONS)
def test_twenty_of_twenty_repeats_are_the_same_files(model: str, tmp_path: Path) -> None:
    found = [by_command(tmp_path / str(i), 2, *OPTIONS[model])[0] for i in range(20)]
    assert sum(one == found[0] for one in found) == 20


def test_like_repeats_a_run_to_the_bit_and_says_where_the_machine_is_another(tmp_path: Path) -> None:
    run, _ = by_command(tmp_path / "run", 1, *OPTIONS["linear"])
    again, said = by_command(tmp_path / "again", 1, "--like", str(tmp_path / "run"))
    assert again == run
    assert said == ""
    _, said = by_command(tmp_path / "other", 2, "--like", str(tmp_path / "run"))
    assert said == f"byhand: the bits may be others than those of {tmp_path / 'run'}: threads 2 and not 1\n"
