"""``byhand kaggle``: from two tables in Kaggle's layout, made here with no help from byhand, to a submission."""

import gzip
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file
from sklearn.datasets import load_digits

from byhand.data import competition
from byhand.data.load import load
from byhand.evaluate.statistics import next_accuracy
from byhand.kaggle import files

QUICK = ["--epochs", "30", "--lr", "1"]
TEXT = [str(value) for value in range(256)]


def table(images: NDArray[np.uint8], labels: NDArray[Any] | None = None) -> str:
    """The text of a table as Kaggle has it: ``label,pixel0,…`` or, without labels, ``pixel0,…``."""
    names = [f"pixel{i}" for i in range(images[0].size)]
    lines = [",".join(TEXT[value] for value in row) for row in images.reshape(len(images), -1).tolist()]
    if labels is not None:
        names.insert(0, "label")
        lines = [f"{label},{line}" for label, line in zip(labels.tolist(), lines, strict=True)]
    return "\n".join([",".join(names), *lines, ""])


def sample(rows: int) -> str:
    return "ImageId,Label\n" + "".join(f"{number},0\n" for number in range(1, rows + 1))


def real_digits() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    bunch: Any = load_digits()
    order = np.random.default_rng(1).permutation(len(bunch.target))
    return (bunch.data * 255 / 16).astype(np.uint8).reshape(-1, 8, 8)[order], bunch.target[order]


IMAGES, LABELS = real_digits()
TRAIN = 1200  # images with labels; the other 597 are to be named


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """A folder with train.csv, test.csv and the sample of a submission."""
    (tmp_path / "train.csv").write_text(table(IMAGES[:TRAIN], LABELS[:TRAIN]))
    (tmp_path / "test.csv").write_text(table(IMAGES[TRAIN:]))
    (tmp_path / "sample_submission.csv").write_text(sample(len(LABELS) - TRAIN))
    return tmp_path


def submitted(file: Path) -> NDArray[np.int64]:
    """The labels of a submission that is as it must be: its bytes are those of no other text with these labels."""
    entries = pd.read_csv(file)
    assert list(entries.columns) == ["ImageId", "Label"]
    rows = [f"{number},{label}\n" for number, label in enumerate(entries["Label"], 1)]
    assert file.read_bytes() == ("ImageId,Label\n" + "".join(rows)).encode()
    return entries["Label"].to_numpy()


OUTPUT = """\
data   train.csv: 1,080 images to learn from, 120 to judge by; test.csv: 597 to name
model  linear 64-10: 650 numbers, started from zeros
rate   1, as told; sgd, flat-cos, batches of 256, seed 42

    epoch  train_loss  valid_loss  train_accuracy  valid_accuracy       time
TABLE

valid  P % (P to P) of 120 images
score  P to P % is the public score to expect, 95 times in 100, if Kaggle counts 149 of the images. Below
       P % (1 in 10,000) it is not bad luck: the file is wrong, or its images are not those that were named.
wrote  submission.csv: 597 rows, ImageId 1 to 597, labels 0 to 9, as in sample_submission.csv
       read back and checked
saved  mine
next   one linear layer hardly goes further; a hidden layer does: the same with --hidden 512
"""


def masked(out: str) -> str:
    out = re.sub(r"(^ +\d+ .* s\n)+", "TABLE\n", out, flags=re.MULTILINE)
    return re.sub(r"\d+\.\d\d", "P", out)


def words(text: str) -> list[str]:
    return text.split()


def test_from_two_files_to_a_submission(tables: Path, call: Callable[..., Any]) -> None:
    done = call("kaggle", "train.csv", "test.csv", "--out", "mine", *QUICK)
    assert (done.status, done.err) == (0, "")
    assert words(masked(done.out)) == words(OUTPUT)
    named = submitted(tables / "submission.csv")
    weights = load_file(tables / "mine" / "model.safetensors")
    logits = IMAGES[TRAIN:].reshape(-1, 64) / 255 @ weights["0.weight"].T.astype(float) + weights["0.bias"]
    np.testing.assert_array_equal(named, logits.argmax(axis=1))  # in the order of the file
    truly = (named == LABELS[TRAIN:]).mean()
    low, high, floor = (
        float(number) / 100 for number in re.findall(r"(?:score  |to |Below\s+)(\d+\.\d+) %?", done.out)[-3:]
    )
    assert floor < low <= truly <= high
    record = json.loads((tables / "mine" / "run.json").read_text())
    assert (record["status"], record["data"]["train"], record["data"]["test"]) == ("finished", 1080, 0)
    assert record["kaggle"]["rows"] == 597


FIELDS = {
    "schema", "submission", "rows", "valid", "score", "seen", "train", "test", "sample", "run", "data", "model",
    "hidden", "parameters", "lr", "lr_rule", "epochs", "status", "stopped", "seconds",
}  # fmt: skip


def test_json_is_one_object_with_the_contracts_fields(tables: Path, call: Callable[..., Any]) -> None:
    done = call("kaggle", "train.csv", "test.csv", "--json", "--hidden", "12", "-o", "other.csv", *QUICK)
    assert (done.status, done.err, done.out.count("\n")) == (0, "", 1)
    fields: dict[str, Any] = json.loads(done.out)
    assert fields.keys() == FIELDS
    assert fields["schema"] == "byhand.kaggle/1"
    assert (fields["submission"], fields["rows"], fields["seen"]) == ("other.csv", 597, 0)
    assert fields["valid"].keys() == {"value", "low", "high", "n"}
    assert fields["valid"]["low"] < fields["valid"]["value"] < fields["valid"]["high"]
    assert fields["valid"]["value"] == pytest.approx(fields["epochs"][-1]["valid_accuracy"], abs=1e-6)
    assert fields["score"].keys() == {"value", "low", "high", "floor", "rows"}
    assert fields["score"]["floor"] < fields["score"]["low"] < fields["valid"]["low"]
    assert (fields["model"], fields["hidden"], fields["sample"]) == ("mlp", [12], "sample_submission.csv")
    assert len(submitted(tables / "other.csv")) == 597
    assert (tables / fields["run"] / "model.safetensors").is_file()


def test_quiet_prints_the_submissions_path_and_an_old_one_is_replaced(tables: Path, call: Callable[..., Any]) -> None:
    (tables / "submission.csv").write_text("ImageId,Label\n1,2\n")
    assert call("kaggle", "train.csv", "test.csv", "--quiet", *QUICK).out == "submission.csv\n"
    assert len(submitted(tables / "submission.csv")) == 597


def test_without_a_part_to_judge_by_no_score_is_expected(tables: Path, call: Callable[..., Any]) -> None:
    done = call("kaggle", "train.csv", "test.csv", "--valid", "0", *QUICK)
    assert done.status == 0
    assert "no image was kept to judge by, so no score can be expected" in done.out
    fields = json.loads(call("kaggle", "train.csv", "test.csv", "--valid", "0", "--json", *QUICK).out)
    assert (fields["valid"], fields["score"], fields["data"]["valid"]) == (None, None, 0)


def test_labels_are_the_tables_own(tables: Path, call: Callable[..., Any]) -> None:
    some = np.flatnonzero(np.isin(LABELS, [3, 7]))
    (tables / "train.csv").write_text(table(IMAGES[some[:200]], LABELS[some[:200]]))
    (tables / "test.csv").write_text(table(IMAGES[some[200:]]))
    (tables / "sample_submission.csv").unlink()
    assert call("kaggle", "train.csv", "test.csv", "--quiet", *QUICK).status == 0
    named = submitted(tables / "submission.csv")
    assert set(named) == {3, 7}
    assert (named == LABELS[some[200:]]).mean() > 0.95


def test_images_that_stand_in_both_tables_are_counted(tables: Path, call: Callable[..., Any]) -> None:
    both = np.concatenate([IMAGES[:40], IMAGES[TRAIN:-40]])
    (tables / "test.csv").write_text(table(both))
    done = call("kaggle", "train.csv", "test.csv", "--json", *QUICK)
    assert done.status == 0
    assert json.loads(done.out)["seen"] == 40
    assert re.fullmatch(
        r"byhand: 40 of the 597 images of test\.csv stand in train\.csv too, pixel for pixel.*\n", done.err
    )


@pytest.fixture
def notebook(tables: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folders of Kaggle's notebooks, with the tables where they put them."""
    place = tables / "kaggle" / "input" / competition.NAME
    place.mkdir(parents=True)
    for name in ("train.csv", "test.csv", "sample_submission.csv"):
        (tables / name).rename(place / name)
    (tables / "kaggle" / "working").mkdir()
    monkeypatch.setattr(competition, "_INPUT", str(tables / "kaggle" / "input"))
    monkeypatch.setattr(files, "_WORKING", str(tables / "kaggle" / "working"))
    return tables / "kaggle"


def test_in_kaggles_notebooks_nothing_needs_to_be_named(notebook: Path, call: Callable[..., Any]) -> None:
    before = {file: file.read_bytes() for file in (notebook / "input").rglob("*.csv")}
    done = call("kaggle", "--json", *QUICK)
    fields = json.loads(done.out)
    assert fields["submission"] == str(notebook / "working" / "submission.csv")
    assert fields["sample"] == str(notebook / "input" / competition.NAME / "sample_submission.csv")
    assert len(submitted(notebook / "working" / "submission.csv")) == 597
    assert {file: file.read_bytes() for file in (notebook / "input").rglob("*") if file.is_file()} == before


def test_nowhere_to_be_found_is_one_line(
    tmp_path: Path, call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(competition, "_INPUT", str(tmp_path / "kaggle"))
    line = call("kaggle").error(3)
    assert "no train.csv and test.csv in" in line
    assert "kaggle.com/competitions/digit-recognizer/data" in line
    assert list(tmp_path.iterdir()) == []


WRONG: list[tuple[str, str, str, int, str]] = [  # a file, what of it, what instead, status, what is said
    ("train.csv", "label,", "digit,", 3, "row 1, column 1 is 'digit', neither a number nor 'label'"),
    ("test.csv", "pixel0,", "label,", 3, "row 1 has a column of labels, so this is a table to train on"),
    ("test.csv", ",pixel63", "", 3, "row 1 has 63 columns, pixels without a label, not a square image"),
    ("train.csv", ",pixel63", "", 3, "row 1 has 64 columns, a label and 63 pixels, not a square image"),
    ("test.csv", "\n0,", "\n256,", 3, "column 1 is 256; labels and pixels are whole numbers 0..255"),
    ("test.csv", "\n0,", "\n\n0,", 3, "is empty; remove it"),
    ("train.csv", "\n3,0", "\nx,0", 3, "column 1 is 'x'"),
    ("train.csv", "\n3,0", "\n,0", 3, "column 1 is empty"),
    ("sample_submission.csv", "597,0\n", "", 3, "it has 596 rows for 597 images"),
    ("sample_submission.csv", "ImageId", "id", 3, "its columns are 'id,Label' and not ImageId,Label"),
]


@pytest.mark.parametrize(("file", "old", "new", "status", "says"), WRONG)
def test_a_damaged_file_is_one_line_and_nothing_is_written(
    tables: Path, call: Callable[..., Any], file: str, old: str, new: str, status: int, says: str
) -> None:
    text = (tables / file).read_text()
    assert old in text
    (tables / file).write_text(text.replace(old, new, 1))
    before = sorted(tables.iterdir())
    line = call("kaggle", "train.csv", "test.csv", *QUICK, "--quiet").error(status)
    assert says in line
    assert f"{file}" in line
    assert sorted(tables.iterdir()) == before


def test_wrong_words_are_one_line_and_nothing_is_written(tables: Path, call: Callable[..., Any]) -> None:
    (tables / "notes.txt").write_text("mine\n")
    (tables / "small.csv").write_text("a,b,c,d\n1,2,3,4\n")
    before = sorted(tables.iterdir())
    cases: list[tuple[list[str], int, str]] = [
        (["train.csv"], 2, "name both tables, or none"),
        (["test.csv", "train.csv"], 3, "they are swapped; name the training table first"),
        (["train.csv", "train.csv"], 3, "so this is a table to train on"),
        (["train.csv", "small.csv"], 3, "its images have 2 × 2 pixels"),
        (["train.csv", "nowhere.csv"], 3, "nowhere.csv: no such file"),
        (["train.csv", "test.csv", "-o", "train.csv"], 2, "one of the competition's own files"),
        (["train.csv", "test.csv", "-o", "notes.txt"], 2, "holds something else than a submission"),
        (["train.csv", "test.csv", "-o", "no/where.csv"], 3, "there is no folder no"),
        (["train.csv", "test.csv", "--valid", "1"], 2, "valid=1"),
        (["train.csv", "test.csv", "--hidden", "x"], 2, "--hidden x"),
        (["train.csv", "test.csv", "--resume", "run", "--epochs", "3"], 2, "--resume goes on"),
        (["train.csv", "test.csv", "--resume", "run"], 3, "run"),
    ]
    for args, status, says in cases:
        assert says in call("kaggle", *args, "--quiet").error(status)
        assert sorted(tables.iterdir()) == before


def test_a_loss_that_is_no_number_makes_no_submission(tables: Path, call: Callable[..., Any]) -> None:
    done = call("kaggle", "train.csv", "test.csv", "--json", "--epochs", "2", "--lr", "1", "--init", "normal:1e38")
    assert done.status == 1
    assert "no submission is written, the run is kept in runs/" in done.err
    fields = json.loads(done.out)
    assert (fields["submission"], fields["valid"], fields["status"]) == (None, None, "stopped")
    assert not (tables / "submission.csv").exists()


def test_other_commands_know_such_a_run(tables: Path, call: Callable[..., Any]) -> None:
    assert call("kaggle", "train.csv", "test.csv", "--quiet", "--out", "mine", *QUICK).status == 0
    line = call("evaluate", "mine").error(3)
    assert "learnt from all labelled images of train.csv and kept none to test on" in line
    fields = json.loads(call("train", "--like", "mine", "--json").out)
    assert (fields["data"]["test"], fields["data"]["hash"]) == (240, load("train.csv").hash)
    assert "is finished" in call("kaggle", "train.csv", "test.csv", "--resume", "mine", "--quiet").error(2)


def test_weights_of_unknown_origin_are_spoken_of(tables: Path, call: Callable[..., Any]) -> None:
    assert call("kaggle", "train.csv", "test.csv", "--quiet", "--out", "mine", *QUICK).status == 0
    done = call("kaggle", "train.csv", "test.csv", "--quiet", "--weights", "mine/model.safetensors", *QUICK)
    assert done.status == 0
    assert "if from MNIST, they have seen the answers" in done.err


def test_a_run_that_was_left_is_taken_up_to_the_same_submission(tables: Path, call: Callable[..., Any]) -> None:
    options = ["train.csv", "test.csv", "--epochs", "300", "--lr", "1", "--out"]
    assert call("kaggle", *options, "whole", "-o", "whole.csv", "--quiet").status == 0
    command = [sys.executable, "-W", "error", "-m", "byhand", "kaggle", *options, "left"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        while not (tables / "left" / "model.safetensors").exists() and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "byhand kaggle train.csv test.csv --resume left" in said
    assert not (tables / "submission.csv").exists()
    assert "go on with byhand kaggle --resume left" in call("train", "--resume", "left", "--quiet").error(2)
    assert call("kaggle", "train.csv", "test.csv", "--resume", "left", "--quiet").out == "submission.csv\n"
    assert (tables / "submission.csv").read_bytes() == (tables / "whole.csv").read_bytes()


def idx(mnist: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """All 70,000 images and labels of MNIST, read with no help from byhand."""
    parts = []
    for what, head in (("images-idx3", 16), ("labels-idx1", 8)):
        both = [mnist / f"{part}-{what}-ubyte" for part in ("train", "t10k")]
        texts = [
            file.read_bytes() if file.exists() else gzip.decompress(Path(f"{file}.gz").read_bytes()) for file in both
        ]
        parts.append(np.concatenate([np.frombuffer(text, np.uint8, offset=head) for text in texts]))
    return parts[0].reshape(-1, 28, 28), parts[1].astype(np.int64)


def test_a_small_digit_recognizer(mnist_path: Path, tmp_path: Path, call: Callable[..., Any]) -> None:
    images, labels = (part[np.random.default_rng(5).permutation(70_000)[:3500]] for part in idx(mnist_path))
    (tmp_path / "train.csv").write_text(table(images[:2000], labels[:2000]))
    (tmp_path / "test.csv").write_text(table(images[2000:]))
    (tmp_path / "sample_submission.csv").write_text(sample(1500))
    fields = json.loads(call("kaggle", "train.csv", "test.csv", "--json", "--epochs", "20", "--lr", "0.3").out)
    truly = (submitted(tmp_path / "submission.csv") == labels[2000:]).mean()
    assert fields["score"]["low"] <= truly <= fields["score"]["high"]
    assert truly > 0.8


@pytest.mark.full
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_digit_recognizers_own_sizes(seed: int, mnist_path: Path, tmp_path: Path, call: Callable[..., Any]) -> None:
    order = np.random.default_rng(seed).permutation(70_000)
    images, labels = (part[order] for part in idx(mnist_path))
    (tmp_path / "train.csv").write_text(table(images[:42_000], labels[:42_000]))
    (tmp_path / "test.csv").write_text(table(images[42_000:]))
    (tmp_path / "sample_submission.csv").write_text(sample(28_000))
    done = call("kaggle", "train.csv", "test.csv", "--json")
    assert (done.status, done.err) == (0, "")
    fields = json.loads(done.out)
    assert (fields["rows"], fields["seen"], fields["valid"]["n"], fields["score"]["rows"]) == (28_000, 0, 4_200, 7_000)
    named = submitted(tmp_path / "submission.csv")
    assert len(named) == 28_000
    right = named == labels[42_000:]
    print(f"seed {seed}: valid {fields['valid']}, score {fields['score']}, all 28,000 {right.mean():.4f}")
    hits = round(fields["valid"]["value"] * 4_200)
    sure = next_accuracy(hits, 4_200, 28_000, 0.9999)  # benchmarks/kaggle.py counts how often 95 % holds
    assert sure.low <= right.mean() <= sure.high
    public = [right[np.random.default_rng(draw).permutation(28_000)[:7_000]].mean() for draw in range(100)]
    assert min(public) > fields["score"]["floor"]
    assert right.mean() > 0.915
