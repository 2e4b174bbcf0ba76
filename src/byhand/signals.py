"""Ctrl-C and SIGTERM as a wish: the first is heard between two steps, the second at once."""

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import final

__all__ = ["Stop", "stop_on_signals"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@final
@dataclass(slots=True)
class Stop:
    """Whether somebody wants the work to end."""

    wanted: bool = False


@contextmanager
def stop_on_signals() -> Generator[Stop]:
    """Within, the first signal sets ``wanted``, and the second raises KeyboardInterrupt.

    Signals are the main thread's: in another nothing changes.
    """
    stop = Stop()

    def hear(number: int, frame: FrameType | None) -> None:
        if stop.wanted:
            raise KeyboardInterrupt
        stop.wanted = True

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = [signal.signal(one, hear) for one in _SIGNALS]
    try:
        yield stop
    finally:
        for one, handler in zip(_SIGNALS, before, strict=True):
            signal.signal(one, handler)
