"""The command line: finds the command, and turns whatever stops it into one line and an exit status.

    0    fine
    1    a finding, or below a limit that the user set
    2    the command line is wrong
    3    data, a file or the environment is wrong
    130  interrupted; what is done is kept

Nothing heavy is imported here, and a command's file only when it is chosen: ``byhand --help`` answers at once.
"""

import atexit
import gc
import importlib
import os
import sys
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException
from typer.main import get_command

from byhand import __version__
from byhand.commands import one_line
from byhand.errors import ByhandError

__all__ = ["COMMANDS", "main"]

COMMANDS = {
    "train": "Train a linear model, an MLP or a ResNet-18 and save the run.",
    "evaluate": "Say how good a run is, honestly, and write its report.",
    "compare": "Say whether the difference between runs is real.",
    "explain": "Say how good a bare number like 58% is, or what a check of the doctor's means.",
    "doctor": "Run your own program, name its silent bugs and prove each.",
    "lr-find": "Find the learning rate, and say why.",
    "predict": "Say what a saved run sees in pictures.",
    "play": "Draw a digit, see the weights, watch a training run live.",
    "export": "Write a saved run as one file: a page that draws and predicts, or ONNX.",
    "kaggle": "Make a submission to Kaggle's Digit Recognizer, and say its score.",
    "data": "List, fetch and describe data sets.",
}

_CLOSED_PIPE = 141  # what a shell reports for a program that SIGPIPE ended


class _Commands(TyperGroup):
    """The table above; the real command takes its entry's place once it is chosen."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, _, rest = super().resolve_command(ctx, args)
        module = importlib.import_module(f"byhand.commands.{(name or '').replace('-', '_')}")
        return name, get_command(module.app), rest


_app = typer.Typer(
    cls=_Commands,
    help="Write your classifier by hand. Know whether it is right.",
    epilog="byhand COMMAND --help shows a command's options.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # plain help: a third of the time, and the same in a terminal, a pipe and a file
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"byhand {__version__}")
        raise typer.Exit


@_app.callback()
def _options(  # pyright: ignore[reportUnusedFunction]
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def _register(name: str, summary: str) -> None:
    @_app.command(name, help=summary)
    def entry() -> None:  # pyright: ignore[reportUnusedFunction]
        raise NotImplementedError  # resolve_command has put the real one here


for _name, _summary in COMMANDS.items():
    _register(_name, _summary)


def main() -> NoReturn:
    """Run the command that ``sys.argv`` names and exit with its status."""
    # To be said before torch is loaded: a thread that has nothing to do looks for work for some ten microseconds, the
    # time between two products, and then sleeps. By default it goes on looking, and beside another busy program the
    # threads wait for each other: an epoch took up to seven times as long. To fall asleep at once costs a third.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    # At the end the memory goes back as a whole. Without this Python first looks through torch's million objects one by
    # one, for a third of a second.
    atexit.register(gc.freeze)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure:  # a file name that is not Unicode, or a terminal that is not, must not stop a result
            reconfigure(errors="backslashreplace")
    try:
        status = _run(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has gone, as with `| head`
        status = _CLOSED_PIPE
    except OSError as error:
        status = _say(f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error), 3)
    try:
        sys.stdout.flush()
    except OSError:  # Python would try once more on its way out, and complain
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(status)


def _run(args: list[str]) -> int:
    """Run one command; its exit status."""
    try:
        with get_command(_app).make_context("byhand", args) as ctx:
            ctx.command.invoke(ctx)
    except typer.Exit as exit_:
        return exit_.exit_code
    except ByhandError as error:
        return _say(str(error), error.exit_code)
    except TyperException as error:
        return _usage(error)
    except (KeyboardInterrupt, typer.Abort):
        return _say("interrupted", 130)
    except MemoryError:
        return _say("not enough memory", 3)
    except RuntimeError as error:
        if "can't allocate memory" in str(error) or type(error).__name__ == "OutOfMemoryError":  # torch's own way
            return _say("not enough memory; try a smaller --batch-size or --hidden", 3)
        raise
    return 0


def _usage(error: TyperException) -> int:
    ctx: Any = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(ctx.get_help(), err=True)
        return 2
    message = error.format_message().rstrip(".")
    if ctx:
        message += f"{'' if message.endswith('?') else ';'} see {ctx.command_path} --help"
    return _say(message, 2)


def _say(message: str, status: int) -> int:
    print(f"byhand: {one_line(message)}", file=sys.stderr)  # noqa: T201
    return status
