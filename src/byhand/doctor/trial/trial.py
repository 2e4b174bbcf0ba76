"""Fixes in each other's company: which of them help, which are not needed, and which the program does not run with."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final, final

from byhand.doctor.checks.steps.rate import TIMES
from byhand.doctor.finding import Finding
from byhand.doctor.text.edits import Edits, written
from byhand.doctor.text.program import Program
from byhand.doctor.trial.bench import Bench
from byhand.doctor.trial.outcome import Gain, Outcome, mean_gain

__all__ = ["LONGER", "Trial", "harms", "is_luck", "joint"]

_LEAST: Final = 0.01
"""The gain in accuracy below which a fix is called harmless, unless a check asks for more."""

LONGER: Final = frozenset({"stopped-while-learning"})
"""Checks whose fix is to train longer: they are tried last, and their arms may have more steps than the others."""


_VISIBLE: Final = 0.03  # a gain that may be believed with however few steps
_OF_LOSS: Final = 5  # where only the loss is known, 5 % of it stand for 0.01, but no less than 0.01 itself
_ERRORS: Final = 2.0  # standard errors of the gain
_SMALL: Final = 3.0  # times the gain that is asked for: below it one seed is not enough
_SEEDS: Final = (1, 2)  # shifts of the seeds, beside 0
_PILOT: Final = 0.1  # of the steps, to choose among several fixes for one fault, and to see how long an arm takes
_CLOSE: Final = 0.03  # in accuracy, or of the least loss: fixes that are about as good in short runs
_LONG: Final = 3  # arms' time that training longer may take


def joint(company: Iterable[Finding]) -> Edits:
    """The first fix of each finding, as one."""
    return tuple(dict.fromkeys(edit for finding in company for edit in finding.edits[0]))


def harms(gain: Gain) -> bool:
    """Whether a fix makes it worse, and not by luck."""
    return gain.value < -max(_least(gain, _LEAST), _ERRORS * gain.error)


def is_luck(gain: Gain) -> bool:
    """Whether a gain is no more than luck, or too small to speak of."""
    return abs(gain.value) <= max(_least(gain, _LEAST), _ERRORS * gain.error)


@final
class Trial:
    """Experiments on the fixes of findings, and their outcome by check."""

    def __init__(self, program: Program, bench: Bench, gains: Mapping[str, float]) -> None:
        self.company: list[Finding] = []  # what is fixed in "all fixed"
        self.helped: dict[str, Gain] = {}  # members of the company; those that arithmetic proves whatever they give
        self.useless: dict[str, Gain] = {}  # those that have left it, as of then
        self.alone: dict[str, Gain | None] = {}  # those that did harm, or broke the program, in company: by themselves
        self.left: list[str] = []  # suspects that there was no time for
        self._program, self._bench, self._gains = program, bench, gains
        self._stale: set[str] = set()  # gains that were measured in bad company

    def judge(self, suspects: Sequence[Finding]) -> None:
        """Try the fixes of some findings, together with those that have helped before."""
        suspects = [finding for finding in suspects if finding.check not in LONGER]
        for i, finding in enumerate(suspects):
            suspects[i] = self._best(finding, suspects)
        suspects = self._affordable(suspects)
        self._join(suspects)
        self._eliminate()

    def lengthen(self, suspects: Sequence[Finding]) -> None:
        """Train longer, when all else has been put right: ``suspects`` are findings whose fix does so."""
        for finding in suspects:
            gain, finding = None, self._in_time(finding)
            short, long = joint(self.company), joint([*self.company, finding])
            if self._bench.observed and self._bench.steps is None and self._bench.fits(_LONG):
                self._bench.run([short, long])
                gain = self._bench.gain(short, long)
            if gain is None:
                self.left.append(finding.check)
            elif self.confirms(finding.check, gain):
                self.helped[finding.check] = gain
                self.company.append(finding)
            else:
                self.useless[finding.check] = gain

    def _in_time(self, finding: Finding) -> Finding:
        """The finding with the longest of its fixes first that there is time for."""
        fixes = list(zip(TIMES, finding.edits, strict=False))
        fitting = [fix for times, fix in fixes if self._bench.fits(1, times)]
        if len(fixes) < len(finding.edits) or not fitting:
            return finding
        return self._choose(finding, (fitting[0], *(fix for fix in finding.edits if fix is not fitting[0])))

    def reached(self) -> Outcome | None:
        """What the program reaches with the fixes of the company; None where that is not known."""
        fix = joint(self.company)
        if not fix or not self._bench.observed:
            return None
        self._bench.run([fix])
        if not self._bench.tried(fix) and all(_is_metric(member) for member in self.company):
            return self._bench.observed  # they change what is printed, and nothing that is learnt
        return self._bench.outcome(fix)

    def confirms(self, check: str, gain: Gain) -> bool:
        """Whether a gain is what the check asks for, and not luck."""
        return gain.value > max(self._asked(check, gain), _ERRORS * gain.error)

    def _asked(self, check: str, gain: Gain) -> float:
        """The fewer the steps, the more is asked: what they gain may be caught up with later."""
        return _least(gain, max(self._gains.get(check, _LEAST), min(_VISIBLE, _LEAST / self._bench.share)))

    # What there is time for.

    def _affordable(self, suspects: Sequence[Finding]) -> list[Finding]:
        """The suspects that can be tried in time, the worst first; this settles how many steps an arm has."""
        kept = list(suspects)
        doubtful = any(finding.proof != "arithmetic" for finding in kept)
        if doubtful and self._bench.observed and not self._bench.plan(_arms(kept)):
            self._bench.time([joint(kept), _without(kept, kept[-1])], _PILOT)
        while doubtful := [finding for finding in kept if finding.proof != "arithmetic"]:
            all_, few = _arms(kept), _arms(doubtful)
            if self._bench.observed and (
                self._bench.plan(all_) or self._bench.plan(few) or self._bench.plan(few, shorten=True)
            ):
                break
            kept.remove(doubtful[-1])
            self.left.append(doubtful[-1].check)
        return kept

    def _best(self, finding: Finding, suspects: Sequence[Finding]) -> Finding:
        """The finding with the best of its fixes first, after short runs in which all the others are put right.

        Of those that are about as good, the first: short runs favour fixes that go too far.
        """
        if len(finding.edits) < 2 or finding.proof == "arithmetic" or not self._bench.observed:
            return finding
        others = _without([*self.company, *suspects], finding)
        arms = [tuple(dict.fromkeys((*others, *fix))) for fix in finding.edits]
        self._bench.run(arms, share=_PILOT)
        found = [self._bench.outcome(arm, share=_PILOT) for arm in arms]
        scores = [one.score if one else -math.inf for one in found]
        top = max(scores)
        close = _CLOSE * (abs(top) if any(one and one.measure == "loss" for one in found) else 1.0)
        least = top - close if math.isfinite(top) else top
        best = next(fix for fix, score in zip(finding.edits, scores, strict=True) if score >= least)
        return self._choose(finding, (best, *(fix for fix in finding.edits if fix is not best)))

    def _choose(self, finding: Finding, fixes: tuple[Edits, ...]) -> Finding:
        """The finding with other fixes; where another stands first, that is what to write instead."""
        if fixes[0] == finding.edits[0]:
            return finding
        try:
            return replace(finding, edits=fixes, instead=written(self._program, fixes[0]))
        except ValueError:
            return replace(finding, edits=fixes)

    # All fixed, and all but one.

    def _join(self, suspects: Sequence[Finding]) -> None:
        """Take suspects into the company, but for fixes with which the program does not run."""
        new = list(suspects)
        while new and self._bench.observed:
            everyone = [*self.company, *new]
            soon = [_without(everyone, one) for one in new if not _is_metric(one)]
            self._bench.run([joint(everyone), *soon[:1]])  # the second is needed too, and runs beside the first
            if self._bench.works(joint(everyone)):
                break
            if not self._bench.tried(joint(everyone)):
                self.left += [one.check for one in new if one.proof != "arithmetic"]
                new = [one for one in new if one.proof == "arithmetic"]
                break
            breaker = self._breaker(everyone, new)
            if len(breaker.edits) > 1:
                new[new.index(breaker)] = self._choose(breaker, breaker.edits[1:])
            else:
                new.remove(breaker)
                self._try_alone(breaker)
        self.company += new

    def _breaker(self, everyone: Sequence[Finding], new: Sequence[Finding]) -> Finding:
        """The one without which the others run; else one that does not run alone; else the least likely."""
        self._bench.run([_without(everyone, one) for one in new])
        for one in reversed(new):
            if self._bench.works(_without(everyone, one)):
                return one
        self._bench.run([joint([one]) for one in new])
        return next((one for one in reversed(new) if not self._bench.works(joint([one]))), new[-1])

    def _try_alone(self, finding: Finding) -> None:
        self._bench.run([(), joint([finding])])
        self.alone[finding.check] = self._bench.gain((), joint([finding]))

    def _eliminate(self) -> None:
        """Judge each in the company of the others, until every fix that is left in it helps."""
        while self.company and self._bench.observed:
            self._measure()
            doubtful = [one for one in self.company if one.proof != "arithmetic" and one.check not in self.helped]
            unseen = [one for one in doubtful if one.check not in self.useless]
            for one in unseen:  # the time is over
                self.left.append(one.check)
                self.company.remove(one)
            doubtful = [one for one in doubtful if one not in unseen]
            if not doubtful:
                return
            leaver = min(reversed(doubtful), key=lambda one: self.useless[one.check].value)
            self.company.remove(leaver)
            for other in doubtful:
                if other is not leaver:
                    del self.useless[other.check]
            gain = self.useless[leaver.check]
            if harms(gain):
                self._try_alone(leaver)
            self._stale = set(self.helped)  # the leaver may have hidden what they do, even if it gave nothing itself

    def _measure(self) -> None:
        """The gain of each member that has none yet: those in doubt before those that arithmetic has proven."""
        open_ = [one for one in self.company if one.check not in self.helped or one.check in self._stale]
        open_ = sorted((one for one in open_ if not _is_metric(one)), key=lambda one: one.proof == "arithmetic")
        self._bench.run([joint(self.company), *(_without(self.company, one) for one in open_)])
        for one in open_:
            gain = self._gain(one)
            if gain is None:
                continue
            self.helped.pop(one.check, None)
            helps = one.proof == "arithmetic" or self.confirms(one.check, gain)
            (self.helped if helps else self.useless)[one.check] = gain
        self._stale.clear()

    def _gain(self, finding: Finding) -> Gain | None:
        """What a fix gives in company; over three seeds where it is small and there is time."""
        before, after = _without(self.company, finding), joint(self.company)
        gain = self._bench.gain(before, after)
        if gain is None or finding.proof == "arithmetic" or gain.error == 0:
            return gain
        if abs(gain.value) > _SMALL * self._asked(finding.check, gain) or not self._bench.fits(2 * len(_SEEDS)):
            return gain
        for shift in _SEEDS:
            self._bench.run([before, after], shift)
        return mean_gain([gain, *(more for shift in _SEEDS if (more := self._bench.gain(before, after, shift)))])


def _arms(suspects: Sequence[Finding]) -> int:
    """How many arms it takes: all fixed, and all but each."""
    return 1 + sum(not _is_metric(one) for one in suspects)


def _without(company: Sequence[Finding], one: Finding) -> Edits:
    return joint(member for member in company if member is not one)


def _is_metric(finding: Finding) -> bool:
    """Its effect is the printed and the true number; its fix changes no training."""
    return finding.proof == "arithmetic" and finding.effect is not None


def _least(gain: Gain, least: float) -> float:
    """A gain in accuracy, as a gain in the measure that is known."""
    if gain.measure == "accuracy":
        return least
    return max(_OF_LOSS * abs(gain.before), 1.0) * least if math.isfinite(gain.before) else 0.0
