"""A bare number: read as it was written, judged by exact tests, and told what it may come from."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from byhand.errors import UsageError
from byhand.evaluate.explain import Given, Question, ask, explain, read_number
from byhand.evaluate.results import Baseline, Ceiling, Landmarks
from byhand.evaluate.statistics import Proportion, wilson

COUNTS = (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009)
TRAIN = (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)
MNIST = Landmarks(
    source="mnist",
    n=10_000,
    classes=tuple("0123456789"),
    counts=COUNTS,
    train_counts=TRAIN,
    baselines=(
        Baseline("uniform guess", Proportion(0.1, 0.1, 0.1, 10_000)),
        Baseline("always 1", wilson(1135, 10_000)),
        Baseline("nearest mean image", wilson(8203, 10_000)),
    ),
    ceiling=Ceiling(wilson(9260, 10_000), 0.9386, 0.2243, 0.2663, 8e-7, 1e-4, 9.0),
    no_ceiling=None,
)


@pytest.mark.parametrize(
    ("text", "value", "digits", "n"),
    [
        ("58%", 0.58, 2, None),
        ("58 %", 0.58, 2, None),
        (" 58% ", 0.58, 2, None),
        ("+58%", 0.58, 2, None),
        ("58", 0.58, 2, None),
        ("58.0", 0.58, 3, None),
        ("58.%", 0.58, 2, None),
        ("0.58", 0.58, 2, None),
        (".58", 0.58, 2, None),
        ("0,58", 0.58, 2, None),
        (",58", 0.58, 2, None),
        ("58,25 %", 0.5825, 4, None),
        ("5800/10000", 0.58, None, 10_000),
        ("5800 / 10000", 0.58, None, 10_000),
        ("9.82%", 0.0982, 4, None),
        ("11.35%", 0.1135, 4, None),
        ("0.098", 0.098, 3, None),
        ("982/10000", 0.0982, None, 10_000),
        ("100%", 1.0, 2, None),
        ("100", 1.0, 2, None),
        ("1", 1.0, 0, None),
        ("1.0", 1.0, 1, None),
        ("1%", 0.01, 2, None),
        ("0.5%", 0.005, 3, None),
        ("1.5", 0.015, 3, None),  # more than 1 is a percentage
        ("0", 0.0, 0, None),
        ("0%", 0.0, 2, None),
        ("0/1", 0.0, None, 1),
        ("1/1", 1.0, None, 1),
    ],
)
def test_a_number_is_read_as_it_was_written(text: str, value: float, digits: int | None, n: int | None) -> None:
    found = read_number(text)
    assert found.value == pytest.approx(value, abs=1e-15)
    assert found[1:] == (digits, n)


NONSENSE = [
    "abc", "-3%", "-0.1", "101%", "100.01", "5/0", "0/0", "11/10", "-1/10", "1/2/3", "nan", "inf", "", " ", "%", ".",
    "58%%", "1e3", "0x10", "5 8", "0.5.8", "5,8,0", "58 percent", "58\n%", "１/０", "\x1b[1m", "9" * 400,
    "0." + "9" * 5000 + "x", f"1/{10**12 + 1}", "1" * 5000 + "/" + "1" * 5000,
]  # fmt: skip


@pytest.mark.parametrize("text", NONSENSE, ids=lambda text: ascii(text)[:20])
def test_nonsense_is_one_short_line(text: str) -> None:
    with pytest.raises(UsageError, match=r"give an accuracy like 58%, 0.58 or 5800/10000") as caught:
        read_number(text)
    said = str(caught.value)
    assert said.isprintable()
    assert len(said) < 250
    assert caught.value.exit_code == 2


@given(st.text())
def test_any_text_is_a_share_or_one_line(text: str) -> None:
    try:
        found = read_number(text)
    except UsageError as error:
        said = str(error)
    else:
        said = ""
        assert 0 <= found.value <= 1
    assert said.isprintable()


@given(st.integers(0, 10**6), st.integers(1, 10**6))
def test_every_way_to_write_a_share_means_the_same(hits: int, n: int) -> None:
    hits = min(hits, n)
    value = hits / n
    assert read_number(f"{hits}/{n}") == Given(value, None, n)
    for text in (f"{100 * value:.6f}%", f"{100 * value:.6f} %".replace(".", ","), f"{value:.8f}"):
        assert read_number(text).value == pytest.approx(value, abs=6e-9)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"number": None}, "give an accuracy, like byhand explain 58%, or a loss with --loss"),
        ({"number": "58%", "n": 0}, "--n 0: give the number of images"),
        ({"number": "58%", "n": -5}, "--n -5"),
        ({"number": "58%", "n": 10**12 + 1}, "--n 1000000000001"),
        ({"number": "58/100", "n": 99}, "--n 99 and a count of 100 images: leave one of them out"),
        ({"number": "58%", "model": "cnn"}, "--model cnn: choose linear or mlp"),
        ({"number": "x", "loss": 0.3}, "'x' is no accuracy"),
    ],
)
def test_a_question_that_cannot_be_is_one_line(asked: dict, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        ask(**asked)


def test_a_question_keeps_what_it_was_given() -> None:
    assert ask("58%") == Question(Given(0.58, 2, None), None, None, True)
    assert ask("58/100") == ask("58/100", 100) == Question(Given(0.58, None, 100), 100, None, True)
    assert ask("58%", 500, 1.2, "mlp") == Question(Given(0.58, 2, None), 500, 1.2, False)
    assert ask(None, loss=2.3) == Question(None, None, 2.3, True)


@pytest.mark.parametrize(("number", "n", "count"), [("58%", None, 10_000), ("58%", 500, 500), ("29/50", None, 50)])
def test_interval_and_test_are_those_of_the_images(number: str, n: int | None, count: int) -> None:
    found = explain(ask(number, n), MNIST)
    hits = round(0.58 * count)
    assert found.accuracy == wilson(hits, count)
    interval = stats.binomtest(hits, count).proportion_ci(method="wilson")
    assert found.accuracy is not None
    assert (found.accuracy.low, found.accuracy.high) == pytest.approx((interval.low, interval.high), rel=1e-9)
    assert found.chance is not None
    assert (found.chance.value, found.chance.label) == (0.1135, "1")
    expected = stats.binomtest(hits, count, 0.1135, alternative="greater").pvalue
    assert found.chance.p_value == pytest.approx(expected, rel=1e-6, abs=1e-300)
    assert found.chance.better


def test_the_answer_reads_like_one() -> None:
    found = explain(ask("58%"), MNIST)
    assert found.verdict == (
        "58.0 % (57.0 to 59.0 on 10,000). Always saying 1 gives 11.4 %: yours has learnt (p < 1e-300). Nearest mean "
        "image: 82.0 %. One linear layer on these pixels reaches 92.6 % (92.1 to 93.1; loss within 1e-6 nats of the "
        "best possible). So 34.6 of the 42.0 points that are missing are within reach of one layer."
    )
    assert found.sentences[1] == "Always saying 1 gives 11.4 %: yours has learnt (p < 1e-300)."
    assert found.hints


@pytest.mark.parametrize(
    ("number", "model", "words"),
    [
        ("92.4%", "linear", "That is where yours stands."),
        ("92.6%", "mlp", "That is where yours stands."),
        ("96%", "linear", "Yours has 3.4 points more, which one linear layer is not known to reach."),
        ("96%", "mlp", "The network has 3.4 points more than that."),
        ("90%", "mlp", "So 2.6 of the 10.0 points that are missing are within reach of one layer."),
    ],
)
def test_it_is_set_beside_the_ceiling(number: str, model: str, words: str) -> None:
    assert explain(ask(number, model=model), MNIST).verdict.endswith(words)


@pytest.mark.parametrize(("number", "better"), [("12.7%", True), ("11.4%", False), ("9.82%", False), ("0", False)])
def test_chance_is_the_commonest_class_not_a_tenth(number: str, better: bool) -> None:
    found = explain(ask(number), MNIST)
    assert found.chance is not None
    assert found.chance.better is better
    assert ("yours has learnt" in found.verdict) is better


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("9.82%", "982 of the 10,000 test images are of class 4: the model says 4 to everything."),
        ("982/10000", "982 of the 10,000 test images are of class 4: the model says 4 to everything."),
        ("11.35%", "1,135 of the 10,000 test images are of class 1: the model says 1 to everything."),
        ("0.1135", "1,135 of the 10,000 test images are of class 1"),
    ],
)
def test_the_share_of_a_class_names_it(number: str, words: str) -> None:
    assert explain(ask(number), MNIST).hints[0].startswith(words)


def test_a_number_that_fits_two_classes_names_both() -> None:
    first = explain(ask("0.098"), MNIST).hints[0]
    assert "980" in first
    assert "982" in first


def test_a_share_of_other_images_names_no_class() -> None:
    assert not any("to everything." in hint and "982" in hint for hint in explain(ask("9.82%", 500), MNIST).hints)


def test_a_loss_alone_is_set_beside_what_is_known() -> None:
    found = explain(ask(None, loss=2.3026), MNIST)
    assert (found.accuracy, found.chance) == (None, None)
    assert found.verdict == (
        f"A loss of 2.303 nats. Equal probabilities for 10 classes give ln 10 = {math.log(10):.4f}. The best linear "
        "layer has 0.2243 on the images that it learnt from and 0.2663 on the test images."
    )
    assert "ln 10" in found.hints[0]


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_no_number_is_answered(loss: float) -> None:
    for number in (None, "58%"):
        found = explain(ask(number, loss=loss), MNIST)
        assert "not finite" in found.hints[0]
        assert found.verdict.isprintable()


def test_a_loss_beside_an_accuracy_adds_to_its_hints() -> None:
    alone, both = explain(ask("58%"), MNIST), explain(ask("58%", loss=2.3026), MNIST)
    assert both.verdict == alone.verdict
    assert any("ln 10" in hint for hint in both.hints)
    assert not any("ln 10" in hint for hint in alone.hints)


def test_without_a_ceiling_nothing_is_said_of_it() -> None:
    bare = replace(MNIST, ceiling=None, no_ceiling="the images are too large")
    assert explain(ask("58%"), bare).verdict.endswith("Nearest mean image: 82.0 %.")
    assert explain(ask(None, loss=1.0), bare).verdict.endswith("ln 10 = 2.3026.")


@given(
    st.one_of(
        st.tuples(st.integers(0, 10**12), st.integers(1, 10**12)).map(lambda pair: f"{min(pair)}/{max(pair)}"),
        st.floats(0, 1).map(lambda value: f"{value:.9f}"),
    ),
    st.one_of(st.none(), st.floats()),
    st.sampled_from(["linear", "mlp"]),
    st.booleans(),
)
def test_every_number_gets_an_answer(number: str, loss: float | None, model: str, ceiling: bool) -> None:
    landmarks = MNIST if ceiling else replace(MNIST, ceiling=None)
    found = explain(ask(number, loss=loss, model=model), landmarks)
    assert found.accuracy is not None
    assert 0 <= found.accuracy.low <= found.accuracy.value <= found.accuracy.high <= 1
    for sentence in (*found.sentences, *found.hints):
        assert sentence.isprintable()
        assert sentence.endswith((".", "?"))
