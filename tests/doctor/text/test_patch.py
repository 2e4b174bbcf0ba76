"""Patches are held by git itself: it applies them, and the file is what the edits make of it."""

import json
import subprocess
from pathlib import Path

import pytest

from byhand.doctor.finding import Edit
from byhand.doctor.place import Place
from byhand.doctor.text.edits import insert_line, replace
from byhand.doctor.text.patch import patch
from byhand.doctor.text.program import Program, Unit
from byhand.errors import DataError


def git_apply(folder: Path, text: str, root: Path | None = None) -> None:
    subprocess.run(["git", "init", "-q", str(root or folder)], check=True)
    data = text.encode("utf-8", "surrogateescape")
    subprocess.run(["git", "apply", "--whitespace=nowarn", "-"], input=data, cwd=folder, check=True)


def script(folder: Path, data: bytes, encoding: str = "utf-8-sig", name: str = "my.py") -> Program:
    (folder / name).write_bytes(data)
    text = data.decode(encoding).replace("\r\n", "\n")
    return Program(folder / name, (Unit(name, None, text, text),))


def changed(text: str) -> list[str]:
    return [line for line in text.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]


SCRIPTS = [
    (b"a = 1\nb = 2\n", "utf-8", b"a = 9\nb = 2\n"),
    (b"a = 1\r\nb = 2\r\n", "utf-8", b"a = 9\r\nb = 2\r\n"),
    (b"a = 1", "utf-8", b"a = 9"),
    ("a = 1  # größe €\nb = 2".encode(), "utf-8", "a = 9  # größe €\nb = 2".encode()),
    (b"\xef\xbb\xbfa = 1\nb = 2\n", "utf-8-sig", b"\xef\xbb\xbfa = 9\nb = 2\n"),
    (b"a = 1\nif a:\n\tb = '\x0c'\r\n\n", "utf-8", b"a = 9\nif a:\n\tb = '\x0c'\r\n\n"),
]


@pytest.mark.parametrize(("old", "encoding", "new"), SCRIPTS)
def test_git_applies_the_patch_of_a_script(tmp_path: Path, old: bytes, encoding: str, new: bytes):
    it = script(tmp_path, old, encoding)
    text = patch(it, [replace(Place("my.py", 1, 4, 1, 5), "9")])
    assert len(changed(text)) == 2
    git_apply(tmp_path, text)
    assert (tmp_path / "my.py").read_bytes() == new


def test_a_file_in_another_encoding(tmp_path: Path):
    it = script(tmp_path, b"# coding: latin-1\na = 1  # \xe9\n", "latin-1")
    git_apply(tmp_path, patch(it, [replace(Place("my.py", 2, 4, 2, 5), "'é'")]))
    assert (tmp_path / "my.py").read_bytes() == b"# coding: latin-1\na = '\xe9'  # \xe9\n"


def test_an_inserted_line_takes_the_line_ends_of_the_file(tmp_path: Path):
    it = script(tmp_path, b"a = 1\r\nb = 2")
    added = insert_line(it, Place("my.py", 2, 0, 2, 1), "c = 3")
    assert added
    git_apply(tmp_path, patch(it, [added]))
    assert (tmp_path / "my.py").read_bytes() == b"a = 1\r\nb = 2\r\nc = 3"


@pytest.mark.parametrize("name", ["my first try.py", "größe.py", 'a"b\\.py'])
def test_names_that_git_quotes(tmp_path: Path, name: str):
    it = script(tmp_path, b"a = 1\n", name=name)
    git_apply(tmp_path, patch(it, [replace(Place(name, 1, 4, 1, 5), "9")]))
    assert (tmp_path / name).read_bytes() == b"a = 9\n"


def test_paths_are_relative_to_where_it_will_be_applied(tmp_path: Path):
    folder = tmp_path / "src" / "deep"
    folder.mkdir(parents=True)
    it = script(folder, b"a = 1\n")
    edits = [replace(Place("my.py", 1, 4, 1, 5), "9")]
    assert "--- a/src/deep/my.py\n" in patch(it, edits, tmp_path)
    assert "--- a/my.py\n" in patch(it, edits, tmp_path / "elsewhere")
    git_apply(folder, patch(it, edits), tmp_path)
    assert (folder / "my.py").read_bytes() == b"a = 9\n"


def test_several_files_and_no_edits(tmp_path: Path):
    it = script(tmp_path, b"import helper\na = 1\n")
    (tmp_path / "helper.py").write_bytes(b"b = 1\n")
    places = Place("my.py", 2, 4, 2, 5), Place("helper.py", 1, 4, 1, 5)
    git_apply(tmp_path, patch(it, [replace(place, "9") for place in places]))
    assert (tmp_path / "my.py").read_bytes() == b"import helper\na = 9\n"
    assert (tmp_path / "helper.py").read_bytes() == b"b = 9\n"
    assert patch(it, []) == ""


def test_a_file_that_has_changed_or_gone_is_said(tmp_path: Path):
    it = script(tmp_path, b"a = 1\n")
    edits = [replace(Place("my.py", 1, 4, 1, 5), "9")]
    (tmp_path / "my.py").write_bytes(b"a = 7\n")
    with pytest.raises(DataError, match="has changed since it was run"):
        patch(it, edits)
    (tmp_path / "my.py").unlink()
    with pytest.raises(DataError, match="cannot be read as it was"):
        patch(it, edits)


# Notebooks.

CELLS = ["import numpy as np\nä = 1\n", 'rate = 0.1\nfor x in y:\n    step(rate)  # "é"\n    go()', "", "x = 1"]


def notebook(folder: Path, form: str, indent: int | None = 1, ascii_only: bool = False) -> Program:
    def source(text: str) -> str | list[str]:
        return text if form == "string" else text.splitlines(keepends=True)

    outputs = [{"output_type": "stream", "name": "stdout", "text": ["source\n", 'cells": [\n']}]
    cells: list[dict[str, object]] = [{"cell_type": "markdown", "metadata": {}, "source": source('# [Title]\n"x"')}]
    code = {"cell_type": "code", "metadata": {"source": "no"}, "outputs": outputs}
    cells += [{**code, "source": source(text)} for text in CELLS]
    whole = {"cells": cells, "metadata": {"title": "ö"}, "nbformat": 4, "nbformat_minor": 5}
    text = json.dumps(whole, indent=indent, ensure_ascii=ascii_only) + "\n"
    (folder / "my.ipynb").write_text(text, "utf-8")
    units = tuple(Unit("my.ipynb", i, cell, cell) for i, cell in enumerate(CELLS, 1))
    return Program(folder / "my.ipynb", units, notebook=True)


def sources(folder: Path) -> list[str]:
    cells = json.loads((folder / "my.ipynb").read_text("utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


@pytest.mark.parametrize("ascii_only", [False, True])
@pytest.mark.parametrize("indent", [1, 4, None])
@pytest.mark.parametrize("form", ["list", "string"])
def test_git_applies_the_patch_of_a_notebook(tmp_path: Path, form: str, indent: int | None, ascii_only: bool):
    it = notebook(tmp_path, form, indent, ascii_only)
    before = (tmp_path / "my.ipynb").read_text("utf-8")
    edits = [replace(Place("my.ipynb", 1, 7, 1, 10, 2), "0.5"), replace(Place("my.ipynb", 3, 9, 3, 13, 2), "rate / 2")]
    text = patch(it, edits)
    assert len(changed(text)) == (4 if form == "list" and indent else 2)
    git_apply(tmp_path, text)
    assert sources(tmp_path) == [CELLS[0], 'rate = 0.5\nfor x in y:\n    step(rate / 2)  # "é"\n    go()', *CELLS[2:]]
    after = (tmp_path / "my.ipynb").read_text("utf-8")
    assert len(after) == len(before) + len(" / 2")


@pytest.mark.parametrize("form", ["list", "string"])
def test_lines_are_added_to_a_cell(tmp_path: Path, form: str):
    it = notebook(tmp_path, form)
    places = Place("my.ipynb", 3, 4, 3, 8, 2), Place("my.ipynb", 4, 4, 4, 6, 2), Place("my.ipynb", 1, 0, 1, 1, 4)
    edits = [edit for place in places if (edit := insert_line(it, place, "NEW"))]
    edits.append(Edit(Place("my.ipynb", 1, 0, 1, 0, 1), "import torch\n"))
    text = patch(it, edits)
    git_apply(tmp_path, text)
    second = 'rate = 0.1\nfor x in y:\n    step(rate)  # "é"\n    NEW\n    go()\n    NEW'
    assert sources(tmp_path) == ["import torch\n" + CELLS[0], second, "", "x = 1\nNEW"]
    if form == "list":
        whole = json.loads((tmp_path / "my.ipynb").read_text("utf-8"))
        assert (tmp_path / "my.ipynb").read_text("utf-8") == json.dumps(whole, indent=1, ensure_ascii=False) + "\n"
        assert whole["cells"][2]["source"] == second.splitlines(keepends=True)


def test_an_edit_over_several_lines_joins_them(tmp_path: Path):
    it = notebook(tmp_path, "list")
    git_apply(tmp_path, patch(it, [replace(Place("my.ipynb", 2, 0, 4, 8, 2), "train()")]))
    assert sources(tmp_path)[1] == "rate = 0.1\ntrain()"


def test_a_notebook_that_has_changed_is_said(tmp_path: Path):
    it = notebook(tmp_path, "list")
    other = Program(it.path, (Unit("my.ipynb", 1, "x = 1\n", "x = 1\n"),), notebook=True)
    with pytest.raises(DataError, match="has changed since it was run"):
        patch(other, [replace(Place("my.ipynb", 1, 4, 1, 5, 1), "2")])
