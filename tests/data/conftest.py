"""The same images in each of the formats, written here with no help from byhand."""

import gzip
import io
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

_IDX_TYPES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


class Writers(NamedTuple):
    idx: Callable[[NDArray], bytes]
    idx_folder: Callable[..., Path]
    csv: Callable[..., bytes]
    npz: Callable[..., bytes]
    png_tree: Callable[..., Path]


def idx(array: NDArray) -> bytes:
    code = _IDX_TYPES[array.dtype.str[1:]]
    sizes = b"".join(length.to_bytes(4, "big") for length in array.shape)
    return bytes([0, 0, code, array.ndim]) + sizes + array.astype(array.dtype.newbyteorder(">")).tobytes()


def idx_folder(folder: Path, images: NDArray, labels: NDArray, test=None, gz: bool = False) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    parts = {"train": (images, labels)} | ({"t10k": test} if test else {})
    for name, (some, theirs) in parts.items():
        for kind, array in (("images-idx3", some), ("labels-idx1", theirs.astype(np.uint8))):
            content = idx(array)
            path = folder / f"{name}-{kind}-ubyte{'.gz' if gz else ''}"
            path.write_bytes(gzip.compress(content, mtime=0) if gz else content)
    return folder


def csv(images: NDArray, labels: NDArray, header: bool = True, end: str = "\n") -> bytes:
    rows = np.column_stack([labels, images.reshape(len(images), -1)])
    lines = [",".join(map(str, row)) for row in rows.tolist()]
    if header:
        lines.insert(0, ",".join(["label", *(f"pixel{i}" for i in range(rows.shape[1] - 1))]))
    return (end.join(lines) + end).encode()


def npz(**arrays: NDArray) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def png_tree(folder: Path, images: NDArray, labels: NDArray, test=None) -> Path:
    parts = {"training": (images, labels), "testing": test} if test else {".": (images, labels)}
    for part, (some, theirs) in parts.items():
        for number, (image, label) in enumerate(zip(some, theirs, strict=True)):
            place = folder / part / str(label)
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(place / f"{number}.png")
    return folder


@pytest.fixture(scope="session")
def write() -> Writers:
    return Writers(idx, idx_folder, csv, npz, png_tree)


@pytest.fixture(scope="session")
def digits() -> tuple[NDArray, NDArray]:
    """200 images of 6×6 noise with ten balanced labels, shuffled: no two are equal."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (200, 6, 6), np.uint8), rng.permutation(np.arange(200) % 10)
