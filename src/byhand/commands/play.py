"""``byhand play``: a page on this machine that shows a model as it learns."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from byhand.commands import emit_json, new_app, options
from byhand.errors import DataError, UsageError

if TYPE_CHECKING:
    from byhand.play.session import Session

app = new_app()

_PROGRAMS = (".py", ".ipynb")


@app.command()
def play(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN|SCRIPT|DATA]",
            help="A run to draw on and to train on; a .py or .ipynb file to watch; or data to learn from, as for "
            "byhand train.  [MNIST or digits]",
        ),
    ] = None,
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[-- ARGS...]", help="Arguments for the script.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(metavar="PORT", help="0 is any that is free.  [8765, or the next free one]")
    ] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Print the page's address only.")] = False,
    json: options.Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing but the address.")] = False,
) -> None:
    """Open a page that shows the weights as they are learnt, and what they see in a digit that you draw.

    Only this machine reaches the page, and only the browser that opens the printed address, which works once. A script
    is run as it is, with your rights. Ctrl-C ends everything.
    """
    from byhand.play.serve import bind, serve  # here, because they import much

    def say(url: str, number: int) -> None:
        if json:
            emit_json("play", {"url": url, "port": number})
            typer.echo(nl=False)  # flushed, for whoever waits for the address
        else:
            typer.echo(url if quiet else f"open  {url}   (Ctrl-C ends it)")

    with bind(port) as listener:  # first, because the rest takes a while
        serve(_session(target, arguments or []), listener, browser=not no_browser, say=say)
    if not json and not quiet:
        typer.echo("stopped")


def _session(target: str | None, arguments: Sequence[str]) -> "Session":
    """What to show of what was named.

    Raises:
        UsageError: arguments for what takes none, or no such data set.
        DataError: there is no such file, or it cannot be read.
    """
    path = Path(target or "")
    if path.suffix.lower() in _PROGRAMS:
        if not path.is_file():
            raise DataError(f"there is no file {path}; check the path")
        from byhand.play.watch import open_watch

        return open_watch(path, arguments)
    if arguments:
        raise UsageError(f"{target} takes no arguments; only a script does")

    from byhand.play.material import of_data, of_run
    from byhand.play.studio import open_studio

    return open_studio(of_run(path) if target and (path / "run.json").is_file() else of_data(target))
