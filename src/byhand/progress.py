"""The table of a training run: one view of the history, a row an epoch.

In a terminal the epoch under way shows as a line that is written over; in a notebook the table is one output that grows
and stays when the notebook is saved; anywhere else there are plain lines.
"""

import html
import math
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, TextIO, final

__all__ = ["Table", "cell", "in_notebook"]

Row = Mapping[str, float | None]

_REFRESH = 0.25  # seconds between two updates of the line under way


def cell(name: str, value: float | None) -> str:
    """One number as the table shows it: accuracies in percent, times in seconds, a dash for what there is not."""
    if value is None:
        return "–"
    if name == "epoch":
        return str(int(value))
    if name == "seconds":
        return f"{value:.3f} s" if value < 0.1 else f"{value:.2f} s"
    return f"{100 * value:.2f} %" if name.endswith("accuracy") else f"{value:.4f}"


@final
class Table:
    """Shows the rows as they come. ``quiet`` shows nothing.

    Of a long run, over 50 epochs, only every so many rows are shown, and the last; the history has them all.
    """

    def __init__(
        self, columns: Sequence[str], epochs: int = 0, last: int = 0, file: TextIO | None = None, quiet: bool = False
    ) -> None:
        """Prepare an empty table.

        Args:
            columns: the columns' names, which are the history's keys.
            epochs: how many are to come.
            last: the number of the last of them.
            file: where to write; standard output if not given.
            quiet: show nothing.
        """
        self.columns = list(columns)
        self.file = sys.stdout if file is None else file
        self.quiet = quiet
        self.rows: list[Row] = []
        self._every = math.ceil(epochs / 20) if epochs > 50 else 1
        self._last = last
        self._live = self.file.isatty()
        self._notebook = file is None and in_notebook()
        self._display: Any = None  # IPython's handle on the output
        self._shown = 0.0
        self._width = 0

    def row(self, row: Row) -> None:
        """Add an epoch."""
        epoch = int(row["epoch"] or 0)
        if self.quiet or (epoch % self._every and epoch != self._last):
            return
        self.rows.append(row)
        if self._notebook:
            self._show_html("")
            return
        if len(self.rows) == 1:
            self._print(self._heading())
        self._print(self._line(row))

    def under_way(self, epoch: int, done: float, loss: float) -> None:
        """Say how far the epoch is (``done`` from 0 to 1), a few times a second at most."""
        if self.quiet or not (self._live or self._notebook) or time.monotonic() - self._shown < _REFRESH:
            return
        self._shown = time.monotonic()
        text = f"epoch {epoch}: {100 * done:3.0f} %, loss {loss:.4f}"
        if self._notebook:
            self._show_html(text)
        else:
            self.file.write("\r" + text.ljust(self._width))
            self.file.flush()
            self._width = len(text)

    def _print(self, text: str) -> None:
        over = "\r" + " " * self._width + "\r" if self._width else ""
        self._width = 0
        self.file.write(over + text + "\n")
        self.file.flush()

    def _heading(self) -> str:
        return "  ".join(_title(name).rjust(_wide(name)) for name in self.columns)

    def _line(self, row: Row) -> str:
        return "  ".join(cell(name, row.get(name)).rjust(_wide(name)) for name in self.columns)

    def _show_html(self, footer: str) -> None:
        from IPython.display import display  # pyright: ignore[reportUnknownVariableType]

        head = "".join(f"<th>{html.escape(_title(name))}</th>" for name in self.columns)
        cells = ("".join(f"<td>{cell(name, row.get(name))}</td>" for name in self.columns) for row in self.rows)
        body = "".join(f"<tr>{row}</tr>" for row in cells)
        data = {
            "text/html": f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{html.escape(footer)}",
            "text/plain": "\n".join([self._heading(), *map(self._line, self.rows), footer]).rstrip(),
        }
        if self._display is None:
            self._display = display(data, raw=True, display_id=True)
        else:
            self._display.update(data, raw=True)


def _title(name: str) -> str:
    return "time" if name == "seconds" else name


def _wide(name: str) -> int:
    return max(9, len(_title(name)))


def in_notebook() -> bool:
    """Whether a Jupyter kernel runs this: only then does IPython count as loaded."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return type(shell).__name__ == "ZMQInteractiveShell"
