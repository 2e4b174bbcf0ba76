"""``byhand explain``: every way to write a number, the answer in words and as JSON, and nonsense in one line."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]

SAME = ["58%", "58 %", "58", "0.58", ".58", "0,58"]
NONSENSE = [
    "abc", "-3%", "-3", "101%", "5/0", "11/10", "nan", "", "58%%", "1e3", "9" * 400, "1" * 5000 + "/" + "1" * 5000,
    "\x1b[31m", "5\n8",
]  # fmt: skip

ANSWER = """\
58.0 % (52.8 to 62.9 on 359), on digits

Is the model doing something right, or is it guessing?
  Always saying 3 gives 10.3 %: yours has learnt (p = 2e-108).

How good is that? What could one layer without non-linearities reach?
  Nearest mean image: 88.9 %. One linear layer on these pixels reaches 98.1 % (96.0 to 99.1; loss
  within 1e-6 nats of the best possible). So 40.1 of the 42.0 points that are missing are within
  reach of one layer.
"""


def test_the_first_seeds_questions_are_answered_in_its_words(start: Call) -> None:
    done = start("explain", "58%", "--data", "digits")
    assert (done.status, done.out.partition("\nWhat it may come from")[0]) == (0, ANSWER)
    assert done.err == "finding the best linear layer for these data; that is done once ...\n"
    assert all(len(line) <= 100 for line in done.out.splitlines())
    again = start("explain", "0.58", "--data", "digits")
    assert (again.out, again.err) == (done.out, "")


def test_every_way_to_write_58_percent_is_the_same(call: Call) -> None:
    answers = [call("explain", number, "--data", "digits", "--json") for number in SAME]
    assert {done.status for done in answers} == {0}
    assert len({done.out for done in answers}) == 1
    counted = json.loads(call("explain", "5800/10000", "--data", "digits", "--json").out)
    assert counted["accuracy"]["n"] == 10_000
    assert counted["accuracy"]["value"] == 0.58


@pytest.mark.parametrize(("number", "value"), [("1", 1.0), ("100%", 1.0), ("0", 0.0), ("0%", 0.0), ("1%", 0.01)])
def test_the_ends_have_their_meaning(call: Call, number: str, value: float) -> None:
    done = call("explain", number, "--data", "digits", "--json")
    assert done.status == 0
    fields = json.loads(done.out)
    assert fields["accuracy"]["value"] == value
    assert fields["hints"]


def test_json_has_the_contracts_fields(call: Call) -> None:
    fields = json.loads(call("explain", "58%", "--data", "digits", "--json").out)
    assert fields["schema"] == "byhand.explain/1"
    assert {name: type(value) for name, value in fields.items() if name != "schema"} == {
        "data": str, "accuracy": dict, "chance": dict, "baselines": list, "ceiling": dict, "verdict": str,
        "hints": list,
    }  # fmt: skip
    assert fields["accuracy"].keys() == {"value", "low", "high", "n"}
    assert {"value", "p_value", "better"} <= fields["chance"].keys()
    assert {"accuracy", "low", "high", "loss", "gap", "l2", "seconds"} <= fields["ceiling"].keys()
    assert all(type(hint) is str for hint in fields["hints"])


def test_quiet_prints_the_verdict_in_one_line(call: Call) -> None:
    done = call("explain", "58%", "--data", "digits", "--quiet")
    assert done.status == 0
    assert done.out.count("\n") == 1
    assert done.out.startswith("58.0 % (52.8 to 62.9 on 359). ")


@pytest.mark.parametrize("text", NONSENSE, ids=lambda text: ascii(text)[:20])
def test_nonsense_is_status_2_and_one_line(call: Call, text: str) -> None:
    line = call("explain", text, "--data", "digits").error(2)
    assert len(line) < 250


def test_a_negative_number_is_status_2_in_a_real_process_too(start: Call) -> None:
    assert "-3" in start("explain", "-3%", "--data", "digits").error(2)


def test_n_is_the_number_of_images(call: Call) -> None:
    fields = json.loads(call("explain", "58%", "--data", "digits", "--n", "50", "--json").out)
    assert fields["accuracy"]["n"] == 50
    assert fields["accuracy"]["high"] - fields["accuracy"]["low"] > 0.2
    for n in ("0", "-5", "many", "9" * 30):
        call("explain", "58%", "--data", "digits", "--n", n).error(2)
    assert "leave one of them out" in call("explain", "5/10", "--data", "digits", "--n", "11").error(2)


def test_a_loss_is_answered_alone_and_beside_an_accuracy(call: Call) -> None:
    done = call("explain", "--loss", "2.3026", "--data", "digits")
    assert done.status == 0
    assert done.out.startswith("A loss of 2.303 nats. Equal probabilities for 10 classes give ln 10 = 2.3026.")
    assert "is ln 10" in done.out
    fields = json.loads(call("explain", "--loss", "2.3026", "--data", "digits", "--json").out)
    assert fields["accuracy"] is fields["chance"] is None
    both = json.loads(call("explain", "90%", "--loss", "2.3026", "--data", "digits", "--json").out)
    assert both["accuracy"]["value"] == 0.9
    assert any("The accuracy says that the model has learnt" in hint for hint in both["hints"])


@pytest.mark.parametrize("loss", ["nan", "inf", "-inf", "-1", "0"])
def test_a_loss_that_cannot_be_is_answered_too(call: Call, loss: str) -> None:
    for number in ([], ["58%"]):
        done = call("explain", *number, "--loss", loss, "--data", "digits", "--json")
        assert done.status == 0
        json.loads(done.out, parse_constant=lambda name: pytest.fail(name))


def test_a_question_that_asks_nothing_is_status_2(call: Call) -> None:
    assert "give an accuracy, like byhand explain 58%, or a loss" in call("explain").error(2)
    assert "--model cnn: choose linear or mlp" in call("explain", "58%", "--model", "cnn").error(2)
    call("explain", "58%", "--loss", "much").error(2)
    call("explain", "58%", "60%").error(2)


def test_the_model_decides_what_the_ceiling_means(call: Call) -> None:
    words = {
        model: call("explain", "99.5%", "--data", "digits", "--model", model, "--n", "10000", "--quiet").out
        for model in ("linear", "mlp")
    }
    assert "which one linear layer is not known to reach" in words["linear"]
    assert "The network has 1.4 points more than that." in words["mlp"]


def test_data_that_are_not_there_are_one_line(call: Call) -> None:
    assert "nowhere" in call("explain", "58%", "--data", "nowhere").error(2)
    assert "no/where" in call("explain", "58%", "--data", "no/where").error(3)


def test_the_second_question_needs_no_torch(call: Call) -> None:
    assert call("explain", "58%", "--data", "digits", "--quiet").status == 0
    code = (
        "import sys; from byhand import cli; assert cli._run(['explain', '58%', '--data', 'digits', '--quiet']) == 0; "
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("58.0 % ")
    loaded = set(done.stdout.split())
    assert "byhand.evaluate.hints" in loaded
    assert not {"torch", "sklearn", "matplotlib", "scipy.stats", "pandas"} & loaded


# On MNIST; its ceiling is found once for all of these.


@pytest.fixture(scope="module")
def mnist_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mnist") / "byhand"


@pytest.fixture
def of_mnist(
    start: Call, mnist_path: Path, mnist_home: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., dict[str, Any]]]:
    """What is answered of a number on MNIST, as JSON."""
    monkeypatch.setenv("BYHAND_HOME", str(mnist_home))

    def ask(*args: str) -> dict[str, Any]:
        done = start("explain", *args, "--data", mnist_path, "--json")
        assert done.status == 0, done.err
        return json.loads(done.out)

    return ask


@pytest.mark.full
def test_58_percent_on_mnist(of_mnist: Callable[..., dict[str, Any]]) -> None:
    fields = of_mnist("58%")
    assert abs(fields["ceiling"]["accuracy"] - 0.926) <= 0.003
    assert fields["ceiling"]["gap"] <= 1e-6
    assert (fields["chance"]["value"], fields["chance"]["label"], fields["chance"]["better"]) == (0.1135, "1", True)
    assert re.match(r"58\.0 % \(57\.0 to 59\.0 on 10,000\)", fields["verdict"])
    assert len(fields["hints"]) >= 2
    assert "standard deviation 1" in fields["hints"][0]


@pytest.mark.full
@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("9.82%", "982 of the 10,000 test images are of class 4: the model says 4 to everything."),
        ("982/10000", "982 of the 10,000 test images are of class 4: the model says 4 to everything."),
        ("11.35%", "1,135 of the 10,000 test images are of class 1: the model says 1 to everything."),
    ],
)
def test_a_class_that_is_said_to_everything_is_named_on_mnist(
    of_mnist: Callable[..., dict[str, Any]], number: str, words: str
) -> None:
    fields = of_mnist(number)
    assert fields["hints"][0] == words
    assert not fields["chance"]["better"]


@pytest.mark.full
def test_a_coarse_number_names_both_classes_that_it_fits_on_mnist(of_mnist: Callable[..., dict[str, Any]]) -> None:
    hint = of_mnist("0.098")["hints"][0]
    assert hint.startswith("980 of the 10,000 test images are of class 0 and 982 of class 4: the model says 0 or 4")
