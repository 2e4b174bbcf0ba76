"""The report in a terminal: the worst first, a page at most."""

import shlex
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, final

from byhand.doctor.finding import Finding
from byhand.doctor.show import sentences
from byhand.doctor.show.report import Report
from byhand.text import one_line

__all__ = ["terminal"]

_PAGE: Final = 45  # lines
_GAP: Final = 2  # the least space between the two ends of a line
_LABEL: Final = 11  # "  instead  "
_KEPT: Final = "\0"  # a space where no line ends


def terminal(report: Report, width: int = 80, strong: Callable[[str], str] = str) -> str:
    """The report in lines of at most ``width`` columns, where words allow that.

    Args:
        report: what was found.
        width: columns.
        strong: what becomes of the name of a check.
    """
    paper = _Paper(max(width, 40), strong)
    head, tail = _head(report, paper), _tail(report, paper)
    stand = [finding for finding in report.examination.findings if finding.level != "note"]
    causes = [finding for finding in stand if not finding.under]
    blocks = [
        [*_finding(cause, paper), *(line for f in stand if f.under == cause.check for line in _follows(f, paper))]
        for cause in causes
    ]
    short = 0
    while short < len(blocks) and len(head) + len(tail) + sum(map(len, blocks)) + len(blocks) + 1 > _PAGE:
        short += 1
        blocks[-short] = _title(causes[-short], paper)
    if short:
        blocks[-1] = [*blocks[-1], *paper.lines("the whole of it: -o report.html")]
    full = [line for block in blocks[: len(blocks) - short] for line in ("", *block)]
    brief = [line for block in blocks[len(blocks) - short :] for line in block]
    return "\n".join([*head, *full, *(["", *brief] if brief else []), *(["", *tail] if tail else [])])


@final
@dataclass(frozen=True, slots=True)
class _Paper:
    """What is written on."""

    width: int
    strong: Callable[[str], str]

    def lines(self, text: str, label: str = "") -> list[str]:
        """Text, after a label and indented by its length."""
        lines = textwrap.wrap(
            one_line(text).replace(" %", _KEPT + "%"),
            self.width,
            initial_indent=label,
            subsequent_indent=" " * len(label),
            break_long_words=False,
            break_on_hyphens=False,
        )
        return [line.replace(_KEPT, " ") for line in lines]

    def ends(self, left: str, right: str, name: str = "") -> list[str]:
        """A line with something at its right end, or two lines; ``name``, with which it begins, is made strong."""
        left, right = one_line(left), one_line(right)
        fits = len(left) + _GAP + len(right) <= self.width
        space = " " * (self.width - len(left) - len(right)) if right else ""
        lines = [f"{left}{space}{right}"] if fits else self.lines(left) + self.lines(right, "  ")
        return [self.strong(name) + lines[0].removeprefix(name), *lines[1:]] if name else lines


def _head(report: Report, paper: _Paper) -> list[str]:
    e = report.examination
    lines = paper.lines(sentences.began(e))
    if end := sentences.ended(e.trace):
        lines += paper.lines(end)
    lines += paper.ends(*sentences.accuracy(e))
    if report.ceiling:
        lines += paper.lines(f"one linear layer on this data reaches about {report.ceiling.value:.3f}")
    return lines


def _title(finding: Finding, paper: _Paper) -> list[str]:
    level = "" if finding.level == "error" else f" ({finding.level})"
    effect = sentences.harm(finding.effect) if finding.effect else ""
    left = f"{finding.check}{level}   {sentences.where(finding.place)}"
    return paper.ends(left, effect, finding.check)


def _finding(finding: Finding, paper: _Paper) -> list[str]:
    lines = _title(finding, paper)
    for label, text in (("saw", finding.saw), ("so", finding.so), ("instead", finding.instead)):
        for i, row in enumerate(text.rstrip().split("\n")):
            lines += paper.lines(row, f"  {'' if i else label:{_LABEL - 2}}") if row.strip() else []
    return lines


def _follows(finding: Finding, paper: _Paper) -> list[str]:
    """A consequence, below its cause."""
    effect = f" ({sentences.harm(finding.effect)})" if finding.effect else ""
    text = f"{finding.check}, {sentences.where(finding.place)}: {finding.saw}{effect}"
    return paper.lines(text, f"  {'too':{_LABEL - 2}}")


def _command(report: Report) -> str:
    words = ["byhand", "doctor", str(report.examination.program.path), "--diff"]
    return shlex.join([*words, *(["--", *report.arguments] if report.arguments else [])])


def _tail(report: Report, paper: _Paper) -> list[str]:
    e = report.examination
    lines: list[str] = []
    if fixed := sentences.fixed(e):
        lines += paper.ends(fixed, "" if e.program.home else f"the patch: {_command(report)}")
    if fine := sentences.fine(e):
        lines += paper.lines(fine)
    if unseen := sentences.unseen(e):
        lines += paper.lines(f"not examined: {'; '.join(unseen)}")
    for note in [*sentences.side_notes(e), *map(sentences.of_note, sentences.notes(e))]:
        lines += paper.lines(note, "note: ")
    return lines
