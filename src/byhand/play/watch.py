"""The user's own program on the page: run unchanged, where the user is, and watched by the doctor's observer."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

from byhand.doctor.text.reading import read_program
from byhand.errors import UsageError
from byhand.play.hub import Hub
from byhand.play.watched_run import WatchedRun
from byhand.text import one_line

__all__ = ["Watch", "open_watch"]


def open_watch(script: Path, arguments: Sequence[str] = ()) -> "Watch":
    """Run a script or a notebook and watch it: once, in place, with the user's rights.

    Args:
        script: the program. A script runs in the working directory, a notebook in its own folder.
        arguments: for the program.

    Raises:
        DataError: the program cannot be read or is no Python.
    """
    read_program(script)
    return Watch(script, arguments)


@final
class Watch:
    """A session: see ``byhand.play.session``. Its commands are ``stop`` and ``restart``."""

    def __init__(self, script: Path, arguments: Sequence[str]) -> None:
        self.hub = Hub()
        self._script, self._arguments = script, tuple(arguments)
        self._lock = threading.Lock()
        self._closed = False
        self._run = WatchedRun(script, self._arguments, self.hub.publish)
        self._run.start()

    def state(self) -> dict[str, Any]:
        """Everything that a tab needs that has just come."""
        name = one_line(self._script.name)
        return {
            "mode": "watch",
            "title": name,
            "about": f"runs {name} unchanged, once, where you started byhand, with your rights: what it writes stays",
            "proof": f"byhand doctor {name}",
            **self._run.state(),
        }

    def do(self, command: dict[str, Any]) -> dict[str, Any]:
        """Carry out ``stop`` or ``restart``; the latter runs the file as it is now.

        Raises:
            UsageError: another command, or one with more to it.
        """
        what = command.get("do")
        if what not in ("stop", "restart") or len(command) > 1:
            raise UsageError('a program that is watched takes {"do": "stop"} and {"do": "restart"}')
        with self._lock:
            if self._closed:
                raise UsageError("byhand play is ending; start it again")
            if what == "stop":
                self._run.stop()
            else:
                self._restart()
        return {"ok": True}

    def _restart(self) -> None:
        before, self._run = self._run, WatchedRun(self._script, self._arguments, self.hub.publish)
        before.give_up()
        self._run.start(after=before)
        self.hub.publish("state", self.state())

    def weights(self) -> bytes | None:
        """None: the weights are the program's own."""
        return None

    def exported(self) -> str | None:
        """None: the model is the program's own."""
        return None

    def close(self) -> None:
        """End the program, and every process and thread of its watching."""
        with self._lock:
            self._closed = True
            self._run.give_up()
        self._run.join()
        self.hub.close()
