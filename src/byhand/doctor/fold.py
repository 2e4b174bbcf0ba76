"""Findings in the order in which they are read: one cause once, its consequences under it, the worst first."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from byhand.doctor.causes import SAID, UNDER
from byhand.doctor.finding import Edit, Finding
from byhand.doctor.place import Place

__all__ = ["NOTES", "fold"]

NOTES: Final = 6
"""Notes that are kept, those with a measured effect before those of style."""

_LEVELS: Final = ("error", "warning", "note")
_NAMED: Final = 3  # other places that are named, not counted


def fold(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings that a reader needs, in order; folding them again changes nothing.

    Findings of one check become one, at the first place of the worst level, which says how many there are and has the
    edits of all. A consequence names its cause in ``under`` and follows it. Causes stand error before warning before
    note, and within a level by the size of their measured effect. A note explains nothing that is more than a note.
    """
    merged = _merge(findings)
    by_check = {finding.check: finding for finding in merged}
    named = [replace(finding, under=_root(finding, by_check)) for finding in merged]
    causes = [finding for finding in named if finding.under is None]
    of = {cause.check: sorted((f for f in named if f.under == cause.check), key=_rank) for cause in causes}
    notes = sorted((f for f in causes if f.level == "note"), key=_rank)[:NOTES]
    kept = [f for f in causes if f.level != "note"] + notes
    kept.sort(key=lambda cause: min(_rank(f) for f in (cause, *of[cause.check])))
    return tuple(finding for cause in kept for finding in (cause, *of[cause.check]))


def _merge(findings: Iterable[Finding]) -> list[Finding]:
    """One finding a check, in the order in which the checks first spoke."""
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.check, []).append(finding)
    return [_one(group) for group in groups.values()]


def _one(group: Sequence[Finding]) -> Finding:
    first = min(group, key=lambda finding: _LEVELS.index(finding.level))
    alike = [finding for finding in group if finding.level == first.level]
    lines = dict.fromkeys(_where(finding.place, first.place) for finding in alike if finding.place)
    more = [line for line in lines if first.place is None or line != _where(first.place, first.place)]
    saw = f"{first.saw}; the same at {', '.join(more[:_NAMED])}" if more else first.saw
    if len(more) > _NAMED:
        saw += f" and {len(more) - _NAMED} more"
    return replace(first, saw=saw, edits=_together(alike))


def _together(group: Sequence[Finding]) -> tuple[tuple[Edit, ...], ...]:
    """The edits of several findings as one: the i-th fix of each, or its last if it has fewer."""
    each = [finding.edits for finding in group if finding.edits]
    count = max(map(len, each), default=0)
    return tuple(
        tuple(dict.fromkeys(edit for edits in each for edit in edits[min(i, len(edits) - 1)])) for i in range(count)
    )


def _where(place: Place, first: Place | None) -> str:
    cell = "" if place.cell is None else f"cell {place.cell}, "
    file = "" if first is None or place.file == first.file else f"{place.file}, "
    return f"{file}{cell}line {place.line}"


def _root(finding: Finding, by_check: dict[str, Finding]) -> str | None:
    """The cause that has no cause itself; the first one that is there where several explain a finding."""
    said = [name for name in SAID.get(finding.check, ()) if name == finding.under]
    for name in (*UNDER.get(finding.check, ()), *said):
        cause = by_check.get(name)
        if cause and (cause.level != "note" or finding.level == "note"):
            return _root(cause, by_check) or name
    return None


def _rank(finding: Finding) -> tuple[int, float]:
    """The worst first: the level, then the measured effect."""
    before, after = (finding.effect.before, finding.effect.after) if finding.effect else (None, None)
    size = 0.0 if before is None or after is None else abs(after - before)
    return _LEVELS.index(finding.level), -size
