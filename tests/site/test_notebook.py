"""The notebook as a page: all of it, with the outputs that are stored."""

import json
from pathlib import Path

import pytest

from docs.site.notebook import code_cells, page

FILE = Path(__file__).resolve().parents[2] / "examples" / "by_hand.ipynb"


def test_text_code_and_outputs_stand_in_their_order() -> None:
    text, end = page(FILE), 0
    for cell in json.loads(FILE.read_text("utf-8"))["cells"]:
        parts = ["".join(cell["source"])]
        parts += [
            "".join(output["text"] if "text" in output else output["data"]["text/html"]).rstrip()
            for output in cell.get("outputs", [])
        ]
        for part in parts:
            assert part in text[end:]
            end = text.index(part, end) + len(part)


def test_cells_of_code_are_read_alone() -> None:
    cell = {"cell_type": "code", "source": ["b\n", "c"], "execution_count": 3, "outputs": [{"text": ["d\n", "e\n"]}]}
    assert code_cells({"cells": [{"cell_type": "markdown", "source": ["a"]}, cell]}) == [("b\nc", 3, "d\ne\n")]


def test_an_output_that_cannot_be_shown_is_said(tmp_path: Path) -> None:
    output = {"output_type": "display_data", "data": {"application/pdf": "…"}}
    file = tmp_path / "a.ipynb"
    file.write_text(json.dumps({"cells": [{"cell_type": "code", "source": [], "outputs": [output]}]}))
    with pytest.raises(ValueError, match="application/pdf has no place"):
        page(file)
