"""The pages of a Parquet file: what each says of itself, read before anything is unpacked.

A file is groups of rows, which its footer lists; a group has a chunk of each column, and a chunk is pages: at most one
dictionary, then values. A page is a header and a packed body. The header says how many bytes the body unpacks to and
how many values these hold, and whoever reads the page makes room for as many: a few bytes can ask for gigabytes.

Pyarrow too tells of the chunks, but ends the process where the footer is damaged in some ways.

Source: "Apache Parquet", parquet.thrift.
"""

from pathlib import Path
from typing import Any, BinaryIO, Final

from byhand.data.parquet.thrift import I32, I64, LIST, STRUCT, key, read_struct
from byhand.errors import DataError
from byhand.text import one_line

__all__ = ["MAX_FOOTER", "MAX_PAGE", "longest_page"]

MAX_PAGE: Final = 2**28
"""The most bytes that a page may unpack to (256 MiB). Writers aim at one mebibyte; one of big pictures holds more."""
MAX_FOOTER: Final = 2**22
"""The most bytes that a footer may have (4 MiB). A group of rows takes some hundred."""

_GROUPS, _CHUNKS, _ROWS, _ABOUT = key(4, LIST), key(1, LIST), key(3, I64), key(3, STRUCT)  # of the footer and a group
_VALUES, _START, _DICTIONARY = key(5, I64), key(9, I64), key(11, I64)  # of a chunk
_TYPE, _UNPACKED, _PACKED = key(1, I32), key(2, I32), key(3, I32)  # of a page, and what only one type of page has:
_OWN: Final = {0: key(5, STRUCT), 2: key(7, STRUCT), 3: key(8, STRUCT)}  # values, a dictionary, values in version 2
_COUNT: Final = key(1, I32)
_ENCODING: Final = {0: key(2, I32), 2: key(2, I32), 3: key(4, I32)}
_DELTA: Final = (6, 7)  # texts behind a list of their lengths, whose own count only the unpacked page tells
_SHORT, _LONG = 1 << 10, 1 << 20  # bytes that a header is looked for in: most take 30, one with statistics some hundred
_SMALLEST: Final = 4  # bytes of a value in a dictionary: the length of an empty text, or an int32


def longest_page(path: Path, file: BinaryIO, columns: list[int]) -> int:
    """The most bytes that a page of some columns unpacks to, after a look at the header of each of them.

    Args:
        path: for the messages.
        file: the open file, which ends as a Parquet file does; its place is changed.
        columns: their places in the schema. They hold no lists: a row is one value.

    Raises:
        DataError: the footer or a header cannot be read, chunks share bytes, a page lies outside the file or unpacks to
            more than ``MAX_PAGE``, or the pages, the groups and the footer differ in the number of rows.
    """
    end = file.seek(-8, 2)
    at = end - int.from_bytes(file.read(4), "little")
    file.seek(at)
    try:
        footer, _ = read_struct(file.read(end - at))
        groups: list[Any] = footer[_GROUPS]
        sizes = [int(group[_ROWS]) for group in groups]
        if min(sizes, default=0) < 0 or sum(sizes) != footer[_ROWS]:
            raise _damaged(path, at, "the footer", f"lists groups of {sum(sizes):,} rows, not {footer[_ROWS]:,}")
        chunks = [(group[_ROWS], group[_CHUNKS][column][_ABOUT]) for group in groups for column in columns]
        found = [(rows, about[_VALUES], about[_START], about.get(_DICTIONARY, 0)) for rows, about in chunks]
    except (ValueError, LookupError, TypeError) as error:
        raise _damaged(path, at, "the footer", "does not list groups of rows and their columns") from error
    longest, left = 1, end
    for number, (rows, values, start, dictionary) in enumerate(found):
        if rows != values:
            group, column = divmod(number, len(columns))
            raise DataError(
                f"{one_line(path)}: damaged: row group {group + 1} has {rows:,} rows, but {values:,} values in its "
                f"column {columns[column] + 1}; get the file again"
            )
        first = dictionary if 0 < dictionary < start else start
        unpacked, length = _walk(path, file, first, values, end)
        longest, left = max(longest, unpacked), left - length
        if left < 0:
            raise _damaged(path, first, "the page", "is shared by several groups of rows")
    return longest


def _walk(path: Path, file: BinaryIO, start: int, left: int, end: int) -> tuple[int, int]:
    """The most bytes that a page of a chunk of ``left`` values unpacks to, and the length of the chunk."""
    at, longest = start, 0
    while left > 0:
        header, body = _header(path, file, at, end)
        kind, unpacked, packed = (int(header.get(field, -1)) for field in (_TYPE, _UNPACKED, _PACKED))
        own: dict[int, int] = header.get(_OWN.get(kind, 0), {})
        values = own.get(_COUNT, -1)
        most = unpacked // _SMALLEST if kind == 2 else left
        if min(unpacked, packed, values) < 0:
            raise _damaged(path, at, "the page", "has no readable header")
        if values > most or packed > end - body:
            what = f"declares {packed:,} bytes of {values:,} values, which do not fit there"
            raise _damaged(path, at, "the page", what)
        if own.get(_ENCODING[kind]) in _DELTA:
            raise DataError(
                f"{one_line(path)}: the page at byte {at:,} is written as differences (DELTA_BYTE_ARRAY or "
                "DELTA_LENGTH_BYTE_ARRAY), which is not read; write the file with pyarrow's or datasets' own settings"
            )
        if unpacked > MAX_PAGE:
            raise DataError(
                f"{one_line(path)}: the page at byte {at:,} unpacks to {unpacked:,} bytes, more than the {MAX_PAGE:,} "
                "that are read at once; write the file with smaller row groups"
            )
        longest = max(longest, unpacked)
        left -= 0 if kind == 2 else values
        at = body + packed
    return longest, at - start


def _header(path: Path, file: BinaryIO, at: int, end: int) -> tuple[dict[int, Any], int]:
    """The fields of the header at a place of the file, and the place behind it."""
    for size in (_SHORT, _LONG):
        if not 0 < at < end:
            break
        file.seek(at)
        try:
            header, length = read_struct(file.read(size))
        except IndexError:  # the header goes on behind what was read
            continue
        except ValueError:
            break
        return header, at + length
    raise _damaged(path, at, "the page", "has no readable header")


def _damaged(path: Path, at: int, which: str, what: str) -> DataError:
    return DataError(f"{one_line(path)}: damaged: {which} at byte {at:,} {what}; get the file again")
