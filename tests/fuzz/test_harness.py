"""Hypothesis breaks a sound file of each reader, and makes what it finds as small as it can."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.judge import Reader, judged
from tests.fuzz.readers import READERS

FEW, MANY = 30, 600  # examples a reader

change = st.tuples(
    st.sampled_from(["put", "insert", "delete", "repeat", "cut", "graft", "word", "flip"]),
    st.floats(0, 1),  # where
    st.integers(1, 64),  # how many bytes
    st.binary(max_size=16),
    st.floats(0, 1),  # from where, and which one
)
changes = st.lists(change, max_size=6)


def broken(reader: Reader, first: float, several: list[tuple[str, float, int, bytes, float]]) -> bytes:
    """A sound content after the changes, which mean something whatever they are."""
    content = reader.sounds[int(first * (len(reader.sounds) - 1))]
    for what, where, size, data, other in several:
        at = int(where * len(content))
        end = min(at + size, len(content))
        if what == "put":
            content = content[:at] + data + content[at + len(data) :]
        elif what == "insert":
            content = content[:at] + data + content[at:]
        elif what == "delete":
            content = content[:at] + content[end:]
        elif what == "repeat":
            content = content[:end] + content[at:]
        elif what == "cut":
            content = content[:at]
        elif what == "graft":
            source = reader.sounds[int(other * (len(reader.sounds) - 1))]
            content = content[:at] + source[int(other * len(source)) :][:size] + content[end:]
        elif what == "word" and reader.words:
            content = content[:at] + reader.words[int(other * (len(reader.words) - 1))] + content[at:]
        elif what == "flip" and at < len(content):
            content = content[:at] + bytes([content[at] ^ 1 << size % 8]) + content[at + 1 :]
    return content


def harness(name: str, examples: int) -> None:
    reader = READERS[name]
    memory = Path("/dev/shm")  # noqa: S108
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:

        @given(first=st.floats(0, 1), several=changes)
        @settings(
            max_examples=examples,
            deadline=None,
            derandomize="BYHAND_FUZZ_FRESH" not in os.environ,  # the same inputs each time
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        def judge(first: float, several: list[tuple[str, float, int, bytes, float]]) -> None:
            judged(reader, Path(folder), broken(reader, first, several))

        judge()


@pytest.mark.parametrize("name", READERS)
def test_what_hypothesis_breaks(name: str) -> None:
    harness(name, FEW)


@pytest.mark.full
@pytest.mark.parametrize("name", READERS)
def test_many_more_of_them(name: str) -> None:
    harness(name, MANY)
