"""The two tables of a competition: who is where, what names them, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from byhand.data import competition
from byhand.data.competition import folders, open_competition
from byhand.data.load import load
from byhand.errors import DataError, UsageError


@pytest.fixture
def tables(write, digits, tmp_path: Path) -> tuple[Path, Path]:
    """150 images to learn from, 50 to name."""
    images, labels = digits
    train, test = tmp_path / "train.csv", tmp_path / "test.csv"
    train.write_bytes(write.csv(images[:150], labels[:150]))
    lines = write.csv(images[150:], labels[150:]).split(b"\n")
    test.write_bytes(b"\n".join(line.partition(b",")[2] for line in lines))
    return train, test


def test_all_labelled_images_are_learnt_from_or_judged_by(tables, digits) -> None:
    images, labels = digits
    data, named = open_competition(*tables)
    assert (len(data.train), len(data.valid), len(data.test)) == (135, 15, 0)
    np.testing.assert_array_equal(named, images[150:])
    both = np.concatenate([data.train.images, data.valid.images])
    place = [int(np.flatnonzero((images == image).all((1, 2)))[0]) for image in both]
    assert sorted(place) == list(range(150))
    np.testing.assert_array_equal(np.concatenate([data.train.labels, data.valid.labels]), labels[place])
    assert np.bincount(data.valid.labels, minlength=10).max() <= 2  # a tenth of every class


def test_share_and_seed_decide_what_is_kept_aside(tables) -> None:
    usual, same = (open_competition(*tables).data.valid.hash for _ in range(2))
    assert usual == same != open_competition(*tables, seed=7).data.valid.hash
    assert len(open_competition(*tables, valid=0.2).data.valid) == 30
    assert len(open_competition(*tables, valid=0).data.train) == 150


def test_the_hash_names_both_tables_and_is_not_that_of_the_first_alone(tables) -> None:
    train, test = tables
    usual = open_competition(train, test).data.hash
    assert usual == open_competition(train, test, seed=7).data.hash != load(train).hash
    test.write_bytes(test.read_bytes().rsplit(b"\n", 2)[0] + b"\n")
    assert open_competition(train, test).data.hash != usual


def test_what_is_wrong_is_one_line_with_the_file(tables, write, tmp_path: Path) -> None:
    train, test = tables
    small = tmp_path / "small.csv"
    small.write_text("a,b,c,d\n1,2,3,4\n")
    empty = tmp_path / "empty.csv"
    empty.touch()
    cases = [
        ((test, train), "they are swapped; name the training table first"),
        ((train, train), "row 1 has a column of labels, so this is a table to train on"),
        ((test, test), "neither a number nor 'label'"),
        ((train, small), "its images have 2 × 2 pixels, those of .* 6 × 6"),
        ((train, empty), "empty.csv: is empty"),
        ((empty, test), "empty.csv: is empty"),
        ((train, tmp_path / "nowhere.csv"), "no such file"),
        ((tmp_path, test), "is a folder"),
    ]
    for files, says in cases:
        with pytest.raises(DataError, match=says) as caught:
            open_competition(*files)
        assert str(caught.value).isprintable()
    with pytest.raises(UsageError, match="valid"):
        open_competition(train, test, valid=1)


def test_where_kaggle_and_kagglehub_put_them(home: Path, monkeypatch, tmp_path: Path) -> None:
    name = competition.NAME
    assert list(folders()) == [
        Path("/kaggle/input", name),
        Path("/kaggle/input/competitions", name),
        home / ".cache/kagglehub/competitions" / name,
    ]
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path))
    assert list(folders())[2] == tmp_path / "competitions" / name
