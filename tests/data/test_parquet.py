import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from byhand.data import columns, parquet
from byhand.data.load import load
from byhand.data.parquet import parquet_rows, read_parquet
from byhand.errors import DataError

pa = pytest.importorskip("pyarrow", reason="reading Parquet needs pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

TEN = tuple("0123456789")


def packed(image: NDArray[Any], kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind, **options)
    return file.getvalue()


def features(names: tuple[str, ...] | list[Any] | None) -> dict[str, Any]:
    """What the library datasets writes of a column of pictures and one of labels, or of numbers."""
    label = {"dtype": "int64", "_type": "Value"} if names is None else {"names": names, "_type": "ClassLabel"}
    return {"info": {"features": {"image": {"_type": "Image"}, "label": label}}}


def table(pictures: list[bytes | None], labels: Any, names: tuple[str, ...] | None = TEN) -> Any:
    """Hugging Face's layout."""
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    column = pa.array([{"bytes": data, "path": f"{row}.png"} for row, data in enumerate(pictures)], kind)
    made = pa.table({"image": column, "label": labels if isinstance(labels, pa.Array) else pa.array(labels)})
    return made.replace_schema_metadata({"huggingface": json.dumps(features(names))})


def put(file: Path, pictures: list[bytes | None], labels: Any, names: Any = TEN, **options: Any) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table(pictures, labels, names), file, **options)
    return file


def refused(file: Path, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        read_parquet(file, **options)
    assert str(caught.value).isprintable()
    assert str(file) in str(caught.value)
    return str(caught.value)


def test_the_genuine_digits_are_those_of_the_idx_files(mnist_path: Path, tmp_path: Path, write) -> None:
    whole = load(mnist_path, valid=0)
    for part, rows, count in (("train", whole.train, 3000), ("test", whole.test, 1000)):
        cuts = np.array_split(np.arange(count), 2)
        for number, cut in enumerate(cuts):
            pictures = [packed(image) for image in rows.images[cut]]
            name = f"mnist/{part}-{number:05}-of-00002.parquet"
            put(tmp_path / "hub" / name, pictures, rows.labels[cut], row_group_size=100 if number else 4000)
    test = whole.test.images[:1000], whole.test.labels[:1000]
    write.idx_folder(tmp_path / "idx", whole.train.images[:3000], whole.train.labels[:3000], test)
    found, right = load(tmp_path / "hub"), load(tmp_path / "idx")
    assert (found.hash, found.classes) == (right.hash, right.classes)
    for part in ("train", "valid", "test"):
        assert getattr(found, part).hash == getattr(right, part).hash
        np.testing.assert_array_equal(getattr(found, part).images, getattr(right, part).images)
        np.testing.assert_array_equal(getattr(found, part).labels, getattr(right, part).labels)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"use_dictionary": False},
        {"row_group_size": 7},
        {"data_page_version": "2.0", "data_page_size": 300, "write_page_checksum": True},
        {
            "use_dictionary": False,
            "column_encoding": {"image.bytes": "DELTA_BYTE_ARRAY", "label": "DELTA_BINARY_PACKED"},
        },
        {"use_dictionary": False, "column_encoding": {"image.bytes": "DELTA_LENGTH_BYTE_ARRAY"}},
        {"dictionary_pagesize_limit": 1000, "write_batch_size": 10},
        *({"compression": kind} for kind in ("none", "snappy", "gzip", "zstd", "brotli", "lz4")),
    ],
    ids=str,
)
def test_however_it_is_written(digits, tmp_path: Path, options, monkeypatch) -> None:
    images, labels = digits
    file = put(tmp_path / "digits.parquet", [packed(image) for image in images], labels, **options)
    for batch, block in ((columns._BATCH, parquet._BLOCK), (1, 1), (5000, 100)):
        monkeypatch.setattr(columns, "_BATCH", batch)
        monkeypatch.setattr(parquet, "_BLOCK", block)
        blocks = list(parquet_rows([file, file], None, False))
        assert all(0 < len(rows.labels) == len(rows.images) <= 4096 for rows in blocks)
        np.testing.assert_array_equal(np.concatenate([rows.images for rows in blocks]), np.concatenate([images] * 2))
        np.testing.assert_array_equal(np.concatenate([rows.labels for rows in blocks]), np.concatenate([labels] * 2))
    raw = read_parquet(file)
    np.testing.assert_array_equal(raw.train.images, images)
    np.testing.assert_array_equal(raw.train.labels, labels)
    assert (raw.valid, raw.test, raw.classes) == (None, None, TEN)
