import json
import sys
from pathlib import Path
from typing import Any

import pytest

from byhand.data.parquet.read import parquet_classes, read_parquet
from tests.data.parquet.hub import TEN, features, packed, put, refused, table

pa = pytest.importorskip("pyarrow", reason="reading Parquet needs pyarrow")
pq = pytest.importorskip("pyarrow.parquet")


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("encoding", ["DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"])
def test_pictures_written_as_differences_are_refused(digits, tmp_path: Path, encoding: str, version: str) -> None:
    how = {"use_dictionary": False, "column_encoding": {"image.bytes": encoding}, "data_page_version": version}
    file = put(tmp_path / "x.parquet", [packed(image) for image in digits[0]], digits[1], **how)
    assert "is written as differences (DELTA_BYTE_ARRAY or DELTA_LENGTH_BYTE_ARRAY), which is not read" in refused(file)


@pytest.mark.parametrize(
    ("labels", "names", "what"),
    [
        (pa.array([0, None, 1]), TEN, "row 2: has no label"),
        (pa.array([0, 1, 10]), TEN, "row 3: label 10 is outside the 10 names"),
        (pa.array([0, -1, 1]), TEN, "row 2: label -1 is outside the 10 names"),
        (pa.array([0, 2**64 - 1, 1], pa.uint64()), TEN, "row 2: label 18446744073709551615 is outside"),
        (pa.array([0, -1, 1]), None, "label -1 of image 2 of the training part is outside 0..999"),
        (pa.array([0, 2**64 - 1, 1], pa.uint64()), None, "is outside 0..999"),
        (pa.array([0.0, 1.0, 2.0]), TEN, "its columns are image: struct<bytes: binary, path: string>, label: double;"),
        (pa.array(["0", "1", "2"]), TEN, "label: string"),
        (pa.array([True, False, True]), TEN, "label: bool"),
        (pa.array([[0], [1], [2]]), TEN, "label: list<"),
        (pa.array([{"a": 0}, {"a": 1}, {"a": 2}]), TEN, "label: struct<"),
        (pa.nulls(3), TEN, "label: null"),
    ],
)
def test_labels_that_are_none(digits, tmp_path: Path, labels, names, what: str) -> None:
    file = put(tmp_path / "x.parquet", [packed(image) for image in digits[0][:3]], labels, names)
    assert what in refused(file)


def other_columns(picture: bytes) -> dict[str, Any]:
    binary = pa.array([picture])
    half = pa.array([{"path": "a.png"}])
    twice = pa.StructArray.from_arrays([binary, binary], ["bytes", "bytes"])
    label = pa.array([1])
    return {
        "none": pa.table({}),
        "label": pa.table({"label": label}),
        "image": pa.table({"image": binary}),
        "others": pa.table({"img": binary, "fine_label": label}),
        "no bytes": pa.table({"image": half, "label": label}),
        "text": pa.table({"image": ["a.png"], "label": label}),
        "text inside": pa.table({"image": [{"bytes": "a"}], "label": label}),
        "list": pa.table({"image": [[picture]], "label": label}),
        "list inside": pa.table({"image": [{"bytes": [picture]}], "label": label}),
        "list around": pa.table({"image": [[{"bytes": picture}]], "label": label}),
        "pixels": pa.table({"image": [[[0, 255], [255, 0]]], "label": label}),
        "fixed": pa.table({"image": pa.array([picture], pa.binary(len(picture))), "label": label}),
        "dictionary": pa.table({"image": binary.dictionary_encode(), "label": label}),
        "twice": pa.table([binary, label, label], ["image", "label", "label"]),
        "twice inside": pa.table({"image": twice, "label": label}),
        "two pictures": pa.table([binary, binary, label], ["image", "image", "label"]),
        "many": pa.table({f"column\n{number}": label for number in range(500)}),
    }


@pytest.mark.parametrize("kind", other_columns(b"x"))
def test_other_columns_are_said_in_one_line(digits, tmp_path: Path, kind: str) -> None:
    file = tmp_path / "x.parquet"
    pq.write_table(other_columns(packed(digits[0][0]))[kind], file)
    message = refused(file)
    assert "its columns are" in message
    assert "needed: image, the bytes of PNG or JPEG pictures" in message
    assert len(message) < 700


@pytest.mark.parametrize("name", ["label.other", "image.bytes"])
def test_a_column_whose_name_is_a_path_is_not_taken_for_it(digits, tmp_path: Path, name: str) -> None:
    made = table([packed(digits[0][0])], [1]).append_column(name, pa.array([1]))
    pq.write_table(made, tmp_path / "x.parquet")
    assert f"holds 2 columns {name.replace('.other', '')}" in refused(tmp_path / "x.parquet")


@pytest.mark.parametrize(
    ("metadata", "what"),
    [
        ("", "Expecting value"),
        ("{", "Expecting"),
        ("[" * 100_000, "nested too deep"),
        (b"\xff\xfe{", "codec can't decode"),
        ("NaN", "NaN is no JSON"),
        (json.dumps(features(["a", "a"])), "no list of different texts"),
        (json.dumps(features(["a", 1])), "no list of different texts"),
        (json.dumps(features([])), "no list of different texts"),
        (json.dumps(features(["a", ["a"]])), "no list of different texts"),
        (json.dumps(features(["a", "\ud800"])), "can't encode character"),
        ("[]", None),
        ("3", None),
        ("{}", None),
        ('{"info": []}', None),
        ('{"info": {"features": {"label": []}}}', None),
        ('{"info": {"features": {"label": {"_type": "Value", "names": ["a", "b"]}}}}', None),
    ],
)
def test_metadata_that_name_no_classes(digits, tmp_path: Path, metadata: Any, what: str | None) -> None:
    made = table([packed(image) for image in digits[0][:4]], [0, 1, 2, 3])
    pq.write_table(made.replace_schema_metadata({"huggingface": metadata}), tmp_path / "x.parquet")
    if what is None:
        assert parquet_classes(tmp_path / "x.parquet") is None
        assert read_parquet(tmp_path / "x.parquet").classes == tuple("0123")
    else:
        message = refused(tmp_path / "x.parquet")
        assert "the names of the classes in its metadata are damaged" in message
        assert what in message


def test_two_copies_of_the_metadata_agree(digits, tmp_path: Path) -> None:
    made = table([packed(image) for image in digits[0][:4]], [0, 1, 2, 3])
    for number, names in enumerate((TEN, tuple("abcd"))):
        with pq.ParquetWriter(tmp_path / f"{number}.parquet", made.schema) as writer:
            writer.write_table(made)
            writer.add_key_value_metadata({"huggingface": json.dumps(features(names))})
    with pq.ParquetWriter(tmp_path / "2.parquet", made.schema.remove_metadata()) as writer:
        writer.write_table(made.replace_schema_metadata(None))
        writer.add_key_value_metadata({"huggingface": json.dumps(features(tuple("abcd")))})
    assert parquet_classes(tmp_path / "0.parquet") == TEN
    assert parquet_classes(tmp_path / "2.parquet") == tuple("abcd")
    assert "they stand there twice, and differ" in refused(tmp_path / "1.parquet")


def test_without_pyarrow(digits, tmp_path: Path, monkeypatch) -> None:
    file = put(tmp_path / "x.parquet", [packed(digits[0][0])], [1])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert refused(file).endswith('reading Parquet needs pyarrow; pip install "byhand[parquet]"')


def test_every_cut_is_refused(digits, tmp_path: Path) -> None:
    file = put(tmp_path / "x.parquet", [packed(image) for image in digits[0][:6]], digits[1][:6])
    sound = file.read_bytes()
    for length in range(len(sound)):
        file.unlink()
        file.write_bytes(sound[:length])
        assert "as a Parquet file does" in refused(file)
