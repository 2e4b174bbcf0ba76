"""``byhand train``: from image files to a saved model."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from byhand.commands import emit_json, new_app, one_line
from byhand.data.dataset import Dataset
from byhand.data.load import load
from byhand.errors import DataError, UsageError
from byhand.settings import Settings

if TYPE_CHECKING:
    from byhand.recipe import Recipe

app = new_app()


@app.command()
def train(
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="[DATA]", help="A name (byhand data list), a folder, a .csv or .npz file. [MNIST or digits]"
        ),
    ] = None,
    model: Annotated[str | None, typer.Option(help="linear or mlp.  [linear]")] = None,
    hidden: Annotated[
        str | None, typer.Option(metavar="N[,N...]", help="Units of the MLP's hidden layers.  [30]")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Passes over the training part.  [linear: 20, mlp: 30; more for few images]")
    ] = None,
    lr: Annotated[
        float | None, typer.Option(help="Learning rate.  [from the data's curvature, or a usual one]")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images a step.  [256]")] = None,
    opt: Annotated[str | None, typer.Option(help="sgd or adam.  [sgd]")] = None,
    schedule: Annotated[str | None, typer.Option(help="constant, flat-cos or one-cycle.  [flat-cos]")] = None,
    momentum: Annotated[float | None, typer.Option(help="Of SGD.  [0]")] = None,
    weight_decay: Annotated[float | None, typer.Option(help="L2 penalty.  [0]")] = None,
    dropout: Annotated[float | None, typer.Option(help="Part of the hidden units left out of a step.  [0]")] = None,
    valid: Annotated[float | None, typer.Option(help="Part of the training images kept to judge by.  [0.1]")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the split, the start and the order.  [42]")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, ... or auto.  [auto]")] = None,
    init: Annotated[
        str | None, typer.Option(metavar="INIT", help="zeros, normal:STD or kaiming.  [linear: zeros, mlp: kaiming]")
    ] = None,
    weights: Annotated[str | None, typer.Option(metavar="FILE", help="Start from these .safetensors weights.")] = None,
    freeze: Annotated[bool | None, typer.Option("--freeze", help="Train the last layer only.")] = None,
    size: Annotated[int | None, typer.Option(help="Resize image files to SIZE x SIZE.")] = None,
    grayscale: Annotated[bool | None, typer.Option("--grayscale", help="Make image files grey.")] = None,
    reproducible: Annotated[
        bool | None, typer.Option("--reproducible", help="The same bits whatever the number of threads; slower.")
    ] = None,
    save_every: Annotated[int | None, typer.Option(metavar="STEPS", help="Save the state every STEPS steps.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="The run's folder.  [runs/DATE-NUMBER]")] = None,
    like: Annotated[Path | None, typer.Option(metavar="RUN", help="Take what is not given from this run.")] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the run's folder only.")] = False,
) -> None:
    """Train a linear model or an MLP, written by hand, and save the run.

    The test part of the data stays closed: the table shows the training part and the part kept to judge by.
    """
    given = {name: value for name, value in locals().items() if value is not None and name in Settings.__slots__}
    if hidden is not None:
        given["hidden"] = _units(hidden)
    settings, source = _repeat(like, given, data)
    table = not json and not quiet
    parts = load(source, settings.valid, settings.seed, size=settings.size, grayscale=settings.grayscale)
    if table:
        typer.echo(_data_line(parts, source))

    from byhand import checkpoint, recipe  # after the first line, because they import torch

    plan = recipe.prepare(settings, parts, quiet=not table)
    if table:
        typer.echo(f"{_model_line(plan)}\n{_rate_line(plan)}\n")
    folder = checkpoint.new_run(out)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a loss that is no number is said below
            record = recipe.train(plan, folder)
    except KeyboardInterrupt:
        epochs = max(0, len(plan.learn.history) - 1)
        typer.echo(f"byhand: interrupted; {epochs} finished epochs are kept in {one_line(str(folder))}", err=True)
        raise typer.Exit(130) from None
    if json:
        emit_json("train", _fields(folder, plan, record))
    elif quiet:
        typer.echo(one_line(str(folder)))
    else:
        typer.echo(_closing(folder, plan, record))
    if plan.learn.stopped:
        typer.echo(f"byhand: {plan.learn.stopped}", err=True)
        raise typer.Exit(1)


def _units(hidden: str) -> tuple[int, ...]:
    try:
        return tuple(int(units) for units in hidden.split(","))
    except ValueError:
        raise UsageError(f"--hidden {hidden}: give whole numbers with commas between them, like 512,256") from None


def _repeat(like: Path | None, given: dict[str, Any], data: str | None) -> tuple[Settings, str | None]:
    """The settings and the source: those of the run to repeat, if any, with what was given in their place."""
    if like is None:
        return Settings(**given).resolved(), data

    from byhand.checkpoint import read_run

    record = read_run(like)
    settings = Settings.of(record).changed(given).resolved()
    try:
        return settings, data or str(record["data"]["source"])
    except (KeyError, TypeError):
        raise DataError(f"{like} is damaged: its run.json names no data; name them, or train again") from None


def _data_line(data: Dataset, source: str | None) -> str:
    sizes = f"{len(data.train):,} images to learn from, {len(data.valid):,} to judge by, {len(data.test):,} sealed"
    other = {"mnist": "  (a quick try: byhand train digits)", "digits": "  (for MNIST: byhand data get mnist)"}
    return f"data   {one_line(data.source)}: {sizes}" + (other.get(data.source, "") if source is None else "")


def _model_line(plan: "Recipe") -> str:
    sizes = [str(w.shape[1]) for w in plan.model.parameters() if w.dim() == 2] + [str(len(plan.data.classes))]
    numbers = sum(p.numel() for p in plan.model.parameters())
    return f"model  {plan.settings.model} {'-'.join(sizes)}: {numbers:,} numbers, started from {plan.settings.init}"


def _rate_line(plan: "Recipe") -> str:
    s = plan.settings
    return f"rate   {plan.lr:.3g}, {plan.reason}; {s.opt}, {s.schedule}, batches of {s.batch_size}, seed {s.seed}"


def _fields(folder: Path, plan: "Recipe", record: dict[str, Any]) -> dict[str, object]:
    return {
        "run": folder,
        "data": {name: record["data"][name] for name in ("source", "train", "valid", "test", "hash")},
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


def _closing(folder: Path, plan: "Recipe", record: dict[str, Any]) -> str:
    last = plan.learn.history[-1]
    if last["valid_accuracy"] is not None:
        right, judged = last["valid_accuracy"], f"the {len(plan.data.valid):,} images kept to judge by"
    else:
        right, judged = last["train_accuracy"] or 0.0, "the images it learnt from (none was kept to judge by)"
    name = one_line(str(folder))
    return (
        f"\n{100 * right:.1f} % of {judged} are named right, after {record['seconds']:.1f} s.\n"
        f"saved  {name}\nnext   byhand predict {name} PICTURE"
    )
