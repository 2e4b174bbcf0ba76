"""A training run within a command: begun or taken up, held, and what is said when it does not come to its end."""

import warnings
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from byhand.commands import one_line
from byhand.commands.lines import model_line
from byhand.distributed import World
from byhand.errors import DataError

if TYPE_CHECKING:
    from byhand.data.dataset import Dataset
    from byhand.data.shards import Sharded
    from byhand.recipe import Recipe
    from byhand.settings import Settings
    from byhand.state import State

__all__ = ["run_fields", "trained"]


def trained(
    settings: "Settings",
    data: "Dataset | Sharded",
    *,
    resume: Path | None,
    like: Path | None,
    out: Path | None,
    talk: bool,
    world: World | None = None,
    command: str = "byhand train",
) -> tuple["Recipe", Path, dict[str, Any]]:
    """A run of these settings, or one taken up, from its first lines to its folder: recipe, folder and record.

    No other process has the folder meanwhile.

    Args:
        settings: resolved.
        data: what to learn from.
        resume: the run to go on with.
        like: the run that the settings are from; where this machine is another, that is said.
        out: the folder to make; None for the next free one.
        talk: print the model, the rate and the table.
        world: the processes that share the work.
        command: what goes on with ``--resume``, should this one be stopped.

    Raises:
        Exit: it was interrupted, which has been said.
        UsageError, DataError: as ``recipe.prepare``, ``runs.resume`` and ``runs.train``.
    """
    from byhand import checkpoint, recipe, runs  # they import torch

    world = world or World()
    with ExitStack() as lock:
        state = None
        if resume is None:
            plan = recipe.prepare(settings, data, quiet=not talk, world=world)
        else:
            with world.together():
                if world.rank == 0:
                    lock.enter_context(checkpoint.held(resume))
            plan, state, damaged = runs.resume(resume, data, quiet=not talk, world=world)
            for line in damaged if world.rank == 0 else []:
                typer.echo(f"byhand: {one_line(line)}; the state before it is used", err=True)
        if like is not None and world.rank == 0:
            _say_unlike(like, plan)
        if talk:
            typer.echo(f"{model_line(plan.settings, plan.model)}\n{_rate_line(plan)}\n")
        with world.together():
            folder = resume or (checkpoint.new_run(out) if world.rank == 0 else Path())
            if resume is None and world.rank == 0:
                lock.enter_context(checkpoint.held(folder, new=True))
        return plan, folder, _run(plan, folder, state, command)


def _say_unlike(like: Path, plan: "Recipe") -> None:
    from byhand.checkpoint import read_run
    from byhand.record import unlike

    if other := unlike(read_run(like), plan.learn):
        typer.echo(f"byhand: the bits may be others than those of {one_line(str(like))}: {'; '.join(other)}", err=True)


def _rate_line(plan: "Recipe") -> str:
    """The rate and why it is that, and what else decides a step."""
    s = plan.settings
    return f"rate   {plan.lr:.3g}, {plan.reason}; {s.opt}, {s.schedule}, batches of {s.batch_size}, seed {s.seed}"


def _run(plan: "Recipe", folder: Path, state: "State | None", command: str) -> dict[str, Any]:
    """``runs.train``; what stops it says which ``command`` goes on with ``--resume``."""
    from byhand import runs

    again = f"{command} --resume {one_line(str(folder))}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a loss that is no number is said at the end
            return runs.train(plan, folder, state)
    except KeyboardInterrupt:
        epochs = max(0, len(plan.learn.history) - 1)
        if plan.learn.world.rank == 0:
            typer.echo(
                f"byhand: interrupted; {epochs} finished epochs are kept in {one_line(str(folder))}; {again}", err=True
            )
        raise typer.Exit(130) from None
    except DataError as error:
        if not (folder / "run.json").exists():
            raise
        raise DataError(f"{error}; then {again}") from error


def run_fields(plan: "Recipe", record: dict[str, Any]) -> dict[str, object]:
    """What ``--json`` has of a run, whatever it was made for."""
    return {
        "model": plan.settings.model,
        "hidden": plan.settings.hidden,
        "parameters": record["parameters"],
        "lr": plan.lr,
        "lr_rule": plan.reason,
        "epochs": plan.learn.history,
        "status": record["status"],
        "stopped": record["stopped"],
        "seconds": record["seconds"],
    }
