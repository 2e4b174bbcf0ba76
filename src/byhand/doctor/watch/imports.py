"""Imports from the program's own folder, compiled by a function of the doctor's, and the module that is run as main.

Python finds a module as ever; only what stands in the folder, and is not an installed package, is compiled anew. No
bytecode is read or written.
"""

import builtins
import importlib.machinery
import os
import sys
import sysconfig
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import CodeType, ModuleType
from typing import Final, final

__all__ = ["Compile", "install", "main_module", "run"]

Compile = Callable[[Path, str], CodeType]
"""Compiles the file of a module, given the module's name."""

_INSTALLED: Final = frozenset({"site-packages", "dist-packages", "node_modules", "__pypackages__"})
_LIBRARY: Final = tuple(Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib"))


def install(folder: Path, compile_code: Compile) -> None:
    """Have modules and packages of a folder compiled by a function, from the next import on."""
    finders = sys.meta_path
    usual = importlib.machinery.PathFinder
    # Not before it: built-in modules go before files of the same name.
    finders.insert(finders.index(usual) if usual in finders else len(finders), _Finder(folder, compile_code))


def main_module(path: Path, *, notebook: bool = False) -> ModuleType:
    """A new, empty ``__main__``, as ``python path`` has it, put in the place of the present one.

    A notebook's has no ``__file__``.
    """
    module = ModuleType("__main__")
    module.__dict__.update(__builtins__=builtins, __annotations__={}, __spec__=None, __package__=None)
    if not notebook:
        loader = importlib.machinery.SourceFileLoader("__main__", str(path))
        module.__dict__.update(__file__=str(path), __cached__=None, __loader__=loader)
    sys.modules["__main__"] = module
    return module


def run(code: CodeType, module: ModuleType) -> None:
    """Run code in a module; whatever it raises comes out."""
    exec(code, module.__dict__)  # noqa: S102 - the user's own program, which is what the doctor is for


@final
class _Finder:
    """Finds what Python's own finder of files finds, and takes what is the user's."""

    def __init__(self, folder: Path, compile_code: Compile) -> None:
        self._folder = folder.resolve()
        self._compile = compile_code

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is None or not isinstance(spec.loader, importlib.machinery.SourceFileLoader) or spec.origin is None:
            return None
        if name.partition(".")[0] == "byhand" or not self._is_own(Path(spec.origin)):
            return None
        spec.loader = _Loader(name, spec.origin, self._compile)
        spec.cached = None
        return spec

    def invalidate_caches(self) -> None:
        """Nothing is kept here."""

    def _is_own(self, file: Path) -> bool:
        full = Path(os.path.abspath(file))
        with suppress(OSError):
            full = full.parent.resolve() / full.name
        if not full.is_relative_to(self._folder):
            return False
        between = full.relative_to(self._folder).parents
        if any(part in _INSTALLED for part in full.relative_to(self._folder).parts):
            return False
        if any(full.is_relative_to(place) and not self._folder.is_relative_to(place) for place in _LIBRARY):
            return False
        return not any((self._folder / part / "pyvenv.cfg").exists() for part in between if part.name)


@final
class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, name: str, path: str, compile_code: Compile) -> None:
        super().__init__(name, path)
        self._compile = compile_code

    def get_code(self, fullname: str) -> CodeType:
        return self._compile(Path(self.path), fullname)
