"""What ``Learner`` does when it is asked for a rate: the choice by trials, and beside it the range test's picture."""

import math
import statistics
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from torch import nn

from byhand.data.loader import DataLoader
from byhand.errors import DataError
from byhand.layers import Linear
from byhand.lr_find.found import LRCurve, LRFound
from byhand.lr_find.range_test import RULES, Rule, range_test, suggest, valley
from byhand.lr_find.rehearsal import Rehearsal
from byhand.lr_find.trials import Choice, Guess, first_guess, search, trial_steps
from byhand.model import Sequential
from byhand.optim import Schedule, constant
from byhand.progress import in_notebook
from byhand.wide import is_wide

if TYPE_CHECKING:
    from byhand.learner import Learner

__all__ = ["auto_lr", "lr_find"]

_TOP = 3  # powers of √2 above the guess for one linear layer: at four times C/L the loss rises before it falls
_EPOCHS, _STEPS = 20, 2000  # a run whose length nobody says: so many epochs, or more that make so many steps


def auto_lr(learn: "Learner", n_epoch: int | None, schedule: Callable[[float], Schedule]) -> Choice:
    """The rate for a run of ``n_epoch`` epochs along ``schedule``, by trials; where none succeeds, the guess.

    For one linear layer under SGD the guess is then 2/L, which cannot raise the loss (``curvature``). That is taken at
    once for a layer too wide to be put back after a trial (``wide``).
    """
    train, model = learn.dls.train, learn.model
    if isinstance(model, Sequential) and is_wide(model.parameters()) and isinstance(train, DataLoader):
        guess = first_guess(learn.optimizer(), train.x, train.batch_size, model.sizes[-1])
        lr = guess.lr * (min(1.0, 2 / model.sizes[-1]) if _is_linear(model) else 1.0)
        return Choice(lr, lr, lr, f"{guess.origin}: weights so many are not tried out")
    with learn.rehearsal(_steps(learn, n_epoch)[1]) as rehearsal:
        try:
            return _search(learn, rehearsal, n_epoch, schedule)
        except DataError:
            guess = _guess(learn, rehearsal, n_epoch)
            certain = guess.plain and _is_linear(learn.model)
            lr = guess.lr * min(1.0, 2 / _classes(rehearsal)) if certain else guess.lr
            return Choice(lr, lr, lr, f"{guess.origin}, because no trial lowered the loss")


def lr_find(
    learn: "Learner",
    start_lr: float = 1e-7,
    end_lr: float = 10.0,
    num_it: int = 100,
    stop_div: bool = True,
    show_plot: bool = True,
    suggest_funcs: Rule | Sequence[Rule] = (valley,),
    *,
    n_epoch: int | None = None,
    schedule: Callable[[float], Schedule] = constant,
    orders: int = 5,
) -> LRFound:
    """Look for the rate by short trials, and show the range test's curve beside it; afterwards nothing has changed.

    Args:
        learn: what is to be trained.
        start_lr: the range test's first rate.
        end_lr: and its last.
        num_it: its steps.
        stop_div: whether it ends once the loss is above four times its least.
        show_plot: draw the curve, in a notebook.
        suggest_funcs: the rules whose suggestions the result gives when it is unpacked, as fastai's does.
        n_epoch: the length of the run to come; 20 epochs or 2,000 steps if not said. Longer runs get longer trials.
        schedule: the rate's course in it.
        orders: of the batches, so many, in the range test.

    Raises:
        DataError: there is no batch, the loss is no number from the start, or no rate makes it fall.
        ValueError: a range that is none.
    """
    if not 0 < start_lr < end_lr or num_it < 1 or orders < 1:
        raise ValueError("lr_find needs 0 < start_lr < end_lr, and num_it and orders of at least 1")
    begun = time.perf_counter()
    with learn.rehearsal(max(num_it, _steps(learn, n_epoch)[1])) as rehearsal:
        choice = _search(learn, rehearsal, n_epoch, schedule)
        steps = rehearsal.steps
        runs = [range_test(rehearsal, start_lr, end_lr, num_it, stop_div, seed) for seed in range(orders)]
    curves = tuple(LRCurve(tuple(rates), tuple(losses)) for rates, losses in runs)
    suggestions = {name: _summary(rule, runs, num_it) for name, rule in RULES.items()}
    asked = (suggest_funcs,) if callable(suggest_funcs) else tuple(suggest_funcs)
    found = LRFound(
        lr=choice.lr,
        low=choice.low,
        high=choice.high,
        rule=choice.rule,
        **{name: middle for name, (middle, _) in suggestions.items()},
        ranges={name: spread for name, (_, spread) in suggestions.items()},
        curves=curves,
        asked=tuple(_summary(rule, runs, num_it)[0] for rule in asked),
        steps=steps,
        seconds=time.perf_counter() - begun,
    )
    if show_plot and in_notebook():
        found.plot()
    return found


def _search(
    learn: "Learner", rehearsal: Rehearsal, n_epoch: int | None, schedule: Callable[[float], Schedule]
) -> Choice:
    top = _top(learn, rehearsal) if _is_linear(learn.model) else None
    return search(rehearsal, _guess(learn, rehearsal, n_epoch), _steps(learn, n_epoch), schedule, top)


def _top(learn: "Learner", rehearsal: Rehearsal) -> int:
    """How far above the guess one linear layer may go, in powers of √2.

    With more weights than rows to learn from it can learn these by heart, and a higher rate only gets there sooner.
    """
    return _TOP if rehearsal.weights <= len(learn.dls.train) * rehearsal.batch_size else 0


def _guess(learn: "Learner", rehearsal: Rehearsal, n_epoch: int | None) -> Guess:
    """Where to begin. A run over one batch meets all its rows at each step, so that nothing depends on a draw.

    Of targets that are probabilities (N, C), a row that adds to s counts s times.
    """
    train = learn.dls.train
    x, y = (train.x, train.y) if isinstance(train, DataLoader) else (rehearsal.x, rehearsal.y)  # (N, …)
    batch_size = math.inf if n_epoch is not None and len(train) == 1 else rehearsal.batch_size
    counts = y.sum(dim=1) if learn.by_hand and y.dim() == 2 and y.is_floating_point() else None  # (N,)
    return first_guess(learn.optimizer(), x, batch_size, _classes(rehearsal), counts)


def _classes(rehearsal: Rehearsal) -> int:
    return rehearsal.predict(rehearsal.held_x[:1]).shape[-1]


def _steps(learn: "Learner", n_epoch: int | None) -> tuple[int, int]:
    total = max(_EPOCHS * len(learn.dls.train), _STEPS) if n_epoch is None else n_epoch * len(learn.dls.train)
    return trial_steps(total, _is_linear(learn.model))


def _is_linear(model: object) -> bool:
    if isinstance(model, Sequential):
        return sum(isinstance(layer, Linear) for layer in model.layers) == 1
    return isinstance(model, nn.Linear)


def _summary(
    rule: Rule, runs: list[tuple[list[float], list[float]]], num_it: int
) -> tuple[float | None, tuple[float, float] | None]:
    """Over the orders, the median of what a rule says, and the range; None where it never says anything."""
    said = [lr for lr in (suggest(rule, rates, losses, num_it) for rates, losses in runs) if lr is not None]
    return (statistics.median(said), (min(said), max(said))) if said else (None, None)
