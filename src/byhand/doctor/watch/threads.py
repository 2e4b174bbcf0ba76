"""Threads of the user's: a mode of torch's holds for one thread, so each that the user starts enters it again."""

import threading
from contextlib import AbstractContextManager
from typing import Any

from byhand.doctor.watch.frames import Frames

__all__ = ["watch_threads"]


def watch_threads(frames: Frames, mode: AbstractContextManager[Any]) -> None:
    """Patch ``threading`` for this process: threads that are started in the user's code run within the mode."""
    usual: Any = threading.Thread.start

    def start(self: Any) -> None:
        if frames.innermost() is not None:
            run = self.run

            def within() -> None:
                with mode:
                    run()

            self.run = within
        usual(self)

    threading.Thread.start = start  # type: ignore[method-assign]
