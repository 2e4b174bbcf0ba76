"""The training loop.

A step is always the same five lines: predict, measure the loss, find the gradient, step, forget the gradient.
``Learner`` repeats them, batch after batch and epoch after epoch, and writes down after each epoch how good the weights
are then, on both parts. Everything else in this file is what a person needs around those five lines.
"""

import math
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor, nn

from byhand import weights
from byhand.batches import batches, draw, is_shuffled
from byhand.capture import Captured
from byhand.data.loader import Batches, DataLoader, DataLoaders
from byhand.distributed import World
from byhand.errors import DataError
from byhand.loss import cross_entropy, cross_entropy_with_grad, softmax
from byhand.lr_find.finder import auto_lr, lr_find
from byhand.lr_find.rehearsal import Rehearsal
from byhand.lr_find.untouched import same_randomness, untouched
from byhand.metrics import Mean, columns, names
from byhand.model import Sequential, set_mode
from byhand.optim import SGD, Optimizer, Schedule, constant, fitting, one_cycle, set_lr
from byhand.progress import Table
from byhand.threads import few_threads

__all__ = ["Callback", "Learner"]

Loss = Callable[[Tensor, Tensor], Tensor]
Metric = Callable[[Tensor, Tensor], Tensor]
Model = Callable[[Tensor], Tensor]
Callback = Callable[["Learner"], object]
"""Called with the learner after each step, when ``learn.step`` is its number, and after each epoch, when it is None."""


@final
class Learner:
    """Trains a model on batches.

    A model written by hand (``byhand.Sequential`` and what is made of it) under ``byhand.cross_entropy`` uses its
    hand-written gradients. Any other model, a ``torch.nn.Module`` or a plain function of a batch, and any other loss go
    through autograd; a function's parameters are the tensors that ``backward()`` reaches from its loss.

    Attributes:
        history: a dict an epoch: ``epoch`` (0 is the untrained model), ``train_loss``, ``valid_loss``, ``train_…`` and
            ``valid_…`` for each metric (None without a validation part), ``seconds``. Both parts are measured with the
            same weights, those at the end of the epoch, and every average is weighted by its count.
        opt: the optimizer, made by the first fit and kept by the next, unless the loss became NaN or infinite.
        stopped: why the last fit ended early, or None.
        step: the number of the step under way in its epoch, from 0; None between epochs.
        loss: the loss of the last step's batch, before the step.
        good: the weights that the last row of the history was measured with; none of a model too wide to have a copy.
        skip: batches of the next epoch that were learnt from before (``byhand.state``).
        world: the processes that share the work (``byhand.distributed``); this one alone at first.
    """

    def __init__(
        self,
        dls: DataLoaders,
        model: Model,
        loss_func: Loss = cross_entropy,
        opt_func: Callable[..., Any] = SGD,
        metrics: Metric | Sequence[Metric] = (),
        cbs: Callback | Sequence[Callback] = (),
        quiet: bool = False,
    ) -> None:
        """Put the pieces together; nothing is computed yet.

        Args:
            dls: what to learn from and what to be judged by.
            model: from ``xb`` (B, …) to predictions (B, C).
            loss_func: from predictions and labels to a mean over the batch, ().
            opt_func: makes the optimizer, ``opt_func(params, lr=…)``: ours or one of ``torch.optim``.
            metrics: functions like ``accuracy``, from predictions and labels to a mean over the batch.
            cbs: functions called with the learner after each step and each epoch.
            quiet: print nothing.
        """
        self.dls = dls
        self.model = model
        self.loss_func = loss_func
        self.opt_func = opt_func
        self.metrics = [metrics] if callable(metrics) else list(metrics)
        self.cbs = [cbs] if callable(cbs) else list(cbs)
        self.quiet = quiet
        self.by_hand = isinstance(model, Sequential) and loss_func is cross_entropy
        self.history: list[dict[str, float | None]] = []
        self.opt: Optimizer | torch.optim.Optimizer | None = None
        self.stopped: str | None = None
        self.step: int | None = None
        self.loss = math.nan
        self._params: dict[str, Tensor] | None = None
        self._captured = Captured(self._step)
        self.good: dict[str, Tensor] = {}
        self.skip = 0
        self.world = World()

    # The five steps, once by hand and once by autograd.

    def _step(self, opt: Any, xb: Tensor, yb: Tensor) -> Tensor:
        if self.by_hand and isinstance(self.model, Sequential):
            return self._step_by_hand(self.model, opt, xb, yb)
        return self._step_by_autograd(opt, xb, yb)

    def _step_by_hand(self, model: Sequential, opt: Optimizer, xb: Tensor, yb: Tensor) -> Tensor:
        logits = model(xb)  # (B, C)
        loss, grad = cross_entropy_with_grad(logits, yb)  # (), (B, C)
        model.backward(grad)
        loss = self.world.sum_gradients(self._parameters().values(), loss, len(yb))
        opt.step()
        opt.zero_grad()
        return loss

    def _step_by_autograd(self, opt: Optimizer, xb: Tensor, yb: Tensor) -> Tensor:
        preds = self.model(xb)  # (B, C)
        loss = self.loss_func(preds, yb)  # ()
        loss.backward()  # pyright: ignore[reportUnknownMemberType]
        loss = self.world.sum_gradients(self._parameters().values(), loss, len(yb))
        opt.step()
        opt.zero_grad()
        return loss.detach()

    # Fitting.

    def fit(self, n_epoch: int, lr: float | None = None) -> None:
        """Train for ``n_epoch`` passes at a constant rate; without one, find it (``lr_find``) and print it."""
        if lr is None:
            choice = auto_lr(self, n_epoch, constant)
            lr = choice.lr
            if not self.quiet:
                print(f"lr {lr:.3g}, {choice.rule}")  # noqa: T201, the table's first line
        self.fit_schedule(n_epoch, constant(lr))

    def fit_one_cycle(
        self,
        n_epoch: int,
        lr_max: float | None = None,
        div: float = 25.0,
        div_final: float = 1e5,
        pct_start: float = 0.25,
    ) -> None:
        """Train for ``n_epoch`` passes with the rate going up to ``lr_max`` and down again, as fastai does."""
        schedule = partial(one_cycle, pct_start=pct_start, div=div, div_final=div_final)
        self.fit_schedule(n_epoch, schedule(auto_lr(self, n_epoch, schedule).lr if lr_max is None else lr_max))

    def fit_schedule(self, n_epoch: int, schedule: Schedule, done: int = 0) -> None:
        """Train for ``n_epoch`` passes, the rate being ``schedule(part of the run that is done)``.

        A second call goes on where the first ended; of a run that is taken up again, ``done`` passes are over. After
        Ctrl-C the weights are those of the last finished epoch, whose row is the last of the history. If the loss
        becomes NaN or infinite, training stops there, the weights go back to the last finished epoch, and a warning
        says at which step it happened and what to try.
        """
        opt, last = self.optimizer(), max(0, len(self.history) - 1) + n_epoch - done
        table = Table(columns(self.metrics), n_epoch - done, last, quiet=self.quiet)
        self.stopped = None
        if not self.history:
            self._end_epoch(0, time.perf_counter(), table)
        first = len(self.history) - done
        if not self.skip:
            self.good = weights.spare(self.model, self._parameters())
        try:
            for epoch in range(first + done, first + n_epoch):
                start, over = time.perf_counter(), epoch - first
                self._epoch(opt, epoch, lambda part, over=over: schedule((over + part) / n_epoch), table)
                if not self.stopped:
                    self._end_epoch(epoch, start, table)
                if self.stopped:
                    break
        finally:
            self.step = None
            if len(self.history) < first + n_epoch:
                if self.good:
                    weights.restore(self.model, self._parameters(), self.good)
                opt.zero_grad()  # what an unfinished step left would be added to the next fit's first gradient
        if self.stopped:
            self.opt = None  # its averages hold the gradients that broke the weights
            warnings.warn(self.stopped, RuntimeWarning, stacklevel=2)

    def _epoch(self, opt: Any, epoch: int, rate: Schedule, table: Table) -> None:
        """One pass over the training part, a step a batch."""
        total, skip, self.skip = len(self.dls.train), self.skip, 0
        alone = self.by_hand and self.world.size == 1
        make_step = self._captured.step_for(self.model, opt, self.dls.train) if alone else self._step
        set_mode(self.model, training=True)
        with self._threads(), torch.inference_mode(self.by_hand):
            for step, (xb, yb) in enumerate(self._batches(self.dls.train, skip=skip), start=skip):
                self.step = step
                set_lr(opt, rate(step / total))
                self.loss = make_step(opt, xb, yb).item()
                if not math.isfinite(self.loss):
                    self._stop(self.loss, f"at step {step + 1}", epoch)
                    return
                table.under_way(epoch, (step + 1) / total, self.loss)
                for cb in self.cbs:
                    cb(self)

    def _end_epoch(self, epoch: int, start: float, table: Table) -> None:
        """Measure both parts with the weights as they are now, and write the row."""
        self.step = None
        row = self.measure(epoch, start)
        loss = row["train_loss"]
        if epoch and loss is not None and not math.isfinite(loss):
            self._stop(loss, "after the last step", epoch)
            return
        good = weights.spare(self.model, self._parameters())
        self.history.append(row)
        self.good = good  # before the callbacks: if one of them raises, the weights are those of the row
        table.row(self.history[-1])
        for cb in self.cbs:
            cb(self)

    def _stop(self, loss: float, when: str, epoch: int) -> None:
        back = f"are those after epoch {epoch - 1}" if self.good else "were too many to be kept twice, and are lost"
        self.stopped = (
            f"the loss became {loss} {when} of epoch {epoch}; the weights {back}; try a "
            "tenth of the rate, and look whether the inputs lie between 0 and 1"
        )

    # The rate.

    lr_find = lr_find

    @contextmanager
    def rehearsal(self, steps: int) -> Generator[Rehearsal]:
        """Short runs of up to ``steps`` steps from the weights as they are, after which nothing has changed.

        To the bit, the order of the data included; only a loader that keeps a place in a stream cannot be put back.
        """
        params, train = self._parameters().values(), self.dls.train
        with self._threads(), untouched(self.model, params, train, self.loss_func, self.opt_func):
            shuffled = is_shuffled(train)
            with torch.inference_mode(self.by_hand):
                rows, new_opt = draw(self._batches(train), steps if shuffled else None), lambda: self.opt_func(params)
                yield Rehearsal(self.model, params, new_opt, self._step, self.loss_func, rows, shuffled)

    # Judging.

    def measure(self, epoch: int, start: float) -> dict[str, float | None]:
        """A row of the history: both parts, measured with the weights as they are now; seconds since ``start``."""
        train = self.validate(self.dls.train)
        valid = self.validate() if self.dls.valid else [None] * len(train)
        row: dict[str, float | None] = {"epoch": epoch}
        for name, on_train, on_valid in zip(names(self.metrics), train, valid, strict=True):
            row |= {f"train_{name}": on_train, f"valid_{name}": on_valid}
        return row | {"seconds": time.perf_counter() - start}

    def validate(self, dl: Batches | None = None) -> list[float]:
        """The mean loss and each metric over the validation part, or over ``dl``, weighted by count.

        Raises:
            ValueError: there is no validation part.
        """
        measures = [self.loss_func, *self.metrics]
        means = [Mean() for _ in measures]
        with self._threads():
            for preds, yb in self._predictions(dl):
                for mean, measure in zip(means, measures, strict=True):
                    mean.add(measure(preds, yb).item(), len(yb))
        self.world.sum(means)
        return [mean.value for mean in means]

    def get_preds(self, dl: Batches | None = None) -> tuple[Tensor, Tensor]:
        """Predictions (N, C) and labels, as the loader gives them, of the validation part, or of ``dl``.

        Under a cross-entropy, ours or PyTorch's, the predictions are probabilities; else what the model returns.
        """
        pairs = [(self._activate(preds), yb) for preds, yb in self._predictions(dl)]
        return torch.cat([preds for preds, _ in pairs]), torch.cat([yb for _, yb in pairs])

    def predict(self, x: Tensor) -> tuple[str, int, Tensor]:
        """The class of one input: its name, its number, and the predictions (C,) behind it, as from ``get_preds``.

        ``x`` (P,) or (H, W); ``uint8`` stands for x / 255.
        """
        set_mode(self.model, training=False)
        x = x.reshape(1, -1)  # (1, P)
        with torch.inference_mode():
            probs = self._activate(self.model(x.float() / 255 if x.dtype == torch.uint8 else x))[0]  # (C,)
        number = int(probs.argmax())
        return (self.dls.classes[number] if self.dls.classes else str(number)), number, probs

    def _predictions(self, dl: Batches | None) -> Iterator[tuple[Tensor, Tensor]]:
        """(preds, yb) over all rows of a loader, in order where it is ours, without gradients and without dropout."""
        dl = self.dls.valid if dl is None else dl
        if dl is None:
            raise ValueError("there is no validation part: give validate() or get_preds() a loader")
        set_mode(self.model, training=False)
        for xb, yb in self._batches(dl, shuffled=False):
            with torch.inference_mode():
                preds = self.model(xb)
            yield preds, yb

    def _activate(self, preds: Tensor) -> Tensor:
        takes_logits = self.loss_func in (cross_entropy, nn.functional.cross_entropy)
        return softmax(preds) if takes_logits or isinstance(self.loss_func, nn.CrossEntropyLoss) else preds

    # The weights.

    def save(self, file: str | Path) -> Path:
        """Write the weights as safetensors, whole or not at all, and return the file's path."""
        return weights.save(file, weights.state(self.model, self._parameters()))

    def load(self, file: str | Path) -> None:
        """Read weights that ``save`` wrote for a model of the same shape.

        Raises:
            DataError: the file cannot be read or does not fit the model.
        """
        saved = weights.load(file)
        try:
            weights.restore(self.model, self._parameters(), saved)
        except ValueError as error:
            raise DataError(f"the weights {file} do not fit the model: {error}") from error

    def _parameters(self) -> dict[str, Tensor]:
        """The parameters that learn; a plain function is asked for one prediction to find them, once."""
        if self._params is None:
            output = None
            if not isinstance(self.model, Sequential | nn.Module):
                with same_randomness(self.model, self.dls.train):  # a shuffling loader must not be a draw ahead
                    output = self.model(next(self._batches(self.dls.train, shuffled=False))[0])
            self._params = weights.parameters(self.model, output)
        return self._params

    def optimizer(self) -> Any:
        """The optimizer of all fits of this learner, made when it is first asked for."""
        if self.opt is None:
            params = self._parameters().values()
            self.opt = fitting(self.opt_func(params), params if self.by_hand else ())
        return self.opt

    def _threads(self) -> AbstractContextManager[None]:
        dl, largest = self.dls.train, max(p.numel() for p in self._parameters().values())
        return few_threads(dl.batch_size * largest if self.by_hand and isinstance(dl, DataLoader) else math.inf)

    def _batches(self, dl: Batches, shuffled: bool = True, skip: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        return batches(dl, self.by_hand, self.loss_func is cross_entropy, shuffled, skip)
