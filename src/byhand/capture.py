"""A training step that is recorded once and played again for every batch.

On a GPU a step of a small model is some forty kernels that run for a few microseconds each, and to start one from
Python takes longer. CUDA can record what a step starts as a graph, which then starts as one (``torch.cuda.CUDAGraph``).
A graph reads and writes the same memory whenever it is played: so the batch and the rate are copied into places of
their own first, and weights, momenta and loss stay where they are.

On any other device the recording is played by calling the step on those same places. Nothing is gained there; it is how
all but the graph itself is tested where there is no GPU.
"""

from collections.abc import Callable
from typing import Any, Final, final

import torch
from torch import Tensor

from byhand.data.loader import DataLoader
from byhand.model import Sequential
from byhand.optim import SGD
from byhand.wide import is_wide

__all__ = ["Captured", "can_capture"]

_DEVICES: Final = ("cuda",)  # where it pays
_FIRST: Final = 3  # steps that are made as they are: they make the momenta, and CUDA loads what it needs at first use


Step = Callable[[Any, Tensor, Tensor], Tensor]
"""From optimizer, inputs and labels to the loss, ()."""


def can_capture(model: object, opt: object, dl: object) -> bool:
    """Whether steps of this model, optimizer and loader on a GPU can be recorded: nothing in them asks for a number.

    Adam's steps depend on how many there have been, and a wide weight's gradient is no tensor. Labels are looked at
    here, all at once, since a recorded step cannot.
    """
    if not (isinstance(model, Sequential) and isinstance(opt, SGD) and isinstance(dl, DataLoader)):
        return False
    here = dl.x.device.type in _DEVICES
    return here and not is_wide(opt.params) and dl.has_classes_below(model.sizes[-1])


@final
class Captured:
    """A step, made as it is for three batches, and from then on played for each batch of that size.

    What is recorded holds for an optimizer with the numbers and the memory that it has then; when these are others, it
    is recorded anew.
    """

    def __init__(self, step: Step) -> None:
        """Nothing is recorded yet.

        Args:
            step: a training step that does not ask the device for a number.
        """
        self._step = step
        self._generators: list[torch.Generator] = []
        self._made = 0
        self._about: tuple[object, ...] = ()
        self._play: Callable[[], None] | None = None

    def step_for(self, model: object, opt: object, dl: object) -> Step:
        """This one where it can be captured, else the step as it is."""
        if not can_capture(model, opt, dl):
            return self._step
        self._generators = model.generators() if isinstance(model, Sequential) else []
        return self

    def __call__(self, opt: SGD, xb: Tensor, yb: Tensor) -> Tensor:
        """Make one step; the loss, (), before it."""
        if self._about != (about := _about(opt)):
            self._about, self._play, self._made = about, None, min(self._made, _FIRST - 1)
        if self._play is None and self._made >= _FIRST:
            self._play = self._record(opt, xb, yb)
        if self._play is None or xb.shape != self._x.shape:
            self._made += 1
            loss = self._step(opt, xb, yb)
            self._about = _about(opt)  # the first step makes the momenta
            return loss
        self._x.copy_(xb)
        self._y.copy_(yb)
        self._lr.fill_(opt.lr)
        self._play()
        return self._loss

    def _record(self, opt: SGD, xb: Tensor, yb: Tensor) -> Callable[[], None]:
        """Set the places up, and record the step on them."""
        self._x, self._y = xb.clone(), yb.clone()  # (B, P), (B,)
        self._lr, self._loss = torch.zeros((2,), device=xb.device).unbind()  # (), ()

        def play() -> None:
            rate, opt.lr = opt.lr, self._lr
            try:
                self._loss.copy_(self._step(opt, self._x, self._y))
            finally:
                opt.lr = rate

        if xb.device.type != "cuda":
            return play
        graph = torch.cuda.CUDAGraph()
        for generator in self._generators:
            graph.register_generator_state(generator)  # pyright: ignore[reportUnknownMemberType]
        with torch.cuda.graph(graph):
            play()
        return graph.replay


def _about(opt: SGD) -> tuple[object, ...]:
    """All of an optimizer that a recording holds fixed."""
    memory = (tensor.data_ptr() if tensor is not None else 0 for tensor in (*opt.params, *opt.velocity))
    return id(opt), opt.momentum, opt.dampening, opt.weight_decay, opt.nesterov, opt.decay_bias, *memory
