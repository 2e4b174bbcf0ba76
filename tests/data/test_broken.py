"""Thousands of broken files. Each is refused in one line that names it, and leaves nothing in the cache."""

import gzip
import random
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from byhand.data import cache
from byhand.data.load import load
from byhand.errors import DataError

_IMAGES = (np.arange(12 * 9, dtype=np.uint8) * 37).reshape(12, 3, 3)
_LABELS = np.arange(12) % 3


class Case(NamedTuple):
    """A sound source, the file in it that is broken, and what the file is overwritten with."""

    source: Path
    file: Path
    contents: Iterator[bytes]


def _cuts(sound: bytes) -> Iterator[bytes]:
    return (sound[:length] for length in range(len(sound)))


def _flips(sound: bytes, masks: tuple[int, ...] = (0x01, 0x80, 0xFF)) -> Iterator[bytes]:
    for at in range(len(sound)):
        for mask in masks:
            yield sound[:at] + bytes([sound[at] ^ mask]) + sound[at + 1 :]


def _other_bytes(sound: bytes, places: range, step: int) -> Iterator[bytes]:
    for at in places:
        for value in range(at % step, 256, step):
            if value != sound[at]:
                yield sound[:at] + bytes([value]) + sound[at + 1 :]


def _longer(sound: bytes) -> Iterator[bytes]:
    return (sound + tail for tail in (b"\0", b"\n\n", b"PK", sound[:1], sound, bytes(5000)))


def _noise(count: int, head: bytes = b"") -> Iterator[bytes]:
    rng = random.Random(7)  # noqa: S311
    return (head + rng.randbytes(rng.randrange(300)) for _ in range(count))


def _idx(write, folder: Path, step: int) -> Iterator[Case]:
    source = write.idx_folder(folder / "idx", _IMAGES, _LABELS)
    for file, head in ((source / "train-images-idx3-ubyte", 16), (source / "train-labels-idx1-ubyte", 8)):
        sound = file.read_bytes()
        broken = chain(_cuts(sound), _longer(sound), _other_bytes(sound, range(head), step), _noise(100, sound[:3]))
        # 09, int8, is another type that says the same of these labels.
        yield Case(source, file, (content for content in broken if content[2:3] != b"\x09"))
    source = write.idx_folder(folder / "gz", _IMAGES, _LABELS, gz=True)
    for file in source.iterdir():
        sound = file.read_bytes()
        yield Case(source, file, chain(_cuts(sound), _longer(sound), _flips(sound), _noise(50, sound[:10])))
        twice = gzip.compress(gzip.decompress(sound) * 2)
        yield Case(source, file, iter([twice, sound + sound, gzip.compress(sound)]))


def _csv(write, folder: Path) -> Iterator[Case]:
    file = folder / "table.csv"
    images, labels = _IMAGES[:6, :2, :2], _LABELS[:6]
    for header in (True, False):
        sound = write.csv(images, labels, header)
        file.write_bytes(sound)
        fields = [
            b'"',
            b"'",
            b" ",
            b"-",
            b"+",
            b".",
            b"e",
            b"x",
            b",",
            b"\n",
            b"\r",
            b"\t",
            b"\0",
            b"\xd9\xa3",
            b"\xff",
        ]
        fields += [b"\xef\xbb\xbf", b"1e3", b"nan", b"0000", b"999", b";", b"#", b"\x0b", b"\xc2\xa0"]
        body = sound.index(b"\n") + 1 if header else 0
        inserted = (sound[:at] + field + sound[at:] for at in range(body, len(sound)) for field in fields)
        marks = [at for at, byte in enumerate(sound) if byte in b",\n"][:-1]
        merged = (sound[:at] + sound[at + 1 :] for at in marks)
        swapped = (sound[:at] + field + sound[at + 1 :] for at in marks for field in (b";", b" ", b"\t", b"\r", b"\0"))
        first = sound.index(b"\n") + 1
        ragged = (cut for cut in _cuts(sound) if cut[first:].rpartition(b"\n")[2].count(b",") in (1, 2, 3))
        yield Case(
            file, file, chain(inserted, merged, swapped, ragged, _noise(100, sound[:1]), _noise(100, b"\x1f\x8b"))
        )


def _npz(write, folder: Path) -> Iterator[Case]:
    file = folder / "digits.npz"
    for names in (("x", "y"), ("x_train", "y_train")):
        sound = write.npz(**{names[0]: _IMAGES, names[1]: _LABELS})
        file.write_bytes(sound)
        yield Case(file, file, chain(_cuts(sound), _flips(sound, (0x01, 0xFF)), _noise(100, sound[:4])))


def _png(write, folder: Path) -> Iterator[Case]:
    source = write.png_tree(folder / "png", _IMAGES, _LABELS)
    for file in (source / "0" / "0.png", source / "2" / "11.png"):
        sound = file.read_bytes()
        yield Case(source, file, chain(_cuts(sound), _flips(sound), _noise(50), _noise(50, sound[:8])))


@pytest.mark.parametrize(
    ("kind", "least"),
    [("idx", 2300), ("csv", 5000), ("npz", 2000), ("png", 800), pytest.param("full", 6000, marks=pytest.mark.full)],
)
def test_every_broken_file_is_refused(kind: str, least: int, write, tmp_path: Path, home: Path, monkeypatch) -> None:
    monkeypatch.setattr(cache, "_SETTLED", 0)  # a file that is read is cached at once, however new
    entries = home / "byhand" / "decoded"
    cases = {
        "idx": lambda: _idx(write, tmp_path, 5),
        "csv": lambda: _csv(write, tmp_path),
        "npz": lambda: _npz(write, tmp_path),
        "png": lambda: _png(write, tmp_path),
        "full": lambda: _idx(write, tmp_path, 1),
    }[kind]()
    refused = 0
    for case in cases:
        sound = case.file.read_bytes()
        expected = load(case.source).hash
        for entry in entries.iterdir():
            entry.unlink()
        for number, content in enumerate(case.contents):
            if content == sound:
                continue
            case.file.unlink()  # a file written over itself is flushed to the disk by some file systems
            case.file.write_bytes(content)
            try:
                found = load(case.source).hash
            except DataError as error:
                message = str(error)
                assert message.isprintable(), (number, message)
                assert str(tmp_path) in message, (number, message)
                assert len(message) < 600, (number, message)
                assert not list(entries.iterdir()), (number, message)
                refused += 1
            else:
                # A byte that carries no content may change (a time in a zip, a name in a header); the images may not.
                assert found == expected, (number, content)
                for entry in entries.iterdir():
                    entry.unlink()
        case.file.write_bytes(sound)
    assert refused >= least
