"""The report as one page that asks nothing of anybody, neither a network nor a script.

The template says what stands where. The style is that of the evaluation's report, with a few rules more.
"""

from pathlib import Path
from typing import NamedTuple

from byhand.doctor.checks.fine import FINE
from byhand.doctor.finding import Effect
from byhand.doctor.show import sentences
from byhand.doctor.show.listing import patch_lines, source_lines
from byhand.doctor.show.report import Report
from byhand.files import write_atomically
from byhand.templates import environment

__all__ = ["render", "write"]


class Rung(NamedTuple):
    """A bar of the ladder."""

    kind: str  # a CSS class
    name: str
    value: float


def write(report: Report, path: Path) -> None:
    """Write the page into a file.

    Raises:
        DataError: the file cannot be written.
    """
    write_atomically(path, render(report).encode("utf-8", "backslashreplace"))


def render(report: Report) -> str:
    """The page as text."""
    e = report.examination
    stand = [(f, diff) for f, diff in zip(e.findings, report.diffs, strict=True) if f.level != "note"]
    return (
        environment("byhand.doctor.show", "byhand.evaluate")
        .get_template("page.html.jinja")
        .render(
            e=e,
            words=sentences,
            title=e.program.path.name,
            errors=sum(f.level == "error" for f, _ in stand),
            warnings=sum(f.level == "warning" for f, _ in stand),
            findings=[
                {
                    "is": finding,
                    "source": source_lines(e.program, finding),
                    "bars": _bars(finding.effect) if finding.effect else None,
                    "instead": finding.instead.rstrip().split("\n"),
                    "diff": patch_lines(diff),
                }
                for finding, diff in stand
            ],
            ladder=_ladder(report),
            patch=patch_lines(report.patch),
            fine=[words for check, (words, _) in FINE.items() if check in e.fine],
            seconds=f"{report.seconds:.0f}",
        )
    )


def _bars(effect: Effect) -> list[tuple[str, str, str]] | None:
    """Name, width and number of a pair of bars: with the fault and without, or printed and true."""
    if effect.before is None or effect.after is None:
        return None
    whole = 1.0 if effect.measure.endswith("accuracy") else max(abs(effect.before), abs(effect.after), 1e-12)
    names = ("printed", "true") if effect.measure.startswith("printed ") else ("with it", "without")
    pair = (effect.before, effect.after), (effect.after, effect.before)
    return [
        (name, f"{100 * min(1.0, abs(value) / whole):.2f}", sentences.number(value, other))
        for name, (value, other) in zip(names, pair, strict=True)
    ]


def _ladder(report: Report) -> list[Rung]:
    e = report.examination
    one = e.audit.accuracy
    fixed = e.proven.all_fixed if e.proven.measure == "accuracy" else None
    rungs: list[tuple[str, str, float | None]] = [
        ("baseline", "always the commonest class", report.chance),
        ("printed", "what it prints", one.printed if one else None),
        ("model", "what is right", one.actual if one else None),
        ("fixed", "with every fix", fixed),
        ("ceiling", "one linear layer at its best", report.ceiling.value if report.ceiling else None),
    ]
    return [Rung(kind, name, value) for kind, name, value in rungs if value is not None and 0 <= value <= 1]
