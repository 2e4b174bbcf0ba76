"""A notebook that shows what no run from its top shows: cells in another order, run again, or gone."""

import ast
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.finding import Finding
from byhand.doctor.place import Place
from byhand.doctor.text.program import Program, Unit
from byhand.doctor.text.shown import Shown, read_shown
from byhand.doctor.trace import Number, Printed
from byhand.doctor.watch.numbers import numbers_in

__all__ = ["hidden_notebook_state"]

_MISSING: Final = re.compile(r"NameError: name '(\w+)' is not defined")
_RIGHT: Final = re.compile(r"acc|correct|right|score|hits", re.IGNORECASE)
_APART: Final = 0.03  # accuracies that differ by less may come from another machine
_UNSEEDED: Final = 0.08  # and by less than this from another seed
_NUMBER: Final = re.compile(r"[-+]?\d[\d,.]*(?:e[-+]?\d+)?")


def hidden_notebook_state(evidence: Evidence) -> Iterator[Finding]:
    """Counts that show another order than the cells have, and a run from the top that ends elsewhere."""
    program, trace = evidence.program, evidence.trace
    if not program.notebook:
        return
    stored = read_shown(program.path)
    if trace.end.how == "error":
        yield from _missing(evidence, stored)
    elif trace.end.how == "done":
        yield from _other_numbers(evidence, stored)


# A name that is not there yet.


def _missing(evidence: Evidence, stored: Sequence[Shown]) -> Iterator[Finding]:
    program, end = evidence.program, evidence.trace.end
    match = _MISSING.search(end.error or "")
    place = end.place
    if match is None or place is None or place.cell is None:
        return
    name = match[1]
    maker = next((u.cell for u in program.units if u.cell and u.cell > place.cell and name in _made(u)), None)
    counts = {one.cell: one.count for one in stored}
    ran = counts.get(place.cell)
    if maker is None and ran is None:
        return  # nothing says that it ever worked
    told = f", and cell {maker} makes it (counts {ran} and {counts.get(maker)})" if ran and maker else ""
    told = told or (f", and cell {maker} makes it" if maker else ", and no cell makes it")
    yield Finding(
        "hidden-notebook-state",
        "error",
        place,
        saw=f"run from the top, cell {place.cell} ends with a NameError: it uses {name}{told}",
        so="the notebook works only in the session in which it was written",
        instead=f"put what makes {name} above this cell, then restart and run all"
        if maker
        else f"put back the cell that made {name}, then restart and run all",
        proof="arithmetic",
    )


def _made(unit: Unit) -> set[str]:
    """The names that a cell binds outside of its functions and classes."""
    names: set[str] = set()
    waiting: list[ast.AST] = [unit.tree]
    while waiting:
        for node in ast.iter_child_nodes(waiting.pop()):
            match node:
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                    names.add(name)
                case ast.Name(id=name, ctx=ast.Store()):
                    names.add(name)
                case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                    names |= {(alias.asname or alias.name).split(".")[0] for alias in aliases}
                case _:
                    waiting.append(node)
    return names


# Other numbers than the stored ones.


def _other_numbers(evidence: Evidence, stored: Sequence[Shown]) -> Iterator[Finding]:
    trace = evidence.trace
    ran = [one for one in stored if one.count is not None and _has_code(evidence.program, one.cell)]
    odd = _order(ran)
    if odd is None:
        return
    far = _APART if trace.seeded else _UNSEEDED
    for one in reversed(ran):
        printed = [p for p in trace.printed if p.place is not None and p.place.cell == one.cell]
        pair = _last_pair(one.text, printed)
        if pair is None:
            continue
        then, now, place = pair
        if abs(then - now) >= far:
            yield Finding(
                "hidden-notebook-state",
                "warning",
                place,
                saw=f"the stored output says {then:.3f}, and a run from the top {now:.3f}; {odd}",
                so="nobody who runs the notebook from its top gets the stored number",
                instead="restart the kernel, run all cells, and keep what that shows",
            )
        return


def _has_code(program: Program, cell: int) -> bool:
    return any(unit.cell == cell and unit.tree.body for unit in program.units)


def _order(ran: Sequence[Shown]) -> str | None:
    """What the counts tell of another order than the cells'; None where they tell of none."""
    counted = [(one.cell, one.count) for one in ran if one.count is not None]
    for (cell, count), (later, next_count) in pairwise(counted):
        if next_count < count:
            return f"by the counts cell {later} ({next_count}) was run before cell {cell} ({count})"
    for (cell, count), (later, next_count) in pairwise(counted):
        if next_count > count + 1:
            times = next_count - count - 1
            return (
                f"the counts jump from {count} to {next_count} between cells {cell} and {later}: "
                f"{'a cell was' if times == 1 else f'{times} times a cell was'} run again, or is gone"
            )
    return None


def _last_pair(text: str, printed: Sequence[Printed]) -> tuple[float, float, Place] | None:
    """The last accuracy that both the stored text and the run show in the same words: then, now, and its line."""
    before = {_words(line): line for line in text.splitlines() if _RIGHT.search(line)}
    for one in reversed(printed):
        for line in reversed(one.text.splitlines()):
            old = before.get(_words(line))
            if old is None or one.place is None:
                continue
            pairs = [
                (_share(then), _share(now))
                for then, now in zip(numbers_in(old), numbers_in(line), strict=False)
                if _RIGHT.search(now.words) or now.percent
            ]
            known = [(then, now) for then, now in pairs if then is not None and now is not None]
            if known:
                then, now = max(known, key=lambda pair: abs(pair[0] - pair[1]))
                return then, now, one.place
    return None


def _words(line: str) -> str:
    return " ".join(_NUMBER.sub("#", line).split())


def _share(number: Number) -> float | None:
    """An accuracy between 0 and 1; None where a number is none."""
    value = number.value / number.of if number.of else number.value
    value = value / 100 if number.percent or (value > 1 and number.decimals > 0) else value
    return value if 0 <= value <= 1 and (number.decimals > 0 or number.percent or number.of) else None
