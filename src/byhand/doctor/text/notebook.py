"""A notebook as a program: its code cells in order, counted from 1, each in plain Python line for line."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from byhand.doctor.text.magics import plain_code
from byhand.doctor.text.program import Unit
from byhand.doctor.text.splice import lines
from byhand.errors import DataError

__all__ = ["read_notebook", "shows_last"]


def read_notebook(path: Path) -> tuple[Unit, ...]:
    """The code cells of a notebook of format 3 or 4. What they say is not checked.

    Raises:
        DataError: the file is damaged, no notebook, or one in another language.
    """
    try:
        notebook = json.loads(path.read_text("utf-8-sig"))
        language = _language(notebook)
        cells = list(_code_cells(notebook))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        reason = (
            f"line {error.lineno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else "not as its format says"
        )
        raise DataError(f"{path} is no notebook ({reason}); open it in Jupyter and save it again") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); name a notebook that can") from error
    if language.lower() not in ("python", "ipython"):
        raise DataError(f"{path} is a notebook in {language}; the doctor knows Python")
    return tuple(_unit(path.name, cell, source) for cell, source in enumerate(cells, start=1))


def shows_last(unit: Unit) -> bool:
    """Whether a notebook shows the value of a cell's last statement: an expression that no semicolon follows."""
    last = unit.tree.body[-1] if unit.tree.body else None
    if not isinstance(last, ast.Expr):
        return False
    place = unit.place(last)
    rest = lines(unit.code)[place.end_line - 1 :]
    rest[0] = rest[0][place.end_column :]
    return not any(";" in line.partition("#")[0] for line in rest)


def _unit(file: str, cell: int, source: str) -> Unit:
    code, skipped = plain_code(source)
    return Unit(file, cell, source, code, skipped)


def _language(notebook: dict[str, Any]) -> str:
    about: dict[str, dict[str, Any]] = notebook.get("metadata") or {}
    kernel, info = about.get("kernelspec") or {}, about.get("language_info") or {}
    return str(kernel.get("language") or info.get("name") or "python")


def _code_cells(notebook: dict[str, Any]) -> Iterator[str]:
    sheets = [notebook] if "cells" in notebook else notebook["worksheets"]
    for sheet in cast("list[dict[str, Any]]", sheets):
        for cell in cast("list[dict[str, Any]]", sheet["cells"]):
            if cell.get("cell_type") == "code":
                source: str | list[str] = cell.get("source", cell.get("input", ""))
                yield source if isinstance(source, str) else "".join(source)
