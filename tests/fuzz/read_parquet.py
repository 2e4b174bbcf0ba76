"""The reader of Parquet, beside pyarrow's own reading of the whole table, with Pillow for the pictures."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from byhand.data.files import MAX_BYTES
from byhand.data.parquet.read import parquet_classes, read_parquet
from tests.fuzz import parquet_file
from tests.fuzz.judge import Reader
from tests.fuzz.read_data import IMAGES, LABELS, png, put

__all__ = ["READERS"]


def check_parquet(folder: Path, content: bytes) -> None:
    file = put(folder / "digits.parquet", content)
    found, names = read_parquet(file), parquet_classes(file)
    theirs = pq.ParquetFile(pa.BufferReader(content), pre_buffer=False)
    image = "image.bytes" if pa.types.is_struct(theirs.schema_arrow.field("image").type) else "image"
    right = theirs.read(columns=[image, "label"], use_threads=False)
    pictures, labels = right["image"].to_pylist(), right["label"].to_pylist()
    assert len(pictures) == len(found.train.images)
    for picture, pixels in zip(pictures, found.train.images, strict=True):
        with Image.open(io.BytesIO(picture["bytes"] if isinstance(picture, dict) else picture)) as opened:
            assert np.array_equal(pixels, np.asarray(opened.convert("L")))
    numbers = sorted(set(labels))
    if names is not None:
        copy = (theirs.schema_arrow.metadata or {}).get(b"huggingface") or theirs.metadata.metadata[b"huggingface"]
        numbers = range(len(names))
        assert list(names) == json.loads(copy)["info"]["features"]["label"]["names"]
    assert found.classes == (names or tuple(map(str, numbers)))
    assert [numbers[label] for label in found.train.labels.tolist()] == labels


def written(hub: bool = True, plain: bool = False, **options: Any) -> bytes:
    """As pyarrow writes it, with the metadata of Hugging Face or without, the pictures in a structure or not."""
    pictures = [png(image) for image in IMAGES]
    column = pa.array(pictures if plain else [{"bytes": data, "path": None} for data in pictures])
    table = pa.table({"image": column, "label": pa.array(LABELS, pa.int64())})
    file = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(parquet_file.hub("abü") if hub else None), file, **options)
    return file.getvalue()


_WORDS = (b"PAR1", b"PARE", b"image", b"label", b"bytes", b"path", b"huggingface", b"ClassLabel", b"ARROW:schema")
_THRIFT = (b"\x15\x00", b"\x15\xfe\xff\xff\xff\x0f", b"\x16\x80\x80\x80\x80\x10", b"\x19\xfc", b"\x1c", b"\x00\x00")

READERS = (
    Reader(
        "parquet",
        (
            parquet_file.sound(IMAGES, LABELS, "abü"),
            written(),
            written(plain=True, compression="zstd", data_page_version="2.0", row_group_size=7),
            written(hub=False, write_page_checksum=True, compression="gzip", store_schema=False),
        ),
        check_parquet,
        MAX_BYTES,
        12,
        (*_WORDS, *_THRIFT),
        bombs=parquet_file.bombs,
    ),
)
