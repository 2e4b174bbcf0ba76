"""``byhand export``: a run as one file that needs no byhand."""

from pathlib import Path
from typing import Annotated

import typer

from byhand.commands import emit_json, new_app, one_line

app = new_app()


@app.command()
def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A folder that byhand train made.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="Where to: a name ending in .html.")],
    json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing.")] = False,
) -> None:
    """Write a run as one page that draws, centres and predicts, without a server and without the network."""
    from byhand.export.digit_page import export  # here, because it imports torch

    difference = export(run, output)
    if json:
        emit_json("export", {"file": output, "max_difference": difference})
    elif not quiet:
        size = output.stat().st_size / 1000
        typer.echo(f"{one_line(str(output))}: {size:.0f} KB; open it in any browser, or send it to somebody")
        if difference:
            typer.echo(f"its weights are rounded: no probability differs from the run's by more than {difference:.1g}")
