"""The reference: a page a module, made by autodoc out of the docstrings.

It holds the names of ``byhand`` itself, at their homes, and the modules that the pages of docs/ import from: what
a page shows a reader is public.
"""

import ast
import importlib
import inspect
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple

import byhand

__all__ = ["Module", "index", "modules", "page"]

_BLOCK: Final = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FOREIGN: Final = "object, tuple, Module"  # what these hand down is told at their homes


class Module(NamedTuple):
    """A module, the names of it that ``byhand`` gives, and the others that are public."""

    name: str
    top: tuple[str, ...]
    own: tuple[str, ...]

    @property
    def about(self) -> str:
        """The first line of its docstring."""
        return (importlib.import_module(self.name).__doc__ or "").partition("\n")[0]


def modules(files: Iterable[Path]) -> list[Module]:
    """The homes of the public names, in the order of the data, then the other modules that these pages import from."""
    found: dict[str, tuple[list[str], list[str]]] = {home: ([], []) for home in _homes()}
    for name in byhand.__all__:
        found[_home(name)][0].append(name)
    for home, names in _imported(files):
        top, own = found.setdefault(home, ([], []))
        public = names if top else getattr(importlib.import_module(home), "__all__", names)
        own += [name for name in public if name not in [*top, *own]]
    return [Module(name, tuple(top), tuple(own)) for name, (top, own) in found.items()]


def index(found: list[Module]) -> str:
    """The page of all modules."""
    lines = [
        "# In Python",
        "",
        "What `import byhand` gives stands first, in the order in which data flows through it; the rest is",
        "imported from its module. What is not here may change without notice.",
        "",
        "```{eval-rst}",
    ]
    for module in found:
        names = [*(f"byhand.{name}" for name in module.top), *(f"{module.name}.{name}" for name in module.own)]
        shown = ", ".join(f":py:obj:`{name}`" for name in names)
        lines += [f"- :doc:`{module.name}`: {module.about}", "", f"  {shown}", ""]
    return (
        "\n".join([*lines, "```", "", "```{toctree}", ":hidden:", "", *(module.name for module in found), "```"]) + "\n"
    )


def page(module: Module) -> str:
    """A module: what it says of itself, and its public names."""
    lines = [f"# {module.name}", "", "```{eval-rst}", f".. automodule:: {module.name}", "   :no-members:"]
    for prefix, names in (("byhand", module.top), (module.name, module.own)):
        for name in names:
            kind = _kind(getattr(importlib.import_module(prefix), name))
            lines += ["", f".. auto{kind}:: {prefix}.{name}"]
            lines += ["   :members:"] if kind in ("class", "exception") else []
            lines += [f"   :inherited-members: {_FOREIGN}"] if kind == "class" else []
            lines += ["   :no-value:"] if kind == "data" else []
    return "\n".join([*lines, "```"]) + "\n"


def _kind(value: Any) -> str:
    if inspect.isclass(value):
        return "exception" if issubclass(value, BaseException) else "class"
    return "function" if inspect.isroutine(value) else "data"


def _home(name: str) -> str:
    return next(home for home, names in _homes().items() if name in names)


def _homes() -> dict[str, list[str]]:
    return byhand._HOMES


def _imported(files: Iterable[Path]) -> Iterable[tuple[str, list[str]]]:
    """What the blocks of Python on these pages import out of byhand's modules."""
    for file in files:
        for block in _BLOCK.findall(file.read_text("utf-8")):
            for node in ast.walk(ast.parse(block)):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("byhand."):
                    yield str(node.module), [alias.name for alias in node.names]
