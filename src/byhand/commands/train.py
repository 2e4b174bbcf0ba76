"""``byhand train``: from image files to a saved model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from byhand.commands import emit_json, new_app, one_line, options
from byhand.commands.lines import data_line
from byhand.commands.running import run_fields, trained
from byhand.data.load import open_data
from byhand.distributed import joined, restarts
from byhand.errors import UsageError

if TYPE_CHECKING:
    from byhand.recipe import Recipe

app = new_app()


@app.command()
def train(
    ctx: typer.Context,
    data: options.Data = None,
    model: options.Model = None,
    hidden: options.Hidden = None,
    epochs: options.Epochs = None,
    lr: options.Lr = None,
    batch_size: options.BatchSize = None,
    opt: options.Opt = None,
    schedule: options.Schedule = None,
    momentum: options.Momentum = None,
    weight_decay: options.WeightDecay = None,
    dropout: options.Dropout = None,
    input_dropout: options.InputDropout = None,
    batch_norm: options.BatchNorm = None,
    augment: options.Augment = None,
    valid: options.Valid = None,
    seed: options.Seed = None,
    device: options.Device = None,
    precision: options.Precision = None,
    init: options.Init = None,
    weights: options.Weights = None,
    freeze: options.Freeze = None,
    size: options.Size = None,
    grayscale: options.Grayscale = None,
    reproducible: options.Reproducible = None,
    save_every: options.SaveEvery = None,
    out: options.Out = None,
    like: options.Like = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Go on with this run where it was left, to the same bits.")
    ] = None,
    json: options.Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the run's folder only.")] = False,
) -> None:
    """Train a linear model, an MLP or a ResNet-18, written by hand, and save the run.

    The test part of the data stays closed: the table shows the training part and the part kept to judge by.
    """
    given = options.given_settings(locals())
    if resume is not None and (given or data or like or out):
        raise UsageError("--resume goes on with a run as it was begun; give no data and no other settings with it")
    if restarts() and not (resume or out):
        raise UsageError("--max-restarts: name the run's folder with --out, so that a restart finds it")
    settings, source = options.chosen(like or resume, given, data)
    world = ctx.with_resource(joined(settings.device))
    if out is not None and world.restarted and world.broadcast(float((out / "run.json").exists())):
        resume, like = out, None
        settings, source = options.chosen(resume, {}, None)
    table = not json and not quiet and world.rank == 0
    parts = world.first(
        lambda: open_data(source, settings.valid, settings.seed, size=settings.size, grayscale=settings.grayscale)
    )
    if table:
        typer.echo(data_line(parts, source))

    if resume is not None and world.restarted and _is_finished(resume):
        world.ends_together = True
        return
    plan, folder, record = trained(settings, parts, resume=resume, like=like, out=out, talk=table, world=world)
    if world.rank:
        raise typer.Exit(1 if plan.learn.stopped else 0)
    if json:
        emit_json("train", _fields(folder, plan, record))
    elif quiet:
        typer.echo(one_line(str(folder)))
    else:
        typer.echo(_closing(folder, plan, record))
    if plan.learn.stopped:
        typer.echo(f"byhand: {plan.learn.stopped}", err=True)
        raise typer.Exit(1)


def _is_finished(run: Path) -> bool:
    from byhand.checkpoint import read_run

    return read_run(run)["status"] == "finished"


def _fields(folder: Path, plan: "Recipe", record: dict[str, Any]) -> dict[str, object]:
    return {
        "run": folder,
        "data": {name: record["data"][name] for name in ("source", "train", "valid", "test", "hash")},
        **run_fields(plan, record),
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
