"""From settings and data to a trained run on the disk, and back from the disk to its model."""

import math
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, final

import torch

from byhand import checkpoint, networks, weights
from byhand.data.dataset import Dataset
from byhand.data.loader import loaders
from byhand.data.shards import Sharded
from byhand.distributed import World, draw_own_masks, share_work
from byhand.errors import DataError, UsageError
from byhand.learner import Learner
from byhand.lr_find.finder import auto_lr
from byhand.lr_find.found import LRFound
from byhand.metrics import accuracy
from byhand.model import MLP, LinearClassifier, Sequential
from byhand.networks import Network
from byhand.optim import SGD, Adam, Schedule, constant, flat_cos, one_cycle
from byhand.record import record
from byhand.settings import Settings
from byhand.signals import stop_on_signals
from byhand.state import State, capture, take_up
from byhand.text import brief
from byhand.threads import same_bits

__all__ = ["Recipe", "build", "build_model", "find_lr", "fit", "load_run", "prepare", "resume", "train", "usual_epochs"]

_SCHEDULES: dict[str, Callable[[float], Schedule]] = {
    "constant": constant,
    "flat-cos": flat_cos,
    "one-cycle": one_cycle,
}


_EPOCHS = {"linear": 20, "mlp": 30, "resnet18": 10}
_KEEP_EVERY = 2.0  # seconds: syncing a file to the disk takes longer than a short epoch


def build_model(settings: Settings, pixels: int, classes: int) -> Sequential:
    """The linear model or MLP of resolved settings, its random numbers drawn from their seed.

    Raises:
        UsageError: ``init`` is none that there is.
    """
    generator = torch.Generator().manual_seed(settings.seed)
    init = settings.init or "kaiming"
    try:
        if settings.model == "linear":
            return LinearClassifier(pixels, classes, init, generator)
        return MLP(
            pixels,
            settings.hidden or (),
            classes,
            settings.dropout,
            init,
            generator,
            input_dropout=settings.input_dropout,
            batch_norm=settings.batch_norm,
        )
    except ValueError as error:
        raise UsageError(f"--init {brief(init)}: {brief(error)}") from error
    except RuntimeError as error:  # torch's way to say that memory is refused, in several lines
        raise UsageError(
            f"--hidden {settings.hidden}: such a model does not fit into memory; take fewer units"
        ) from error


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
    _share(settings, world)
    settings, model, learn = build(settings, data, quiet)
    lr, reason = settings.lr or 0.0, "as told"
    if settings.lr is None and (usual := networks.usual_lr(settings)):
        lr, reason = usual
    elif settings.lr is None:
        with world.together(), same_bits(settings.reproducible):
            if world.rank == 0:
                choice = auto_lr(learn, settings.epochs, _course(settings))
                lr, reason = choice.lr, choice.rule
        lr = world.number_of_first(lr)
    world.must_agree("data or settings", f"{data.hash} {settings}")
    share_work(learn, world)
    return Recipe(settings, data, model, learn, lr, reason)


def build(settings: Settings, data: Dataset | Sharded, quiet: bool = False) -> tuple[Settings, Network, Learner]:
    """The model and the learner of resolved settings, and the settings with precision and number of epochs chosen.

    Raises:
        UsageError: a device that this machine lacks, or averages of a layer too wide for them.
        DataError: the weights to start from cannot be read or do not fit.
    """
    device = _device(settings.device)
    networks.check(settings, math.prod(data.shape), len(data.classes))
    model = _network(settings, data.shape, len(data.classes))
    if settings.weights:
        networks.start_from(model, settings.weights, quiet)
    if settings.freeze:
        for p in list(model.parameters())[:-2]:  # all but the last layer's weight and bias
            p.requires_grad_(False)
    settings = replace(settings, precision=networks.precision(settings, math.prod(data.shape), device))
    networks.mix(model, settings.precision or "float32")
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
        learn.fit_schedule(settings.epochs or 0, _course(settings)(settings.lr or 0.0))
    return model.eval()


def find_lr(settings: Settings, learn: Learner) -> LRFound:
    """What ``Learner.lr_find`` says for a run with these settings.

    Raises:
        DataError: the loss is no number from the start, or no rate makes it fall.
    """
    with same_bits(settings.reproducible):
        return learn.lr_find(show_plot=False, n_epoch=settings.epochs, schedule=_course(settings))


def resume(
    folder: str | Path, data: Dataset | Sharded, quiet: bool = False, world: World | None = None
) -> tuple[Recipe, State | None, list[str]]:
    """The recipe of a run on the disk, the newest state that is whole, and a line for each damaged one.

    Args:
        folder: the run's.
        data: what it learnt from, loaded anew.
        quiet: print nothing while it trains.
        world: the processes that train it, each of which reads the folder.

    Raises:
        DataError: the folder is no run, the data are others, or no state is whole.
        UsageError: the run is over, or wants a device that this machine lacks, or one process and not several.
    """
    world = world or World()
    told = checkpoint.read_run(folder)
    if told.get("status") in ("finished", "stopped"):
        checkpoint.remove_states(Path(folder))  # if it was killed just before
        raise UsageError(f"{folder} is {told['status']}; there is nothing to take up")
    try:
        settings, lr, learnt_from = Settings.of(told), float(told["lr"]), told["data"]["hash"]
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DataError(
            f"{folder} is damaged: run.json does not say how it was begun ({brief(error)}); train anew"
        ) from error
    if learnt_from != data.hash:
        if told["data"].get("test") == 0 and len(data.test):
            raise UsageError(f"{folder} was begun by byhand kaggle; go on with byhand kaggle --resume {folder}")
        raise DataError(f"{data.source} has changed since {folder} was begun; bring the old data back, or train anew")
    _share(settings, world)
    settings, model, learn = build(settings, data, quiet)
    state, damaged = checkpoint.read_state(folder)
    if state is not None:
        try:
            take_up(learn, state)
        except ValueError as error:
            raise DataError(f"the state of {folder} does not fit its run.json: {error}; train anew") from error
    place = (state.epochs, state.step) if state else None
    world.must_agree("the run's state, its data or its settings", f"{data.hash} {settings} {lr} {place}")
    share_work(learn, world)
    return Recipe(settings, data, model, learn, lr, "as the run was begun"), state, damaged


def train(recipe: Recipe, folder: Path, state: State | None = None) -> dict[str, Any]:
    """Train, and write the run's folder: its record at the start, all else every few seconds and at the end.

    Returns what ``run.json`` holds. ``status`` there is "running", "finished", "interrupted" (Ctrl-C, SIGTERM), or
    "stopped" when the loss was no number any more. A signal ends the training between two steps, whose state is
    written, a second one at once; KeyboardInterrupt passes on when the folder is in order. Of several processes rank 0
    alone writes, and all stop after the same step.

    Args:
        recipe: what to train.
        folder: the run's.
        state: where ``resume`` has taken it up.

    Raises:
        DataError: a file cannot be written.
    """
    settings, model, learn = recipe.settings, recipe.model, recipe.learn
    world, start = learn.world, time.perf_counter() - (state.seconds if state else 0.0)
    steps = state.epochs * len(learn.dls.train) + state.step if state else 0
    kept, openings = -math.inf, 0

    def seconds() -> float:
        return time.perf_counter() - start

    def told(status: str, took: float) -> dict[str, Any]:
        nonlocal openings
        with suppress(DataError):  # there is none yet
            openings = checkpoint.read_run(folder).get("test_openings", 0)  # by now: it may be evaluated meanwhile
        found = record(settings, recipe.data, learn, recipe.lr, status, took)
        return found | {"test_openings": openings}

    def save() -> None:
        if world.rank == 0:
            checkpoint.write_state(folder, replace(capture(learn), seconds=seconds()))

    def keep(took: float, with_weights: bool = True) -> None:
        nonlocal kept
        if world.rank:
            return
        checkpoint.write_history(folder, learn.history)
        checkpoint.write_times(folder, learn.history, took)
        if with_weights:
            checkpoint.write_weights(folder, weights.state(model, {}))
        kept = time.monotonic()

    def after(learn: Learner) -> None:
        nonlocal steps
        if world.stopping:
            save()
            raise KeyboardInterrupt
        if learn.step is None:
            if time.monotonic() - kept > _KEEP_EVERY:
                save()
                keep(seconds())
            return
        steps += 1
        draw_own_masks(world, model, settings.seed, steps)
        if settings.save_every and steps % settings.save_every == 0:
            save()

    learn.cbs.append(after)
    status = "interrupted"
    with same_bits(settings.reproducible), stop_on_signals() as world.wish:
        if world.rank == 0:
            checkpoint.write_run(folder, told("running", seconds()))
        draw_own_masks(world, model, settings.seed, steps)
        try:
            learn.fit_schedule(settings.epochs or 0, _course(settings)(recipe.lr), state.epochs if state else 0)
            status = "stopped" if learn.stopped else "finished"
        finally:
            took = seconds()
            keep(took, bool(learn.good) or status == "finished")  # a wide model has not gone back to its last epoch
            final = told(status, took)
            if world.rank == 0:
                checkpoint.write_run(folder, final)
            world.in_order = status != "interrupted" or world.stopping
    if world.rank == 0:
        checkpoint.remove_states(folder)
    return final


def load_run(folder: str | Path) -> tuple[Network, dict[str, Any]]:
    """The trained model of a run, ready to predict, and the run's record.

    Raises:
        DataError: the folder is no run, or its files do not fit each other.
    """
    record = checkpoint.read_run(folder)
    try:
        settings, data, saved = Settings.of(record), record["data"], checkpoint.read_weights(folder)
        shape, classes = data["shape"], len(data["classes"])
        wanted = networks.numbers(settings, math.prod(shape), classes)
        if wanted != (held := sum(tensor.numel() for tensor in saved.values())):  # before a model of that size is made
            raise ValueError(f"{wanted:,} weights, and the file holds {held:,}")
        model = _network(settings, shape, classes)
        networks.mix(model, settings.precision or "float32")
        weights.restore(model, {}, saved)
    except (KeyError, TypeError, ValueError, OverflowError, UsageError) as error:
        raise DataError(
            f"{folder} is damaged: run.json and model.safetensors do not agree ({brief(error)}); train again"
        ) from error
    return model.eval(), record


def _course(settings: Settings) -> Callable[[float], Schedule]:
    """The rate's course over a run with these settings, as a function of its highest rate."""
    return _SCHEDULES[settings.schedule or "constant"]


def _network(settings: Settings, shape: Sequence[int], classes: int) -> Network:
    """The model of resolved settings for images of ``shape`` (H, W)."""
    if settings.model == "resnet18":
        return networks.make_resnet(settings, shape, classes)
    return build_model(settings, math.prod(shape), classes)


def _share(settings: Settings, world: World) -> None:
    if world.size > 1 and (settings.batch_norm or settings.model == "resnet18"):
        raise UsageError(
            "batch norm learns in one process: of several, each would norm its own part of a batch by itself; start it "
            "without torchrun"
        )


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
