import contextlib
import io
import math
import os
import re
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from byhand.data.picture import MAX_PICTURE, decode, on_white, read_picture, to_grey
from byhand.data.png import SIGNATURE, plain_grey
from byhand.errors import DataError

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (28, 28), np.uint8)
COLOUR = RNG.integers(0, 256, (28, 28, 3), np.uint8)


def encoded(array, kind="PNG", **settings):
    out = io.BytesIO()
    Image.fromarray(array).save(out, kind, **settings)
    return out.getvalue()


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(rows, width, height, depth=8, colour=0, extra=b"", interlace=0, level=6):
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    body = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(rows, level)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def filtered(image, kinds):
    """The rows of a grey PNG, each with the filter of its kind, written after the PNG specification, section 9."""
    rows = b""
    above = np.zeros(image.shape[1], np.int64)
    for line, kind in zip(image.astype(np.int64), kinds, strict=True):
        left, corner = np.r_[0, line[:-1]], np.r_[0, above[:-1]]
        guess = left + above - corner
        distance = np.abs(np.stack([guess - left, guess - above, guess - corner]))
        paeth = np.choose(distance.argmin(0), [left, above, corner])
        predicted = [0 * line, left, above, (left + above) // 2, paeth][kind]
        rows += bytes([kind]) + ((line - predicted) % 256).astype(np.uint8).tobytes()
        above = line
    return rows


def assert_one_line(error, name):
    text = str(error.value)
    assert "\n" not in text
    assert text.startswith(name)
    assert "; " in text, "a message says what to do"


@given(
    image=arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12))),
    data=st.data(),
)
@settings(max_examples=100, deadline=None)
def test_the_quick_way_reads_every_filter_as_written(image, data):
    height, width = image.shape
    kinds = data.draw(st.lists(st.integers(0, 4), min_size=height, max_size=height))
    file = png(filtered(image, kinds), width, height)
    assert plain_grey(file, Image.new("L", (width, height))) == image.tobytes()
    assert np.array_equal(to_grey(decode(file, "a.png"), "a.png"), image)


def test_the_quick_way_is_taken_by_pillows_own_files_and_only_by_plain_ones():
    canvas = Image.new("L", (28, 28))
    assert plain_grey(encoded(GREY), canvas) == GREY.tobytes()
    assert plain_grey(encoded(GREY), Image.new("L", (28, 27))) is None
    for other in (
        encoded(COLOUR),
        encoded(GREY, "JPEG"),
        encoded(GREY, transparency=0),
        encoded(GREY) + b"\0",
        b"",
        png(filtered(GREY, [0] * 28), 28, 28, interlace=1),
        png(filtered(GREY[:20], [0] * 20), 28, 28),
        png(b"\x09" * 29 * 28, 28, 28),
    ):
        assert plain_grey(other, canvas) is None


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_grey_of_few_bits_is_spread_over_0_to_255(depth):
    values = np.arange(2**depth)
    packed = np.packbits(((values[:, None] >> np.arange(depth)[::-1]) & 1).astype(np.uint8).ravel())
    image = decode(png(b"\0" + packed.tobytes(), len(values), 1, depth=depth), "a.png")
    assert np.array_equal(to_grey(image, "a.png"), [values * 255 // (2**depth - 1)])


def test_sixteen_bits_are_exact_or_an_error():
    exact = GREY.astype(np.uint16) * 257
    assert np.array_equal(to_grey(decode(encoded(exact), "a.png"), "a.png"), GREY)
    other = exact.copy()
    other[3, 4] ^= 1
    with pytest.raises(DataError, match="16 bits a pixel; pass grayscale=True"):
        to_grey(decode(encoded(other), "a.png"), "a.png")
    assert np.array_equal(to_grey(decode(encoded(other), "a.png"), "a.png", grayscale=True), np.rint(other / 257))


def test_a_palette_of_greys_is_exact_and_one_of_colours_needs_the_option(tmp_path):
    image = Image.fromarray(GREY).quantize(256)
    image.save(tmp_path / "grey.png")
    assert np.array_equal(to_grey(read_picture(tmp_path / "grey.png"), "grey.png"), GREY)
    Image.fromarray(COLOUR).quantize(16).save(tmp_path / "colour.png")
    with pytest.raises(DataError, match=r"has colours \(P\); pass grayscale=True \(--grayscale\)"):
        to_grey(read_picture(tmp_path / "colour.png"), "colour.png")


def test_transparency_is_dropped_where_opaque_and_laid_on_white_when_asked():
    opaque = np.dstack([GREY, np.full_like(GREY, 255)])
    assert np.array_equal(to_grey(decode(encoded(opaque), "a.png"), "a.png"), GREY)
    alpha = RNG.integers(0, 256, GREY.shape, np.uint8)
    veiled = decode(encoded(np.dstack([GREY, alpha])), "a.png")
    with pytest.raises(DataError, match="partly transparent; pass grayscale=True"):
        to_grey(veiled, "a.png")
    expected = (GREY * (alpha / 255) + 255 * (1 - alpha / 255)).round()
    assert np.abs(to_grey(veiled, "a.png", grayscale=True) - expected).max() <= 1
    keyed = decode(encoded(GREY, transparency=int(GREY[0, 0])), "a.png")  # tRNS: one grey is transparent
    assert to_grey(keyed, "a.png", grayscale=True)[0, 0] == 255


def test_colours_become_the_luminance_of_itu_r_601():
    expected = COLOUR @ [0.299, 0.587, 0.114]
    assert np.abs(to_grey(decode(encoded(COLOUR), "a.png"), "a.png", grayscale=True) - expected).max() <= 1
    with pytest.raises(DataError, match=r"has colours \(RGB\)"):
        to_grey(decode(encoded(COLOUR), "a.png"), "a.png")
    cmyk = io.BytesIO()
    Image.new("CMYK", (4, 4), (0, 0, 0, 255)).save(cmyk, "JPEG")
    assert to_grey(decode(cmyk.getvalue(), "a.jpg"), "a.jpg", grayscale=True).max() < 10


def test_white_paper_lies_under_a_transparent_picture():
    image = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    image.putpixel((0, 0), (10, 20, 30, 255))
    assert on_white(image).tobytes() == bytes([10, 20, 30, 255, 255, 255])


def test_a_phones_orientation_is_undone():
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera lay on its right side: turn by 90° clockwise
    wide = np.zeros((8, 16), np.uint8)
    wide[0, 0] = 255
    turned = decode(encoded(wide, "PNG", exif=exif), "a.png")
    assert turned.size == (8, 16)
    assert np.array_equal(np.asarray(turned), np.rot90(wide, -1))


def test_every_truncation_of_a_png_is_an_error():
    whole = encoded(GREY)
    for length in range(len(whole)):
        with pytest.raises(DataError) as error:
            decode(whole[:length], "a.png")
        assert_one_line(error, "a.png: ")
        assert plain_grey(whole[:length], Image.new("L", (28, 28))) is None


def test_every_truncation_of_a_jpeg_is_an_error():
    whole = encoded(GREY, "JPEG")
    for length in range(len(whole)):
        with pytest.raises(DataError) as error:
            decode(whole[:length], "a.jpg")
        assert_one_line(error, "a.jpg: ")


def test_every_changed_byte_of_a_png_is_noticed():
    whole = encoded(GREY[:8, :8])
    for at in range(len(whole)):
        for flip in (1, 0x80):
            broken = bytearray(whole)
            broken[at] ^= flip
            with pytest.raises(DataError) as error:
                decode(bytes(broken), "a.png")
            assert_one_line(error, "a.png: ")
            assert plain_grey(bytes(broken), Image.new("L", (8, 8))) is None


def test_a_changed_byte_of_a_jpeg_is_a_picture_or_one_line():
    whole = encoded(GREY, "JPEG")
    errors = []
    for at in range(len(whole)):
        broken = bytearray(whole)
        broken[at] ^= int(RNG.integers(1, 256))
        try:
            image = to_grey(decode(bytes(broken), "a.jpg"), "a.jpg", grayscale=True)
        except DataError as error:
            errors.append(str(error))
        else:
            assert image.size
    assert len(errors) > 20
    assert not any("\n" in error for error in errors)


@given(st.binary(max_size=200), st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0"]))
@settings(max_examples=200, deadline=None)
def test_noise_behind_a_good_beginning_is_an_error(noise, start):
    with pytest.raises(DataError):
        decode(start + noise, "a.png")


@pytest.mark.parametrize(
    ("kind", "says"), [("GIF", "a GIF"), ("BMP", "a BMP"), ("TIFF", "a TIFF"), ("WEBP", "a WebP"), ("PDF", "a PDF")]
)
def test_another_format_called_png_is_named(kind, says):
    with pytest.raises(DataError, match=rf"^a\.png: {says} file, not PNG or JPEG; save it as PNG") as error:
        decode(encoded(GREY, kind), "a.png")
    assert_one_line(error, "a.png: ")


@pytest.mark.parametrize("kind", ["PPM", "ICO", "TGA", "PCX", "SGI", "EPS", "JPEG2000", "DDS", "XBM", "MSP"])
def test_what_pillow_could_open_is_not_opened(kind):
    image = Image.fromarray(GREY).convert("1") if kind in {"XBM", "MSP"} else Image.fromarray(GREY)
    out = io.BytesIO()
    image.save(out, kind)
    with pytest.raises(DataError, match="not PNG or JPEG"):
        decode(out.getvalue(), "a.png")


@pytest.mark.parametrize(
    ("data", "says"),
    [(b"", "empty"), (b"<html>404</html>", "an SVG, HTML or XML"), (b"PK\x03\x04", "a ZIP"), (b"hello", "no picture")],
)
def test_what_is_no_picture_is_said(data, says):
    with pytest.raises(DataError, match=says):
        decode(data, "a.png")


@pytest.mark.parametrize(
    ("width", "height"),
    [(0, 5), (5, 0), (8001, 8000), (30000, 30000), (2**31 - 1, 2**31 - 1), (2**31, 1), (1, 2**32 - 1), (2**16, 2**16)],
)
@pytest.mark.parametrize("colour", [0, 2, 3, 4, 6])
@pytest.mark.parametrize("interlace", [0, 1])
def test_a_declared_size_that_is_nothing_or_huge_is_refused_before_decoding(width, height, colour, interlace):
    palette = chunk(b"PLTE", bytes(6)) if colour == 3 else b""
    with pytest.raises(DataError) as error:
        decode(png(bytes(100), width, height, colour=colour, extra=palette, interlace=interlace), "a.png")
    assert_one_line(error, "a.png: ")


def bombs():
    small = encoded(GREY[:4, :4])
    for kind, head in ((b"zTXt", b"a\0\0"), (b"iTXt", b"a\0\1\0\0\0"), (b"iCCP", b"a\0\0")):
        yield small[:33] + chunk(kind, head + zlib.compress(bytes(80_000_000), 9)) + small[33:]
    yield png(bytes(80_000_000), 28, 28, level=9)
    yield png(bytes(80_000_000), 8000, 8001, colour=6, level=9)


def test_bombs_cost_no_memory():
    for bomb in bombs():
        tracemalloc.start()
        with contextlib.suppress(DataError):
            decode(bomb, "a.png")
            plain_grey(bomb, Image.new("L", (28, 28)))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 8 * 2**20


@pytest.mark.parametrize("interlace", [0, 1])
@pytest.mark.parametrize(("colour", "depth"), [(0, 1), (0, 8), (0, 16), (2, 8), (2, 16), (4, 8), (6, 8), (6, 16)])
def test_rows_of_pixels_that_are_missing_are_noticed(colour, depth, interlace):
    width, height = 11, 9
    bits = depth * {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    passes = [(0, 0, 1, 1)]
    if interlace:
        passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    rows = b"".join(
        bytes(1 + math.ceil(len(range(x, width, dx)) * bits / 8))
        for x, y, dx, dy in passes
        for _ in range(y, height, dy)
    )
    settings = {"colour": colour, "depth": depth, "interlace": interlace}
    assert decode(png(rows, width, height, **settings), "a.png").size == (width, height)
    with pytest.raises(DataError, match="rows of pixels are missing"):
        decode(png(rows[:-1], width, height, **settings), "a.png")


def test_pixels_without_their_end_are_damaged():
    image = np.arange(9, dtype=np.uint8).reshape(3, 3)
    packed = zlib.compress(filtered(image, [0, 0, 0]))
    header = struct.pack(">IIBBBBB", 3, 3, 8, 0, 0, 0, 0)

    def with_pixels(*blocks):
        return (
            SIGNATURE + chunk(b"IHDR", header) + b"".join(chunk(b"IDAT", one) for one in blocks) + chunk(b"IEND", b"")
        )

    for blocks in ([packed], [packed[:3], packed[3:]], [*(packed[k : k + 1] for k in range(len(packed)))]):
        assert np.array_equal(np.asarray(decode(with_pixels(*blocks), "a.png")), image)
    for cut in range(len(packed)):
        with pytest.raises(DataError, match=r"^a\.png: damaged") as error:
            decode(with_pixels(packed[:cut]), "a.png")
        assert_one_line(error, "a.png")
    for at in range(len(packed) - 4, len(packed)):
        with pytest.raises(DataError, match="incorrect data check"):
            decode(with_pixels(packed[:at] + bytes([packed[at] ^ 1]) + packed[at + 1 :]), "a.png")


def test_a_picture_may_hold_a_little_more_than_its_rows_and_not_much_more():
    image = np.arange(9, dtype=np.uint8).reshape(3, 3)
    rows = filtered(image, [0, 0, 0])
    assert np.array_equal(np.asarray(decode(png(rows + bytes(60_000), 3, 3), "a.png")), image)
    with pytest.raises(DataError, match="its pixels do not end behind the last row"):
        decode(png(rows + bytes(10_000_000), 3, 3), "a.png")


def test_blocks_without_end_are_refused():
    sound = png(bytes(12), 3, 3)
    few, many = (sound[:33] + chunk(b"tEXt", b"") * count + sound[33:] for count in (1000, 100_000))
    assert decode(few, "a.png").size == (3, 3)
    with pytest.raises(DataError, match=r"a\.png: damaged: more than 100,000 blocks"):
        decode(many, "a.png")


def test_a_file_too_large_or_no_file_at_all_is_one_line(tmp_path):
    large = tmp_path / "large.png"
    with large.open("wb") as file:
        file.truncate(MAX_PICTURE + 1)  # sparse: takes no room
    for path, says in (
        (large, "a picture may have"),
        (tmp_path / "absent.png", "no such file"),
        (tmp_path, "is not a file"),
    ):
        with pytest.raises(DataError, match=re.escape(str(path)) + ".*" + says) as error:
            read_picture(path)
        assert_one_line(error, str(path))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_does_not_make_it_wait(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(DataError, match="is not a file"):
        read_picture(tmp_path / "pipe.png")


def test_a_name_with_a_line_break_stays_on_one_line(tmp_path):
    path = tmp_path / "a\nb.png"
    path.write_bytes(b"hello")
    with pytest.raises(DataError) as error:
        read_picture(path)
    assert "\n" not in str(error.value)
    assert r"a\nb.png" in str(error.value)


def test_a_path_or_its_text_are_both_taken(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "a.png")
    assert read_picture(tmp_path / "a.png").tobytes() == read_picture(str(tmp_path / "a.png")).tobytes()
