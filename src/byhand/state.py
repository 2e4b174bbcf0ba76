"""All that decides how a training run goes on: from such a state the same bits come as if it had never been left.

    model.NAME       the weights, and the running averages of batch norms
    good.NAME        those at the end of the last finished epoch, to which a broken loss goes back
    opt.NAME         the optimizer's averages
    random.loader    the state that the order of the epoch under way was drawn from, or the next one's will be
    random.layers.I  the generators that dropout draws from
    random.torch     torch's global generator, which a torch.nn.Module draws from

and the history, whose length tells the epoch, and the number of steps that were made in it.
"""

from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor, nn

from byhand import weights
from byhand.data.loader import DataLoader
from byhand.learner import Learner
from byhand.model import Sequential

__all__ = ["State", "get_state", "set_state"]


@final
@dataclass(frozen=True, slots=True)
class State:
    """A learner between two steps. The tensors are copies, but those of a wide model (``wide``): write them at once."""

    tensors: dict[str, Tensor]
    history: list[dict[str, float | None]]
    step: int  # steps made in the epoch under way; 0 between two epochs
    seconds: float = 0.0  # that the run took up to here

    @property
    def epochs(self) -> int:
        """The number of finished epochs."""
        return len(self.history) - 1


def get_state(learn: Learner) -> State:
    """The state of a learner on our loaders, of one of our models or a module that keeps all in its ``state_dict``.

    From the learner's callback, or between two fits.
    """
    model, dl, generator = _own(learn)
    step = 0 if learn.step is None else learn.step + 1
    drawn_from = dl.drawn_from if step else None
    tensors = {f"model.{name}": p for name, p in (weights.spare(model, {}) or weights.state(model, {})).items()}
    if step:
        tensors |= {f"good.{name}": p for name, p in learn.good.items()}
    opt: Any = learn.optimizer()
    tensors |= {f"opt.{name}": tensor.clone().contiguous() for name, tensor in opt.state_dict().items()}
    tensors |= {f"random.layers.{i}": of_layers.get_state() for i, of_layers in enumerate(_generators(model))}
    tensors["random.loader"] = generator.get_state() if drawn_from is None else drawn_from
    tensors["random.torch"] = torch.get_rng_state()
    return State(tensors, [dict(row) for row in learn.history], step)


def set_state(learn: Learner, state: State) -> None:
    """Put a learner that was made alike into a state; ``fit_schedule(n_epoch, schedule, done=state.epochs)`` goes on.

    Raises:
        ValueError: the tensors are not those of such a learner.
    """
    model, _, generator = _own(learn)
    parts = {kind: _part(state.tensors, kind) for kind in ("model", "good", "opt", "random")}
    weights.restore(model, {}, parts["model"])
    opt: Any = learn.optimizer()
    try:
        opt.load_state_dict(parts["opt"])
        for i, of_layers in enumerate(_generators(model)):
            of_layers.set_state(parts["random"][f"layers.{i}"])
        generator.set_state(parts["random"]["loader"])
        torch.set_rng_state(parts["random"]["torch"])
    except (KeyError, RuntimeError) as error:
        raise ValueError(f"the state lacks {error}") from error
    learn.history = [dict(row) for row in state.history]
    learn.skip, learn.good = state.step, parts["good"]


def _own(learn: Learner) -> tuple[Sequential | nn.Module, DataLoader, torch.Generator]:
    model, dl = learn.model, learn.dls.train
    if not isinstance(model, Sequential | nn.Module) or not isinstance(dl, DataLoader) or dl.generator is None:
        raise ValueError("only a model with a state_dict on a loader of byhand's with its own generator has a state")
    return model, dl, dl.generator


def _generators(model: Sequential | nn.Module) -> list[torch.Generator]:
    return model.generators() if isinstance(model, Sequential) else []


def _part(tensors: dict[str, Tensor], kind: str) -> dict[str, Tensor]:
    start = f"{kind}."
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}
