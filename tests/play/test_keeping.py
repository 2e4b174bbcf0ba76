"""What was played is kept as a run that every command of byhand reads."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image

from byhand import checkpoint, runs
from byhand.data.load import load
from byhand.metrics import accuracy
from byhand.play import training
from byhand.play.material import of_run
from byhand.predict import predict
from tests.play._studios import at_rest, numbers, played, studio, until


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(*words: str) -> str:
    """What a command prints."""
    command = [sys.executable, "-m", "byhand", *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def valid_accuracy(run: str) -> float:
    """Of the run's model, on pixels as they come."""
    model, _ = runs.load_run(run)
    valid = load("digits").valid
    return accuracy(model(torch.as_tensor(valid.images.reshape(-1, 64))), torch.as_tensor(valid.labels)).item()


@pytest.mark.parametrize(
    "given",
    [
        {"lr": 0.5},
        {"lr": 0.2, "hidden": [20], "seed": 3, "momentum": 0.5},
        {"lr": 1e-5, "scaled": False, "shuffle": False},
        {"lr": 0.3, "init": "normal:1", "epsilon": 1e-6, "metric": "broadcast"},
    ],
)
def test_a_saved_training_is_a_run(given: dict) -> None:
    with studio(stop_after=3, **given) as made:
        played(made)
        saved = made.do({"do": "save"})["saved"]
        assert made.state()["saved"] == saved
        weights = numbers(made)
    record = checkpoint.read_run(saved)
    assert record["status"] == "finished"
    assert record["settings"]["epochs"] == 3
    assert record["lr"] == given["lr"]
    assert len(checkpoint.read_history(saved)) == 4
    assert record["results"]["valid_accuracy"] == pytest.approx(valid_accuracy(saved), abs=1e-6)
    assert record["play"]["shuffle"] is given.get("shuffle", True)

    Image.fromarray(load("digits").test.images[0]).resize((80, 80)).save("digit.png")
    assert predict(saved, ["digit.png"])[0].label in "0123456789"
    assert json.loads(said("evaluate", saved, "--json"))
    assert Path(said("train", "--like", saved, "--epochs", "1", "--quiet").strip()).is_dir()

    again = of_run(Path(saved))  # trains on where it was
    assert again.controls.scaled is given.get("scaled", True)
    with studio(again) as made:
        torch.testing.assert_close(numbers(made), weights)
        assert (made.state()["epoch"], made.state()["step"]) == (3, 18)
        assert [point["epoch"] for point in made.state()["history"]] == [0, 1, 2, 3]


def test_in_the_midst_of_an_epoch_the_results_are_those_of_the_weights() -> None:
    with studio(lr=0.5) as made:
        for _ in range(8):
            made.do({"do": "step"})
        until(lambda: at_rest(made)["step"] == 8)
        saved = made.do({"do": "save"})["saved"]
        weights = numbers(made)
    record = checkpoint.read_run(saved)
    assert (record["status"], record["settings"]["epochs"]) == ("interrupted", 2)
    assert record["results"]["valid_accuracy"] == pytest.approx(valid_accuracy(saved), abs=1e-6)
    with studio(of_run(Path(saved))) as made:
        assert torch.equal(numbers(made), weights)
        assert at_rest(made)["history"][0]["valid_accuracy"] == pytest.approx(valid_accuracy(saved), abs=1e-5)


def test_a_large_model_does_not_wait_for_both_parts_and_its_run_has_them_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with studio(lr=0.5, hidden=[20], stop_after=2) as made:
        played(made)
        usual = checkpoint.read_history(made.do({"do": "save"})["saved"])
        monkeypatch.setattr(training, "_LARGE", 0)
        made.do({"do": "reset"})
        state = played(made)
        rough = checkpoint.read_history(made.do({"do": "save"})["saved"])
    assert state["history"][0]["whole"] is False
    assert [{**row, "seconds": 0} for row in rough] == [{**row, "seconds": 0} for row in usual]


def test_before_the_first_step_and_while_it_plays() -> None:
    with studio(lr=0.5) as made:
        first = made.do({"do": "save"})["saved"]
        assert checkpoint.read_run(first)["settings"]["epochs"] == 0
        assert len(checkpoint.read_history(first)) == 1
        made.do({"do": "play"})
        until(lambda: made.state()["epoch"] > 3)
        second = made.do({"do": "save"})["saved"]
        assert made.state()["playing"]
        assert first != second
        assert checkpoint.read_run(second)["results"]["valid_accuracy"] == pytest.approx(
            valid_accuracy(second), abs=1e-6
        )


def test_the_page_file_is_of_the_weights_as_they_are() -> None:
    with studio(lr=0.5, stop_after=2) as made:
        before = made.exported()
        played(made)
        after = made.exported()
        assert before.startswith("<!")
        assert before != after
