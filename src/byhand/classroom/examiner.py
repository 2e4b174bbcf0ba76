"""One submission under the doctor: its program run within limits, and the grade of it."""

import re
from typing import Final

from byhand.classroom.grade import Grade, ungraded
from byhand.classroom.judged import Judged, judge
from byhand.classroom.rows import Known
from byhand.classroom.task import FENCE, Task
from byhand.doctor.examine import Examination, examine
from byhand.doctor.finding import Finding
from byhand.doctor.show.sentences import where
from byhand.doctor.trace import Printed
from byhand.errors import ByhandError
from byhand.evaluate.statistics import wilson
from byhand.text import one_line

__all__ = ["grade", "graded"]

_LONGEST: Final = 300  # characters of a message
_VARYING: Final = re.compile(r"(?<=\b0x)[0-9a-f]{6,}\b|(?<=\bbyhand-)\w{8}\b|(?<=\btmp)[a-z0-9_]{8}\b")
_NO_MEMORY: Final = re.compile(r"MemoryError\b|can't allocate memory|Cannot allocate memory")
_TOO_LARGE: Final = re.compile(r"OSError: \[Errno 27\]")
_NO_PACKAGE: Final = re.compile(r"ModuleNotFoundError: No module named '([\w.]+)'")
_CUT: Final = ("shortened", "stopped", "killed")  # what it reaches by then is the machine's doing


def grade(task: Task) -> Grade:
    """Run a submission's program and grade it. Nothing is tried on copies: an experiment's outcome depends on time."""
    try:
        e = examine(task.program, budget=task.budget, proofs=False, fence=FENCE)
    except ByhandError as error:  # it is no Python, no notebook, or took the doctor's own processes with it
        return ungraded(task.name, task.file, _clean(str(error), task))
    return graded(e, Known.open(task.known), task)


def graded(e: Examination, known: Known, task: Task) -> Grade:
    """The grade of an examined program.

    A program that was cut short has none: what it reached by then depends on the machine.
    """
    ended = _ended(e, task)
    if e.trace.end.how in _CUT:
        return ungraded(task.name, task.file, ended, e.seconds)
    judged = judge(e, known)
    stand = [finding for finding in e.findings if finding.level != "note" and not finding.under]
    suspected = tuple(one for one in e.proven.left if one not in {finding.check for finding in stand})
    failed = e.trace.end.how != "done"
    if judged is None and failed and not e.trace.forwards:
        return ungraded(task.name, task.file, ended, e.seconds)
    share = wilson(judged.hits, judged.n) if judged else None
    return Grade(
        task.name,
        task.file,
        passed=bool(judged and share and judged.on_test and share.low >= task.mark),
        accuracy=share.value if share else None,
        low=share.low if share else None,
        high=share.high if share else None,
        n=share.n if share else None,
        rows=judged.rows if judged else "no evaluation was seen",
        printed=_printed(e, judged) if judged else None,
        errors=_named(stand, "error"),
        warnings=_named(stand, "warning"),
        suspected=suspected,
        first_fix=_clean(_first_fix(stand, suspected, judged), task),
        ended=ended,
        ran=judged is not None or not failed,
        seconds=e.seconds,
    )


def _named(findings: list[Finding], level: str) -> tuple[str, ...]:
    return tuple(f"{one.check} {where(one.place)}" for one in findings if one.level == level)


def _first_fix(findings: list[Finding], suspected: tuple[str, ...], judged: Judged | None) -> str:
    for finding in findings:
        if finding.instead.strip():
            return f"{where(finding.place)}: {' '.join(finding.instead.split())}"
    if judged is None:
        return "let it judge its model on the test part of $BYHAND_DATA, rows and labels"
    if not judged.on_test:
        return "let it judge its model on rows of the test part that it has not learnt from"
    return f"{suspected[0]} is suspected: byhand doctor tries its fix" if suspected else ""


def _printed(e: Examination, judged: Judged) -> float | None:
    """What the program prints of the evaluation, else the last number after it that it calls an accuracy."""
    if e.audit.accuracy and e.audit.accuracy.printed is not None and judged.evaluation is e.audit.main:
        return e.audit.accuracy.printed
    later = (one for one in reversed(e.trace.printed) if (one.forward or 0) >= judged.evaluation.last)
    return next((value for one in later if (value := _claimed(one)) is not None), None)


def _claimed(printed: Printed) -> float | None:
    for number in printed.numbers:
        value = number.value / (number.of or (100 if number.percent else 1))
        if "acc" in number.words.lower():
            value = value / 100 if 1 < value <= 100 and not number.of else value
            if 0 <= value <= 1:
                return value
    return None


def _ended(e: Examination, task: Task) -> str:
    """How the run ended, in words that are the same for every run that ends so."""
    end = e.trace.end
    error = end.error or ""
    at = f" at {where(end.place)}" if end.place else ""
    match end.how:
        case "done":
            return "done"
        case "shortened" | "stopped":
            return f"not done in {task.budget:g} s"
        case "exit":
            words = "" if e.trace.forwards else "".join(e.trace.output.strip().splitlines()[-1:])
            return _clean(f"ended itself with {error}" + (f": {words}" if words else ""), task)
        case _ if _TOO_LARGE.search(error):
            return f"it wrote or printed more than {FENCE.file >> 20} MiB{at}"
        case "error" if package := _NO_PACKAGE.match(error):
            return f"missing package: {package[1].partition('.')[0]}"
        case "error" if _NO_MEMORY.search(error):
            return f"out of memory{at}: it may use {FENCE.memory >> 30} GiB"
        case "error":
            return _clean(f"error{at}: {error}", task)
        case _:
            return _clean(error, task)


def _clean(text: str, task: Task) -> str:
    """On one line, without what differs from run to run: places of copies, addresses in memory, temporary names."""
    for place in (f"{task.program.parent}/", str(task.program.parent), str(task.folder)):
        text = text.replace(place, "")
    text = one_line(" ".join(_VARYING.sub("…", text).split()))
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
