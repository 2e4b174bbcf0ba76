"""``byhand train`` as a person or a script meets it: real processes, their output, files and exit status."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from byhand import cli

BYHAND = [sys.executable, "-W", "error", "-m", "byhand"]


pytestmark = pytest.mark.usefixtures("quiet_place")


def byhand(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*BYHAND, "train", *args], capture_output=True, text=True, encoding="utf-8", check=False)


class Done:
    """What a command left behind that ran in this process."""

    def __init__(self, capfd: pytest.CaptureFixture[str], *args: str) -> None:
        capfd.readouterr()
        self.status = cli._run(["train", *args])
        self.out, self.err = capfd.readouterr()


def tensors(run: str) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(Path(run) / "model.safetensors")


def error_line(err: str) -> str:
    assert err.startswith("byhand: ")
    assert err.endswith("\n")
    assert err[:-1].isprintable(), err
    return err[:-1]


TABLE = """\
data   digits: 1,294 images to learn from, 144 to judge by, 359 sealed
model  linear 64-10: 650 numbers, started from zeros
rate   N, by short trials around 0.872, from the curvature of the data; sgd, flat-cos, batches of 256, seed 42

    epoch  train_loss  valid_loss  train_accuracy  valid_accuracy       time
        0      2.3026      2.3026          9.89 %          9.72 %     S
        1      N           N              N           N     S
        2      N           N              N           N     S

N of the 144 images kept to judge by are named right, after S.
saved  mine
next   byhand predict mine PICTURE
"""


def masked(out: str) -> str:
    """Seconds as S, the rate and the numbers of trained epochs as N: their last digits are the processor's."""
    out = re.sub(r"^rate   \S+, by", "rate   N, by", out, flags=re.MULTILINE)
    out = re.sub(r" +\d+\.\d+ s$", "     S", out, flags=re.MULTILINE)
    out = re.sub(r"\d+\.\d+ s\.", "S.", out)
    out = re.sub(r"^\d+\.\d % of", "N of", out, flags=re.MULTILINE)
    lines = []
    for line in out.splitlines(keepends=True):
        row = re.fullmatch(r" +([1-9]\d*)( +\d\.\d{4}){2}( +\d+\.\d\d %){2}     S\n", line)
        lines.append(f"        {row[1]}      N           N              N           N     S\n" if row else line)
    return "".join(lines)


def test_what_a_person_sees_is_this() -> None:
    done = byhand("digits", "--epochs", "2", "--out", "mine")
    assert done.returncode == 0
    assert done.stderr == ""
    assert masked(done.stdout) == TABLE
    rows = [line for line in done.stdout.splitlines() if re.match(r" +\d+ ", line)]
    assert len({len(row) for row in rows}) == 1
    last = json.loads(Path("mine/history.jsonl").read_text().splitlines()[-1])
    assert f"{last['train_loss']:.4f}" in rows[-1]
    assert f"{100 * last['valid_accuracy']:.2f} %" in rows[-1]
    assert f"{100 * last['valid_accuracy']:.1f} % of the 144 images" in done.stdout


def test_without_a_name_the_run_takes_a_numbered_folder_and_quiet_prints_just_that() -> None:
    done = byhand("--quiet", "--epochs", "1")  # no data either: digits, where no MNIST is found
    assert done.returncode == 0
    assert done.stderr == ""
    assert re.fullmatch(r"runs/\d{4}-\d\d-\d\d-1\n", done.stdout)
    assert json.loads((Path(done.stdout.strip()) / "run.json").read_text())["data"]["source"] == "digits"


def test_json_is_one_object_with_the_contracts_fields_and_like_repeats_the_run_to_the_bit() -> None:
    done = byhand("digits", "--json", "--epochs", "3", "--hidden", "12", "--dropout", "0.1", "--seed", "7")
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1
    fields: dict[str, Any] = json.loads(done.stdout)
    assert fields["schema"] == "byhand.train/1"
    assert {name: type(value) for name, value in fields["data"].items()} == {
        "source": str,
        "train": int,
        "valid": int,
        "test": int,
        "hash": str,
    }
    assert (fields["data"]["source"], fields["model"], fields["hidden"]) == ("digits", "mlp", [12])
    assert sum(fields["data"][part] for part in ("train", "valid", "test")) == 1797
    assert [row["epoch"] for row in fields["epochs"]] == [0, 1, 2, 3]
    for row in fields["epochs"]:
        assert {"epoch", "train_loss", "valid_loss", "train_accuracy", "valid_accuracy", "seconds"} <= row.keys()
        assert type(row.pop("epoch")) is int
        assert all(type(value) is float for value in row.values())
        assert 0 <= row["valid_accuracy"] <= 1
    assert type(fields["lr"]) is type(fields["seconds"]) is float
    assert Path(fields["run"], "model.safetensors").is_file()
    assert fields["status"] == "finished"

    again = byhand("--like", fields["run"], "--json")
    assert again.returncode == 0, again.stderr
    repeated = json.loads(again.stdout)
    assert repeated["run"] != fields["run"]
    first, second = tensors(fields["run"]), tensors(repeated["run"])
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    settings = [json.loads(Path(run, "run.json").read_text())["settings"] for run in (fields["run"], repeated["run"])]
    assert settings[0] == settings[1]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_keeps_the_epochs_that_are_done() -> None:
    args = [*BYHAND, "train", "digits", "--epochs", "1000000", "--out", "mine"]
    process = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    history, deadline = Path("mine/history.jsonl"), time.monotonic() + 60
    while not history.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    said = re.fullmatch(
        r"byhand: interrupted; (\d+) finished epochs are kept in mine; byhand train --resume mine", error_line(err)
    )
    assert said
    rows = [json.loads(line) for line in history.read_text().splitlines()]
    assert [row["epoch"] for row in rows] == list(range(int(said[1]) + 1))
    assert json.loads(Path("mine/run.json").read_text())["status"] == "interrupted"
    files = ["history.jsonl", "model.safetensors", "run.json", "state.safetensors", "times.json"]
    assert [name for name in sorted(os.listdir("mine")) if name != "state-2.safetensors"] == files
    assert all(torch.isfinite(tensor).all() for tensor in tensors("mine").values())


def test_a_loss_that_breaks_ends_with_status_1_and_the_advice() -> None:
    done = byhand("digits", "--lr", "100", "--weight-decay", "10", "--epochs", "9", "--json")
    assert done.returncode == 1
    line = error_line(done.stderr)
    assert re.search(r"the loss became (inf|nan) at step \d of epoch \d; the weights are those after epoch \d", line)
    assert "try a tenth of the rate" in line
    fields = json.loads(done.stdout)
    assert fields["status"] == "stopped"
    assert fields["stopped"] in line
    assert Path(fields["run"], "model.safetensors").is_file()


WRONG = [
    ["--model", "transformer"],
    ["--opt", "lion"],
    ["--schedule", "cosine"],
    ["--epochs", "-1"],
    ["--epochs", "many"],
    ["--lr", "nan"],
    ["--lr", "1e9"],
    ["--batch-size", "0"],
    ["--hidden", "thirty"],
    ["--hidden", "30,,10"],
    ["--hidden", "0"],
    ["--model", "linear", "--hidden", "30"],
    ["--init", "ones"],
    ["--init", "normal:-1"],
    ["--init", "normal:nan"],
    ["--valid", "1"],
    ["--valid", "-0.1"],
    ["--valid", "nan"],
    ["--seed", "-1"],
    ["--size", "0"],
    ["--size", "28"],
    ["--device", "nowhere"],
    ["--save-every", "0"],
    ["--momentum", "1"],
    ["--dropout", "0.5"],
    ["--colour"],
    ["more"],
]


@pytest.mark.parametrize("args", WRONG, ids=" ".join)
def test_a_wrong_option_is_status_2_one_line_and_no_folder(args: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    done = Done(capfd, "digits", "--quiet", *args)
    assert done.status == 2
    assert done.out == ""
    error_line(done.err)
    assert os.listdir() == []


def test_a_wrong_option_is_status_2_in_a_real_process_too() -> None:
    done = byhand("digits", "--schedule", "cosine")
    assert (done.returncode, done.stdout) == (2, "")
    assert error_line(done.stderr) == "byhand: --schedule cosine: choose constant or flat-cos or one-cycle"


@pytest.mark.parametrize("data", ["nowhere/at/all", "empty", "text.csv", "a\nb/c"])
def test_bad_data_are_status_3_one_line_and_no_folder(data: str, capfd: pytest.CaptureFixture[str]) -> None:
    Path("empty").mkdir()
    Path("text.csv").write_text("these are no numbers\n")
    done = Done(capfd, data, "--quiet", "--out", "mine")
    assert done.status == 3
    assert done.out == ""
    error_line(done.err)
    assert sorted(os.listdir()) == ["empty", "text.csv"]


def test_missing_data_are_status_3_in_a_real_process_too() -> None:
    done = byhand("nowhere/at/all")
    assert (done.returncode, done.stdout) == (3, "")
    assert "nowhere/at/all" in error_line(done.stderr)
    assert os.listdir() == []


def test_a_folder_that_holds_something_is_not_written_to(capfd: pytest.CaptureFixture[str]) -> None:
    Path("mine").mkdir()
    Path("mine/thesis.txt").write_text("all of it")
    done = Done(capfd, "digits", "--quiet", "--epochs", "1", "--out", "mine")
    assert done.status == 2
    assert "mine is not empty" in error_line(done.err)
    assert os.listdir("mine") == ["thesis.txt"]
    assert Path("mine/thesis.txt").read_text() == "all of it"


def test_weights_that_are_none_are_status_3_before_a_folder_is_made(capfd: pytest.CaptureFixture[str]) -> None:
    Path("w.safetensors").write_text("none")
    for file in ("w.safetensors", "missing.safetensors"):
        done = Done(capfd, "digits", "--quiet", "--weights", file, "--out", "mine")
        assert (done.status, done.out) == (3, "")
        assert file in error_line(done.err)
    assert os.listdir() == ["w.safetensors"]


def test_like_takes_what_is_not_given_from_the_run(capfd: pytest.CaptureFixture[str]) -> None:
    assert Done(capfd, "digits", "--quiet", "--epochs", "1", "--batch-size", "100", "--out", "a").status == 0
    assert Done(capfd, "--like", "a", "--quiet", "--epochs", "2", "--lr", "0.5", "--out", "b").status == 0
    first, second = (json.loads(Path(run, "run.json").read_text())["settings"] for run in "ab")
    assert first | {"epochs": 2, "lr": 0.5} == second


DAMAGES: dict[str, Any] = {
    "no settings": lambda record: record.pop("settings"),
    "settings of another kind": lambda record: record.update(settings=3),
    "an unknown setting": lambda record: record["settings"].update(colour="red"),
    "words for a number": lambda record: record["settings"].update(batch_size="many"),
    "no data": lambda record: record.pop("data"),
    "data of another kind": lambda record: record.update(data=None),
    "another schema": lambda record: record.update(schema="x"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_like_a_damaged_run_is_status_3_and_one_line(damage: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert Done(capfd, "digits", "--quiet", "--epochs", "0", "--out", "a").status == 0
    record = json.loads(Path("a/run.json").read_text())
    DAMAGES[damage](record)
    Path("a/run.json").write_text(json.dumps(record))
    done = Done(capfd, "--like", "a", "--quiet", "--out", "b")
    assert (done.status, done.out) == (3, "")
    assert "a" in error_line(done.err)
    assert os.listdir() == ["a"]
    assert Done(capfd, "--like", "missing", "--quiet").status == 3


def test_every_option_reaches_the_run(capfd: pytest.CaptureFixture[str]) -> None:
    given = {
        "--hidden": "16,8", "--epochs": "1", "--lr": "0.01", "--batch-size": "100", "--opt": "adam",
        "--schedule": "one-cycle", "--weight-decay": "0.001", "--dropout": "0.25", "--valid": "0.2", "--seed": "5",
        "--device": "cpu", "--init": "normal:0.1", "--size": "8", "--save-every": "5",
        "--input-dropout": "0.125",
    }  # fmt: skip
    args = [text for pair in given.items() for text in pair]
    done = Done(
        capfd, "digits", "--json", "--freeze", "--reproducible", "--grayscale", "--batch-norm", "--augment", *args
    )
    assert done.status == 0, done.err
    run = Path(json.loads(done.out)["run"])
    assert json.loads((run / "run.json").read_text())["settings"] == {
        "model": "mlp", "hidden": [16, 8], "epochs": 1, "lr": 0.01, "batch_size": 100, "opt": "adam",
        "schedule": "one-cycle", "momentum": 0.0, "weight_decay": 0.001, "dropout": 0.25, "valid": 0.2, "seed": 5,
        "device": "cpu", "init": "normal:0.1", "weights": None, "freeze": True, "size": 8, "grayscale": True,
        "reproducible": True, "save_every": 5, "input_dropout": 0.125, "batch_norm": True, "augment": True,
            "precision": "float32",
    }  # fmt: skip
    assert not (run / "state.safetensors").exists()  # the run is over


def test_without_a_validation_part_the_closing_line_says_so(capfd: pytest.CaptureFixture[str]) -> None:
    done = Done(capfd, "digits", "--valid", "0", "--epochs", "1", "--out", "mine")
    assert done.status == 0
    assert "% of the images it learnt from (none was kept to judge by) are named right" in done.out
    assert re.search(r"^ +1 +\d\.\d{4} +– +\d+\.\d\d % +– ", done.out, flags=re.MULTILINE)
    assert done.err == ""


def test_a_start_without_a_finite_loss_is_no_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    done = Done(capfd, "digits", "--init", "normal:1e38", "--epochs", "1", "--json")
    assert done.status == 1
    assert "the weights are those after epoch 0" in error_line(done.err)
    assert json.loads(done.out)["epochs"][0]["train_loss"] is None
