"""A source as a stream: read in pieces from first to last, or from any row on, so that its size does not matter."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from byhand.data.dataset import Raw, Rows


class Stream(NamedTuple):
    """What a source holds, unread."""

    files: list[Path]  # that it depends on; a folder stands for everything below it
    parts: dict[str, Callable[[int], Iterator[Rows]]]  # "train" | "valid" | "test": pieces, from a row on
    classes: tuple[str, ...] | None  # None: each label is a number that names its class


def of_memory(files: list[Path], raw: Raw) -> Stream:
    """The stream of what was read whole."""
    parts = {name: from_row(lambda rows=rows: iter([rows])) for name, rows in raw.parts().items()}
    return Stream(files, parts, raw.classes)


def from_row(pieces: Callable[[], Iterator[Rows]]) -> Callable[[int], Iterator[Rows]]:
    """What ``Stream`` asks of a part, where it is only read from its beginning: the rows before are dropped."""

    def rows(first: int) -> Iterator[Rows]:
        end = 0
        for images, labels in pieces():
            late, end = max(0, first - end), end + len(labels)
            if late < len(labels):
                yield Rows(images[late:], labels[late:])

    return rows
