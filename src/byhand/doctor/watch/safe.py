"""What goes wrong in watching must not reach the program: it goes on, and the report says so."""

import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any, final

__all__ = ["Once", "Safe", "unwatched"]


def unwatched() -> Any:
    """A context in which torch tells nothing of its calls."""
    torch = sys.modules.get("torch")
    return nullcontext() if torch is None else torch._C.DisableTorchFunction()


@final
class Safe:
    """``with safe:`` around what only watches; an error in it becomes a note, once for each line."""

    def __init__(self, notes: list[str]) -> None:
        self._notes = notes

    def __enter__(self) -> None:
        """Nothing is set up: this runs at every operation."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        if not isinstance(error, Exception):
            return False
        self.note(error)
        return True

    def note(self, error: Exception) -> None:
        """Note an error of the observer's."""
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        at = "" if trace is None else f" in {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
        said = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        note = f"watching failed{at} ({said}); the program went on"
        if note not in self._notes and len(self._notes) < 100:
            self._notes.append(note)


@final
class Once:
    """A function that remembers whether it was called, and whether it was itself that failed."""

    __slots__ = ("_function", "done", "failed", "result")

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self.done = self.failed = False
        self.result: Any = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function."""
        self.failed = True
        self.result = self._function(*args, **kwargs)
        self.failed, self.done = False, True
        return self.result
