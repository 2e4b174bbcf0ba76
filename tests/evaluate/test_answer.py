"""The answer's words: what they say fits the numbers, and the commands that they name can be typed."""

import re
import shlex
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byhand.evaluate import answer
from byhand.evaluate.explain import read_number
from byhand.evaluate.results import Ceiling, Chance, ErrorParts, Evaluation
from byhand.evaluate.statistics import Difference, Proportion, newcombe, wilson


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.58, "58.0 %"), (0.1135, "11.4 %"), (0.0, "0.0 %"), (1.0, "100.0 %"), (0.99949, "99.9 %"), (0.9995, "100.0 %")],
)
def test_a_share_is_a_percentage_with_one_decimal(value: float, text: str) -> None:
    assert answer.percent(value) == text


@given(st.floats(0, 1))
def test_a_percentage_is_off_by_half_a_last_digit_at_most(value: float) -> None:
    assert abs(float(answer.percent(value).removesuffix(" %")) - 100 * value) <= 0.05 + 1e-8


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (0.0, "p < 1e-300"),
        (1e-301, "p < 1e-300"),
        (2.1e-5, "p = 2e-05"),
        (0.00099, "p = 1e-03"),
        (0.312, "p = 0.31"),
        (1.0, "p = 1"),
    ],
)
def test_a_p_value_is_said_with_its_size(p: float, text: str) -> None:
    assert answer.p_words(p) == text


def test_chance_is_said_both_ways() -> None:
    assert answer.judged(Chance(0.1135, "1", 0.0, True)) == (
        "Always saying 1 gives 11.4 %: yours has learnt (p < 1e-300)."
    )
    assert answer.judged(Chance(0.1135, "1", 0.31, False)) == (
        "Always saying 1 gives 11.4 %: yours is not shown to be better than chance (p = 0.31)."
    )


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ((0.346, 0.012, 0.062), "Of the 42.0 points that are missing, 34.6 are training that has not converged, 1.2 "
         "are too few images, 6.2 are what one linear layer cannot say."),
        ((0.0, 0.012, 0.408), "Of the 42.0 points that are missing, none is training, 1.2 are too few images, 40.8 are "
         "what one linear layer cannot say."),
        ((-0.002, 0.014, 0.408), "Of the 42.0 points that are missing, 1.4 are too few images, 40.8 are what one "
         "linear layer cannot say; it has 0.2 more than the optimum has on these images, which is luck."),
    ],
)  # fmt: skip
def test_the_missing_points_are_said_part_by_part(parts: tuple[float, float, float], words: str) -> None:
    assert answer.missing(wilson(5800, 10_000), ErrorParts(*parts)) == words


@pytest.mark.parametrize(
    ("train", "test", "words"),
    [
        ((1290, 1294), (330, 359), "that much is overfitting"),
        ((1190, 1294), (330, 359), "no overfitting is to be seen"),
        ((900, 1294), (330, 359), "fewer than on the test images, which are easier"),
    ],
)
def test_overfitting_is_said_where_the_interval_says_it(
    train: tuple[int, int], test: tuple[int, int], words: str
) -> None:
    said = answer.overfitting(wilson(*train), wilson(*test), newcombe(*train, *test))
    assert words in said
    assert said.startswith(f"It is right on {100 * train[0] / train[1]:.1f} % of the images that it learnt from")


def test_the_verdict_goes_from_the_number_to_the_rest(full: Evaluation) -> None:
    said = answer.verdict(full)
    places = [said.index(words) for words in ("Always saying 0", "Nearest mean image", "One linear layer", "Of the")]
    assert places == sorted(places)
    assert said.startswith(answer.interval(full.accuracy))
    assert "These are other data" not in said


def test_the_verdict_of_a_network_is_set_beside_the_linear_layer(full: Evaluation) -> None:
    net = replace(full, linear=False, parts=None)
    assert full.landmarks.ceiling is not None
    best = full.landmarks.ceiling.accuracy.value
    for value, words in ((best + 0.031, "3.1 points more than that."), (best - 0.022, "2.2 points less than that.")):
        said = answer.verdict(replace(net, accuracy=replace(full.accuracy, value=value)))
        assert f"The network has {words}" in said


def test_without_a_ceiling_or_its_own_data_the_verdict_claims_neither(full: Evaluation) -> None:
    bare = replace(full, parts=None, landmarks=replace(full.landmarks, ceiling=None))
    assert "linear layer" not in answer.verdict(bare)
    other = replace(full, parts=None, train_accuracy=None, overfitting=None)
    assert answer.verdict(other).endswith("These are other data than it learnt from.")


# What to do next.


@pytest.fixture
def told(full: Evaluation) -> Callable[..., str]:
    """The first advice on a sound evaluation with some of it changed."""
    sound = replace(full, alarms=())

    def first(**changes: object) -> str:
        return answer.advice(replace(sound, **changes))[0]

    return first


def test_an_alarm_comes_before_all_else(told: Callable[..., str]) -> None:
    assert told(alarms=("leak",)).startswith("Find out first why the number is too good")


def test_no_better_than_chance_is_a_fault_or_too_few_images(told: Callable[..., str], full: Evaluation) -> None:
    chance = Chance(0.1, "0", 0.4, False)
    said = told(accuracy=wilson(60, 600), chance=chance)
    assert "byhand explain 10.00% --data digits" in said
    said = told(accuracy=wilson(4, 5), chance=Chance(0.2, "0", 0.007, False))
    assert said == "It may well have learnt, but 5 test images are too few to show it: take more."
    odd = replace(full.landmarks, source="my data/d.npz")
    words = shlex.split(told(accuracy=wilson(60, 600), chance=chance, landmarks=odd).partition(": ")[2])
    assert words == ["byhand", "explain", "10.00%", "--data", "my data/d.npz"]
    assert read_number(words[2]).value == pytest.approx(0.1)


def test_what_has_not_converged_is_told_to_train_on_unless_it_may_be_luck(
    told: Callable[..., str], full: Evaluation
) -> None:
    def ceiling(value: float) -> Ceiling:
        assert full.landmarks.ceiling is not None
        return replace(full.landmarks.ceiling, accuracy=Proportion(value, value - 0.02, value + 0.02, 600))

    def case(own: int, best: float) -> str:
        accuracy = wilson(own, 600)
        parts = ErrorParts(best - accuracy.value, 0.02, 1 - best - 0.02)
        record = {**full.record, "settings": {**full.record["settings"], "epochs": 20}}
        marks = replace(full.landmarks, ceiling=ceiling(best))
        return told(accuracy=accuracy, parts=parts, landmarks=marks, record=record)

    assert case(420, 0.9).startswith("Train until it has converged: byhand train digits --epochs 40")
    assert case(536, 0.91).startswith("One linear layer can do no better")  # 1.7 points, which luck can give


def test_a_ceiling_that_was_left_out_is_no_ground_to_give_up_one_layer(
    told: Callable[..., str], full: Evaluation
) -> None:
    said = told(parts=None, landmarks=replace(full.landmarks, ceiling=None))
    assert "can do no better" not in said
    assert "the ceiling" in said


def test_other_data_than_its_own_ask_for_its_own(told: Callable[..., str]) -> None:
    said = told(parts=None, train_accuracy=None, overfitting=None, run="my runs/1")
    assert shlex.split(said.partition(": ")[2]) == ["byhand", "evaluate", "my runs/1"]


def test_a_network_is_told_to_train_to_hold_back_or_to_grow(told: Callable[..., str], full: Evaluation) -> None:
    record = {**full.record, "settings": {**full.record["settings"], "model": "mlp", "hidden": [30, 12]}}
    net = {"linear": False, "parts": None, "record": record}
    assert "not trained yet" in told(**net, accuracy=wilson(300, 600))
    high = wilson(595, 600)
    assert "--dropout 0.2" in told(**net, accuracy=high, overfitting=Difference(0.03, 0.02, 0.04))
    said = told(**net, accuracy=high, overfitting=Difference(0.003, -0.001, 0.008))
    assert re.search(r"byhand train digits --hidden 60,24$", said)


def test_more_images_are_advised_only_where_the_curve_still_falls(full: Evaluation) -> None:
    assert full.curve is not None
    assert full.parts is not None
    done = replace(full, alarms=(), parts=replace(full.parts, optimization=0.0))
    last = 1 - full.curve.points[-1].accuracy.value
    for twice, expected in ((last - 0.02, True), (last + 0.001, False)):
        curve = replace(full.curve, twice=Difference(twice, twice - 0.01, twice + 0.01))
        said = answer.advice(replace(done, curve=curve))
        assert any("Twice as many images" in sentence for sentence in said) is expected
        if expected:
            bounds = f"({100 * (1 - twice - 0.01):.1f} to {100 * (1 - twice + 0.01):.1f})"
            assert said[-1].endswith(f"{100 * (1 - twice):.1f} % {bounds}.")
