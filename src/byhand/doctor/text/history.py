"""The cells that were run in a session, as a notebook that runs them again in that order.

Cell k is what was run as [k], so that a place in the notebook has the number that the user sees. What is not to be run
again is an empty cell.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from byhand.doctor.text.magics import plain_code
from byhand.doctor.text.parsing import is_python

__all__ = ["alone", "as_notebook", "session"]

_OWN: Final = re.compile(r"%?(?:load_ext|reload_ext)\s+byhand\s*|%doctor\b.*")
_BARE: Final = re.compile(r"\s*(?:%\s*)?doctor(?:\s+-.*)?\s*")  # the magic in a cell of its own, the % left out perhaps
_CELL: Final = re.compile(r"%%doctor\b")
_INTERRUPTED: Final = "KeyboardInterrupt"


def session(cells: Sequence[str], raised: Mapping[int, str]) -> tuple[list[str], list[str]]:
    """The cells to run again, and what is to be said of those that are not run as they were.

    Args:
        cells: what was run, cells[k - 1] as [k]. The last is the one that asks; what follows its ``%doctor`` has not
            been run yet.
        raised: the names of the exceptions that ended cells, by number.
    """
    kept: list[str] = []
    notes: list[str] = []
    for number, cell in enumerate(cells, start=1):
        text = _asked(cell) if number == len(cells) else cell
        if _CELL.match(_first(cell)) or _BARE.fullmatch(cell):
            text = ""
        text = "\n".join("" if _OWN.fullmatch(line) else line for line in text.split("\n"))
        why = raised.get(number)
        if text.strip() and why == _INTERRUPTED:
            notes.append(f"cell {number} was interrupted in the session, and runs on here")
        elif text.strip() and (why or not _is_python(text)):
            notes.append(
                f"cell {number} was left out: {f'it raised {why} in the session' if why else 'it is no Python'}"
            )
            text = ""
        kept.append(text if text.strip() else "")
    return kept, notes


def alone(cells: Sequence[str], body: str) -> list[str]:
    """The cell that asks with ``%%doctor``, as the only one, its lines where they stand.

    Args:
        cells: what was run, the last one the cell that asks.
        body: what stands below its first line.
    """
    above = next((i for i, line in enumerate(cells[-1].split("\n")) if _CELL.match(line)), 0) if cells else 0
    return [""] * (len(cells) - 1) + ["\n" * (above + 1) + body]


def as_notebook(cells: Iterable[str]) -> dict[str, Any]:
    """A notebook of these code cells."""
    made: list[dict[str, Any]] = [
        {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": cell} for cell in cells
    ]
    return {"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}


def _asked(cell: str) -> str:
    """What was run of the cell that asks: what stands above ``%doctor``."""
    rows = cell.split("\n")
    at = next((i for i, row in enumerate(rows) if re.match(r"\s*%doctor\b", row)), None)
    if at is None:
        return cell
    above = "\n".join(rows[:at])
    return above if _is_python(above) else ""


def _first(cell: str) -> str:
    return next((line for line in cell.split("\n") if line.strip()), "")


def _is_python(cell: str) -> bool:
    return is_python(plain_code(cell)[0])
