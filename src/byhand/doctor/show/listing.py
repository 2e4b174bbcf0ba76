"""Lines of the user's source, and of a patch, as a page shows them."""

from typing import Final, NamedTuple

from byhand.doctor.finding import Finding
from byhand.doctor.text.program import Program

__all__ = ["Line", "patch_lines", "source_lines"]

_AROUND: Final = 3  # lines of source before and after a finding's
_LONGEST: Final = 8  # lines of a finding that are shown


class Line(NamedTuple):
    """A line of source or of a patch."""

    number: int | None
    text: str
    kind: str  # a CSS class: "" or "faulty"; "added", "removed", "about"


def source_lines(program: Program, finding: Finding) -> list[Line]:
    """The lines around a finding, its own marked."""
    place = finding.place
    unit = program.unit(place) if place else None
    if place is None or unit is None:
        return []
    rows = unit.source.splitlines()
    last = min(place.end_line, place.line + _LONGEST - 1)
    numbers = list(range(max(1, place.line - _AROUND), min(len(rows), last + _AROUND) + 1))
    while numbers and not rows[numbers[0] - 1].strip():
        del numbers[0]
    while numbers and not rows[numbers[-1] - 1].strip():
        del numbers[-1]
    return [Line(n, rows[n - 1].expandtabs(4), "faulty" if place.line <= n <= last else "") for n in numbers]


def patch_lines(patch: str) -> list[Line]:
    """The lines of a patch, or of what a fix changes in a cell."""
    kinds = {"+": "added", "-": "removed", "@": "about"}
    return [
        Line(None, row.expandtabs(4), "about" if row.startswith(("+++", "---")) else kinds.get(row[:1], ""))
        for row in patch.splitlines()
    ]
