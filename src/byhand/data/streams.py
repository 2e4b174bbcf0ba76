"""A source as a stream: read in pieces from first to last, or from any row on, so that its size does not matter."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from byhand.data.dataset import Raw, Rows
from byhand.data.files import faults
from byhand.data.folder import folder_rows, list_images
from byhand.data.idx import find_idx_folder, idx_files, idx_parts
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
            is_table = path.suffix.lower() == ".csv"
            return Stream([path], {"train": _from(partial(table_rows, path))}, None) if is_table else None
        folder = find_idx_folder(path)
        if folder is not None:
            return Stream(idx_files(folder), dict(idx_parts(folder)), None)
        tables = find_tables(path)
        if tables is not None:
            found = {name: file for name, file in zip(("train", "test"), tables, strict=True) if file is not None}
            return Stream(list(found.values()), {n: _from(partial(table_rows, f)) for n, f in found.items()}, None)
        tree = list_images(path)
        return Stream(
            [path],
            {name: partial(folder_rows, files, size, grayscale) for name, files in tree.parts.items()},
            tree.classes,
        )


def of_memory(files: list[Path], raw: Raw) -> Stream:
    """The stream of what was read whole."""
    parts = {name: rows for name, rows in zip(("train", "valid", "test"), raw[:3], strict=True) if rows is not None}
    return Stream(files, {name: _from(lambda rows=rows: iter([rows])) for name, rows in parts.items()}, raw.classes)


def _from(pieces: Callable[[], Iterator[Rows]]) -> Callable[[int], Iterator[Rows]]:
    """Pieces from a row on, of a source that knows no place but its beginning."""

    def rows(first: int) -> Iterator[Rows]:
        end = 0
        for images, labels in pieces():
            late, end = max(0, first - end), end + len(labels)
            if late < len(labels):
                yield Rows(images[late:], labels[late:])

    return rows
