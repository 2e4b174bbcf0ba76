"""The blocks of a PNG file: what Pillow does not check, and the short way to the pixels of a plain grey one.

A file is a signature and blocks, each of length (4 bytes, big-endian), kind (4), body, and CRC-32 of kind and body:
IHDR first (width, height, bits, colours, compression, filter, interlacing), then pixels in one or more IDAT (rows, each
after the byte of its filter, compressed by zlib as one stream), IEND last.
Source: "Portable Network Graphics (PNG) Specification", W3C, sections 5, 8 and 11.
"""

import zlib
from pathlib import Path
from typing import Final

from PIL import Image

from byhand.errors import DataError
from byhand.text import one_line

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_CHANNELS: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # values a pixel: grey, RGB, palette, grey and alpha, RGBA
_PIECE: Final = 1 << 16
_MAX_BLOCKS: Final = 100_000  # a file of 128 MiB has 16,384 of those that libpng writes
_ADAM7: Final = (  # the passes of an interlaced PNG: first column, first row, steps across and down
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)


def plain_grey(data: bytes, canvas: Image.Image) -> bytes | None:
    """The pixels of the PNG that digits usually come in, or None if ``data`` is anything else.

    That is: 8-bit grey, not interlaced, of the size of ``canvas``, and nothing in the file but header, pixels and end.
    Pillow's decoder is called without Pillow's file layer, which costs three times as much as decoding 28×28 pixels.
    Whatever is unusual or wrong here is left to ``picture.decode``, which says what is wrong.
    """
    width, height = canvas.size
    length = int.from_bytes(data[33:37], "big")
    if (
        data[:16] != SIGNATURE + b"\x00\x00\x00\rIHDR"
        or data[16:29] != width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x00\x00\x00\x00"
        or data[37:41] != b"IDAT"
        or len(data) != length + 57
        or data[45 + length :] != b"\x00\x00\x00\x00IEND\xaeB`\x82"
        or data[29:33] != zlib.crc32(data[12:29]).to_bytes(4, "big")
        or data[41 + length : 45 + length] != zlib.crc32(data[37 : 41 + length]).to_bytes(4, "big")
    ):
        return None
    packed, need = data[41 : 41 + length], height * (width + 1)
    try:
        inflater = zlib.decompressobj()
        if len(inflater.decompress(packed, need + 1)) != need or not inflater.eof:
            return None  # Pillow would leave the missing rows as they were in the picture before
        canvas.frombytes(packed, "zip", "L", 0)
    except (ValueError, OSError, zlib.error):
        return None
    return canvas.tobytes()


def pixel_blocks(data: bytes, name: str | Path) -> list[bytes]:
    """The compressed pixels of a PNG, after a check of every block: Pillow misses a wrong checksum or a missing end.

    Raises:
        DataError: the file ends early, has more than 100,000 blocks, or one that does not fit its checksum.
    """
    blocks: list[bytes] = []
    at = len(SIGNATURE)
    for _ in range(_MAX_BLOCKS):
        kind, end = data[at + 4 : at + 8], at + 12 + int.from_bytes(data[at : at + 4], "big")
        if end > len(data):
            raise DataError(
                f"{one_line(name)}: truncated: it ends at byte {len(data):,}, inside a block; copy it again"
            )
        if data[end - 4 : end] != zlib.crc32(data[at + 4 : end - 4]).to_bytes(4, "big"):
            raise DataError(f"{one_line(name)}: damaged: wrong checksum of the block at byte {at:,}; copy it again")
        if kind == b"IEND":
            return blocks
        if kind == b"IDAT":
            blocks.append(data[at + 8 : end - 4])
        at = end
    raise DataError(
        f"{one_line(name)}: damaged: more than {_MAX_BLOCKS:,} blocks, which no picture needs; save it anew"
    )


def check_pixels(data: bytes, blocks: list[bytes], name: str | Path) -> None:
    """That the blocks of pixels are one whole stream with every row that the header declares.

    Pillow makes missing rows black, and does not read on to the checksum behind the last row. What else stands there is
    of no use, and is read up to 64 KiB; no more than that is held.

    Raises:
        DataError: rows are missing, or the stream has no end.
        zlib.error: the blocks are not one stream of zlib, or do not fit its checksum.
    """
    need, total = _row_bytes(data[16:29]), 0
    inflater = zlib.decompressobj()
    for block in blocks:
        rest = block
        while rest and total <= need + _PIECE and not inflater.eof:
            total += len(inflater.decompress(rest, _PIECE))
            rest = inflater.unconsumed_tail
    while total <= need + _PIECE and (piece := inflater.decompress(b"", _PIECE)):  # what zlib still holds
        total += len(piece)
    if total < need:
        raise DataError(f"{one_line(name)}: damaged: rows of pixels are missing; copy it again")
    if not inflater.eof:
        raise DataError(f"{one_line(name)}: damaged: its pixels do not end behind the last row; copy it again")


def _row_bytes(header: bytes) -> int:
    """The bytes of a PNG's unpacked pixels, a filter byte before each row, from its header of 13 bytes."""
    width, height = int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big")
    bits = header[8] * _CHANNELS[header[9]]
    total = 0
    for left, top, across, down in _ADAM7 if header[12] else ((0, 0, 1, 1),):
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + -(-columns * bits // 8))
    return total
