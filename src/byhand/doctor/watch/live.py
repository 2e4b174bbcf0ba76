"""A run, told while it goes on: a mailbox of one file, which whoever watches empties.

A line of JSON is left in it after an update or a print, at most twenty times a second, and only if the one before has
been taken: a run that nobody looks at costs nothing, and a run of hours leaves no more behind than a short one.
"""

import math
import os
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, final

import numpy as np
from numpy.typing import NDArray

from byhand.doctor.place import Place
from byhand.doctor.run.mailbox import LAST, LINE, LOOK
from byhand.doctor.trace import Number
from byhand.doctor.watch.arrays import as_numpy
from byhand.doctor.watch.drafts import ForwardDraft, Slot
from byhand.doctor.watch.numbers import numbers_in
from byhand.doctor.watch.pictured import Input, picture
from byhand.doctor.watch.recorder import Recorder
from byhand.doctor.watch.safe import unwatched
from byhand.json_text import json_text

__all__ = ["Live"]

_GAP: Final = 0.05  # seconds between two lines, at least
_SHARE: Final = 25  # times as long as a line takes is the least time to the next one
_PATIENCE: Final = 0.5  # seconds that a line which is due waits for an update
_LOSSES: Final = 200  # of one line
_SHOWN: Final = 100  # prints of one line: the newest
_NUMBERS: Final = 6  # of one print
_WORDS: Final = 200  # characters of the words before one
_COMPARED: Final = 500  # comparisons of one line
_SLOTS: Final = 40  # parameters of one line
_LARGE: Final = 4_000_000  # numbers of a parameter; more are not looked at


@final
class Live:
    """Collects what is new, and tells it; the run's ``Samples`` and its ``Recorder`` call it.

    Args:
        recorder: of the run.
        folder: where the files of the mailbox are.
        so_far: leaves a trace of the run so far there; called where ``LOOK`` asks for one.
    """

    def __init__(self, recorder: Recorder, folder: Path, so_far: Callable[[], None]) -> None:
        self._recorder, self._so_far = recorder, so_far
        self._line, self._last, self._look = (os.fspath(folder / name) for name in (LINE, LAST, LOOK))
        self._next = 0.0  # when the next line may be told
        self._spent = 0.0  # seconds on the next line so far
        self._losses: list[tuple[int, float]] = []
        self._every, self._lost = 1, 0  # one loss in so many is kept, of so many
        self._shown: deque[tuple[int, str, Place]] = deque(maxlen=_SHOWN)
        self._compared = 0  # comparisons that have been told
        self._inputs: dict[int, Input] = {}  # by slot
        self._before: dict[int, NDArray[Any]] = {}  # values by slot, from before an update
        self._gradients: dict[int, float] = {}  # norms by slot
        self._looked = -1  # the clock of ``_before``

    def loss(self, clock: int, value: float) -> None:
        """A backward pass begins at a loss."""
        self._lost += 1
        if self._lost % self._every == 0:
            self._losses.append((clock, value))
            if len(self._losses) > _LOSSES:
                del self._losses[::2]
                self._every *= 2

    def shown(self, text: str, place: Place | None) -> None:
        """A line was shown."""
        if place is not None:
            self._shown.append((self._recorder.forwards.clock, text, place))
        if self._is_due():
            self._tell(self._line)

    def before(self) -> None:
        """A forward begins: if a line is due, remember the values from before the update that may follow."""
        clock = self._recorder.forwards.clock
        if not self._is_due():
            return
        began = time.monotonic()
        if self._looked == clock:
            if began > self._next + _PATIENCE:  # gradients come, and no update
                self._tell(self._line)
            return
        self._looked = clock
        with self._recorder.safe, unwatched():
            draft = self._recorder.forwards.current
            if draft is not None and draft.training is not None and draft.values is not None:
                self._inputs[draft.training] = _input(draft)
            self._gradients.clear()
            self._before = {slot.index: values.copy() for slot, values in self._values()}
        self._spent = time.monotonic() - began

    def gradients(self, returned: Mapping[int, Any]) -> None:
        """A backward pass is done: if a line is due, how large are the gradients?"""
        if self._looked != self._recorder.forwards.clock or not self._recorder.on:
            return
        began = time.monotonic()
        with self._recorder.safe, unwatched():
            for slot, array in self._slots():
                gradient = returned.get(slot.index, getattr(array, "grad", None))
                found = None if gradient is None else as_numpy(gradient)
                if found is not None and found.size <= _LARGE:
                    self._gradients[slot.index] = _norm(found)
        self._spent += time.monotonic() - began

    def after(self) -> None:
        """An update is done."""
        if self._looked >= 0 and self._is_due():
            self._tell(self._line)

    def close(self) -> None:
        """The run is over."""
        self._tell(self._last)

    def _is_due(self) -> bool:
        """Whether a line may be told now; if none has been taken, not for a while."""
        if time.monotonic() < self._next or not self._recorder.on:
            return False
        if os.path.exists(self._line):
            self._next = time.monotonic() + _GAP
            return False
        return True

    def _tell(self, file: str) -> None:
        began = time.monotonic()
        with self._recorder.safe, unwatched(), np.errstate(all="ignore"):
            line = json_text(self._new(file == self._last))
            handle = os.open(f"{file}.part", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            try:
                os.write(handle, line.encode("ascii"))
            finally:
                os.close(handle)
            os.replace(f"{file}.part", file)
        self._looked = -1
        now = time.monotonic()
        self._next = now + max(_GAP, _SHARE * (now - began + self._spent))
        self._spent = 0.0
        if file == self._line and os.path.exists(self._look):
            with self._recorder.safe, unwatched():
                os.unlink(self._look)
                self._so_far()

    def _new(self, final: bool) -> dict[str, Any]:
        """What has come since the last line."""
        shown, self._shown = self._shown, deque[tuple[int, str, Place]](maxlen=_SHOWN)
        losses, self._losses, self._every = self._losses, [], 1
        return {
            "clock": self._recorder.forwards.clock,
            "losses": losses,
            "shown": [_shown(*one) for one in shown],
            "judged": self._judged(final),
            "parameters": self._parameters(),
        }

    def _judged(self, final: bool) -> list[dict[str, Any]]:
        """Predictions that were compared with labels: how many are right, whatever the program made of it.

        Those of the weights as they are now wait: an update may yet show that they belong to a batch of the training.
        """
        seen, clock = self._recorder.evaluations, self._recorder.forwards.clock
        found: dict[tuple[int, Place], list[int]] = {}
        for _, draft, one in seen.comparisons[self._compared : self._compared + _COMPARED]:
            if draft is not None and draft.clock >= clock and not final:
                break
            self._compared += 1
            if draft is None or draft.kind == "train" or one.prediction is None or one.place is None:
                continue
            chosen = seen.predictions[one.prediction][2].chosen
            if chosen.size == one.labels.size:
                right, rows = int((chosen.reshape(-1) == one.labels).sum()), chosen.size
            else:
                right, rows = one.equal, one.total
            sums = found.setdefault((draft.clock, one.place), [0, 0])
            sums[0] += right
            sums[1] += rows
        return [
            {"clock": at, "file": place.file, "cell": place.cell, "line": place.line, "right": right, "rows": rows}
            for (at, place), (right, rows) in found.items()
        ]

    def _parameters(self) -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = []
        names: Counter[str] = Counter()  # W of a loop over layers is the name of each
        shapes = [made.summary.shape for made in self._recorder.made]
        for slot, values in self._values():
            before, given = self._before.get(slot.index), self._inputs.get(slot.index)
            moved = before is not None and before.shape == values.shape and self._recorder.forwards.clock > self._looked
            name = slot.name or f"parameter {slot.index + 1}"
            names[name] += 1
            told.append(
                {
                    "name": name if names[name] == 1 else f"{name} ({names[name]})",
                    "shape": slot.shape,
                    "norm": _norm(values),
                    "gradient": self._gradients.get(slot.index),
                    "step": _norm(values - before) if moved else None,
                    "picture": None if given is None else picture(values, given, shapes),
                }
            )
        self._before.clear()
        self._gradients.clear()
        return told

    def _slots(self) -> list[tuple[Slot, Any]]:
        """The newest parameters that the program holds, with an array of each."""
        found = [(slot, slot.current()) for slot in self._recorder.lineage.parameters.slots]
        return [(slot, array) for slot, array in found if array is not None][-_SLOTS:]

    def _values(self) -> list[tuple[Slot, NDArray[Any]]]:
        """Those that are not too large, with their values."""
        known = [(slot, as_numpy(array)) for slot, array in self._slots()]
        return [(slot, values) for slot, values in known if values is not None and values.size <= _LARGE]


def _input(draft: ForwardDraft) -> Input:
    """What the rows of a forward are; a 1 beside each of them is looked for where the rest would be a square."""
    rows, ones = draft.values, None
    if rows is not None and len(draft.shape) == 1 and math.isqrt(rows.shape[1] - 1) ** 2 == rows.shape[1] - 1:
        ones = next((k for k in (0, -1) if bool((rows[:, k] == 1).all())), None)
    return Input(draft.shape, draft.columns, ones)


def _shown(clock: int, text: str, place: Place) -> dict[str, Any]:
    numbers = [number for line in text.splitlines()[:_NUMBERS] for number in numbers_in(line)][:_NUMBERS]
    told = [[_value(number), number.words[:_WORDS]] for number in numbers]
    return {"clock": clock, "file": place.file, "cell": place.cell, "line": place.line, "numbers": told}


def _value(number: Number) -> float:
    """63.7 % and 637/1000 are 0.637."""
    return number.value / (100 if number.percent else number.of or 1)


def _norm(values: NDArray[Any]) -> float:
    return float(np.linalg.norm(values.astype(np.float64, copy=False)))
