"""The exported page in a browser: what the drawing side computes, shows and asks for."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from byhand.export.digit_page import render
from byhand.model import MLP, LinearClassifier, Sequential

DIGITS = [str(digit) for digit in range(10)]


def record(classes: list[str], shape: tuple[int, int], ink_box: int | None) -> dict[str, Any]:
    return {"data": {"source": "some data", "classes": classes, "shape": list(shape), "ink_box": ink_box}}


@pytest.fixture(scope="session")
def digits() -> list[dict[str, Any]]:
    """Digits drawn by hand: ``digit``, ``kind`` of drawing, ``width`` of the pen, ``strokes``."""
    return json.loads(Path(__file__).with_name("digits.json").read_text("utf-8"))


@pytest.fixture(scope="session")
def mlp_run(mnist_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of ``byhand train mnist --model mlp``, nothing else being said."""
    folder = tmp_path_factory.mktemp("runs") / "mlp"
    command = ["train", str(mnist_path), "--model", "mlp", "--quiet", "--out", str(folder)]
    subprocess.run([sys.executable, "-m", "byhand", *command], check=True, capture_output=True)
    return folder


@pytest.fixture(scope="session")
def linear() -> LinearClassifier:
    """784 to 10, weights that never learnt anything."""
    return LinearClassifier(784, 10, "normal:0.3", torch.Generator().manual_seed(0))


@pytest.fixture(scope="session")
def mlp() -> MLP:
    """784-30-10, the same."""
    return MLP(784, [30], 10, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def opened(open_address: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """A function that opens a page, its text or its file, from the disk without a network."""

    def open_page(html: str | Path, width: int = 1000, **options: Any) -> Any:
        file = html if isinstance(html, Path) else tmp_path / f"{hash(html)}.html"
        if isinstance(html, str):
            file.write_text(html, "utf-8")
        return open_address(file.as_uri(), width=width, height=900, offline=True, **options)

    return open_page


@pytest.fixture
def page_of(opened: Callable[..., Any]) -> Callable[..., Any]:
    """A function that opens the page of a model for square pictures."""

    def open_model(model: Sequential, classes: list[str] = DIGITS, ink_box: int | None = 20, **options: Any) -> Any:
        shape = options.pop("shape", None) or (int(model.sizes[0] ** 0.5),) * 2
        return opened(render(model, record(classes, shape, ink_box)), **options)

    return open_model
