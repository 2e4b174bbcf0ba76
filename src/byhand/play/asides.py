"""What is found beside the training: the finder's range, by trials of its own, and the best that a linear layer can do.

The trials take a fraction of a second and run in a thread; the ceiling takes seconds of every core, so a process of low
priority looks for it (``byhand.play.ceiling``), unless it is known from before.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any, Final, final

from byhand.data.dataset import Dataset
from byhand.errors import ByhandError
from byhand.evaluate.landmarks import find_landmarks, is_known
from byhand.learner import Learner
from byhand.lr_find.finder import auto_lr
from byhand.optim import Schedule
from byhand.play.ceiling import ceiling_or_reason

__all__ = ["Asides"]

_LOOK: Final = 0.2  # seconds between two looks at the process

_Wanted = tuple[object, Callable[[Callable[[], object]], Learner]]


class _Stale(Exception):
    """Nobody wants the answer any more."""


@final
class Asides:
    """A thread that looks for the rate that was asked for last, and then for the ceiling.

    Attributes:
        ceiling: ``accuracy``, ``low`` and ``high``, or None.
        ceiling_state: "finding", "found", or why it is not to be had.
    """

    def __init__(
        self,
        data: Dataset,
        usual: bool,
        reading: tuple[int | None, bool],
        found: Callable[[object, tuple[float, float, float] | str], None],
        tell: Callable[[], None],
        is_watched: Callable[[], bool],
    ) -> None:
        """Begin.

        Args:
            data: the data set.
            usual: whether it is split as ``load`` does it by itself, as what is kept of a data set wants it.
            reading: ``size`` and ``grayscale``, with which it was read.
            found: called with a key of ``look`` and what was found for it: rate, lowest and highest, or why not.
            tell: called when the ceiling is decided.
            is_watched: whether somebody would see the ceiling; a process is started for nobody else.
        """
        self.ceiling: dict[str, float] | None = None
        self.ceiling_state = "finding"
        self._data, self._usual, self._reading = data, usual, reading
        self._found, self._tell, self._is_watched = found, tell, is_watched
        self._turn = threading.Condition()
        self._wanted: _Wanted | None = None
        self._closing = False
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._work, name="byhand-asides", daemon=True)
        self._thread.start()

    def look(self, key: object, make: Callable[[Callable[[], object]], Learner]) -> None:
        """Look for a rate; one that is being looked for is given up.

        Args:
            key: names it.
            make: makes the learner, given what it should call now and then.
        """
        with self._turn:
            self._wanted = key, make
            self._turn.notify_all()

    def end(self) -> None:
        """Bid the thread and the process end."""
        with self._turn:
            self._closing = True
            self._turn.notify_all()

    def join(self, seconds: float) -> None:
        """Wait for that, so long at most."""
        self._thread.join(seconds)

    def _work(self) -> None:
        try:
            while not self._closing:
                wanted = self._take()
                if wanted is not None:
                    self._find(wanted)
                elif self.ceiling_state == "finding":
                    self._advance()
                with self._turn:
                    if self._wanted is None and not self._closing:
                        self._turn.wait(_LOOK if self.ceiling_state == "finding" else None)
        finally:
            if self._process is not None:
                self._process.kill()
                self._process.communicate()

    def _take(self) -> _Wanted | None:
        with self._turn:
            wanted, self._wanted = self._wanted, None
            return wanted

    def _find(self, wanted: _Wanted) -> None:
        key, make = wanted

        def check() -> None:
            if self._closing or self._wanted is not None:
                raise _Stale

        def course(lr: float) -> Schedule:
            def rate(done: float) -> float:
                check()
                return lr

            return rate

        try:
            choice = auto_lr(make(check), None, course)
        except _Stale:
            return
        except (ByhandError, RuntimeError) as error:
            self._found(key, str(error).splitlines()[0])
            return
        self._found(key, (choice.lr, choice.low, choice.high))

    def _advance(self) -> None:
        """One look at what is known of the ceiling, or at the process that looks for it."""
        if self._process is None:
            if self._usual and is_known(self._data):
                self._decide(ceiling_or_reason(find_landmarks(self._data)))
                return
            if not self._is_watched():
                return
            reading = json.dumps(self._reading)
            try:
                self._process = subprocess.Popen(  # noqa: S603  this very Python
                    [sys.executable, "-P", "-m", "byhand.play.ceiling", self._data.source, reading],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env=os.environ | {"OMP_NUM_THREADS": "1"},  # the other core is the training's
                )
            except OSError as error:
                self._decide({"ceiling": None, "reason": f"no process could look for it: {error.strerror}"})
        elif self._process.poll() is not None:
            said, _ = self._process.communicate()  # a line: it never fills the pipe
            self._process = None
            try:
                self._decide(json.loads(said))
            except ValueError:
                self._decide({"ceiling": None, "reason": "the process that looked for it was ended"})

    def _decide(self, found: dict[str, Any]) -> None:
        self.ceiling = found["ceiling"]
        self.ceiling_state = "found" if self.ceiling is not None else str(found["reason"])
        self._tell()
