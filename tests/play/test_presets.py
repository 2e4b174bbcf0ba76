"""Both seeds' faults can be replayed, and their texts tell what happens."""

import re
from pathlib import Path

import pytest

from byhand.play.presets import PRESETS, Preset
from tests.play._studios import studio, until

RANGES = {  # validation accuracy on MNIST at the end, in percent
    "first-seed": (57, 61),
    "first-seed-fixed": (90.5, 92.5),
    "second-seed": (67, 71),
    "second-seed-fixed": (90.5, 92.5),
    "second-seed-network": (72, 78),
    "second-seed-network-fixed": (94, 96.5),
}


def ended(preset: Preset, source: str) -> dict:
    with studio(source) as made:
        made.do({"do": "preset", "id": preset.id})
        until(lambda: not made.state()["playing"])
        state = made.state()
    assert state["message"] is None
    assert state["epoch"] == preset.controls.stop_after
    return state


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.id)
def test_each_is_short_and_plays_to_its_end(preset: Preset) -> None:
    assert len(preset.title) <= 40
    assert preset.text.count(". ") <= 1
    assert preset.text.endswith(".")
    ended(preset, "digits")


def test_each_has_one_range() -> None:
    assert [preset.id for preset in PRESETS] == list(RANGES)


@pytest.mark.full
@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.id)
def test_on_mnist_each_ends_where_its_text_says(preset: Preset, mnist_path: Path) -> None:
    last = ended(preset, str(mnist_path))["history"][-1]
    low, high = RANGES[preset.id]
    assert low <= 100 * last["valid_accuracy"] <= high
    said = [float(number) for number in re.findall(r"about (\d+) %", preset.text)]
    assert abs(said[-1] - 100 * last["valid_accuracy"]) < 1.5
    if preset.controls.metric == "broadcast":
        assert abs(said[0] - 100 * last["printed_accuracy"]) < 2
