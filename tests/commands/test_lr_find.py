"""``byhand lr-find`` as a person or a script meets it, and ``--lr auto``, which takes the same rate."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from byhand import cli

BYHAND = [sys.executable, "-W", "error", "-m", "byhand"]


pytestmark = pytest.mark.usefixtures("quiet_place")


class Done:
    """What a command left behind that ran in this process."""

    def __init__(self, capfd: pytest.CaptureFixture[str], *args: str) -> None:
        capfd.readouterr()
        self.status = cli._run(list(args))
        self.out, self.err = capfd.readouterr()


def error_line(done: Done, status: int) -> str:
    assert done.status == status, done.err
    assert done.out == ""
    assert done.err.startswith("byhand: ")
    assert done.err[:-1].isprintable(), done.err
    return done.err[:-1]


ANSWER = """\
data   digits: 1,294 images to learn from, 144 to judge by, 359 sealed
model  linear 64-10: 650 numbers, started from zeros
rate   N; from N to N a trial does about as well
       by short trials around 0.872, from the curvature of the data; N steps, N % of those of 200 epochs

       rule        suggests    over 5 orders of the batches
       valley     N    N to N
       slide      N    N to N
       minimum    N    N to N
       steep      N    N to N

The four rules read the range test, one pass of steps at a growing rate: a picture that people expect, no
decision. The rate above is decided by trials of the run itself.
next   byhand train digits --lr N
"""


def masked(out: str) -> str:
    """The rates and steps as N: their last digits are the processor's."""
    out = re.sub(r"^(rate   )\S+; from \S+ to \S+", r"\1N; from N to N", out, flags=re.MULTILINE)
    out = re.sub(r"\d+ steps, \S+ %", "N steps, N %", out)
    out = re.sub(r"^( {7}(?:valley|slide|minimum|steep)) +\S+ {4}\S+ to \S+$", _row, out, flags=re.MULTILINE)
    return re.sub(r"--lr \S+", "--lr N", out)


def _row(row: re.Match[str]) -> str:
    return f"{row[1]:18}N    N to N"


def test_what_a_person_sees_is_this_and_no_file_is_written() -> None:
    done = subprocess.run([*BYHAND, "lr-find", "digits"], capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0
    assert done.stderr == ""
    assert masked(done.stdout) == ANSWER
    assert os.listdir() == []
    said = re.search(r"^rate   (\S+); from (\S+) to (\S+) a", done.stdout, flags=re.MULTILINE)
    assert said
    lr, low, high = map(float, said.groups())
    assert 0.9 * low <= lr <= 1.1 * high
    assert f"next   byhand train digits --lr {said[1]}\n" in done.stdout


FIELDS = {"schema", "lr", "low", "high", "rule", "suggestions", "ranges", "steps", "curve", "seconds"}


@pytest.mark.parametrize("args", [[], ["--hidden", "12", "--opt", "adam"], ["--momentum", "0.9", "--valid", "0"]])
def test_json_is_one_object_with_the_contracts_fields(args: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    done = Done(capfd, "lr-find", "digits", "--json", *args)
    assert (done.status, done.err, done.out.count("\n")) == (0, "", 1)
    fields: dict[str, Any] = json.loads(done.out)
    assert fields.keys() == FIELDS
    assert fields["schema"] == "byhand.lr-find/1"
    assert fields["low"] <= fields["lr"] <= fields["high"]
    assert fields["suggestions"].keys() == fields["ranges"].keys() == {"valley", "slide", "minimum", "steep"}
    for name, (low, high) in fields["ranges"].items():
        assert low <= fields["suggestions"][name] <= high
    assert len(fields["curve"]["lrs"]) == len(fields["curve"]["losses"])
    assert fields["seconds"] > 0
    assert os.listdir() == []


@pytest.mark.parametrize("args", [[], ["--hidden", "12", "--schedule", "constant"], ["--opt", "adam", "--seed", "3"]])
def test_train_takes_the_rate_that_lr_find_says(args: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    options = ["digits", "--epochs", "20", *args]
    said = json.loads(Done(capfd, "lr-find", "--json", *options).out)
    for given in ([], ["--lr", "auto"]):
        trained = json.loads(Done(capfd, "train", "--json", *options, *given).out)
        assert (trained["lr"], trained["lr_rule"]) == (said["lr"], said["rule"])
    assert Done(capfd, "lr-find", "--quiet", *options).out == f"{said['lr']:.3g}\n"


def test_the_command_that_it_ends_with_is_the_whole_one(capfd: pytest.CaptureFixture[str]) -> None:
    args = ["--hidden", "16,8", "--freeze", "--weight-decay", "0.001", "--batch-size", "100", "--epochs", "9"]
    out = Done(capfd, "lr-find", "digits", *args).out
    said = re.search(r"^next   byhand (train digits .*)$", out, flags=re.MULTILINE)
    assert said
    assert Done(capfd, *said[1].split(), "--quiet", "--out", "mine").status == 0
    settings = json.loads(Path("mine/run.json").read_text())["settings"]
    assert (settings["hidden"], settings["freeze"], settings["weight_decay"]) == ([16, 8], True, 0.001)
    assert (settings["batch_size"], settings["epochs"]) == (100, 9)
    assert f"rate   {settings['lr']:.3g}; " in out


def test_like_takes_the_settings_of_a_run_but_not_its_rate(capfd: pytest.CaptureFixture[str]) -> None:
    args = ["digits", "--epochs", "5", "--hidden", "12"]
    said = json.loads(Done(capfd, "lr-find", "--json", *args).out)["lr"]
    assert Done(capfd, "train", *args, "--lr", "0.001", "--quiet", "--out", "a").status == 0
    assert json.loads(Done(capfd, "lr-find", "--json", "--like", "a").out)["lr"] == said
    assert json.loads(Done(capfd, "train", "--json", "--like", "a").out)["lr"] == 0.001
    assert json.loads(Done(capfd, "train", "--json", "--like", "a", "--lr", "auto").out)["lr"] == said


def test_the_picture_is_written_where_it_was_asked_for(capfd: pytest.CaptureFixture[str]) -> None:
    for name, start in (("a.svg", b"<?xml"), ("b.PNG", b"\x89PNG")):
        assert Done(capfd, "lr-find", "digits", "--quiet", "--plot", name).status == 0
        assert Path(name).read_bytes().startswith(start)
    assert sorted(os.listdir()) == ["a.svg", "b.PNG"]
    assert "nowhere" in error_line(Done(capfd, "lr-find", "digits", "--quiet", "--plot", "nowhere/a.svg"), 3)


WRONG = [["--plot", "a.txt"], ["--hidden", "x"], ["--opt", "lion"], ["--epochs", "-1"], ["--lr", "0.1"], ["--out", "x"]]


@pytest.mark.parametrize("args", WRONG, ids=" ".join)
def test_a_wrong_option_is_status_2_and_one_line(args: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    error_line(Done(capfd, "lr-find", "digits", *args), 2)
    assert os.listdir() == []


@pytest.mark.parametrize("lr", ["car", "", "nan", "-1", "1e9", "inf", "AUTO!"])
def test_a_rate_that_is_none_is_status_2_and_one_line(lr: str, capfd: pytest.CaptureFixture[str]) -> None:
    line = error_line(Done(capfd, "train", "digits", "--lr", lr, "--quiet"), 2)
    assert line.startswith("byhand: --lr ")
    assert os.listdir() == []


def test_weights_that_are_no_numbers_are_status_3_and_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    done = Done(capfd, "lr-find", "digits", "--init", "normal:1e38", "--quiet")
    assert re.search(r"the loss is (nan|inf) before any step", error_line(done, 3))


def test_bad_data_are_status_3_and_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    assert "nowhere" in error_line(Done(capfd, "lr-find", "nowhere/at/all"), 3)
