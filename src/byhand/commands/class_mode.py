"""``byhand doctor FOLDER --class``: what the command line asks for, and what it is told."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from byhand.commands import emit_json, one_line
from byhand.errors import DataError, UsageError
from byhand.files import write_atomically

if TYPE_CHECKING:
    from byhand.classroom.grade import Grade

__all__ = ["BUDGET", "MARK", "grade_class"]

BUDGET: Final = 300.0
"""Seconds for each submission, where nobody says."""

MARK: Final = 0.9
"""The accuracy that passes, where nobody says."""

_PAGES: Final = (".html", ".htm")


def grade_class(
    folder: Path, data: Path | None, mark: float, budget: float, out: Path | None, *, json: bool, quiet: bool
) -> int:
    """Grade the submissions of a folder and tell it.

    Returns:
        The exit status: 1 where a submission does not pass.

    Raises:
        UsageError: the command line cannot be meant so.
        DataError: there are no submissions or no data, or the grades cannot be written.
    """
    if data is None:
        raise UsageError("--class needs --data FOLDER: the data that submissions read from $BYHAND_DATA")
    if not 0 < mark < 1:
        raise UsageError(f"--min-accuracy {mark:g}: give a fraction between 0 and 1, like {MARK}")
    if out and out.suffix.lower() not in (*_PAGES, ".csv"):
        raise UsageError(f"-o {out}: grades are a table or a page; let its name end in .csv or .html")
    if out and not out.parent.is_dir():
        raise DataError(f"there is no folder {out.parent}; make it, or choose another for the grades")

    from byhand.classroom.grading import grade_all, known_rows  # here, because they import much
    from byhand.classroom.submissions import find_submissions
    from byhand.classroom.table import lines, summary

    def say(line: str) -> None:
        if not (json or quiet):
            typer.echo(one_line(line), err=True)

    submissions, others = find_submissions(folder)
    known = known_rows(data)
    if not (json or quiet):
        typer.echo("programs run with your rights, within limits: this is no sandbox against an attacker")
    if others:
        say(f"no submission: {', '.join(others)}")
    tell = _teller(len(submissions), say)
    save = _saver(out, mark, data.name, len(submissions))

    def done(grades: "list[Grade]") -> None:
        save(grades)
        tell(grades)

    grades = grade_all(submissions, data, known, mark=mark, budget=budget, done=done)
    told = summary(grades, mark)
    if json:
        emit_json("doctor", {
            "submissions": [asdict(grade) for grade in grades],
            "passed": sum(grade.passed for grade in grades),
            "not_run": sum(not grade.ran for grade in grades),
            "min_accuracy": mark,
            "test": len(known.test_labels),
            "summary": told,
        })  # fmt: skip
    else:
        for line in [] if quiet else lines(grades):
            typer.echo(line)
        typer.echo(told)
        if out and not quiet:
            typer.echo(f"grades: {one_line(str(out))}")
    return int(not all(grade.passed for grade in grades))


def _teller(total: int, say: Callable[[str], None]) -> "Callable[[list[Grade]], None]":
    """Say whose grade has come."""
    from byhand.classroom.table import lines

    told: set[str] = set()

    def tell(grades: "list[Grade]") -> None:
        for grade in grades:
            if grade.name not in told:
                told.add(grade.name)
                say(f"{len(told)}/{total}  {lines([grade])[0]}")

    return tell


def _saver(out: Path | None, mark: float, data: str, total: int) -> "Callable[[list[Grade]], None]":
    """Write the grades so far: a grading that is ended early leaves those that it has."""
    from byhand.classroom.page import render
    from byhand.classroom.table import to_csv

    def save(grades: "list[Grade]") -> None:
        if out is not None:
            page = out.suffix.lower() in _PAGES
            text = render(grades, mark, data, total) if page else to_csv(grades)
            write_atomically(out, text.encode("utf-8", "backslashreplace"))

    return save
