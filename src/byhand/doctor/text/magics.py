"""A notebook's cell as plain Python, line for line, and column for column where nothing is replaced.

What times or captures code runs it; shell commands, other languages and the settings of the notebook itself go.
"""

import importlib
import re
import textwrap
from dataclasses import dataclass
from typing import Any, Final, final

from byhand.doctor.text.parsing import is_python

__all__ = ["Patience", "plain_code"]

_RUN: Final = frozenset({"time", "timeit", "prun", "lprun", "mprun", "memit", "capture", "debug", "snakeviz", "heat"})
_FOREIGN: Final = frozenset(
    {"!", "R", "bash", "bigquery", "cmd", "cu", "cuda", "cython", "file", "html", "javascript", "js", "latex"}
    | {"markdown", "perl", "powershell", "pypy", "python", "python2", "python3", "ruby", "script", "sh", "shell"}
    | {"sql", "svg", "sx", "system", "HTML", "SVG", "writefile"}
)
_ALONE: Final = frozenset({"pip", "conda", "mamba", "ls", "ll", "cd", "pwd", "cat", "cp", "mv", "mkdir", "rm", "who"})
_PYLAB: Final = (
    "import numpy, matplotlib; from matplotlib import pylab, mlab, pyplot; np = numpy; plt = pyplot; "
    "from pylab import *; from numpy import *"
)
_CELL_MAGIC: Final = 2_000  # characters that are as much work as one; also of how many stand in one another
_CAPTURED: Final = '__import__("IPython.utils.capture").utils.capture.CapturedIO(None, None)'
_OPTIONS: Final = re.compile(r"(?:\s+(?:-[nrplsDTfmu]\s*[^\s-]\S*|--?[A-Za-z][\w-]*(?:=\S+)?)(?=\s|$))*\s*")


@final
@dataclass(slots=True)
class Patience:
    """How many characters may yet be looked at for IPython's syntax: for each piece of it, all of its cell again.

    So many are a second or two; a cell of a hundred shell commands of 80 characters takes as many.
    """

    left: int = 400_000

    def lasts(self, characters: int) -> bool:
        """Whether so many may be looked at; then they are."""
        self.left -= characters
        return self.left >= 0


def plain_code(
    source: str, patience: Patience | None = None, *, sound: bool | None = None
) -> tuple[str, tuple[int, ...]]:
    """The code of a cell, and the lines of it that are left out.

    A cell that is neither Python's nor IPython's comes back with whatever is wrong still in it, and so does one with
    more of IPython's syntax than there is patience for. ``sound`` tells whether it is Python's, where that is known.
    """
    patience = patience or Patience()
    cell = _Cell(source)
    if not (is_python(source) if sound is None else sound):
        cell.strip()
        cell.cell_magics(patience)
        while (
            patience.lasts(len(text := "\n".join(cell.lines)))
            and (text == source or not is_python(text))
            and cell.line_magic()
        ):
            pass
    cell.bare_command()
    return "\n".join(cell.lines), tuple(sorted(cell.skipped))


def _ipython() -> Any:
    return importlib.import_module("IPython.core.inputtransformer2")  # half a second, for those who need it


@final
class _Cell:
    def __init__(self, source: str) -> None:
        self.lines = source.split("\n")
        self.skipped: set[int] = set()

    def strip(self) -> None:
        """Take away what IPython takes away: prompts, and an indentation of the whole cell."""
        first = self.lines[self._first()] if self.lines else ""
        if first[:1] in (" ", "\t"):
            self.lines = textwrap.dedent("\n".join(self.lines)).split("\n")
        if first.lstrip().startswith((">>>", "In [")):
            ipython = _ipython()
            stripped: list[str] = ipython.ipython_prompt(ipython.classic_prompt([line + "\n" for line in self.lines]))
            self.lines = [line.removesuffix("\n") for line in stripped]

    def cell_magics(self, patience: Patience) -> None:
        """Carry out what begins with ``%%``."""
        while (
            patience.lasts(_CELL_MAGIC + len(self.lines))
            and (match := re.match(r"%%(!|\w+)(.*)", self.lines[first := self._first()])) is not None
        ):
            name, rest = match[1], match[2].strip()
            body = "\n".join(self.lines[first + 1 :]).removesuffix("\n") + "\n"
            if name in _RUN:
                self.lines[first] = ""
                if name == "capture" and (target := next((w for w in rest.split() if w.isidentifier()), None)):
                    self.lines[first] = f"{target} = {_CAPTURED}"
                elif name == "timeit":
                    self._run(first, 0, match[0])
            elif name in _FOREIGN or not is_python(plain_code(body, patience)[0]):
                self._empty(first, len(self.lines) - 1)
                if name in ("writefile", "file") and rest:
                    mode, file = "a" if "-a" in rest.split() else "w", rest.split()[-1].strip("\"'")
                    self.lines[first] = f"with open({file!r}, {mode!r}, encoding='utf-8') as _: _.write({body!r})"
                    self.skipped.remove(first + 1)
                return
            else:
                self._empty(first, first)

    def line_magic(self) -> bool:
        """Replace the first piece of IPython's syntax; whether there was any."""
        ipython = _ipython()
        try:
            tokens = ipython.make_tokens_by_line([line + "\n" for line in self.lines])
        except SyntaxError:  # an indentation that fits to none
            return False
        kinds = (ipython.HelpEnd, ipython.MagicAssign, ipython.SystemAssign, ipython.EscapedCommand)
        found: list[Any] = [one for kind in kinds if (one := kind.find(tokens)) is not None]
        if not found:
            return False
        piece = min(found, key=lambda one: one.sortby())
        start: int = piece.start_line
        column: int = piece.start_col
        end: int = piece.q_line if isinstance(piece, ipython.HelpEnd) else self._continued(start)
        said = self.lines[start][column:]
        if isinstance(piece, ipython.SystemAssign):
            self._assign(start, end, column, "[]")
        elif isinstance(piece, ipython.MagicAssign):
            if not self._run(start, column, said, assigned=True):
                self._assign(start, end, column, "None")
        elif isinstance(piece, ipython.HelpEnd) or not self._run(start, column, said):
            pylab = said.split()[0] == "%pylab"
            self._empty(start, end, self.lines[start][:column])
            if pylab:
                self.lines[start] = self.lines[start].removesuffix("pass") + _PYLAB
                self.skipped.remove(start + 1)
        return True

    def bare_command(self) -> None:
        """In a cell of one line IPython takes ``pip install x`` for ``%pip install x``."""
        first = self._first()
        words = self.lines[first].split(maxsplit=1)
        if not words or any(line.strip() for line in self.lines[first + 1 :]):
            return
        if len(words) > 1 and is_python(self.lines[first]):
            return
        if words[0] in _ALONE:
            self._empty(first, first)
        elif len(words) > 1:
            self._run(first, 0, "%" + self.lines[first])

    def _first(self) -> int:
        """The first line that says something, or the last one."""
        says = (i for i, line in enumerate(self.lines) if line.strip() and not line.lstrip().startswith("#"))
        return next(says, len(self.lines) - 1)

    def _continued(self, line: int) -> int:
        while line + 1 < len(self.lines) and self.lines[line].endswith("\\"):
            line += 1
        return line

    def _run(self, line: int, column: int, said: str, *, assigned: bool = False) -> bool:
        """Take a magic off what it would run; whether it is one that runs something."""
        match = re.match(r"%%?(\w+)", said)
        options = _OPTIONS.match(said, match.end()) if match else None
        if match is None or options is None or match[1] not in _RUN or not said[options.end() :].strip():
            return False
        blank = " " * options.end() if assigned else ""
        self.lines[line] = self.lines[line][:column] + blank + said[options.end() :]
        return True

    def _assign(self, start: int, end: int, column: int, value: str) -> None:
        target = self.lines[start][:column]
        self._empty(start, end)
        self.lines[start] = target + value

    def _empty(self, first: int, last: int, indent: str = "") -> None:
        """Leave lines out. A block must not be left without a statement."""
        self.lines[first : last + 1] = [indent + "pass" if indent else "", *[""] * (last - first)]
        self.skipped.update(range(first + 1, last + 2))
