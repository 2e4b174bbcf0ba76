"""The readers of images and labels, each beside another that knows the format from its description alone."""

import csv
import gzip
import io
import json
import math
import re
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from byhand.data.cache import LIMIT
from byhand.data.content import Content, digest
from byhand.data.dataset import Raw, Rows
from byhand.data.files import MAX_BYTES
from byhand.data.folder import read_image_folder
from byhand.data.idx import read_idx_folder
from byhand.data.npz import read_npz
from byhand.data.picture import MAX_PICTURE, MAX_PIXELS
from byhand.data.stored import read_stored, write_stored
from byhand.data.table import has_labels, read_csv, read_unlabelled
from byhand.errors import DataError
from tests.fuzz import bombs
from tests.fuzz.judge import Reader

__all__ = ["READERS"]

IMAGES = (np.arange(12 * 9, dtype=np.uint8) * 37).reshape(12, 3, 3)
LABELS = np.arange(12) % 3
_KEY = "k" * 40
_SLOW = 1 << 20  # bytes: a larger table that is refused is not read by the csv module too


def put(file: Path, content: bytes) -> Path:
    file.unlink(missing_ok=True)  # a file that is written over itself is flushed to the disk by some file systems
    file.write_bytes(content)
    return file


def same(found: Raw, images: NDArray[Any], labels: NDArray[Any]) -> None:
    """The reader has these images and labels, its classes numbered by what occurs."""
    values = sorted(set(labels.tolist()))
    assert found.classes == tuple(map(str, values))
    assert found.train.images.dtype == np.uint8
    assert np.array_equal(found.train.images, images)
    assert np.array_equal(np.array(values)[found.train.labels], labels)


# IDX


def idx(array: NDArray[Any]) -> bytes:
    code = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}[array.dtype.str[1:]]
    head = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


def expected_idx(content: bytes) -> tuple[str, tuple[int, ...], list[Any]] | None:
    """The type, the shape and the values of an IDX file, one after the other; None where it is none."""
    kinds = {8: "B", 9: "b", 11: "h", 12: "i", 13: "f", 14: "d"}
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in kinds or not 1 <= content[3] <= 8:
        return None
    kind, dims = kinds[content[2]], content[3]
    if len(content) < 4 + 4 * dims:
        return None
    shape = struct.unpack_from(f">{dims}I", content, 4)
    if len(content) - 4 - 4 * dims != math.prod(shape) * struct.calcsize(kind):
        return None
    return kind, shape, [one[0] for one in struct.iter_unpack(f">{kind}", content[4 + 4 * dims :])]


def _idx_part(folder: Path, images: bytes, labels: bytes, ending: str = "") -> Raw:
    put(folder / f"train-images-idx3-ubyte{ending}", images)
    put(folder / f"train-labels-idx1-ubyte{ending}", labels)
    return read_idx_folder(folder)


def _pair(images: bytes, labels: bytes) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """What a pair of IDX files holds, if they are images and their labels."""
    theirs, beside = expected_idx(images), expected_idx(labels)
    if theirs is None or beside is None or theirs[0] != "B" or beside[0] not in "Bbhi":
        return None
    if len(theirs[1]) != 3 or len(beside[1]) != 1 or theirs[1][0] != beside[1][0] or not theirs[2]:
        return None
    if min(beside[2]) < 0 or max(beside[2]) > 999:
        return None
    return np.array(theirs[2], np.uint8).reshape(theirs[1]), np.array(beside[2])


def _check_idx(folder: Path, images: bytes, labels: bytes) -> None:
    right = _pair(images, labels)
    try:
        found = _idx_part(folder, images, labels)
    except DataError:
        assert right is None, "refused what is right"
        raise
    assert right is not None, "accepted what is no pair"
    same(found, *right)


def check_images(folder: Path, content: bytes) -> None:
    _check_idx(folder, content, idx(LABELS.astype(np.uint8)))


def check_labels(folder: Path, content: bytes) -> None:
    _check_idx(folder, idx(IMAGES), content)


def check_gz(folder: Path, content: bytes) -> None:
    found = _idx_part(folder, content, gzip.compress(idx(LABELS.astype(np.uint8)), mtime=0), ".gz")
    plain = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    right = _pair(plain, idx(LABELS.astype(np.uint8)))
    assert right is not None, "accepted what is no pair"
    same(found, *right)


def check_in_gz(folder: Path, content: bytes) -> None:
    """The content of a gzip file is broken, not its packing."""
    check_gz(folder, gzip.compress(content, 1, mtime=0))


# CSV


def table(header: bool = True, end: str = "\n") -> bytes:
    rows = np.column_stack([LABELS[:6], IMAGES[:6, :2, :2].reshape(6, 4)])
    lines = ["label,pixel0,pixel1,pixel2,pixel3"] * header + [",".join(map(str, row)) for row in rows.tolist()]
    return (end.join(lines) + end).encode()


def expected_csv(content: bytes) -> list[list[int]] | None:
    """The numbers of a table, by the csv module and by what docs say a table is; None where it is none."""
    if not content or not re.fullmatch(rb"(?s)[^\n]*(\n[0-9,\r\n]*)?", content):
        return None
    first, _, rest = content.partition(b"\n")
    name = first.rstrip(b"\r\n").split(b",")[0].lower()
    columns = first.count(b",") + 1
    if name == b"label":
        if b"\0" in first or b'"' in first or b"\r" in first.rstrip(b"\r"):
            return None
    else:
        rest = content
    lines = rest.removesuffix(b"\n").split(b"\n") if rest else []
    lines = [line.removesuffix(b"\r") for line in lines]
    if not all(lines) or any(b"\r" in line or b'"' in line for line in lines):
        return None
    rows = list(csv.reader([line.decode("latin-1") for line in lines], strict=True))
    sound = len(rows) == len(lines) > 0 and math.isqrt(columns - 1) ** 2 == columns - 1 > 0
    sound = sound and all(len(row) == columns for row in rows)
    if not sound or not all(re.fullmatch("[0-9]{1,3}", field) and int(field) <= 255 for row in rows for field in row):
        return None
    return [[int(field) for field in row] for row in rows]


def check_csv(folder: Path, content: bytes) -> None:
    try:
        found = read_csv(put(folder / "table.csv", content))
    except DataError:
        assert len(content) > _SLOW or expected_csv(content) is None, "refused what is right"
        raise
    right = expected_csv(content)
    assert right is not None, "accepted what is no table"
    rows = np.array(right)
    side = math.isqrt(rows.shape[1] - 1)
    same(found, rows[:, 1:].reshape(-1, side, side), rows[:, 0])


def expected_unlabelled(content: bytes) -> list[list[int]] | None:
    """As ``expected_csv``, of a table without labels: what it would be with a label before each row."""
    first, end, rest = content.partition(b"\n")
    names = first.rstrip(b"\r\n").lower().split(b",")
    header = all(re.match(rb"[a-z]", name) for name in names)
    if b"label" in names or not (header or re.match(rb"[0-9]", first)):
        return None
    rows = b"\n".join(b"0," + line if line.rstrip(b"\r") else line for line in rest.split(b"\n"))
    found = expected_csv((b"label," if header else b"0,") + first + end + rows)
    return found and [row[1:] for row in found]


def check_unlabelled(folder: Path, content: bytes) -> None:
    file = put(folder / "test.csv", content)
    try:
        found = read_unlabelled(file)
    except DataError:
        assert len(content) > _SLOW or expected_unlabelled(content) is None, "refused what is right"
        raise
    right = expected_unlabelled(content)
    assert right is not None, "accepted what is no table"
    assert not has_labels(file)
    assert np.array_equal(found.reshape(len(found), -1), right)


# NPZ


def npz(**arrays: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def check_npz(folder: Path, content: bytes) -> None:
    found = read_npz(put(folder / "digits.npz", content))
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        names = next(pair for pair in (("x_train", "y_train"), ("images", "labels"), ("x", "y")) if pair[0] in file)
        images, labels = file[names[0]], file[names[1]]
        if names[0] == "x_train" and "x_test" in file:
            assert found.test is not None
            assert np.array_equal(found.test.images, file["x_test"].reshape(found.test.images.shape))
    height, width = found.train.images.shape[1:]
    same(found, images.reshape(-1, height, width), labels)


def zipped(images: bytes, labels: bytes, kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of an archive's two files as they come."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", kind) as archive:
        for name, content in (("x.npy", images), ("y.npy", labels)):
            archive.writestr(zipfile.ZipInfo(name), content, kind)
    return file.getvalue()


def npy(array: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def check_in_npz(folder: Path, content: bytes) -> None:
    """An array of the archive is broken, not the archive."""
    check_npz(folder, zipped(content, npy(LABELS)))


# Pictures


def png(image: NDArray[Any], **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG", **options)
    return file.getvalue()


def jpeg(image: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG")
    return file.getvalue()


def expected_png(content: bytes) -> NDArray[np.uint8] | None:
    """The pixels of a PNG of 8-bit grey without interlacing, filter by filter; None where it is another."""
    width, height, *rest = struct.unpack(">IIBBBBB", content[16:29])
    if rest != [8, 0, 0, 0, 0] or b"tRNS" in content:
        return None
    at, packed = 8, b""
    while at < len(content):
        length, kind = struct.unpack(">I4s", content[at : at + 8])
        packed += content[at + 8 : at + 8 + length] if kind == b"IDAT" else b""
        at += 12 + length
        if kind == b"IEND":
            break
    inflater = zlib.decompressobj()
    rows, before = inflater.decompress(packed), [0] * (width + 1)
    assert inflater.eof, "accepted what has no end"
    image = np.empty((height, width), np.uint8)
    for y in range(height):
        line, row = rows[y * (width + 1) : (y + 1) * (width + 1)], [0] * (width + 1)
        for x in range(1, width + 1):
            a, b, c = row[x - 1], before[x], before[x - 1]
            nearest = min((a, b, c), key=lambda one: abs(a + b - c - one))
            row[x] = (line[x] + (0, a, b, (a + b) // 2, nearest)[line[0]]) % 256
        image[y], before = row[1:], row
    return image


def check_picture(folder: Path, content: bytes) -> None:
    (folder / "1").mkdir(exist_ok=True)
    (folder / "0").mkdir(exist_ok=True)
    put(folder / "1" / "a.png", png(IMAGES[1]))
    put(folder / "0" / "b.png", content)
    found = read_image_folder(folder)
    assert found.classes == ("0", "1")
    assert np.array_equal(found.train.labels, [0, 1])
    assert np.array_equal(found.train.images[1], IMAGES[1])
    image = found.train.images[0]
    own = expected_png(content) if content.startswith(b"\x89PNG") else None
    if own is not None:
        assert np.array_equal(image, own)
        return
    with Image.open(io.BytesIO(content)) as theirs:
        theirs.load()
        if theirs.mode.startswith("I"):
            assert np.array_equal(image, np.asarray(theirs) // 257)
        else:
            colours = np.asarray(theirs.convert("RGB"))
            turned = {1: 0, 2: 0, 3: 2, 4: 2, 5: 1, 6: 3, 7: 3, 8: 1}.get(theirs.getexif().get(0x0112, 1), 0)
            if theirs.getexif().get(0x0112, 1) in (2, 4, 5, 7):
                colours = colours[:, ::-1] if theirs.getexif()[0x0112] != 5 else colours.transpose(1, 0, 2)
                turned = {2: 0, 4: 2, 5: 0, 7: 1}[theirs.getexif()[0x0112]]
            assert np.array_equal(image, np.rot90(colours[..., 0], turned))


def check_mended_picture(folder: Path, content: bytes) -> None:
    """A PNG whose blocks are broken while their checksums and lengths are right."""
    check_picture(folder, mended_png(content))


def mended_png(content: bytes) -> bytes:
    at, mended = 8, content[:8]
    while at + 8 <= len(content):
        length = min(int.from_bytes(content[at : at + 4], "big"), len(content) - at - 8)
        body = content[at + 4 : at + 8 + length]
        mended += length.to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")
        at += 12 + length
    return mended


# The cache


def content_of() -> Content:
    half = slice(0, 6), slice(6, 9), slice(9, 12)
    train, valid, test = (Rows(IMAGES[cut], LABELS[cut].astype(np.int64)) for cut in half)
    return digest(Raw(train, valid, test, ("a", "b", "ü")))


def stored() -> bytes:
    file = io.BytesIO()
    write_stored(file, _KEY, content_of())
    return file.getvalue()


def check_stored(folder: Path, content: bytes) -> None:
    found, right = read_stored(put(folder / "entry.safetensors", content), _KEY), content_of()
    if found is None:
        raise DataError(f"{folder}: read anew")
    assert found.hash == right.hash
    assert found.raw.classes == right.raw.classes
    for mine, theirs in zip(found.raw[:3], right.raw[:3], strict=True):
        assert (mine is None) == (theirs is None)
        assert mine is None or theirs is None or np.array_equal(mine.images, theirs.images)
        assert mine is None or theirs is None or np.array_equal(mine.labels, theirs.labels)
    assert all(np.array_equal(a, b) for a, b in zip(found.digests, right.digests, strict=True))


_HEADERS = [b"{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }", b"(1,)*10**9", b"'|O'", b"'<M8[s]'"]
_GREY, _FLAT = IMAGES[0], np.full((3, 3), 128, np.uint8)
_COLOURS = np.repeat(IMAGES[0][..., None], 3, axis=2)
_PNGS = (
    png(_GREY),
    png(_COLOURS),
    png(np.dstack([_COLOURS, np.full((3, 3), 255, np.uint8)])),
    png(_GREY.astype(np.uint16) * 257),
    png(_GREY > 100),
)
_BLOCKS = (b"IHDR", b"IDAT", b"IEND", b"PLTE", b"tRNS", b"eXIf", b"acTL", b"iCCP", b"zTXt", b"iTXt")
_MARKERS = tuple(bytes([0xFF, marker]) for marker in (0xC0, 0xC2, 0xC4, 0xD8, 0xD9, 0xDA, 0xDB, 0xE0, 0xE1, 0xFE))

READERS = (
    Reader("idx-images", (idx(IMAGES),), check_images, MAX_BYTES, 16, bombs=bombs.idx),
    Reader("idx-labels", (idx(LABELS.astype(np.uint8)), idx(LABELS.astype(np.int32))), check_labels, MAX_BYTES, 8),
    Reader(
        "idx-gz",
        (gzip.compress(idx(IMAGES), mtime=0), gzip.compress(idx(IMAGES), 0)),
        check_gz,
        MAX_BYTES,
        10,
        bombs=lambda: bombs.gzips(idx(IMAGES)),
    ),
    Reader("idx-in-gz", (idx(IMAGES),), check_in_gz, MAX_BYTES),
    Reader(
        "csv",
        (table(), table(header=False), table(end="\r\n")),
        check_csv,
        MAX_BYTES,
        words=(b"label", b"\r\n", b"\n\n", b'"', b"\xef\xbb\xbf", b" ", b"-", b"+", b"1e3", b"\xd9\xa3", b"999", b",,"),
        bombs=bombs.tables,
    ),
    Reader(
        "csv-unlabelled",
        tuple(
            b"\n".join(line.partition(b",")[2] for line in one.split(b"\n"))
            for one in (table(), table(header=False), table(end="\r\n"))
        ),
        check_unlabelled,
        MAX_BYTES,
        words=(b"label", b"\r\n", b"\n\n", b'"', b"\xef\xbb\xbf", b" ", b"-", b"+", b"1e3", b"\xd9\xa3", b"999", b",,"),
        bombs=bombs.tables,
    ),
    Reader(
        "npz",
        (
            npz(x=IMAGES, y=LABELS),
            npz(x_train=IMAGES, y_train=LABELS, x_test=IMAGES[:3], y_test=LABELS[:3]),
            zipped(npy(IMAGES), npy(LABELS), zipfile.ZIP_STORED),
        ),
        check_npz,
        MAX_BYTES,
        words=(b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07", b"\x93NUMPY", b"x_test.npy"),
        bombs=lambda: bombs.zips("x", "y"),
    ),
    Reader(
        "npz-array",
        (npy(IMAGES), npy(IMAGES.reshape(12, 9)), npy(np.asfortranarray(IMAGES.astype(np.int32)))),
        check_in_npz,
        MAX_BYTES,
        128,
        words=(
            *_HEADERS,
            b"True",
            b"'>i8'",
            b"'|b1'",
            b"'<f8'",
            b"'<u8'",
            b"(-1, 3, 3)",
            b"(2**40, 3, 3)",
            b"(0, 3, 3)",
        ),
        bombs=bombs.npy_headers,
    ),
    Reader("png", _PNGS, check_picture, MAX_PICTURE + 8 * MAX_PIXELS, 33, _BLOCKS, bombs=bombs.pngs),
    Reader("png-blocks", _PNGS, check_mended_picture, MAX_PICTURE + 8 * MAX_PIXELS, 33, _BLOCKS),
    Reader(
        "jpeg", (jpeg(_FLAT), jpeg(_GREY)), check_picture, MAX_PICTURE + 8 * MAX_PIXELS, 20, _MARKERS, bombs=bombs.jpegs
    ),
    Reader(
        "stored",
        (stored(),),
        check_stored,
        LIMIT,
        8,
        words=(
            b'"shape": [12, 3, 3]',
            b'"data_offsets": [0, 96]',
            b"null",
            b"[[[[[[[[",
            json.dumps([6, 3, 3]).encode(),
        ),
        bombs=bombs.headers,
    ),
)
