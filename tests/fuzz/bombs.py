"""Small contents that ask for much: streams that unpack to gigabytes, sizes that lie, nesting without end."""

import gzip
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

__all__ = ["arrays", "gzips", "headers", "idx", "jpegs", "json_texts", "npy_headers", "pngs", "tables", "zeros", "zips"]

_MANY = 4 << 30


def zeros(size: int, start: bytes = b"") -> bytes:
    """A raw stream of deflate: ``start``, then so many zero bytes, a thousandth of them long."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    first = packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)
    one = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return first + one * (size >> 20) + packer.flush()


def gzips(start: bytes) -> Iterator[bytes]:
    """Files that begin as they should and unpack to gigabytes, and one within another."""
    head = gzip.compress(b"", mtime=0)[:10]
    for size in (1 << 30, _MANY):
        yield head + zeros(size, start) + struct.pack("<II", 0, size % 2**32)
    yield gzip.compress(gzip.compress(bytes(1 << 24)))
    yield head + b"\x02\x00" * 5_000_000  # empty blocks without end
    yield gzip.compress(start, mtime=0) * 1000


def idx() -> Iterator[bytes]:
    """Headers that declare up to the cap and beyond."""
    for shape in (
        (1 << 31,),
        (1 << 11, 1 << 10, 1 << 10),
        (2**32 - 1,) * 3,
        (0, 2**32 - 1, 2**32 - 1),
        (2**32 - 1, 0, 1),
    ):
        yield struct.pack(f">BBBB{len(shape)}I", 0, 0, 8, len(shape), *shape) + bytes(64)


def zips(*names: str) -> Iterator[bytes]:
    """Archives of arrays of zeros: of gigabytes, of a size that lies, of a thousand names, one name many times."""
    for shape, size in (((1 << 20, 32, 32), 1 << 30), ((1 << 10, 32, 32), 1 << 30), ((1 << 21, 32, 32), _MANY)):
        head = io.BytesIO()
        np.lib.format.write_array_header_1_0(head, {"descr": "|u1", "fortran_order": False, "shape": shape})
        for said in (size + len(head.getvalue()), 100, 2**32 - 2):
            yield packed([(f"{name}.npy", zeros(size, head.getvalue()), said) for name in names])
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(20_000):
            archive.writestr(zipfile.ZipInfo(f"{number}.npy"), b"")
    yield file.getvalue()


def packed(members: list[tuple[str, bytes, int]]) -> bytes:
    """A zip of raw streams of deflate, each with the size that it says it unpacks to."""
    content, directory = b"", b""
    for name, data, said in members:
        fields = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 33, 0, len(data), min(said, 2**32 - 1), len(name), 0)
        directory += (
            b"PK\x01\x02"
            + struct.pack("<H", 20)
            + fields
            + struct.pack("<HHHII", 0, 0, 0, 0, len(content))
            + name.encode()
        )
        content += b"PK\x03\x04" + fields + name.encode() + data
    end = struct.pack("<HHHHIIH", 0, 0, len(members), len(members), len(directory), len(content), 0)
    return content + directory + b"PK\x05\x06" + end


def npy_headers() -> Iterator[bytes]:
    """Headers of an array that are long, deep, or say shapes without end."""
    for text in (
        "(" * 60_000,
        "{" * 60_000,
        "-" * 60_000 + "1",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (" + "1," * 30_000 + ")}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (" + "9" * 60_000 + ",)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000, 0, 3)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (2147483648,)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (True, 3, 3)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (4611686018427387904, 4)}",
        "{'descr': '|V2147483647', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': [('a', '|u1')] * 1000000, 'fortran_order': False, 'shape': (1,)}",
    ):
        yield b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()
    for length in (2**32 - 1, 1 << 30):
        yield b"\x93NUMPY\x02\x00" + struct.pack("<I", length) + b"{'descr': '|u1'}"


def pngs() -> Iterator[bytes]:
    """PNGs that say they are huge, that unpack to much more than they say or to less, that hold gigabytes of text."""
    for width, height in (
        (2**31 - 1, 2**31 - 1),
        (2**31 - 1, 1),
        (8000, 8000),
        (8001, 8000),
        (1, 2**26),
        (3, 3),
        (0, 3),
    ):
        for kind in (0, 2, 6) if width * height < 1 << 20 or width * height > 1 << 26 else (0,):
            yield png(width, height, kind, b"\x78\x9c" + zeros(1 << 28))
    yield png(3, 3, 0, b"\x78\x9c" + zeros(1 << 28), (b"zTXt", b"a\0\0\x78\x9c" + zeros(1 << 30)))
    yield png(3, 3, 0, b"\x78\x9c" + zeros(1 << 28), (b"iTXt", b"a\0\1\0\0\0\x78\x9c" + zeros(1 << 30)))
    yield png(3, 3, 0, b"\x78\x9c" + zeros(1 << 28), (b"iCCP", b"a\0\0\x78\x9c" + zeros(1 << 30)))
    yield png(3, 3, 0, b"\x78\x9c" + zeros(1 << 28), *[(b"tEXt", b"a\0b")] * 200_000)
    rows = zlib.compress(bytes(12))
    yield png(3, 3, 0, rows[:-4])  # every row, and no end
    yield png(3, 3, 0, rows[:-4] + bytes(4))  # or another checksum


def jpegs() -> Iterator[bytes]:
    """JPEGs that say they are huge, of segments without end, and that go over their picture thousands of times."""
    start = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
    for height, width in ((65535, 65535), (8000, 8000), (65500, 976)):
        for marker in (b"\xc0", b"\xc2"):
            frame = b"\xff" + marker + struct.pack(">HBHHBBBB", 11, 8, height, width, 1, 1, 0x11, 0)
            yield start + frame + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00" + bytes(1000) + b"\xff\xd9"
    yield start + b"\xff\xfe\xff\xff" + bytes(65533) + b"\xff\xfe\x00\x02" * 1_000_000
    yield start + b"\xff" * (1 << 24)
    for side in (30, 1000, 6000):
        file = io.BytesIO()
        Image.new("L", (side, side), 128).save(file, "JPEG", progressive=True)
        whole = file.getvalue()
        yield whole[:-2] + whole[whole.rindex(b"\xff\xda") : -2] * 5000 + b"\xff\xd9"


def png(width: int, height: int, kind: int, pixels: bytes, *blocks: tuple[bytes, bytes]) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    parts = [b"\x89PNG\r\n\x1a\n"]
    for name, body in ((b"IHDR", head), *blocks, (b"IDAT", pixels), (b"IEND", b"")):
        parts += [struct.pack(">I", len(body)), name, body, struct.pack(">I", zlib.crc32(name + body))]
    return b"".join(parts)


def tables() -> Iterator[bytes]:
    """Rows and fields without end."""
    yield b"label," + b"a" * (1 << 22)
    yield b"1" * (1 << 25)
    yield b"1," * (1 << 24)
    yield b"," * (1 << 24)
    yield b"\n" * (1 << 24)
    yield b"1,2\n" * 5_000_000 + b"1"
    yield b"1,2\n" + b"1" * (1 << 25)
    yield b"1,2\n" + b"1," * (1 << 24)
    yield b"label," + b",".join(b"p%d" % n for n in range(90_000)) + b"\n1\n"


def headers(entry: bytes = b"") -> Iterator[bytes]:
    """Safetensors whose headers are long, deep, of a million names, or declare what the file does not hold."""
    for text in (*json_texts(), entry):
        yield struct.pack("<Q", len(text)) + text
    for shape in ([1 << 40], [1 << 33, 1 << 33], [2**64 - 1, 2], [0, 2**63], [1] * 10_000):
        text = json.dumps({"w": {"dtype": "F32", "shape": shape, "data_offsets": [0, 8]}}).encode()
        yield struct.pack("<Q", len(text)) + text + bytes(8)
    for length in (2**64 - 1, 2**63, 100_000_001, 1 << 40):
        yield struct.pack("<Q", length) + b"{}" + bytes(100)
    many = {f"{n}": {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]} for n in range(100_000)}
    text = json.dumps(many).encode()
    yield struct.pack("<Q", len(text)) + text


def json_texts() -> Iterator[bytes]:
    """JSON that is deep, long, or has a million fields."""
    for start in (b"[", b'{"a":', b'[{"a":'):
        yield start * 1_000_000
    yield b"[" * 900 + b"]" * 900
    yield b"{" + b",".join(b'"%d": 0' % n for n in range(500_000)) + b"}"
    yield b"1" * 5_000_000
    yield b"1e" + b"9" * 1_000_000
    yield b'"' + b"a" * (1 << 23) + b'"'
    yield b"[" + b"[]," * 2_000_000 + b"[]]"
    yield b"{}\n" * 1_000_000


def arrays() -> Iterator[bytes]:
    """What a trace's arrays could be."""
    yield from zips("int64", "float32")
