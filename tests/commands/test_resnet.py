"""A ResNet-18 through every command that makes or reads a run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image

from byhand import cli
from byhand.data.load import load

Call = Callable[..., Any]

OPTIONS = ("--model", "resnet18", "--epochs", "2", "--batch-size", "64")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``few.npz``, 160 digits to learn from and 60 to be judged by, and two runs on them: ``net``, ``linear``."""
    place = tmp_path_factory.mktemp("few")
    data = load("digits", valid=0)
    arrays = {"x_train": data.train.images[:160], "y_train": data.train.labels[:160]}
    np.savez(place / "few.npz", **arrays, x_test=data.test.images[:60], y_test=data.test.labels[:60])
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for name, options in (("net", OPTIONS), ("linear", ("--epochs", "5", "--lr", "0.5"))):
        assert cli._run(["train", str(place / "few.npz"), "--quiet", "--out", str(place / name), *options]) == 0
    torch.set_num_threads(threads)
    return place


@pytest.fixture
def net(place: Path, tmp_path: Path) -> Path:
    """A copy of the run that a test may change."""
    (tmp_path / "net").mkdir()
    for file in (place / "net").iterdir():
        (tmp_path / "net" / file.name).write_bytes(file.read_bytes())
    return tmp_path / "net"


def settings(run: str | Path) -> dict[str, Any]:
    return json.loads((Path(run) / "run.json").read_text("utf-8"))["settings"]


def test_train_says_what_it_trains(call: Call, place: Path) -> None:
    done = call("train", place / "few.npz", *OPTIONS, "--out", "net")
    assert done.status == 0, done.err
    assert "model  resnet18 64-64-128-256-512-10: 11,175,370 numbers, started from kaiming\n" in done.out
    assert "rate   0.25, usual for networks with batch norms; sgd, one-cycle, batches of 64, seed 42\n" in done.out
    again = call("train", "--like", "net", "--json", "--out", "again")
    assert json.loads(again.out)["model"] == "resnet18"
    assert settings("again") == settings("net")
    first, second = (safetensors.torch.load_file(Path(run, "model.safetensors")) for run in ("net", "again"))
    assert all(torch.equal(second[name], tensor) for name, tensor in first.items())
    file = "net/model.safetensors"
    done = call("train", place / "few.npz", *OPTIONS, "--weights", file, "--freeze", "--lr", "0.1", "--out", "more")
    assert f"started from {file}\n" in done.out
    body = [name for name in first if not name.startswith("fc.")]
    taken = safetensors.torch.load_file("more/model.safetensors")
    assert all(torch.equal(first[name], taken[name]) for name in body)


@pytest.mark.full
def test_lr_find_tries_it_out(call: Call) -> None:
    rng = np.random.default_rng(0)  # hundreds of steps: on images as small as can be
    np.savez("tiny.npz", x_train=rng.integers(0, 256, (60, 2, 2), dtype=np.uint8), y_train=np.arange(60) % 3)
    done = call("lr-find", "tiny.npz", *OPTIONS, "--batch-size", "16", "--momentum", "0.9", "--json")
    assert done.status == 0, done.err
    found = json.loads(done.out)
    assert 0 < found["low"] <= found["lr"] <= found["high"]
    assert len(found["curve"]["lrs"]) == len(found["curve"]["losses"])


def test_evaluate_compares_it_with_one_linear_layer(call: Call, net: Path) -> None:
    done = call("evaluate", net, "--skip", "size-curve")
    assert done.status == 0, done.err
    assert done.out.startswith(
        f"ResNet-18 64-64-128-256-512-10 on {json.loads((net / 'run.json').read_text())['data']['source']}\n"
    )
    assert "The network has " in " ".join(done.out.split())
    page = (net / "report.html").read_text("utf-8")
    assert page.count('alt="weights of unit ') == 64


def test_predict_and_compare_read_it(call: Call, net: Path, place: Path) -> None:
    Image.fromarray(load("digits").test.images[0] * 15).resize((80, 80)).save("digit.png")
    done = call("predict", net, "digit.png", "--json")
    assert done.status == 0, done.err
    assert sum(json.loads(done.out)["predictions"][0]["probs"]) == pytest.approx(1)
    done = call("compare", place / "linear", net)
    assert done.status == 0, done.err


def test_what_cannot_show_it_says_so_in_one_line(call: Call, net: Path) -> None:
    assert "the page cannot carry a ResNet18" in call("export", net, "-o", "digit.html").error(2)
    assert "is a ResNet18; byhand predict says" in call("play", net, "--port", "0", "--no-browser").error(2)
    assert not Path("digit.html").exists()


def test_weights_that_do_not_fit_are_one_line_and_no_folder(call: Call, place: Path) -> None:
    file = place / "linear" / "model.safetensors"
    line = call("train", place / "few.npz", *OPTIONS, "--weights", file, "--out", "new", "--quiet").error(3)
    assert "does not fit the model: missing bn1.bias" in line
    line = call("train", place / "few.npz", "--hidden", "8", "--weights", "imagenet", "--quiet").error(2)
    assert "--weights imagenet is for --model resnet18" in line
    assert list(Path().iterdir()) == []
