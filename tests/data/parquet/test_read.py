import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from byhand.data import pictures
from byhand.data.load import load
from byhand.data.parquet import columns, read
from byhand.data.parquet.read import find_parquet, parquet_classes, parquet_rows, read_parquet
from byhand.errors import DataError
from tests.data.parquet.hub import TEN, packed, put, refused

pa = pytest.importorskip("pyarrow", reason="reading Parquet needs pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


def test_the_genuine_digits_are_those_of_the_idx_files(mnist_path: Path, tmp_path: Path, write) -> None:
    whole = load(mnist_path, valid=0)
    for part, rows, count in (("train", whole.train, 3000), ("test", whole.test, 1000)):
        cuts = np.array_split(np.arange(count), 2)
        for number, cut in enumerate(cuts):
            pictures = [packed(image) for image in rows.images[cut]]
            name = f"mnist/{part}-{number:05}-of-00002.parquet"
            put(tmp_path / "hub" / name, pictures, rows.labels[cut], row_group_size=100 if number else 4000)
    test = whole.test.images[:1000], whole.test.labels[:1000]
    write.idx_folder(tmp_path / "idx", whole.train.images[:3000], whole.train.labels[:3000], test)
    found, right = load(tmp_path / "hub"), load(tmp_path / "idx")
    assert (found.hash, found.classes) == (right.hash, right.classes)
    for part in ("train", "valid", "test"):
        assert getattr(found, part).hash == getattr(right, part).hash
        np.testing.assert_array_equal(getattr(found, part).images, getattr(right, part).images)
        np.testing.assert_array_equal(getattr(found, part).labels, getattr(right, part).labels)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"use_dictionary": False},
        {"row_group_size": 7},
        {"data_page_version": "2.0", "data_page_size": 300, "write_page_checksum": True},
        {"use_dictionary": False, "column_encoding": {"label": "DELTA_BINARY_PACKED"}},
        {"use_dictionary": False, "column_encoding": {"label": "BYTE_STREAM_SPLIT"}},
        {"dictionary_pagesize_limit": 1000, "write_batch_size": 10},
        *({"compression": kind} for kind in ("none", "snappy", "gzip", "zstd", "brotli", "lz4")),
    ],
    ids=str,
)
def test_however_it_is_written(digits, tmp_path: Path, options, monkeypatch) -> None:
    images, labels = digits
    file = put(tmp_path / "digits.parquet", [packed(image) for image in images], labels, **options)
    for batch, block in ((columns._BATCH, read._BLOCK), (1, 1), (5000, 100)):
        monkeypatch.setattr(columns, "_BATCH", batch)
        monkeypatch.setattr(read, "_BLOCK", block)
        blocks = list(parquet_rows([file, file], None, False))
        assert all(0 < len(rows.labels) == len(rows.images) <= 4096 for rows in blocks)
        np.testing.assert_array_equal(np.concatenate([rows.images for rows in blocks]), np.concatenate([images] * 2))
        np.testing.assert_array_equal(np.concatenate([rows.labels for rows in blocks]), np.concatenate([labels] * 2))
    raw = read_parquet(file)
    np.testing.assert_array_equal(raw.train.images, images)
    np.testing.assert_array_equal(raw.train.labels, labels)
    assert (raw.valid, raw.test, raw.classes) == (None, None, TEN)


def test_a_picture_may_stand_in_its_column_without_a_structure(digits, tmp_path: Path) -> None:
    images, labels = digits
    for kind in (pa.binary(), pa.large_binary()):
        column = pa.array([packed(image) for image in images], kind)
        pq.write_table(pa.table({"label": pa.array(labels, pa.uint8()), "image": column}), tmp_path / "x.parquet")
        raw = read_parquet(tmp_path / "x.parquet")
        np.testing.assert_array_equal(raw.train.images, images)
        np.testing.assert_array_equal(raw.train.labels, labels)


def test_labels_without_names_are_named_by_their_number(digits, tmp_path: Path) -> None:
    images, labels = digits
    keep = np.isin(labels, [3, 7])
    file = put(tmp_path / "x.parquet", [packed(image) for image in images[keep]], labels[keep], None)
    raw = read_parquet(file)
    assert parquet_classes(file) is None
    assert raw.classes == ("3", "7")
    np.testing.assert_array_equal(raw.train.labels, labels[keep] == 7)
    np.testing.assert_array_equal(next(parquet_rows([file], None, False)).labels, labels[keep])


def test_names_may_be_more_than_the_labels_that_occur(digits, tmp_path: Path) -> None:
    images, labels = digits
    keep = np.isin(labels, [3, 7])
    file = put(tmp_path / "x.parquet", [packed(image) for image in images[keep]], labels[keep])
    assert parquet_classes(file) == TEN
    assert read_parquet(file).classes == TEN
    np.testing.assert_array_equal(read_parquet(file).train.labels, labels[keep])
    assert set(load(file).test.labels.tolist()) == {3, 7}


@pytest.mark.parametrize("below", ["", "data", "mnist", "any/thing"])
@pytest.mark.parametrize("name", ["{}-0000{}-of-00002.parquet", "{}-0000{}-of-00002-0123456789abcdef.parquet"])
def test_where_files_are_found(tmp_path: Path, below: str, name: str) -> None:
    place = tmp_path / below
    place.mkdir(parents=True, exist_ok=True)
    for part in ("train", "validation", "test", "unsupervised"):
        for number in (1, 0):
            (place / name.format(part, number)).touch()
    for other in ("README.md", "train.txt", "train-00000-of-00001.parquet.part", "._train.parquet", "Train.parquet"):
        (place / other).touch()
    parts = {"train": "train", "valid": "validation", "test": "test"}
    right = {part: [place / name.format(theirs, number) for number in (0, 1)] for part, theirs in parts.items()}
    assert find_parquet(tmp_path) == (right if below != "any/thing" else None)


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (["test.parquet"], None),
        ([], None),
        (["train.parquet", "test.parquet"], {"train": 1, "test": 1}),
        (["train.parquet", "data/train-00000-of-00002.parquet"], {"train": 1}),
        (["one/train.parquet", "two/test.parquet"], {"train": 1}),
        (["one/train.parquet", "two/train.parquet"], r"several data sets \(one, two\)"),
        (["train-00001-of-00002.parquet"], "file 00000 of the 2 of this part is missing"),
        (["train-00000-of-00003.parquet", "train-00002-of-00003.parquet"], "file 00001 of the 3"),
        (["train.parquet", "test-00000-of-00002.parquet"], "test-00000-of-00002.parquet: file 00001 of the 2"),
        (["train-00000-of-00001.parquet", "train.parquet"], "stands beside another train part"),
        (["train.parquet", "val.parquet", "validation.parquet"], "stands beside another valid part"),
        (["train-00000-of-00002.parquet", "train-00001-of-00003.parquet"], "stands beside another train part"),
        (["train-00000-of-00001.parquet", "train-00001-of-00001.parquet"], "is more than the 1"),
    ],
)
def test_names_of_files(tmp_path: Path, names: list[str], what: Any) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    if isinstance(what, str):
        with pytest.raises(DataError, match=what):
            find_parquet(tmp_path)
        return
    found = find_parquet(tmp_path)
    assert (found and {part: len(files) for part, files in found.items()}) == what


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        find_parquet(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"holds no train\.parquet"):
        read_parquet(tmp_path)
    with pytest.raises(DataError, match="no such file"):
        read_parquet(tmp_path / "x.parquet")


def test_pictures_of_several_sizes_name_file_and_row(digits, tmp_path: Path) -> None:
    images, labels = digits
    pictures = [packed(image) for image in images]
    odd = packed(np.zeros((4, 5), np.uint8))
    first = put(tmp_path / "train-00000-of-00002.parquet", pictures, labels)
    second = put(tmp_path / "train-00001-of-00002.parquet", [*pictures[:70], odd], labels[:71], row_group_size=30)
    with pytest.raises(DataError, match=r"00001-of-00002.parquet, row 71: 5×4 pixels, but the first picture has 6×6"):
        list(parquet_rows([first, second], None, False))
    assert "row 71: 5×4 pixels" in refused(tmp_path)
    raw = read_parquet(tmp_path, 6)
    assert raw.train.images.shape == (271, 6, 6)
    np.testing.assert_array_equal(raw.train.images[:200], images)
    assert read_parquet(tmp_path, 3).train.images.shape == (271, 3, 3)
    second.unlink()
    first.rename(tmp_path / "train.parquet")
    put(tmp_path / "test.parquet", [odd], [0])
    assert "test.parquet, row 1: 5×4 pixels" in refused(tmp_path)


def test_what_is_no_grey_picture_names_file_and_row(digits, tmp_path: Path) -> None:
    images, labels = digits
    pictures = [packed(image) for image in images]
    colours = packed(np.dstack([images[0], images[1], images[2]]))
    file = tmp_path / "x.parquet"
    for place, bad, what in (
        (0, colours, "row 1: has colours"),
        (199, colours, "row 200: has colours"),
        (99, b"", "row 100: empty, not PNG or JPEG"),
        (99, b"GIF89a", "row 100: a GIF file"),
        (99, pictures[99][:-20], "row 100: truncated"),
        (99, pictures[99][:-20] + b"\0" + pictures[99][-19:], "row 100: damaged: wrong checksum"),
        (3, None, "row 4: holds no bytes of a picture"),
    ):
        put(file, [*pictures[:place], bad, *pictures[place + 1 :]], labels, row_group_size=64)
        assert f"x.parquet, {what}" in refused(file)
    put(file, [colours, *pictures[1:]], labels)
    raw = read_parquet(file, grayscale=True)
    np.testing.assert_array_equal(raw.train.images[1:], images[1:])
    np.testing.assert_array_equal(raw.train.images[0], np.asarray(Image.open(io.BytesIO(colours)).convert("L")))


def test_jpeg_and_unusual_png_are_read_as_from_a_folder(digits, tmp_path: Path) -> None:
    images = [packed(image, "JPEG") for image in digits[0][:20]] + [packed(image > 99) for image in digits[0][20:40]]
    raw = read_parquet(put(tmp_path / "x.parquet", images, np.arange(40) % 10))
    for image, data in zip(raw.train.images, images, strict=True):
        np.testing.assert_array_equal(image, np.asarray(Image.open(io.BytesIO(data)).convert("L")))


def test_files_of_one_data_set_name_the_same_classes(digits, tmp_path: Path) -> None:
    pictures = [packed(image) for image in digits[0][:4]]
    put(tmp_path / "train.parquet", pictures, [0, 1, 2, 3])
    put(tmp_path / "test.parquet", pictures, [0, 1, 2, 3], tuple("abcd"))
    with pytest.raises(DataError, match=r"test.parquet: names other classes than train.parquet"):
        read_parquet(tmp_path)


def test_no_rows(digits, tmp_path: Path) -> None:
    picture = packed(digits[0][0])
    assert "holds no row" in refused(put(tmp_path / "x.parquet", [], pa.array([], pa.int64())))
    put(tmp_path / "hub" / "train-00000-of-00002.parquet", [], pa.array([], pa.int64()))
    put(tmp_path / "hub" / "train-00001-of-00002.parquet", [picture], [3])
    assert read_parquet(tmp_path / "hub").train.labels.tolist() == [3]


def test_what_does_not_fit_is_refused_before_it_is_read(digits, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(pictures, "MAX_BYTES", 200 * 36 - 1)
    file = put(tmp_path / "x.parquet", [packed(image) for image in digits[0]], digits[1])
    assert "200 pictures of 6×6 pixels take 7,200 bytes, more than the 7,199" in refused(file)
    assert read_parquet(file, 3).train.images.shape == (200, 3, 3)


def test_the_cache_knows_the_settings(digits, tmp_path: Path) -> None:
    file = put(tmp_path / "x.parquet", [packed(image) for image in digits[0]], digits[1])
    assert [load(file, size=size).train.images.shape[1] for size in (None, 3, 6, 3)] == [6, 3, 6, 3]
    put(tmp_path / "hub" / "train.parquet", [packed(image) for image in digits[0]], digits[1])
    assert load(tmp_path / "hub", size=3).train.images.shape[1:] == (3, 3)
