"""Files of as much as their reader takes, or that unpack to a little more: twice the cap is never exceeded.

The caps of the readers of data are lowered to 64 MiB and 100,000 images, so that a child of the judge's can prove them.
"""

import gzip
import io
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from byhand.data import files, idx, npz, table
from tests.fuzz import bombs
from tests.fuzz.judge import Reader, campaign
from tests.fuzz.read_data import LABELS, npy, put
from tests.fuzz.read_data import idx as idx_of
from tests.fuzz.readers import READERS

pytestmark = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux's limits and counts")

CAP, ROWS, MEGA = 64 << 20, 100_000, 1 << 20


@pytest.fixture(autouse=True)
def _low(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (idx, npz, table):
        monkeypatch.setattr(module, "MAX_BYTES", CAP)
    monkeypatch.setattr(files, "MAX_ROWS", ROWS)


def read_pair(folder: Path, content: bytes) -> None:
    """Packed images and labels, one behind the other; the first eight bytes tell where the labels begin."""
    (at,) = struct.unpack("<Q", content[:8])
    put(folder / "train-images-idx3-ubyte.gz", content[8:at])
    put(folder / "train-labels-idx1-ubyte.gz", content[at:])
    idx.read_idx_folder(folder)


def pair(images: bytes, labels: bytes) -> bytes:
    return struct.pack("<Q", 8 + len(images)) + images + labels


def packed(*shape: int, kind: int = 8, size: int = 1) -> bytes:
    """A gzip file of zeros of that shape."""
    head = struct.pack(f">BBBB{len(shape)}I", 0, 0, kind, len(shape), *shape)
    return gzip.compress(head + bytes(size * int(np.prod(shape))), 1)


def pairs() -> Iterator[bytes]:
    few = gzip.compress(idx_of(LABELS.astype(np.uint8)))
    yield pair(packed(60, 1024, 1024), packed(60))
    yield pair(packed(60 * MEGA, 1, 1), packed(60 * MEGA))  # as many images as bytes: their labels take eight times it
    yield pair(packed(ROWS, 20, 30), packed(ROWS, kind=12, size=4))
    yield pair(packed(ROWS + 1, 1, 1), packed(ROWS + 1))
    yield pair(packed(60, 1024, 256, kind=12, size=4), few)
    yield pair(packed(60, 1024, 1024), packed(15 * MEGA, kind=12, size=4))
    yield pair(packed(60, 1024, 1024), packed(7 * MEGA, kind=14, size=8))
    yield pair(packed(1, 1, 1), packed(63 * MEGA))


def archive(images: bytes, labels: bytes) -> bytes:
    """Packed quickly: the judge holds a copy of a content, so that it has to be small."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as written:
        written.writestr("x.npy", images)
        written.writestr("y.npy", labels)
    return file.getvalue()


def archives() -> Iterator[bytes]:
    labels, large = npy(np.arange(60) % 3), (60, 1024, 1024)
    yield archive(npy(np.zeros(large, np.uint8)), labels)
    yield archive(npy(np.zeros(large, np.uint8, order="F")), labels)
    yield archive(npy(np.zeros((60, 1024 * 1024), np.uint8, order="F")), labels)
    yield archive(npy(np.full((60, 1024, 256), 999, np.int32)), labels)  # all outside
    yield archive(npy(np.full((60, 1024, 512), 7, np.uint16)), labels)
    yield archive(npy(np.full((60, 1024, 512), 7, ">u2")), labels)
    yield archive(npy(np.zeros((60, 1024, 1024, 1), np.uint8)), labels)
    yield archive(npy(np.zeros((60 * MEGA, 1, 1), np.uint8)), npy(np.zeros(60 * MEGA, np.uint8)))
    yield archive(npy(np.zeros((30 * MEGA, 1, 1), np.uint8)), npy(np.zeros(30 * MEGA, np.uint8)))
    yield archive(npy(np.zeros((ROWS, 20, 30), np.uint8)), npy(np.zeros(ROWS, np.int8)))
    yield archive(npy(np.zeros((65 * MEGA, 1, 1), np.uint8)), npy(np.zeros(3, np.uint8)))
    head = npy(np.zeros(large, np.uint8))[:128]
    parts = [("x_train", head, 60 * MEGA), ("y_train", labels, 0), ("x_test", head, 60 * MEGA), ("y_test", labels, 0)]
    yield bombs.packed([
        (f"{name}.npy", bombs.zeros(size, start), size + len(start)) for name, start, size in parts
    ])  # fmt: skip


def tables() -> Iterator[bytes]:
    yield b"1,2\n" * ROWS
    yield b"1,2\n" * (ROWS + 1)
    yield b"label,a\n" + b"1,2\n" * 5 * MEGA
    yield (b",".join([b"0"] * (400 * 400 + 1)) + b"\n") * 390
    yield b"label" + b"," * 500_000 + b"\n" + b"1" + b",0" * 499_999 + b"\n"
    yield b"label,a\n" + b"\n" * 20 * MEGA
    yield b"label,a\n" + b"1" * 60 * MEGA


@pytest.mark.full
@pytest.mark.parametrize("line", [b"x = 1\n", b"f(a, b)\n", b"a;", b"[1, 2]\n"])
@pytest.mark.parametrize("name", ["script", "cell", "class"])
def test_a_program_of_the_most_characters_that_ends_in_a_fault(name: str, line: bytes, quick_folder: Path) -> None:
    most = 1 << 19 if name == "cell" else 1 << 20
    content = line * (most // len(line) - 2) + b"(\n"
    report = campaign(READERS[name], quick_folder, lambda: [content])
    assert (report.faults, report.outcomes["right"], report.count) == ([], 0, 1)
    assert report.peak <= 2 * READERS[name].cap


@pytest.mark.parametrize(
    ("read", "contents", "right", "beside"),  # bytes of the pieces in which it reads, and of the interpreter's own
    [
        (read_pair, pairs, 2, 16 << 20),
        (lambda folder, content: npz.read_npz(put(folder / "a.npz", content)), archives, 7, 16 << 20),
        (lambda folder, content: table.read_csv(put(folder / "a.csv", content)), tables, 2, 96 << 20),
    ],
    ids=["idx", "npz", "csv"],
)
def test_twice_the_cap_is_enough(
    read: Callable[[Path, bytes], None],
    contents: Callable[[], Iterator[bytes]],
    right: int,
    beside: int,
    quick_folder: Path,
) -> None:
    made = list(contents())
    for content in made:
        report = campaign(Reader("caps", (), read, CAP), quick_folder, lambda content=content: [content])
        assert [(what, content[:60]) for content, what in report.faults] == []
        assert report.peak <= 2 * CAP + beside, report.outcomes
        right -= report.outcomes["right"]
    assert right == 0
