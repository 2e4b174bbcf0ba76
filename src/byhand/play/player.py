"""The thread that trains, and how it is steered.

The training is the house's own ``Learner``. After each step, and after each batch while both parts are measured, the
learner calls back; in this gap the thread looks at what is wished: it waits, goes on, or leaves a start that nobody
wants any more. Whoever looks at the weights from another thread does so between two steps: at once while the thread
rests, else as its guest in the next gap (``visit``). So a training that is paused, stepped and watched makes the very
steps of one that is not.
"""

import math
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, TypeVar, final

from byhand.learner import Learner
from byhand.play.controls import Controls
from byhand.play.training import Training

__all__ = ["Player"]

_ENDLESS: Final = 10**9  # epochs: somebody will pause it
_LATE: Final = 0.05  # seconds that a limited speed may catch up

_T = TypeVar("_T")


class _Left(Exception):
    """The start under way is wanted no more."""


@final
class Player:
    """Plays one training at a time.

    Attributes:
        turn: held by whoever reads or changes what follows.
        training: the start that is played.
        controls: the choices; a step that begins takes what it finds.
        playing: whether steps are made without end.
        message: what the thread has to say to the person, or None.
    """

    def __init__(self, show: Callable[[Training, Controls, bool], None], tell: Callable[[], None]) -> None:
        """Take what the thread calls.

        Args:
            show: in each gap, and whether all must be shown.
            tell: when it has paused by itself.
        """
        self.turn = threading.Condition()
        self.training: Training
        self.controls: Controls
        self.playing = False
        self.message: str | None = None
        self._show, self._tell = show, tell
        self._steps = 0  # asked for one by one
        self._closing = False
        self._resting = True
        self._visits: list[tuple[Callable[[], Any], list[Any]]] = []
        self._due = self._went = 0.0  # when a limited speed allows the next step; when the last gap ended
        self._mine: Training  # the thread's
        self._thread = threading.Thread(target=self._work, name="byhand-training", daemon=True)

    # From any thread.

    def begin(self, training: Training, controls: Controls) -> None:
        """Start the thread on a first start, paused."""
        self.training, self.controls = training, controls
        # The learner says that the loss is no number; the page says it too. A filter is no business of a thread's.
        warnings.filterwarnings("ignore", message="the loss became", category=RuntimeWarning)
        self._resting = False
        self._thread.start()

    def put(self, training: Training, controls: Controls, playing: bool) -> None:
        """A new start, played or not."""
        with self.turn:
            self.training, self.controls = training, controls
            self.playing, self.message, self._steps, self._due = playing, None, 0, 0.0
            self.turn.notify_all()

    def choose(self, controls: Controls) -> None:
        """Other controls for the steps to come; what a start depends on has not changed."""
        with self.turn:
            stop = controls.stop_after
            if stop != self.controls.stop_after and 0 < stop <= self.training.finished:
                self.playing = False
            self.controls, self._due = controls, 0.0
            self.turn.notify_all()

    def play(self, playing: bool) -> None:
        """Play, or pause."""
        with self.turn:
            self.playing, self._steps = playing, 0
            if playing:
                self.message = None
            self.turn.notify_all()

    def step(self) -> None:
        """Pause, and make one more step."""
        with self.turn:
            self.playing, self.message = False, None
            self._steps += 1
            self.turn.notify_all()

    def visit(self, act: Callable[[], _T]) -> _T:
        """What ``act`` returns while no step is under way; it must be short."""
        with self.turn:
            if self._resting:
                return act()
            answer: list[_T] = []
            self._visits.append((act, answer))
            while not answer:
                self.turn.wait()
            return answer[0]

    def end(self) -> None:
        """Bid the thread end."""
        with self.turn:
            self._closing = True
            self.turn.notify_all()

    def join(self, seconds: float) -> None:
        """Wait for that, so long at most."""
        self._thread.join(seconds)

    # By the learner, in the thread.

    def check(self) -> None:
        """Called while both parts are measured."""
        with self.turn:
            self._answer()
            self._leave()
        if self.playing:
            self._show(self._mine, self.controls, False)

    def after(self, learn: Learner) -> None:
        """Called after each step and each epoch: the gap."""
        training, stepped = self._mine, learn.step is not None
        if stepped:
            training.stepped(learn.loss, time.perf_counter() - self._went)
            with self.turn:
                self._steps -= not self.playing and self._steps > 0
        else:
            training.shown = -1  # both parts are measured now
            self._end_epoch(training)
        if stepped and self.playing:
            self._show(training, self.controls, False)
        self._gap(stepped)

    # The thread.

    def _work(self) -> None:
        try:
            while not self._closing:
                self._mine = training = self.training
                self._show(training, self.controls, True)
                with suppress(_Left):
                    self._gap(True)
                    said = self._fit(training)
                    with self.turn:
                        training.stopped()
                        self.playing, self._steps, self.message = False, 0, said
                    self._tell()
        except Exception:  # a fault of ours: the terminal shows it, and the page does not wait for ever
            with self.turn:
                self.playing, self._steps = False, 0
                self.message = "a bug of byhand's stopped the training; the terminal says more; start byhand play again"
            self._tell()
            raise
        finally:
            with self.turn:
                self._resting = True
                self._answer()

    def _fit(self, training: Training) -> str:
        """Train until there is a reason not to."""
        try:
            training.hurry()
            training.learn.fit_schedule(_ENDLESS, self._rate)
        except RuntimeWarning:  # where warnings are errors
            pass
        except (RuntimeError, MemoryError) as error:
            return f"the training stopped: {(str(error) or 'no memory is left').splitlines()[0]}"
        return training.learn.stopped or "the training has ended"

    def _rate(self, done: float) -> float:
        """The rate of the step that begins, for which the optimizer gets all else that may change between steps."""
        controls, opt = self.controls, self._mine.learn.optimizer()
        if opt.momentum and not controls.momentum:
            opt.velocity = [None] * len(opt.params)  # a later momentum begins anew
        opt.momentum, opt.weight_decay = controls.momentum, controls.weight_decay
        return self._mine.lr(controls)

    def _end_epoch(self, training: Training) -> None:
        if self.playing:
            stops = training.finished == self.controls.stop_after > 0
            self._show(training, self.controls, stops)
            if stops:
                training.shown = training.step
                with self.turn:
                    self.playing = False
                self._tell()

    def _gap(self, limited: bool) -> None:
        """Rest until a step may begin. What is seen is brought up to date before."""
        training = self._mine
        while True:
            with self.turn:
                self._answer()
                self._leave()
                wait = self._wait(limited)
                if wait <= 0:
                    self._went = time.perf_counter()
                    return
                if wait < math.inf or training.shown == training.step:
                    self._resting = True
                    self.turn.wait(None if wait == math.inf else wait)
                    self._resting = False
                    continue
            self._show(training, self.controls, True)
            training.shown = training.step

    def _wait(self, limited: bool) -> float:
        """Seconds until the next step may begin."""
        if not self.playing and not self._steps:
            return math.inf
        now = time.perf_counter()
        if now < self._mine.patience:
            return self._mine.patience - now
        if not (limited and self.playing and self.controls.speed):
            return 0.0
        if now < self._due:
            return self._due - now
        self._due = (self._due if self._due > now - _LATE else now) + 1 / self.controls.speed
        return 0.0

    def _answer(self) -> None:
        """Let in whoever waits. The turn is held."""
        if self._visits:
            for act, answer in self._visits:
                answer.append(act())
            self._visits.clear()
            self.turn.notify_all()

    def _leave(self) -> None:
        if self._closing or self.training is not self._mine:
            raise _Left
