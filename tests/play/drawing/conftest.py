"""The exported page in a browser: what the drawing side computes, shows and asks for."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from byhand.export.digit_page import render
from byhand.model import MLP, LinearClassifier, Sequential

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

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


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
    if BROWSER is None:
        pytest.skip("the browser tests need Chromium: none on the path")
    with sync_api.sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=BROWSER, args=options)
        yield browser
        browser.close()


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """A function that opens a page from the disk without a network; another request or a complaint is a failure."""
    asked: list[str] = []
    complaints: list[str] = []
    allowed: set[str] = set()
    contexts: list[Any] = []

    def open_page(html: str | Path, width: int = 1000, **options: Any) -> Any:
        file = html if isinstance(html, Path) else tmp_path / f"{len(contexts)}.html"
        if isinstance(html, str):
            file.write_text(html, "utf-8")
        allowed.add(file.as_uri())
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        context.set_offline(True)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(file.as_uri())
        return page

    yield open_page
    assert {url for url in asked if not url.startswith("data:")} == allowed
    assert complaints == []
    for context in contexts:
        context.close()


@pytest.fixture
def page_of(opened: Callable[..., Any]) -> Callable[..., Any]:
    """A function that opens the page of a model for square pictures."""

    def open_model(model: Sequential, classes: list[str] = DIGITS, ink_box: int | None = 20, **options: Any) -> Any:
        shape = options.pop("shape", None) or (int(model.sizes[0] ** 0.5),) * 2
        return opened(render(model, record(classes, shape, ink_box)), **options)

    return open_model
