"""One picture file, read with suspicion: only PNG and JPEG, judged by content, the size known before decoding.

Pillow decodes. What stands around it here makes sure that nothing else is decoded (an allow-list of two formats), that
a small file cannot ask for all the memory, that a truncated file is an error and not a half-black picture, and that
every fault is one line with the file's name.
"""

import io
import os
import stat
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from byhand.data.files import os_fault
from byhand.data.jpeg import SIGNATURE as _JPEG
from byhand.data.jpeg import count_scans
from byhand.data.png import SIGNATURE, check_pixels, pixel_blocks
from byhand.errors import DataError
from byhand.text import brief, one_line

MAX_PIXELS = 64_000_000  # above any phone's camera in its usual mode, below Pillow's own limit of 89 million
MAX_PICTURE = 128 * 2**20  # bytes of a file
MAX_WORK = 16 * MAX_PIXELS  # scans of a JPEG times pixels: each goes over all of them; progressive ones have about ten

_OTHERS = (  # what people rename to .png, so that the message can say what the file is
    (0, b"GIF8", "a GIF"),
    (0, b"BM", "a BMP"),
    (0, b"II*\x00", "a TIFF"),
    (0, b"MM\x00*", "a TIFF"),
    (8, b"WEBP", "a WebP"),
    (4, b"ftyp", "a HEIC, AVIF or video"),
    (0, b"%PDF", "a PDF"),
    (0, b"<", "an SVG, HTML or XML"),
    (0, b"PK\x03\x04", "a ZIP"),
    (0, b"\x1f\x8b", "a gzip"),
)


def read_bytes(path: str | Path) -> bytes:
    """The bytes of a regular file of at most 128 MiB.

    Raises:
        DataError: the file is missing, may not be read, is a pipe or device, or is too large.
    """
    # Without O_NONBLOCK, opening a pipe that somebody left in the folder would wait for ever.
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        handle = os.open(path, flags)
    except OSError as error:
        raise os_fault(Path(path), error) from error
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise DataError(f"{one_line(path)}: is not a file; give a PNG or JPEG picture")
        size = status.st_size
        if size > MAX_PICTURE:
            raise DataError(
                f"{one_line(path)}: {size:,} bytes, more than the {MAX_PICTURE:,} that a picture may have; shrink it"
            )
        data = os.read(handle, size)
        while len(data) < size and (more := os.read(handle, size - len(data))):
            data += more
    except OSError as error:
        raise os_fault(Path(path), error) from error
    finally:
        os.close(handle)
    return data


def decode(data: bytes, name: str | Path) -> Image.Image:
    """The picture in ``data``, loaded, and turned as its EXIF orientation says; ``name`` is for the messages.

    Raises:
        DataError: not PNG or JPEG, truncated, damaged, more than 64 million pixels, or too many scans of them.
    """
    if not data.startswith((SIGNATURE, _JPEG)):
        what = next((what for at, magic, what in _OTHERS if data[at : at + len(magic)] == magic), None)
        kind = f"{what} file" if what else "no picture" if data else "empty"
        raise DataError(f"{one_line(name)}: {kind}, not PNG or JPEG; save it as PNG, or move it away")
    blocks = pixel_blocks(data, name) if data.startswith(SIGNATURE) else []
    scans = count_scans(data, name) if data.startswith(_JPEG) else 0
    try:
        # Pillow warns about odd metadata; the picture is either usable or an error, so there is nothing to say.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as image:
                width, height = image.size
                if not 0 < width * height <= MAX_PIXELS:
                    raise DataError(
                        f"{one_line(name)}: says that it has {width:,}×{height:,} pixels, "
                        f"more than the {MAX_PIXELS:,} that byhand opens; shrink it"
                    )
                if scans * width * height > MAX_WORK:
                    raise DataError(
                        f"{one_line(name)}: draws its {width:,}×{height:,} pixels {scans:,} times over, more often "
                        "than byhand follows; save it anew"
                    )
                if blocks:
                    check_pixels(data, blocks, name)
                image.load()
                if data.startswith(_JPEG) and b"\xff\xd9" not in data[-65536:]:
                    raise DataError(f"{one_line(name)}: truncated: the end of the JPEG is missing; copy it again")
                return ImageOps.exif_transpose(image)
    except (DataError, KeyboardInterrupt):
        raise
    except Exception as error:  # a damaged file makes Pillow raise a dozen kinds: SyntaxError, struct.error, ...
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(
            f"{one_line(name)}: damaged or truncated picture ({brief(reason, 80)}); copy it again"
        ) from error


def read_picture(path: str | Path) -> Image.Image:
    """The picture in a PNG or JPEG file, in Pillow's own mode, turned upright.

    Raises:
        DataError: as :func:`read_bytes` and :func:`decode`.
    """
    return decode(read_bytes(path), path)


def has_alpha(image: Image.Image) -> bool:
    """Whether the picture can be transparent somewhere."""
    return image.mode in {"LA", "La", "PA", "RGBA", "RGBa"} or "transparency" in image.info


def on_white(image: Image.Image) -> Image.Image:
    """The picture as it looks on white paper, in mode RGB: ``alpha·pixel + (1 - alpha)·255``."""
    if not has_alpha(image):
        return image.convert("RGB")
    over = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", over.size, "white"), over).convert("RGB")


def to_grey(image: Image.Image, name: str | Path, grayscale: bool = False) -> NDArray[np.uint8]:
    """The picture as one grey value 0..255 a pixel: exact, or only because ``grayscale`` allows it.

    Exact without being asked: grey of 1, 2, 4 or 8 bits; 16 bits where every value is 257 times an 8-bit one; a palette
    of greys; an alpha channel that is opaque everywhere. With ``grayscale=True`` colours become
    L = 0.299 R + 0.587 G + 0.114 B (ITU-R 601), 16 bits are rounded to 8, and transparency is laid on white.

    Raises:
        DataError: the conversion would lose something and ``grayscale`` is False.
    """
    if image.mode.startswith(("I", "F")):
        return _from_16_bits(np.asarray(image), name, grayscale)
    if image.mode in {"1", "L"} and not has_alpha(image):
        return np.asarray(image.convert("L"))
    if has_alpha(image) and not grayscale and image.convert("RGBA").getchannel("A").getextrema()[0] != 255:
        raise DataError(f"{one_line(name)}: partly transparent; pass grayscale=True (--grayscale) to lay it on white")
    flat = on_white(image)
    if not grayscale and (image.mode not in {"1", "L", "LA", "La", "P", "PA"} or not _is_grey(flat)):
        raise DataError(
            f"{one_line(name)}: has colours ({image.mode}); pass grayscale=True (--grayscale) to make it grey"
        )
    return np.asarray(flat.convert("L"))


def resized(grey: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """A grey picture (h, w) made (H, W).

    Pillow's bilinear spans a shrunken pixel's whole footprint (antialiased) and, unlike Lanczos, never overshoots.
    """
    if grey.shape == shape:
        return grey
    height, width = shape
    return np.asarray(Image.fromarray(grey).resize((width, height), Image.Resampling.BILINEAR))


def _is_grey(image: Image.Image) -> bool:
    pixels = np.asarray(image)  # (H, W, 3)
    return bool((pixels[..., :1] == pixels).all())


def _from_16_bits(values: NDArray[Any], name: str | Path, grayscale: bool) -> NDArray[np.uint8]:
    if (values % 257 != 0).any() and not grayscale:
        raise DataError(f"{one_line(name)}: 16 bits a pixel; pass grayscale=True (--grayscale) to round them to 8")
    return np.clip(np.rint(values / 257), 0, 255).astype(np.uint8)
