"""The report in SARIF 2.1.0, which code hosts and editors show beside the lines.

The checks are the rules, with their pages as help; findings are results with a region, a fix, and a fingerprint that
moves with the line; how the run ended and what was not examined are notifications.
"""

import hashlib
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from byhand import __version__
from byhand.doctor.checks.table import CHECKS
from byhand.doctor.examine import Examination
from byhand.doctor.finding import Finding
from byhand.doctor.show import sentences
from byhand.doctor.show.pages import about, page, shown
from byhand.doctor.show.regions import ROOT, Regions
from byhand.doctor.show.report import Report, status
from byhand.files import write_atomically
from byhand.json_text import json_text
from byhand.text import one_line

__all__ = ["log", "write"]

_SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
_LONGEST: Final = 1000  # characters of a description that a code host takes
_WIDE: Final = 100  # columns of help
_TAGS: Final = ("correctness", "machine-learning")
_LINK: Final = re.compile(r"\[([^\[\]]*)\](?=\()")  # what a viewer would take for a link: layers[0](x)
_HOLE: Final = re.compile(r"\{(\d+)\}")  # what a viewer would fill in


def write(report: Report, path: Path) -> None:
    """Write the log into a file.

    Raises:
        DataError: the file cannot be written.
    """
    text = json_text(log(report, datetime.now(UTC)), indent=1)
    write_atomically(path, text.encode("ascii") + b"\n")


def log(report: Report, ended: datetime) -> dict[str, Any]:
    """The log of one run.

    Args:
        report: what was found.
        ended: when.
    """
    e = report.examination
    regions = Regions(e.program)
    findings = [one for one in e.findings if one.level != "note" or not one.under]
    rules = [*CHECKS, *dict.fromkeys(one.check for one in findings if one.check not in CHECKS)]
    program = regions.artifact(e.program.path.name)
    run = {
        "tool": {
            "driver": {
                "name": "byhand doctor",
                "version": __version__,
                "semanticVersion": __version__,
                "rules": [_rule(name) for name in rules],
            }
        },
        "automationDetails": {
            "id": f"byhand-doctor/{program['uri']}/"
        },  # so that two programs' logs stand side by side
        "invocations": [_invocation(report, ended)],
        "originalUriBaseIds": {ROOT: {"description": _message("the root of the repository or of the sources")}},
        "artifacts": [
            {"location": regions.artifact(file), "roles": ["analysisTarget"], "sourceLanguage": "python"}
            for file in dict.fromkeys([e.program.path.name, *(unit.file for unit in e.trace.files)])
        ],
        "results": _results(e, findings, rules, regions),
        "columnKind": "utf16CodeUnits",
        "language": "en",
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(name: str) -> dict[str, Any]:
    if name in CHECKS:
        short, text = about(name), page(name)
        paragraphs = [" ".join(block.split()) for block in text.split("\n\n") if not block.startswith("#")]
        full, help_ = paragraphs[0], {"text": shown(name, _WIDE), "markdown": text}
    else:
        short = f"A note on style: {name.replace('-', ' ')}."
        full, help_ = short, {"text": f"{short} The line works, and could be plainer."}
    return {
        "id": name,
        "shortDescription": {"text": short[:_LONGEST]},
        "fullDescription": {"text": full[:_LONGEST]},
        "help": help_,
        "defaultConfiguration": {"level": "warning" if name in CHECKS else "note"},
        "properties": {"tags": [*_TAGS] if name in CHECKS else ["style"], "precision": "very-high"},
    }


def _results(e: Examination, findings: list[Finding], rules: list[str], regions: Regions) -> list[dict[str, Any]]:
    seen: Counter[str] = Counter()
    results: list[dict[str, Any]] = []
    for finding in findings:
        line = _fingerprint(e, finding)
        seen[line] += 1
        result: dict[str, Any] = {
            "ruleId": finding.check,
            "ruleIndex": rules.index(finding.check),
            "level": finding.level,
            "message": _message(_told(finding)),
            "locations": [regions.location(finding.place)],
            "partialFingerprints": {"primaryLocationLineHash": f"{line}:{seen[line]}"},
            "properties": {
                "proof": finding.proof,
                "effect": sentences.harm(finding.effect) if finding.effect else None,
            },
        }
        cause = next((one for one in findings if one.check == finding.under), None)
        if cause:
            where = {"id": 1, "message": _message(cause.check)}
            result["relatedLocations"] = [{**regions.location(cause.place), **where}]
        stands = finding.edits and finding.level != "note"  # what is harmless needs no fix
        fix = regions.fix(finding.edits[0], _message(finding.instead)) if stands else None
        if fix:
            result["fixes"] = [fix]
        results.append(result)
    return results


def _told(finding: Finding) -> str:
    """A finding in sentences, the evidence first: where there is little space, it is all that is shown."""
    said = [finding.saw, finding.so]
    if finding.effect and finding.level != "note":
        said.append(sentences.harm(finding.effect))
    if finding.under:
        said.append(f"it follows from {finding.under}")
    if finding.place and finding.place.cell is not None:
        said[0] = f"{sentences.where(finding.place)}: {said[0]}"
    rows = [" ".join(text.split()).rstrip(".") + "." for text in said if text.strip()]
    rows += [f"Instead: {row.strip()}" for row in finding.instead.splitlines() if row.strip()]
    return "\n".join(rows)


def _message(text: str) -> dict[str, str]:
    plain = "\n".join(map(one_line, text.split("\n")))
    return {"text": _HOLE.sub(r"{{\1}}", _LINK.sub(r"\\[\1\\]", plain))}


def _fingerprint(e: Examination, finding: Finding) -> str:
    """The check and what its line says: another line before it changes nothing."""
    line = " ".join(e.program.line(finding.place).split()) if finding.place else ""
    return hashlib.sha256(f"{finding.check}\n{line}".encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _invocation(report: Report, ended: datetime) -> dict[str, Any]:
    e = report.examination
    well = e.trace.end.how in ("done", "shortened") or (e.trace.end.how == "exit" and bool(e.trace.forwards))
    told = [("note" if well else "error", end)] if (end := sentences.ended(e.trace)) else []
    told += [("note", text) for text in sentences.side_notes(e)]
    told += [("note", f"not examined: {text}") for text in sentences.unseen(e)]
    return {
        "executionSuccessful": well,
        "exitCode": status(e),
        "startTimeUtc": _time(ended - timedelta(seconds=report.seconds)),
        "endTimeUtc": _time(ended),
        "toolExecutionNotifications": [{"level": level, "message": _message(text)} for level, text in told],
    }


def _time(when: datetime) -> str:
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
