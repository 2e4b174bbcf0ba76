"""``byhand lr-find``: the learning rate, why, and the picture that people expect."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from byhand.commands import emit_json, new_app, one_line, options
from byhand.commands.lines import data_line, model_line
from byhand.data.load import open_data
from byhand.errors import UsageError

if TYPE_CHECKING:
    from byhand.lr_find.found import LRFound

app = new_app()

_PICTURES = (".svg", ".png")


@app.command()
def lr_find(
    data: options.Data = None,
    model: options.Model = None,
    hidden: options.Hidden = None,
    epochs: options.Epochs = None,
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
    like: options.Like = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the range test, .svg or .png.")] = None,
    json: options.Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the rate only.")] = False,
) -> None:
    """Find the learning rate for a run with these options, by short trials; nothing is trained or saved.

    Beside it stands what four rules read off a range test, a hundred steps at a growing rate.
    """
    given = options.given_settings(locals())
    settings, source = options.chosen(like, given, data)
    if plot and plot.suffix.lower() not in _PICTURES:
        raise UsageError(f"--plot {plot}: give a file that ends in {' or '.join(_PICTURES)}")
    talk = not json and not quiet
    parts = open_data(source, settings.valid, settings.seed, size=settings.size, grayscale=settings.grayscale)
    if talk:
        typer.echo(data_line(parts, source))

    from byhand import recipe  # after the first line, because it imports torch

    settings, net, learn = recipe.build(replace(settings, lr=None), parts, quiet=True)
    if talk:
        typer.echo(model_line(settings, net))
    found = recipe.find_lr(settings, learn)
    if plot:
        found.save_plot(plot)
    if json:
        emit_json("lr-find", _fields(found))
    elif quiet:
        typer.echo(f"{found.lr:.3g}")
    else:
        steps = len(learn.dls.train) * (settings.epochs or 0)
        typer.echo(_answer(found, settings.epochs or 0, steps))
        typer.echo(_next(data, like, given, found.lr))


def _fields(found: "LRFound") -> dict[str, object]:
    return {
        "lr": found.lr,
        "low": found.low,
        "high": found.high,
        "rule": found.rule,
        "suggestions": found.suggestions,
        "ranges": found.ranges,
        "steps": found.steps,
        "curve": {"lrs": found.curve.lrs, "losses": found.curve.losses},
        "seconds": found.seconds,
    }


def _answer(found: "LRFound", epochs: int, steps: int) -> str:
    cost = f", {100 * found.steps / steps:.1f} % of those of {epochs} epochs" if steps else ""
    lines = [
        f"rate   {found.lr:.3g}; from {found.low:.2g} to {found.high:.2g} a trial does about as well",
        f"       {found.rule}; {found.steps} steps{cost}",
        "",
        f"       {'rule':10}{'suggests':>10}    over {len(found.curves)} orders of the batches",
    ]
    for name, lr in found.suggestions.items():
        spread = found.ranges[name]
        over = "" if spread is None else f"{spread[0]:.2g} to {spread[1]:.2g}"
        lines.append(f"       {name:10}{'nothing' if lr is None else f'{lr:.2g}':>10}    {over}".rstrip())
    lines += [
        "",
        "The four rules read the range test, one pass of steps at a growing rate: a picture that people expect, no",
        "decision. The rate above is decided by trials of the run itself.",
    ]
    return "\n".join(lines)


def _next(data: str | None, like: Path | None, given: dict[str, Any], lr: float) -> str:
    """The command that trains with this rate."""
    words = ["byhand", "train", *([data] if data else []), *(["--like", str(like)] if like else [])]
    for name, value in given.items():
        text = ",".join(map(str, value)) if name == "hidden" else str(value)
        words += [f"--{name.replace('_', '-')}", *([] if value is True else [text])]
    return f"next   {one_line(shlex.join([*words, '--lr', f'{lr:.3g}']))}"
