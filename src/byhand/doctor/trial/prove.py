"""Proof by experiment: the program with every fault put right, against the same with all but one put right.

Single fixes mislead. A start at zero can make a model worse while its rows are sorted by class, and better by four
points once they are shuffled. So every suspect is judged in the company of all the others:

    gain of a fix = all fixed − all but this one fixed,     the same rows, seed and number of steps

A fix that does not help in this company leaves it, the one that helps least first, and those that are still in doubt
are judged again without it: of two fixes for the same harm one is found to be needed, not neither. What has helped is
proven. Faults that arithmetic has proven stay in the company whatever they give.
"""

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final, final

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.finding import Effect, Finding
from byhand.doctor.fold import fold
from byhand.doctor.text.edits import Edits
from byhand.doctor.trace import Trace
from byhand.doctor.trial.bench import Bench, Runner
from byhand.doctor.trial.outcome import Gain, Measure, Outcome
from byhand.doctor.trial.trial import LONGER, Trial, harms, is_luck, joint

__all__ = ["Proven", "prove"]

_EVIDENT: Final = frozenset(
    {
        "class-sorted-batches",
        "gradients-never-zeroed",
        "evaluated-in-train-mode",
        "probabilities-into-nll",
        "detached-loss",
        "step-before-backward",
    }
)
"""Checks whose evidence is more than a suspicion: where there was no time for an experiment, they stand as warnings."""


_OF_LOSS: Final = frozenset({
    "broadcast-loss", "epsilon-in-log", "log-of-softmax", "loss-arguments-swapped", "loss-of-wrong-sign",
    "loss-summed-not-averaged", "loss-unbounded-below", "probabilities-into-nll", "regression-on-class-numbers",
    "softmax-before-cross-entropy", "softmax-over-batch",
})  # fmt: skip
"""Checks whose fix makes the loss another quantity: before and after are then no measure of it."""


@final
@dataclass(frozen=True, slots=True)
class Proven:
    """The findings as the experiments left them, the worst first."""

    findings: tuple[Finding, ...]
    all_fixed: float | None  # what the program reaches with all of ``fixes``; None where that was not seen
    measure: Measure | None  # of ``all_fixed``
    fixes: Edits  # of all findings that stand: the patch
    steps: int | None  # updates in each arm; None where none were seen
    shortened: bool  # fewer than the program makes
    runs: int  # how often the program was run again
    left: tuple[str, ...]  # checks whose suspicion there was no time to try


def prove(
    evidence: Evidence,
    findings: Iterable[Finding],
    run: Runner,
    budget: float,
    *,
    measure: Callable[[Trace], Outcome | None],
    gains: Mapping[str, float] | None = None,
    at_once: int = 2,
    now: Callable[[], float] = time.monotonic,
    crowding: float = 1.0,
) -> Proven:
    """Try the fixes of findings, and give each finding the level that the outcome gives it.

    error: arithmetic has proven it, or its fix helps by more than a point of accuracy (or what ``gains`` asks) and by
    more than two standard errors. warning: strong evidence, and no fix could be tried. note: its fix changes no more
    than luck does, or does harm. A mere suspicion (``needs_proof``, and no evident one) that could not be tried is
    dropped, and so is one whose fix does harm. One that is a ``fact`` as well stays as a note where it was not tried.

    Args:
        evidence: of the program's own run.
        findings: in any order; they are folded first.
        run: runs the program with edits in scratch copies, several at once.
        budget: seconds for all runs.
        measure: what a run reached; None where it cannot be told.
        gains: the gain in accuracy that the fix of a check must bring, by check.
        at_once: arms that run at the same time.
        now: a clock in seconds.
        crowding: how much longer an arm takes beside others than the program alone, before the first arms tell.
    """
    bench = Bench(evidence.program, evidence.trace, run, measure, budget, at_once, now, crowding)
    trial = Trial(evidence.program, bench, gains or {})
    found = fold(findings)
    trial.judge([finding for finding in found if _can_try(finding)])

    # A consequence whose cause turned out to be none stands for itself.
    first = [finding if finding.under else _verdict(finding, trial, bench) for finding in found]
    causes = {finding.check: finding.under for finding in fold(filter(None, first))}
    freed = [finding.check for finding in found if finding.under and not causes.get(finding.check)]
    found = tuple(replace(finding, under=causes.get(finding.check)) for finding in found)
    if freed:
        trial.judge([finding for finding in found if finding.check in freed and _can_try(finding)])
    trial.lengthen([finding for finding in found if finding.check in LONGER and _can_try(finding)])

    reached = trial.reached()
    return Proven(
        _verdicts(found, trial, bench),
        reached.value if reached else None,
        reached.measure if reached else None,
        joint(trial.company),
        bench.counted(),
        bench.shortened,
        bench.runs,
        tuple(dict.fromkeys(trial.left)),
    )


def _can_try(finding: Finding) -> bool:
    return bool(finding.edits) and finding.under is None and (finding.level != "note" or finding.needs_proof)


def _verdicts(found: Iterable[Finding], trial: Trial, bench: Bench) -> tuple[Finding, ...]:
    return fold(filter(None, (_verdict(finding, trial, bench) for finding in found)))


def _verdict(finding: Finding, trial: Trial, bench: Bench) -> Finding | None:
    """A finding as the experiments leave it; None where it is dropped."""
    name = finding.check
    finding = next((member for member in trial.company if member.check == name), finding)
    steps = None if name in LONGER else bench.counted()
    broken = name in trial.alone and name not in trial.useless
    alone = trial.alone.get(name)
    gain = trial.helped.get(name) or (alone if broken else None)
    useless = trial.useless.get(name) or gain
    if useless and useless.measure == "loss" and name in _OF_LOSS:
        return finding if finding.proof else replace(finding, level="note")
    if finding.proof == "arithmetic":
        effect = finding.effect or (_effect(gain, steps) if gain else None)
        return replace(finding, effect=effect, edits=() if broken and not alone else finding.edits)
    if gain and trial.confirms(name, gain):
        level = finding.level if name in LONGER else "error"
        return replace(finding, level=level, proof="experiment", effect=_effect(gain, steps))
    if useless:
        mere = finding.needs_proof and name not in _EVIDENT
        if mere and harms(useless) and not (alone and trial.confirms(name, alone)):
            return None
        return replace(finding, level="note", so=_harmless(useless), effect=_effect(useless, steps))
    if finding.under:
        return replace(finding, level="note")  # nothing but its cause proves it
    if finding.needs_proof and (name not in _EVIDENT or finding.level == "note"):
        if not finding.fact or name not in trial.left:
            return None
        return replace(finding, level="note", saw=f"{finding.saw} (its fix was not tried)")
    edits = () if broken else finding.edits
    return replace(finding, level="warning" if finding.level == "error" else finding.level, edits=edits)


def _harmless(gain: Gain) -> str:
    what = "" if gain.measure == "accuracy" else "the loss "
    words = f"{what}with it {gain.before:.3f}, without {gain.after:.3f}"
    if is_luck(gain):
        return f"harmless here: {words}"
    return f"the fix does not help here: {words}" if harms(gain) else f"it costs little here: {words}"


def _effect(gain: Gain, steps: int | None) -> Effect:
    before, low, high = (value if math.isfinite(value) else None for value in (gain.before, gain.low, gain.high))
    return Effect(gain.measure, before, gain.after, low, high, steps)
