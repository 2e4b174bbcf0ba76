"""What has been seen of a program that runs: the lines of its mailbox, put together into curves and pictures."""

import re
import string
from typing import Any, Final, final

from byhand.play.even_curve import EvenCurve

__all__ = ["Seen"]

_LOSSES: Final = 1_500
_POINTS: Final = 400  # of every other curve
_SERIES: Final = 12
_NAME: Final = 40  # characters of the words before a number
_ENDS: Final = string.whitespace + ":=("
_COUNTS: Final = re.compile(r"\b(epochs?|ep|steps?|iter\w*|batch\w*|rounds?|time|seconds?|took)\b", re.IGNORECASE)
"""Words before a number that tells how far the program is."""

_Key = tuple[str, int | None, int, str]  # file, cell, line, words
_COUNTED: Final = "right, counted"


@final
class Seen:
    """One run so far."""

    def __init__(self) -> None:
        self.updates = 0
        self._losses = EvenCurve(_LOSSES)
        self._series: dict[_Key, EvenCurve] = {}
        self._measures: dict[str, dict[str, EvenCurve]] = {}
        self._parameters: list[dict[str, Any]] = []
        self._judged: dict[_Key, tuple[int, int, int]] = {}  # clock, right, rows of an evaluation that may go on

    def add(self, line: dict[str, Any]) -> None:
        """A line of the mailbox, as ``mailbox.take`` describes it."""
        self.updates = line["clock"]
        for clock, loss in line["losses"]:
            if loss is not None:
                self._losses.add(clock, loss)
        for one in line["shown"]:
            self._show(one)
        for one in line["judged"]:
            self._judge(one)
        before = {one["name"]: one for one in self._parameters}
        for one in line["parameters"]:
            curves = self._measures.setdefault(one["name"], {})
            for what in ("norm", "gradient", "step"):
                if one[what] is not None:
                    curves.setdefault(what, EvenCurve(_POINTS)).add(self.updates, one[what])
                elif one["name"] in before:
                    one[what] = before[one["name"]][what]  # it was not looked at this time
        self._parameters = line["parameters"] or self._parameters

    def _show(self, one: dict[str, Any]) -> None:
        for k, (value, words) in enumerate(one["numbers"]):
            if value is not None and not _COUNTS.search(words):
                name = re.sub(r"^\W+", "", words).rstrip(_ENDS)[:_NAME] or (f"number {k + 1}" if k else "printed")
                self._point((one["file"], one["cell"], one["line"], name), one["clock"], value)

    def _judge(self, one: dict[str, Any]) -> None:
        key = (one["file"], one["cell"], one["line"], _COUNTED)
        clock, right, rows = self._judged.get(key, (-1, 0, 0))
        if clock == one["clock"]:
            right, rows = right + one["right"], rows + one["rows"]
        else:
            right, rows = one["right"], one["rows"]
        self._judged[key] = one["clock"], right, rows
        if rows:  # two empty arrays may be compared
            self._point(key, one["clock"], right / rows)

    def _point(self, key: _Key, clock: int, value: float) -> None:
        if key in self._series or len(self._series) < _SERIES:
            self._series.setdefault(key, EvenCurve(_POINTS)).add(clock, value)

    def parameters(self) -> list[dict[str, Any]]:
        """The parameters as they were last seen: ``name``, ``shape``, sizes, and the picture of one that has one."""
        return self._parameters

    def curves(self) -> dict[str, Any]:
        """``losses``; ``series``, of what is printed and of what was counted; ``measures`` of the parameters."""
        return {
            "losses": self._losses.points(),
            "series": [
                {
                    "name": f"{_where(cell, line)}: {name}",
                    "counted": name == _COUNTED,
                    "file": file,
                    "cell": cell,
                    "line": line,
                    "points": curve.points(),
                }
                for (file, cell, line, name), curve in self._series.items()
            ],
            "measures": [
                {"name": name, **{what: curve.points() for what, curve in curves.items()}}
                for name, curves in self._measures.items()
            ],
        }


def _where(cell: int | None, line: int) -> str:
    return f"line {line}" if cell is None else f"cell {cell}, line {line}"
