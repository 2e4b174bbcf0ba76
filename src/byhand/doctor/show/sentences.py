"""What a report says, in words that the terminal and the page share.

Whatever comes from the program (names, source, messages) is text of others: who shows it escapes it.
"""

from collections.abc import Iterator
from typing import Final

from byhand.doctor.checks.fine import FINE
from byhand.doctor.examine import Examination
from byhand.doctor.finding import Effect, Finding
from byhand.doctor.place import Place
from byhand.doctor.trace import Trace

__all__ = [
    "accuracy", "began", "ended", "fine", "fixed", "fixes", "harm", "notes", "number", "of_note",
    "side_notes", "unseen", "verdict", "where",
]  # fmt: skip

_WORDS: Final = (
    "no",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)
_RANGES: Final = 6  # of lines that never ran; more are counted
_EPOCHS: Final = 1000  # rounds of a loop; one that goes round more often does not count epochs


def began(e: Examination) -> str:
    """What was done to the program."""
    said = ["ran your program with your rights"]
    if e.proven.runs:
        said[0] += "; what it tried, it tried on copies"
    if not e.trace.seeded:
        said.append("seed 0 set, since it sets none")
    return "; ".join(said)


def ended(trace: Trace) -> str | None:
    """How a run ended, if not by itself and well."""
    end = trace.end
    seconds = f"{end.seconds:.0f} s"
    at = f" at {where(end.place)}" if end.place else ""
    match end.how:
        case "done":
            return None
        case "shortened" if end.epochs:
            ran, of = end.epochs
            count = f"{ran:,} of {of:,}" if of else f"{ran:,}"
            what = "epochs" if (of or ran) <= _EPOCHS else "rounds of its training loop"
            return f"it ran {count} {what} in {seconds}, then its training loops were ended"
        case "shortened":
            return f"after {seconds} its training loops were ended"
        case "error":
            return f"it stopped with an error{at}: {end.error}"
        case "exit":
            words = [] if trace.forwards else trace.output.strip().splitlines()[-1:]
            return "; its last words: ".join([f"it ended itself with {end.error}", *words])
        case "stopped":
            return f"it was stopped after {seconds}{at}, before its end"
        case _:
            return f"it was ended before its end: {end.error}"


def accuracy(e: Examination) -> tuple[str, str]:
    """The number that the program prints beside the true one, and on what, and where."""
    one = e.audit.accuracy
    if one is None:
        if not e.trace.forwards:
            return "no model was trained or judged in this run: there was nothing to examine", ""
        return "its accuracy is not known: no scores were seen beside their labels after the training", ""
    main = e.audit.measured
    known = " that it learns from, as it learns" if one.learning else ""
    if not known and main is not None and main.on == "training":
        known = " that it learnt from"
    rows = f"{one.n:,} rows{known}" + (f", {where(one.place)}" if one.place else "")
    actual = number(one.actual)
    if one.printed is None:
        return f"its predictions are {actual} right; it does not print that number", rows
    printed = number(one.printed)
    if printed == actual:
        return f"your program prints {printed}, which is what its predictions give", rows
    if abs(one.printed - one.actual) < 0.0011:  # rounded as it prints it, or a row or two
        return f"your program prints {printed}; its predictions are {actual} right", rows
    return f"your program prints {printed}; the same predictions are {actual} right", rows


def where(place: Place | None) -> str:
    """A place for a reader: ``main.py:44``, or ``cell 3, line 5`` in a notebook."""
    if place is None:
        return "the whole program"
    return f"{place.file}:{place.line}" if place.cell is None else f"cell {place.cell}, line {place.line}"


def number(value: float | None, other: float | None = None) -> str:
    """Three decimals, or as many as tell it from another number; small ones in three figures."""
    if value is None:
        return "no number"
    if value != 0 and abs(value) < 0.01:
        return f"{value:.2g}"
    if abs(value) >= 1000:
        return f"{value:,.0f}" if abs(value) < 1e6 else f"{value:.2g}"
    digits = 3
    while other is not None and digits < 6 and value != other and f"{value:.{digits}f}" == f"{other:.{digits}f}":
        digits += 1
    return f"{value:.{digits}f}"


def harm(effect: Effect) -> str:
    """What a fault does: the measure with it and without it, or the number that is printed and the true one."""
    before, after = number(effect.before, effect.after), number(effect.after, effect.before)
    if effect.measure.startswith("printed "):
        what = effect.measure.removeprefix("printed ")
        return f"{'' if what == 'accuracy' else f'{what} '}printed {before}, true {after}"
    return f"{'' if effect.measure == 'accuracy' else f'{effect.measure} '}with it {before}, without {after}"


def fixes(e: Examination) -> tuple[Finding, ...]:
    """The findings whose fixes are the patch."""
    patch = set(e.proven.fixes)
    return tuple(f for f in e.findings if f.level != "note" and any(edits and patch >= set(edits) for edits in f.edits))


def fixed(e: Examination) -> str | None:
    """What the program reaches with every fix; None where there is none."""
    count = len(fixes(e))
    if not e.proven.fixes:
        return None
    who = {0: "fixed", 1: "fixed", 2: "both fixed"}.get(count, f"all {_count(count)} fixed")
    if e.proven.all_fixed is None:
        return f"{who}: {'no time left to see it' if e.proven.runs else 'not tried'}"
    return f"{who}: {'' if e.proven.measure == 'accuracy' else 'loss '}{number(e.proven.all_fixed)}"


def fine(e: Examination, most: int = 5) -> str | None:
    """How many checks found nothing wrong, and what the most telling of them say by that."""
    if not e.fine:
        return None
    told = [words for check, (words, _) in FINE.items() if check in e.fine]
    some = ", ".join(told[:most]) + (", …" if len(told) > most else "")
    return f"fine: {len(e.fine)} {'check' if len(e.fine) == 1 else 'checks'}, among them {some}"


def unseen(e: Examination) -> list[str]:
    """What was not examined, and why."""
    said = list(_ranges(e.trace, "never ran"))
    if len(said) > _RANGES:
        said[_RANGES:] = [f"{len(said) - _RANGES} other stretches (never ran)"]
    said += _ranges(e.trace, "left out")
    spoken = {finding.check for finding in e.findings}
    if silent := [name for name in e.proven.left if name not in spoken]:
        said.append(f"{', '.join(silent)} (suspected, and not tried)")
    return said


def _ranges(trace: Trace, why: str) -> Iterator[str]:
    files = {unit.file for unit in trace.files if unit.cell is None}
    for unit in trace.files:
        spans = unit.never if why == "never ran" else _runs(unit.skipped)
        of = f"cell {unit.cell}, " if unit.cell is not None else f"{unit.file}, " if len(files) > 1 else ""
        for first, last in spans:
            yield f"{of}{'line' if first == last else 'lines'} {first if first == last else f'{first}-{last}'} ({why})"


def _runs(lines: tuple[int, ...]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for line in sorted(lines):
        if runs and runs[-1][1] == line - 1:
            runs[-1] = runs[-1][0], line
        else:
            runs.append((line, line))
    return runs


def side_notes(e: Examination) -> list[str]:
    """What the run was like, beside the findings."""
    said = list(e.trace.notes)
    if any(finding.effect and finding.effect.steps for finding in e.findings):
        fewer = " (fewer than it makes)" if e.proven.shortened else ""
        said.append(f"every fix was judged over the same {e.proven.steps:,} updates{fewer}, rows and seed")
    if e.ignored:
        said.append(f"{e.ignored} {'finding' if e.ignored == 1 else 'findings'} ignored, as the source asks")
    return said


def notes(e: Examination) -> list[Finding]:
    """The findings that are notes; a note that follows from something is left to it."""
    return [finding for finding in e.findings if finding.level == "note" and not finding.under]


def of_note(finding: Finding) -> str:
    """A note in one sentence: what its fix gives, or what was seen and what to write."""
    told = finding.so if finding.effect else f"{finding.saw}; {finding.instead}"
    return f"{finding.check}, {where(finding.place)}: {' '.join(told.split())}"


def verdict(e: Examination) -> str:
    """All of it in one line."""
    errors, warnings = (
        [f"{f.check} {where(f.place)}" for f in e.findings if f.level == level] for level in ("error", "warning")
    )
    end = ended(e.trace) if e.trace.end.how not in ("done", "shortened") else None
    said = [_named(errors, "error"), _named(warnings, "warning")] if errors or warnings else ["no error, no warning"]
    return "; ".join(part for part in (*said, end) if part)


def _named(found: list[str], what: str) -> str:
    return f"{len(found)} {what}{'s' if len(found) > 1 else ''}: {', '.join(found)}" if found else ""


def _count(n: int) -> str:
    return _WORDS[n] if n < len(_WORDS) else str(n)
