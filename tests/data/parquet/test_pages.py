import io
import struct
from pathlib import Path

import numpy as np
import pytest

from byhand.data.parquet.pages import longest_page
from byhand.data.parquet.read import read_parquet
from byhand.errors import DataError
from tests.fuzz.parquet_file import (
    Column,
    Empties,
    Page,
    dictionary_page,
    image_column,
    label_column,
    parquet,
    plain_page,
    png,
    runs_page,
    sound,
    text,
)

pa = pytest.importorskip("pyarrow", reason="the pages of its files are looked at")
pq = pytest.importorskip("pyarrow.parquet")

_INT64 = 2
_PICTURE = text(png(np.full((2, 2), 7, np.uint8)))


def asked(content: bytes, *columns: int) -> int:
    return longest_page(Path("x.parquet"), io.BytesIO(content), list(columns))


def refused(tmp_path: Path, content: bytes) -> str:
    file = tmp_path / "x.parquet"
    file.unlink(missing_ok=True)
    file.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_parquet(file)
    assert str(caught.value).isprintable()
    assert str(file) in str(caught.value)
    assert "does not fit into this machine's memory" not in str(caught.value)
    return str(caught.value)


def test_a_file_made_from_the_description_is_read(digits, tmp_path: Path) -> None:
    file = tmp_path / "x.parquet"
    for names in (None, "abcdefghij"):
        file.write_bytes(sound(digits[0], digits[1], names))
        raw = read_parquet(file)
        np.testing.assert_array_equal(raw.train.images, digits[0])
        np.testing.assert_array_equal(raw.train.labels, digits[1])
        assert raw.classes == tuple(names or "0123456789")


def test_the_longest_page_is_found() -> None:
    pages = [plain_page([_PICTURE] * 3), plain_page([_PICTURE, text(bytes(10_000))]), plain_page([_PICTURE])]
    content = parquet([image_column(*pages), label_column((0, 6))], 6)
    assert asked(content, 0, 1) == asked(content, 0) == len(_PICTURE) + 10_004
    assert asked(content, 1) == 8


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("statistics", [True, False])
def test_the_pages_of_pyarrows_files_are_found(version: str, statistics: bool) -> None:
    rng = np.random.default_rng(0)
    values = [rng.bytes(3000) for _ in range(300)]
    file = io.BytesIO()
    table = pa.table({"image": values, "label": range(300)})
    how = {"use_dictionary": False, "row_group_size": 70, "data_page_size": 1, "write_batch_size": 10}
    pq.write_table(table, file, data_page_version=version, write_statistics=statistics, **how)
    levels = 6 if version == "1.0" else 2  # that no value is missing: a run of ten, behind its length in version 1
    assert asked(file.getvalue(), 0) == 10 * 3004 + levels
    assert asked(file.getvalue(), 1) == 10 * 8 + levels


@pytest.mark.parametrize(
    ("page", "what"),
    [
        (Page(0, 9, b"", 2**28 + 1), "unpacks to 268,435,457 bytes, more than the 268,435,456 that are read at once"),
        (Page(0, 9, b"", 2**31 - 1), "unpacks to 2,147,483,647 bytes"),
        (Page(0, 9, b"", 2**31), "has no readable header"),
        (Page(0, 9, b"", -1), "has no readable header"),
        (Page(0, -1, b"", 9), "has no readable header"),
        (Page(1, 9, b"", 9), "has no readable header"),
        (Page(4, 9, b"", 9), "has no readable header"),
        (Page(0, 10, b"", 9), "declares 0 bytes of 10 values, which do not fit there"),
        (Page(0, 2**31 - 1, b"", 9), "of 2,147,483,647 values"),
        (Page(2, 10, bytes(39), 39), "declares 39 bytes of 10 values, which do not fit there"),
        (Page(2, 2**31 - 1, bytes(36), 36), "of 2,147,483,647 values"),
        (Page(0, 8, b"", 9), "damaged: the page at byte"),
    ],
)
@pytest.mark.parametrize("column", [0, 1])
def test_a_page_that_lies(tmp_path: Path, page: Page, what: str, column: int) -> None:
    columns = [image_column(plain_page([_PICTURE] * 9)), label_column((0, 9))]
    columns[column].pages, columns[column].values = [page], 9
    content = parquet(columns, 9)
    assert what in refused(tmp_path, content)
    with pytest.raises(DataError, match=r"^x\.parquet: "):
        asked(content, column)


def test_rows_that_no_page_holds(tmp_path: Path) -> None:
    nine, ten = image_column(plain_page([_PICTURE] * 9)), label_column((0, 10))
    assert "damaged: row group 1 has 10 rows, but 9 values in its column 1" in refused(
        tmp_path, parquet([nine, ten], 10)
    )
    assert "damaged: row group 1 has 9 rows, but 10 values in its column 2" in refused(
        tmp_path, parquet([nine, ten], 9)
    )
    sound = parquet([image_column(plain_page([_PICTURE] * 9)), label_column((0, 9))], 9)
    for rows in (8, 10):  # in the footer, whose field 3 follows the schema
        assert f"lists groups of 9 rows, not {rows}" in refused(
            tmp_path, sound.replace(b"\0\x16\x12\x19", bytes([0, 22, 2 * rows, 25]))
        )
    same = image_column(dictionary_page([_PICTURE]), runs_page((0, 10**9)))
    message = refused(tmp_path, parquet([same, label_column((0, 10**9))], 10**9))
    assert "damaged: declares 1,000,000,000 rows in" in message


def test_groups_that_share_their_pages(tmp_path: Path) -> None:
    columns = [image_column(plain_page([_PICTURE])), label_column((0, 1))]
    assert "is shared by several groups of rows" in refused(tmp_path, parquet(columns, 1, groups=50))


def test_a_header_longer_than_most() -> None:
    value = bytes(1000)
    page = plain_page([_PICTURE])
    long = Page(0, 1, page.body, page.unpacked)
    long.packed = lambda: (
        b"\x15\x00\x15"
        + _number(page.unpacked)
        + b"\x15"
        + _number(len(page.body))
        + (  # type: ignore[method-assign]
            b"\x2c\x15\x02\x15\x00\x15\x06\x15\x06\x1c" + (b"\x18\xe8\x07" + value) * 4 + b"\x00\x00\x00" + page.body
        )
    )
    assert asked(parquet([Column(("image", "bytes"), 6, [long])], 1), 0) == page.unpacked


def _number(value: int) -> bytes:
    return bytes([2 * value & 127 | 128, 2 * value >> 7])


def test_a_footer_that_is_none() -> None:
    for footer in (
        b"",
        b"\x00",
        b"\x19\x0c\x00",
        b"\x49\x15\x02\x00",
        b"\x49\x1c\x00\x00",
        b"\x1c" * 1000,
        b"\x49\xfc\x7f",
    ):
        content = b"PAR1" + footer + struct.pack("<I", len(footer)) + b"PAR1"
        with pytest.raises(DataError, match="does not list groups of rows and their columns"):
            asked(content, 0)


def test_counts_of_levels_that_do_not_fit_end_in_one_line(tmp_path: Path) -> None:
    label = Column(("label",), _INT64, [plain_page([bytes(8)])], sizes={2: [1] * 5})
    message = refused(tmp_path, parquet([image_column(plain_page([_PICTURE])), label], 1))
    assert "is no sound Parquet file" in message


def test_fields_that_nobody_knows_are_passed_over(tmp_path: Path) -> None:
    content = parquet([image_column(plain_page([_PICTURE])), label_column((0, 1))], 1, more={15: Empties(100_000)})
    (tmp_path / "x.parquet").write_bytes(content)
    assert read_parquet(tmp_path / "x.parquet").train.images.tolist() == [[[7, 7], [7, 7]]]
