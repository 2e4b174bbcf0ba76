"""The segments of a JPEG file, which Pillow and libjpeg follow however many there are.

A file is markers, each 0xFF and a byte that is neither 0 nor 0xFF. Most are followed by a length (2 bytes, big-endian,
itself counted) and a body; SOS (0xDA) also by the coded picture, in which 0xFF stands before 0 or a restart marker.
A progressive picture is coded in several scans, an SOS each, and every one of them goes over the whole picture.
Source: ITU-T T.81, "Digital compression and coding of continuous-tone still images", annex B.
"""

import re
from pathlib import Path
from typing import Final

from byhand.errors import DataError
from byhand.text import one_line

SIGNATURE: Final = b"\xff\xd8\xff"
MAX_SEGMENTS: Final = 10_000  # a file of 128 MiB has 2,000 of the largest there are

_MARKER: Final = re.compile(rb"\xff([^\x00\x01\xff\xd0-\xd8])")  # without those that stand alone, but for the end
_SCAN, _END = 0xDA, 0xD9


def count_scans(data: bytes, name: str | Path) -> int:
    """How many scans the picture of a JPEG file is coded in.

    What stands behind the end of the picture (a phone's film, a second picture) is not looked at.

    Raises:
        DataError: it has more than 10,000 segments; a byte between two of them before the first scan counts as one.
    """
    at, segments, scans = 2, 0, 0
    while at < len(data):
        marker = _MARKER.search(data, at)
        start, at = at, len(data) if marker is None else marker.end()
        segments += 1 if scans else at - start - 1
        if segments > MAX_SEGMENTS:
            raise DataError(
                f"{one_line(name)}: damaged: more than {MAX_SEGMENTS:,} segments, which no picture needs; save it anew"
            )
        if marker is None or marker[1][0] == _END:
            break
        scans += marker[1][0] == _SCAN
        at += int.from_bytes(data[at : at + 2], "big")
    return scans
