"""The whole site as ``scripts/docs`` builds it, and as a browser shows it."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from byhand.doctor.checks.table import CHECKS
from docs.site.addresses import Addresses
from docs.site.pages import markdown

ROOT = Path(__file__).resolve().parents[2]
SEEN = [
    "index", "tour", "fifty-eight", "learning-rate", "doctor", "faults", "broken-input", "notebook", "changelog", "log",
    "checks/index", "checks/broadcast-accuracy", "api/index", "api/byhand.learner", "source/src/byhand/loss.py",
]  # fmt: skip


def test_every_link_of_every_page_leads_to_a_page_that_is_made() -> None:
    addresses = Addresses(ROOT, CHECKS)
    pages = dict(markdown(ROOT, addresses))
    assert len(pages) > len(CHECKS) + 50
    assert {addresses.page(file) for file in addresses.files} <= pages.keys()
    assert {f"checks/{check}" for check in CHECKS} <= pages.keys()
    assert "\n:caption: The rooms\n" in pages["index"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("sphinx", reason="the site needs the extra docs")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "docs.site", str(folder / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].endswith(" 0 lead nowhere")
    return folder / "site"


@pytest.mark.full
def test_it_is_built_without_a_warning_and_its_links_are_whole(site: Path) -> None:
    assert [name for name in SEEN if not (site / f"{name}.html").is_file()] == []
    text = (site / "api" / "byhand.learner.html").read_text("utf-8")
    assert 'id="byhand.Learner.fit"' in text
    assert 'id="byhand.Learner.lr_find"' in text
    estimators = (site / "api" / "byhand.estimators.html").read_text("utf-8")
    assert 'id="byhand.estimators.LinearClassifier.predict_proba"' in estimators  # inherited, and ours
    assert "get_metadata_routing" not in estimators  # scikit-learn's


@pytest.mark.full
def test_pages_are_searched_and_shown_files_are_not(site: Path) -> None:
    index = (site / "searchindex.js").read_text("utf-8")
    assert "broadcast" in index
    shown = (site / "source" / "src" / "byhand" / "data" / "loader.py.html").read_text("utf-8")
    assert "_as_they_stand" in shown
    assert "_as_they_stand" not in index


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """Where a server of this machine hands the site out."""
    handler = partial(Quiet, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.mark.full
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
def test_it_fits_a_phone_and_a_wide_screen_and_asks_nobody(
    address: str, open_address: Callable[..., Any], width: int, scheme: str
) -> None:
    for name in SEEN:
        page = open_address(f"{address}/{name}.html", width=width, color_scheme=scheme)
        assert page.evaluate("document.scrollingElement.scrollWidth <= window.innerWidth"), name
        assert page.locator("h1").count() == 1, name
