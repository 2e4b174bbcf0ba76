"""The file that is handed in: written whole or not at all, read back, and checked line by line.

    ImageId,Label
    1,2
    2,0
    …

The ids count the rows of the test table from 1, in its order; there is no other column.
"""

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from byhand.data.files import open_file
from byhand.errors import DataError
from byhand.files import write_atomically
from byhand.text import one_line

__all__ = ["HEADER", "check_lines", "write_submission"]

HEADER: Final = b"ImageId,Label"
_ROW: Final = re.compile(rb"([1-9][0-9]*),([0-9]+)")


def write_submission(file: Path, labels: Sequence[str], classes: Iterable[str]) -> None:
    """Write one row for each label, in order, and read the file back.

    Args:
        file: where to; what it held is replaced.
        labels: the label of each image of the test table.
        classes: the labels that occur in training.

    Raises:
        DataError: the file cannot be written, or does not hold afterwards what it should; then it is removed.
    """
    rows = (f"{number},{label}\n" for number, label in enumerate(labels, 1))
    text = HEADER + b"\n" + "".join(rows).encode()
    write_atomically(file, text)
    with open_file(file) as written:
        back = written.read(len(text) + 1)
    try:
        if back != text:
            raise ValueError("it holds other bytes than were written")
        check_lines(back, len(labels), classes)
    except ValueError as error:
        with suppress(OSError):
            file.unlink()
        raise DataError(
            f"{one_line(file)} was read back, was not as it should be ({error}), and is removed; check the disk"
        ) from error


def check_lines(text: bytes, rows: int, labels: Iterable[str] | None = None) -> None:
    """Hold a submission's text against what Kaggle asks for.

    Args:
        text: the file, with LF at the end of its lines; after the last it may be missing.
        rows: how many images there are to name.
        labels: those that may stand there; any number where none are given.

    Raises:
        ValueError: where it breaks off from that, in words.
    """
    header, *lines = text.removesuffix(b"\n").split(b"\n")
    if header != HEADER:
        raise ValueError(f"its columns are {_said(header)} and not {HEADER.decode()}")
    allowed = None if labels is None else {label.encode() for label in labels}
    for number, line in enumerate(lines, 1):
        row = _ROW.fullmatch(line)
        if row is None:
            raise ValueError(f"row {number + 1} is {_said(line)} and not an id and a label")
        if int(row[1]) != number:
            raise ValueError(f"row {number + 1} has the id {_said(row[1])} where {number} is due")
        if allowed is not None and row[2] not in allowed:
            raise ValueError(f"row {number + 1} has the label {_said(row[2])}, which does not occur in training")
    if len(lines) != rows:
        raise ValueError(f"it has {len(lines):,} rows for {rows:,} images")


def _said(part: bytes) -> str:
    return repr(part[:40].decode("ascii", "backslashreplace"))
