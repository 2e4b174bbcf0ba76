"""The pages of a Parquet column: what each says of itself, read before anything is unpacked.

A column lies in chunks, one for each group of rows, and a chunk in pages: at most one dictionary, then values. A page
is a header in Thrift's compact protocol and a packed body. The header says how many bytes the body unpacks to and how
many values these hold, and whoever reads the page makes room for as many: a few bytes can ask for gigabytes.

Source: "Apache Parquet", parquet.thrift, PageHeader; "Thrift compact protocol encoding".
"""

from pathlib import Path
from typing import Any, BinaryIO, Final

from byhand.data.files import shown
from byhand.errors import DataError

__all__ = ["MAX_PAGE", "largest_page"]

MAX_PAGE: Final = 2**28
"""The most bytes that a page may unpack to (256 MiB). Writers aim at one mebibyte; one of big pictures holds more."""

_TYPE, _UNPACKED, _PACKED = 1, 2, 3  # fields of a header
_DATA, _DICTIONARY, _DATA_2 = 5, 7, 8  # what only one type of page has; its first field is the number of values
_FIELD: Final = {0: _DATA, 2: _DICTIONARY, 3: _DATA_2}  # of each type
_ENCODING: Final = {0: 2, 2: 2, 3: 4}  # the field of that which says how the values are written, of each type
_DELTA: Final = (6, 7)  # texts behind a list of their lengths, whose own count only the unpacked page tells
_SHORT, _LONG = 1 << 10, 1 << 20  # bytes that a header is looked for in: most take 30, one with statistics some hundred
_SMALLEST: Final = 4  # bytes of a value in a dictionary: the length of an empty text, or an int32


def largest_page(path: Path, file: BinaryIO, chunk: Any) -> int:
    """The most bytes that a page of the chunk unpacks to, after a look at the header of each.

    Args:
        path: for the messages.
        file: the open file; its place is changed.
        chunk: pyarrow's ``ColumnChunkMetaData`` of a column without lists, so that a row is one value.

    Raises:
        DataError: a header cannot be read, a page lies outside the file or unpacks to more than ``MAX_PAGE``, or the
            pages hold other than the chunk's number of values.
    """
    start, dictionary = int(chunk.data_page_offset), chunk.dictionary_page_offset
    at = int(dictionary) if dictionary is not None and 0 < dictionary < start else start
    end = file.seek(0, 2)
    left, largest = int(chunk.num_values), 0
    while left > 0:
        numbers, inner, body = _header(path, file, at, end)
        kind, unpacked, packed = (numbers.get(field, -1) for field in (_TYPE, _UNPACKED, _PACKED))
        own = inner.get(_FIELD.get(kind, 0), {})
        values = own.get(1, -1)
        most = unpacked // _SMALLEST if kind == 2 else left
        if kind not in _FIELD or min(unpacked, packed) < 0 or not 0 <= values <= most or packed > end - body:
            raise _damaged(path, at, f"declares {packed:,} bytes of {values:,} values, which do not fit there")
        if own.get(_ENCODING[kind]) in _DELTA:
            raise DataError(
                f"{shown(path)}: the page at byte {at:,} is written as differences (DELTA_BYTE_ARRAY or "
                "DELTA_LENGTH_BYTE_ARRAY), which is not read; write the file with pyarrow's or datasets' own settings"
            )
        if unpacked > MAX_PAGE:
            raise DataError(
                f"{shown(path)}: the page at byte {at:,} unpacks to {unpacked:,} bytes, more than the {MAX_PAGE:,} "
                "that are read at once; write the file with smaller row groups"
            )
        largest = max(largest, unpacked)
        left -= 0 if kind == 2 else values
        at = body + packed
    return largest


def _header(path: Path, file: BinaryIO, at: int, end: int) -> tuple[dict[int, int], dict[int, dict[int, int]], int]:
    """The fields of the header at a place of the file, as ``_fields``, and the place behind it."""
    for size in (_SHORT, _LONG):
        if not 0 < at < end:
            break
        file.seek(at)
        try:
            numbers, inner, length = _fields(file.read(size), 0)
        except IndexError:  # the header goes on behind what was read
            continue
        except ValueError:
            break
        return numbers, inner, at + length
    raise _damaged(path, at, "has no readable header")


def _fields(data: bytes, at: int, depth: int = 0) -> tuple[dict[int, int], dict[int, dict[int, int]], int]:
    """A structure's numbers by their fields, the numbers of the structures in it by theirs, and the place behind it.

    Raises:
        IndexError: it ends behind ``data``.
        ValueError: it is none.
    """
    numbers: dict[int, int] = {}
    inner: dict[int, dict[int, int]] = {}
    field = 0
    while data[at]:
        step, kind = data[at] >> 4, data[at] & 15
        at += 1
        if step == 0:
            field, at = _number(data, at, 16)
        field += step
        if kind == 5:  # int32, which all that is wanted here is
            numbers[field], at = _number(data, at, 32)
        elif kind in (4, 6):
            _, at = _varint(data, at)
        elif kind == 8:
            length, at = _varint(data, at)
            at += length
        elif kind == 12 and depth < 3:
            inner[field], _, at = _fields(data, at, depth + 1)
        elif kind not in (1, 2):  # a bool is in its type; there are no lists, maps or fractions in a header
            raise ValueError(kind)
        if not 0 < field < 1 << 15 or at > _LONG:
            raise ValueError(field)
    return numbers, inner, at + 1


def _number(data: bytes, at: int, bits: int) -> tuple[int, int]:
    """A signed number: 0, -1, 1, -2, … are written as 0, 1, 2, 3, and so on."""
    value, at = _varint(data, at)
    if value >> bits:
        raise ValueError(value)  # other readers would take its lower bits
    return value >> 1 ^ -(value & 1), at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """An unsigned number: seven bits a byte, the lowest first; the eighth says that more follow."""
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise ValueError(value)


def _damaged(path: Path, at: int, what: str) -> DataError:
    return DataError(f"{shown(path)}: damaged: the page at byte {at:,} {what}; get the file again")
