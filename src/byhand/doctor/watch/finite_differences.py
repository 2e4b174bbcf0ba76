"""Finite differences by branches: a parameter is moved a little, and the iteration is gone through to its end.

Nothing need be known of the program: whatever number it computes on the way answers, or does not. In the branches the
updates are taken back at once, so that a loss that is computed after them is that of the moved parameters too.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from byhand.doctor.run.linux import cores
from byhand.doctor.watch.activations import Activations, Site, activation
from byhand.doctor.watch.arrays import is_float, is_numpy
from byhand.doctor.watch.branch import Branch, start
from byhand.doctor.watch.computed import Key, Scalars
from byhand.doctor.watch.hooks import Hooks
from byhand.doctor.watch.listening import on_result, on_scalars, on_update, replacing_results
from byhand.doctor.watch.recorder import Recorder
from byhand.doctor.watch.shares import Shares

__all__ = ["Differences", "Move", "labels_of", "replace_activations"]

Array = NDArray[np.float64]

_PATIENCE: Final = 10.0  # times as long as the first branch took; at the least a second


@final
@dataclass(frozen=True, slots=True)
class Move:
    """A parameter, how far it is moved, and what else the branch does before it goes on."""

    number: int
    by: Array
    prepare: Callable[[], None] | None = None


@final
class Differences:
    """Goes through the iteration that begins now, in branches, and tells what each number became.

    Args:
        hooks: of the run.
        recorder: of the run.
        arrays: the parameters, by number.
        keys: the numbers that are looked at, S.
        wait: has a function called when the iteration is over.
        both: move a parameter to both sides.
    """

    def __init__(
        self,
        hooks: Hooks,
        recorder: Recorder,
        arrays: Mapping[int, Any],
        keys: Sequence[Key],
        wait: Callable[[Callable[[], None]], None],
        *,
        both: bool,
    ) -> None:
        self.branches = 0
        self._base: Array | None = None
        self._both = both
        self._hooks, self._recorder, self._arrays, self._keys, self._wait = hooks, recorder, arrays, keys, wait
        self._at_once = max(1, min(2, cores()))
        self._seconds = 10.0

    def along(self, moves: Iterable[Move], until: float) -> list[Array | None] | None:
        """For each move (S, 2): the change of the last numbers and of the sums from W to W + by.

        In float32, where short steps drown, it is half the change from W − by to W + by. An answer is None where a
        branch did not come to the end of the iteration, or the time was ``until`` before.
        None in the place of all: this process is a branch, and has to return to the program.
        """
        if self._base is None and not self._both:
            told = self._tell([(Move(next(iter(self._arrays)), np.zeros(())), 0.0)], until)
            if told is None:
                return None
            self._base = told[0] if told else None
        signs = (1.0, -1.0) if self._both else (1.0,)
        moves = list(moves)
        told = self._tell([(move, sign) for move in moves for sign in signs], until)
        if told is None:
            return None
        answers: list[Array | None] = []
        for i in range(len(moves)):
            up, *down = told[i * len(signs) : (i + 1) * len(signs)] or [None]
            base = down[0] if down else self._base
            answers.append(None if up is None or base is None else (up - base) / len(signs))
        return answers

    def _tell(self, moves: list[tuple[Move, float]], until: float) -> list[Array | None] | None:
        """What the branches told, in order; None where this process is one of them."""
        answers: list[Array | None] = []
        for first in range(0, len(moves), self._at_once):
            if time.monotonic() > until:
                break
            began, branches = time.monotonic(), list[Branch]()
            for move, sign in moves[first : first + self._at_once]:
                branch = start(self._recorder, self._seconds)
                if branch.inside:
                    self._go(move, sign, branch.tell)
                    return None
                branches.append(branch)
            self.branches += len(branches)
            for branch in branches:
                told = branch.answer()
                answers.append(None if told is None else np.frombuffer(told).reshape(len(self._keys), 2))
            self._seconds = min(self._seconds, max(1.0, _PATIENCE * (time.monotonic() - began)))
        return answers

    def _go(self, move: Move, sign: float, tell: Callable[[bytes], Any]) -> None:
        array = self._arrays[move.number]
        array += (sign * move.by).astype(array.dtype)
        kept = {number: one.copy() for number, one in self._arrays.items()}
        held = self._recorder.lineage.parameters.held
        slots = {slot.index: number for number, one in self._arrays.items() if (slot := held(one))}
        scalars, own = Scalars(), list(self._arrays.values())
        if move.prepare is not None:
            move.prepare()

        def result(k: int, name: str, operands: tuple[Any, ...], value: Any) -> None:
            scalars.share(k, name, value)
            if name == "sub" and not any(value is one for value in operands for one in own):
                scalars.differ(k, *operands[:2])

        def update(name: str, old: Any, new: Any, place: Any) -> None:
            slot = held(new)
            if slot is not None and slot.index in slots:
                new[...] = kept[slots[slot.index]]

        forwards = len(self._recorder.forwards.drafts)

        def over() -> None:
            scalars.label(labels_of(self._recorder, forwards))
            none = float("nan")
            tell(
                np.array(
                    [(scalars.last.get(key, none), scalars.sums.get(key, none)) for key in self._keys]
                ).tobytes()
            )  # fmt: skip

        on_result(self._hooks, result)
        on_scalars(self._hooks, scalars.note)
        on_update(self._recorder, update)
        self._wait(over)


def labels_of(recorder: Recorder, first: int) -> NDArray[np.int64]:
    """The labels of the forward for training, from the ``first`` on; (0,) where there is none, or more than one."""
    drafts = [draft for draft in recorder.forwards.drafts[first:] if draft.kind == "train"]
    return drafts[0].labels if len(drafts) == 1 else np.zeros(0, np.int64)


def replace_activations(hooks: Hooks, activations: Activations, sites: Sequence[Site], how: str) -> None:
    """Have other activations at some sites, in this process and from now on."""
    times: Counter[Site] = Counter()
    shares = Shares()

    def other(k: int, name: str, operands: tuple[Any, ...], result: Any) -> Any:
        site = k, tuple(getattr(result, "shape", ()))
        if not is_numpy(result) or not is_float(result):
            return result
        if site not in sites:
            shares.scores(name, operands, result)
            return result
        found = activation(name, operands, result, shares)
        if found is None or times[site] >= len(activations.of[site]):
            return result
        times[site] += 1
        return activations.replaced(site, times[site] - 1, how, found[1])

    replacing_results(hooks, other)
