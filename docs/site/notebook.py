"""The notebook as a page: its text, its code, and the outputs that are stored in it. Nothing runs."""

import json
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["Cell", "code_cells", "page"]


class Cell(NamedTuple):
    """A cell of code as it is stored."""

    text: str
    count: int | None  # the number that it ran under
    printed: str


def page(file: Path) -> str:
    """A notebook in Markdown.

    Raises:
        ValueError: an output of a kind that this does not show.
    """
    blocks: list[str] = []
    for cell in json.loads(file.read_text("utf-8"))["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            blocks.append(source)
        elif cell["cell_type"] == "code":
            blocks += [_fenced("python", source), *(_output(output) for output in cell["outputs"])]
    return "\n\n".join(blocks) + "\n"


def code_cells(notebook: dict[str, Any]) -> list[Cell]:
    """Each cell of code."""
    return [
        Cell(
            "".join(cell["source"]),
            cell.get("execution_count"),
            "".join("".join(output.get("text", [])) for output in cell["outputs"]),
        )
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
    ]


def _output(output: dict[str, Any]) -> str:
    if output["output_type"] == "stream":
        return _fenced("text", "".join(output["text"]))
    kinds = output.get("data", {})
    if "text/html" in kinds:
        return _fenced("{raw} html", f'<div class="output">\n{"".join(kinds["text/html"])}\n</div>')
    if "text/plain" in kinds:
        return _fenced("text", "".join(kinds["text/plain"]))
    raise ValueError(f"an output of {', '.join(kinds) or output['output_type']} has no place on the page")


def _fenced(kind: str, text: str) -> str:
    return f"````{kind}\n{text.rstrip()}\n````"
