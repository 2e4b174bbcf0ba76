"""What lies at a path: in which format, and how that is read, all of it into memory or as a stream."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from byhand.data.dataset import Raw
from byhand.data.files import faults
from byhand.data.folder import folder_rows, list_images, read_image_folder
from byhand.data.idx import find_idx_folder, idx_files, idx_parts, read_idx_folder
from byhand.data.npz import read_npz
from byhand.data.parquet.read import find_parquet, parquet_classes, parquet_rows, read_parquet
from byhand.data.streams import Stream, from_row, of_memory
from byhand.data.table import find_tables, read_csv, read_tables, table_rows
from byhand.errors import DataError
from byhand.text import one_line

FORMATS: Final = (
    "a folder of IDX files, a folder of images (a sub-folder a class), a .csv, .npz or .parquet file, "
    "a folder with train.csv or train-….parquet, or one of shards"
)
"""What ``find_format`` knows, and shards, for messages."""


class Format(NamedTuple):
    """How a source is read; nothing of it is yet."""

    files: list[Path]  # that it depends on; a folder stands for everything below it
    settings: dict[str, object]  # the reader's name and options
    read: Callable[[], Raw]
    stream: Callable[[], Stream]


def find_format(path: Path, size: int | None, grayscale: bool) -> Format:
    """The format of a file or a folder, by its name and what it holds, with image files made as ``load`` says.

    Raises:
        DataError: the path cannot be looked into, or is no source of images.
    """
    with faults(path):
        if path.is_dir():
            return _of_folder(path, size, grayscale)
        path.stat()
    kind = path.suffix.lower()
    if kind == ".csv":
        return Format([path], _settings(kind), partial(read_csv, path), partial(_stream_tables, {"train": path}))
    if kind == ".npz":
        return Format([path], _settings(kind), partial(read_npz, path), lambda: of_memory([path], read_npz(path)))
    if kind == ".parquet":
        return _parquet(path, {"train": [path]}, size, grayscale)
    raise DataError(f"{one_line(path)}: is no source of images; give {FORMATS}")


def _of_folder(path: Path, size: int | None, grayscale: bool) -> Format:
    folder = find_idx_folder(path)
    if folder is not None:
        files = idx_files(folder)
        return Format(
            files, _settings("idx"), partial(read_idx_folder, folder), lambda: Stream(files, idx_parts(folder), None)
        )
    tables = find_tables(path)
    if tables is not None:
        found = {name: file for name, file in zip(("train", "test"), tables, strict=True) if file is not None}
        return Format(
            list(found.values()), _settings("tables"), partial(read_tables, path), partial(_stream_tables, found)
        )
    parts = find_parquet(path)
    if parts is not None:
        return _parquet(path, parts, size, grayscale)
    return Format(
        [path],
        _settings("images", size=size, grayscale=grayscale),
        partial(read_image_folder, path, size, grayscale),
        partial(_stream_images, path, size, grayscale),
    )


def _parquet(path: Path, parts: dict[str, list[Path]], size: int | None, grayscale: bool) -> Format:
    files = [file for some in parts.values() for file in some]

    def stream() -> Stream:
        rows = {name: from_row(partial(parquet_rows, some, size, grayscale)) for name, some in parts.items()}
        return Stream(files, rows, parquet_classes(parts["train"][0]))

    settings = _settings("parquet", size=size, grayscale=grayscale)
    return Format(files, settings, partial(read_parquet, path, size, grayscale), stream)


def _stream_tables(tables: dict[str, Path]) -> Stream:
    rows = {name: from_row(partial(table_rows, file)) for name, file in tables.items()}
    return Stream(list(tables.values()), rows, None)


def _stream_images(path: Path, size: int | None, grayscale: bool) -> Stream:
    tree = list_images(path)
    rows = {name: partial(folder_rows, classes, size, grayscale) for name, classes in tree.parts.items()}
    return Stream([path], rows, tree.classes)


def _settings(reader: str, **options: object) -> dict[str, object]:
    return {"reader": reader, "version": 1, **options}
