"""The commands, one file each: a file parses, calls the library and prints; it has no logic of its own.

Standard output carries the result, standard error the progress. Each file has ``app``, a ``typer.Typer``.
"""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any, cast

import typer

__all__ = ["emit_json", "new_app", "one_line"]


def new_app(**settings: Any) -> typer.Typer:
    """A ``typer.Typer`` whose help is plain text: rich would take ``[linear]`` for a style and leave it out."""
    return typer.Typer(rich_markup_mode=None, add_completion=False, **settings)


def emit_json(command: str, fields: Mapping[str, object]) -> None:
    """Print one JSON object, with the schema ``byhand.COMMAND/1`` as its first field.

    NaN and infinities become null, paths become text, arrays and tensors become lists. ASCII only, so that any terminal
    and any file name will do.
    """
    print(json.dumps(_plain({"schema": f"byhand.{command}/1", **fields}), allow_nan=False))  # noqa: T201


def one_line(text: str) -> str:
    r"""The text with everything that a terminal might obey written out: ``\n``, ``\x1b``, ``\u202e``."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in cast("Mapping[object, object]", value).items()}
    if isinstance(value, Sequence):
        return [_plain(item) for item in cast("Sequence[object]", value)]
    if hasattr(value, "tolist"):  # NumPy's and torch's numbers and arrays, neither of which is imported here
        return _plain(cast("Any", value).tolist())
    raise TypeError(f"{type(value).__name__} has no place in JSON")
