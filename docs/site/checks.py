"""The pages of the doctor's checks, each made from its case: what it is, a program with it, the report, one without.

The index goes by kind, in the order of the table in docs/doctor.md.
"""

import ast
import difflib
import json
import re
from pathlib import Path
from typing import NamedTuple

from byhand.doctor.show.pages import about
from docs.site.addresses import CASES, Addresses
from docs.site.notebook import code_cells

__all__ = ["Kind", "Program", "index", "kinds", "page", "read"]

_ROW = re.compile(r"^\| (?P<kind>[a-z ]+) \| (?P<checks>`[a-z`, -]+`) \|$", re.MULTILINE)
_PLACE = r"(?P<line>bad\.py:(\d+)|cell (\d+), line (\d+))"


class Kind(NamedTuple):
    """A row of the table."""

    name: str
    checks: tuple[str, ...]


class Program(NamedTuple):
    """A case's program as text; of a notebook, its cells of code, each with its number and what is stored below it."""

    name: str
    text: str
    starts: tuple[int, ...]  # of a notebook, the lines that its cells begin at, from 1


def kinds(root: Path) -> list[Kind]:
    """The checks by kind, as docs/doctor.md names them."""
    text = (root / "docs" / "doctor.md").read_text("utf-8").partition("## The checks\n")[2]
    return [Kind(m["kind"], tuple(re.findall(r"`([a-z-]+)`", m["checks"]))) for m in _ROW.finditer(text)]


def read(case: Path, which: str) -> Program:
    """``bad`` or ``good`` of a case."""
    script = case / f"{which}.py"
    if script.is_file():
        return Program(script.name, script.read_text("utf-8"), ())
    notebook = script.with_suffix(".ipynb")
    lines: list[str] = []
    starts: list[int] = []
    for number, cell in enumerate(code_cells(json.loads(notebook.read_text("utf-8"))), 1):
        lines += [*([""] if lines else []), f"# cell {number}, run as [{cell.count}]"]
        starts.append(len(lines) + 1)
        lines += [*cell.text.splitlines(), *(f"# it printed: {line}" for line in cell.printed.splitlines())]
    return Program(notebook.name, "\n".join(lines) + "\n", tuple(starts))


def page(check: str, addresses: Addresses) -> str:
    """A check's page in Markdown."""
    case = addresses.root / CASES / check
    bad, good = read(case, "bad"), read(case, "good")
    report = (case / "expected.txt").read_text("utf-8")
    why = addresses.rewrite((case / "why.md").read_text("utf-8"), f"{CASES}/{check}/why.md")
    faulty = named_line(check, report, bad)
    shown = "The line that the report names is marked." if faulty else "No single line makes it."
    return "\n".join(
        [
            why.rstrip(),
            "",
            "## A program with it",
            "",
            f"`{bad.name}`. {shown}",
            "",
            *_code(bad, [faulty] if faulty else []),
            "",
            f"What `byhand doctor {bad.name}` says of it:",
            "",
            "```text",
            report.rstrip(),
            "```",
            "",
            "## The same without it",
            "",
            f"`{good.name}`, of which the doctor says nothing. Lines that are not in the other are marked.",
            "",
            *_code(good, new_lines(bad, good)),
            "",
        ]
    )


def index(table: list[Kind], addresses: Addresses) -> str:
    """The page of all checks, by kind."""
    number = sum(len(kind.checks) for kind in table)
    lines = [
        "# The checks",
        "",
        f"What [`byhand doctor`](../doctor.md) looks for: {number} checks. Each has a page: the reason, a program that",
        "has the fault, the report on it, and the same without it. `byhand explain CHECK` tells it in a terminal.",
    ]
    for kind in table:
        lines += ["", f"## {kind.name[0].upper()}{kind.name[1:]}", "", "| check | what is wrong |", "|---|---|"]
        lines += [f"| [`{check}`]({check}.md) | {_sentence(check, addresses)} |" for check in kind.checks]
        lines += ["", "```{toctree}", ":hidden:", "", *kind.checks, "```"]
    return "\n".join(lines) + "\n"


def named_line(check: str, report: str, bad: Program) -> int | None:
    """The line of the program that the report names, from 1; None if it names none."""
    m = re.search(rf"^(?:note: )?{check}(?: \(\w+\))?(?:, | {{3}}){_PLACE}", report, re.MULTILINE)
    if m is None:
        return None
    return int(m[2]) if m[2] else bad.starts[int(m[3]) - 1] + int(m[4]) - 1


def new_lines(bad: Program, good: Program) -> list[int]:
    """The lines of the good program, from 1, that the bad one has not, but for empty ones and its docstring."""
    tree = ast.parse(good.text)
    said = tree.body[0].end_lineno or 0 if ast.get_docstring(tree) else 0
    old, new = bad.text.splitlines(), good.text.splitlines()
    changed = [
        number + 1
        for tag, _, _, start, stop in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
        if tag in ("replace", "insert")
        for number in range(start, stop)
    ]
    return [number for number in changed if number > said and new[number - 1].strip()]


def _sentence(check: str, addresses: Addresses) -> str:
    return addresses.rewrite(about(check), f"{CASES}/{check}/why.md", "checks/index").replace("|", "\\|")


def _code(program: Program, marked: list[int]) -> list[str]:
    marks = [f":emphasize-lines: {','.join(map(str, marked))}"] if marked else []
    return ["````{code-block} python", *marks, "", program.text.rstrip(), "````"]
