"""A training that was played, written as a run that every command of byhand reads."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import cast, final

from torch import Tensor

from byhand import checkpoint
from byhand.model import Sequential
from byhand.play.controls import Controls
from byhand.play.rows import Rows
from byhand.play.training import make_learner, make_model, rescale
from byhand.record import record
from byhand.settings import Settings

__all__ = ["Kept", "keep", "model_of"]


@final
@dataclass(frozen=True, slots=True)
class Kept:
    """A copy of what a training is at one moment."""

    controls: Controls
    weights: Mapping[str, Tensor]
    history: list[dict[str, float | None]]
    is_rough: bool  # its first row was measured on samples
    row: dict[str, float | None] | None  # of the history, measured with these weights
    finished: int  # epochs
    part: float  # of the epoch under way
    lr: float
    seconds: float


def model_of(kept: Kept) -> Sequential:
    """The model for pixels from 0 to 1, whatever they were in training."""
    first, *_, last = kept.weights.values()  # (H, P), …, (C,)
    model = make_model(kept.controls, first.shape[1], len(last))
    model.load_state_dict(dict(kept.weights))
    if not kept.controls.scaled:
        rescale(model, 255)
    return model


def keep(kept: Kept, rows: Rows, settings: Settings) -> Path:
    """Write a new folder in ``runs`` of the working directory, and return it.

    Weights that were trained on pixels from 0 to 255 are multiplied by 255, so that the run predicts from pixels from
    0 to 1 as any other. The number of epochs is rounded up; where the last is not finished, the run's results are
    measured now, and it is called interrupted.

    Args:
        kept: what to write.
        rows: the data that it was trained on.
        settings: how they were read and split.

    Raises:
        DataError: a file cannot be written.
    """
    controls = kept.controls
    learn = make_learner(controls, rows, None, (), lambda: None)
    cast(Sequential, learn.model).load_state_dict(dict(kept.weights))
    row = kept.row or learn.measure(kept.finished, time.perf_counter())
    learn.history = list(kept.history) or [row]
    if kept.is_rough:
        learn.history[0] = make_learner(controls, rows, None, (), lambda: None).measure(0, time.perf_counter())
    settings = replace(
        settings,
        model="mlp" if controls.hidden else "linear",
        hidden=controls.hidden,
        epochs=kept.finished + (kept.part > 0),
        lr=controls.lr,
        batch_size=controls.batch_size,
        opt="sgd",
        schedule="constant",
        momentum=controls.momentum,
        weight_decay=controls.weight_decay,
        dropout=0.0,
        input_dropout=0.0,
        batch_norm=False,
        augment=False,
        precision="float32",
        init=controls.init,
        weights=None,
        freeze=False,
        reproducible=False,
        save_every=None,
    ).resolved()
    told = record(
        settings,
        rows.data,
        learn,
        lr=kept.lr,
        status="interrupted" if kept.part else "finished",
        seconds=kept.seconds,
    ) | {"results": row, "play": asdict(controls)}
    folder = checkpoint.new_run()
    checkpoint.write_history(folder, learn.history)
    checkpoint.write_times(folder, learn.history, kept.seconds)
    checkpoint.write_weights(folder, model_of(kept).state_dict())
    checkpoint.write_run(folder, told)
    return folder
