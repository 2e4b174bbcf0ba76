"""The user's program as text: its file or cells, their syntax trees, and the words that stand at a place."""

import ast
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeVar, cast, final

from byhand.doctor.place import Place
from byhand.doctor.text.parsing import parsed

__all__ = ["Program", "Unit"]

_Node = TypeVar("_Node", bound=ast.AST)


@final
@dataclass(frozen=True)
class Unit:
    """A file, or one code cell of a notebook."""

    file: str  # relative to the program's folder
    cell: int | None
    source: str  # as the user wrote it
    code: str  # the same in plain Python, line for line: magics replaced, shell lines empty
    skipped: tuple[int, ...] = ()  # lines of the source that are not run

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree of ``code``; empty where it is no Python."""
        return self._parsed if isinstance(self._parsed, ast.Module) else ast.Module([], [])

    @property
    def fault(self) -> Exception | None:
        """What Python says of ``code`` where it is no Python: a SyntaxError, or that it is too deep."""
        return self._parsed if isinstance(self._parsed, Exception) else None

    @cached_property
    def _parsed(self) -> ast.Module | Exception:
        return parsed(self.code)

    @cached_property
    def _lines(self) -> list[str]:
        return self.code.split("\n")

    def place(self, node: ast.expr | ast.stmt) -> Place:
        """Where a node of ``tree`` stands: a tree counts columns in bytes, a place in characters."""
        end_line, end_column = node.end_lineno or node.lineno, node.end_col_offset or node.col_offset
        return Place(
            self.file,
            node.lineno,
            self._character(node.lineno, node.col_offset),
            end_line,
            self._character(end_line, end_column),
            self.cell,
        )

    def _character(self, line: int, column: int) -> int:
        return len(self._lines[line - 1].encode("utf-8")[:column].decode("utf-8", errors="ignore"))


@final
@dataclass(frozen=True)
class Program:
    """What is examined: a script or a notebook, and the modules of its own folder that it imports."""

    path: Path  # the script or notebook
    units: tuple[Unit, ...]  # the script, or the cells in order
    notebook: bool = False
    home: Path | None = None  # where it stands for itself, if not where its file lies
    _others: dict[str, Unit | None] = field(default_factory=dict[str, Unit | None], repr=False)
    _nodes: dict[tuple[Place, type], list[ast.AST]] = field(
        default_factory=dict[tuple[Place, type], list[ast.AST]], repr=False
    )

    @property
    def folder(self) -> Path:
        """Where it stands; places are relative to it."""
        return self.home or self.path.parent

    def stored(self, file: str) -> Path:
        """The path of a file that places name."""
        return self.path if file == self.path.name else self.folder / file

    def unit(self, place: Place) -> Unit | None:
        """The file or cell that a place is in; None where it cannot be read."""
        for unit in self.units:
            if unit.file == place.file and unit.cell == place.cell:
                return unit
        if place.file not in self._others:
            try:
                text = (self.folder / place.file).read_text("utf-8")
                self._others[place.file] = Unit(place.file, None, text, text)
            except (OSError, UnicodeDecodeError):
                self._others[place.file] = None
        return self._others[place.file]

    def text(self, place: Place) -> str:
        """The source at a place, on as many lines as it has; empty where there is none."""
        unit = self.unit(place)
        lines = unit.source.split("\n")[place.line - 1 : place.end_line] if unit else []
        if not lines:
            return ""
        lines[-1] = lines[-1][: place.end_column]
        lines[0] = lines[0][place.column :]
        return "\n".join(lines)

    def line(self, place: Place) -> str:
        """The whole first line at a place, without its indentation."""
        unit = self.unit(place)
        lines = unit.source.split("\n") if unit else []
        return lines[place.line - 1].strip() if 0 < place.line <= len(lines) else ""

    def nodes(self, place: Place, kind: type[_Node]) -> list[_Node]:
        """The nodes of a kind that cover a place, the smallest first: an expression there, then what it stands in."""
        known = self._nodes.get((place, kind))  # a place is asked about once for each of thousands of evaluations
        if known is None:
            known = self._nodes[place, kind] = [*self._covering(place, kind)]
        return cast("list[_Node]", [*known])

    def _covering(self, place: Place, kind: type[_Node]) -> list[_Node]:
        unit = self.unit(place)
        found: list[tuple[int, _Node]] = []
        for depth, node in enumerate(ast.walk(unit.tree) if unit else ()):
            if isinstance(node, kind) and isinstance(node, ast.expr | ast.stmt) and unit:
                span = unit.place(node)
                if (span.line, span.column) <= (place.line, place.column) and (
                    (span.end_line, span.end_column) >= (place.end_line, place.end_column)
                ):
                    found.append((-depth, node))
        return [node for _, node in sorted(found, key=lambda pair: pair[0])]
