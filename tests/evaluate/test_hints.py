"""Known numbers get the hints that belong to them, ordinary ones get none, and nothing raises."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from byhand.evaluate.causes import CAUSES
from byhand.evaluate.hints import hints
from byhand.evaluate.results import Baseline, Ceiling, Landmarks
from byhand.evaluate.statistics import Proportion, wilson

LANDMARKS = Landmarks(  # as measured on the genuine files
    source="mnist",
    n=10_000,
    classes=tuple("0123456789"),
    counts=(980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009),
    train_counts=(5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949),
    baselines=(
        Baseline("uniform guess", Proportion(0.1, 0.1, 0.1, 10_000)),
        Baseline("always 1", wilson(1135, 10_000)),
        Baseline("nearest mean image", wilson(8203, 10_000)),
    ),
    ceiling=Ceiling(wilson(9261, 10_000), 0.9342, 0.2392, 0.2629, 4e-8, 1e-4, 6.0),
    no_ceiling=None,
)
OTHER = replace(  # other pictures, as many of each class
    LANDMARKS,
    source="fashion-mnist",
    counts=(1000,) * 10,
    train_counts=(6000,) * 10,
    baselines=(Baseline("nearest mean image", wilson(6768, 10_000)),),
    ceiling=Ceiling(wilson(8440, 10_000), 0.87, 0.37, 0.44, 4e-8, 1e-4, 6.0),
)
TWO = replace(
    LANDMARKS,
    source="pairs",
    n=200,
    classes=("cat", "dog"),
    counts=(104, 96),
    train_counts=(400, 400),
    baselines=(),
    ceiling=None,
)


def number(value: float, digits: int | None, n: int | None = None, linear: bool = True) -> list[str]:
    return hints(value, digits, n, LANDMARKS, linear=linear)


def of_loss(loss: float, value: float | None = None, linear: bool = True) -> str:
    return " ".join(hints(value, 3, None, LANDMARKS, loss, linear))


# A constant answer.


@pytest.mark.parametrize(("value", "digits", "n"), [(0.0982, 4, None), (0.0982, None, 10_000), (0.0982, 4, 10_000)])
def test_982_of_10000_is_always_4(value: float, digits: int | None, n: int | None) -> None:
    first = number(value, digits, n)[0]
    assert first == "982 of the 10,000 test images are of class 4: the model says 4 to everything."


def test_1135_percent_is_always_1() -> None:
    for value, digits in ((0.1135, 4), (0.113, 3), (0.114, 3)):  # rounded either way, or cut
        assert number(value, digits)[0].endswith("of class 1: the model says 1 to everything.")
    assert number(0.1136, 4)[0].startswith("About 1 in 10")


def test_three_decimals_may_fit_two_classes_and_both_are_named() -> None:
    first = number(0.098, 3)[0]
    assert "980 of the 10,000 test images are of class 0 and 982 of class 4" in first
    assert "says 0 or 4 to everything" in first


def test_a_share_of_the_training_images_is_said_to_be_one() -> None:
    first = number(0.1124, 4)[0]
    assert first.startswith("6,742 of the 60,000 images to learn from are of class 1")
    assert number(0.1124, 4, n=6000)[0] == first


def test_other_images_than_the_test_part_have_no_count_of_it() -> None:
    assert not any("test images are of class" in hint for hint in number(0.0982, 4, n=6000))


def test_all_but_the_fours_is_the_answer_no_to_is_it_a_four() -> None:
    assert number(0.9018, 4)[0].startswith("9,018 of the 10,000 test images are not of class 4")
    assert "Measured with one linear layer" in number(0.9018, 4)[1]  # it may be chance
    assert not any("are not of class" in hint for hint in number(0.902, 3))  # too coarse to tell


def test_a_coarse_number_that_fits_many_classes_names_none() -> None:
    for value, digits in ((0.10, 2), (0.1, 1)):
        assert number(value, digits)[0].startswith("About 1 in 10: the model guesses, or says one class")
    assert hints(0.1, None, 10_000, OTHER)[0].startswith("About 1 in 10")


def test_names_of_classes_are_shown_with_control_characters_escaped() -> None:
    hostile = replace(LANDMARKS, classes=("\x1b[2J", *"123456789"))
    assert "class \\x1b[2J" in hints(0.98 / 10, 4, None, hostile)[0]


# A place on the ladder.


def test_below_chance_something_turns_the_answer_round() -> None:
    found = number(0.0, 4)
    assert found[0].startswith("Worse than guessing")
    assert "argmin of the probabilities" in found[1]


def test_58_percent_gets_its_likely_causes_in_order() -> None:
    found = number(0.58, 2)
    assert "standard deviation 1, and a rate of about 0.01" in found[0]
    assert "42.3 to 71.0 %" in found[0]
    assert "epsilon inside the log" in found[1]
    assert "sorted by class" in found[2]
    assert all("Measured with one linear layer on MNIST" in hint for hint in found)
    assert len(found) == 3


def test_causes_are_given_only_where_they_were_measured() -> None:
    (other,) = hints(0.58, 2, None, OTHER)
    assert other.startswith("The nearest mean image has 67.7 % without any training")
    (network,) = number(0.58, 2, linear=False)
    assert network.startswith("The nearest mean image has 82.0 % without any training")


def test_a_number_between_all_ranges_gets_the_nearest_cause() -> None:
    assert not any(cause.away(0.28) == 0 for cause in CAUSES)
    assert "sorted by class" in number(0.28, 2)[0]


@pytest.mark.parametrize(("value", "digits"), [(0.926, 3), (0.93, 2), (0.9261, None)])
def test_at_the_ceiling_more_epochs_do_not_help(value: float, digits: int | None) -> None:
    assert number(value, digits) == [
        "This is as good as one linear layer gets: more epochs will not help, a hidden layer will."
    ]
    assert "hidden layers do nothing yet" in number(value, digits, linear=False)[0]


def test_a_linear_model_above_the_ceiling_is_too_good() -> None:
    for value in (0.94, 0.99):
        assert number(value, 2)[0].startswith("Too good for one linear layer on these pixels, whose best has 92.6 %")
        assert number(value, 2, linear=False) == []
    assert number(0.94, 2, n=200) == []  # with so few images it may be luck


def test_100_percent_was_measured_on_what_was_learnt() -> None:
    for value, digits in ((1.0, 2), (1.0, None), (0.99996, 4)):
        assert "images that the model learnt from" in number(value, digits, linear=False)[0]


def test_a_network_below_the_linear_ceiling_is_not_trained_yet() -> None:
    assert number(0.88, 2, linear=False)[0].startswith("A network below the best linear layer")


def test_few_images_say_nothing() -> None:
    assert number(1.0, None, n=1) == ["On 1 image it could as well be 21 as 100 %: judge it on more."]
    assert len(number(0.6, None, n=10)) == 1


def test_two_classes_are_told_apart_by_their_shares() -> None:
    assert hints(0.52, 2, None, TWO)[0].endswith("the model says cat to everything.")
    assert hints(0.48, 2, None, TWO)[0].endswith("the model says dog to everything.")


# A loss.


@pytest.mark.parametrize("loss", [2.3026, 2.303, 2.30])
def test_ln_10_is_the_loss_of_equal_probabilities(loss: float) -> None:
    assert "is ln 10: every class gets the same probability" in of_loss(loss)


def test_1461_is_the_floor_of_cross_entropy_of_probabilities() -> None:
    assert "log(1 + 9/e)" in of_loss(1.461)
    assert "hand it the logits" in of_loss(1.57, 0.89)  # 1.461 and a nat for each wrong answer
    assert "hand it the logits" not in of_loss(1.0, 0.89)


@pytest.mark.parametrize(("loss", "epsilon"), [(18.42, "1e-8"), (16.12, "1e-7"), (27.63, "1e-12"), (34.54, "1e-15")])
def test_a_loss_capped_by_an_epsilon_names_it(loss: float, epsilon: str) -> None:
    assert f"an epsilon of {epsilon} inside the log" in of_loss(loss)


def test_a_loss_above_ln_10_is_surer_of_wrong_answers() -> None:
    assert "surer of its wrong answers" in of_loss(7.9)
    assert "Large initial weights" in of_loss(2.32)


def test_losses_that_no_mean_of_minus_log_p_can_have() -> None:
    assert "never negative" in of_loss(-0.87)
    for loss in (math.nan, math.inf, -math.inf):
        assert "not finite" in of_loss(loss)
    assert "certainty on every image" in of_loss(0.0)


def test_a_loss_below_the_optimum_is_possible_only_on_what_was_learnt() -> None:
    assert "as a training loss it is possible" in of_loss(0.22)
    assert "far below the best linear layer's 0.2629" in of_loss(0.001)
    assert of_loss(0.22, linear=False) == ""
    assert of_loss(0.26) == ""


def test_a_loss_and_an_accuracy_that_do_not_fit_are_said_to() -> None:
    assert "The loss says that the model has learnt, the accuracy that it has not" in of_loss(0.4, 0.101)
    assert "The accuracy says that the model has learnt, the loss that it has not" in of_loss(2.31, 0.9)
    assert "has not" not in of_loss(0.4, 0.88)
    assert "has not" not in of_loss(2.3026, 0.1)
    assert hints(0.71, 2, 2000, TWO, loss=0.55) == []  # two classes


def test_a_good_network_gets_no_hint() -> None:
    assert hints(0.978, 3, None, LANDMARKS, loss=0.08, linear=False) == []


# Anything.

VALUES = st.none() | st.floats(0, 1) | st.floats()
COUNTS = st.lists(st.integers(0, 50), min_size=2, max_size=12).filter(any)


@given(
    VALUES,
    st.none() | st.integers(-3, 400),
    st.none() | st.integers(-1, 20_000),
    COUNTS,
    st.none() | st.floats(),
    st.booleans(),
    st.booleans(),
)
def test_any_number_gets_sentences_and_no_error(
    value: float | None,
    digits: int | None,
    n: int | None,
    counts: list[int],
    loss: float | None,
    linear: bool,
    known: bool,
) -> None:
    landmarks = replace(
        LANDMARKS,
        n=sum(counts),
        classes=tuple(f"class {i}" for i in range(len(counts))),
        counts=tuple(counts),
        train_counts=tuple(counts),
        baselines=LANDMARKS.baselines if known else (),
        ceiling=LANDMARKS.ceiling if known else None,
    )
    found = hints(value, digits, n, landmarks, loss, linear)
    assert all(hint.endswith((".", "?")) for hint in found)
    assert len(set(found)) == len(found)


@given(st.integers(0, 10_000), st.booleans())
def test_a_count_and_its_percentage_get_the_same_hints(hits: int, linear: bool) -> None:
    assert number(hits / 10_000, None, linear=linear) == number(hits / 10_000, 4, linear=linear)
