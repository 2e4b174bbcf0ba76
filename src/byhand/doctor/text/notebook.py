"""A notebook as a program: its code cells in order, counted from 1, each in plain Python line for line."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, cast

from byhand.doctor.text.magics import Patience, plain_code
from byhand.doctor.text.program import Unit
from byhand.doctor.text.splice import lines
from byhand.errors import DataError
from byhand.files import read_at_most
from byhand.text import brief

__all__ = ["code_cells", "read_notebook", "shows_last"]

_FILE: Final = 16 << 20  # bytes, outputs and all
_CODE: Final = 1 << 19  # characters of all code cells; each is parsed, and what IPython alone knows twice or more
_CELLS: Final = 5_000  # code cells
_LONE: Final = re.compile(r"\r(?!\n)")


def read_notebook(path: Path) -> tuple[Unit, ...]:
    """The code cells of a notebook of format 3 or 4. What they say is not checked.

    Raises:
        DataError: the file is damaged, no notebook, too large, or one in another language.
    """
    try:
        if (size := path.stat().st_size) > _FILE:
            raise DataError(f"{path} has {size:,} bytes, more than {_FILE:,}; clear its outputs, and save it again")
        notebook = json.loads(read_at_most(path, _FILE).decode("utf-8-sig"), object_pairs_hook=_once)
        language = _language(notebook)
        cells = [_source(cell) for cell in code_cells(notebook)]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        reason = (
            f"line {error.lineno}: {error.msg}" if isinstance(error, json.JSONDecodeError)
            else brief(error) if type(error) is ValueError else "not as its format says"
        )  # fmt: skip
        raise DataError(f"{path} is no notebook ({reason}); open it in Jupyter and save it again") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); name a notebook that can") from error
    if language.lower() not in ("python", "ipython"):
        raise DataError(f"{path} is a notebook in {brief(language)}; the doctor knows Python")
    if len(cells) > _CELLS or sum(map(len, cells)) > _CODE:
        raise DataError(
            f"{path} has {len(cells):,} code cells of {sum(map(len, cells)):,} characters, more than {_CELLS:,} or "
            f"{_CODE:,}; examine a part of it"
        )
    units: list[Unit] = []
    patience = Patience()
    for cell, source in enumerate(cells, start=1):
        if _LONE.search(source):  # Python ends a line there, and whoever counts lines of notebooks does not
            raise DataError(f"{path}, cell {cell} has a carriage return within a line; write the line anew")
        unit = Unit(path.name, cell, source, source)
        plain = plain_code(source, patience, sound=unit.fault is None)
        units.append(unit if plain == (source, ()) else Unit(path.name, cell, source, *plain))
    return tuple(units)


def shows_last(unit: Unit) -> bool:
    """Whether a notebook shows the value of a cell's last statement: an expression that no semicolon follows."""
    last = unit.tree.body[-1] if unit.tree.body else None
    if not isinstance(last, ast.Expr):
        return False
    place = unit.place(last)
    rest = lines(unit.code)[place.end_line - 1 :]
    rest[0] = rest[0][place.end_column :]
    return not any(";" in line.partition("#")[0] for line in rest)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object, each field of which stands there once: which of two is meant, nobody can say."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a field stands there twice")
    return fields


def _language(notebook: dict[str, Any]) -> str:
    about: dict[str, dict[str, Any]] = notebook.get("metadata") or {}
    kernel, info = about.get("kernelspec") or {}, about.get("language_info") or {}
    return str(kernel.get("language") or info.get("name") or "python")


def code_cells(notebook: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The code cells of a notebook of format 3 or 4, in order.

    Raises:
        TypeError, KeyError, AttributeError: it is not as its format says.
    """
    sheets = [notebook] if "cells" in notebook else notebook["worksheets"]
    for sheet in cast("list[dict[str, Any]]", sheets):
        for cell in cast("list[dict[str, Any]]", sheet["cells"]):
            if cell.get("cell_type") == "code":
                yield cell


def _source(cell: dict[str, Any]) -> str:
    source: str | list[str] = cell.get("source", cell.get("input", ""))
    return source if isinstance(source, str) else "".join(source)
