"""A training run within a command: what is said of its rate, and what when it does not come to its end."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from byhand.commands import one_line
from byhand.errors import DataError

if TYPE_CHECKING:
    from byhand.recipe import Recipe
    from byhand.state import State

__all__ = ["rate_line", "run", "run_fields"]


def rate_line(plan: "Recipe") -> str:
    """The rate and why it is that, and what else decides a step."""
    s = plan.settings
    return f"rate   {plan.lr:.3g}, {plan.reason}; {s.opt}, {s.schedule}, batches of {s.batch_size}, seed {s.seed}"


def run(plan: "Recipe", folder: Path, state: "State | None", command: str = "byhand train") -> dict[str, Any]:
    """``recipe.train``; what stops it says which ``command`` goes on with ``--resume``.

    Raises:
        Exit: it was interrupted, which has been said.
        DataError: a file cannot be written.
    """
    from byhand import recipe

    again = f"{command} --resume {one_line(str(folder))}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a loss that is no number is said at the end
            return recipe.train(plan, folder, state)
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
