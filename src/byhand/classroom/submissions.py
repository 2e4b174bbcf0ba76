"""The submissions of a class: which folder or file is whose, and which program in it is meant."""

import ast
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

from byhand.errors import DataError

__all__ = ["Submission", "find_submissions"]

_KINDS: Final = (".py", ".ipynb")
_MAIN: Final = ("main.py", "main.ipynb")
_DEEP: Final = 3  # folders in one another, as archives unpack; the uppermost that hold programs count
_NO_SUBMISSION: Final = ("__pycache__", "__MACOSX")
_LARGE: Final = 1 << 20  # bytes of source


@final
@dataclass(frozen=True, slots=True)
class Submission:
    """What one student handed in."""

    name: str  # of the folder, or of the file without its ending
    folder: Path  # what is copied: the student's folder, or the one with all submissions
    program: Path | None  # None where it is not clear; why says why
    alone: bool  # the program is a file among the others' files: nothing else of the folder is this student's
    why: str = ""


def find_submissions(folder: Path) -> tuple[list[Submission], list[str]]:
    """The submissions of a folder, by name, and the names of what is in it and is none.

    Each is a ``.py`` or ``.ipynb`` file, or a folder with the student's program: ``main.py``, else its only program,
    else the only one that does something and that no other one imports. Where that leaves none or several, the
    submission has no program, and says so.

    Raises:
        DataError: the folder is not there, cannot be read, or holds no submission.
    """
    try:
        entries = sorted(folder.iterdir(), key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(
            f"{folder}: {error.strerror}; name a folder that holds a file or a folder for each submission"
        ) from error
    found: list[Submission] = []
    others: list[str] = []
    for entry in entries:
        if entry.name.startswith(".") or entry.name in _NO_SUBMISSION:
            continue
        if entry.is_dir():
            found.append(_of_folder(entry))
        elif entry.suffix in _KINDS:
            found.append(Submission(entry.stem, folder, entry, alone=True))
        else:
            others.append(entry.name)
    if not found:
        raise DataError(f"{folder} holds no submission: neither a folder nor a .py or .ipynb file for each student")
    names = [one.name for one in found]
    told = [
        Submission(one.program.name, folder, one.program, alone=True)
        if one.alone and one.program and names.count(one.name) > 1
        else one
        for one in found
    ]
    return sorted(told, key=lambda one: one.name), others


def _of_folder(top: Path) -> Submission:
    level = [top]
    programs = _programs(top)
    for _ in range(_DEEP):
        if programs:
            break
        level = [inner for folder in level for inner in _visible(folder) if inner.is_dir() and not inner.is_symlink()]
        programs = [program for folder in level for program in _programs(folder)]
    for name in _MAIN:
        mains = [one for one in programs if one.name == name]
        if len(mains) == 1:
            return Submission(top.name, top, mains[0], alone=False)
    if len(programs) > 1:
        meant = _that_do_something(programs)
        if len(meant) != 1:
            listed = ", ".join(one.relative_to(top).as_posix() for one in meant or programs)
            return Submission(top.name, top, None, False, f"which program is meant? {listed}: name one main.py")
        programs = meant
    if not programs:
        return Submission(top.name, top, None, False, "no .py or .ipynb file in it")
    return Submission(top.name, top, programs[0], alone=False)


def _visible(folder: Path) -> list[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return []
    return [entry for entry in entries if not entry.name.startswith(".") and entry.name not in _NO_SUBMISSION]


def _programs(folder: Path) -> list[Path]:
    return [entry for entry in _visible(folder) if entry.suffix in _KINDS and entry.is_file()]


def _that_do_something(programs: list[Path]) -> list[Path]:
    """Those that do more than define, and that no other one imports; a notebook does something."""
    trees = {one: _tree(one) for one in programs}
    imported = {name for one in programs for name in _imports(trees[one])}
    return [one for one in programs if one.stem not in imported and (one.suffix != ".py" or _acts(trees[one]))]


def _tree(file: Path) -> ast.Module:
    try:
        if file.suffix == ".py" and file.stat().st_size <= _LARGE:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of odd escapes Python tells when it runs the program
                return ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        pass
    return ast.Module([], [])


def _imports(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {(node.module or "").partition(".")[0], *(alias.name for alias in node.names if node.level)}
    return names


def _acts(tree: ast.Module) -> bool:
    return any(
        isinstance(node, ast.For | ast.While | ast.With | ast.If | ast.Try)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call))
        for node in tree.body
    )
