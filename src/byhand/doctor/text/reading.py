"""The user's program off the disk: a script, or a notebook."""

import tokenize
import warnings
from pathlib import Path
from typing import Final

from byhand.doctor.text.notebook import read_notebook
from byhand.doctor.text.program import Program, Unit
from byhand.errors import DataError
from byhand.text import brief

__all__ = ["read_program", "read_source"]

_LARGEST: Final = 1 << 20  # bytes of a script: Python takes some six hundred times as many, and a second, for its tree


def read_program(path: Path, home: Path | None = None) -> Program:
    """The program in a file; one whose name ends in ``.ipynb`` is a notebook.

    Args:
        path: the file.
        home: the folder that the program stands in for itself and its imports, if not the file's.

    Raises:
        DataError: the file is missing, unreadable or empty, or is no Python.
    """
    if path.is_dir():
        raise DataError(f"{path} is a folder; name a script or a notebook in it")
    if not path.exists():
        raise DataError(f"there is no file {path}; name a script (.py) or a notebook (.ipynb)")
    notebook = path.suffix.lower() == ".ipynb"
    units = read_notebook(path) if notebook else (_script(path),)
    for unit in units:
        _check(path, unit)
    if not any(unit.tree.body for unit in units):
        raise DataError(f"{path} holds no code; name a program that does something")
    return Program(path, units, notebook, home)


def read_source(path: Path) -> str:
    """The text of a Python file, in the encoding that it declares, with line feeds alone.

    Raises:
        OSError: the file cannot be read.
        SyntaxError: it declares an encoding that does not exist.
        LookupError: it declares one for other things than text, as rot13.
        UnicodeError: it is in another encoding than it declares.
    """
    with warnings.catch_warnings(), tokenize.open(path) as file:
        warnings.simplefilter("ignore")  # an encoding may have escapes of its own, and odd ones among them
        return file.read()


def _script(path: Path) -> Unit:
    try:
        if (size := path.stat().st_size) > _LARGEST:
            raise DataError(f"{path} has {size:,} bytes, more than the {_LARGEST:,} of a program; name a program")
        text = read_source(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); name a file that can") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not in {error.encoding} (byte {error.start}); save it as UTF-8") from error
    except (SyntaxError, LookupError, UnicodeError) as error:
        raise DataError(f"{path} has no encoding that Python knows ({brief(error)}); save it as UTF-8") from error
    return Unit(path.name, None, text, text)


def _check(path: Path, unit: Unit) -> None:
    error = unit.fault
    if error is None:
        return
    where = str(path) if unit.cell is None else f"{path}, cell {unit.cell}"
    known = isinstance(error, SyntaxError)
    reason, line = (error.msg, error.lineno or 1) if known else (str(error) or "too deep", 1)
    raise DataError(f"{where}, line {line}: this is no Python 3 ({brief(reason)}); mend it and run it once yourself")
