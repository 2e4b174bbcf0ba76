"""A model, or a moment of its training, that is chosen by the rows that then judge it."""

import ast
import math
import re
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from byhand.doctor.audit.averages import Statistic
from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.audit.passes import Pass
from byhand.doctor.audit.printed import Line, measures
from byhand.doctor.checks.metric.rejudged import series
from byhand.doctor.checks.reading import origins, roles
from byhand.doctor.checks.reading.calls import last_name, ran
from byhand.doctor.finding import Finding
from byhand.doctor.place import Place

__all__ = ["test_set_selection"]

_TRIES: Final = 3  # of fewer evaluations the best is hardly luck
_CLOSE: Final = 2.0  # standard errors within which another model is a rival of the best
_HARMLESS: Final = 0.5  # standard errors
_VALIDATION: Final = re.compile(r"val(id|idate|idation)?(set|loader|dl|data|x|y|acc)?|dev")
_BEST: Final = frozenset(("best", "max", "maximum", "top", "highest", "amax", "min", "lowest"))


def test_set_selection(evidence: Evidence) -> Iterator[Finding]:
    """The best of many evaluations of the same rows is reported as what the model does on new ones."""
    groups = series(evidence)
    for passes in groups:
        accuracies = [one.accuracy or 0.0 for one in passes]
        best = int(np.argmax(accuracies))
        if len(passes) < _TRIES or _third_part(groups, passes) or _is_validation(evidence, passes):
            continue
        line = _reported(evidence, passes, best)
        restored = _restored(passes, best)
        if line is None and not restored:
            continue
        yield _finding(evidence, passes if line is not None else passes[:-1], best, line)
        return


def _finding(evidence: Evidence, passes: Sequence[Pass], best: int, line: Line | None) -> Finding:
    accuracies = np.array([one.accuracy or 0.0 for one in passes])
    n, top = passes[best].n, float(accuracies[best])
    rivals = _rivals(passes, accuracies, top)
    usual = float(np.median(rivals))
    error = math.sqrt(max(usual * (1 - usual), 1 / n) / n)
    gain = top - usual
    models = len({one.forward.training for one in passes})
    each = f"{len(passes)} evaluations" + (f" of {models} models" if models > 1 else "")
    clear = len(rivals) >= _TRIES and gain >= _HARMLESS * error
    last = f"; the last of them gives {accuracies[-1]:.4f}" + ("" if line else ", and the weights of the best are kept")
    later = "later " if models == 1 else ""
    luck = f"{top:.4f} is {gain:.3f} above the median of the {len(rivals)} {later}ones that are about as good, and one "
    luck += f"standard error of {n:,} rows is {error:.3f}"
    return Finding(
        "test-set-selection",
        "warning" if clear else "note",
        _place(evidence, passes, line),
        saw=f"the reported {top:.4f} is the best of {each} of the same {n:,} rows{last}",
        so=f"the rows that judge have chosen what they judge, luck included: {luck}"
        if clear
        else f"harmless here: the choice makes it {gain:.3f} better, and one standard error is {error:.3f}",
        instead="keep a part of the training rows out as validation rows, choose by those, and judge these rows once, "
        "at the end",
    )


def _rivals(passes: Sequence[Pass], accuracies: NDArray[np.float64], top: float) -> NDArray[np.float64]:
    """Of one training the second half, of several models the last evaluation of each: those as good as the best."""
    last = {one.forward.training: accuracy for one, accuracy in zip(passes, accuracies, strict=True)}
    found = np.array([*last.values()]) if len(last) > 1 else accuracies[len(accuracies) // 2 :]
    n = passes[0].n
    error = math.sqrt(max(top * (1 - top), 1 / n) / n)
    return np.append(found[found >= top - _CLOSE * error], [] if top in found else [top])


def _third_part(groups: Sequence[Sequence[Pass]], mine: Sequence[Pass]) -> bool:
    """Whether other held-out rows are judged too: then one of the two parts is there to choose by."""
    rows = set(mine[0].rows.tolist())
    return any(len(rows.intersection(other[0].rows.tolist())) < len(rows) / 2 for other in groups if other is not mine)


def _is_validation(evidence: Evidence, passes: Sequence[Pass]) -> bool:
    """Whether the rows are called validation rows, and never test rows: what is chosen by them says what it is."""
    ends = {one.last for one in passes}
    texts = [text for one in (passes[0], passes[-1]) for text in roles.around(evidence, one)]
    texts += [printed.text for printed in evidence.trace.printed if printed.forward in ends]
    words = [word for text in texts for word in roles.words(text)]
    return any(map(_VALIDATION.fullmatch, words)) and not any(word.startswith("test") for word in words)


def _reported(evidence: Evidence, passes: Sequence[Pass], best: int) -> Line | None:
    """The last line, after all evaluations, of which a number is the best accuracy and not the last."""
    top, end = (Statistic("accuracy", "scores", "all", one.accuracy or 0.0, True) for one in (passes[best], passes[-1]))
    for same in reversed(evidence.audit.lines):
        line = same[-1]
        if (line.printed.forward or 0) < passes[-1].last or not {"accuracy", "error"} & measures(line.number):
            continue
        if origins.told(line.printed, line.number) == "training" or line.fit(top) is None or line.fit(end, 2.0):
            continue
        others = [one for one in line.training.figures.values() if one.measure == "accuracy" and line.fit(one)]
        if not others and (_says_best(evidence, line) or (len(same) == 1 and line.tolerance <= 0.0006)):
            return line
    return None


def _says_best(evidence: Evidence, line: Line) -> bool:
    """Whether the words before a number, or its expression, call it the best."""
    shown = origins.shown(evidence.program, line.printed, line.number)
    texts = [line.number.words, *(ast.unparse(node) for _, node in shown)]
    return any(word in _BEST for text in texts for word in roles.words(text))


def _restored(passes: Sequence[Pass], best: int) -> bool:
    """Whether the last evaluation is of weights that were kept from the moment of the best one."""
    last, top = passes[-1], passes[best]
    if last.scores is None or top.scores is None or best >= len(passes) - 2 or last.accuracy != top.accuracy:
        return False
    between = passes[best + 1 : -1]
    same = np.array_equal(last.scores, top.scores)
    return same and any(one.scores is not None and not np.array_equal(one.scores, top.scores) for one in between)


def _place(evidence: Evidence, passes: Sequence[Pass], line: Line | None) -> Place | None:
    """Where the best is chosen: ``max(...)``, ``if acc > best``; else where it is printed."""
    program, trace = evidence.program, evidence.trace
    if line is not None:
        for unit, node in origins.behind(program, line.printed, line.number):
            calls = [
                inner for inner in ast.walk(node) if isinstance(inner, ast.Call) and last_name(inner.func) in _BEST
            ]
            if calls and ran(trace, unit.place(node)):
                return unit.place(calls[0])
    for unit in program.units:
        for node in ast.walk(unit.tree):
            match node:
                case ast.If(test=ast.Compare(left=left, ops=[ast.Gt() | ast.GtE() | ast.Lt() | ast.LtE()]) as test):
                    names = [name for part in (left, *test.comparators) for name in roles.words(ast.unparse(part))]
                    if _BEST.intersection(names) and ran(trace, unit.place(test)):
                        return unit.place(test)
                case _:
                    pass
    return line.printed.place if line is not None else passes[-1].forward.place
