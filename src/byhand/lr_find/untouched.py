"""Trying something out and leaving no trace: numbers, gradients, modes and random states are put back to the bit."""

import random
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from functools import partial
from types import CellType, FunctionType, MethodType
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from byhand.model import Sequential

__all__ = ["same_randomness", "untouched"]

_DEEP = 6  # steps from a loader or a model to a generator that it draws from; a data set's transform is four away
_LONG = 1000  # a longer list holds data, not generators


@contextmanager
def untouched(model: object, params: Iterable[Tensor], *others: object) -> Generator[None]:
    """Whatever is done inside, the model is afterwards as it was, and so is every random number to come.

    Covered are its parameters ``params``, and for one of ours or an ``nn.Module`` all its numbers, buffers too; their
    ``.grad``, absent inside; training or evaluation mode; and what ``same_randomness`` covers.
    """
    tensors = {id(p): p for p in params}
    if isinstance(model, Sequential | nn.Module):
        tensors |= {id(p): p for p in (*model.parameters(), *model.buffers())}
    kept = [(p, p.detach().clone(), p.grad) for p in tensors.values()]
    modes: list[tuple[Any, bool]] = [(part, part.training) for part in _parts(model)]
    for p, _, _ in kept:
        p.grad = None
    with same_randomness(model, *others):
        try:
            yield
        finally:
            with torch.no_grad():
                for p, numbers, grad in kept:
                    p.copy_(numbers)
                    p.grad = grad
            for part, training in modes:
                part.training = training


@contextmanager
def same_randomness(*sources: object) -> Generator[None]:
    """Random numbers drawn inside are drawn again outside.

    Covered are the global generators of Python, NumPy and torch, and every generator that is an attribute of a source,
    of what belongs to it (a loader's sampler, a data set's transform, a model's dropout layer), or that its functions
    use.
    """
    found = _generators(sources)
    own = [(g, g.get_state()) for g in found if isinstance(g, torch.Generator)]
    own_numpy = [(g, g.bit_generator.state) for g in found if isinstance(g, np.random.Generator)]
    own_others = [(g, g.get_state()) for g in found if isinstance(g, np.random.RandomState)]
    own_python = [(g, g.getstate()) for g in found if isinstance(g, random.Random)]
    python, legacy = random.getstate(), np.random.get_state()  # noqa: NPY002  # the user's code may draw from it
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    try:
        with torch.random.fork_rng(devices=devices):  # pyright: ignore[reportUnknownMemberType]
            yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)  # noqa: NPY002
        for generator, state in own:
            generator.set_state(state)
        for generator, state in own_numpy:
            generator.bit_generator.state = state
        for generator, state in own_others:
            generator.set_state(state)
        for generator, state in own_python:
            generator.setstate(state)


def _parts(model: object) -> list[Any]:
    """All that has a mode: the model and its layers."""
    if isinstance(model, nn.Module):
        return list(model.modules())
    return [model, *model.layers] if isinstance(model, Sequential) else []


def _generators(sources: Iterable[object]) -> list[object]:
    """Every generator within a few steps of the sources, each once."""
    seen: dict[int, object] = {}
    found: list[object] = []
    level = list(sources)
    for _ in range(_DEEP):
        level = [thing for thing in level if id(thing) not in seen]
        seen |= {id(thing): thing for thing in level}  # the things too: an id is free again when its thing is gone
        found += [
            thing
            for thing in {id(thing): thing for thing in level}.values()
            if isinstance(thing, torch.Generator | np.random.Generator | np.random.RandomState | random.Random)
        ]
        level = [belonging for thing in level for belonging in _belongings(thing)]
    return found


def _belongings(thing: object) -> list[object]:
    """What a thing holds and may draw from: its attributes, a short container's items, what a function uses."""
    if isinstance(thing, Tensor | np.ndarray | type | str | bytes | int | float | None):
        return []
    if isinstance(thing, partial):
        return [cast(object, thing.func), *thing.args, *thing.keywords.values()]
    if isinstance(thing, MethodType):
        return [thing.__self__]
    if isinstance(thing, CellType):
        try:
            return [thing.cell_contents]
        except ValueError:  # a name that has no value yet
            return []
    if isinstance(thing, FunctionType):
        used = [thing.__globals__[name] for name in thing.__code__.co_names if name in thing.__globals__]
        return [*(thing.__closure__ or ()), *(thing.__defaults__ or ()), *(x for x in used if not _is_module(x))]
    if isinstance(thing, dict):
        items = list(cast("dict[object, object]", thing).values())
        return items if len(items) <= _LONG else []
    if isinstance(thing, Sequence):
        return list(cast("Sequence[object]", thing)) if len(cast("Sequence[object]", thing)) <= _LONG else []
    return [] if _is_module(thing) else list(getattr(thing, "__dict__", {}).values())


def _is_module(thing: object) -> bool:
    return type(thing).__name__ == "module"
