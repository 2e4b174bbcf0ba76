"""The page's modules as one script, for a page that has no server to fetch them from."""

import re
from importlib import resources
from typing import Final

__all__ = ["bundle", "static_text"]

_IMPORT: Final = re.compile(r'^import \{ ([^}]*) \} from "\./([a-z]+\.js)";\n', re.MULTILINE)
_EXPORT: Final = re.compile(r"^export (?=(?:async )?function |const )", re.MULTILINE)


def bundle(entry: str) -> str:
    """The text of a module with that of all it imports before it, each once, as one script that imports nothing.

    The modules keep to three rules: an import is a whole line ``import { a, b } from "./x.js";``, an export is a prefix
    of a function or a constant, and no two modules have a name in common at their top.

    Raises:
        ValueError: a module imports or exports in another way.
    """
    parts: dict[str, str] = {}

    def take(text: str) -> str:
        for _, name in _IMPORT.findall(text):
            if name not in parts:
                parts[name] = ""  # a circle ends here
                own = take(static_text(name))
                del parts[name]  # behind what it imports
                parts[name] = own
        plain = _EXPORT.sub("", _IMPORT.sub("", text))
        if left := re.search(r"^\s*(?:import|export)\b.*", plain, re.MULTILINE):
            raise ValueError(f"a module says {left[0]!r}, which cannot be put into one script")
        return plain

    last = take(entry)
    return "\n".join([*parts.values(), last])


def static_text(name: str) -> str:
    """The text of a file of the page's, by its name alone."""
    return (resources.files("byhand") / "play" / "static" / name).read_text("utf-8")
