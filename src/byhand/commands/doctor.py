"""``byhand doctor``: run a program as it is, name its silent bugs, and prove each."""

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from byhand.commands import emit_json, new_app, one_line, options
from byhand.commands.class_mode import BUDGET, MARK, grade_class
from byhand.commands.lines import paragraph
from byhand.errors import DataError, UsageError

if TYPE_CHECKING:
    from byhand.doctor.show.report import Report

app = new_app()
_BUDGET: Final = 60.0  # seconds


@app.command()
def doctor(
    program: Annotated[
        Path | None,
        typer.Argument(
            metavar="[SCRIPT|NOTEBOOK|FOLDER]",
            help="The program: a .py or an .ipynb file; with --class a folder, a submission each file or folder.",
        ),
    ] = None,
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[-- ARGS...]", help="Arguments for the program.")
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help=f"For everything: watching and proving ({_BUDGET:g}); with --class for each program ({BUDGET:g}).",
        ),
    ] = None,
    no_prove: Annotated[bool, typer.Option("--no-prove", help="Run it once and try no fixes.")] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Print the fixes as a patch for git apply, and no report.")
    ] = False,
    list_: Annotated[bool, typer.Option("--list", help="Name all checks, and run nothing.")] = False,
    class_: Annotated[bool, typer.Option("--class", help="Grade the submissions of a class.")] = False,
    data: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="With --class: what submissions find in $BYHAND_DATA.")
    ] = None,
    min_accuracy: Annotated[
        float | None, typer.Option(metavar="X", help=f"With --class: the accuracy that passes ({MARK:g}).")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            metavar="FILE",
            help="Write the report too: a page (.html), or .sarif; grades as .csv or .html.",
        ),
    ] = None,
    json: options.Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print one line only.")] = False,
) -> None:
    """Run a program unchanged, find what is silently wrong with it, and prove it by arithmetic or by trying the fix.

    It runs with your rights: this is no sandbox. Status 1: an error was found, or the program failed. A comment
    "# byhand: ignore[check]" on its line silences a finding.
    """
    if list_:
        _list(json)
        return
    if class_:
        _refuse_for_a_class(program, budget, diff, arguments)
        assert program is not None  # noqa: S101, it has seen to that
        mark = MARK if min_accuracy is None else min_accuracy
        raise typer.Exit(
            grade_class(program, data, mark, BUDGET if budget is None else budget, out, json=json, quiet=quiet)
        )
    if data is not None or min_accuracy is not None:
        raise UsageError("--data and --min-accuracy are for grading: add --class")
    budget = _BUDGET if budget is None else budget
    _refuse(program, budget, out)
    assert program is not None  # noqa: S101, _refuse has seen to it
    report = _report(program, arguments or [], budget, not no_prove, silent=json or quiet)

    from byhand.doctor.show import page, sarif, sentences
    from byhand.doctor.show.report import fields, status
    from byhand.doctor.show.terminal import terminal

    if out:
        (sarif if out.suffix.lower() == ".sarif" else page).write(report, out)
    if diff:
        if report.patch:
            typer.echo(report.patch.encode("utf-8", "surrogateescape"), nl=False)
        else:
            typer.echo("nothing to patch: no finding has a fix that stands", err=True)
    elif json:
        emit_json("doctor", fields(report))
    elif quiet:
        typer.echo(one_line(sentences.verdict(report.examination)))
    else:
        typer.echo(terminal(report, shutil.get_terminal_size((80, 24)).columns, _bold if _styled() else str))
        if out:
            typer.echo(f"report: {one_line(str(out))}")
    raise typer.Exit(status(report.examination))


def _refuse(program: Path | None, budget: float, out: Path | None) -> None:
    """Stop before anything runs where the command line cannot be meant.

    Raises:
        UsageError: what is wrong.
        DataError: there is no folder for the page.
    """
    if program is None:
        raise UsageError("name a script or a notebook, like byhand doctor my_script.py; --list names the checks")
    if program.is_dir():
        inside = sorted(file.name for file in [*program.glob("*.py"), *program.glob("*.ipynb")])
        like = f", like {program / inside[0]}" if inside else ""
        raise UsageError(f"{program} is a folder; name a script or a notebook in it{like}, or add --class to grade all")
    if not budget > 0:
        raise UsageError(f"--budget {budget:g}: give seconds above 0")
    if out and out.suffix.lower() not in (".html", ".htm", ".sarif"):
        raise UsageError(
            f"-o {out}: let its name end in .html or .htm for a page, in .sarif for code hosts and editors"
        )
    if out and not out.parent.is_dir():
        raise DataError(f"there is no folder {out.parent}; make it, or choose another for the report")


def _refuse_for_a_class(program: Path | None, budget: float | None, diff: bool, arguments: list[str] | None) -> None:
    if program is None or program.is_file():
        raise UsageError("--class grades a folder with a file or a folder for each submission; name it")
    if budget is not None and not budget > 0:
        raise UsageError(f"--budget {budget:g}: give seconds above 0")
    if diff or arguments:
        raise UsageError("--diff and arguments are for one program; leave out --class")


def _report(program: Path, arguments: list[str], budget: float, proofs: bool, silent: bool) -> "Report":
    def say(line: str) -> None:
        if not silent:
            typer.echo(one_line(line), err=True)

    from byhand.doctor.examine import examine  # here, because they import much
    from byhand.doctor.show.report import make_report, needed

    found = examine(program, arguments, budget=budget, proofs=proofs, reserve=needed, say=say)
    return make_report(found, arguments, budget)


def _list(json: bool) -> None:
    from byhand.doctor.checks.table import CHECKS
    from byhand.doctor.show.pages import about

    if json:
        emit_json("doctor", {"checks": [{"check": name, "about": about(name)} for name in CHECKS]})
        return
    for name in CHECKS:
        typer.echo(paragraph(about(name), f"{name:{max(map(len, CHECKS)) + 2}}"))
    typer.echo("\nbyhand explain CHECK shows the page of a check.")


def _styled() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _bold(text: str) -> str:
    return f"\x1b[1m{text}\x1b[0m"
