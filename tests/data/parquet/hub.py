"""Hugging Face's files of pictures, as the library datasets writes them."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from numpy.typing import NDArray
from PIL import Image

from byhand.data.parquet.read import read_parquet
from byhand.errors import DataError

__all__ = ["TEN", "features", "packed", "put", "refused", "table"]

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
