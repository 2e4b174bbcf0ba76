"""What a worker imports before it forks: the libraries that the program, and the modules beside it, name."""

import importlib.util
import re
from typing import Final

from byhand.doctor.text.program import Program

__all__ = ["preload"]

_MODULES: Final = 50  # of the program's folder that are looked at


def preload(program: Program) -> list[str]:
    """The names of these modules, for a ``Workshop``."""
    texts = [unit.code for unit in program.units]
    for file in list(program.folder.glob("*.py"))[:_MODULES]:
        try:
            texts.append(file.read_text("utf-8", errors="ignore"))
        except OSError:
            continue
    text = "\n".join(texts)
    names = ["numpy"]
    if re.search(r"\b(torch|byhand|fastai|lightning|fastbook|skorch|torchvision)\b", text):
        names.append("torch")
    if re.search(r"\b(sklearn|scipy)\b", text) and importlib.util.find_spec("sklearn"):
        names.append("sklearn.metrics")
    return names
