"""The real command as a process of its own, a real browser, and a page that may not complain."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest


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
def opened(open_address: Callable[..., Any]) -> Callable[..., Any]:
    """``open_address``, which waits until the page knows what it shows."""

    def open_page(url: str, **options: Any) -> Any:
        page = open_address(url, **options)
        page.locator("#title:not(:text-is('…'))").wait_for()
        return page

    return open_page
