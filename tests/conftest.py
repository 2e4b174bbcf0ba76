"""What every test stands on: a home of its own, the genuine MNIST files where they can be found, a browser."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
_MNIST_FILES = [f"{part}-{what}" for part in ("train", "t10k") for what in ("images-idx3-ubyte", "labels-idx1-ubyte")]


def _find_mnist() -> Path | None:
    places = [Path(place) for place in os.environ.get("BYHAND_DATA", "").split(os.pathsep) if place]
    for place in [*places, ROOT.parent / "shared" / "data"]:
        for folder in (place, place / "mnist"):
            if all((folder / name).is_file() or (folder / f"{name}.gz").is_file() for name in _MNIST_FILES):
                return folder
    return None


_MNIST = _find_mnist()


@pytest.fixture(scope="session")
def mnist_path() -> Path:
    """The folder of the four original IDX files; tests that take it are skipped without them."""
    if _MNIST is None:
        pytest.skip("the genuine MNIST files are neither in $BYHAND_DATA nor in ../shared/data/mnist")
    return _MNIST


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home: no test reads or leaves anything in the user's, or finds a copy of MNIST by chance."""
    folder = tmp_path_factory.mktemp("home")
    for name in [name for name in os.environ if name.startswith(("BYHAND_", "XDG_", "KAGGLE_", "HF_", "KERAS_"))]:
        monkeypatch.delenv(name)
    for name in ("TORCH_HOME", "FASTAI_HOME", "KAGGLEHUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))  # what HOME is called on Windows
    monkeypatch.setenv("BYHAND_HOME", str(folder / "byhand"))
    return folder


@pytest.fixture
def one_thread() -> Iterator[None]:
    """One thread, for small batches; and PyTorch's global settings back afterwards."""
    import torch

    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium; tests that take it are skipped where it or playwright is missing.

    One a module, because an event loop runs in this thread as long as playwright does, and there can be no second.
    """
    sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("the browser tests need Chromium: none on the path")
    with sync_api.sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=program, args=options)
        yield browser
        browser.close()


SAID_OF_AN_ENDED_SERVER = ("net::ERR_", "Failed to load resource")


@pytest.fixture
def open_address(browser: Any) -> Iterator[Callable[..., Any]]:
    """A function that opens an address. A request to anybody else, or a complaint of the browser's, fails the test."""
    asked: list[str] = []
    complaints: list[str] = []
    homes: set[str] = set()
    contexts: list[Any] = []

    def open_page(url: str, width: int = 1280, height: int = 800, offline: bool = False, **options: Any) -> Any:
        homes.add(url if url.startswith("file:") else re.sub(r"(?<=\w)/.*", "/", url))
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        context.set_offline(offline)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [url for url in asked if not url.startswith(("data:", "blob:", *homes))] == []
    assert [text for text in complaints if not text.startswith(SAID_OF_AN_ENDED_SERVER)] == []
