"""How often a JPEG goes over its picture, beside what the encoder was asked for; and what only costs time."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from byhand.data.jpeg import MAX_SEGMENTS, count_scans
from byhand.data.picture import decode
from byhand.errors import DataError


def jpeg(side: int = 40, mode: str = "L", **options: bool) -> bytes:
    file = io.BytesIO()
    values = np.random.default_rng(3).integers(0, 256, (side, side, 3), np.uint8)
    Image.fromarray(values).convert(mode).save(file, "JPEG", **options)
    return file.getvalue()


def more_scans(side: int, count: int) -> bytes:
    """A progressive JPEG whose last scan stands there so many times more."""
    file = io.BytesIO()
    Image.new("L", (side, side), 128).save(file, "JPEG", progressive=True)
    whole = file.getvalue()
    return whole[:-2] + whole[whole.rindex(b"\xff\xda") : -2] * count + b"\xff\xd9"


def test_scans_are_counted() -> None:
    assert count_scans(jpeg(), "a.jpg") == 1
    assert count_scans(jpeg(mode="RGB"), "a.jpg") == 1
    assert count_scans(jpeg(progressive=True), "a.jpg") == 6  # libjpeg's own list for grey, and for colours
    assert count_scans(jpeg(mode="RGB", progressive=True), "a.jpg") == 10
    assert count_scans(more_scans(40, 50), "a.jpg") == 56


def test_what_stands_behind_the_end_is_not_counted() -> None:
    film = np.random.default_rng(4).bytes(1 << 20) + b"\xff\xda" * 100_000
    assert count_scans(jpeg() + film, "a.jpg") == 1
    assert decode(jpeg() + film + b"\xff\xd9", "a.jpg").size == (40, 40)


def test_a_small_picture_may_be_drawn_often_and_a_large_one_not() -> None:
    assert decode(more_scans(40, 1000), "a.jpg").size == (40, 40)
    assert decode(more_scans(2000, 100), "a.jpg").size == (2000, 2000)
    with pytest.raises(DataError, match=r"a\.jpg: draws its 2,000×2,000 pixels 3,006 times over"):
        decode(more_scans(2000, 3000), "a.jpg")


@pytest.mark.parametrize(
    "between",
    [b"\xff\xfe\x00\x02" * (MAX_SEGMENTS + 1), b"\xff" * 20_000, b"\0" * 20_000, b"\xff\xfe\x00\x00" * 20_000],
    ids=["comments", "padding", "zeros", "lengths of none"],
)
def test_segments_without_end_are_refused(between: bytes) -> None:
    sound = jpeg()
    with pytest.raises(DataError, match=r"a\.jpg: damaged: more than 10,000 segments"):
        count_scans(sound[:2] + between + sound[2:], "a.jpg")


@pytest.mark.parametrize("byte", [b"\xff", b"\0", b"a"])
def test_padding_to_the_end_of_the_file_is_refused(byte: bytes) -> None:
    with pytest.raises(DataError, match=r"a\.jpg: damaged: more than 10,000 segments"):
        decode(jpeg()[:20] + byte * (1 << 24), "a.jpg")


def test_a_file_of_the_most_and_largest_segments_is_followed() -> None:
    note = b"\xff\xfe" + struct.pack(">H", 65_535) + bytes(65_533)
    sound = jpeg()
    assert decode(sound[:2] + note * 2000 + sound[2:], "a.jpg").size == (40, 40)


@pytest.mark.parametrize("end", [3, 4, 5, 20, 300])
def test_a_file_cut_off_ends_the_count(end: int) -> None:
    assert count_scans(jpeg()[:end], "a.jpg") == 0
