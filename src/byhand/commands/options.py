"""The options that several commands have, and what becomes of those of a training run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from byhand.errors import DataError, UsageError
from byhand.settings import Settings

__all__ = ["chosen", "given_settings"]

Data = Annotated[
    str | None,
    typer.Argument(
        metavar="[DATA]", help="A name (byhand data list), a folder, a .csv, .npz or .parquet file. [MNIST or digits]"
    ),
]
Model = Annotated[str | None, typer.Option(help="linear, mlp or resnet18.  [linear]")]
Hidden = Annotated[str | None, typer.Option(metavar="N[,N...]", help="Units of the MLP's hidden layers.  [30]")]
Epochs = Annotated[
    int | None,
    typer.Option(help="Passes over the training part.  [linear: 20, mlp: 30, resnet18: 10; more for few images]"),
]
Lr = Annotated[
    str | None,
    typer.Option(
        metavar="auto|X",
        help="Learning rate; auto finds it as byhand lr-find does; of resnet18 it is the usual one.  [auto]",
    ),
]
BatchSize = Annotated[int | None, typer.Option(help="Images a step.  [256]")]
Opt = Annotated[str | None, typer.Option(help="sgd or adam.  [sgd]")]
Schedule = Annotated[str | None, typer.Option(help="constant, flat-cos or one-cycle.  [flat-cos; resnet18: one-cycle]")]
Momentum = Annotated[float | None, typer.Option(help="Of SGD.  [0]")]
WeightDecay = Annotated[float | None, typer.Option(help="L2 penalty.  [0]")]
Dropout = Annotated[float | None, typer.Option(help="Part of the hidden units left out of a step.  [0]")]
InputDropout = Annotated[float | None, typer.Option(help="Part of the pixels left out of a step.  [0]")]
BatchNorm = Annotated[bool | None, typer.Option("--batch-norm", help="Normalise the hidden layers over each batch.")]
Augment = Annotated[
    bool | None, typer.Option("--augment", help="Turn, shift and bend each image a little, anew in each epoch.")
]
Valid = Annotated[float | None, typer.Option(help="Part of the training images kept to judge by.  [0.1]")]
Seed = Annotated[int | None, typer.Option(help="Of the split, the start and the order.  [42]")]
Device = Annotated[str | None, typer.Option(help="cpu, cuda, ... or auto.  [auto]")]
Precision = Annotated[
    str | None,
    typer.Option(help="Of hidden layers' products: float32 or bfloat16.  [bfloat16 where it is faster]"),
]
Init = Annotated[
    str | None, typer.Option(metavar="INIT", help="zeros, normal:STD or kaiming.  [linear: zeros, others: kaiming]")
]
Weights = Annotated[
    str | None,
    typer.Option(
        metavar="FILE|imagenet",
        help="Start from these .safetensors weights; imagenet fetches resnet18's published ones.",
    ),
]
Freeze = Annotated[bool | None, typer.Option("--freeze", help="Train the last layer only.")]
Size = Annotated[int | None, typer.Option(help="Resize image files to SIZE x SIZE.")]
Grayscale = Annotated[bool | None, typer.Option("--grayscale", help="Make image files grey.")]
Reproducible = Annotated[
    bool | None, typer.Option("--reproducible", help="The same bits whatever the number of threads; slower.")
]
SaveEvery = Annotated[int | None, typer.Option(metavar="STEPS", help="Save the state every STEPS steps.")]
Out = Annotated[Path | None, typer.Option(metavar="DIR", help="The run's folder.  [runs/DATE-NUMBER]")]
Like = Annotated[Path | None, typer.Option(metavar="RUN", help="Take what is not given from this run.")]

Run = Annotated[Path, typer.Argument(metavar="RUN", help="A folder that byhand train made.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]


def given_settings(options: Mapping[str, Any]) -> dict[str, Any]:
    """The settings among a command's options that were given, each as ``Settings`` has it.

    Raises:
        UsageError: ``--hidden`` or ``--lr`` is none.
    """
    given = {name: value for name, value in options.items() if value is not None and name in Settings.__slots__}
    if "hidden" in given:
        given["hidden"] = _units(given["hidden"])
    if "lr" in given:
        given["lr"] = _rate(given["lr"])
    return given


def chosen(like: Path | None, given: dict[str, Any], data: str | None) -> tuple[Settings, str | None]:
    """The settings and the source: those of the run to repeat, if any, with what was given in their place.

    Raises:
        UsageError: a choice that does not exist, or two that exclude each other.
        DataError: the run cannot be read.
    """
    if like is None:
        return Settings(**given).resolved(), data

    from byhand.checkpoint import read_run

    record = read_run(like)
    settings = Settings.of(record).changed(given).resolved()
    try:
        return settings, data or str(record["data"]["source"])
    except (KeyError, TypeError):
        raise DataError(f"{like} is damaged: its run.json names no data; name them, or train again") from None


def _units(hidden: str) -> tuple[int, ...]:
    try:
        return tuple(int(units) for units in hidden.split(","))
    except ValueError:
        raise UsageError(f"--hidden {hidden}: give whole numbers with commas between them, like 512,256") from None


def _rate(lr: str) -> float | None:
    try:
        return None if lr == "auto" else float(lr)
    except ValueError:
        raise UsageError(f"--lr {lr}: give a number, like 0.1, or auto") from None
