"""Short runs on a part of the training rows, from the weights as they are, judged by rows that they do not use."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, final

import torch
from torch import Tensor

from byhand.batches import HELD
from byhand.errors import DataError
from byhand.metrics import Mean
from byhand.model import set_mode
from byhand.optim import Schedule, set_lr
from byhand.weights import restore, snapshot

__all__ = ["Rehearsal"]

_SLICE = 1024  # rows judged at a time
_FEW = 40  # rows; of fewer, none is set aside


@final
class Rehearsal:
    """Makes short runs, each from the same weights, with a new optimizer, over the same batches.

    Whoever makes a rehearsal puts the model back after it (``untouched.untouched``).

    Attributes:
        x, y: the rows to learn from, at most one pass.
        held_x, held_y: the rows to judge by: a quarter of those seen, at most 2,048; all of them where they are few,
            or one batch: then the run sees them all at each step, and so do the trials.
        steps: the steps made so far.
    """

    def __init__(
        self,
        model: Callable[[Tensor], Tensor],
        params: Iterable[Tensor],
        new_opt: Callable[[], Any],
        step: Callable[[Any, Tensor, Tensor], Tensor],
        loss_func: Callable[[Tensor, Tensor], Tensor],
        batches: Sequence[tuple[Tensor, Tensor]],
        shuffled: bool,
    ) -> None:
        """Part the rows.

        Args:
            model: from a batch to predictions (B, C).
            params: the tensors that learn.
            new_opt: makes an optimizer of them.
            step: one step with this optimizer and batch; the batch's loss before it, ().
            loss_func: from predictions and labels to a mean, ().
            batches: of the training part, at most one pass, all but the last of one size.
            shuffled: whether the run meets the rows in random order. Otherwise a trial's batches keep the order within
                them, and stand for the whole pass.

        Raises:
            DataError: there is no batch.
        """
        if not batches:
            raise DataError("the training part has no batch: nothing can be tried")
        self.model, self.new_opt, self.step, self.loss_func = model, new_opt, step, loss_func
        self._params = list(params)
        self._start = snapshot(model, self._named())
        self.batch_size = len(batches[0][1])
        self.shuffled = shuffled
        x, y = (torch.cat(column) for column in zip(*batches, strict=True))  # (N, …), (N,)
        held = min(HELD, len(y) // 4)
        if len(y) < _FEW or len(batches) == 1:
            self.x, self.y, self.held_x, self.held_y = x, y, x, y
        elif shuffled:
            self.x, self.y, self.held_x, self.held_y = x[:-held], y[:-held], x[-held:], y[-held:]
        else:
            chosen = torch.zeros(len(y), dtype=torch.bool, device=y.device)  # (N,)
            chosen[torch.arange(held, device=y.device) * len(y) // held] = True
            self.x, self.y, self.held_x, self.held_y = x[~chosen], y[~chosen], x[chosen], y[chosen]
        self.steps = 0

    @property
    def weights(self) -> int:
        """How many numbers learn."""
        return sum(p.numel() for p in self._params)

    def batches(self, steps: int, seed: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches of a trial, always the same for the same seed: passes over the rows, as the run makes them."""
        return islice(self._passes(steps, seed), steps)

    def predict(self, xb: Tensor) -> Tensor:
        """Predictions (B, C) of a batch, without dropout and without gradients."""
        set_mode(self.model, training=False)
        with torch.inference_mode():
            return self.model(xb)

    def loss_after(self, steps: int, schedule: Schedule) -> float:
        """The loss on the held rows after a run of so many steps along ``schedule``; of none, that of the start."""
        opt = self._begin()
        for done, (xb, yb) in enumerate(self.batches(steps)):
            set_lr(opt, schedule(done / steps))
            self.step(opt, xb, yb)
        self.steps += steps
        return self._judge()

    def losses_along(self, rates: Sequence[float], seed: int, stop: Callable[[float], bool]) -> list[float]:
        """The batches' losses of a run whose step i has the rate ``rates[i]``, until ``stop(loss)``."""
        opt, losses = self._begin(), list[float]()
        for lr, (xb, yb) in zip(rates, self.batches(len(rates), seed), strict=True):
            set_lr(opt, lr)
            losses.append(self.step(opt, xb, yb).item())
            self.steps += 1
            if stop(losses[-1]):
                break
        return losses

    def _begin(self) -> Any:
        """A new optimizer, and the weights back at the start."""
        restore(self.model, self._named(), self._start)
        set_mode(self.model, training=True)
        return self.new_opt()

    def _named(self) -> dict[str, Tensor]:
        return {str(i): p for i, p in enumerate(self._params)}

    def _passes(self, steps: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
        rows, size = len(self.y), self.batch_size
        whole = max(1, rows // size)  # a short last batch would make the trial noisier than the run
        generator = torch.Generator().manual_seed(seed)
        if not self.shuffled:
            starts = torch.randperm(whole, generator=generator)[:steps].sort().values * size  # (min(whole, steps),)
            while True:
                for start in map(int, starts):
                    yield self.x[start : start + size], self.y[start : start + size]
        order = torch.arange(rows) if seed == 0 else torch.randperm(rows, generator=generator)  # (rows,)
        while True:
            for start in range(0, whole * size, size):
                some = order[start : start + size].to(self.y.device)  # (B,)
                yield self.x.index_select(0, some), self.y.index_select(0, some)
            order = torch.randperm(rows, generator=generator)

    def _judge(self) -> float:
        loss = Mean()
        for start in range(0, len(self.held_y), _SLICE):
            yb = self.held_y[start : start + _SLICE]
            preds = self.predict(self.held_x[start : start + _SLICE])
            with torch.inference_mode():
                loss.add(self.loss_func(preds, yb).item(), len(yb))
        return loss.value
