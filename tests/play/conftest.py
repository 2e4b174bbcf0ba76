"""The real command as a process of its own, a real browser, and a page that may not complain."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
EXPECTED = ("net::ERR_", "Failed to load resource")  # what a browser says by itself when a server ends


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium; tests that take it are skipped where it or playwright is missing."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
    if BROWSER is None:
        pytest.skip("the browser tests need Chromium: none on the path")
    with sync_api.sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = playwright.chromium.launch(executable_path=BROWSER, args=options)
        yield browser
        browser.close()


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """A function that starts ``byhand play`` with these arguments in an empty folder, and gives the address to open."""
    with ExitStack() as started:
        yield lambda *words, data=None: started.enter_context(running(words, tmp_path, data))


@pytest.fixture(scope="module")
def playing_digits(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Any]]:
    """``byhand play digits``, for several tests: its address, and the cookie that it has given a browser."""
    with running(["digits"], tmp_path_factory.mktemp("digits"), None) as url:
        context = browser.new_context()
        context.new_page().goto(url)
        state = context.storage_state()
        context.close()
        yield re.sub(r"\?.*", "", url), state


@contextmanager
def running(words: Sequence[str], folder: Path, data: Path | None) -> Iterator[str]:
    """The command as a process in a folder; it has to end well by Ctrl-C."""
    process = subprocess.Popen(
        [sys.executable, "-m", "byhand", "play", "--no-browser", "--port", "0", "--json", *words],
        cwd=folder,
        env=os.environ | ({"BYHAND_DATA": str(data)} if data else {}),
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout
        yield json.loads(process.stdout.readline())["url"]
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[..., Any]]:
    """A function that opens an address. A request to anybody else, or a complaint of the browser's, fails the test."""
    asked: list[str] = []
    complaints: list[str] = []
    homes: set[str] = set()
    contexts: list[Any] = []

    def open_page(url: str, width: int = 1280, height: int = 900, **options: Any) -> Any:
        homes.add(re.sub(r"(?<=\w)/.*", "/", url))
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(url)
        page.locator("#title:not(:text-is('…'))").wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [url for url in asked if not url.startswith(("data:", "blob:", *homes))] == []
    assert [text for text in complaints if not text.startswith(EXPECTED)] == []
