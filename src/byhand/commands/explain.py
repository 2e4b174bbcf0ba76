"""``byhand explain``: the honest answer for a bare number, or the page of a check of the doctor's."""

import difflib
import re
import shutil
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from byhand.commands import emit_json, new_app, one_line, options
from byhand.commands.lines import paragraph
from byhand.data.load import load
from byhand.errors import UsageError

if TYPE_CHECKING:
    from byhand.evaluate.explain import Explanation

app = new_app()

_NAME = r"[A-Za-z]+(?:[ _-]+[A-Za-z]+)*"
_WIDE = 100  # columns


@app.command()
def explain(
    number: Annotated[
        str | None,
        typer.Argument(
            metavar="[NUMBER|CHECK]",
            help="An accuracy: 58%, 0.58 or 5800/10000; or a check that byhand doctor --list names.",
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(metavar="DATA", help="What it was measured on: a name, a folder or a file.  [MNIST or digits]"),
    ] = None,
    n: Annotated[int | None, typer.Option("--n", help="Images that it was measured on.  [the test part's]")] = None,
    loss: Annotated[float | None, typer.Option(help="The mean loss, −log p, in nats.")] = None,
    model: Annotated[str, typer.Option(help="What gave it: linear, mlp or resnet18.")] = "linear",
    json: options.Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the verdict only.")] = False,
) -> None:
    """Say how good an accuracy is on these data, what one linear layer can reach, and what may be wrong.

    For a check of byhand doctor: what it is, why it happens, and how to put it right.
    """
    if number and re.fullmatch(_NAME, number.strip()):
        _check(number, json, quiet)
        return
    from byhand.evaluate.explain import ask, explain  # here, because they import SciPy
    from byhand.evaluate.landmarks import find_landmarks, is_known

    question = ask(number, n, loss, model)
    parts = load(data, sample=True)
    if not is_known(parts):
        typer.echo("finding the best linear layer for these data; that is done once ...", err=True)
    found = explain(question, find_landmarks(parts))
    if json:
        emit_json("explain", _fields(found))
    elif quiet:
        typer.echo(one_line(found.verdict))
    else:
        typer.echo(_answer(found))


def _check(name: str, json: bool, quiet: bool) -> None:
    """The page of a check.

    Raises:
        UsageError: there is no such check.
    """
    from byhand.doctor.checks.table import CHECKS
    from byhand.doctor.show.pages import about, example, find, page, shown

    check = find(name)
    if check is None:
        near = difflib.get_close_matches(name.lower(), CHECKS, 2, 0.5)
        hint = f"do you mean {' or '.join(near)}?" if near else "byhand doctor --list names the checks"
        raise UsageError(f"{name[:_WIDE]} is neither an accuracy, like 58%, nor a check; {hint}")
    if json:
        emit_json("explain", {"check": check, "text": page(check)})
    elif quiet:
        typer.echo(about(check))
    else:
        typer.echo(f"{shown(check, min(shutil.get_terminal_size((80, 24)).columns, _WIDE))}\n\n{example(check)}")


def _fields(found: "Explanation") -> dict[str, object]:
    from byhand.evaluate.results import baseline_fields, ceiling_fields

    return {
        "data": found.landmarks.source,
        "accuracy": None if found.accuracy is None else asdict(found.accuracy),
        "chance": None if found.chance is None else asdict(found.chance),
        "baselines": baseline_fields(found.landmarks),
        "ceiling": ceiling_fields(found.landmarks),
        "verdict": found.verdict,
        "hints": found.hints,
    }


def _answer(found: "Explanation") -> str:
    if found.accuracy is None:
        lines = [paragraph(found.verdict)]
    else:
        number, guessing, reach = found.sentences
        lines = [
            f"{number.rstrip('.')}, on {one_line(found.landmarks.source)}",
            "",
            "Is the model doing something right, or is it guessing?",
            paragraph(guessing, "  "),
            "",
            "How good is that? What could one layer without non-linearities reach?",
            paragraph(reach, "  "),
        ]
    if found.hints:
        lines += ["", "What it may come from, the likeliest first:"]
        lines += [paragraph(hint, f"  {i}. ") for i, hint in enumerate(found.hints, 1)]
    return "\n".join(lines)
