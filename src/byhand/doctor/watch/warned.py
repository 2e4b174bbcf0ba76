"""Warnings that come up while a hook stands in for the user's expression are told of the user's line."""

import sys
import warnings
from collections.abc import Callable
from types import FrameType
from typing import Any

from byhand.doctor.watch.frames import OWN

__all__ = ["watch_warnings"]


def watch_warnings(is_own: Callable[[FrameType], bool]) -> None:
    """Patch ``warnings`` for this process; ``is_own`` tells whether a frame runs the user's code."""
    usual: Any = warnings.showwarning

    def show(message: Any, category: Any, filename: str, lineno: int, file: Any = None, line: Any = None) -> None:
        frame: FrameType | None = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
        while filename.startswith(OWN) and frame is not None and not is_own(frame):
            if frame.f_code.co_filename == filename:
                frame.f_globals.get("__warningregistry__", {}).clear()  # or the next line's would count as shown
            frame = frame.f_back
        if frame is None or not filename.startswith(OWN):
            usual(message, category, filename, lineno, file, line)
            return
        warnings.warn_explicit(
            message,
            category,
            frame.f_code.co_filename,
            frame.f_lineno,
            frame.f_globals.get("__name__"),
            frame.f_globals.setdefault("__warningregistry__", {}),
        )

    warnings.showwarning = show
