"""A run is taken up where it was left, or looked at where its data are gone."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from byhand import recipe, runs
from byhand.data.competition import open_competition
from byhand.data.load import load
from byhand.errors import DataError, UsageError
from byhand.fold import folded
from byhand.play.material import of_data, of_run
from byhand.play.studio import open_studio
from byhand.settings import Settings
from tests.play._studios import flat, image_folder, numbers, studio, until


def run(folder: Path, source: str = "digits", **given: Any) -> Path:
    settings = Settings(**{"epochs": 2, "lr": 0.5} | given).resolved()
    folder.mkdir()
    runs.train(recipe.prepare(settings, load(source, settings.valid, settings.seed), quiet=True), folder)
    return folder


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"hidden": (20,), "dropout": 0.5},
        {"seed": 7, "valid": 0.2, "momentum": 0.9},
        {"hidden": (9, 8)},
        {"hidden": (9,), "batch_norm": True},
    ],
)
def test_a_run_goes_on_where_it_was(given: dict[str, Any], tmp_path: Path) -> None:
    folder = run(tmp_path / "run", **given)
    model, record = runs.load_run(folder)
    with studio(of_run(folder)) as made:
        state = made.state()
        assert torch.equal(numbers(made), flat(folded(model).parameters()))
        assert state["trainable"] is True
        assert state["title"] == str(folder)
        assert state["controls"]["lr"] == 0.5
        assert tuple(state["controls"]["hidden"]) == given.get("hidden", ())
        assert state["data"]["valid"] == record["data"]["valid"]
        assert (state["epoch"], len(state["history"])) == (2, 3)
        assert state["history"][-1]["valid_accuracy"] == pytest.approx(record["results"]["valid_accuracy"], abs=1e-6)
        made.do({"do": "step"})
        until(lambda: made.state()["step"] == state["step"] + 1)
        assert not torch.equal(numbers(made), flat(folded(model).parameters()))
        made.do({"do": "reset"})
        until(lambda: [point["step"] for point in made.state()["history"]] == [0])


def test_the_rate_of_adam_is_not_taken_for_sgds(tmp_path: Path) -> None:
    assert of_run(run(tmp_path / "run", opt="adam", lr=0.01)).controls.lr is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"momentum": 0.9}, None),
        ({"opt": "adam", "lr": 0.01}, "This run learnt with Adam; here it goes on by SGD."),
        ({"hidden": (9,), "dropout": 0.2}, "This run learnt with dropout 0.2; here it goes on without dropout."),
        (
            {"hidden": (9,), "dropout": 0.5, "opt": "adam", "lr": 0.01},
            "This run learnt with Adam and dropout 0.5; here it goes on by SGD and without dropout.",
        ),
        (
            {"hidden": (9,), "batch_norm": True, "augment": True},
            "This run learnt with batch norm and deformed images; here it goes on without batch norm and from the "
            "images as they are.",
        ),
    ],
)
def test_what_a_run_learnt_with_and_is_not_played_is_said_until_it_plays(
    given: dict[str, Any], said: str | None, tmp_path: Path
) -> None:
    with studio(of_run(run(tmp_path / "run", **given))) as made:
        assert made.state()["message"] == said
        made.do({"do": "step"})
        assert made.state()["message"] is None


def test_data_that_are_gone_or_changed_leave_the_weights(tmp_path: Path) -> None:
    source = image_folder(tmp_path, 3, (6, 5), rows=20)
    folder = run(tmp_path / "run", source)
    model, _ = runs.load_run(folder)
    kept = tmp_path / "kept.npz"
    shutil.copy(source, kept)
    with np.load(source) as arrays:
        changed = {name: 255 - array if name == "x_train" else array for name, array in arrays.items()}
    for gone in (True, False):
        if gone:
            Path(source).unlink()
        else:
            np.savez(source, **changed)
        with studio(of_run(folder)) as made:
            state = made.state()
            assert isinstance(state["trainable"], str)
            assert "\n" not in state["trainable"]
            assert state["sizes"] == [30, 3]
            assert state["data"]["shape"] == [6, 5]
            assert torch.equal(numbers(made), flat(model.parameters()))
            with pytest.raises(UsageError, match="nothing to train"):
                made.do({"do": "play"})
            made.close()
    shutil.copy(kept, source)
    assert of_run(folder).reason is None
    shutil.copy(image_folder(tmp_path, 3, (5, 5), rows=20), source)
    assert f"has images of 5×5 pixels and 3 classes, and {folder} learnt 6×5" in (of_run(folder).reason or "")


def test_what_kaggles_table_is_not_played_is_not_put_down_to_a_change(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (60, 16))
    train, test = tmp_path / "train.csv", tmp_path / "test.csv"
    names = ",".join(f"pixel{i}" for i in range(16))
    table = np.column_stack([np.arange(60) % 3, pixels])
    np.savetxt(train, table, "%d", ",", header=f"label,{names}", comments="")
    np.savetxt(test, pixels[:9], "%d", ",", header=names, comments="")
    settings = Settings(epochs=1, lr=0.5).resolved()
    data = open_competition(train, test, settings.valid, settings.seed).data
    folder = tmp_path / "run"
    folder.mkdir()
    runs.train(recipe.prepare(settings, data, quiet=True), folder)
    said = of_run(folder).reason or ""
    assert said.endswith(f"is not what {folder} learnt from: byhand kaggle took all its labelled images")


def test_a_history_that_does_not_fit_is_left_out(tmp_path: Path) -> None:
    folder = run(tmp_path / "run")
    for text in ('{"epoch": 5}\n', '{"epoch": 0, "train_loss": "low"}\n', "no JSON"):
        (folder / "history.jsonl").write_text(text)
        with studio(of_run(folder)) as made:
            assert made.state()["epoch"] == 0


def test_what_cannot_be_opened_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not a run"):
        of_run(tmp_path)
    with pytest.raises(UsageError, match="no data set of that name"):
        of_data("mnits")
    folder = run(tmp_path / "run")
    record = json.loads((folder / "run.json").read_text())
    for damage in ({"play": 3}, {"play": {"scaled": "no"}}, {"play": {}}, {"lr": None}):
        (folder / "run.json").write_text(json.dumps(record | damage))
        of_run(folder)


def test_of_data_the_batch_is_not_larger_than_the_data(tmp_path: Path) -> None:
    material = of_data(image_folder(tmp_path, 2, (4, 4), rows=5))
    assert material.controls.batch_size == material.room.rows < 256
    made = open_studio(of_data("digits"))
    assert made.state()["title"] == "digits"
    made.close()
