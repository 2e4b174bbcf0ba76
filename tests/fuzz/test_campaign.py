"""Tens of thousands of broken inputs over all readers: each refused in one line, or right, in bounded memory."""

import os
from pathlib import Path

import pytest

from tests.fuzz.judge import Report, campaign
from tests.fuzz.readers import READERS, every, whole

pytestmark = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux's limits and counts")

FEW, MANY = 200, 6_000  # seeds a reader


def judge(name: str, folder: Path, seeds: int) -> Report:
    reader = READERS[name]
    report = campaign(reader, folder, lambda: whole(reader, range(seeds), thorough=seeds == MANY))
    assert [(what, content[:2000]) for content, what in report.faults] == []
    assert report.outcomes["right"] >= len(reader.sounds)
    assert report.peak <= 2 * reader.cap
    return report


@pytest.mark.parametrize("name", READERS)
def test_a_broken_input_is_refused_in_one_line_or_read_right(name: str, quick_folder: Path) -> None:
    report = judge(name, quick_folder, FEW)
    assert report.count - report.outcomes["right"] > 100


@pytest.mark.full
@pytest.mark.parametrize("name", READERS)
def test_many_more_of_them(name: str, quick_folder: Path) -> None:
    assert judge(name, quick_folder, MANY).count > MANY


def test_they_are_far_more_than_ten_thousand() -> None:
    assert sum(1 for reader in READERS.values() for _ in every(reader, thorough=False)) > 40_000


def test_what_is_judged_may_work_in_threads(tmp_path: Path) -> None:
    import torch

    from tests.fuzz.judge import Reader

    def check(folder: Path, content: bytes) -> None:
        assert float(torch.zeros(1 << 20).add_(1).sum()) == 1 << 20

    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        check(tmp_path, b"")  # makes threads that a child will not have
        report = campaign(Reader("test", (b"sound",), check, 1 << 26), tmp_path, lambda: [b"sound"])
    finally:
        torch.set_num_threads(threads)
    assert (report.faults, report.outcomes["right"]) == ([], 1)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("raise KeyError(3)", "KeyError"),
        ("raise DataError('two\\nlines')", "more than one plain line"),
        ("raise DataError('no name')", "names no file"),
        ("raise AssertionError('a wrong acceptance')", "a wrong acceptance"),
        ("os.kill(os.getpid(), 9)", "the child ended with status"),
        ("bytearray(8 << 30)", "MemoryError"),  # more than what earlier tests may have left free in the process
        ("time.sleep(60)", "silent for"),
    ],
)
def test_the_judge_sees_each_kind_of_fault_and_goes_on(fault: str, said: str, tmp_path: Path, monkeypatch) -> None:
    from byhand.errors import DataError
    from tests.fuzz import judge as judging

    monkeypatch.setattr(judging, "SILENCE", 0.2)

    def check(folder: Path, content: bytes) -> None:
        if content == b"broken":
            exec(fault, {"os": os, "DataError": DataError, "time": __import__("time")})  # noqa: S102

    reader = judging.Reader("test", (b"sound",), check, 1 << 20)
    report = campaign(reader, tmp_path, lambda: [b"sound", b"broken", b"sound", b"sound"])
    assert [content for content, _ in report.faults] == [b"broken"]
    assert said in report.faults[0][1]
    assert report.count == 4
    assert report.outcomes["right"] >= 2
