"""The reader of shards: the manifest, and the arrays that it speaks of, each of which is looked at to the last byte."""

import json
import tempfile
from functools import cache
from pathlib import Path

import numpy as np

from byhand.data import sharding
from byhand.data.manifest import open_shards
from byhand.data.sharding import Choices
from byhand.data.streams import of_memory
from tests.fuzz import bombs
from tests.fuzz.judge import Reader
from tests.fuzz.read_data import IMAGES, LABELS, content_of, put

__all__ = ["READERS"]

_SHARD = "train-00000.images.npy"


@cache
def made() -> dict[str, bytes]:
    """The files of a folder of shards: 6, 3 and 3 images."""
    with tempfile.TemporaryDirectory() as name:
        sharding.shard("test", of_memory([], content_of().raw), Path(name), Choices(), None, lambda _what, _rows: None)
        return {file.name: file.read_bytes() for file in Path(name).iterdir()}


def check(folder: Path, name: str, content: bytes) -> None:
    for other, sound in made().items():
        put(folder / other, sound)
    put(folder / name, content)
    data = open_shards(str(folder), folder)
    for part, first in ((data.train, 0), (data.valid, 6), (data.test, 9)):
        part.check()
        images, labels = part.rows(0, 99)
        order = np.argsort(images.reshape(len(images), -1)[:, 0]) if first == 0 else np.arange(3)
        like = np.argsort(IMAGES[:6].reshape(6, -1)[:, 0]) if first == 0 else np.arange(first, first + 3)
        assert np.array_equal(images[order], IMAGES[like])
        assert np.array_equal(labels[order], LABELS[like])
        assert part.classes == ("a", "b", "ü")


READERS = (
    Reader(
        "shards.json",
        (made()["shards.json"], json.dumps(json.loads(made()["shards.json"])).encode()),
        lambda folder, content: check(folder, "shards.json", content),
        128 << 20,
        words=(b"train-00000", b"../x", b"[]", b"{}", b'"rows": 6', b"null", b'"sha256"'),
        bombs=bombs.json_texts,
    ),
    Reader(
        "shards-array",
        (made()[_SHARD],),
        lambda folder, content: check(folder, _SHARD, content),
        128 << 20,
        128,
        words=(b"(6, 3, 3)", b"(2**40, 3, 3)", b"'|O'", b"True"),
        bombs=bombs.npy_headers,
    ),
)
