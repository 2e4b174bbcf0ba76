"""Where experiments are made: runs of the program with edits, none twice, within a budget of time.

An *arm* is one such run. All arms that are compared have the same number of steps.
"""

import math
from collections.abc import Callable, Sequence
from typing import Final, final

from byhand.doctor.edits import Edits, apply
from byhand.doctor.outcome import Gain, Outcome, difference
from byhand.doctor.program import Program
from byhand.doctor.trace import Trace

__all__ = ["Bench", "Runner", "updates"]

Runner = Callable[[Sequence[Edits], int | None, int], Sequence[Trace]]
"""Runs the program once for each set of edits, all at once: (sets, updates or None for as many as it makes, shift of
the seeds) to traces in the same order."""

_SHORTEST: Final = 0.1  # of the program's own steps; what a shorter arm shows is not the program any more
_SPARE: Final = 0.9  # of the time that is left, what a plan may use
_WHOLE: Final = ("done", "exit")


def updates(trace: Trace) -> int:
    """How many updates of parameters a run made."""
    return max((training.last for training in trace.trainings), default=0)


@final
class Bench:
    """Runs arms and remembers what they reached; ``steps`` and ``shortened`` tell how long an arm is."""

    def __init__(
        self,
        program: Program,
        trace: Trace,
        run: Runner,
        measure: Callable[[Trace], Outcome | None],
        budget: float,
        at_once: int,
        now: Callable[[], float],
        crowding: float = 1.0,
    ) -> None:
        self.observed = measure(trace)
        self.steps = None if trace.end.how in _WHOLE else updates(trace) or None
        self.shortened = False
        self.runs = 0
        self._program, self._trace, self._run, self._measure = program, trace, run, measure
        self._at_once, self._now = at_once, now
        self._ends = now() + budget
        self._pace = crowding * trace.end.seconds  # an arm's seconds, with all its steps
        self._known: dict[tuple[frozenset[object], int | None, int], Outcome | None] = {
            (frozenset(), self.steps, 0): self.observed
        }

    def plan(self, arms: float, shorten: bool = False) -> bool:
        """Whether that many arms fit into the time that is left; where told, with as many steps as then fit."""
        if self.fits(arms):
            return True
        total = updates(self._trace)
        share = _SPARE * (self._ends - self._now()) / self._cost(arms) if shorten and total else 0.0
        if self.shortened or share < _SHORTEST:
            return False
        self.steps, self.shortened = max(1, int(share * total)), True
        self._pace *= self.steps / total
        return True

    def fits(self, arms: float) -> bool:
        """Whether that many arms fit into the time that is left."""
        return self._cost(arms) <= self._ends - self._now()

    def counted(self) -> int | None:
        """The updates that an arm makes; None where none were seen."""
        return self.steps or updates(self._trace) or None

    def run(self, fixes: Sequence[Edits], shift: int = 0, share: float = 1.0) -> None:
        """Run the arms that are not known yet, the first ones first, as many as there is time for."""
        steps = self._steps(share)
        missing: list[Edits] = []
        for fix in fixes:
            if self.tried(fix, shift, share) or fix in missing:
                continue
            try:
                apply(self._program, fix)
                missing.append(fix)
            except ValueError:
                self._known[frozenset(fix), steps, shift] = None
        while missing and self.fits(share):
            wave = missing[: self._at_once]
            missing = missing[self._at_once :]
            start = self._now()
            traces = self._run(wave, steps, shift)
            if share == 1.0:
                self._pace = self._now() - start
            self.runs += len(wave)
            for fix, trace in zip(wave, traces, strict=True):
                self._known[frozenset(fix), steps, shift] = self._judge(trace, steps)

    def works(self, fix: Edits) -> bool:
        """Whether an arm was run, and reached something finite."""
        reached = self.outcome(fix)
        return reached is not None and math.isfinite(reached.value)

    def tried(self, fix: Edits, shift: int = 0, share: float = 1.0) -> bool:
        """Whether an arm was run, or cannot be."""
        return (frozenset(fix), self._steps(share), shift) in self._known

    def outcome(self, fix: Edits, shift: int = 0, share: float = 1.0) -> Outcome | None:
        """What an arm reached; None where it crashed, was cut off, cannot be made, or was not run."""
        return self._known.get((frozenset(fix), self._steps(share), shift))

    def gain(self, before: Edits, after: Edits, shift: int = 0) -> Gain | None:
        """From one arm to another; None where either is not known, or they cannot be compared."""
        first, second = self.outcome(before, shift), self.outcome(after, shift)
        return difference(first, second) if first and second else None

    def _steps(self, share: float) -> int | None:
        total = self.counted()
        return self.steps if share == 1.0 or total is None else max(1, int(share * total))

    def _cost(self, arms: float) -> float:
        whole, part = divmod(arms, 1)
        return self._pace * (math.ceil(whole / self._at_once) + part)

    def _judge(self, trace: Trace, steps: int | None) -> Outcome | None:
        """What a run reached, if it got as far as it should."""
        crashed = trace.end.how in ("error", "killed", "stopped") and trace.end.how != self._trace.end.how
        cut = trace.end.how == "shortened" and steps is None
        return None if crashed or cut else self._measure(trace)
