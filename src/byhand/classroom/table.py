"""Grades as rows of text: a CSV file, lines for a terminal, one sentence for all."""

import csv
import io
from collections.abc import Sequence
from typing import Final

from byhand.classroom.grade import Grade
from byhand.text import one_line

__all__ = ["COLUMNS", "cells", "lines", "summary", "to_csv"]

COLUMNS: Final = (
    "name", "file", "passed", "accuracy", "low", "high", "n", "rows", "printed", "errors", "warnings", "suspected",
    "first_fix", "ended", "seconds",
)  # fmt: skip
"""The columns of the CSV file, in their order."""

_OBEYED: Final = ("=", "+", "-", "@", "\t", "\r")  # a cell that begins so is a formula to a spreadsheet


def to_csv(grades: Sequence[Grade]) -> str:
    """The table as CSV, a line for each grade below the names of the columns."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([_safe(cell) for cell in cells(grade).values()] for grade in grades)
    return file.getvalue()


def cells(grade: Grade) -> dict[str, str]:
    """The cells of a row, by column."""
    return {
        "name": grade.name,
        "file": grade.file,
        "passed": "yes" if grade.passed else "no",
        **{name: _number(getattr(grade, name)) for name in ("accuracy", "low", "high")},
        "n": "" if grade.n is None else str(grade.n),
        "rows": grade.rows,
        "printed": _number(grade.printed),
        "errors": "; ".join(grade.errors),
        "warnings": "; ".join(grade.warnings),
        "suspected": "; ".join(grade.suspected),
        "first_fix": grade.first_fix,
        "ended": grade.ended,
        "seconds": f"{grade.seconds:.0f}",
    }


def summary(grades: Sequence[Grade], mark: float) -> str:
    """All grades in a sentence."""
    passed = sum(grade.passed for grade in grades)
    broken = sum(not grade.ran for grade in grades)
    rest = len(grades) - passed - broken
    said = [f"{passed} pass at {mark:g}", f"{rest} {'does' if rest == 1 else 'do'} not"]
    if broken:
        said.append(f"{broken} could not be run")
    return f"{len(grades)} submission{'s' if len(grades) != 1 else ''}: {', '.join(said)}"


def lines(grades: Sequence[Grade]) -> list[str]:
    """The grades for a terminal: the name, the grade, and what stands behind it."""
    wide = max([len(one_line(grade.name)) for grade in grades], default=0)
    return [f"{one_line(grade.name):{wide}}  {_grade(grade)}" for grade in grades]


def _grade(grade: Grade) -> str:
    if not grade.ran:
        return f"-     {one_line(grade.ended)}"
    said = ["pass " if grade.passed else "no   "]
    if grade.accuracy is not None:
        said.append(f"{grade.accuracy:.3f} ({grade.low:.3f} to {grade.high:.3f})")
    said.append(grade.rows)
    found = [*grade.errors, *grade.warnings]
    if found:
        said[-1] += f"; {found[0]}" + (f" and {len(found) - 1} more" if len(found) > 1 else "")
    if grade.ended != "done":
        said[-1] += f"; {grade.ended}"
    return one_line(" ".join(said))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _safe(cell: str) -> str:
    text = one_line(cell)
    return f"'{text}" if text.startswith(_OBEYED) else text
