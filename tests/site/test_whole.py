"""The whole site as ``scripts/docs`` builds it, and as a browser shows it."""

import subprocess
import sys
from collections.abc import Callable
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


@pytest.mark.full
def test_pages_are_searched_and_shown_files_are_not(site: Path) -> None:
    index = (site / "searchindex.js").read_text("utf-8")
    assert "broadcast" in index
    assert "index_select" in (site / "source" / "src" / "byhand" / "data" / "loader.py.html").read_text("utf-8")
    assert "test_the_seeds_list_is_served_as_torch_serves_it" not in index.partition("terms")[2].partition("tests/")[2]


@pytest.mark.full
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
def test_it_fits_a_phone_and_a_wide_screen(
    site: Path, open_address: Callable[..., Any], width: int, scheme: str
) -> None:
    for name in SEEN:
        page = open_address((site / f"{name}.html").as_uri(), width=width, color_scheme=scheme, offline=True)
        assert page.evaluate("document.scrollingElement.scrollWidth <= window.innerWidth"), name
        assert page.locator("h1").count() == 1, name
