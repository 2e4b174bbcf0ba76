"""Tables of pixels: a row an image, the label first. ``label,pixel0,…`` as Kaggle's, or headerless ``mnist_train.csv``.

    row    = field *("," field)      each row as many fields as the first
    field  = 1*3DIGIT                0..255
    end    = LF or CRLF              after the last row it may be missing

and before the rows at most one header, whose first name is ``label``; that of a table without labels, as Kaggle's
``test.csv``, names pixels alone. Nothing else is a table: no quotes, spaces, signs, exponents, empty fields, empty
rows, byte-order mark or digit outside ASCII.
"""

import math
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from byhand.data.dataset import Raw, Rows, empty_rows
from byhand.data.fields import find_fault, parse_fields
from byhand.data.files import MAX_BYTES, check_rows, faults, open_file
from byhand.data.labels import index_labels
from byhand.errors import DataError
from byhand.text import brief, one_line

_MAX_LINE: Final = 1 << 20
_PIECE: Final = 1 << 22
_BOM: Final = b"\xef\xbb\xbf"


def read_csv(path: str | Path) -> Raw:
    """The images and labels of one table, all of them training rows. Each image is a square.

    Raises:
        DataError: the file is no such table. The message names the row, which is the line of the file, and the column.
    """
    return index_labels(str(path), _read_rows(Path(path)))


def read_unlabelled(path: Path) -> NDArray[np.uint8]:
    """The images (N, H, W) of a table without labels, in its order. Each image is a square.

    Raises:
        DataError: the file is no such table. The message names the row, which is the line of the file, and the column.
    """
    return _read_rows(path, labelled=False).images


def has_labels(path: Path) -> bool:
    """Whether the first line of a table tells of labels: one of its names does, or only the rest makes a square image.

    Raises:
        DataError: the file cannot be read, or is empty.
    """
    with open_file(path) as file:
        first = file.readline(_MAX_LINE)
    if not first:
        raise DataError(f"{one_line(path)}: is empty; get the file again")
    if not _first_name(first)[:1].isdigit():
        return b"label" in _names(first)
    columns = first.count(b",") + 1
    return _side(columns) == 0 and _side(columns - 1) > 0


def find_tables(folder: str | Path) -> tuple[Path, Path | None] | None:
    """The training and the test table of a folder: ``train.csv`` or ``….train.csv``, and ``test.csv`` beside it.

    ``mnist_train.csv`` goes with ``mnist_test.csv``. Kaggle's ``test.csv`` has no labels: it is not a test part, and
    counts as absent. None where there is no training table.

    Raises:
        DataError: the folder cannot be read, or holds several training tables.
    """
    folder = Path(folder)
    with faults(folder):
        found = sorted(file for file in folder.iterdir() if file.name.lower().endswith("train.csv") and file.is_file())
    if not found:
        return None
    if len(found) > 1:
        names = ", ".join(one_line(file.name) for file in found[:4])
        raise DataError(f"{one_line(folder)}: holds several training tables ({names}); name one of them")
    train = found[0]
    test = train.with_name(train.name[: -len("train.csv")] + "test.csv")
    with faults(test):
        labelled = test.is_file() and _columns(test) == _columns(train)
    return train, test if labelled else None


def read_tables(folder: str | Path) -> Raw:
    """The images and labels of the tables that ``find_tables`` finds.

    Raises:
        DataError: as ``read_csv``, or the two tables hold images of different sizes.
    """
    tables = find_tables(folder)
    if tables is None:
        raise DataError(f"{one_line(folder)}: holds no train.csv; put one there, or name the file")
    train, test = tables
    return index_labels(str(folder), _read_rows(train), None if test is None else _read_rows(test))


def _columns(path: Path) -> int | None:
    """The number of columns of a table with labels; None if its header says that it has no labels."""
    with open_file(path) as file:
        first = file.readline(_MAX_LINE)
    name = _first_name(first)
    return None if name != "label" and not name[:1].isdigit() else first.count(b",") + 1


def table_rows(path: Path, labelled: bool = True) -> Iterator[Rows]:
    """The rows of one table in pieces of some megabytes; those that are not ``labelled`` have zeros for labels.

    Raises:
        DataError: as ``read_csv``; while reading, too.
    """
    with open_file(path) as file:
        first = file.readline(_MAX_LINE)
        header = _check_first(path, first, labelled)
        columns = first.count(b",") + 1
        side = _side(columns - labelled)
        if side == 0:
            what = f"a label and {columns - 1:,} pixels" if labelled else "pixels without a label"
            raise DataError(
                f"{one_line(path)}: row 1 has {columns:,} columns, {what}, not a square image; --size N needs N × N "
                "pixels in a row, check the table"
            )
        if not header:
            file.seek(0)
        empty = True
        for values in _parse(path, file, columns, 2 if header else 1):  # (n, columns)
            empty = False
            images = np.ascontiguousarray(values[:, int(labelled) :]).reshape(-1, side, side)  # (n, H, W)
            yield Rows(images, values[:, 0].astype(np.int64) if labelled else np.zeros(len(values), np.int64))
    if empty:
        raise DataError(f"{one_line(path)}: holds no row of pixels; get the file again")


def _side(pixels: int) -> int:
    """How many pixels a side of a square image has; 0 where they make none."""
    side = math.isqrt(max(pixels, 0))
    return side if side * side == pixels else 0


def _read_rows(path: Path, labelled: bool = True) -> Rows:
    """All rows of a table, each piece put into its place, so that none stands in memory twice."""
    room, count = empty_rows(0, (1, 1)), 0
    for images, labels in table_rows(path, labelled):
        if not count:
            pixels = images[0].size
            with faults(path):
                shortest = 2 * (labelled + pixels)  # bytes of a row: a digit and an end for each number
                most = min(path.stat().st_size // shortest + 1, MAX_BYTES // pixels)
            room = empty_rows(most, images.shape[1:])  # takes memory as it fills
        end = count + len(labels)
        check_rows(path, end)
        if end > len(room.labels):
            raise DataError(
                f"{one_line(path)}: holds more than {MAX_BYTES:,} pixels, or grows while it is read; try again when it "
                "is written, or make shards of it: byhand data shard"
            )
        room.images[count:end], room.labels[count:end] = images, labels
        count = end
    return Rows(room.images[:count], room.labels[:count])


def _check_first(path: Path, first: bytes, labelled: bool) -> bool:
    """Whether the first line is a header; DataError if it is neither that nor a row of numbers."""
    if not first:
        raise DataError(f"{one_line(path)}: is empty; get the file again")
    if first.startswith(_BOM):
        raise DataError(f"{one_line(path)}: row 1 starts with a byte-order mark; save the table as plain ASCII")
    if b"\0" in first:
        raise DataError(f"{one_line(path)}: row 1 holds a NUL byte, so this is no text; save the table as plain ASCII")
    if len(first) == _MAX_LINE:
        raise DataError(f"{one_line(path)}: row 1 does not end within {_MAX_LINE:,} bytes; this is no table of images")
    name = _first_name(first)
    if name[:1].isdigit():
        return False
    if _is_header(first, labelled):
        header = first.rstrip(b"\r\n")
        if b'"' in header or b"\r" in header:
            raise DataError(f"{one_line(path)}: row 1 holds a quote or a lone carriage return; save the header without")
        return True
    if not labelled and b"label" in _names(first):
        raise DataError(f"{one_line(path)}: row 1 names a column of labels; a test table has pixels alone")
    if labelled:
        raise DataError(
            f"{one_line(path)}: row 1, column 1 is {brief(name, 40)!r}, neither a number nor 'label'; "
            "the first column holds the labels (a test table without labels cannot be trained on)"
        )
    raise DataError(
        f"{one_line(path)}: row 1 begins with {brief(name, 40)!r} and is neither a row of numbers nor a header, whose "
        "names begin with letters; save the table as plain ASCII, without quotes"
    )


def _is_header(first: bytes, labelled: bool) -> bool:
    if labelled:
        return _first_name(first) == "label"
    names = _names(first)
    return b"label" not in names and all(name[:1].isalpha() for name in names)


def _first_name(first: bytes) -> str:
    return first.rstrip(b"\r\n").split(b",", 1)[0].decode("ascii", "backslashreplace").lower()


def _names(first: bytes) -> list[bytes]:
    return first.rstrip(b"\r\n").lower().split(b",")


def _parse(path: Path, file: BufferedReader, columns: int, row: int) -> Iterator[NDArray[np.uint8]]:
    """The rows (n, columns) from here to the end of the file; ``row`` is the number of the next line."""
    rest = b""
    while True:
        piece = file.read(_PIECE)
        block = rest + piece
        if not piece and not block.endswith(b"\n"):
            block += b"\n" if block else b""
        cut = block.rfind(b"\n") + 1
        block, rest = block[:cut], block[cut:]
        if b"\r" in block:
            block = block.replace(b"\r\n", b"\n")
        if len(rest) > 4 * columns:  # longer than the longest row, so it is none: have the fault found in it
            block += rest + b"\n"
        if block:
            values = parse_fields(block, columns)
            if values is None:
                where, column, what = find_fault(block, columns)
                at = f"row {row + where}" + (f", column {column + 1}" if column is not None else "")
                raise DataError(f"{one_line(path)}: {at} {what}")
            yield values
            row += len(values)
        if not piece:
            return
