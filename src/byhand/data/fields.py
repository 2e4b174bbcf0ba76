"""Whole blocks of comma-separated numbers at once, and the place of a fault where there is one.

``parse_fields`` and ``find_fault`` hold to one grammar (``table.py`` states it): the first accepts exactly the blocks
in which the second finds nothing.
"""

import re
from typing import Final

import numpy as np
from numpy.typing import NDArray

_COMMA, _END, _ZERO, _NINE = b",\n09"
_FIELD: Final = re.compile(rb"[0-9]{1,3}")


def parse_fields(block: bytes, columns: int) -> NDArray[np.uint8] | None:
    """The values of a block of whole lines, each ended by LF; None if a byte of it breaks the grammar.

    Returns:
        (N, columns), a row a line.
    """
    text = np.frombuffer(block, np.uint8)  # (bytes,)
    ends = np.flatnonzero(text < _ZERO)  # where each field ends, if all is well
    if len(ends) % columns or int(text.max()) > _NINE:
        return None
    marks = text[ends].reshape(-1, columns)
    if not ((marks[:, :-1] == _COMMA).all() and (marks[:, -1] == _END).all()):
        return None
    digits = np.diff(ends, prepend=-1) - 1  # in each field
    if digits.min() < 1 or digits.max() > 3:
        return None
    values = text[ends - 1] - np.uint8(_ZERO)
    tens = np.flatnonzero(digits > 1)
    values[tens] += 10 * (text[ends[tens] - 2] - np.uint8(_ZERO))
    hundreds = np.flatnonzero(digits == 3)
    leading = text[ends[hundreds] - 3] - np.uint8(_ZERO)
    if np.any((leading > 2) | ((leading == 2) & (values[hundreds] > 55))):
        return None
    values[hundreds] += 100 * leading
    return values.reshape(-1, columns)


def find_fault(block: bytes, columns: int) -> tuple[int, int | None, str]:
    """The first place in which a block breaks the grammar: its line and column from 0, and what is wrong there."""
    for line, text in enumerate(block.removesuffix(b"\n").split(b"\n")):
        if not text:
            return line, None, "is empty; remove it"
        fields = text.split(b",", columns + 1)
        for column, field in enumerate(fields[:columns]):
            if not _FIELD.fullmatch(field):
                return line, column, f"{_say(field)}; labels and pixels are whole numbers 0..255"
            if int(field) > 255:
                return line, column, f"is {int(field)}; labels and pixels are whole numbers 0..255"
        if len(fields) != columns:
            count = text.count(b",") + 1
            return (
                line,
                None,
                f"has {count:,} columns where row 1 has {columns:,}; the row is damaged, remove or mend it",
            )
    raise AssertionError("parse_fields refused a block without a fault")


def _say(field: bytes) -> str:
    if not field:
        return "is empty"
    if b"\0" in field:
        return "holds a NUL byte"
    if b"\r" in field:
        return "holds a carriage return inside its row"
    return f"is {field[:20].decode('ascii', 'backslashreplace')!r}"
