"""Shards hold what ``load`` would have given, made in pieces, after any kill, and with deformed versions if wanted."""

import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from byhand import Dataset, load, open_data
from byhand.data import sharding
from byhand.data.content import content_hash, row_digests
from byhand.data.deform import deform
from byhand.data.formats import find_format
from byhand.data.load import make_shards
from byhand.data.sharding import Choices
from byhand.errors import DataError, UsageError
from tests.data.conftest import Writers

Digits = tuple[NDArray[Any], NDArray[Any]]
SIZE = 36 * 37  # bytes of a shard: 37 images of 6 × 6


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharding, "_SIZE", SIZE)


SOURCES = ["idx", "idx.gz", "csv", "tables", "npz", "pictures", "pictures in parts", "parquet", "digits"]


def source(kind: str, folder: Path, digits: Digits, write: Writers) -> str:
    images, labels = digits
    test = images[:50], labels[:50]
    match kind:
        case "idx" | "idx.gz":
            write.idx_folder(folder, images[50:], labels[50:], test, gz=kind == "idx.gz")
        case "csv":
            (folder / "all.csv").write_bytes(write.csv(images, 3 * labels))  # classes 0, 3, … 27
            return str(folder / "all.csv")
        case "tables":
            (folder / "train.csv").write_bytes(write.csv(images[50:], labels[50:], header=False))
            (folder / "test.csv").write_bytes(write.csv(*test, header=False, end="\r\n"))
        case "npz":
            (folder / "all.npz").write_bytes(write.npz(x_train=images[50:], y_train=labels[50:]))
            return str(folder / "all.npz")
        case "parquet":
            for part, (some, theirs) in {"train": (images[50:], labels[50:]), "test": test}.items():
                parquet(folder / f"{part}-00000-of-00001.parquet", some, theirs)
        case "pictures":
            write.png_tree(folder, images, labels)
        case "pictures in parts":
            write.png_tree(folder, images[50:], labels[50:], test)
        case _:
            return "digits"
    return str(folder)


def parquet(file: Path, images: NDArray[Any], labels: NDArray[Any]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pictures = []
    for image in images:
        picture = io.BytesIO()
        Image.fromarray(image).save(picture, "png")
        pictures.append({"bytes": picture.getvalue(), "path": None})
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    pq.write_table(pa.table({"image": pa.array(pictures, kind), "label": pa.array(labels, pa.int64())}), file)


def same(made: Path, wanted: Dataset) -> None:
    """The shards hold the data set: the training part in another order, the others row for row."""
    shards = open_data(made)
    assert not isinstance(shards, Dataset)
    found = shards.in_memory()
    assert (found.hash, found.classes, found.shape) == (wanted.hash, wanted.classes, wanted.shape)
    for name in ("train", "valid", "test"):
        part, like = getattr(found, name), getattr(wanted, name)
        assert (part.hash, len(part)) == (like.hash, len(like))
        assert part.hash == content_hash(row_digests(part, part.classes), part.classes)
        assert getattr(shards, name).counts == tuple(np.bincount(like.labels, minlength=len(like.classes)))
        if name != "train":
            assert (part.images == like.images).all()
            assert (part.labels == like.labels).all()


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("kind", SOURCES)
def test_shards_hold_what_load_gives(kind: str, tmp_path: Path, digits: Digits, write: Writers) -> None:
    (folder := tmp_path / "source").mkdir()
    name = source(kind, folder, digits, write)
    make_shards(name, tmp_path / "made", Choices(valid=0.2, seed=3))
    same(tmp_path / "made", load(name, 0.2, 3))
    files = sorted(file.name for file in (tmp_path / "made").iterdir())
    assert sum(file.startswith("train") for file in files) > 4
    assert [file for file in files if not file.endswith(".npy")] == ["shards.json"]
    array = np.load(tmp_path / "made" / "train-00000.images.npy", mmap_mode="r")  # as any tool of the field
    assert (array.dtype, array.shape[1:]) == (np.uint8, load(name).shape)


def test_mnist(tmp_path: Path, mnist_path: Path) -> None:
    make_shards(mnist_path, tmp_path / "made", Choices())
    same(tmp_path / "made", load(mnist_path))


@pytest.mark.usefixtures("small")
def test_the_training_images_stand_in_a_random_order(tmp_path: Path, digits: Digits, write: Writers) -> None:
    write.png_tree(tmp_path / "source", *digits)  # which is read class after class
    orders = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        make_shards(tmp_path / "source", tmp_path / name, Choices(0.0, seed))
        labels = open_data(tmp_path / name).train.rows(0, 999).labels  # type: ignore[union-attr]
        assert np.mean(np.diff(labels) == 0) < 0.2
        orders.append(labels.tolist())
    assert orders[0] == orders[1] != orders[2]


@pytest.mark.usefixtures("small")
def test_deformed_versions_follow_the_images_and_only_they_are_learnt_from(tmp_path: Path, digits: Digits) -> None:
    np.savez(tmp_path / "all.npz", images=digits[0], labels=digits[1])
    make_shards(tmp_path / "all.npz", tmp_path / "made", Choices(seed=5, deformed=2))
    plain, more = load(tmp_path / "all.npz", seed=5), load(tmp_path / "made")
    n = len(plain.train)
    images, labels = more.train.images.reshape(3, n, 6, 6), more.train.labels.reshape(3, n)
    assert content_hash(row_digests(more.train, more.classes)[:n], more.classes) == plain.train.hash
    assert (labels == labels[0]).all()
    for version in (1, 2):
        assert (images[version] == deform(images[0], 0, version, 5)).all()
        assert (images[version] != images[0]).any()
    assert (more.valid.hash, more.test.hash) == (plain.valid.hash, plain.test.hash)
    assert more.train.hash == content_hash(row_digests(more.train, more.classes), more.classes)
    counts = open_data(tmp_path / "made").train.counts  # type: ignore[union-attr]
    assert counts == tuple(3 * np.bincount(plain.train.labels))


# What is half made.


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("kind", ["idx", "csv", "pictures in parts"])
def test_left_before_any_file_it_goes_on(
    kind: str, tmp_path: Path, digits: Digits, write: Writers, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder := tmp_path / "source").mkdir()
    name = source(kind, folder, digits, write)
    choices = Choices(seed=1, deformed=1)
    writes, left = 0, -1
    write_atomically = sharding.write_atomically

    def writing(*args: Any) -> None:
        nonlocal writes, left
        writes += 1
        left -= 1
        if left == -1:
            raise KeyboardInterrupt
        write_atomically(*args)

    monkeypatch.setattr(sharding, "write_atomically", writing)
    left = -2
    make_shards(name, tmp_path / "whole", choices)
    whole, wanted = contents(tmp_path / "whole"), writes
    assert wanted > 40
    lives, writes = 0, 0
    for life in range(10**6):  # killed before its first file, its second, … each time a little later
        left = life % 5
        try:
            make_shards(name, tmp_path / "made", choices)
        except KeyboardInterrupt:
            lives += 1
        else:
            break
    assert lives > 10
    assert writes - lives <= wanted + 3 * lives  # but for those of one shard no file is written twice
    assert contents(tmp_path / "made") == whole


def half_made(tmp_path: Path, digits: Digits, monkeypatch: pytest.MonkeyPatch) -> Path:
    np.savez(tmp_path / "all.npz", images=digits[0], labels=digits[1])
    with monkeypatch.context() as patched:
        patched.setattr(sharding, "_deal", interrupt)
        with pytest.raises(KeyboardInterrupt):
            make_shards(tmp_path / "all.npz", tmp_path / "made", Choices())
    return tmp_path / "made"


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.usefixtures("small")
def test_half_made_it_is_no_data_set_and_for_the_same_command_only(
    tmp_path: Path, digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = half_made(tmp_path, digits, monkeypatch)
    with pytest.raises(DataError):
        open_data(made)
    for other in (Choices(valid=0.2), Choices(seed=1), Choices(deformed=1)):
        with pytest.raises(UsageError, match=r"made is half made of another source or with other choices"):
            make_shards(tmp_path / "all.npz", made, other)
    time.sleep(0.02)  # more than a tick of the file system's clock
    np.savez(tmp_path / "all.npz", images=digits[0], labels=digits[1][::-1])
    with pytest.raises(UsageError, match=r"or the source has changed"):
        make_shards(tmp_path / "all.npz", made, Choices())


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY", b"nonsense" * 99])
def test_a_damaged_piece_is_one_line(
    damage: bytes, tmp_path: Path, digits: Digits, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = half_made(tmp_path, digits, monkeypatch)
    (made / ".making" / "train-00001.labels.npy").write_bytes(damage)
    with pytest.raises(DataError, match=r"train-00001.labels.npy: is damaged .*; remove .*\.making, begin anew$"):
        make_shards(tmp_path / "all.npz", made, Choices())


def test_nothing_that_is_there_is_lost(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"made is not empty; name another folder with -o"):
        make_shards("digits", tmp_path / "made", Choices())
    assert contents(tmp_path / "made") == {"thesis.txt": b"mine"}
    make_shards("digits", tmp_path / "other", Choices())
    before = contents(tmp_path / "other")
    (tmp_path / "other" / ".making").mkdir()  # as if it had been killed before the last line
    with pytest.raises(UsageError, match=r"other holds shards already; name another folder with -o"):
        make_shards("digits", tmp_path / "other", Choices())
    with pytest.raises(UsageError, match=r"other holds shards already; copy the folder"):
        make_shards(tmp_path / "other", tmp_path / "third", Choices())
    assert contents(tmp_path / "other") == before


KILLED = ("data", "shard", "digits", "--deformed", "40", "-o")


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=lambda number: number.name)
def test_a_process_that_is_ended_goes_on(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some 60,000 images of 8 × 8 in shards of 64 KiB, ended at several moments."""
    small = "from byhand import cli; from byhand.data import sharding; sharding._SIZE = 1 << 16; cli.main()"
    command = [sys.executable, "-c", small, *KILLED]
    kills = 0
    for shards in (1, 30, 31):
        with subprocess.Popen([*command, "made"], cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
            while process.poll() is None and len(list(tmp_path.glob("made/train-*.images.npy"))) < shards:
                time.sleep(0.005)
            process.send_signal(number)
            said = process.communicate()[1]
        kills += process.returncode in (-signal.SIGKILL, 130)
        if process.returncode == 130:
            assert said == "byhand: interrupted; made is half made; the same command goes on\n"
    assert kills == 3
    monkeypatch.setattr(sharding, "_SIZE", 1 << 16)
    make_shards("digits", tmp_path / "made", Choices(deformed=40))
    make_shards("digits", tmp_path / "whole", Choices(deformed=40))
    assert contents(tmp_path / "made") == contents(tmp_path / "whole")


# What cannot be made.


@pytest.mark.parametrize(
    ("images", "labels", "what"),
    [
        (np.zeros((9, 4, 4), np.uint8), np.zeros(9, np.int64), "all images are of one class"),
        (np.zeros((9, 4, 4), np.uint8), np.arange(9) * 200, "label 1000 of image 6"),
        (np.zeros((3, 4, 4), np.uint8), np.arange(3), "too few to test on a fifth"),
    ],
)
def test_the_reasons_of_load_are_those_of_shards(
    images: NDArray[Any], labels: NDArray[Any], what: str, tmp_path: Path, write: Writers
) -> None:
    write.idx_folder(tmp_path / "idx", images, labels)
    (tmp_path / "idx" / "train-labels-idx1-ubyte").write_bytes(write.idx(labels.astype(np.int32)))
    for read in (load, lambda path: make_shards(path, tmp_path / "made", Choices())):
        with pytest.raises(DataError, match=what):
            read(tmp_path / "idx")


@pytest.mark.parametrize(
    ("choices", "what"),
    [
        (Choices(valid=1.0), r"valid=1\.0: give the share"),
        (Choices(seed=-1), "seed=-1: give an integer"),
        (Choices(deformed=-1), "deformed=-1: give the number of versions"),
        (Choices(size=28), "size=28: digits holds images of 8 × 8 pixels"),
    ],
)
def test_a_choice_out_of_range(choices: Choices, what: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=what):
        make_shards("digits", tmp_path / "made", choices)
    assert not (tmp_path / "made").exists()


def test_a_source_that_ends_too_early_leaves_what_was_read(tmp_path: Path, digits: Digits, write: Writers) -> None:
    write.idx_folder(tmp_path / "idx", *digits)
    file = tmp_path / "idx" / "train-images-idx3-ubyte"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    with pytest.raises(DataError, match=r"ends after 7,199 of the 7,200 bytes"):
        make_shards(tmp_path / "idx", tmp_path / "made", Choices())
    with pytest.raises(DataError):
        open_data(tmp_path / "made")


# Streams.


@pytest.mark.parametrize("first", [0, 1, 49, 60, 149, 150])
@pytest.mark.parametrize("kind", ["idx", "idx.gz", "tables", "pictures in parts", "parquet"])
def test_a_stream_begins_at_any_row(
    kind: str, first: int, tmp_path: Path, digits: Digits, write: Writers, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder := tmp_path / "source").mkdir()
    name = source(kind, folder, digits, write)
    for module in ("idx", "folder", "table"):
        monkeypatch.setattr(f"byhand.data.{module}._PIECE", 800)
    stream = find_format(Path(name), None, False).stream()
    for part in ("train", "test"):
        pieces = list(stream.parts[part](0))
        assert len(pieces) > 1 or kind == "parquet"
        images, labels = (np.concatenate(column) for column in zip(*pieces, strict=True))
        later = list(stream.parts[part](first))
        assert sum(len(rows.labels) for rows in later) == max(0, len(labels) - first)
        if later:
            assert (np.concatenate([rows.images for rows in later]) == images[first:]).all()
            assert (np.concatenate([rows.labels for rows in later]) == labels[first:]).all()


def test_what_is_half_made_says_of_what(tmp_path: Path, digits: Digits, monkeypatch: pytest.MonkeyPatch) -> None:
    made = half_made(tmp_path, digits, monkeypatch)
    about = json.loads((made / ".making" / "about.json").read_text())
    assert about["source"] == str(tmp_path / "all.npz")
    assert about["seed"] == 42
