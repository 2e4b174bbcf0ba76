"""``byhand data shard``, and every command on what it makes."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

from byhand import checkpoint, load
from byhand.data import sharding, shards, stretches
from tests.commands.conftest import Call

SIDE = 64  # pixels of a digit


@pytest.fixture
def made(call: Call, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The digits in shards of 100, read in stretches of 500 rows and blocks of 30: 1,294, 144 and 359 images."""
    monkeypatch.setattr(sharding, "_SIZE", 100 * SIDE)
    monkeypatch.setattr(stretches, "_STRETCH", 500 * SIDE)
    monkeypatch.setattr(stretches, "_BLOCK", 30 * SIDE)
    assert call("data", "shard", "digits", "-o", "made", "--quiet") == (0, "made\n", "")
    return Path("made")


def files(run: str) -> dict[str, bytes]:
    """What a run wrote, but for its times and its record's name for the data."""
    return {file.name: file.read_bytes() for file in Path(run).iterdir() if file.name != "times.json"}


def test_what_is_made_is_said(call: Call) -> None:
    done = call("data", "shard", "digits", "-o", "made")
    whole = load("digits")
    assert done == (
        0,
        f"made: 1,294 train, 144 valid, 359 test images of 8×8 pixels, hash {whole.hash}\nnext   byhand train made\n",
        "",
    )
    done = call("data", "shard", "digits", "-o", "more/of them", "--json", "--deformed", "1", "--valid", "0.5")
    fields = json.loads(done.out)
    assert fields["schema"] == "byhand.data/1"
    assert (fields["action"], fields["source"], fields["path"]) == ("shard", "digits", "more/of them")
    assert fields["parts"] == {"train": 2 * 719, "valid": 719, "test": 359}


@pytest.mark.usefixtures("made")
def test_info_counts_and_looks_at_every_byte(call: Call) -> None:
    shown, whole = (json.loads(call("data", "info", name, "--json").out) for name in ("made", "digits"))
    assert shown["parts"] == whole["parts"]
    assert (shown["size"], shown["classes"], shown["hash"]) == (whole["size"], whole["classes"], whole["hash"])
    assert call("data", "info", "made").out.splitlines()[2:] == call("data", "info", "digits").out.splitlines()[2:]
    file = Path("made/train-00002.images.npy")
    file.write_bytes(file.read_bytes()[:-1] + b"\xff")
    assert re.search(
        r"train-00002\.images\.npy: .* its checksum is another; make", call("data", "info", "made").error(3)
    )


@pytest.mark.usefixtures("made")
def test_it_is_learnt_from_as_from_memory(call: Call) -> None:
    done = call("train", "made", "--json", "--epochs", "40", "--out", "run")
    fields = json.loads(done.out)
    assert fields["data"] == {"source": "made", "train": 1294, "valid": 144, "test": 359, "hash": load("digits").hash}
    last = fields["epochs"][-1]
    assert last["valid_accuracy"] > 0.93
    memory = json.loads(call("train", "digits", "--json", "--epochs", "40", "--lr", str(fields["lr"])).out)
    assert abs(memory["epochs"][-1]["valid_accuracy"] - last["valid_accuracy"]) < 0.03
    assert abs(memory["lr"] - fields["lr"]) < 1e-9
    assert json.loads(Path("run/run.json").read_text())["data"]["ink_box"] == 8
    judged = json.loads(call("evaluate", "run", "--json", "--skip", "size-curve").out)
    assert judged["accuracy"]["n"] == 359
    assert judged["train_accuracy"]["n"] == 1294
    assert "a random sample" not in judged["verdict"]


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize(
    "options",
    [
        ("--lr", "0.3"),
        ("--hidden", "9", "--dropout", "0.2", "--opt", "adam"),
        ("--hidden", "9", "--batch-norm", "--augment"),
    ],
    ids=str,
)
def test_left_at_any_step_it_ends_file_for_file_the_same(
    call: Call, options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    args = ["train", "made", *options, "--epochs", "3", "--batch-size", "70", "--save-every", "1", "--quiet"]
    assert call(*args, "--out", "whole").status == 0
    write_state = checkpoint.write_state
    for stop in (1, 8, 15, 20, 31, 47):  # of 3 · 19 steps; a stretch has 7 batches

        def writing(folder: Path, state: object, stop: int = stop) -> None:
            write_state(folder, state)  # type: ignore[arg-type]
            if (count := getattr(writing, "count", 0) + 1) == stop:
                raise KeyboardInterrupt
            writing.count = count  # type: ignore[attr-defined]

        with monkeypatch.context() as patched:
            patched.setattr(checkpoint, "write_state", writing)
            assert call(*args, "--out", f"run{stop}").status == 130
        assert call("train", "--resume", f"run{stop}", "--quiet").status == 0
        assert files(f"run{stop}") == files("whole")


@pytest.mark.usefixtures("made")
def test_shards_that_change_are_named_and_nothing_is_lost(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    write_state = checkpoint.write_state
    file = Path("made/train-00005.images.npy")
    whole = file.read_bytes()

    def writing(folder: Path, state: object) -> None:
        write_state(folder, state)  # type: ignore[arg-type]
        file.write_bytes(whole)
        os.utime(file, (1, 1))

    args = ("train", "made", "--lr", "0.3", "--epochs", "5", "--batch-size", "70", "--save-every", "4", "--quiet")
    assert call(*args, "--out", "whole").status == 0
    with monkeypatch.context() as patched:
        patched.setattr(checkpoint, "write_state", writing)
        line = call(*args, "--out", "run").error(3)
    assert "train-00005.images.npy: is not as shards.json says: it was written to meanwhile; make the shards" in line
    assert line.endswith("; then byhand train --resume run")
    assert call("train", "--resume", "run", "--quiet").status == 0
    assert files("run") == files("whole")
    assert call(*args, "--epochs", "0", "--out", "other").status == 0
    assert call("data", "shard", "digits", "-o", "others", "--deformed", "1", "--quiet").status == 0
    Path("made").rename("before")
    Path("others").rename("made")
    record = json.loads(Path("other/run.json").read_text())
    Path("other/run.json").write_text(json.dumps(record | {"status": "interrupted"}))
    assert "has changed since other was begun" in call("train", "--resume", "other", "--quiet").error(3)


@pytest.mark.usefixtures("made")
def test_of_more_than_memory_a_sample_is_judged_and_it_is_said(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    assert call("train", "made", "--hidden", "8", "--epochs", "5", "--lr", "0.3", "--out", "run").status == 0
    monkeypatch.setattr(shards, "_SAMPLE", 700 * SIDE)
    judged = json.loads(call("evaluate", "run", "--json", "--skip", "size-curve").out)
    assert judged["train_accuracy"]["n"] == 700
    assert "Of the 1,294 images that it learnt from, 700 were looked at, a random sample." in judged["verdict"]
    assert call("explain", "90%", "--data", "made").status == 0
    assert call("lr-find", "made", "--hidden", "8").status == 0


def test_deformed_images_are_learnt_from_and_the_others_judge(call: Call) -> None:
    assert call("data", "shard", "digits", "-o", "made", "--deformed", "3", "--quiet").status == 0
    fields = json.loads(call("train", "made", "--json", "--epochs", "1", "--lr", "0.1").out)
    assert (fields["data"]["train"], fields["data"]["valid"]) == (4 * 1294, 144)
    assert fields["data"]["hash"] != load("digits").hash
    assert (load("made").valid.images == load("digits").valid.images).all()
    assert np.unique(load("made").train.images.reshape(4, -1), axis=0).shape[0] == 4


@pytest.mark.parametrize(
    ("args", "status", "line"),
    [
        (
            ("nothing-here", "-o", "made"),
            2,
            "byhand: nothing-here: no data set of that name, and no such file or folder",
        ),
        (("digits", "-o", "run.txt"), 3, "byhand: run.txt: "),
        (
            ("digits", "-o", "full"),
            2,
            "byhand: full is not empty; name another folder with -o, so that nothing is lost",
        ),
        (("digits", "-o", "made", "--valid", "1"), 2, "byhand: valid=1.0: give the share"),
        (("digits", "-o", "made", "--deformed", "-1"), 2, "byhand: deformed=-1: give the number of versions"),
    ],
)
def test_what_cannot_be_is_one_line(call: Call, args: tuple[str, ...], status: int, line: str) -> None:
    Path("run.txt").touch()
    Path("full").mkdir()
    Path("full/thesis.txt").touch()
    assert call("data", "shard", *args).error(status).startswith(line)
    assert not Path("made").exists()
