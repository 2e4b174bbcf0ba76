"""``byhand evaluate``: the honest answer, and the report."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from byhand.commands import emit_json, new_app, one_line, options
from byhand.commands.lines import paragraph

if TYPE_CHECKING:
    from byhand.evaluate.results import Evaluation

app = new_app()


@app.command()
def evaluate(
    run: options.Run,
    data: Annotated[
        str | None, typer.Argument(metavar="[DATA]", help="Judge by the test part of these data.  [the run's own]")
    ] = None,
    budget: Annotated[
        float, typer.Option(metavar="SECONDS", help="After these, no further long part is begun.")
    ] = 60.0,
    skip: Annotated[
        list[str] | None,
        typer.Option(metavar="PART", help="Leave out ceiling, wrong-labels or size-curve. May be repeated."),
    ] = None,
    json: options.Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the verdict only.")] = False,
) -> None:
    """Open the test part, say how good the run is, and write report.html into its folder.

    Each opening of the test part is counted: the more often one chooses by it, the less it proves.
    """
    if not json and not quiet:
        typer.echo("judging on the test part ...", err=True)

    from byhand.evaluate import report  # here, because they import torch and matplotlib
    from byhand.evaluate.evaluation import evaluate, summary

    found = evaluate(run, data, budget, skip or ())
    page = report.write(found, run)
    if json:
        emit_json("evaluate", {**summary(found), "report": page})
    elif quiet:
        typer.echo(one_line(found.verdict))
    else:
        typer.echo(_answer(found, page))


def _answer(found: "Evaluation", page: Path) -> str:
    lines = [f"{one_line(found.title)}", "", paragraph(found.verdict)]
    for alarm in found.alarms:
        lines += ["", paragraph(f"ALARM: {alarm}.")]
    if found.suspects:
        lines += ["", f"{len(found.suspects)} of the test labels may be wrong; the report shows them."]
    lines += ["", *(paragraph(sentence, "next   ") for sentence in found.advice)]
    lines += [paragraph(f"{part}: {why}", "left   ") for part, why in found.skipped.items()]
    times = "once" if found.openings == 1 else f"{found.openings} times"
    lines += [f"test   opened {times} for this run", f"report {one_line(str(page))}"]
    return "\n".join(lines)
