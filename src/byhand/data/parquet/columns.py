"""A Parquet file of pictures and labels, opened with suspicion: two columns, the names of the classes, batches of rows.

Pyarrow unpacks. What stands around it here makes sure that a file of other columns is refused before it is read, that
memory does not depend on how long the file is or says it is, and that whatever pyarrow says is one line.
"""

import importlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from byhand.data.files import open_file
from byhand.data.parquet.pages import MAX_FOOTER, longest_page
from byhand.data.picture import MAX_PICTURE
from byhand.errors import DataError
from byhand.json_text import parsed
from byhand.text import brief, one_line

__all__ = ["Columns", "batches", "opened"]

_MAX_ROWS: Final = 4096  # of a batch
_BATCH: Final = 2**28  # bytes that the values of a batch may take, were each as long as the longest page
_BUFFER: Final = 2**20  # bytes of a column that are read from the disk at once


class Columns(NamedTuple):
    """An open file whose columns are what they should be."""

    path: Path
    file: BinaryIO
    parquet: Any  # pyarrow.parquet.ParquetFile
    image: str  # the path of the column of pictures
    classes: tuple[str, ...] | None  # the names in the metadata
    rows: int


@contextmanager
def opened(path: Path) -> Generator[Columns]:
    """Opens a file and looks at its columns; what pyarrow says of it, then and until it is closed, is one line.

    Raises:
        DataError: pyarrow is not installed; the file is no sound Parquet file, or its columns are others.
    """
    try:
        pa = cast("Any", importlib.import_module("pyarrow"))
        pq = cast("Any", importlib.import_module("pyarrow.parquet"))
    except ImportError as error:
        raise DataError(f'{one_line(path)}: reading Parquet needs pyarrow; pip install "byhand[parquet]"') from error
    with open_file(path) as file:
        start, size = file.read(4), file.seek(0, 2)
        file.seek(max(0, size - 8))
        end = file.read(8)
        if size < 12 or start != b"PAR1" or end[4:] != b"PAR1":
            what = "end" if start == b"PAR1" else "start"
            raise DataError(f"{one_line(path)}: does not {what} as a Parquet file does (PAR1); get it again")
        footer, most = int.from_bytes(end[:4], "little"), min(MAX_FOOTER, size - 12)
        if footer > most:
            raise DataError(
                f"{one_line(path)}: declares a footer of {footer:,} bytes, more than {most:,}; get it again, or write "
                "it with larger row groups"
            )
        try:
            # Without a buffer a whole column of a row group is read at once, and with pre_buffer the whole file.
            parquet = pq.ParquetFile(
                pa.PythonFile(file, mode="r"), pre_buffer=False, buffer_size=_BUFFER, page_checksum_verification=True
            )
            image = _image_column(path, pa, parquet.schema_arrow)
            rows = int(parquet.metadata.num_rows)
            if not 0 <= rows <= size:  # a picture takes more than a byte
                raise DataError(f"{one_line(path)}: damaged: declares {rows:,} rows in {size:,} bytes; get it again")
            classes = _names(path, parquet.metadata.metadata, parquet.schema_arrow.metadata)
            yield Columns(path, file, parquet, image, classes, rows)
        except (pa.ArrowException, OSError, ValueError, LookupError, ArithmeticError) as error:
            if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno):
                raise  # the machine's fault, not the file's
            what = " ".join(str(error).split()) or type(error).__name__
            raise DataError(f"{one_line(path)}: is no sound Parquet file ({brief(what)}); get it again") from error


def batches(source: Columns) -> Iterator[tuple[list[bytes], NDArray[np.int64]]]:
    """The bytes of the pictures and the labels (n,), of 1 to 4096 rows at a time, in order.

    The values of a batch take at most 256 MiB, or are one row: none is longer than the longest page. Labels are as they
    stand in the file.

    Raises:
        DataError: a page declares what is not there; a row has no picture or no label; a label has no name where the
            file has names.
    """
    columns = [source.image, "label"]
    longest = longest_page(source.path, source.file, [_place(source, name) for name in columns])
    count = min(_MAX_ROWS, max(1, _BATCH // longest))
    row = 0
    for batch in source.parquet.iter_batches(count, columns=columns, use_threads=False):
        pictures, labels = _pictures(source, batch, row), _labels(source, batch, row)
        row += len(labels)
        yield pictures, labels
    if row != source.rows:
        raise DataError(f"{one_line(source.path)}: ends after {row:,} of {source.rows:,} rows; get the file again")


def _place(source: Columns, name: str) -> int:
    """The place of a column in the schema, where one that lies in another counts by itself."""
    schema = source.parquet.metadata.schema
    paths = [str(schema.column(number).path) for number in range(len(schema))]
    places = [place for place, path in enumerate(paths) if f"{path}.".startswith(f"{name}.")]
    if len(places) != 1:  # pyarrow would read them all
        raise DataError(f"{one_line(source.path)}: holds {len(places)} columns {name}; save the file with one")
    return places[0]


def _pictures(source: Columns, batch: Any, row: int) -> list[bytes]:
    column = batch.column("image")
    if source.image != "image":
        column = column.flatten()[0]  # unlike its field, it is missing where the whole structure is
    pictures: list[bytes | None] = column.to_pylist()
    for number, data in enumerate(pictures, row + 1):
        if data is None or len(data) > MAX_PICTURE:
            what = "holds no bytes of a picture" if data is None else f"holds more than {MAX_PICTURE:,} bytes"
            raise DataError(f"{one_line(source.path)}, row {number}: {what}; save the pictures in the file, as PNG")
    return cast("list[bytes]", pictures)


def _labels(source: Columns, batch: Any, row: int) -> NDArray[np.int64]:
    column = batch.column("label")
    if column.null_count:
        number = row + column.is_null().to_pylist().index(True) + 1
        raise DataError(f"{one_line(source.path)}, row {number}: has no label; give it one, or leave the row out")
    values: NDArray[Any] = column.to_numpy(zero_copy_only=False)
    labels = values.astype(np.int64)  # (n,); what uint64 holds beyond int64 becomes negative, and is refused
    if source.classes is not None:
        outside = np.flatnonzero((labels < 0) | (labels >= len(source.classes)))
        if outside.size:
            raise DataError(
                f"{one_line(source.path)}, row {row + int(outside[0]) + 1}: label {values[outside[0]]} is outside the "
                f"{len(source.classes):,} names of classes; check the labels"
            )
    return labels


def _image_column(path: Path, pa: Any, schema: Any) -> str:
    """The path of the column of pictures, after a look at the types of both columns."""
    fields = {str(field.name): field.type for field in schema}
    kind, label, image = fields.get("image"), fields.get("label"), "image"
    if kind is not None and pa.types.is_struct(kind):
        inner = [kind.field(number) for number in range(kind.num_fields) if kind.field(number).name == "bytes"]
        kind, image = inner[0].type if len(inner) == 1 else None, "image.bytes"
    binary = kind is not None and (pa.types.is_binary(kind) or pa.types.is_large_binary(kind))
    if not binary or label is None or not pa.types.is_integer(label) or len(fields) != len(schema):
        held = ", ".join(f"{field.name}: {field.type}" for field in schema) or "none"
        raise DataError(
            f"{one_line(path)}: its columns are {brief(held, 300)}; needed: image, the bytes of PNG or JPEG pictures "
            "(struct<bytes: binary, …> or binary), and label (integers)"
        )
    return image


def _names(path: Path, *copies: dict[bytes, bytes] | None) -> tuple[str, ...] | None:
    """The names of the classes that Hugging Face's metadata, which may stand there twice, give to the labels."""
    texts = {text for copy in copies if (text := (copy or {}).get(b"huggingface")) is not None}
    if not texts:
        return None
    try:
        if len(texts) > 1:
            raise ValueError("they stand there twice, and differ")
        about: Any = parsed(texts.pop())
        for key in ("info", "features", "label"):
            about = cast("dict[str, Any]", about).get(key) if isinstance(about, dict) else None
        if not isinstance(about, dict) or cast("dict[str, Any]", about).get("_type") != "ClassLabel":
            return None
        names: Any = cast("dict[str, Any]", about).get("names")
        names = cast("list[Any]", names) if isinstance(names, list) else []
        given = [name for name in names if isinstance(name, str)]
        if not given or len(set(given)) != len(names):
            raise ValueError("they are no list of different texts")
        "".join(given).encode()  # half a character of two, which JSON can hold, has no bytes
    except ValueError as error:
        what = brief(" ".join(str(error).split()), 80)
        raise DataError(
            f"{one_line(path)}: the names of the classes in its metadata are damaged ({what}); get the file again"
        ) from error
    return tuple(given)
