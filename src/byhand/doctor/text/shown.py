"""What a notebook keeps of its author's session: the count of each code cell, and what it showed."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, final

from byhand.doctor.text.notebook import code_cells

__all__ = ["Shown", "read_shown"]


@final
@dataclass(frozen=True, slots=True)
class Shown:
    """A code cell as its author left it."""

    cell: int  # code cells count from 1
    count: int | None  # the execution count; None where it was never run, or the outputs were cleared
    text: str  # what it printed, and the value that it showed


def read_shown(path: Path) -> tuple[Shown, ...]:
    """The code cells of a notebook; empty where it cannot be read as one."""
    try:
        notebook = json.loads(path.read_text("utf-8-sig"))
        return tuple(_shown(number, cell) for number, cell in enumerate(code_cells(notebook), start=1))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return ()


def _shown(number: int, cell: dict[str, Any]) -> Shown:
    count = cell.get("execution_count", cell.get("prompt_number"))
    return Shown(number, count if isinstance(count, int) else None, "".join(_texts(cell.get("outputs") or [])))


def _texts(outputs: list[dict[str, Any]]) -> Iterator[str]:
    for output in outputs:
        if output.get("name", output.get("stream")) == "stderr":
            continue
        data = cast("dict[str, Any]", output.get("data") or {})
        text: str | list[str] = output.get("text") or data.get("text/plain") or ""
        whole = text if isinstance(text, str) else "".join(text)
        yield whole if whole.endswith("\n") or not whole else f"{whole}\n"
