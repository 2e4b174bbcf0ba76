"""IDX, the format of the original MNIST files: a magic number, the sizes, then the values, all big-endian.

    offset  0   two zero bytes
            2   the type of a value: 08 uint8, 09 int8, 0B int16, 0C int32, 0D float32, 0E float64
            3   D, the number of dimensions
            4   D sizes, 4 bytes each
    4 + 4·D     the values, the last dimension fastest

2051 = 00 00 08 03 opens a file of images, 2049 = 00 00 08 01 a file of labels. A file may be gzipped.
Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits".
"""

import math
import os
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from byhand.data.dataset import Raw, Rows
from byhand.data.files import MAX_BYTES, check_rows, faults, open_file
from byhand.data.labels import index_labels
from byhand.errors import DataError
from byhand.text import one_line

_TYPES: Final = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MAX_DIMS: Final = 8
_PIECE: Final = 1 << 20
_GZIP: Final = b"\x1f\x8b"

# (images, labels) of a part, each also with ".gz" and with "." for the "-" before "idx".
_TRAIN: Final = ("train",)
_TEST: Final = ("t10k", "test")
_BELOW: Final = (".", "raw", "MNIST/raw")  # the last two are torchvision's places


def read_idx(path: str | Path) -> NDArray[Any]:
    """The array of one IDX file, gzipped or not, in the machine's byte order.

    No more than the header declares is ever read or unpacked: a file that is shorter, longer, or that unpacks to more
    is refused, and so is a header that declares more than 2 GiB.

    Raises:
        DataError: the file cannot be read or is not exactly one IDX array.
    """
    path = Path(path)
    with open_file(path) as file:
        stream, shape, dtype = _opened(path, file)
        count = math.prod(shape)
        size = count * dtype.itemsize
        if size > MAX_BYTES:
            raise DataError(
                f"{one_line(path)}: declares {size:,} bytes in its sizes {shape}, more than the {MAX_BYTES:,} that are "
                "read into memory; the header is damaged, or the file is for byhand data shard"
            )
        values = np.empty(count, dtype)
        _fill(path, stream, values, 0, size)
        _must_end(path, stream, size)
    if not dtype.isnative:  # in place: a copy would take as much again
        values = values.byteswap(inplace=True).view(dtype.newbyteorder("="))
    return values.reshape(shape)


def find_idx_folder(path: str | Path) -> Path | None:
    """The folder that holds the IDX files: ``path``, or torchvision's ``raw`` or ``MNIST/raw`` below it; else None."""
    path = Path(path)
    with faults(path):
        return next((path / below for below in _BELOW if _find(path / below, _TRAIN, "images")), None)


def idx_files(folder: Path) -> list[Path]:
    """The IDX files of ``folder`` that ``read_idx_folder`` reads: two, or four where there is a test part."""
    found = [_find(folder, part, kind) for part in (_TRAIN, _TEST) for kind in ("images", "labels")]
    return [file for file in found if file is not None]


def read_idx_folder(path: str | Path) -> Raw:
    """The images and labels of a folder of IDX files, with its test part where there is one.

    The names are MNIST's: ``train-images-idx3-ubyte`` and ``train-labels-idx1-ubyte``, ``t10k-…`` or ``test-…``, with
    or without ``.gz``; ``train-images.idx3-ubyte`` too.

    Raises:
        DataError: a file is missing, damaged, or its partner does not fit it.
    """
    folder = find_idx_folder(path)
    if folder is None:
        raise DataError(
            f"{one_line(path)}: holds no IDX file; put train-images-idx3-ubyte and its labels there, or their .gz"
        )
    train = _read_part(folder, _TRAIN)
    if train is None:  # the file went away since find_idx_folder saw it
        raise DataError(f"{one_line(folder)}: its files are being changed; try again when that is done")
    return index_labels(str(folder), train, _read_part(folder, _TEST))


def idx_parts(folder: Path) -> dict[str, Callable[[int], Iterator[Rows]]]:
    """The parts of a folder of IDX files, "train" and perhaps "test", to be read in pieces from any row on.

    Raises:
        DataError: a file is missing, damaged, or its partner does not fit it; while reading, too.
    """
    found = {name: _pair(folder, part) for name, part in (("train", _TRAIN), ("test", _TEST))}
    return {name: partial(_rows_from, *pair) for name, pair in found.items() if pair is not None}


def _rows_from(image_file: Path, label_file: Path, first: int) -> Iterator[Rows]:
    labels = _labels(label_file)
    with open_file(image_file) as file:
        stream, shape, dtype = _opened(image_file, file)
        _check_images(image_file, shape, dtype)
        _check_pair(image_file, shape[0], label_file, len(labels))
        labels = labels.astype(np.int64)  # now that they are as many as they should be
        row, size = math.prod(shape[1:]), math.prod(shape)
        if stream is file:
            file.seek(first * row, os.SEEK_CUR)
        length = max(1, _PIECE // row)
        for start in range(first if stream is file else 0, len(labels), length):
            images = np.empty((min(length, len(labels) - start), *shape[1:]), np.uint8)  # (n, H, W)
            _fill(image_file, stream, images.reshape(-1), start * row, size)
            if (late := max(0, first - start)) < len(images):
                yield Rows(images[late:], labels[start + late : start + len(images)])
        _must_end(image_file, stream, size)


def _read_part(folder: Path, part: tuple[str, ...]) -> Rows | None:
    pair = _pair(folder, part)
    if pair is None:
        return None
    image_file, label_file = pair
    images = read_idx(image_file)
    _check_images(image_file, images.shape, images.dtype)
    check_rows(image_file, len(images))
    labels = _labels(label_file)
    _check_pair(image_file, len(images), label_file, len(labels))
    return Rows(images, labels.astype(np.int64))


def _pair(folder: Path, part: tuple[str, ...]) -> tuple[Path, Path] | None:
    image_file, label_file = _find(folder, part, "images"), _find(folder, part, "labels")
    if image_file is None and label_file is None:
        return None
    if image_file is None or label_file is None:
        there, missing = (image_file, "labels-idx1") if image_file else (label_file, "images-idx3")
        raise DataError(f"{one_line(there)}: stands without its partner; put {part[0]}-{missing}-ubyte beside it")
    return image_file, label_file


def _check_images(file: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    if dtype != np.uint8 or len(shape) != 3:
        raise DataError(
            f"{one_line(file)}: holds {dtype.newbyteorder('=')} values of shape {shape}; "
            "images are uint8 of shape (N, H, W), check that this is the file of images"
        )
    if math.prod(shape) == 0:
        raise DataError(f"{one_line(file)}: declares sizes {shape}, which hold no pixel; get the file again")


def _labels(file: Path) -> NDArray[Any]:
    labels = read_idx(file)
    if labels.dtype.kind not in "ui" or labels.ndim != 1:
        raise DataError(
            f"{one_line(file)}: holds {labels.dtype} values of shape {labels.shape}; "
            "labels are integers of shape (N,), check that this is the file of labels"
        )
    return labels


def _check_pair(image_file: Path, images: int, label_file: Path, labels: int) -> None:
    if images != labels:
        raise DataError(
            f"{one_line(label_file)}: holds {labels:,} labels for the {images:,} images of {image_file.name}; "
            "the two files are not a pair"
        )


def _find(folder: Path, part: tuple[str, ...], kind: str) -> Path | None:
    dims = {"images": "idx3", "labels": "idx1"}[kind]
    names = (f"{p}-{kind}{dot}{dims}-ubyte{gz}" for gz in ("", ".gz") for p in part for dot in ("-", "."))
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _opened(path: Path, file: BufferedReader) -> tuple["BufferedReader | _Gunzip", tuple[int, ...], np.dtype[Any]]:
    """The content of a file behind its header, unpacked where it is packed; the sizes and the type of its values."""
    stream = _Gunzip(path, file) if file.peek(2)[:2] == _GZIP else file
    return stream, *_header(path, stream)


def _fill(path: Path, stream: "BufferedReader | _Gunzip", values: NDArray[Any], before: int, size: int) -> None:
    """Read an array, of which ``before`` bytes of the ``size`` that the header declares are read already."""
    filled = stream.readinto(values.view(np.uint8).data)
    if filled < values.nbytes:
        raise DataError(
            f"{one_line(path)}: ends after {before + filled:,} of the {size:,} bytes that its header declares; "
            "the file is cut short, get it again"
        )


def _must_end(path: Path, stream: "BufferedReader | _Gunzip", size: int) -> None:
    if stream.readinto(memoryview(bytearray(1))):
        raise DataError(
            f"{one_line(path)}: goes on after the {size:,} bytes that its header declares; the file is damaged, "
            "get it again"
        )


def _header(path: Path, stream: "BufferedReader | _Gunzip") -> tuple[tuple[int, ...], np.dtype[Any]]:
    magic = bytearray(4)
    got = stream.readinto(memoryview(magic))
    if got < 4:
        raise DataError(
            f"{one_line(path)}: ends after {got} of the 4 bytes of the IDX magic number; get the file again"
        )
    if magic[0] or magic[1] or magic[2] not in _TYPES or not 1 <= magic[3] <= _MAX_DIMS:
        raise DataError(
            f"{one_line(path)}: starts with {bytes(magic).hex(' ')}, which is no IDX magic number "
            "(00 00 08 03 for images, 00 00 08 01 for labels); the file is something else or damaged"
        )
    sizes = bytearray(4 * magic[3])
    got = stream.readinto(memoryview(sizes))
    if got < len(sizes):
        raise DataError(f"{one_line(path)}: ends at byte {4 + got}, inside its {magic[3]} sizes; get the file again")
    shape = tuple(int.from_bytes(sizes[i : i + 4], "big") for i in range(0, len(sizes), 4))
    return shape, np.dtype(_TYPES[magic[2]])


class _Gunzip:
    """``readinto`` on the content of a gzip file, which never unpacks more than it is asked for."""

    def __init__(self, path: Path, file: BufferedReader) -> None:
        self._path, self._file = path, file
        self._unzip = zlib.decompressobj(wbits=31)  # 31: a gzip header and trailer, its CRC checked

    def readinto(self, into: memoryview) -> int:
        filled = 0
        try:
            while filled < len(into) and not self._unzip.eof:
                packed = self._unzip.unconsumed_tail or self._file.read(_PIECE)
                if not packed:
                    raise DataError(f"{one_line(self._path)}: its gzip stream is cut short; get the file again")
                piece = self._unzip.decompress(packed, min(len(into) - filled, _PIECE))
                into[filled : filled + len(piece)] = piece
                filled += len(piece)
        except zlib.error as error:
            raise DataError(
                f"{one_line(self._path)}: its gzip stream is damaged ({error}); get the file again"
            ) from error
        if self._unzip.eof and (self._unzip.unused_data or self._file.read(1)):
            raise DataError(f"{one_line(self._path)}: goes on after the end of its gzip stream; get the file again")
        return filled
