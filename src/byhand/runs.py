"""Runs on the disk: trained into a folder, taken up again, and read back."""

import math
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from byhand import checkpoint, networks, weights
from byhand.data.dataset import Dataset
from byhand.data.shards import Sharded
from byhand.distributed import World, draw_own_masks, share_work
from byhand.errors import DataError, UsageError
from byhand.learner import Learner
from byhand.networks import Network
from byhand.recipe import Recipe, build, schedule_of
from byhand.record import record
from byhand.settings import Settings
from byhand.signals import stop_on_signals
from byhand.state import State, get_state, set_state
from byhand.text import brief
from byhand.threads import same_bits

__all__ = ["load_run", "resume", "train"]

_KEEP_EVERY = 2.0  # seconds: syncing a file to the disk takes longer than a short epoch


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
            checkpoint.write_state(folder, replace(get_state(learn), seconds=seconds()))

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
            learn.fit_schedule(settings.epochs or 0, schedule_of(settings)(recipe.lr), state.epochs if state else 0)
            status = "stopped" if learn.stopped else "finished"
        finally:
            took = seconds()
            keep(took, bool(learn.good) or status == "finished")  # a wide model has not gone back to its last epoch
            final = told(status, took)
            if world.rank == 0:
                checkpoint.write_run(folder, final)
            world.ends_together = status != "interrupted" or world.stopping
    if world.rank == 0:
        checkpoint.remove_states(folder)
    return final


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
    settings, model, learn = build(settings, data, quiet, world.size)
    state, damaged = checkpoint.read_state(folder)
    if state is not None:
        try:
            set_state(learn, state)
        except ValueError as error:
            raise DataError(f"the state of {folder} does not fit its run.json: {error}; train anew") from error
    place = (state.epochs, state.step) if state else None
    world.must_agree("the run's state, its data or its settings", f"{data.hash} {settings} {lr} {place}")
    share_work(learn, world)
    return Recipe(settings, data, model, learn, lr, "as the run was begun"), state, damaged


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
        model = networks.make(settings, shape, classes)
        weights.restore(model, {}, saved)
    except (KeyError, TypeError, ValueError, OverflowError, UsageError) as error:
        raise DataError(
            f"{folder} is damaged: run.json and model.safetensors do not agree ({brief(error)}); train again"
        ) from error
    return model.eval(), record
