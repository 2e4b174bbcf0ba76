"""The report as a piece of HTML that a notebook keeps below a cell.

It is read after the notebook was saved, on pages that take scripts and styles away: plain HTML, nothing from elsewhere.
"""

from typing import Final

from byhand.doctor.show import sentences
from byhand.doctor.show.listing import patch_lines, source_lines
from byhand.doctor.show.report import Report
from byhand.templates import environment

__all__ = ["fragment"]

_TEMPLATE: Final = "fragment.html.jinja"


def fragment(report: Report) -> str:
    """The report as one ``div``."""
    e = report.examination
    stand = [(f, diff) for f, diff in zip(e.findings, report.diffs, strict=True) if f.level != "note"]
    return (
        environment("byhand.doctor.show")
        .get_template(_TEMPLATE)
        .render(
            e=e,
            words=sentences,
            errors=sum(f.level == "error" for f, _ in stand),
            warnings=sum(f.level == "warning" for f, _ in stand),
            ceiling=report.ceiling,
            findings=[
                {
                    "is": finding,
                    "source": source_lines(e.program, finding),
                    "instead": finding.instead.rstrip().split("\n"),
                    "diff": patch_lines(diff),
                }
                for finding, diff in stand
            ],
            patch=patch_lines(report.patch),
            seconds=f"{report.seconds:.0f}",
        )
    )
