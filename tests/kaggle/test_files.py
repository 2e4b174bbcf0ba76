"""Where the tables are looked for, where the submission goes, and which places are refused."""

from pathlib import Path

import pytest

from byhand.data import competition
from byhand.errors import DataError, UsageError
from byhand.kaggle import files
from byhand.kaggle.files import Files, check_sample, check_target, find_files, usual_target


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty disk: Kaggle's folders would be below it, and an empty working folder."""
    monkeypatch.setattr(competition, "_INPUT", str(tmp_path / "kaggle" / "input"))
    monkeypatch.setattr(files, "_WORKING", str(tmp_path / "kaggle" / "working"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


def put(folder: Path, *names: str) -> Files:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names or ("train.csv", "test.csv"):
        (folder / name).touch()
    sample = folder / "sample_submission.csv"
    return Files(folder / "train.csv", folder / "test.csv", sample if sample.exists() else None)


def test_the_places_are_looked_into_in_order(machine: Path, home: Path) -> None:
    with pytest.raises(DataError, match=r"no train\.csv and test\.csv in .*digit-recognizer") as caught:
        find_files()
    assert str(machine / "here") in str(caught.value)
    Path("digit-recognizer.zip").touch()
    with pytest.raises(DataError, match=r"; unpack digit-recognizer\.zip$"):
        find_files()
    put(Path())
    assert find_files() == Files(Path("train.csv"), Path("test.csv"), None)
    hub = put(home / ".cache/kagglehub/competitions/digit-recognizer", "train.csv", "test.csv", "sample_submission.csv")
    assert find_files() == hub
    assert hub.sample is not None
    newer = put(machine / "kaggle/input/competitions/digit-recognizer")
    assert find_files() == newer
    usual = put(machine / "kaggle/input/digit-recognizer")
    assert find_files() == usual
    usual.test.unlink()  # half of a download is none
    assert find_files() == newer


def test_named_tables_are_taken_and_one_alone_is_refused(machine: Path) -> None:
    put(machine / "kaggle/input/digit-recognizer")
    mine = put(machine / "mine", "train.csv", "test.csv", "sample_submission.csv")
    assert find_files(mine.train, mine.test) == mine
    with pytest.raises(UsageError, match="name both tables, or none"):
        find_files(mine.train)


def test_the_submission_goes_where_kaggle_looks_for_it(machine: Path) -> None:
    assert usual_target() == Path("submission.csv")
    (machine / "kaggle" / "working").mkdir(parents=True)
    assert usual_target() == machine / "kaggle" / "working" / "submission.csv"


def test_a_place_that_holds_something_else_is_refused(machine: Path) -> None:
    mine = put(machine / "mine", "train.csv", "test.csv", "sample_submission.csv")
    assert mine.sample
    other = machine / "notes.txt"
    other.write_text("what I must not lose\n")
    old = machine / "submission.csv"
    old.write_text("ImageId,Label\n1,2\n")
    (machine / "link.csv").symlink_to(mine.train)
    check_target(old, mine)
    check_target(machine / "new.csv", mine)
    for target in (mine.train, mine.test, mine.sample, machine / "link.csv"):
        with pytest.raises(UsageError, match="one of the competition's own files"):
            check_target(target, mine)
    with pytest.raises(UsageError, match="holds something else than a submission"):
        check_target(other, mine)
    with pytest.raises(DataError, match=r"there is no folder .*nowhere; make it first"):
        check_target(machine / "nowhere" / "submission.csv", mine)
    with pytest.raises(DataError, match="is a folder"):
        check_target(machine, mine)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"ImageId,Label\n1,0\n2,0\n3,0\n", None),
        (b"ImageId,Label\r\n1,0\r\n2,0\r\n3,0\r\n", None),
        (b"ImageId,Label\n1,0\n2,0\n", "it has 2 rows for 3 images; get both files again"),
        (b"id,target\n1,0\n2,0\n3,0\n", "its columns are 'id,target' and not ImageId,Label"),
        (b"ImageId,Label\n0,0\n1,0\n2,0\n", "row 2 is '0,0'"),
        (b"ImageId,Label\n28001,0\n2,0\n3,0\n", "row 2 has the id '28001' where 1 is due"),
        (b"", "its columns are ''"),
    ],
)
def test_kaggles_own_sample_has_the_last_word(tmp_path: Path, text: bytes, says: str | None) -> None:
    sample = tmp_path / "sample_submission.csv"
    sample.write_bytes(text)
    if says is None:
        check_sample(sample, 3)
        return
    with pytest.raises(DataError, match=says) as caught:
        check_sample(sample, 3)
    assert str(sample) in str(caught.value)
