"""What a program asks of its surroundings and does not find here: somebody who types, and IPython."""

import builtins
import os
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Final, final

__all__ = ["Left", "held_back", "stand_in"]

_ANSWERS: Final = 100  # empty lines that input() gives; who asks on and on waits for something else


class Left(BaseException):
    """``os._exit`` was called: the program ends here. Not an Exception, so that no handler of the user's holds it."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def stand_in(note: Callable[[str], None], show: Callable[[str, Any], None], *, notebook: bool) -> None:
    """Put stand-ins into ``builtins``, for this process.

    Args:
        note: told what was answered in place of the real thing.
        show: told the text of what ``display`` shows, and the value.
        notebook: whether ``display`` and ``get_ipython`` are there too.
    """
    builtins.input = _typist(note)
    if not notebook:
        return
    shell = _Shell(note)

    def display(*values: Any, **_: Any) -> None:
        for value in values:
            show(repr(value), value)

    for name, function in (("display", display), ("get_ipython", lambda: shell)):
        setattr(builtins, name, function)


def _typist(note: Callable[[str], None]) -> Callable[..., str]:
    asked = 0

    def input(prompt: object = "", /) -> str:  # noqa: A001, that is its name
        nonlocal asked
        asked += 1
        print(prompt, end="", flush=True)  # noqa: T201, as input does
        note("input() was answered with an empty line")
        if asked > _ANSWERS:
            raise EOFError("nobody types here")
        return ""

    return input


@contextmanager
def held_back() -> Generator[None, None, None]:
    """``os._exit`` raises ``Left`` in this process's main thread: what was seen is still to be written down."""
    usual, here = os._exit, os.getpid()

    def leave(status: int) -> Any:
        if os.getpid() != here or threading.current_thread() is not threading.main_thread():
            usual(status)
        raise Left(status)

    os._exit = leave
    try:
        yield
    finally:
        os._exit = usual


@final
class _Shell:
    """What ``get_ipython()`` gives: it does nothing."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note
        self.user_ns: dict[str, Any] = vars(__import__("__main__"))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def nothing(*words: Any, **_: Any) -> None:
            said = ", ".join(repr(word) for word in words)
            self._note(f"get_ipython().{name}({said}) did nothing"[:200])

        return nothing
