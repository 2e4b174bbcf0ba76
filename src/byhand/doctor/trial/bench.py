"""Where experiments are made: runs of the program with edits, none twice, within a budget of time.

An *arm* is one such run. All arms that are compared have the same number of steps.
"""

import math
from collections.abc import Callable, Sequence
from typing import Final, final

from byhand.doctor.text.edits import Edits, apply
from byhand.doctor.text.program import Program
from byhand.doctor.trace import Trace
from byhand.doctor.trial.outcome import Gain, Outcome, difference

__all__ = ["Bench", "Runner", "updates"]

Runner = Callable[[Sequence[Edits], int | None, int], Sequence[Trace]]
"""Runs the program once for each set of edits, all at once: (sets, updates or None for as many as it makes, shift of
the seeds) to traces in the same order."""

_SHORTEST: Final = 0.1  # of the program's own steps; what a shorter arm shows is not the program any more
_SPARE: Final = 0.9  # of the time that is left, what a plan may use
_SHORT: Final = 0.25  # of the time that is left
_NORMAL: Final = 0.5  # of the updates that it should make: an arm with fewer has crashed, and tells no time


def updates(trace: Trace) -> int:
    """How many updates of parameters a run made."""
    return max((training.last for training in trace.trainings), default=0)


@final
class Bench:
    """Runs arms and remembers what they reached; ``steps`` and ``share`` tell how long an arm is."""

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
        self.steps = None if trace.end.by_itself else updates(trace) or None
        self.share = 1.0  # of the updates that were seen, those that an arm makes
        self.runs = 0
        self._program, self._trace, self._run, self._measure = program, trace, run, measure
        self._at_once, self._now = at_once, now
        self._ends = now() + budget
        training = trace.end.seconds if trace.end.training is None else trace.end.training
        self._around = crowding * (trace.end.seconds - training)  # seconds that an arm takes beside its updates
        self._update = crowding * training / max(1, updates(trace))  # seconds
        self._timed = False  # by an arm
        self._known: dict[tuple[frozenset[object], int | None, int], Outcome | None] = {
            (frozenset(), self.steps, 0): self.observed
        }

    @property
    def shortened(self) -> bool:
        """Whether an arm makes fewer updates than were seen."""
        return self.share < 1

    def plan(self, arms: int, shorten: bool = False) -> bool:
        """Whether that many arms fit, with time to spare; where told, with as many steps as then fit."""
        waves, spare = math.ceil(arms / self._at_once), _SPARE * (self._ends - self._now())
        if waves * self._seconds(1.0) <= spare:
            return True
        total = updates(self._trace)
        if not shorten or self.shortened or not total:
            return False
        share = (spare / waves - self._around) / (self._update * total) if self._update else 0.0
        if share < _SHORTEST:
            return False
        self.steps, self.share = max(1, int(share * total)), share
        return True

    def fits(self, arms: int, share: float = 1.0) -> bool:
        """Whether that many arms, or that ``share`` of their steps, fit into the time that is left."""
        return math.ceil(arms / self._at_once) * self._seconds(share) <= self._ends - self._now()

    def time(self, fixes: Sequence[Edits], share: float) -> None:
        """Find out how long an arm takes, by short ones, unless some were run already or even these take long."""
        if not self._timed and self._seconds(share) <= _SHORT * (self._ends - self._now()):
            self.run(fixes, share=share)

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
        while missing and self.fits(1, share):
            wave = missing[: self._at_once]
            missing = missing[self._at_once :]
            start = self._now()
            traces = self._run(wave, steps, shift)
            self._learn(traces, self._now() - start, share)
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

    def _seconds(self, share: float) -> float:
        return self._around + share * self._update * (self.counted() or 1)

    def _learn(self, traces: Sequence[Trace], seconds: float, share: float) -> None:
        """How long arms take, from a wave of them that took so many seconds."""
        slowest = max(traces, key=lambda trace: trace.end.seconds)
        made, training = updates(slowest), slowest.end.training
        if training and made >= _NORMAL * share * (self.counted() or 1):
            self._around, self._update = max(0.0, seconds - training), training / made
            self._timed = True
        elif share == 1.0:
            by = seconds / (self._seconds(share) or 1)
            self._around, self._update = by * self._around, by * self._update

    def _judge(self, trace: Trace, steps: int | None) -> Outcome | None:
        """What a run reached, if it got as far as it should."""
        crashed = trace.end.how in ("error", "killed", "stopped") and trace.end.how != self._trace.end.how
        cut = trace.end.how == "shortened" and steps is None
        return None if crashed or cut else self._measure(trace)
