"""Killed anywhere, again and again: nothing is lost, and the run ends as one that nobody killed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the campaign forks")


@pytest.mark.parametrize("kills", [60, pytest.param(300, marks=pytest.mark.full)])
def test_killed_at_random_moments_nothing_is_lost_and_the_bits_are_the_same(kills: int) -> None:
    program = [sys.executable, "-W", "error", ROOT / "benchmarks" / "kills.py", "--json"]
    done = subprocess.run([*program, "--kills", str(kills)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    met = json.loads(done.stdout.splitlines()[-1])
    assert met["kills"] == kills
    assert min(met["in a save"], met["between saves"], met["of runs taken up"]) >= kills / 20, met
