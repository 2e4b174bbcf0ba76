"""``byhand evaluate``: the words, the JSON, the page, and one line where it cannot go on."""

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from byhand.data.load import load

Call = Callable[..., Any]
LONG = ("--skip", "ceiling", "--skip", "wrong-labels", "--skip", "size-curve")


@pytest.fixture
def run(runs: Path, tmp_path: Path) -> str:
    """A copy of the linear run, called ``mine``, in the working directory."""
    shutil.copytree(runs / "linear", tmp_path / "mine")
    return "mine"


ANSWER = """\
linear 64-10 on digits

N % (N to N on 359). Always saying 3 gives 10.3 %: yours has learnt (p P). Nearest mean image: 88.9 %. One linear layer
on these pixels reaches 98.1 % (96.0 to 99.1; loss within 1e-6 nats of the best possible). Of the N points that are
missing, N are training that has not converged, N are too few images, N are what one linear layer cannot say. It is
right on N % of the images that it learnt from, OVERFITTING

NEXT
test   opened once for this run
report mine/report.html
"""


def masked(out: str) -> str:
    """Of what the processor's rounding can move, the numbers as N; words that depend on them by their name."""
    text = " ".join(out.split())
    text = re.sub(r"^(linear 64-10 on digits )\S+ % \(\S+ to \S+ on 359\)", r"\1N % (N to N on 359)", text)
    text = re.sub(r"\(p [<=] \S+\)", "(p P)", text)
    text = re.sub(r"Of the \S+ points", "Of the N points", text)
    text = re.sub(r"\d+\.\d (are (training|too few|what one))", r"N \1", text)
    text = re.sub(r"right on \S+ %", "right on N %", text)
    return re.sub(r"(learnt from, ).*?( next ).*?( test )", r"\1OVERFITTING NEXT\3", text)


def test_what_a_person_sees_is_this(start: Call, run: str) -> None:
    done = start("evaluate", run)
    assert (done.status, done.err) == (0, "judging on the test part ...\n")
    assert masked(done.out) == " ".join(ANSWER.split())
    assert all(len(line) <= 100 for line in done.out.splitlines())
    assert done.out.isascii()
    assert "\x1b" not in done.out
    accuracy = json.loads(Path("mine/run.json").read_text())["evaluation"]["accuracy"]
    assert f"{100 * accuracy['value']:.1f} % ({100 * accuracy['low']:.1f} to {100 * accuracy['high']:.1f}" in done.out


def test_json_is_one_object_with_the_contracts_fields(call: Call, run: str) -> None:
    done = call("evaluate", run, "--json")
    assert (done.status, done.err) == (0, "")
    assert done.out.count("\n") == 1
    fields = json.loads(done.out)
    assert fields["schema"] == "byhand.evaluate/1"
    assert {name: type(value) for name, value in fields["accuracy"].items()} == {
        "value": float, "low": float, "high": float, "n": int,
    }  # fmt: skip
    assert {"value", "p_value", "better"} <= fields["chance"].keys()
    assert all({"name", "accuracy"} <= one.keys() for one in fields["baselines"])
    assert {"accuracy", "low", "high", "loss", "gap", "l2", "seconds"} <= fields["ceiling"].keys()
    assert fields["error_parts"].keys() == {"optimization", "estimation", "model_class"}
    assert abs(sum(fields["error_parts"].values()) - (1 - fields["accuracy"]["value"])) <= 1e-12
    assert fields["report"] == "mine/report.html"
    assert fields["test_openings"] == 1
    page = Path(fields["report"]).read_text("utf-8")
    assert fields["verdict"].split(".")[0] in page
    record = json.loads(Path("mine/run.json").read_text())
    assert record["evaluation"] == {name: fields[name] for name in fields if name not in ("schema", "report")}


def test_the_page_names_the_verdict_and_the_run_stays_readable(call: Call, run: str) -> None:
    before = json.loads(Path("mine/run.json").read_text())
    for count in (1, 2):
        done = call("evaluate", run, *LONG)
        assert done.status == 0
        times = "once" if count == 1 else "2 times"
        assert f"test   opened {times} for this run" in done.out
    page = " ".join(Path("mine/report.html").read_text("utf-8").split())
    verdict = json.loads(Path("mine/run.json").read_text())["evaluation"]["verdict"]
    assert verdict.replace("<", "&lt;") in page
    after = json.loads(Path("mine/run.json").read_text())
    assert after.pop("test_openings") == 2
    del after["evaluation"]
    assert after == {name: value for name, value in before.items() if name != "test_openings"}
    assert call("evaluate", "mine", *LONG).status == 0
    assert sorted(os.listdir("mine")) == ["history.jsonl", "model.safetensors", "report.html", "run.json", "times.json"]


def test_quiet_prints_the_verdict_in_one_line(call: Call, run: str) -> None:
    done = call("evaluate", run, "--quiet", *LONG)
    assert (done.status, done.err) == (0, "")
    assert done.out.count("\n") == 1
    assert done.out.strip() == json.loads(Path("mine/run.json").read_text())["evaluation"]["verdict"]


def test_a_network_has_no_parts_and_a_verdict_of_its_own(call: Call, runs: Path) -> None:
    shutil.copytree(runs / "mlp", "net")
    fields = json.loads(call("evaluate", "net", "--json", "--skip", "size-curve").out)
    assert fields["error_parts"] is None
    assert re.search(r"The network has \S+ points (more|less) than that\.", fields["verdict"])


def test_what_was_left_out_is_said_and_why(call: Call, run: str) -> None:
    done = call("evaluate", run, "--budget", "0")
    assert done.status == 0
    for part in ("ceiling", "wrong-labels", "size-curve"):
        assert f"left   {part}: the 0 seconds were over before it; give more with --budget\n" in done.out
    done = call("evaluate", run, "--skip", "size-curve")
    assert re.findall(r"^left .*", done.out, flags=re.MULTILINE) == ["left   size-curve: it was skipped, as asked"]
    Path("mine/times.json").write_text(json.dumps({"seconds": 1e5, "epochs": []}))
    done = call("evaluate", run)
    assert "give more with --budget" in " ".join(done.out.split())
    assert all(len(line) <= 100 for line in done.out.splitlines())


def test_a_number_that_is_too_good_is_an_alarm(call: Call) -> None:
    data = load("digits", valid=0)
    images = np.concatenate([data.test.images, data.train.images[:50]])
    labels = np.concatenate([data.test.labels, data.train.labels[:50]])
    np.savez("leak.npz", x_train=data.train.images, y_train=data.train.labels, x_test=images, y_test=labels)
    assert (
        call("train", "leak.npz", "--quiet", "--epochs", "3", "--lr", "1", "--valid", "0", "--out", "mine").status == 0
    )
    done = call("evaluate", "mine", *LONG)
    assert done.status == 0
    assert "\nALARM: 50 of the 409 test images stand among the training images too" in done.out
    assert "next   Find out first why the number is too good" in done.out


def test_it_can_be_judged_by_other_data(call: Call, run: str) -> None:
    data = load("digits")
    arrays = {"x_train": data.train.images[:500], "y_train": data.train.labels[:500]}
    np.savez("other.npz", x_test=data.test.images[:250], y_test=data.test.labels[:250], **arrays)
    fields = json.loads(call("evaluate", run, "other.npz", "--json").out)
    assert fields["accuracy"]["n"] == 250
    assert fields["error_parts"] is fields["overfitting"] is fields["train_accuracy"] is None
    assert "other data than it learnt from" in Path("mine/report.html").read_text("utf-8")


def test_data_that_changed_are_status_3(call: Call) -> None:
    data = load("digits", valid=0)
    np.savez("d.npz", images=data.train.images, labels=data.train.labels)
    assert call("train", "d.npz", "--quiet", "--epochs", "1", "--lr", "1", "--out", "mine").status == 0
    np.savez("d.npz", images=data.train.images[1:], labels=data.train.labels[1:])
    assert "d.npz is not what mine learnt from" in call("evaluate", "mine").error(3)
    Path("d.npz").unlink()
    assert "d.npz" in call("evaluate", "mine").error(3)


def test_wrong_options_are_status_2(call: Call, run: str) -> None:
    assert "--skip weights: choose from ceiling" in call("evaluate", run, "--skip", "weights").error(2)
    assert "--budget" in call("evaluate", run, "--budget", "long").error(2)
    assert "nowhere" in call("evaluate", run, "nowhere").error(2)
    assert "Missing argument" in call("evaluate").error(2)
    assert json.loads(Path("mine/run.json").read_text())["test_openings"] == 0


def test_what_is_no_run_is_status_3(call: Call, run: str) -> None:
    Path("empty").mkdir()
    assert "empty is not a run" in call("evaluate", "empty").error(3)
    assert "no\\nwhere is not a run" in call("evaluate", "no\nwhere").error(3)
    Path("mine/history.jsonl").write_text("{}\n")
    assert "history.jsonl is damaged" in call("evaluate", run).error(3)


def test_an_interrupted_evaluation_is_status_130(call: Call, run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("byhand.evaluate.evaluation.suspected_labels", interrupt)
    assert call("evaluate", run, "--quiet").error(130) == "byhand: interrupted"
    assert json.loads(Path("mine/run.json").read_text())["test_openings"] == 1  # it has been looked at


def test_mistakes_are_found_in_names_that_would_obey_a_terminal(call: Call) -> None:
    rng = np.random.default_rng(0)
    for name in ("<b>\x1b[31m", "plain"):
        Path("pets", name).mkdir(parents=True)
        for i in range(30):
            image = rng.integers(0, 120, (5, 5), dtype=np.uint8) + (120 if name == "plain" else 0)
            Image.fromarray(image.astype(np.uint8)).save(Path("pets", name, f"{i}.png"))
    assert call("train", "pets", "--quiet", "--epochs", "3", "--lr", "0.1", "--out", "mine").status == 0
    for args in ((), ("--quiet",), ("--json",)):
        done = call("evaluate", "mine", *args, *LONG)
        assert done.status == 0
        assert "\x1b" not in done.out + done.err
    page = Path("mine/report.html").read_text("utf-8")
    assert "\x1b" not in page
    assert "<b>\\x1b" not in page


@pytest.mark.full
def test_on_mnist_the_linear_ceiling_lies_where_it_is_known_to(start: Call, mnist_path: Path) -> None:
    assert start("train", mnist_path, "--quiet", "--out", "mine").status == 0
    fields = json.loads(start("evaluate", "mine", "--json", "--budget", "300").out)
    assert 0.923 <= fields["ceiling"]["accuracy"] <= 0.930
    assert fields["ceiling"]["gap"] <= 1e-6
    assert fields["alarms"] == []
    assert fields["skipped"] == {}
    assert len(fields["suspected_labels"]) < 30
    assert 0.915 <= fields["accuracy"]["value"] <= 0.930
