"""What the pictures are, whatever file they came in: a hash of each row, and of any set of rows in any order."""

import hashlib
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from byhand.data.dataset import Raw, Rows

_PIECE: Final = 1 << 18  # rows whose digests are copied at a time


class Content(NamedTuple):
    """What a reader found, with the digest of each row and the hash of them all."""

    raw: Raw
    digests: list[NDArray[np.uint8]]  # (N, 32) for each part that raw has, in the order train, valid, test
    hash: str


def digest(raw: Raw) -> Content:
    """Computes the digests and the hash of what a reader found."""
    digests = [row_digests(rows, raw.classes) for rows in raw.parts().values()]
    return Content(raw, digests, content_hash(np.concatenate(digests), raw.classes))


def row_digests(rows: Rows, classes: Sequence[str]) -> NDArray[np.uint8]:
    """SHA-256 of each row: its height, width, class name and pixels.

    Returns:
        (N, 32), one digest a row.
    """
    count, height, width = rows.images.shape
    starts = [
        hashlib.sha256(f"{height} {width} {len(name)} {name}\n".encode("utf-8", "surrogateescape")) for name in classes
    ]
    pixels = np.ascontiguousarray(rows.images).reshape(-1).data
    size = height * width
    digests = bytearray()
    labels: list[int] = rows.labels.tolist()
    for row, label in enumerate(labels):
        digest = starts[label].copy()
        digest.update(pixels[row * size : (row + 1) * size])
        digests += digest.digest()
    return np.frombuffer(digests, np.uint8).reshape(count, 32)


def shared(images: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which images (N, H, W) stand among the others (M, H, W) too, pixel for pixel, whatever their labels: (N,).

    Each is looked up by a hash of its bytes, and where the hash is known the bytes are compared.
    """
    known = {image.tobytes() for image in others}
    return np.fromiter((image.tobytes() in known for image in images), np.bool_, len(images))


def sort_order(digests: NDArray[np.uint8]) -> NDArray[np.intp]:
    """The order (N,) that sorts digests (N, 32) by their bytes; equal digests keep their order."""
    words = digests.view(">u8")  # (N, 4): the order of big-endian words is the order of their bytes
    first = words[:, 0].astype(np.uint64)
    order = np.argsort(first)
    ranked = first[order]
    if np.any(ranked[1:] == ranked[:-1]):  # rows that stand twice: the other words decide
        order = np.lexsort([words[:, 3], words[:, 2], words[:, 1], words[:, 0]])
    return order


def content_hash(digests: NDArray[np.uint8], classes: Sequence[str]) -> str:
    """SHA-256, as 64 hexadecimal digits, of the class names and the sorted digests of the rows.

    It does not depend on the order of the rows. It changes with any pixel, label, image size or class name, and with a
    row added, removed or repeated.
    """
    names = "".join(f"{len(name)} {name}\n" for name in classes)
    whole = hashlib.sha256(f"byhand rows 1\n{len(classes)} {len(digests)}\n{names}".encode("utf-8", "surrogateescape"))
    order = sort_order(digests)
    for start in range(0, len(order), _PIECE):
        whole.update(digests.take(order[start : start + _PIECE], axis=0).data)
    return whole.hexdigest()
