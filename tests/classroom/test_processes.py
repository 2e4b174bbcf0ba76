"""Processes are found, measured and ended, however many they become."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from byhand.classroom import processes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
TREE = """
import os, sys, time
for _ in range(3):
    os.fork()
kept = bytearray(b"x") * (20 << 20)
time.sleep(60)
"""


@pytest.fixture
def tree() -> Iterator[subprocess.Popen[bytes]]:
    """Eight processes of 20 MiB each."""
    process = subprocess.Popen([sys.executable, "-c", TREE])
    until = time.monotonic() + 20
    while processes.memory(everybody(process.pid), 0) < 8 * 20 << 20 and time.monotonic() < until:
        time.sleep(0.05)
    yield process
    processes.end([process.pid], roots_too=True)
    process.wait()


def everybody(root: int) -> list[int]:
    return [root, *processes.below([root])]


def test_all_that_a_process_has_started_is_seen(tree: subprocess.Popen[bytes]) -> None:
    assert len(processes.below([tree.pid])) == 7
    assert tree.pid in processes.children(os.getpid())
    assert processes.below([2**22 + 1]) == []  # nobody has that number


def test_memory_is_that_of_all_together(tree: subprocess.Popen[bytes]) -> None:
    exact = processes.memory(everybody(tree.pid), 0)
    rough = processes.memory(everybody(tree.pid), 1 << 40)
    assert 8 * 20 << 20 <= exact <= rough <= 8 * 60 << 20


def test_below_is_ended_and_the_root_if_asked(tree: subprocess.Popen[bytes]) -> None:
    inner = processes.below([tree.pid])
    processes.end([tree.pid], roots_too=False)
    until = time.monotonic() + 10
    while any(state(one) not in ("Z", "") for one in inner) and time.monotonic() < until:
        time.sleep(0.02)
    assert all(state(one) in ("Z", "") for one in inner)
    assert tree.poll() is None
    processes.end([tree.pid], roots_too=True)
    assert tree.wait(10) == -9


def state(process: int) -> str:
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0]
    except OSError:
        return ""
