"""The user's loops: how often they go round, which of them train, and when they shall end early."""

import sys
import threading
from collections import defaultdict
from types import FrameType
from typing import Final, final

from byhand.doctor.place import Place
from byhand.doctor.watch.drafts import TrainingDraft

__all__ = ["Loops", "Stopped"]

_HOOK: Final = 3  # frames between here and the user's: Loops.enter, Hooks.enter


class Stopped(BaseException):
    """The run ends here: its time is over. Not an Exception, so that no ``except Exception`` of the user's holds it."""


@final
class _Loop:
    __slots__ = ("count", "depth", "entered", "frame", "key", "place", "planned", "trains")

    def __init__(self, key: int, place: Place, planned: int | None, entered: int, frame: tuple[int, int]) -> None:
        self.key, self.place, self.planned, self.entered = key, place, planned, entered
        self.depth, self.frame = frame  # of the function that it is in: number of callers, identity
        self.count = 0
        self.trains = False


@final
class Loops:
    """The loops that are under way.

    ``ending`` makes every loop that trains end at its next round; ``stopping`` raises ``Stopped`` there. ``limit`` is
    the number of updates after which the loops of one training end.
    """

    def __init__(self) -> None:
        self.ending = self.stopping = False
        self.limit: int | None = None
        self.shortened = False
        self._stacks: defaultdict[int, list[_Loop]] = defaultdict(list)  # by thread
        self._events = 0
        self._of: dict[int, _Loop] = {}  # id of a training → its outermost loop
        self._around: dict[int, tuple[TrainingDraft, list[_Loop]]] = {}  # id → a training, the loops of its last update
        self._training: TrainingDraft | None = None
        self._updated = 0  # when the last update was made

    @property
    def _stack(self) -> list[_Loop]:
        return self._stacks[threading.get_ident()]

    def enter(self, key: int, place: Place, planned: int | None) -> None:
        """A loop begins; ``planned`` rounds, if that is known."""
        self._events += 1
        frame = _frame()
        self._leave_stale(key, frame)
        self._stack.append(_Loop(key, place, planned, self._events, frame))

    def tick(self, key: int) -> bool:
        """A round begins; whether the loop shall end instead."""
        self._events += 1
        stack = self._stack
        while stack and stack[-1].key != key:
            if not any(loop.key == key for loop in stack):
                return False
            stack.pop()
        if not stack:
            return False
        loop = stack[-1]
        if self.stopping:
            raise Stopped
        if loop.trains and (self.ending or self._is_over(loop)):
            self.shortened = True
            return True
        loop.count += 1
        return False

    def _leave_stale(self, key: int, frame: tuple[int, int]) -> None:
        """Leave the loops that a return or an exception has ended: those in functions that have ended."""
        while self._stack:
            top = self._stack[-1]
            if top.depth < frame[0] or ((top.depth, top.frame) == frame and top.key != key):
                return
            self._stack.pop()

    @property
    def around(self) -> list[int]:
        """The loops that go on, the outermost first."""
        return [loop.key for loop in self._stack]

    def entered(self, key: int) -> int:
        """When the innermost loop of this key began."""
        for loop in reversed(self._stack):
            if loop.key == key:
                return loop.entered
        return 0

    def leave(self, key: int) -> None:
        """A loop is over."""
        while self._stack and any(loop.key == key for loop in self._stack):
            if self._stack.pop().key == key:
                return

    def now(self) -> int:
        """The number of rounds and loops so far: a time to compare others with."""
        return self._events

    def mark_updates(self) -> None:
        """Parameters were updated: the loops around this are training loops."""
        for loop in self._stack:
            loop.trains = True

    def training(self, training: TrainingDraft, born: int) -> None:
        """An update of this training happened; ``born`` is when its parameters were made."""
        before, self._training = self._training, training
        if before is not None and before is not training:
            born = born or self._updated
        self._updated = self._events
        self._around[id(training)] = training, list(self._stack)
        loop = self._of.get(id(training))
        if loop is None or loop not in self._stack:
            outer = [loop for loop in self._stack if loop.entered >= born] or self._stack[-1:]
            if not outer:
                return
            if loop is None or outer[0].key == loop.key:
                self._of[id(training)] = loop = outer[0]
                training.loop = loop.place
                self._part(training, loop)
        training.epochs = loop.count

    def _part(self, training: TrainingDraft, loop: _Loop) -> None:
        """A loop around two trainings is no training's own: where one has a loop within it, so has the one before."""
        for earlier, loops in list(self._around.values()):
            own = self._of.get(id(earlier))
            if earlier is training or own is None or own is loop or own not in self._stack:
                continue
            inner = next((one for one in loops if one.key == loop.key), None)
            if inner is not None:
                self._of[id(earlier)], earlier.loop, earlier.epochs = inner, inner.place, inner.count

    def rounds(self, training: TrainingDraft) -> tuple[int, int | None] | None:
        """How often a training's outermost loop went round, and was to."""
        loop = self._of.get(id(training))
        return None if loop is None else (loop.count, loop.planned)

    def _is_over(self, loop: _Loop) -> bool:
        """Whether the training that this loop belongs to has had its updates."""
        training = self._training
        if self.limit is None or training is None or training.updates < self.limit:
            return False
        own = self._of.get(id(training))
        return own is not None and loop.entered >= own.entered


def _frame() -> tuple[int, int]:
    """The function of the user's that enters a loop: how many call it, and its identity."""
    frame: FrameType | None = sys._getframe(_HOOK)  # pyright: ignore[reportPrivateUsage]
    identity, depth = id(frame), 0
    while frame is not None:
        frame, depth = frame.f_back, depth + 1
    return depth, identity
