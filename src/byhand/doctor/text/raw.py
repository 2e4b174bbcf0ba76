"""A notebook's own JSON text: where in it the source of each code cell stands, string by string.

Nothing of the text is written anew: what is changed or pointed at is found in the text as its editor wrote it.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, cast

__all__ = ["String", "cell_strings", "offset"]

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_CHARACTER: Final = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|[^\\]"
)
_SOURCES: Final = ("source", "input")  # notebooks of format 4, and of format 3

String = tuple[int, int, str]
"""Where a JSON string stands in its text, quotes and all, and what it says."""


def cell_strings(text: str) -> list[list[String]]:
    """The strings of each code cell's source, in order."""
    notebook = cast("dict[str, Any]", json.loads(text))
    many = 0 if "cells" in notebook else len(notebook["worksheets"])
    sheets = [("worksheets", i, "cells") for i in range(many)] or [("cells",)]
    kinds: dict[tuple[str | int, ...], str] = {}
    sources: dict[tuple[str | int, ...], list[String]] = {}
    for path, start, end in _strings(text):
        cell = next((path[: len(sheet) + 1] for sheet in sheets if path[: len(sheet)] == sheet), None)
        if cell is None:
            continue
        rest, said = path[len(cell) :], cast("str", json.loads(text[start:end]))
        if rest == ("cell_type",):
            kinds[cell] = said
        elif rest and rest[0] in _SOURCES and all(isinstance(step, int) for step in rest[1:]):
            sources.setdefault(cell, []).append((start, end, said))
    code = [cell for cell in kinds if kinds[cell] == "code"]
    return [sources.get(cell, []) for cell in sorted(code, key=lambda cell: cast("tuple[int, ...]", cell[1::2]))]


def offset(text: str, strings: Sequence[String], at: int, *, last: bool = False) -> int:
    r"""Where in the text a character of a cell's source stands, be it written as ``\n``, as ``é`` or as itself.

    Args:
        text: the notebook's.
        strings: of the cell's source.
        at: counts the source's characters; one past the last is allowed.
        last: whether ``at`` ends a span. Between two strings it is then the end of the first one.
    """
    for start, end, said in strings:
        if at < len(said) or (at == len(said) and (last or (start, end, said) == strings[-1])):
            written = _CHARACTER.findall(text[start + 1 : end - 1])
            return start + 1 + sum(map(len, written[:at]))
        at -= len(said)
    raise ValueError(f"the cell has no character {at}")


def _strings(text: str) -> Iterator[tuple[tuple[str | int, ...], int, int]]:
    """Every string value in a JSON text: its path of keys and positions, and where it begins and ends."""
    path: list[str | int] = []
    after_colon = False
    for token in _TOKEN.finditer(text):
        word = token[0]
        if word == "{":
            path.append("")
        elif word == "[":
            path.append(0)
        elif word in "}]":
            path.pop()
        elif word == ",":
            step = path[-1]
            path[-1] = step + 1 if isinstance(step, int) else ""
        elif word[0] == '"' and isinstance(path[-1], str) and not after_colon:
            path[-1] = cast("str", json.loads(word))
        elif word[0] == '"':
            yield tuple(path), token.start(), token.end()
        after_colon = word == ":"
