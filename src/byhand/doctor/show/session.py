"""The cells of a running session, examined in a process beside it: what ``%doctor`` starts.

``python -m byhand.doctor.show.session``: the request comes as JSON on standard input, progress goes to standard error a
line at a time, and one JSON object comes back on standard output.
"""

import json
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from byhand.doctor.examine import examine
from byhand.doctor.finding import Edit
from byhand.doctor.run.linux import die_with
from byhand.doctor.show import page
from byhand.doctor.show.fragment import fragment
from byhand.doctor.show.report import Report, make_report, needed
from byhand.doctor.show.terminal import terminal
from byhand.doctor.text.history import alone, as_notebook, session
from byhand.doctor.text.patch import cell_changes
from byhand.doctor.text.program import Program
from byhand.errors import ByhandError, UsageError
from byhand.json_text import json_text
from byhand.text import one_line

__all__ = ["answer", "main"]


def answer(request: dict[str, Any]) -> dict[str, str]:
    """Examine what a request asks for.

    Args:
        request: ``cells``, [k - 1] what was run as [k], the last one the cell that asks; ``raised``, the exceptions
            that ended cells, by number as text; ``body``, of a cell that is to be examined alone, or None; ``folder``,
            the notebook's; ``budget``, ``proofs``, ``out`` and ``width``, as of the command.

    Returns:
        ``html`` and ``text``.

    Raises:
        DataError: the program could not begin.
        UsageError: there is nothing to examine.
    """
    raised = {int(number): why for number, why in request["raised"].items()}
    if request["body"] is None:
        cells, notes = session(request["cells"], raised)
    else:
        cells, notes = alone(request["cells"], request["body"]), []
    if not any(cells):
        raise UsageError("; ".join(["no cell has been run in this session yet; run your cells, then %doctor", *notes]))
    home = Path(request["folder"])
    with tempfile.TemporaryDirectory(prefix="byhand-") as folder:
        file = Path(folder) / "session.ipynb"
        file.write_text(json.dumps(as_notebook(cells)), "utf-8")
        found = examine(
            file, home=home, budget=request["budget"], proofs=request["proofs"], reserve=needed, say=_say
        )  # fmt: skip
        found = replace(found, trace=replace(found.trace, notes=(*notes, *found.trace.notes)))
        report = _readable(make_report(found, (), request["budget"]))
        if request["out"]:
            page.write(report, home / request["out"])
    return {"html": fragment(report), "text": terminal(report, request["width"])}


def _readable(report: Report) -> Report:
    """With the changes of cells in the place of patches: a session has no file to apply one to."""
    e = report.examination
    diffs = tuple(_changes(e.program, finding.edits[0]) if finding.edits else "" for finding in e.findings)
    return replace(report, diffs=diffs, patch=_changes(e.program, e.proven.fixes))


def _changes(program: Program, edits: tuple[Edit, ...]) -> str:
    try:
        return cell_changes(program, edits)
    except ValueError:
        return ""


def _say(line: str) -> None:
    print(one_line(line), file=sys.stderr, flush=True)  # noqa: T201


def main() -> None:
    """Answer the request on standard input; a fault that byhand explains is ``{"error": ...}``."""
    die_with(os.getppid())
    try:
        told = answer(json.load(sys.stdin))
    except ByhandError as error:
        told = {"error": str(error)}
    print(json_text(told))  # noqa: T201


if __name__ == "__main__":
    main()
