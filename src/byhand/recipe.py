"""From settings and data to all that a run needs: the model, the loaders, the learner, the rate and its schedule."""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast, final

import torch

from byhand import networks
from byhand.data.dataset import Dataset
from byhand.data.loader import loaders
from byhand.data.shards import Sharded
from byhand.distributed import World, share_work
from byhand.errors import UsageError
from byhand.learner import Learner
from byhand.lr_find.finder import auto_lr
from byhand.lr_find.found import LRFound
from byhand.metrics import accuracy
from byhand.networks import Network
from byhand.optim import SGD, Adam, Schedule, constant, flat_cos, one_cycle
from byhand.settings import Settings
from byhand.text import brief
from byhand.threads import same_bits

__all__ = ["Recipe", "build", "find_lr", "fit", "prepare", "schedule_of", "usual_epochs"]

_SCHEDULES: dict[str, Callable[[float], Schedule]] = {
    "constant": constant,
    "flat-cos": flat_cos,
    "one-cycle": one_cycle,
}
_EPOCHS = {"linear": 20, "mlp": 30, "resnet18": 10}


@final
@dataclass(frozen=True, slots=True)
class Recipe:
    """All that a run needs: nothing is trained yet."""

    settings: Settings
    data: Dataset | Sharded
    model: Network
    learn: Learner
    lr: float
    reason: str  # why this rate


def prepare(settings: Settings, data: Dataset | Sharded, quiet: bool = False, world: World | None = None) -> Recipe:
    """The recipe of resolved settings on a data set, for this process of a ``world``. Rank 0 looks for the rate.

    Raises:
        UsageError: a device that this machine lacks, or a model that several processes cannot train.
        DataError: the weights to start from cannot be read or do not fit.
    """
    world = world or World()
    settings, model, learn = build(settings, data, quiet, world.size)
    lr, reason = settings.lr or 0.0, "as told"
    if settings.lr is None and (usual := networks.usual_lr(settings)):
        lr, reason = usual
    elif settings.lr is None:
        with world.together(), same_bits(settings.reproducible):
            if world.rank == 0:
                choice = auto_lr(learn, settings.epochs, schedule_of(settings))
                lr, reason = choice.lr, choice.rule
        lr = world.broadcast(lr)
    world.must_agree("data or settings", f"{data.hash} {settings}")
    share_work(learn, world)
    return Recipe(settings, data, model, learn, lr, reason)


def build(
    settings: Settings, data: Dataset | Sharded, quiet: bool = False, processes: int = 1
) -> tuple[Settings, Network, Learner]:
    """The model and the learner of resolved settings, and the settings with precision and number of epochs chosen.

    Raises:
        UsageError: a device that this machine lacks, or what ``networks.check`` refuses.
        DataError: the weights to start from cannot be read or do not fit.
    """
    device = _device(settings.device)
    pixels, classes = math.prod(data.shape), len(data.classes)
    networks.check(settings, pixels, classes, processes)
    settings = replace(settings, precision=networks.precision(settings, pixels, classes, device))
    model = networks.make(settings, data.shape, classes)
    if settings.weights:
        networks.start_from(model, settings.weights, quiet)
    if settings.freeze:
        for p in list(model.parameters())[:-2]:  # all but the last layer's weight and bias
            p.requires_grad_(False)
    drop_last = settings.batch_norm and len(data.train) % settings.batch_size == 1  # one image has no variance
    dls = loaders(data.train, data.valid, settings.batch_size, settings.seed, device, settings.augment, drop_last)
    if settings.opt == "adam":
        opt_func: Callable[..., Any] = partial(Adam, weight_decay=settings.weight_decay)
    else:
        opt_func = partial(SGD, momentum=settings.momentum, weight_decay=settings.weight_decay)
    learn = Learner(dls, model.to(device), opt_func=opt_func, metrics=accuracy, quiet=quiet)
    if settings.epochs is None:
        settings = replace(settings, epochs=usual_epochs(settings.model, len(dls.train)))
    return settings, model, learn


def fit(settings: Settings, data: Dataset) -> Network:
    """The trained model of resolved settings with a rate and a number of epochs; nothing is printed or written."""
    settings, model, learn = build(settings, data, quiet=True)
    with warnings.catch_warnings(), same_bits(settings.reproducible):
        warnings.simplefilter("ignore", RuntimeWarning)  # a loss that is no number leaves the last good weights
        learn.fit_schedule(settings.epochs or 0, schedule_of(settings)(settings.lr or 0.0))
    return model.eval()


def find_lr(settings: Settings, learn: Learner) -> LRFound:
    """What ``Learner.lr_find`` says for a run with these settings.

    Raises:
        DataError: the loss is no number from the start, or no rate makes it fall.
    """
    with same_bits(settings.reproducible):
        return learn.lr_find(show_plot=False, n_epoch=settings.epochs, schedule=schedule_of(settings))


def schedule_of(settings: Settings) -> Callable[[float], Schedule]:
    """The schedule of a run with these settings, as a function of its highest rate."""
    return _SCHEDULES[cast(str, settings.schedule)]


def usual_epochs(model: str | None, steps: int) -> int:
    """20 (linear), 30 (MLP) or 10 (ResNet-18); up to 200, where fewer would make less than 2,000 ``steps``."""
    return max(_EPOCHS[model or "mlp"], min(200, math.ceil(2000 / steps)))


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        probe = torch.zeros(1, device=name)
        probe.item()  # the meta device makes tensors, but they hold no numbers
        return probe.device
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = brief(str(error).splitlines()[0])
        raise UsageError(f"--device {brief(name)} is not to be had here: {reason}; take cpu or auto") from error
