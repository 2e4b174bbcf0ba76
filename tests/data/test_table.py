import re
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from byhand.data.fields import find_fault, parse_fields
from byhand.data.table import find_tables, has_labels, read_csv, read_tables, read_unlabelled
from byhand.errors import DataError


def _rows(columns: int):
    return hnp.arrays(np.uint8, st.tuples(st.integers(1, 8), st.just(columns)))


def test_more_images_than_are_read_into_memory(write, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("byhand.data.files.MAX_ROWS", 3)
    file = tmp_path / "table.csv"
    for header in (True, False):
        file.write_bytes(write.csv(np.zeros((3, 2, 2), np.uint8), np.zeros(3, np.uint8), header))
        assert len(read_csv(file).train.labels) == 3
        file.write_bytes(write.csv(np.zeros((4, 2, 2), np.uint8), np.zeros(4, np.uint8), header))
        with pytest.raises(DataError, match="more images than the 3 that are read into memory"):
            read_csv(file)


@settings(max_examples=60, deadline=None)
@given(rows=_rows(5), header=st.booleans(), end=st.sampled_from(["\n", "\r\n"]), last=st.booleans())
def test_round_trip(write, rows, header, end, last) -> None:
    images, labels = rows[:, 1:].reshape(-1, 2, 2), rows[:, 0]
    content = write.csv(images, labels, header, end)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "table.csv")
        file.write_bytes(content if last else content.removesuffix(end.encode()))
        raw = read_csv(file)
    np.testing.assert_array_equal(raw.train.images, images)
    np.testing.assert_array_equal(np.array(raw.classes).astype(int)[raw.train.labels], labels)


def test_what_pandas_reads(write, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    # 9 MB: the reader takes it in several pieces, which end anywhere in a row.
    images, labels = rng.integers(0, 256, (3300, 28, 28), np.uint8), rng.integers(0, 10, 3300)
    file = tmp_path / "train.csv"
    file.write_bytes(write.csv(images, labels))
    table = pd.read_csv(file)
    raw = read_csv(file)
    np.testing.assert_array_equal(raw.train.labels, table["label"])
    np.testing.assert_array_equal(raw.train.images.reshape(-1, 784), table.drop(columns="label"))


_GRAMMAR = re.compile(rb"(?:(?:25[0-5]|2[0-4][0-9]|[01]?[0-9]?[0-9]),){2}(?:25[0-5]|2[0-4][0-9]|[01]?[0-9]?[0-9])")


@settings(max_examples=500, deadline=None)
@given(
    st.lists(st.one_of(st.sampled_from(b'0123456789,,,,\n\n\r-.e \0"\xd9'), st.integers(0, 255)), max_size=24).map(
        bytes
    )
)
@example(b"1,2,3\n255,0,9")
@example(b"1,2,256")
@example(b"1,2,0003")
@example(b"1,2\n3,4,5,6")
@example(b"1\n2\n3")
@example(b"1,2,300\n1,2,299")
def test_the_fast_parser_the_careful_one_and_the_grammar_agree(text: bytes) -> None:
    block = text + b"\n"
    sound = all(_GRAMMAR.fullmatch(line) for line in text.split(b"\n"))
    values = parse_fields(block, 3)
    assert (values is not None) == sound
    if values is not None:
        assert values.tolist() == [[int(field) for field in line.split(b",")] for line in text.split(b"\n")]
    else:
        line, column, what = find_fault(block, 3)
        bad = text.split(b"\n")[line]
        assert not _GRAMMAR.fullmatch(bad)
        assert all(_GRAMMAR.fullmatch(above) for above in text.split(b"\n")[:line])
        assert column is None or column < len(bad.split(b","))
        assert what.isprintable()


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("7,8", "7,1e3", "row 3, column 4 is '1e3'"),
        ("7,8", "7,٣", r"row 3, column 4 is '\\\\xd9\\\\xa3'"),
        ("7,8", "7,-1", "row 3, column 4 is '-1'"),
        ("7,8", "7, 8", "row 3, column 4 is ' 8'"),
        ("7,8", '7,"8"', "row 3, column 4 is '\"8\"'"),
        ("7,8", "7,8.0", "row 3, column 4 is '8.0'"),
        ("7,8", "7,256", "row 3, column 4 is 256"),
        ("7,8", "7,nan", "row 3, column 4 is 'nan'"),
        ("7,8", "7,", "row 3, column 4 is empty"),
        ("7,8", "7,8\0", "row 3, column 4 holds a NUL byte"),
        ("7,8", "7,8\r", "row 3, column 4 holds a carriage return|row 3, column 5"),
        ("7,8", "7\n8", "row 3 has 3 columns where row 1 has 5"),
        ("7,8", "7,8,8", "row 3 has 6 columns where row 1 has 5"),
        ("5,6,7,8,9\n", "\n", "row 3 is empty"),
        ("5,6,7,8,9\n", "5,6,7,8,9\n\n", "row 4 is empty"),
        ("label,a", "\ufefflabel,a", "row 1 starts with a byte-order mark"),
        ("label,a", '"label",a', "row 1, column 1 is .*neither a number nor 'label'"),
        ("label,a", "a,label", "row 1, column 1 is 'a', neither a number nor 'label'"),
        ("label,a", "label,a,x", "row 1 has 6 columns, a label and 5 pixels, not a square image; --size"),
        ("label,a", "label\0,a", "row 1 holds a NUL byte"),
    ],
)
def test_a_fault_is_named_with_its_row_and_column(tmp_path: Path, old: str, new: str, where: str) -> None:
    sound = "label,a,b,c,d\n0,1,2,3,4\n5,6,7,8,9\n1,2,3,4,5\n"
    file = tmp_path / "table.csv"
    file.write_text(sound)
    assert read_csv(file).classes == ("0", "1", "5")
    file.write_text(sound.replace(old, new, 1))
    with pytest.raises(DataError, match=where) as caught:
        read_csv(file)
    assert str(caught.value).isprintable()
    assert str(file) in str(caught.value)


def test_a_fault_far_into_the_file(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_bytes(b"1,2,3,4,5\r\n" * 900_000 + b"1,2,x,4,5\r\n")
    with pytest.raises(DataError, match="row 900001, column 3 is 'x'"):
        read_csv(file)


@pytest.mark.parametrize("line", [b"1" * (9 << 20), b"label," + b"a" * (2 << 20), b"1,2,3,4,5\n" + b"1," * (6 << 20)])
def test_a_line_without_end(tmp_path: Path, line: bytes) -> None:
    file = tmp_path / "table.csv"
    file.write_bytes(line)
    with pytest.raises(DataError, match=r"row 1 does not end|row 2 has 2,097,"):
        read_csv(file)


def test_the_names_of_tables_in_a_folder(write, tmp_path: Path, digits) -> None:
    images, labels = digits
    assert find_tables(tmp_path) is None
    (tmp_path / "mnist_train.csv").write_bytes(write.csv(images[:150], labels[:150], header=False))
    (tmp_path / "mnist_test.csv").write_bytes(write.csv(images[150:], labels[150:], header=False))
    raw = read_tables(tmp_path)
    assert raw.test is not None
    np.testing.assert_array_equal(raw.test.images, images[150:])
    (tmp_path / "train.csv").write_bytes(write.csv(images, labels))
    with pytest.raises(DataError, match="several training tables"):
        find_tables(tmp_path)


@pytest.mark.parametrize("header", [True, False])
def test_a_test_table_without_labels_is_no_test_part(write, tmp_path: Path, digits, header: bool) -> None:
    images, labels = digits
    (tmp_path / "train.csv").write_bytes(write.csv(images, labels, header))
    lines = write.csv(images, labels, header).split(b"\n")
    (tmp_path / "test.csv").write_bytes(b"\n".join(line.partition(b",")[2] for line in lines))
    assert read_tables(tmp_path).test is None
    with pytest.raises(DataError, match=r"without labels cannot be trained on|not a square image"):
        read_csv(tmp_path / "test.csv")


def _unlabelled(write, images, header: bool) -> bytes:
    lines = write.csv(images, np.zeros(len(images), np.uint8), header).split(b"\n")
    return b"\n".join(line.partition(b",")[2] for line in lines)


@settings(max_examples=40, deadline=None)
@given(rows=_rows(9), header=st.booleans(), end=st.sampled_from([b"\n", b"\r\n"]))
def test_a_table_without_labels_round_trips_and_is_known_for_one(write, rows, header, end) -> None:
    images = rows.reshape(-1, 3, 3)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "test.csv")
        file.write_bytes(_unlabelled(write, images, header).replace(b"\n", end))
        assert not has_labels(file)
        np.testing.assert_array_equal(read_unlabelled(file), images)
        file.write_bytes(write.csv(images, np.zeros(len(images), np.uint8), header))
        assert has_labels(file)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", "is empty"),
        ("pixel0,pixel1,pixel2,pixel3\n", "holds no row of pixels"),
        ("pixel0,pixel1,pixel2\n1,2,3\n", "row 1 has 3 columns, pixels without a label, not a square image"),
        ("1,2,3,4,5\n", "row 1 has 5 columns, pixels without a label, not a square image"),
        ("label,a,b,c\n1,2,3,4\n", "row 1 names a column of labels; a test table has pixels alone"),
        ("a,b,c,label\n1,2,3,4\n", "row 1 names a column of labels"),
        ("-1,2,3,4\n1,2,3,4\n", "row 1 begins with '-1' and is neither a row of numbers nor a header"),
        ("nan,2,3,4\n1,2,3,4\n", "row 1 begins with 'nan' and is neither"),
        ('"pixel0",b,c,d\n1,2,3,4\n', "row 1 begins with .*without quotes"),
        ("a,b,c,d\n1,2,3,4\n5,256,7,8\n", "row 3, column 2 is 256; labels and pixels are whole numbers 0..255"),
        ("a,b,c,d\n1,2,3,4\n5,6,7\n", "row 3 has 3 columns where row 1 has 4"),
        ("1,2,3,4\n5,6,7.5,8\n", "row 2, column 3 is '7.5'"),
    ],
)
def test_a_fault_of_a_table_without_labels_is_named_with_its_row(tmp_path: Path, text: str, where: str) -> None:
    file = tmp_path / "test.csv"
    file.write_text(text)
    with pytest.raises(DataError, match=where) as caught:
        read_unlabelled(file)
    assert str(caught.value).isprintable()
    assert str(file) in str(caught.value)
