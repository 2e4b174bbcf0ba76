"""torch's optimizers and loaders: where they were made, and what they do."""

from collections.abc import Iterable
from typing import Any, cast

import torch
from torch.utils.data import DataLoader, SequentialSampler
from torch.utils.data.dataloader import _BaseDataLoaderIter  # pyright: ignore[reportPrivateUsage]

from byhand.doctor.place import Place
from byhand.doctor.trace import Loader, Optimizer
from byhand.doctor.watch.arrays import is_listed
from byhand.doctor.watch.recorder import Recorder
from byhand.doctor.watch.samples import is_looked_at

__all__ = ["watch_loaders", "watch_optimizers"]


def watch_optimizers(recorder: Recorder) -> None:
    """Note each optimizer object and each of its steps, from here on."""
    from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

    made: dict[int, int] = {}
    start: Any = torch.optim.Optimizer.__init__

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        place = recorder.frames.innermost()
        start(self, *args, **kwargs)
        if recorder.on:
            with recorder.safe:
                rate = float(self.param_groups[0].get("lr") or 0.0)
                recorder.steps.optimizers.append(Optimizer(type(self).__name__, place, rate, 0, ()))
                made[id(self)] = len(recorder.steps.optimizers) - 1

    def before(optimizer: Any, args: Any, kwargs: Any) -> Any:
        recorder.stepping = True
        closure: Any = args[1] if len(args) > 1 else kwargs.get("closure")
        index = made.get(id(optimizer))
        if recorder.on and index is not None:
            with recorder.safe:
                if is_looked_at(recorder.steps.optimizers[index].steps):
                    recorder.steps.found(index, closure is not None or _has_gradient(optimizer))
        if closure is None:
            return None

        def seen() -> Any:  # what the closure computes is a forward and a backward pass as any
            recorder.stepping = False
            try:
                return closure()
            finally:
                recorder.stepping = True

        return (args[0], seen, *args[2:]), {key: value for key, value in kwargs.items() if key != "closure"}

    def after(optimizer: Any, args: Any, kwargs: Any) -> None:
        recorder.stepping = False
        if not recorder.on:
            return
        with recorder.safe:
            rate = float(optimizer.param_groups[0].get("lr") or 0.0)
            arrays = [p for group in optimizer.param_groups for p in group["params"]]
            recorder.steps.stepped(made.get(id(optimizer)), arrays, rate, recorder.frames.innermost())

    torch.optim.Optimizer.__init__ = init  # type: ignore[method-assign]
    register_optimizer_step_pre_hook(before)
    register_optimizer_step_post_hook(after)


def _has_gradient(optimizer: Any) -> bool:
    gradients = (p.grad for group in optimizer.param_groups for p in group["params"])
    return any(gradient is not None and bool(gradient.count_nonzero()) for gradient in gradients)


def watch_loaders(recorder: Recorder) -> None:
    """Note each DataLoader and each of its batches, from here on."""
    made = recorder.loader_of
    loader = cast("Any", DataLoader)
    start, begin = loader.__init__, loader.__iter__
    following: Any = _BaseDataLoaderIter.__next__

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        place = recorder.frames.innermost()
        start(self, *args, **kwargs)
        if recorder.on and id(self) not in made:
            with recorder.safe:
                recorder.loaders.append(_loader(self, place))
                made[id(self)] = len(recorder.loaders) - 1
                recorder.kept.append(self)  # so that its id stays its own

    def iterate(self: Any) -> Any:
        iterator = begin(self)
        iterator._byhand = made.get(id(self))
        return iterator

    def advance(self: Any) -> Any:
        recorder.labels.forget()
        data = following(self)
        index = getattr(self, "_byhand", None)
        if index is None:  # fastai's loader goes through torch's iterator with a stand-in for itself
            index = made.get(id(getattr(getattr(self, "_dataset", None), "d", None)))
        if recorder.on and index is not None:
            with recorder.safe, torch._C.DisableTorchFunction():  # pyright: ignore[reportPrivateUsage]
                _note_batch(recorder, index, data)
        return data

    loader.__init__, loader.__iter__ = init, iterate
    _BaseDataLoaderIter.__next__ = advance  # type: ignore[method-assign]


def _loader(loader: Any, place: Place | None) -> Loader:
    rows = len(loader.dataset) if hasattr(loader.dataset, "__len__") else None
    shuffles = not isinstance(getattr(loader, "sampler", None), SequentialSampler) and rows is not None
    size = loader.batch_size if loader.batch_size is not None else getattr(loader.batch_sampler, "batch_size", None)
    return Loader(None, place, rows, size, shuffles, bool(loader.drop_last))


def _note_batch(recorder: Recorder, index: int, data: Any) -> None:
    parts: Iterable[Any] = data.values() if hasattr(data, "values") and hasattr(data, "keys") else data
    parts = parts if is_listed(data) or parts is not data else [data]
    tensors = [part for part in parts if isinstance(part, torch.Tensor) and part.ndim]
    rows = next((part for part in tensors if part.is_floating_point()), tensors[0] if tensors else None)
    if rows is None:
        return
    recorder.tape.end()
    labels = next((part for part in tensors if part is not rows and part.shape[0] == rows.shape[0]), None)
    recorder.labels.batch(index, labels, int(rows.shape[0]))
