"""What is played: a data set, or a run with the data that it learnt from, where these are still to be had."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

from byhand import checkpoint, runs
from byhand.data.dataset import Dataset
from byhand.data.load import load
from byhand.errors import ByhandError, DataError, UsageError
from byhand.evaluate.run_data import read_data
from byhand.fold import folded
from byhand.model import Sequential
from byhand.play.controls import Controls, Room
from byhand.play.training import Beginning, make_model, rescale
from byhand.record import describe
from byhand.settings import Settings

__all__ = ["Material", "of_data", "of_run"]

_COLUMNS: Final = ("epoch", "train_loss", "valid_loss", "train_accuracy", "valid_accuracy", "seconds")


@final
@dataclass(frozen=True, slots=True)
class Material:
    """All that a studio starts from."""

    title: str
    about: dict[str, Any]  # as ``record.describe`` tells of the data
    data: Dataset | None  # None: the weights can be looked at and not trained
    reason: str | None  # why not
    settings: Settings  # how the data were read and split
    controls: Controls
    beginning: Beginning | None
    model: Sequential  # as it starts

    @property
    def room(self) -> Room:
        """What choices have to fit to."""
        height, width = self.about["shape"]
        return Room(height * width, len(self.about["classes"]), max(1, int(self.about["train"])))

    @property
    def unlike(self) -> str | None:
        """In words, what the run learnt with and is not played."""
        others: list[tuple[str, str]] = []
        if self.settings.opt == "adam":
            others.append(("Adam", "by SGD"))
        if share := self.settings.dropout or self.settings.input_dropout:
            others.append((f"dropout {share:g}", "without dropout"))
        if self.settings.batch_norm:
            others.append(("batch norm", "without batch norm"))
        if self.settings.augment:
            others.append(("deformed images", "from the images as they are"))
        learnt, goes_on = (" and ".join(pair[i] for pair in others) for i in range(2))
        return f"This run learnt with {learnt}; here it goes on {goes_on}." if others else None

    @property
    def reading(self) -> tuple[int | None, bool]:
        """``size`` and ``grayscale``, with which the data were read."""
        return self.settings.size, self.settings.grayscale


def of_data(source: str | None) -> Material:
    """A linear model from zero on what ``load`` makes of a source.

    Raises:
        DataError, UsageError: the source cannot be read.
    """
    data = load(source, sample=True)
    about = describe(data)
    controls = Controls(batch_size=min(Controls().batch_size, len(data.train)))
    model = make_model(controls, math.prod(data.shape), len(data.classes))
    return Material(data.source, about, data, None, Settings(), controls, None, model)


def of_run(run: Path) -> Material:
    """A run's model and history, on its own data.

    Data that are gone or have changed leave the model to be looked at.

    Raises:
        DataError: the run cannot be read.
        UsageError: its model is not made of layers that the page can show.
    """
    model, record = runs.load_run(run)
    if not isinstance(model, Sequential):
        raise UsageError(
            f"the page shows linear models and MLPs, and {run} is a {type(model).__name__}; byhand predict says what "
            "it sees"
        )
    model = folded(model)
    settings, about = Settings.of(record), dict(record["data"])
    data, reason = _data(run, record)
    if data is not None:
        about = describe(data)
    controls = _controls(settings, record, len(data.train) if data is not None else int(about["train"]))
    if not controls.scaled:
        rescale(model, 1 / 255)  # what was saved is for pixels from 0 to 1
    played = record.get("play")
    unfinished = isinstance(played, dict) and record["status"] == "interrupted"  # its last row has other weights
    beginning = Beginning(model, [] if unfinished else _history(run))
    return Material(str(run), about, data, reason, settings, controls, beginning, model)


def _data(run: Path, record: dict[str, Any]) -> tuple[Dataset | None, str | None]:
    """The run's data, or why there are none."""
    try:
        found = read_data(run, record)
    except ByhandError as error:
        return None, f"the data of this run cannot be read: {error}"
    return (None, found) if isinstance(found, str) else (found, None)


def _controls(settings: Settings, record: Mapping[str, Any], rows: int) -> Controls:
    """The run's choices; of one that was played, the faults too. Adam's rate says nothing about SGD's."""
    lr: Any = record.get("lr")
    controls = Controls(
        hidden=settings.hidden or (),
        lr=float(lr) if settings.opt == "sgd" and isinstance(lr, int | float) else None,
        batch_size=max(1, min(settings.batch_size, rows)),
        init=settings.init or "zeros",
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
        seed=settings.seed,
    )
    played: Any = record.get("play")
    if not isinstance(played, dict):
        return controls
    room = Room(record["data"]["shape"][0] * record["data"]["shape"][1], len(record["data"]["classes"]), rows)
    names = ("init", "shuffle", "scaled", "epsilon", "metric", "seed")
    try:
        return controls.changed({name: played[name] for name in names if name in played}, room)
    except UsageError:
        return controls


def _history(run: Path) -> list[dict[str, float | None]]:
    """The run's rows, an epoch each from 0, or none where they are no such rows."""
    try:
        rows = checkpoint.read_history(run)
    except DataError:
        return []
    fits = all(tuple(row) == _COLUMNS and row["epoch"] == epoch and _numbers(row) for epoch, row in enumerate(rows))
    return rows if fits else []


def _numbers(row: Mapping[str, Any]) -> bool:
    return all(value is None or isinstance(value, int | float) for value in row.values())
