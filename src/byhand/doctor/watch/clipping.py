"""Calls that clip gradients: when they come, and what they find."""

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, Final, cast

import numpy as np

from byhand.doctor.clip import Clip
from byhand.doctor.watch.arrays import as_numpy
from byhand.doctor.watch.recorder import Recorder

__all__ = ["watch_clipping"]

_NAMES: Final = ("clip_grad_norm_", "clip_grad_value_")
_MOST: Final = 20_000  # calls
_EACH: Final = 200  # calls whose gradients are looked at, and then one in _FEWER
_FEWER: Final = 16


def watch_clipping(recorder: Recorder) -> None:
    """Note each call from here on; the functions do what they did."""
    import torch

    for name in _NAMES:
        for home in (torch.nn.utils, torch.nn.utils.clip_grad):
            function = getattr(home, name, None)
            if function is not None:
                setattr(home, name, _watched(recorder, name, function))


def _watched(recorder: Recorder, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def clip(*args: Any, **kwargs: Any) -> Any:
        if not recorder.on or len(recorder.clips) >= _MOST:
            return function(*args, **kwargs)
        if args and isinstance(args[0], Iterator):
            args = ([*cast("Iterator[Any]", args[0])], *args[1:])  # model.parameters() can be walked once
        arrays: Any = args[0] if args else kwargs.get("parameters")
        size: float | None = None
        gradients: list[Any] = []
        with recorder.safe:
            gradients = _gradients(arrays)
            number = len(recorder.clips)
            if name == "clip_grad_value_" and (number < _EACH or number % _FEWER == 0):
                size = max((float(np.abs(one).max()) for one in gradients if one.size), default=0.0)
        result = function(*args, **kwargs)
        with recorder.safe:
            limit: Any = args[1] if len(args) > 1 else next((kwargs[key] for key in _LIMITS if key in kwargs), None)
            if name == "clip_grad_norm_" and (len(recorder.clips) < _EACH or len(recorder.clips) % _FEWER == 0):
                found = as_numpy(result)
                size = None if found is None else float(found.reshape(-1)[0])
            backwards, clock = recorder.steps.backwards, recorder.forwards.clock
            fresh = bool(backwards) and backwards[-1][1].clock == clock
            count = 1 if hasattr(arrays, "grad") else len(arrays)
            place = recorder.frames.innermost()
            recorder.clips.append(Clip(place, name, clock, float(limit), fresh, count, len(gradients), size))
        return result

    return clip


_LIMITS: Final = ("max_norm", "clip_value")


def _gradients(arrays: Any) -> list[Any]:
    """The gradients that are there, as NumPy's arrays; empty ones for those that cannot be looked at."""
    given: list[Any] = [arrays] if hasattr(arrays, "grad") else list(arrays)
    held = [one.grad for one in given if getattr(one, "grad", None) is not None]
    return [np.zeros(0) if (values := as_numpy(one)) is None else values for one in held]
