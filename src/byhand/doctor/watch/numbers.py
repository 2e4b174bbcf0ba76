"""The numbers in a line that a program printed."""

import re
from typing import Final

from byhand.doctor.trace import Number

__all__ = ["numbers_in"]

_MOST: Final = 64  # numbers of one line; a printed array is no metric
_LONG: Final = 100  # characters of a number, and decimals; a longer one is no metric either
# It begins at the first of several spaces, or each of a thousand would look through all the others.
_NUMBER: Final = re.compile(
    r"(?<![\w.])(?!(?<=\s)\s)([-+]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+|(?<=\d)\.)?(?:[eE][-+]?\d+)?)"
    r"(?:(?:\s*/\s*|\s+(?:out\s+)?of\s+)(\d[\d,]*)(?![\w./]))?(\s*%)?"
)


def numbers_in(text: str) -> tuple[Number, ...]:
    """Every number of a line as it was written, with the words that stand before it.

    ``loss: 0.35, accuracy 63.74%`` has 0.35 with two decimals and 63.74 in percent; ``6370/10000`` is 6370 of 10000,
    and so is ``6370 of 10000``.
    """
    found: list[Number] = []
    end = 0
    for match in _NUMBER.finditer(text):
        figure = match[1].replace(",", "")
        if not any(letter.isdigit() for letter in figure) or max(map(len, match.groups(""))) > _LONG:
            continue
        try:
            value = float(figure)
        except ValueError:
            continue
        mantissa, _, exponent = figure.lower().partition("e")
        decimals = len(mantissa.partition(".")[2]) - int(exponent or 0)
        of = int(match[2].replace(",", "")) if match[2] else None
        found.append(Number(value, min(max(0, decimals), _LONG), bool(match[3]), of, text[end : match.start()].strip()))
        end = match.end()
        if len(found) == _MOST:
            break
    return tuple(found)
