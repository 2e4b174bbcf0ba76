"""A source as a stream: read in pieces from first to last, or from any row on, so that its size does not matter."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from byhand.data.dataset import Raw, Rows
from byhand.data.files import faults
from byhand.data.folder import folder_rows, list_images
from byhand.data.idx import find_idx_folder, idx_files, idx_parts
from byhand.data.parquet.read import find_parquet, parquet_classes, parquet_rows
from byhand.data.table import find_tables, table_rows


class Stream(NamedTuple):
    """What a source holds, unread."""

    files: list[Path]  # that it depends on; a folder stands for everything below it
    parts: dict[str, Callable[[int], Iterator[Rows]]]  # "train" | "valid" | "test": pieces, from a row on
    classes: tuple[str, ...] | None  # None: each label is a number that names its class


def open_stream(path: Path, size: int | None, grayscale: bool) -> Stream | None:
    """The stream of a path; None for a source that is only read whole.

    Raises:
        DataError: the source cannot be looked into.
    """
    with faults(path):
        if not path.is_dir():
            kind = path.suffix.lower()
            if kind == ".parquet":
                return _parquet({"train": [path]}, size, grayscale)
            return Stream([path], {"train": _from(partial(table_rows, path))}, None) if kind == ".csv" else None
        folder = find_idx_folder(path)
        if folder is not None:
            return Stream(idx_files(folder), dict(idx_parts(folder)), None)
        tables = find_tables(path)
        if tables is not None:
            found = {name: file for name, file in zip(("train", "test"), tables, strict=True) if file is not None}
            return Stream(list(found.values()), {n: _from(partial(table_rows, f)) for n, f in found.items()}, None)
        parts = find_parquet(path)
        if parts is not None:
            return _parquet(parts, size, grayscale)
        tree = list_images(path)
        return Stream(
            [path],
            {name: partial(folder_rows, files, size, grayscale) for name, files in tree.parts.items()},
            tree.classes,
        )


def of_memory(files: list[Path], raw: Raw) -> Stream:
    """The stream of what was read whole."""
    parts = {name: _from(lambda rows=rows: iter([rows])) for name, rows in raw.parts().items()}
    return Stream(files, parts, raw.classes)


def _parquet(parts: dict[str, list[Path]], size: int | None, grayscale: bool) -> Stream:
    streams = {name: _from(partial(parquet_rows, files, size, grayscale)) for name, files in parts.items()}
    return Stream([file for files in parts.values() for file in files], streams, parquet_classes(parts["train"][0]))


def _from(pieces: Callable[[], Iterator[Rows]]) -> Callable[[int], Iterator[Rows]]:
    """Pieces from a row on, of a source that knows no place but its beginning."""

    def rows(first: int) -> Iterator[Rows]:
        end = 0
        for images, labels in pieces():
            late, end = max(0, first - end), end + len(labels)
            if late < len(labels):
                yield Rows(images[late:], labels[late:])

    return rows
