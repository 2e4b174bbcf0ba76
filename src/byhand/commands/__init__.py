"""The commands, one file each: a file parses, calls the library and prints; it has no logic of its own.

Standard output carries the result, standard error the progress. Each file has ``app``, a ``typer.Typer``.
"""

from collections.abc import Mapping
from typing import Any

import typer

from byhand.json_text import json_text
from byhand.text import one_line

__all__ = ["emit_json", "new_app", "one_line"]


def new_app(**settings: Any) -> typer.Typer:
    """A ``typer.Typer`` whose help is plain text: rich would take ``[linear]`` for a style and leave it out."""
    return typer.Typer(rich_markup_mode=None, add_completion=False, **settings)


def emit_json(command: str, fields: Mapping[str, object]) -> None:
    """Print one JSON object, with the schema ``byhand.COMMAND/1`` as its first field.

    ``json_text`` says what becomes of numbers, paths and arrays.
    """
    print(json_text({"schema": f"byhand.{command}/1", **fields}))  # noqa: T201
