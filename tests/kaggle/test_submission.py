"""The submission: what it holds, what the check refuses, and that a failing disk leaves the old one."""

import contextlib
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from byhand.errors import DataError
from byhand.kaggle import submission
from byhand.kaggle.submission import check_lines, write_submission

DIGITS = tuple("0123456789")


@given(st.lists(st.sampled_from(DIGITS), min_size=1, max_size=40))
def test_what_is_written_is_what_pandas_reads_and_what_the_check_takes(labels: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "submission.csv")
        write_submission(file, labels, DIGITS)
        table = pd.read_csv(file)
        assert [entry.name for entry in Path(folder).iterdir()] == ["submission.csv"]
        check_lines(file.read_bytes(), len(labels), DIGITS)
    assert list(table.columns) == ["ImageId", "Label"]
    assert table["ImageId"].tolist() == list(range(1, len(labels) + 1))
    assert [str(label) for label in table["Label"]] == labels


SOUND = b"ImageId,Label\n1,3\n2,7\n3,3\n"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (b"ImageId,Label", b"imageid,label", "its columns are 'imageid,label' and not ImageId,Label"),
        (b"ImageId,Label", b",ImageId,Label", "its columns are"),
        (b"1,3", b"0,3", "row 2 is '0,3' and not an id"),
        (b"2,7\n", b"", "row 3 has the id '3' where 2 is due"),
        (b"2,7", b"2,7.0", "row 3 is '2,7.0' and not an id and a label"),
        (b"2,7", b"02,7", "row 3 is '02,7'"),
        (b"2,7", b"2,5", "row 3 has the label '5', which does not occur in training"),
        (b"3,3\n", b"", "it has 2 rows for 3 images"),
        (b"3,3\n", b"3,3\n4,3\n", "it has 4 rows for 3 images"),
        (b"3,3\n", b"3,3\n\n", "row 5 is '' and not"),
        (b"2,7", b"1,2,7", "row 3 is '1,2,7'"),
    ],
)
def test_the_check_names_the_row(old: bytes, new: bytes, says: str) -> None:
    check_lines(SOUND, 3, ("3", "7"))
    check_lines(SOUND[:-1], 3)
    with pytest.raises(ValueError, match=says):
        check_lines(SOUND.replace(old, new, 1), 3, ("3", "7"))


@given(st.binary(max_size=60), st.integers(0, 5))
def test_of_any_other_bytes_the_check_says_what_is_wrong(text: bytes, rows: int) -> None:
    with contextlib.suppress(ValueError):
        check_lines(text, rows, ("3", "7"))
        assert text.removesuffix(b"\n").split(b"\n")[0] == b"ImageId,Label"
        assert len(text.removesuffix(b"\n").split(b"\n")) == rows + 1


def test_a_disk_that_takes_no_more_leaves_the_old_submission(tmp_path: Path) -> None:
    file = tmp_path / "submission.csv"
    write_submission(file, ["3"] * 10, DIGITS)
    old = file.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(DataError, match=r"cannot write .*submission\.csv"):
            write_submission(file, ["7"] * 10_000, DIGITS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert file.read_bytes() == old
    assert list(tmp_path.iterdir()) == [file]


def test_a_disk_that_gives_back_other_bytes_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "submission.csv"

    def forgetful(path: Path, content: bytes) -> None:
        path.write_bytes(content[:-3])

    monkeypatch.setattr(submission, "write_atomically", forgetful)
    with pytest.raises(DataError, match=r"was read back, was not as it should be .*, and is removed; check the disk"):
        write_submission(file, ["3", "7"], DIGITS)
    assert not file.exists()


def test_a_label_that_never_occurred_is_not_handed_in(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="row 3 has the label '7', which does not occur in training"):
        write_submission(tmp_path / "submission.csv", ["3", "7"], ("1", "3"))
    assert list(tmp_path.iterdir()) == []


WRITER = """
import sys
from pathlib import Path
from byhand.kaggle.submission import write_submission
print("begun", flush=True)
while True:
    for label in "37":
        write_submission(Path(sys.argv[1]), [label] * 20_000, "37")
"""


def test_a_process_that_is_killed_while_it_writes_leaves_a_whole_submission(tmp_path: Path) -> None:
    file = tmp_path / "submission.csv"
    write_submission(file, ["3"] * 20_000, DIGITS)
    rng = np.random.default_rng(0)
    for _ in range(6):
        command = [sys.executable, "-c", WRITER, str(file)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(rng.uniform(0.001, 0.1))
            process.kill()
        text = file.read_bytes()
        check_lines(text, 20_000, "37")
        assert len({line.split(b",")[1] for line in text.splitlines()[1:]}) == 1
