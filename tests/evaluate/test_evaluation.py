"""An evaluation of real, short runs: every number against an independent one, and the test part's openings counted."""

import json
import math
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import accuracy_score, brier_score_loss, confusion_matrix, log_loss

from byhand import checkpoint
from byhand.data.dataset import Dataset, Part
from byhand.data.load import load
from byhand.errors import DataError, UsageError
from byhand.evaluate import evaluation
from byhand.evaluate.evaluation import PARTS, evaluate, summary
from byhand.evaluate.opening import open_test
from byhand.evaluate.results import Ceiling, Evaluation
from byhand.evaluate.statistics import wilson

Train = Callable[..., Path]


@pytest.fixture
def run(trained: dict[str, Path], tmp_path: Path) -> Path:
    """A copy of the linear run that a test may change."""
    return shutil.copytree(trained["linear"], tmp_path / "run")


def record_of(run: str | Path) -> dict[str, Any]:
    return json.loads((Path(run) / "run.json").read_text())


def predict(run: str | Path, part: Part) -> NDArray[np.float64]:
    """Probabilities (N, C) from the saved weights, by NumPy alone."""
    tensors = {
        name: t.double().numpy() for name, t in safetensors.torch.load_file(Path(run) / "model.safetensors").items()
    }
    x = part.images.reshape(len(part), -1) / 255  # (N, P)
    layers = sorted({int(name.split(".")[0]) for name in tensors})
    for i in layers:
        x = x @ tensors[f"{i}.weight"].T + tensors[f"{i}.bias"]
        if i != layers[-1]:
            x = np.maximum(0, x)
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_its_numbers_are_those_of_an_independent_prediction(evaluated: dict[str, Evaluation], kind: str) -> None:
    found, data = evaluated[kind], load("digits")
    probs = predict(found.run, data.test)
    said = probs.argmax(axis=1)
    np.testing.assert_allclose(found.probs, probs, atol=1e-5)
    assert found.accuracy == wilson(int((said == data.test.labels).sum()), 359)
    assert found.accuracy.value == accuracy_score(data.test.labels, said)
    own = accuracy_score(data.train.labels, predict(found.run, data.train).argmax(axis=1))
    assert found.train_accuracy is not None
    assert found.train_accuracy.value == own
    assert found.overfitting is not None
    assert found.overfitting.value == pytest.approx(own - found.accuracy.value, abs=1e-12)
    np.testing.assert_array_equal(found.confusion, confusion_matrix(data.test.labels, said))
    assert found.calibration.log_loss == pytest.approx(log_loss(data.test.labels, probs), abs=1e-4)
    brier = brier_score_loss(np.eye(10)[data.test.labels].ravel(), probs.ravel()) * 10
    assert found.calibration.brier == pytest.approx(brier, abs=1e-4)
    np.testing.assert_array_equal(found.images, data.test.images)
    np.testing.assert_array_equal(found.labels, data.test.labels)


@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_chance_is_the_commonest_class_and_its_test_is_exact(evaluated: dict[str, Evaluation], kind: str) -> None:
    found = evaluated[kind]
    counts = np.bincount(found.labels)
    share = counts.max() / counts.sum()
    assert found.chance.value == share
    assert found.chance.label == str(counts.argmax())
    hits = round(found.accuracy.value * found.accuracy.n)
    expected = stats.binomtest(hits, found.accuracy.n, share, alternative="greater").pvalue
    assert found.chance.p_value == pytest.approx(expected, rel=1e-9, abs=1e-300)
    assert found.chance.better


def test_the_parts_sum_to_the_error_and_a_network_has_none(evaluated: dict[str, Evaluation]) -> None:
    linear, mlp = evaluated["linear"], evaluated["mlp"]
    assert linear.parts is not None
    error = 1 - linear.accuracy.value
    assert math.isclose(
        linear.parts.optimization + linear.parts.estimation + linear.parts.model_class, error, abs_tol=1e-12
    )
    assert linear.landmarks.ceiling is not None
    assert linear.parts.optimization == linear.landmarks.ceiling.accuracy.value - linear.accuracy.value
    assert mlp.parts is None
    assert mlp.landmarks.ceiling == linear.landmarks.ceiling


@given(st.integers(1, 10**6), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_the_parts_of_any_numbers_sum_to_the_error(n: int, own: float, best: float, train: float) -> None:
    accuracy = wilson(round(own * n), n)
    parts = evaluation._parts(accuracy, Ceiling(wilson(round(best * n), n), train, 0.2, 0.3, 1e-7, 1e-4, 1.0))
    assert parts is not None
    assert abs(parts.optimization + parts.estimation + parts.model_class - (1 - accuracy.value)) <= 1e-12


def test_weights_titles_and_histories_are_the_runs(evaluated: dict[str, Evaluation]) -> None:
    for kind, units, title in (("linear", 10, "linear 64-10 on digits"), ("mlp", 16, "MLP 64-16-10 on digits")):
        found = evaluated[kind]
        assert found.title == title
        assert found.weights is not None
        assert found.weights.shape == (units, 8, 8)
        first = safetensors.torch.load_file(Path(found.run) / "model.safetensors")["0.weight"]
        np.testing.assert_array_equal(found.weights.reshape(units, 64), first.numpy())
        assert [row["epoch"] for row in found.history] == list(range(31))
        assert found.skipped == {}
        assert found.alarms == ()


def test_the_curve_ends_with_the_run_itself_and_starts_with_a_sixteenth(evaluated: dict[str, Evaluation]) -> None:
    for found in evaluated.values():
        assert found.curve is not None
        assert [point.n for point in found.curve.points] == [81, 162, 324, 647, 1294]
        assert found.curve.points[-1].accuracy == found.accuracy
        assert found.curve.points[0].accuracy.value < found.accuracy.value


FIELDS: dict[str, Any] = {
    "run": str,
    "accuracy": {"value": float, "low": float, "high": float, "n": int},
    "chance": {"value": float, "label": str, "p_value": float, "better": bool},
    "baselines": [{"name": str, "accuracy": float, "low": float, "high": float}],
    "ceiling": {
        "accuracy": float, "low": float, "high": float, "train_accuracy": float, "loss": float, "test_loss": float,
        "gap": float, "l2": float, "seconds": float,
    },
    "error_parts": {"optimization": float, "estimation": float, "model_class": float},
    "train_accuracy": {"value": float, "low": float, "high": float, "n": int},
    "overfitting": {"value": float, "low": float, "high": float},
    "calibration": dict.fromkeys(("log_loss", "brier", "ece", "ece_low", "ece_high", "ece_by_chance"), float),
    "suspected_labels": [{"row": int, "label": int, "other": int, "prob": float, "neighbours": int}],
    "size_curve": {
        "points": [{"n": int, "accuracy": {"value": float, "low": float, "high": float, "n": int}}],
        "a": float, "b": float, "c": float, "miss": float, "twice": {"value": float, "low": float, "high": float},
    },
    "alarms": [str],
    "skipped": {},
    "verdict": str,
    "advice": [str],
    "test_openings": int,
    "seconds": float,
}  # fmt: skip


def check(value: Any, kind: Any, where: str = "") -> None:
    """The value is made as ``kind`` says: its fields are these, and each has its type."""
    if isinstance(kind, dict):
        assert isinstance(value, dict), where
        assert value.keys() == kind.keys(), where
        for name in kind:
            check(value[name], kind[name], f"{where}.{name}")
    elif isinstance(kind, list):
        assert isinstance(value, list), where
        for item in value:
            check(item, kind[0], f"{where}[]")
    else:
        assert type(value) is kind, f"{where} is {value!r}"


def test_the_summary_has_every_field_of_the_contract_and_stands_in_run_json(evaluated: dict[str, Evaluation]) -> None:
    for kind, found in evaluated.items():
        written = record_of(found.run)["evaluation"]
        check(written, FIELDS | ({"error_parts": type(None)} if kind == "mlp" else {}))
        assert written["accuracy"]["value"] == found.accuracy.value
        assert written["baselines"][0]["accuracy"] == 0.1
        assert [one["name"] for one in written["baselines"]] == ["uniform guess", "always 1", "nearest mean image"]
        assert written["ceiling"]["gap"] <= 1e-6
        assert written["ceiling"]["low"] < written["ceiling"]["accuracy"] < written["ceiling"]["high"]
        assert summary(found)["verdict"] == found.verdict == written["verdict"]


def test_each_opening_is_counted_and_training_makes_none(run: Path) -> None:
    before = record_of(run)
    assert before["test_openings"] == 0
    for count in (1, 2):
        found = evaluate(run, skip=PARTS)
        assert found.openings == record_of(run)["test_openings"] == count
    open_test(run)
    after = record_of(run)
    assert after["test_openings"] == 3
    assert {name: after[name] for name in before if name != "test_openings"} == {
        name: value for name, value in before.items() if name != "test_openings"
    }


def test_the_run_is_otherwise_left_as_it_was(run: Path) -> None:
    before = {path.name: path.read_bytes() for path in run.iterdir() if path.name != "run.json"}
    evaluate(run, skip=PARTS)
    assert {path.name: path.read_bytes() for path in run.iterdir() if path.name != "run.json"} == before


def test_each_long_part_can_be_skipped_alone(run: Path) -> None:
    parts = {"ceiling": lambda e: e.landmarks.ceiling, "wrong-labels": lambda e: e.suspects}
    parts["size-curve"] = lambda e: e.curve
    assert set(parts) == set(PARTS)
    for part in PARTS:
        found = evaluate(run, skip=[part])
        assert found.skipped == {part: "it was skipped, as asked"}
        assert [name for name in PARTS if parts[name](found) is None] == [part]
        assert (found.parts is None) is (part == "ceiling")


def test_a_ceiling_that_is_known_costs_nothing_and_is_shown_though_skipped(run: Path) -> None:
    first = evaluate(run, skip=("wrong-labels", "size-curve"))
    again = evaluate(run, skip=PARTS)
    assert again.landmarks == first.landmarks
    assert again.parts == first.parts
    assert "ceiling" not in again.skipped


def test_without_time_the_long_parts_are_left_out_and_said_to_be(run: Path) -> None:
    found = evaluate(run, budget=0)
    assert set(found.skipped) == set(PARTS)
    assert all("the 0 seconds were over before it; give more with --budget" in why for why in found.skipped.values())
    assert (found.landmarks.ceiling, found.parts, found.suspects, found.curve) == (None, None, None, None)
    assert found.accuracy.n == 359
    assert "One linear layer" not in found.verdict
    assert not any("can do no better" in sentence for sentence in found.advice)  # that is not known


def test_a_curve_that_would_take_too_long_is_not_begun(run: Path) -> None:
    (run / "times.json").write_text(json.dumps({"seconds": 3600.0, "epochs": []}))
    found = evaluate(run, skip=("ceiling", "wrong-labels"))
    assert found.curve is None
    assert "3600 seconds each" in found.skipped["size-curve"]


def test_a_run_without_a_step_has_no_curve_and_is_not_better_than_chance(train_run: Train, tmp_path: Path) -> None:
    found = evaluate(train_run(tmp_path / "run", epochs=0), skip=("wrong-labels",))
    assert found.skipped["size-curve"] == "the run made no step"
    assert not found.chance.better
    assert "not shown to be better than chance" in found.verdict
    assert f"byhand explain {100 * found.accuracy.value:.2f}% --data digits" in found.advice[0]


def test_an_unfinished_linear_run_is_told_to_train_on(train_run: Train, tmp_path: Path) -> None:
    found = evaluate(train_run(tmp_path / "run", epochs=1), skip=("wrong-labels", "size-curve"))
    assert found.parts is not None
    assert found.parts.optimization > 0.05
    assert "training that has not converged" in found.verdict
    assert "byhand train digits --epochs 2" in found.advice[0]


def test_other_splits_than_the_usual_share_its_landmarks(train_run: Train, tmp_path: Path) -> None:
    plain = evaluate(train_run(tmp_path / "a", epochs=1), skip=("wrong-labels", "size-curve"))
    other = evaluate(train_run(tmp_path / "b", epochs=1, valid=0.3, seed=1), skip=("wrong-labels", "size-curve"))
    assert other.landmarks == plain.landmarks
    assert other.train_accuracy is not None
    assert plain.train_accuracy is not None
    assert other.train_accuracy.n < plain.train_accuracy.n


# Other data than its own.


def write_npz(path: Path, data: Dataset, **arrays: object) -> str:
    content = {
        "x_train": data.train.images,
        "y_train": data.train.labels,
        "x_test": data.test.images,
        "y_test": data.test.labels,
    }
    np.savez(path, **content | arrays)
    return str(path)


def test_judged_by_other_data_it_claims_nothing_of_its_training(run: Path, tmp_path: Path) -> None:
    data = load("digits")
    other = write_npz(tmp_path / "o.npz", data, x_test=data.test.images[:200], y_test=data.test.labels[:200])
    found = evaluate(run, other)
    assert found.accuracy.n == 200
    assert found.title.endswith(f"on {other}")
    assert (found.parts, found.curve, found.train_accuracy, found.overfitting) == (None, None, None, None)
    assert found.skipped == {"size-curve": "it would repeat the run, which learnt from other data"}
    assert found.landmarks.n == 200
    assert "These are other data than it learnt from." in found.verdict
    assert "overfitting" not in found.verdict
    assert "byhand evaluate" in found.advice[0]
    written = record_of(run)
    assert written["test_openings"] == 1
    assert written["data"]["source"] == "digits"
    assert written["evaluation"]["error_parts"] is None
    assert written["evaluation"]["overfitting"] is None


def test_the_same_images_under_another_name_are_its_own(run: Path, tmp_path: Path) -> None:
    data = load("digits", valid=0)
    found = evaluate(run, write_npz(tmp_path / "same.npz", data), skip=PARTS)
    assert found.train_accuracy is not None
    assert found.accuracy.n == 359


def test_data_that_changed_since_are_refused_and_not_counted(train_run: Train, tmp_path: Path) -> None:
    data = load("digits")
    source = write_npz(tmp_path / "d.npz", data)
    run = train_run(tmp_path / "run", source, epochs=1)
    evaluate(run, skip=PARTS)
    images = data.test.images.copy()
    images[0, 0, 0] ^= 1
    write_npz(tmp_path / "d.npz", data, x_test=images)
    with pytest.raises(DataError, match="its content has changed since") as caught:
        evaluate(run)
    assert "\n" not in str(caught.value)
    assert record_of(run)["test_openings"] == 1
    assert evaluate(run, source, skip=PARTS).openings == 2  # named, they will do


@pytest.mark.parametrize(("size", "classes"), [(6, 10), (8, 2)])
def test_images_or_classes_that_the_model_does_not_know_are_refused(
    run: Path, tmp_path: Path, size: int, classes: int
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (60, size, size), dtype=np.uint8)
    np.savez(tmp_path / "other.npz", images=images, labels=np.arange(60) % classes)
    with pytest.raises(DataError, match=rf"{size}×{size} pixels and {classes} classes.* learnt 8×8 pixels and 10"):
        evaluate(run, str(tmp_path / "other.npz"))
    assert record_of(run)["test_openings"] == 0


# What is no run, or no longer a sound one.


def test_what_is_no_run_is_one_line(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(DataError, match=r"is not a run: run\.json") as caught:
            evaluate(folder)
        assert "\n" not in str(caught.value)


def test_a_part_that_does_not_exist_cannot_be_skipped(run: Path) -> None:
    with pytest.raises(UsageError, match="--skip weights: choose from ceiling, wrong-labels, size-curve"):
        evaluate(run, skip=["weights"])
    assert record_of(run)["test_openings"] == 0


@pytest.mark.parametrize("content", [None, b"{", b"[]\n", b"\xff\n", b'{"loss": 1}\n'], ids=str)
def test_a_damaged_history_is_one_line(run: Path, content: bytes | None) -> None:
    path = run / "history.jsonl"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"history\.jsonl") as caught:
        evaluate(run, skip=PARTS)
    assert "\n" not in str(caught.value)


PLACES = [
    ("data", "source"),
    ("data", "hash"),
    ("data", "shape"),
    ("data", "classes"),
    ("settings", "epochs"),
    ("settings", "model"),
    ("settings", "valid"),
    ("settings", "seed"),
    ("settings", "size"),
    ("settings", "init"),
    ("data",),
    ("settings",),
    ("lr",),
    ("test_openings",),
]


def outcome(run: Path) -> str:
    """What is said of a run that cannot be evaluated; nothing of one that can."""
    try:
        evaluate(run, skip=PARTS)
    except (DataError, UsageError) as error:
        return str(error)
    return ""


@pytest.mark.parametrize("place", PLACES, ids=".".join)
def test_a_damaged_record_is_one_line(run: Path, place: tuple[str, ...]) -> None:
    text = (run / "run.json").read_text()
    for value in ("gone", None, [], {}, "text", math.inf):
        record = json.loads(text)
        inner = record[place[0]] if len(place) == 2 else record
        if value == "gone":
            del inner[place[-1]]
        else:
            inner[place[-1]] = value
        (run / "run.json").write_text(json.dumps(record))
        said = outcome(run)
        assert "\n" not in said
        if not said:  # a setting that is left out, or empty, is chosen anew
            assert (place[0] == "settings" and not value) or value in ("gone", math.inf)


def test_a_model_that_gives_no_numbers_is_one_line(run: Path) -> None:
    tensors = safetensors.torch.load_file(run / "model.safetensors")
    tensors["0.weight"][0, 0] = math.nan
    checkpoint.write_weights(run, tensors)
    with pytest.raises(DataError, match="answers with what is no number"):
        evaluate(run, skip=PARTS)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_to_is_one_line(run: Path) -> None:
    run.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        with pytest.raises(DataError, match=r"cannot write .*run\.json"):
            evaluate(run, skip=PARTS)
    finally:
        run.chmod(stat.S_IRWXU)


def test_a_handful_of_test_images_proves_nothing_and_is_said_to(train_run: Train, tmp_path: Path) -> None:
    data = load("digits")
    rows = np.concatenate([np.flatnonzero(data.train.labels == c)[:2] for c in range(10)])
    np.savez(tmp_path / "few.npz", images=data.train.images[rows], labels=data.train.labels[rows])
    found = evaluate(train_run(tmp_path / "run", str(tmp_path / "few.npz")))
    assert found.accuracy.n == 4
    assert found.accuracy.low > found.chance.value
    assert not found.chance.better
    assert "test images are too few to show it" in found.advice[0]
    assert found.skipped["size-curve"].startswith("too few images")
