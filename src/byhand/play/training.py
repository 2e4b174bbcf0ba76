"""One start of a run that is played: a learner, where it stands, and what is known of it."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, cast, final

import torch
from torch import Tensor

from byhand.data.loader import DataLoader
from byhand.layers import Linear
from byhand.learner import Callback, Learner
from byhand.loss import cross_entropy
from byhand.lr_find.trials import first_guess
from byhand.metrics import accuracy
from byhand.model import Sequential
from byhand.networks import build_model
from byhand.optim import SGD
from byhand.play.controls import Controls
from byhand.play.curve import Curve, rounded
from byhand.play.faults import EpsilonLoss
from byhand.play.rows import Rows
from byhand.settings import Settings
from byhand.weights import restore, snapshot

__all__ = ["Beginning", "Training", "make_learner", "make_model", "point_of", "rescale"]

_LARGE: Final = 2 * 10**10  # multiplications to measure both parts: about half a second
_SMOOTH: Final = 0.95  # of the smoothed loss is what it was a step ago


@final
class Beginning:
    """Where a run that was trained before is taken up again: its weights and its history."""

    def __init__(self, model: Sequential, history: Sequence[dict[str, float | None]]) -> None:
        """Args: the trained model; a row an epoch, or none where they do not fit."""
        self.parameters = [p.detach().clone() for p in model.parameters()]
        self.history = [dict(row) for row in history]

    def put_into(self, model: Sequential) -> None:
        """Copy the weights into a model of the same sizes."""
        restore(model, {}, dict(zip(model.state_dict(), self.parameters, strict=True)))


def make_model(controls: Controls, pixels: int, classes: int) -> Sequential:
    """The model as it starts."""
    kind = "mlp" if controls.hidden else "linear"
    hidden = controls.hidden or None
    settings = Settings(model=kind, hidden=hidden, init=controls.init, seed=controls.seed).resolved()
    return build_model(settings, pixels, classes)


def make_learner(
    controls: Controls, rows: Rows, beginning: Beginning | None, cbs: Sequence[Callback], check: Callable[[], object]
) -> Learner:
    """A learner at its start, with loaders and generators of its own.

    Args:
        controls: what was chosen.
        rows: the data.
        beginning: the weights to start from, if not those of ``controls.init``.
        cbs: the learner's callbacks.
        check: called while both parts are measured, a batch after the other; what it raises ends the measuring.
    """
    dls = rows.loaders(controls)
    model = make_model(controls, math.prod(rows.data.shape), len(rows.data.classes))
    if beginning is not None:
        beginning.put_into(model)

    def checked_accuracy(preds: Tensor, labels: Tensor) -> Tensor:
        check()
        return accuracy(preds, labels)

    checked_accuracy.__name__ = "accuracy"  # the history's name for it
    loss_func = EpsilonLoss(controls.epsilon) if controls.epsilon else cross_entropy
    opt_func = partial(SGD, momentum=controls.momentum, weight_decay=controls.weight_decay)
    return Learner(dls, model, loss_func, opt_func, checked_accuracy, cbs, quiet=True)


@final
class Training:
    """A start, and all that has become of it.

    Attributes:
        number: of the start, from 1.
        learn: the learner; whoever else than its thread looks at it does so while no step is under way.
        model: the learner's.
        batches: steps in an epoch.
        curve: the points so far.
        step: steps made since the start.
        loss: of the batches, smoothed; None before the first.
        seconds: that the steps took.
        begun: whether a step was made.
        is_rough: whether the history's first row was measured on samples.
        patience: until when, on ``time.perf_counter``, a first step waits for the finder.
        shown: at which step all was shown last.
    """

    def __init__(self, number: int, learn: Learner, beginning: Beginning | None) -> None:
        """Args: as the attributes; the beginning's history is the learner's, and the curve's first points."""
        self.number = number
        self.learn = learn
        self.model = cast(Sequential, learn.model)
        self.batches = len(learn.dls.train)
        learn.history = [] if beginning is None else [dict(row) for row in beginning.history]
        self.curve = Curve([point_of(row, self.batches) for row in learn.history])
        self.step = self.finished * self.batches
        self.loss: float | None = None
        self.seconds = 0.0
        self.patience = 0.0
        self.begun = False
        self.is_rough = False
        self.shown = -1
        self._weight = 0.0
        self._guesses: dict[tuple[float, float], float] = {}
        self._found: dict[tuple[float, float], float] = {}

    @property
    def finished(self) -> int:
        """The number of finished epochs."""
        return max(0, len(self.learn.history) - 1)

    @property
    def part(self) -> float:
        """The part that is done of the epoch under way."""
        return self.step / self.batches - self.finished

    @property
    def row(self) -> dict[str, float | None] | None:
        """The row of the history that was measured with the weights as they are, if there is one."""
        at_end = self.learn.history and self.step == self.finished * self.batches
        return self.learn.history[-1] if at_end and (self.finished or not self.is_rough) else None

    def hurry(self) -> None:
        """Where it takes long to measure both parts, take the curve's first point for the history's first row.

        A person who has pressed a button wants to see something move.
        """
        dls = self.learn.dls
        rows = sum(len(cast(DataLoader, dl).x) for dl in (dls.train, dls.valid) if dl is not None)
        weights = sum(p.numel() for p in self.model.parameters())
        if not self.learn.history and self.curve.points and rows * weights > _LARGE:
            point = self.curve.points[0]
            names = ("epoch", "train_loss", "valid_loss", "train_accuracy", "valid_accuracy")
            self.learn.history.append({name: point[name] for name in names} | {"seconds": 0.0})
            self.is_rough = True

    def stepped(self, loss: float, seconds: float) -> None:
        """Take in a step: its batch's loss, and how long it took."""
        self.step += 1
        self.begun = True
        self.seconds += seconds
        self._weight = _SMOOTH * self._weight + 1 - _SMOOTH
        before = loss if self.loss is None else self.loss
        self.loss = before + (loss - before) * (1 - _SMOOTH) / self._weight  # the average of all so far, at first

    def stopped(self) -> None:
        """The loss is no number: the weights have gone back to the last finished epoch, and so does all else."""
        self.step = self.finished * self.batches
        self.loss, self._weight = None, 0.0
        self.curve.back_to(self.step)

    def lr(self, controls: Controls) -> float:
        """The rate: as told, else the finder's where it came in time, else a guess that is sensible at once."""
        if controls.lr is not None:
            return controls.lr
        key = controls.momentum, controls.weight_decay
        if key in self._found:
            return self._found[key]
        if key not in self._guesses:
            dl: Any = self.learn.dls.train
            opt = SGD([], momentum=controls.momentum, weight_decay=controls.weight_decay)
            self._guesses[key] = first_guess(opt, dl.x, dl.batch_size, self.model.sizes[-1]).lr
        return self._guesses[key]

    def find(self, controls: Controls, lr: float) -> None:
        """Take the finder's rate for these controls, unless a step was made by another."""
        if not self.begun:
            self._found[controls.momentum, controls.weight_decay] = lr

    def kept(self) -> dict[str, Tensor]:
        """A copy of the weights."""
        return snapshot(self.model, {})


def rescale(model: Sequential, factor: float) -> None:
    """Multiply the first layer's weights, so that pixels may be as much smaller."""
    first = next(layer for layer in model.layers if isinstance(layer, Linear))
    with torch.no_grad():
        first.weight *= factor


def point_of(row: dict[str, float | None], batches: int) -> dict[str, Any]:
    """The point of the curves that a row of the history is: both parts as a whole."""
    epoch = int(row["epoch"] or 0)
    names = ("train_loss", "valid_loss", "train_accuracy", "valid_accuracy")
    return {"epoch": epoch, "step": epoch * batches, "whole": True} | {name: rounded(row[name]) for name in names}
