"""A sum over the batches of a training, divided by a number in the text that is not how many they were."""

import ast
import math
from collections.abc import Iterator, Sequence
from typing import Final

from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.audit.printed import Line
from byhand.doctor.checks.reading import origins
from byhand.doctor.finding import Edit, Effect, Finding
from byhand.doctor.place import Place
from byhand.doctor.text import edits

__all__ = ["sum_over_a_constant"]

_FEWEST: Final = 10  # batches: of fewer, too many numbers are a sum over something
_EXACT: Final = 1e-3  # relative error of a printed number that still tells by what it was divided


def sum_over_a_constant(evidence: Evidence) -> Iterator[Finding]:
    """``total / 100`` after 624 batches: each line of a print shows the sum of its batches' losses over that number."""
    for same in evidence.audit.lines:
        by = {_divisor(line) for line in same}
        divisor = by.pop() if len(by) == 1 else None
        place = None if divisor is None else _written(evidence, same[-1], divisor)
        if divisor is None or place is None:
            continue
        line = same[-1]
        count, total = len(line.training.batches), _sum(line)
        factor = count / divisor
        fix = Edit(place, str(count))
        yield Finding(
            "sum-of-means-over-count",
            "error",
            place,
            saw=f"the losses of {count:,} batches add up to {total:.4g}, and are divided by {divisor:,}: the printed "
            f"{line.number.value:.{line.number.decimals}f}, where their mean is {total / count:.4g}",
            so=f"the number is {max(factor, 1 / factor):.3g} times too {'large' if factor > 1 else 'small'}, and tells"
            " nothing beside another loss",
            instead=edits.written(evidence.program, (fix,)),
            proof="arithmetic",
            effect=Effect("printed loss", line.value, total / count),
            edits=((fix,),),
        )


def _sum(line: Line) -> float:
    losses = [batch.loss for batch in line.training.batches]
    return math.fsum(loss for loss in losses if loss is not None) if None not in losses else math.nan


def _divisor(line: Line) -> int | None:
    """The whole number by which the sum of the losses since the print before was divided; None if that was not done.

    None too where it is how many batches, or rows, they are.
    """
    batches, total = line.training.batches, _sum(line)
    exact = line.value > 0 and line.tolerance <= _EXACT * line.value
    if line.explained or line.sources or len(batches) < _FEWEST or not total > 0 or not exact:
        return None
    divisor = round(total / line.value)
    if divisor < 2 or divisor in (len(batches), sum(batch.forward.n for batch in batches)):
        return None
    off = abs(total / divisor - line.value)
    return divisor if off <= line.tolerance + 1e-5 * line.value and _tells(line, divisor) else None


def _tells(line: Line, divisor: int) -> bool:
    """Whether the number would be another one, were the divisor one more or one less."""
    return line.value / divisor > 4 * (line.tolerance + 1e-5 * line.value)


def _written(evidence: Evidence, line: Line, divisor: int) -> Place | None:
    """Where the division by this number is written, behind the printed one; None where it is in no one place."""
    found: list[Place] = []
    for unit, expression in origins.behind(evidence.program, line.printed, line.number):
        for node in _divisions(expression):
            match node:
                case ast.BinOp(right=ast.Constant(value=int() | float() as value) as right) if value == divisor:
                    found.append(unit.place(right))
                case _:
                    pass
    return found[0] if len(set(found)) == 1 else None


def _divisions(expression: ast.AST) -> Sequence[ast.BinOp]:
    return [n for n in ast.walk(expression) if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Div)]
