"""From settings and data to a run on the disk and back: the same bits from the same seed, and a folder in order."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor

import byhand
from byhand import DataError, UsageError, checkpoint, recipe, runs, weights
from byhand.data.dataset import Dataset, Part
from byhand.data.load import load
from byhand.settings import Settings

pytestmark = pytest.mark.usefixtures("one_thread")


@cache
def digits() -> Dataset:
    return load("digits")


def run(folder: Path, data: Dataset | None = None, callback: Any = None, **given: Any) -> dict[str, Any]:
    """Train with these settings; what run.json then holds."""
    folder.mkdir()
    settings = Settings(**{"epochs": 2} | given).resolved()
    plan = recipe.prepare(settings, data or digits(), quiet=True)
    if callback is not None:
        plan.learn.cbs.append(callback)
    return runs.train(plan, folder)


def tensors(folder: Path, name: str = "model") -> dict[str, Tensor]:
    return safetensors.torch.load_file(folder / f"{name}.safetensors")


def equal(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def files(folder: Path) -> dict[str, bytes]:
    """All files of a run but the one of its times."""
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name != "times.json"}


def history(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]


KINDS: dict[str, dict[str, Any]] = {
    "linear": {},
    "linear from noise": {"init": "normal:0.1", "momentum": 0.9, "lr": 0.05},
    "mlp": {"hidden": (12,)},
    "deep, with dropout and Adam": {"hidden": (16, 8), "dropout": 0.2, "opt": "adam", "schedule": "one-cycle"},
    "batch norm, deformed": {"hidden": (16, 8), "batch_norm": True, "input_dropout": 0.2, "augment": True},
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_bits_and_another_seed_others(tmp_path: Path, kind: str) -> None:
    first, second = (run(tmp_path / name, **KINDS[kind]) for name in "ab")
    assert equal(tensors(tmp_path / "a"), tensors(tmp_path / "b"))
    assert first["data"]["hash"] == second["data"]["hash"]
    assert history(tmp_path / "a") == history(tmp_path / "b")
    run(tmp_path / "c", **KINDS[kind], seed=43)
    assert not equal(tensors(tmp_path / "a"), tensors(tmp_path / "c"))


def test_a_run_is_the_same_whatever_was_drawn_before_it(tmp_path: Path) -> None:
    with torch.random.fork_rng():
        for seed, name in enumerate("ab"):
            torch.manual_seed(seed)
            run(tmp_path / name, hidden=(12,), dropout=0.2)
    assert equal(tensors(tmp_path / "a"), tensors(tmp_path / "b"))


def test_the_folder_holds_the_run(tmp_path: Path) -> None:
    record = run(tmp_path / "run", hidden=(12,), epochs=3)
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "history.jsonl",
        "model.safetensors",
        "run.json",
        "times.json",
    ]
    written = checkpoint.read_run(tmp_path / "run")
    assert written == {"schema": "byhand.run/1", **json.loads(json.dumps(record))}
    assert written["status"] == "finished"
    assert written["stopped"] is None
    assert written["test_openings"] == 0
    assert written["parameters"] == 64 * 12 + 12 + 12 * 10 + 10
    assert written["versions"]["torch"] == torch.__version__
    assert written["versions"]["byhand"] == byhand.__version__
    assert written["settings"]["hidden"] == [12]
    data = digits()
    sizes = {"train": len(data.train), "valid": len(data.valid), "test": len(data.test)}
    assert {name: written["data"][name] for name in sizes} == sizes
    assert (written["data"]["shape"], written["data"]["hash"]) == ([8, 8], data.hash)
    rows = checkpoint.read_history(tmp_path / "run")
    assert [row["epoch"] for row in rows] == [0, 1, 2, 3]
    assert rows[-1] == written["results"]
    assert all((row["seconds"] or 0) > 0 for row in rows)
    assert written["seconds"] >= sum(row["seconds"] or 0 for row in rows)
    assert rows[-1]["train_loss"] < rows[0]["train_loss"]


@pytest.mark.parametrize("kind", KINDS)
def test_load_run_gives_the_model_back(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    plan = recipe.prepare(Settings(epochs=2, **KINDS[kind]).resolved(), digits(), quiet=True)
    record = runs.train(plan, folder)
    model, found = runs.load_run(folder)
    assert found == {"schema": "byhand.run/1", **json.loads(json.dumps(record))}
    assert not model.training
    x = torch.as_tensor(digits().valid.images.reshape(-1, 64))
    preds = plan.learn.get_preds()[0]
    assert torch.equal(model(x).softmax(1).argmax(1), preds.argmax(1))
    assert torch.allclose(model(x).softmax(1), preds, atol=1e-6)
    assert equal(weights.snapshot(model, {}), weights.snapshot(plan.model, {}))
    right = float((model(x).argmax(1) == torch.as_tensor(digits().valid.labels)).float().mean())
    assert record["results"]["valid_accuracy"] == pytest.approx(right)


DAMAGES = {
    "no run.json": lambda folder, record: (folder / "run.json").unlink(),
    "no weights": lambda folder, record: (folder / "model.safetensors").unlink(),
    "half the weights": lambda folder, record: (folder / "model.safetensors").write_bytes(
        (folder / "model.safetensors").read_bytes()[:-99]
    ),
    "text for weights": lambda folder, record: (folder / "model.safetensors").write_text("weights"),
    "half of run.json": lambda folder, record: (folder / "run.json").write_text(json.dumps(record)[:300]),
    "no settings": lambda folder, record: record.pop("settings"),
    "no data": lambda folder, record: record.pop("data"),
    "no shape": lambda folder, record: record["data"].pop("shape"),
    "shape of words": lambda folder, record: record["data"].update(shape=["eight", "eight"]),
    "another shape": lambda folder, record: record["data"].update(shape=[9, 8]),
    "no classes": lambda folder, record: record["data"].update(classes=None),
    "fewer classes": lambda folder, record: record["data"].update(classes=["0", "1"]),
    "another model": lambda folder, record: record["settings"].update(model="linear", hidden=[], init="zeros"),
    "other units": lambda folder, record: record["settings"].update(hidden=[13]),
    "an unknown setting": lambda folder, record: record["settings"].update(colour="red"),
    "an unknown start": lambda folder, record: record["settings"].update(init="ones"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_run_is_one_line(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "run"
    run(folder, hidden=(12,), epochs=0)
    record = json.loads((folder / "run.json").read_text())
    before = json.dumps(record)
    DAMAGES[damage](folder, record)
    if json.dumps(record) != before:
        (folder / "run.json").write_text(json.dumps(record))
    with pytest.raises(DataError) as caught:
        runs.load_run(folder)
    assert "\n" not in str(caught.value)
    assert "run.json" in str(caught.value) or "model.safetensors" in str(caught.value)


class _Left(Exception):
    pass


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_breaks_off_is_taken_up_and_ends_as_one_that_did_not(tmp_path: Path, kind: str) -> None:
    given = {"epochs": 3, "save_every": 4, "lr": 0.05} | KINDS[kind]
    run(tmp_path / "whole", **given)
    steps = 0

    def break_off(learn: Any) -> None:
        nonlocal steps
        steps += learn.step is not None
        if steps == 10:
            raise _Left

    with pytest.raises(_Left):
        run(tmp_path / "part", callback=break_off, **given)
    left = json.loads((tmp_path / "part" / "run.json").read_text())
    assert left["status"] == "interrupted"
    assert (tmp_path / "part" / "state.safetensors").exists()
    plan, state, damaged = runs.resume(tmp_path / "part", digits(), quiet=True)
    assert state is not None
    assert (state.epochs * len(plan.learn.dls.train) + state.step, damaged) == (8, [])
    record = runs.train(plan, tmp_path / "part", state)
    assert files(tmp_path / "part") == files(tmp_path / "whole")
    assert record["seconds"] > state.seconds > 0
    with pytest.raises(UsageError, match="finished; there is nothing to take up"):
        runs.resume(tmp_path / "part", digits())


def test_weights_are_where_a_run_starts(tmp_path: Path) -> None:
    run(tmp_path / "first", hidden=(12,))
    file = str(tmp_path / "first" / "model.safetensors")
    record = run(tmp_path / "second", hidden=(12,), weights=file, epochs=0)
    assert equal(tensors(tmp_path / "first"), tensors(tmp_path / "second"))
    assert record["results"]["valid_loss"] == pytest.approx(history(tmp_path / "first")[-1]["valid_loss"])
    for given in ({}, {"hidden": (13,)}):
        with pytest.raises(DataError, match=r"--weights .* does not fit the model") as caught:
            run(tmp_path / f"other{len(given)}", weights=file, **given)
        assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match="cannot read the weights"):
        run(tmp_path / "none", weights=str(tmp_path / "none.safetensors"))


def test_freeze_trains_the_last_layer_only(tmp_path: Path) -> None:
    run(tmp_path / "start", hidden=(16, 8), epochs=0)
    run(tmp_path / "frozen", hidden=(16, 8), epochs=2, freeze=True)
    start, frozen = tensors(tmp_path / "start"), tensors(tmp_path / "frozen")
    assert [name for name in start if not torch.equal(start[name], frozen[name])] == ["4.bias", "4.weight"]
    assert history(tmp_path / "frozen")[-1]["train_loss"] < history(tmp_path / "frozen")[0]["train_loss"]


@pytest.mark.parametrize("step", [2, None], ids=["in an epoch", "after an epoch"])
def test_an_interrupted_run_is_kept_up_to_its_last_finished_epoch(tmp_path: Path, step: int | None) -> None:
    def interrupt(learn: byhand.Learner) -> None:
        if learn.step == step and len(learn.history) == 4:
            raise KeyboardInterrupt

    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        run(folder, hidden=(12,), epochs=50, callback=interrupt)
    record = json.loads((folder / "run.json").read_text())
    assert record["status"] == "interrupted"
    assert record["settings"]["epochs"] == 50
    rows = history(folder)
    assert [row["epoch"] for row in rows] == [0, 1, 2, 3]
    assert record["results"] == rows[-1]
    model, _ = runs.load_run(folder)
    x, y = torch.as_tensor(digits().train.images.reshape(-1, 64)), torch.as_tensor(digits().train.labels)
    loss = torch.nn.functional.cross_entropy(model(x).detach(), y).item()
    assert loss == pytest.approx(rows[-1]["train_loss"], rel=1e-5)  # these weights, not the epoch's before


def test_a_run_whose_loss_breaks_is_stopped_and_keeps_its_last_good_weights(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.warns(RuntimeWarning, match=r"the loss became (inf|nan) at step"):
        record = run(folder, lr=100.0, weight_decay=10.0, epochs=9)
    assert record["status"] == "stopped"
    assert record["stopped"].startswith("the loss became ")
    rows = checkpoint.read_history(folder)
    assert len(rows) < 10
    assert record["results"] == rows[-1]
    assert all(torch.isfinite(t).all() for t in tensors(folder).values())


def test_a_start_without_a_finite_loss_is_written_down_as_null(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.warns(RuntimeWarning, match="at step 1 of epoch 1; the weights are those after epoch 0"):
        run(folder, init="normal:1e38")
    assert json.loads((folder / "run.json").read_text())["results"]["train_loss"] is None
    assert [row["train_loss"] for row in history(folder)] == [None]


def test_without_a_validation_part_the_run_has_none(tmp_path: Path) -> None:
    data = digits()
    empty = Part(data.valid.images[:0], data.valid.labels[:0], data.classes, "h")
    record = run(tmp_path / "run", replace(data, valid=empty))
    assert record["results"]["valid_accuracy"] is None
    assert record["data"]["valid"] == 0


def test_the_test_part_is_never_looked_at(tmp_path: Path) -> None:
    data = digits()
    turned = Part(255 - data.test.images, (data.test.labels + 1) % 10, data.classes, "h")
    run(tmp_path / "a")
    run(tmp_path / "b", replace(data, test=turned))
    assert equal(tensors(tmp_path / "a"), tensors(tmp_path / "b"))


@pytest.mark.parametrize("kind", KINDS)
def test_fit_gives_the_weights_of_the_run_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], kind: str
) -> None:
    record = run(tmp_path / "run", **KINDS[kind], seed=3)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    settings = replace(Settings.of(record), lr=record["lr"])
    model = recipe.fit(settings, digits())
    saved = tensors(tmp_path / "run")
    assert equal(weights.snapshot(model, {}), saved)
    assert list(Path().iterdir()) == []
    assert capfd.readouterr() == ("", "")
    x = torch.as_tensor(digits().valid.images.reshape(-1, 64))
    assert torch.equal(model(x), model(x))  # without dropout
