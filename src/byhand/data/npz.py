"""NPZ, NumPy's zip of arrays: Keras's ``x_train, y_train, x_test, y_test``, or one pair of images and labels."""

import math
import zipfile
import zlib
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from byhand.data.dataset import Raw, Rows
from byhand.data.files import MAX_BYTES, check_rows, open_file
from byhand.data.labels import index_labels
from byhand.data.npy_header import read_header
from byhand.errors import DataError
from byhand.text import brief, one_line

_TRAIN: Final = (("x_train", "y_train"), ("images", "labels"), ("x", "y"))
_TEST: Final = ("x_test", "y_test")
_PACKINGS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # what NumPy writes
_PIECE: Final = 1 << 20
_ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06")


def read_npz(path: str | Path) -> Raw:
    """The images and labels of an NPZ file, with its test part where there is one. Pickled objects are never opened.

    Images are integers 0..255 of shape (N, H, W), (N, H, W, 1), or (N, P) with P a square number; labels are integers
    of shape (N,). What the header of an array declares is checked against the archive, and all that it records against
    2 GiB, before anything is unpacked.

    Raises:
        DataError: the file is damaged, or holds no such arrays.
    """
    path = Path(path)
    with open_file(path) as file:
        if (start := file.peek(4)[:4]) not in _ZIP:  # the zip module would look for an archive behind other bytes
            raise DataError(
                f"{one_line(path)}: starts with {start.hex(' ') or 'nothing'}, so it is no NPZ file; get it again"
            )
        try:
            with zipfile.ZipFile(file) as archive:
                names = [name[:-4] for name in archive.namelist() if name.endswith(".npy")]
                pair = next((pair for pair in _TRAIN if set(pair) <= set(names)), None)
                if pair is None:
                    held = ", ".join(one_line(name) for name in names[:8]) or "nothing"
                    raise DataError(
                        f"{one_line(path)}: holds {held[:200]}; needed: x_train, y_train or images, labels or x, y"
                    )
                there = [name for name in _TEST if name in names and pair[0] == "x_train"]
                _check_size(path, archive, [*pair, *there])
                train = _read_pair(path, archive, pair)
                if not there:
                    return index_labels(str(path), train)
                if len(there) == 1:
                    raise DataError(f"{one_line(path)}: holds {there[0]} without its partner; add it")
                test = _read_pair(path, archive, _TEST)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, UnicodeError) as error:
            what = str(error).partition("\n")[0] or type(error).__name__
            raise DataError(f"{one_line(path)}: is no sound NPZ file ({brief(what, 200)}); get it again") from error
    return index_labels(str(path), train, test)


def _check_size(path: Path, archive: zipfile.ZipFile, names: list[str]) -> None:
    """DataError where the arrays that will be read take more than 2 GiB together, by the archive's own record."""
    size = sum(archive.getinfo(f"{name}.npy").file_size for name in names)
    if size > MAX_BYTES:
        raise DataError(
            f"{one_line(path)}: records {size:,} bytes in {', '.join(names)}, more than the {MAX_BYTES:,} that are "
            "read into memory; the file is damaged, or needs splitting"
        )


def _read_pair(path: Path, archive: zipfile.ZipFile, names: tuple[str, str]) -> Rows:
    labels = _read_array(path, archive, names[1], labels=True)  # first, because they are small where all is well
    check_rows(path, len(labels))
    images = _images(path, names[0], _read_array(path, archive, names[0]))
    if len(images) != len(labels):
        raise DataError(
            f"{one_line(path)}: {names[0]} holds {len(images):,} images and {names[1]} {len(labels):,} labels; "
            "they are not a pair"
        )
    return Rows(images, labels.astype(np.int64))  # what uint64 holds beyond int64 becomes negative, and is refused


def _images(path: Path, name: str, images: NDArray[Any]) -> NDArray[np.uint8]:
    if images.dtype.kind not in "ui":
        raise DataError(
            f"{one_line(path)}: {name} holds {images.dtype} values; images are integers 0..255, save them as uint8"
        )
    if images.ndim == 4 and images.shape[3] == 1:
        images = images[:, :, :, 0]
    if images.ndim == 2 and math.isqrt(images.shape[1]) ** 2 == images.shape[1]:
        side = math.isqrt(images.shape[1])
        images = images.reshape(len(images), side, side)
    if images.ndim != 3 or images.size == 0:
        raise DataError(f"{one_line(path)}: {name} has the shape {images.shape}; images have (N, H, W), none of them 0")
    if images.dtype != np.uint8:
        _check_pixels(path, name, images)
    return np.ascontiguousarray(images, np.uint8)


def _check_pixels(path: Path, name: str, images: NDArray[Any]) -> None:
    """DataError where a pixel is none of 0..255: the first one, looked for in a few megabytes at a time."""
    step = max(1, _PIECE * len(images) // images.size)
    for start in range(0, len(images), step):
        part = images[start : start + step]
        outside = (part < 0) | (part > 255)
        if outside.any():
            row, *place = (int(index) for index in np.unravel_index(outside.argmax(), outside.shape))
            value = part[row, *place]
            raise DataError(f"{one_line(path)}: {name} holds {value} at {[start + row, *place]}; pixels are 0..255")


def _read_array(path: Path, archive: zipfile.ZipFile, name: str, *, labels: bool = False) -> NDArray[Any]:
    """One array of the archive, after its header was held against the archive's own record of its size."""
    info = archive.getinfo(f"{name}.npy")
    if info.compress_type not in _PACKINGS:
        raise DataError(
            f"{one_line(path)}: {name} is packed by a method that NumPy does not use; save it with numpy.savez"
        )
    with archive.open(info) as file:
        try:
            shape, fortran, dtype = read_header(file)
        except ValueError as error:
            raise DataError(f"{one_line(path)}: the header of {name} is damaged; get the file again") from error
        if dtype.hasobject or dtype.names is not None or dtype.kind not in "uif":
            raise DataError(f"{one_line(path)}: {name} holds values of type {brief(dtype, 60)}; save plain integers")
        if labels and (dtype.kind not in "ui" or len(shape) != 1):
            raise DataError(
                f"{one_line(path)}: {name} holds {dtype} values of shape {brief(shape, 80)}; labels are integers (N,)"
            )
        size = math.prod(shape) * dtype.itemsize
        if size != info.file_size - file.tell():
            raise DataError(
                f"{one_line(path)}: {name} declares the shape {brief(shape, 80)}, {size:,} bytes; the archive records "
                f"{info.file_size - file.tell():,}; the file is damaged, get it again"
            )
        values = np.empty(math.prod(shape), dtype)
        into = values.view(np.uint8).data
        filled = 0
        while piece := file.read(_PIECE):
            into[filled : filled + len(piece)] = piece
            filled += len(piece)
        if filled != size:
            raise DataError(f"{one_line(path)}: {name} ends after {filled:,} of {size:,} bytes; get the file again")
    if not dtype.isnative:  # in place, because a copy would take as much again
        values = values.byteswap(inplace=True).view(dtype.newbyteorder("="))
    return values.reshape(shape, order="F" if fortran else "C")
