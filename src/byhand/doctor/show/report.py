"""The report: what was found, what the data would allow, and the patch; ``terminal`` and ``page`` show it.

This is the only place where the doctor meets byhand's own evaluation: for the linear ceiling of the program's data.
"""

import importlib.util
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

import numpy as np

from byhand.data.dataset import Dataset, Part
from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.fine import FINE
from byhand.doctor.examine import Examination
from byhand.doctor.finding import Effect, Finding
from byhand.doctor.place import Place
from byhand.doctor.show import sentences
from byhand.doctor.show.reference import Reference, Rows, reference
from byhand.doctor.text.patch import patch
from byhand.errors import DataError
from byhand.evaluate.landmarks import find_landmarks, is_known
from byhand.evaluate.statistics import Proportion

__all__ = ["Report", "fields", "make_report", "needed", "status"]

_CALLED: Final = {
    "PIL": "pillow", "bs4": "beautifulsoup4", "cv2": "opencv-python", "skimage": "scikit-image",
    "sklearn": "scikit-learn", "yaml": "pyyaml",
}  # fmt: skip
_SPOILT: Final = ("labels-out-of-step",)  # findings with which a ceiling of these data would mean nothing


@final
@dataclass(frozen=True, slots=True)
class Report:
    """An examination, and what a reader wants to know beside it."""

    examination: Examination
    arguments: tuple[str, ...]  # of the program
    ceiling: Proportion | None  # what one linear layer on its data reaches, on the rows that it judges itself by
    chance: float | None  # the share of the commonest class among those rows
    diffs: tuple[str, ...]  # of each finding, in order; empty where it has no fix
    patch: str  # of all fixes together
    seconds: float


def make_report(e: Examination, arguments: Sequence[str] = (), budget: float = 60.0) -> Report:
    """Complete an examination. The linear ceiling is found if it is kept, or if the budget's rest is enough for it.

    Args:
        e: the examination.
        arguments: that the program had.
        budget: seconds for the examination and this together.

    Raises:
        DataError: the program could not begin: it needs a package or a file that is not there.
    """
    began = time.monotonic()
    _stop_where_it_could_not_begin(e)
    return Report(
        e,
        tuple(arguments),
        _ceiling(e, budget - e.seconds),
        _chance(e),
        tuple(_diff(e, finding) for finding in e.findings),
        patch(e.program, e.proven.fixes, Path.cwd()) if e.proven.fixes else "",
        e.seconds + time.monotonic() - began,
    )


def status(e: Examination) -> int:
    """The command's exit status: 1 where an error stands, or where the program failed and was not seen to its end."""
    how = e.trace.end.how
    failed = how in ("error", "killed") or (how == "exit" and not e.trace.forwards)
    return int(failed or any(finding.level == "error" for finding in e.findings))


# What the data would allow.


def _chance(e: Examination) -> float | None:
    main = e.audit.main
    if main is None or not main.labels.size:
        return None
    return int(np.unique(main.labels, return_counts=True)[1].max()) / main.n


def needed(evidence: Evidence) -> float:
    """The seconds that finding the ceiling of a program's data will take; 0 where it has none, or it is kept."""
    data = reference(evidence)
    return 0.0 if data is None or is_known(_dataset(data)) else data.seconds


def _ceiling(e: Examination, left: float) -> Proportion | None:
    if any(finding.check in _SPOILT for finding in e.findings):
        return None
    data = reference(Evidence(e.program, e.trace, e.audit))
    if data is None:
        return None
    dataset = _dataset(data)
    if not is_known(dataset) and data.seconds > left:
        return None
    found = find_landmarks(dataset).ceiling
    return found.accuracy if found else None


def _dataset(data: Reference) -> Dataset:
    def part(rows: Rows) -> Part:
        return Part(rows.images, rows.labels, data.classes, rows.hash)

    return Dataset("the program's data", part(data.train), part(data.valid), part(data.test), data.classes, "")


# Patches.


def _diff(e: Examination, finding: Finding) -> str:
    if not finding.edits:
        return ""
    try:
        return patch(e.program, finding.edits[0], Path.cwd())
    except ValueError:
        return ""


# Programs that could not begin.


def _stop_where_it_could_not_begin(e: Examination) -> None:
    end = e.trace.end
    if end.how != "error" or e.trace.forwards or not end.error or e.program.home:
        return  # a session had begun: where it stopped is in the report
    at = f"{e.program.path.name}, {sentences.where(end.place)}" if end.place and end.place.cell else None
    at = at or (sentences.where(end.place) if end.place else e.program.path.name)
    if package := re.match(r"ModuleNotFoundError: No module named '([\w.]+)'", end.error):
        name = package[1].partition(".")[0]
        if importlib.util.find_spec(name) is None:
            raise DataError(
                f"{at} needs the package {name}, which is not installed: pip install {_CALLED.get(name, name)}"
            )
    if file := re.match(r"FileNotFoundError: .*?: (['\"].*['\"])", end.error):
        raise DataError(f"{at} needs the file {file[1]}, which is not there; start byhand where you start the program")


# JSON.


def fields(report: Report) -> dict[str, Any]:
    """The report as it stands in JSON."""
    e = report.examination
    end, accuracy = e.trace.end, e.audit.accuracy
    return {
        "findings": [
            {
                "check": finding.check,
                "level": finding.level,
                **_place(finding.place),
                "saw": finding.saw,
                "so": finding.so,
                "instead": finding.instead,
                "proof": finding.proof,
                "effect": _effect(finding.effect),
                "under": finding.under,
                "diff": diff,
            }
            for finding, diff in zip(e.findings, report.diffs, strict=True)
        ],
        "accuracy": accuracy
        and {"printed": accuracy.printed, "actual": accuracy.actual, "n": accuracy.n, **_place(accuracy.place)},
        "all_fixed": e.proven.all_fixed,
        "ceiling": report.ceiling.value if report.ceiling else None,
        "examined": {"files": sorted({unit.file for unit in e.trace.files}), "fine": _sorted(e.fine)},
        "not_examined": [
            {"file": unit.file, "cell": unit.cell, "first": first, "last": last, "why": why}
            for unit in e.trace.files
            for why, spans in (("never ran", unit.never), ("left out", [(line, line) for line in unit.skipped]))
            for first, last in spans
        ],
        "not_tried": e.proven.left,
        "seconds": report.seconds,
        "seeded": e.trace.seeded,
        "ended": {
            "how": end.how,
            "seconds": end.seconds,
            "error": end.error,
            **_place(end.place),
            "epochs": end.epochs,
        },
        "notes": sentences.side_notes(e),
        "ignored": e.ignored,
        "diff": report.patch,
    }


def _sorted(checks: Sequence[str]) -> list[str]:
    order = list(FINE)
    return sorted(checks, key=lambda check: order.index(check) if check in order else len(order))


def _place(place: Place | None) -> dict[str, Any]:
    return {name: getattr(place, name, None) for name in ("file", "line", "cell")}


def _effect(effect: Effect | None) -> dict[str, Any] | None:
    names = ("measure", "before", "after", "low", "high", "steps")
    return {name: getattr(effect, name) for name in names} if effect else None
