"""The report's curves: their words, their marks, and that the same numbers give the same bytes."""

import math
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from byhand.evaluate.plots import accuracy_curve, loss_curve, reliability_diagram, size_curve
from byhand.evaluate.results import Evaluation
from byhand.evaluate.statistics import Difference

Row = dict[str, float | None]


def texts(svg: str | None) -> list[str]:
    assert svg is not None
    return ["".join(node.itertext()) for node in ElementTree.fromstring(svg).iter("text")]  # noqa: S314, our own


def every(e: Evaluation) -> list[str]:
    assert e.curve is not None
    svgs = [loss_curve(e.history, 10, 0.2), accuracy_curve(e.history, 0.926), reliability_diagram(e.calibration.bins)]
    return [svg for svg in (*svgs, size_curve(e.curve)) if svg is not None]


def row(epoch: int, loss: float | None, accuracy: float | None) -> Row:
    return {"epoch": epoch, "train_loss": loss, "train_accuracy": accuracy, "valid_loss": None, "valid_accuracy": None}


def test_the_curves_name_what_they_draw(full: Evaluation) -> None:
    loss, accuracy, reliability, size = map(texts, every(full))
    assert {"train", "valid", "ln 10: knowing nothing", "best linear layer", "epoch", "loss (nats)"} <= {*loss}
    assert {"train", "valid", "best linear layer (test part)", "accuracy", "10 %", "80 %"} <= {*accuracy}
    assert {"as right as sure", "this model", "how sure the model is", "100 %"} <= {*reliability}
    assert {"measured", "fitted curve", "expected of twice", "1,600", "training images"} <= {*size}


def test_a_picture_has_a_label_and_no_fixed_size_or_colour_of_its_own(full: Evaluation) -> None:
    for svg in every(full):
        root = ElementTree.fromstring(svg)  # noqa: S314, our own
        assert root.get("role") == "img"
        assert root.get("aria-label") == root.findtext("title") != ""
        assert root.get("width") is None
        assert root.get("viewBox")
        assert not re.search(r"#[0-9a-f]{6}\b(?!\d)", re.sub(r"(?:href=\"#|url\(#|id=\")[^\")]*", "", svg))


def test_nothing_in_a_picture_is_an_address_or_a_style_of_the_page(full: Evaluation) -> None:
    for svg in every(full):
        assert "http" not in svg
        assert "<style" not in svg
        assert "font-family" not in svg


def test_ids_are_used_and_no_two_pictures_share_one(full: Evaluation) -> None:
    svgs = every(full)
    ids = [name for svg in svgs for name in re.findall(r' id="([^"]*)"', svg)]
    assert len(set(ids)) == len(ids) > 0
    used = {name for svg in svgs for name in re.findall(r'(?:href="#|url\(#)([^")]*)', svg)}
    assert used == set(ids)


def test_the_same_numbers_give_the_same_bytes(full: Evaluation) -> None:
    assert every(full) == every(full)


def test_another_process_gives_the_same_bytes() -> None:
    code = "from byhand.evaluate.plots import *; print(loss_curve([{'epoch': 0, 'train_loss': 2.0}], 10, 0.2))"
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout for _ in range(2)]
    assert runs[0] == runs[1] != b""


def test_without_a_validation_part_there_is_one_line(make_evaluation: Callable[..., Evaluation]) -> None:
    e = make_evaluation(valid=False)
    for svg in (loss_curve(e.history, 10, None), accuracy_curve(e.history, None)):
        assert "train" in texts(svg)
        assert "valid" not in texts(svg)


def test_no_history_no_picture() -> None:
    assert loss_curve([], 10, None) is None
    assert accuracy_curve([row(0, 2.3, None)], 0.9) is None


@pytest.mark.parametrize("loss", [math.nan, math.inf, None])
def test_an_epoch_that_is_no_number_is_left_out(loss: float | None) -> None:
    with_it = loss_curve([row(0, 2.3, None), row(1, 1.0, None), row(2, loss, None)], 10, None)
    assert with_it == loss_curve([row(0, 2.3, None), row(1, 1.0, None)], 10, None)


def test_a_loss_that_explodes_is_drawn_on_a_scale_of_factors() -> None:
    assert "1000" in texts(loss_curve([row(0, 2.3, None), row(1, 5e4, None)], 10, None))


@pytest.mark.parametrize("accuracies", [[0.1, 1.0], [1.0], [0.0], [0.0, 1.0], [0.925, 0.9251], [0.5] * 60, [0.99999]])
def test_any_accuracy_can_be_drawn(accuracies: list[float]) -> None:
    svg = accuracy_curve([row(i, None, accuracy) for i, accuracy in enumerate(accuracies)], None)
    labels = [text for text in texts(svg) if text.endswith("%")]
    assert ("100 %" in labels) == (1.0 in accuracies)
    assert len(set(labels)) == len(labels)


def test_all_right_stands_one_halving_beyond_the_smallest_error() -> None:
    svg = accuracy_curve([row(i, None, accuracy) for i, accuracy in enumerate([0.1, 0.99, 1.0])], None)
    labels = [text for text in texts(svg) if text.endswith("%")]
    assert labels == ["10 %", "50 %", "80 %", "90 %", "95 %", "98 %", "99 %", "100 %"]


def test_the_scale_has_round_ticks_even_where_little_happens() -> None:
    svg = accuracy_curve([row(0, None, 0.921), row(1, None, 0.926)], None)
    assert len([text for text in texts(svg) if text.endswith("%")]) >= 3


@pytest.mark.parametrize("change", [{"a": math.nan}, {"a": -0.5}, {"twice": Difference(0.0, -0.01, 0.02)}])
def test_a_curve_that_fits_badly_is_drawn_all_the_same(full: Evaluation, change: dict[str, object]) -> None:
    assert full.curve is not None
    assert "measured" in texts(size_curve(replace(full.curve, **change)))  # type: ignore[arg-type]


def test_no_bins_and_no_points_no_picture(full: Evaluation) -> None:
    assert full.curve is not None
    assert reliability_diagram([]) is None
    assert size_curve(replace(full.curve, points=())) is None
