"""What the sections of the report show, before it is a page."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from byhand.evaluate.results import ErrorParts, Evaluation
from byhand.evaluate.sections import (
    calibration_words,
    confused_images,
    confusion_shades,
    error_parts,
    interval_floor,
    made_of,
    overfitting_words,
    rungs,
    weight_pictures,
    worst_mistakes,
)
from byhand.evaluate.statistics import Difference


@pytest.mark.parametrize(
    ("gap", "words"),
    [
        (Difference(0.005, 0.001, 0.009), "overfits a little"),
        (Difference(0.03, 0.02, 0.04), "It overfits: some"),
        (Difference(0.2, 0.1, 0.3), "overfits strongly"),
        (Difference(0.001, -0.01, 0.012), "No overfitting can be seen"),
        (Difference(-0.03, -0.04, -0.02), "better on the test part"),
    ],
)
def test_overfitting_is_said_in_words(gap: Difference, words: str) -> None:
    assert words in overfitting_words(gap)


@pytest.mark.parametrize(
    ("shift", "words"), [(0.1, "surer than right, by 10.0 points"), (-0.1, "less sure than right"), (0.0, "in places")]
)
def test_calibration_is_said_in_words(full: Evaluation, shift: float, words: str) -> None:
    bins = [replace(one, confidence=one.accuracy.value + shift) for one in full.calibration.bins]
    wrong = replace(full.calibration, ece=0.1, ece_low=0.05, bins=bins)
    assert words in calibration_words(wrong)
    assert "chance alone" in calibration_words(replace(wrong, ece_low=0.0))


def test_the_ladder_goes_up(full: Evaluation) -> None:
    ladder = rungs(full)
    values = [accuracy.value for _, _, accuracy in ladder]
    assert values == sorted(values)
    assert [kind for kind, _, _ in ladder] == ["baseline"] * 3 + ["model", "ceiling"]


def test_the_bar_s_shares_add_up_and_a_gain_has_none() -> None:
    assert [share for *_, share in error_parts(ErrorParts(0.01, 0.02, 0.05))] == pytest.approx([0.125, 0.25, 0.625])
    assert [share for *_, share in error_parts(ErrorParts(-0.01, 0.0, 0.05))] == [0, 0, 1]
    assert [share for *_, share in error_parts(ErrorParts(0.0, 0.0, 0.0))] == [0, 0, 0]
    assert error_parts(None) == []


def test_the_scale_of_intervals_begins_below_all_of_them(full: Evaluation) -> None:
    floor = interval_floor(full)
    hits, images = full.confusion.diagonal(), full.confusion.sum(axis=1)
    assert 0 <= floor < (hits / images).min()
    assert floor * 10 == pytest.approx(round(floor * 10))


def test_shades_are_shares_and_errors_have_a_scale_of_their_own(full: Evaluation) -> None:
    shade = confusion_shades(full)["shade"]
    share = full.confusion / full.confusion.sum(axis=1, keepdims=True)
    assert shade.diagonal() == pytest.approx(share.diagonal())
    off = ~np.eye(10, dtype=bool)
    assert shade[off].max() == 1
    assert shade[off] * share[off].max() == pytest.approx(share[off])


def test_mistakes_are_all_mistakes_and_the_worst_come_first(full: Evaluation) -> None:
    mistakes = worst_mistakes(full)
    said = full.probs.argmax(axis=1)
    assert len(mistakes) == 24
    assert all(one["label"] == full.labels[one["row"]] != one["said"] == said[one["row"]] for one in mistakes)
    given = [full.probs[one["row"], one["label"]] for one in mistakes]
    rest = set(np.flatnonzero(said != full.labels)) - {one["row"] for one in mistakes}
    assert [one["label_prob"] for one in mistakes] == given == sorted(given)
    assert max(given) <= min(full.probs[row, full.labels[row]] for row in rest)


def test_every_pair_shows_images_of_its_own(full: Evaluation) -> None:
    for pair, images in confused_images(full):
        assert len(images) == min(6, pair.count)


def test_weights_are_named_by_class_or_by_unit(full: Evaluation) -> None:
    classes = [f"class {i}" for i in range(10)]
    assert [name for name, _ in weight_pictures(full, classes)["weights"]] == classes
    units = weight_pictures(replace(full, linear=False), classes)["weights"]
    assert [name for name, _ in units] == [f"unit {i}" for i in range(1, 11)]
    assert weight_pictures(replace(full, weights=None), classes) == {"weights": [], "scale": 0.0}


def test_the_record_is_shown_whole_and_in_plain_words(full: Evaluation) -> None:
    tables = {title: dict(rows) for title, rows in made_of(full)}
    assert tables["Settings"] == {"model": "linear", "hidden": "–", "seed": "4242", "reproducible": "no", "lr": "0.25"}
    assert tables["Data"] == {"source": "digits", "train": "1,294", "hash": "f00d" * 16, "shape": "8, 8"}
    assert tables["Versions"]["torch"] == "2.13.0"
    assert tables["Run"]["threads"] == "1"


def test_a_record_that_holds_nothing_is_no_fault(make_evaluation: Callable[..., Evaluation]) -> None:
    assert [title for title, _ in made_of(replace(make_evaluation(), record={"data": None}))] == ["Run"]
