"""The examples, each a real process on real images: that they run, what they print, and that it means what they say."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def run(name: str, *args: str) -> list[str]:
    command = [sys.executable, "-W", "error", str(EXAMPLES / name), *args]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.splitlines()


def run_first_attempt(data: str, epochs: int, monkeypatch: pytest.MonkeyPatch) -> tuple[float, float]:
    """The accuracy that the program's last line claims, and the true one of the weights that it ends with."""
    monkeypatch.setattr(sys, "argv", ["first_attempt.py", "--data", data, "--epochs", str(epochs)])
    state = torch.get_rng_state()
    program = runpy.run_path(str(EXAMPLES / "first_attempt.py"))
    torch.set_rng_state(state)
    preds = program["model"](program["valid_x"]).argmax(dim=1)  # (N,)
    return program["validate_epoch"](), (preds == program["valid_y"].squeeze(1)).float().mean().item()


def test_first_attempt_prints_an_accuracy_an_epoch() -> None:
    lines = run("first_attempt.py", "--data", "digits", "--epochs", "3")
    assert [bool(re.fullmatch(r"0\.\d{4}", line)) for line in lines] == [True] * 3


def test_first_attempt_prints_another_accuracy_than_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    printed, true = run_first_attempt("digits", 20, monkeypatch)
    assert abs(printed - true) > 0.005


@pytest.mark.full
def test_first_attempt_ends_where_the_original_did(mnist_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    printed, true = run_first_attempt(str(mnist_path), 20, monkeypatch)
    assert printed == pytest.approx(0.654, abs=0.02)
    assert true == pytest.approx(0.698, abs=0.02)


def test_first_seed_keeps_the_best_of_its_rates() -> None:
    *rates, best = run("first_seed.py", "--data", "digits", "--epochs", "20")
    scores = [float(line.split()[-1]) for line in rates]
    assert len(scores) == 3
    assert best == f"best {max(scores):.4f} on 144 images of digits"


def test_first_seed_predicts_by_argmin_as_by_argmax() -> None:
    program = runpy.run_path(str(EXAMPLES / "first_seed.py"))
    z = torch.randn(1000, 10, generator=torch.Generator().manual_seed(0)) * 5
    probs = program["softmax"](z)
    torch.testing.assert_close(probs, z.softmax(dim=1))
    assert torch.equal(program["nll"](probs).argmin(dim=1), z.argmax(dim=1))


@pytest.mark.full
def test_first_seed_ends_near_58_percent(mnist_path: Path) -> None:
    best = run("first_seed.py", "--data", str(mnist_path))[-1]
    assert float(best.split()[1]) == pytest.approx(0.58, abs=0.03)


def test_one_file_tells_the_whole_story() -> None:
    lines = run("one_file.py", "--data", "digits", "--epochs", "30", "--runs", "2")
    assert lines[0].startswith("digits: 1294 images to learn from, 144 to judge by; always the commonest 0.1")
    (linear,), (hidden,) = (re.findall(r": (0\.\d{4}) ± 0\.\d{4} .*n = 2", line) for line in lines[1:3])
    assert float(linear) > 0.8
    assert float(hidden) > 0.8


def test_one_file_has_the_gradient_of_its_loss() -> None:
    program = runpy.run_path(str(EXAMPLES / "one_file.py"))
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(7, 12, generator=generator)
    y = torch.randint(4, (7,), generator=generator)
    layers = program["start"]([12, 6, 5, 4], generator)
    for params in layers:
        for p in params:
            p.requires_grad_()
    loss = torch.nn.functional.cross_entropy(program["forward"](layers, x)[1], y)
    loss.backward()
    with torch.no_grad():
        own_loss, grads = program["gradients"](layers, x, y)
    torch.testing.assert_close(own_loss, loss.detach())
    for params, own in zip(layers, grads, strict=True):
        for p, g in zip(params, own, strict=True):
            torch.testing.assert_close(g, p.grad)


def test_one_file_learns_mnist(mnist_path: Path) -> None:
    lines = run("one_file.py", "--data", str(mnist_path), "--epochs", "2", "--runs", "1")
    linear, hidden = (float(line.split(": ")[1].split()[0]) for line in lines[1:3])
    assert linear > 0.89
    assert hidden > linear
