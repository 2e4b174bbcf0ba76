"""Many pictures, PNG or JPEG, as one array of one size."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from byhand.data.dataset import Rows, empty_rows
from byhand.data.files import MAX_BYTES
from byhand.data.picture import decode, resized, to_grey
from byhand.data.png import plain_grey
from byhand.errors import DataError
from byhand.text import one_line


def decode_all(
    pictures: Sequence[tuple[str, bytes]], shape: tuple[int, int], size: int | None, grayscale: bool
) -> NDArray[np.uint8]:
    """The pixels (n, H, W) of pictures, each with a name for messages.

    Args:
        pictures: names and contents.
        shape: H, W, that each must have.
        size: resize each picture to ``size``×``size``.
        grayscale: make grey what cannot be made grey exactly; see :func:`byhand.data.picture.to_grey`.

    Raises:
        DataError: a picture is damaged, coloured, or of another size.
    """
    images = np.empty((len(pictures), *shape), np.uint8)  # (n, H, W)
    canvas = Image.new("L", (shape[1], shape[0]))
    for row, (name, data) in enumerate(pictures):
        plain = plain_grey(data, canvas)
        if plain is not None:
            images[row] = np.frombuffer(plain, np.uint8).reshape(shape)
            continue
        image = read_grey(data, name, size, grayscale)
        if image.shape != shape:
            raise sizes_differ(name, image.shape, shape)
        images[row] = image
    return images


def in_one_array(source: str | Path, count: int, pieces: Iterator[Rows]) -> Rows:
    """The ``count`` pictures of a part with their labels, each piece put into its place: none stands in memory twice.

    Args:
        source: the first file of the part, for messages.
        count: N.
        pieces: the rows in order, N together, all of one size.

    Raises:
        DataError: there is no row, or the pictures take more than 2 GiB; and what ``pieces`` raise.
    """
    piece = next(pieces, None)
    if piece is None:
        raise DataError(f"{one_line(source)}: holds no row; get the file again")
    _, height, width = piece.images.shape
    need = count * height * width
    if need > MAX_BYTES:
        raise DataError(
            f"{one_line(source)}: {count:,} pictures of {width}×{height} pixels take {need:,} bytes, more than the "
            f"{MAX_BYTES:,} that are read into memory; pass size=28 (--size 28), or make shards: byhand data shard"
        )
    rows, end = empty_rows(count, (height, width)), 0  # (N, H, W), (N,)
    while piece is not None:
        start, end = end, end + len(piece.labels)
        rows.images[start:end], rows.labels[start:end] = piece
        piece = next(pieces, None)
    return rows


def read_grey(data: bytes, name: str | Path, size: int | None, grayscale: bool) -> NDArray[np.uint8]:
    """The picture in ``data`` made grey (H, W), and ``size``×``size`` where that is given; ``name`` is for messages.

    Raises:
        DataError: as ``decode`` and ``to_grey``.
    """
    grey = to_grey(decode(data, name), name, grayscale)  # (H, W)
    return grey if size is None else resized(grey, (size, size))


def sizes_differ(name: str | Path, shape: tuple[int, ...], first: tuple[int, ...]) -> DataError:
    """The refusal of a picture that has not the shape (H, W) of the first one."""
    (height, width), (h, w) = shape, first
    return DataError(
        f"{one_line(name)}: {width}×{height} pixels, but the first picture has {w}×{h}; "
        f"pass size={h} (--size {h}) to resize them all"
    )
