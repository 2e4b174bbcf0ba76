"""What the checks say of a trace, and what is left of it without experiments."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, final

from byhand.doctor.audit.audit import audit
from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.fine import looked
from byhand.doctor.checks.program.style import style_notes
from byhand.doctor.checks.table import CHECKS
from byhand.doctor.finding import Finding
from byhand.doctor.fold import fold
from byhand.doctor.text.edits import Edits
from byhand.doctor.text.program import Program
from byhand.doctor.trace import Trace
from byhand.doctor.trial.prove import prove

__all__ = ["Judgement", "judge", "leave_ignored", "look", "silent"]

_IGNORE: Final = re.compile(r"#\s*byhand:\s*ignore(?:\[([\w\s,-]*)\])?")

_AT_THE_END: Final = frozenset(
    {
        "evaluation-rows-dropped",  # an evaluation may be under way
        "graph-kept-by-total",  # what is added up may yet go back through backward()
        "learning-rate-too-low",  # it may learn yet
        "no-held-out-data",  # it may judge yet
        "parameter-never-updated",  # it may be frozen for the first epochs
        "step-never-taken",  # the step may come after many batches
        "stopped-while-learning",
        "test-set-selection",  # another part may be judged at the end
    }
)
"""Checks that tell of a whole run: what they say of a run that goes on may be wrong a moment later."""


@final
@dataclass(frozen=True, slots=True)
class Judgement:
    """What stands without any experiment."""

    findings: tuple[Finding, ...]  # the worst first
    fine: int | None  # checks that had something to look at and found nothing wrong; None while the run goes on


def judge(program: Program, trace: Trace) -> Judgement:
    """Judge a trace as ``byhand doctor --no-prove`` does; of a run that goes on, what stays so however it ends."""
    running = trace.end.how == "running"
    evidence = Evidence(program, trace, audit(trace))
    everything = look(evidence)
    found, _ = leave_ignored(program, everything)
    if running:
        found = [finding for finding in found if finding.check not in _AT_THE_END]
    proven = prove(evidence, found, _no_runs, 0.0, measure=lambda _: None).findings
    if running:
        return Judgement(proven, None)
    return Judgement(fold([*proven, *style_notes(evidence)]), len(silent(evidence, everything)))


def _no_runs(sets: Sequence[Edits], steps: int | None, shift: int) -> list[Trace]:
    raise AssertionError("an experiment without time for one")


def look(evidence: Evidence) -> list[Finding]:
    """What every check says."""
    return [finding for check in CHECKS.values() for finding in check(evidence)]


def silent(evidence: Evidence, everything: Iterable[Finding]) -> tuple[str, ...]:
    """The checks that had something to look at and found nothing wrong, where ``everything`` is what ``look`` gave."""
    spoken = {finding.check for finding in everything}
    return tuple(name for name in CHECKS if name not in spoken and looked(name, evidence))


def leave_ignored(program: Program, found: Iterable[Finding]) -> tuple[list[Finding], int]:
    """Without the findings that the user's comment on their line silences, and how many those were."""
    kept: list[Finding] = []
    ignored = 0
    for finding in found:
        comment = _IGNORE.search(program.line(finding.place)) if finding.place else None
        names = (comment[1] or "").replace(",", " ").split() if comment else []
        if comment and (comment[1] is None or finding.check in names):
            ignored += 1
        else:
            kept.append(finding)
    return kept, ignored
