"""Parquet files made byte by byte, from the format's description alone: sound ones, and ones that lie.

Source: "Apache Parquet", parquet.thrift and Encodings.md; "Thrift compact protocol encoding".
"""

import gzip
import io
import json
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from tests.fuzz.bombs import zeros

__all__ = ["Column", "Page", "bombs", "dictionary_page", "parquet", "plain_page", "runs_page", "sound"]

_DATA, _DICTIONARY = 0, 2
_INT64, _BYTES = 2, 6
_PLAIN, _RLE, _RLE_DICTIONARY = 0, 3, 8
_NOT_PACKED, _GZIP = 0, 2
_ZEROS = bytes(1 << 20)


@dataclass
class Page:
    """A page as it stands in the file."""

    kind: int
    values: int
    body: bytes
    unpacked: int  # the bytes that it says it unpacks to
    encoding: int = _PLAIN

    def packed(self) -> bytes:
        own = {1: self.values, 2: self.encoding}
        if self.kind == _DATA:
            own |= {3: _RLE, 4: _RLE}
        head = {1: self.kind, 2: self.unpacked, 3: len(self.body), 5 if self.kind == _DATA else 7: own}
        return struct_of(head) + self.body


@dataclass
class Column:
    """A column without missing values."""

    path: tuple[str, ...]
    type: int
    pages: Sequence[Page]
    codec: int = _NOT_PACKED
    sizes: dict[int, Any] = field(default_factory=dict)  # statistics of sizes
    values: int | None = None  # where the footer says other than what the pages say


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def number(value: int) -> bytes:
    return varint(2 * value if value >= 0 else -2 * value - 1)


class Long(int):
    """What stands as an int64."""


class Empties(int):
    """So many empty structures."""


def value_of(value: Any) -> tuple[int, bytes]:
    """The type and the bytes of a value of Thrift's."""
    if isinstance(value, Long):
        return 6, number(value)
    if isinstance(value, Empties):
        return 9, b"\xfc" + varint(value) + bytes(value)
    if isinstance(value, int):
        return 5, number(value)
    if isinstance(value, str | bytes):
        text = value.encode() if isinstance(value, str) else value
        return 8, varint(len(text)) + text
    if isinstance(value, dict):
        return 12, struct_of(value)
    kinds = [value_of(item) for item in value]
    head = (
        bytes([len(kinds) << 4 | kinds[0][0]]) if len(kinds) < 15 else bytes([240 | kinds[0][0]]) + varint(len(kinds))
    )
    return 9, head + b"".join(data for _, data in kinds)


def struct_of(fields: dict[int, Any]) -> bytes:
    out, last = b"", 0
    for place, value in sorted(fields.items()):
        kind, data = value_of(value)
        out += bytes([place - last << 4 | kind]) + data
        last = place
    return out + b"\0"


def runs(value: int, count: int) -> bytes:
    """So many times the same number, as a run of RLE."""
    return varint(count << 1) + bytes([value])


def dictionary_page(values: Sequence[bytes]) -> Page:
    body = b"".join(values)
    return Page(_DICTIONARY, len(values), body, len(body))


def runs_page(*several: tuple[int, int]) -> Page:
    """Places in a dictionary, each so many times."""
    body = b"\x08" + b"".join(runs(value, count) for value, count in several)
    return Page(_DATA, sum(count for _, count in several), body, len(body), _RLE_DICTIONARY)


def plain_page(values: Sequence[bytes]) -> Page:
    body = b"".join(values)
    return Page(_DATA, len(values), body, len(body))


def text(data: bytes) -> bytes:
    return struct.pack("<I", len(data)) + data


def parquet(
    columns: Sequence[Column],
    rows: int,
    metadata: dict[str, str] | None = None,
    groups: int = 1,
    more: dict[int, Any] | None = None,
) -> bytes:
    """A file of one group of rows, which its footer may name several times, with fields that nobody knows."""
    out, chunks = bytearray(b"PAR1"), []
    for column in columns:
        start, first, at = len(out), None, 0
        for page in column.pages:
            if page.kind == _DATA and first is None:
                first = len(out)
            out += page.packed()
            at += page.values if page.kind == _DATA else 0
        about: dict[int, Any] = {1: column.type, 2: [_PLAIN, _RLE, _RLE_DICTIONARY], 3: list(column.path)}
        about |= {
            4: column.codec,
            5: Long(at if column.values is None else column.values),
            6: Long(len(out) - start),
            7: Long(len(out) - start),
        }
        about |= {9: Long(first or start)} | ({11: Long(start)} if column.pages[0].kind == _DICTIONARY else {})
        about |= {16: column.sizes} if column.sizes else {}
        chunks.append({2: Long(start), 3: about})
    schema: list[dict[int, Any]] = []
    tops: dict[str, list[Column]] = {}
    for column in columns:
        tops.setdefault(column.path[0], []).append(column)
    schema.append({4: "schema", 5: len(tops)})
    for top, below in tops.items():
        if len(below[0].path) > 1:
            schema.append({3: 0, 4: top, 5: len(below)})
        schema += [{1: column.type, 3: 0, 4: column.path[-1]} for column in below]
    group = {1: chunks, 2: Long(len(out)), 3: Long(rows)}
    footer: dict[int, Any] = {1: 1, 2: schema, 3: Long(rows * groups), 4: [group] * groups} | (more or {})
    if metadata:
        footer[5] = [{1: key, 2: value} for key, value in metadata.items()]
    end = struct_of(footer)
    return bytes(out + end + struct.pack("<I", len(end)) + b"PAR1")


def png(image: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def hub(names: Sequence[Any]) -> dict[str, str]:
    label = {"names": list(names), "_type": "ClassLabel"}
    return {"huggingface": json.dumps({"info": {"features": {"image": {"_type": "Image"}, "label": label}}})}


def label_column(*several: tuple[int, int]) -> Column:
    """Labels, each so many times."""
    values = [struct.pack("<q", value) for value, _ in several]
    places = [(place, count) for place, (_, count) in enumerate(several)]
    return Column(("label",), _INT64, [dictionary_page(values), runs_page(*places)])


def image_column(*pages: Page, codec: int = _NOT_PACKED) -> Column:
    return Column(("image", "bytes"), _BYTES, pages, codec)


def sound(images: Any, labels: Any, names: Sequence[str] | None = None) -> bytes:
    """A sound file of pictures and labels: every picture in the dictionary, the labels plain."""
    pictures = [text(png(image)) for image in images]
    places = [(place, 1) for place in range(len(pictures))]
    label = Column(("label",), _INT64, [plain_page([struct.pack("<q", value) for value in labels])])
    columns = [image_column(dictionary_page(pictures), runs_page(*places)), label]
    return parquet(columns, len(pictures), None if names is None else hub(names))


def bombs() -> Iterator[bytes]:
    """Rows without end, values of gigabytes, pages and dictionaries that lie, a footer without end."""
    picture = text(png(np.zeros((1, 1), np.uint8)))
    for count in (10**9, 2**31 - 1, 10**6):  # one picture, so many times
        same = image_column(dictionary_page([picture]), runs_page((0, count)))
        yield parquet([same, label_column((0, count))], count)
    many = [runs_page((0, 2**31 - 1))] * 100
    label = Column(("label",), _INT64, [dictionary_page([bytes(8)]), *many])
    yield parquet([image_column(dictionary_page([picture]), *many), label], 100 * (2**31 - 1))

    for size in (1 << 26, 255 << 20, 1 << 28, 1 << 30):  # a value of zeros in a dictionary, a thousand times
        page = Page(_DICTIONARY, 1, gzipped(size + 4, struct.pack("<I", size)), size + 4)
        count = runs_page((0, 1000))
        packed = Page(_DATA, 1000, gzip.compress(count.body), count.unpacked, _RLE_DICTIONARY)
        yield parquet([image_column(page, packed, codec=_GZIP), label_column((0, 1000))], 1000)
    for size in (1 << 26, 1 << 28):  # pages of zeros: a million empty pictures, each declared
        page = Page(_DATA, 100, gzipped(size), size)
        yield parquet([image_column(page, page, page, codec=_GZIP), label_column((0, 300))], 300)
    for size in (1000, 2**31 - 1, -5):  # a page that unpacks to more, or to less, than it says
        page = Page(_DATA, 100, gzipped(1 << 28), size)
        yield parquet([image_column(page, codec=_GZIP), label_column((0, 100))], 100)

    for values in (2**31 - 1, 10**8, -1):  # a dictionary of more values than bytes
        page = Page(_DICTIONARY, values, picture, len(picture))
        yield parquet([image_column(page, runs_page((0, 9))), label_column((0, 9))], 9)
        page = Page(_DICTIONARY, values, bytes(8), 8)
        yield parquet(
            [image_column(plain_page([picture] * 9)), Column(("label",), _INT64, [page, runs_page((0, 9))])], 9
        )
    for encoding in range(-1, 12):  # encodings with numbers of values of their own
        for body in (varint(128) + varint(4) + varint(2**31 - 1) + bytes(20), varint(2**31) * 4 + bytes(20)):
            page = Page(_DATA, 9, body, len(body), encoding)
            yield parquet([image_column(page), label_column((0, 9))], 9)
            plain = image_column(plain_page([picture] * 9))
            yield parquet([plain, Column(("label",), _INT64, [page])], 9)
    lies = struct.pack("<I", 2**31 - 1) + bytes(40)
    yield parquet([image_column(Page(_DATA, 9, lies, len(lies))), label_column((0, 9))], 9)

    columns, one = [image_column(plain_page([picture])), label_column((0, 1))], [plain_page([bytes(8)])]
    yield parquet(columns, 1, groups=10_000)  # a footer of as many groups of rows as go in
    for place in (2, 3):  # counts of levels that no column without lists has: pyarrow's list of chunks ends the process
        sizes = {place: [Long(1)] * 5}
        yield parquet([image_column(plain_page([picture])), Column(("label",), _INT64, one, sizes=sizes)], 1)
    yield parquet(columns, 1, more={15: Empties(4_190_000)})
    yield parquet(columns, 1, {"huggingface": "[" * 1_000_000})
    yield parquet(columns, 1, hub([str(name) for name in range(300_000)]))
    yield parquet(columns, 1, {"ARROW:schema": "/" * 1_000_000})
    yield parquet(
        [*columns, *[Column((f"c{number}",), _INT64, [plain_page([bytes(8)])]) for number in range(20_000)]], 1
    )
    for length in (0, 1 << 24, 2**31, 2**32 - 1):
        yield b"PAR1" + bytes(64) + struct.pack("<I", length) + b"PAR1"
    for start in (b"\x19\xfc\xff\xff\xff\xff\x07", b"\x1c" * 10_000_000, b"\x29\xfc" + varint(10**6) + b"\x00" * 10**6):
        yield b"PAR1" + start + struct.pack("<I", len(start)) + b"PAR1"


def gzipped(size: int, start: bytes = b"") -> bytes:
    """A gzip of ``start`` and zeros, together so many bytes, the zeros whole mebibytes."""
    head, check, many = gzip.compress(b"", mtime=0)[:10], zlib.crc32(start), (size - len(start)) >> 20
    for _ in range(many):
        check = zlib.crc32(_ZEROS, check)
    return head + zeros(many << 20, start) + struct.pack("<II", check, size % 2**32)
