"""A program off the disk, and what is said where there is none."""

from pathlib import Path

import pytest

from byhand.doctor.text.program import Unit
from byhand.doctor.text.reading import read_program
from byhand.errors import DataError


def test_a_script_in_any_encoding_that_it_declares(tmp_path: Path) -> None:
    for name, data in {
        "utf8.py": "x = 'é'\r\ny = 1\n".encode(),
        "bom.py": "x = 'é'\ny = 1\n".encode("utf-8-sig"),
        "latin.py": "# coding: latin-1\nx = 'é'\ny = 1\n".encode("latin-1"),
    }.items():
        (tmp_path / name).write_bytes(data)
        program = read_program(tmp_path / name)
        text = program.units[0].source
        assert text.endswith("x = 'é'\ny = 1\n")
        assert program.units == (Unit(name, None, text, text),)
        assert (program.path, program.notebook, program.folder) == (tmp_path / name, False, tmp_path)


def test_a_notebook_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "a.IPYNB").write_text('{"cells": [{"cell_type": "code", "source": "%time x = 1"}]}', "utf-8")
    program = read_program(tmp_path / "a.IPYNB")
    assert program.notebook
    assert program.units == (Unit("a.IPYNB", 1, "%time x = 1", "x = 1"),)


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("none.py", None, "there is no file .*none.py"),
        ("latin.py", "x = 'é'".encode("latin-1"), "latin.py (is not in|has no encoding)"),
        ("odd.py", b"# coding: klingon\n", "no encoding that Python knows"),
        ("two.py", b"x = 1\nprint 'x'\n", "two.py, line 2: this is no Python 3"),
        ("null.py", b"x = 1\0", "null.py, line 1: this is no Python 3"),
        ("deep.py", b"x = " + b"(" * 500 + b")" * 500, "deep.py, line 1"),
        ("empty.py", b"# nothing\n", "empty.py holds no code"),
        ("empty.ipynb", b'{"cells": []}', "empty.ipynb holds no code"),
        (
            "two.ipynb",
            b'{"cells": [{"cell_type": "code", "source": "x"}, {"cell_type": "code", "source": "y\\nfor"}]}',
            "two.ipynb, cell 2, line 2: this is no Python 3",
        ),
    ],
)
def test_what_is_said_where_there_is_no_program(name: str, data: bytes | None, said: str, tmp_path: Path) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=said) as caught:
        read_program(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_program(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a folder"):
        read_program(tmp_path)


@pytest.mark.parametrize("coding", ["unicode_escape", "raw_unicode_escape", "utf-7", "idna"])
def test_odd_escapes_of_an_encoding_are_no_matter(coding: str, tmp_path: Path) -> None:
    (tmp_path / "escape.py").write_bytes(f"# coding: {coding}\nx = '\\d'\n".encode())
    assert read_program(tmp_path / "escape.py").units[0].tree.body


def test_odd_escapes_are_python_s_to_tell(tmp_path: Path) -> None:
    (tmp_path / "escape.py").write_text("x = '\\d'\n", "utf-8")
    assert read_program(tmp_path / "escape.py").units[0].tree.body


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"# coding: rot13\nk = 1\n", "no encoding that Python knows"),
        (b"# coding: punycode\nx = 1\n", "no encoding that Python knows"),
        (b"# coding: undefined\nx = 1\n", "no encoding that Python knows"),
        (b"# coding: " + b"u" * 9000 + b"\nx = 1\n", "no encoding that Python knows"),
        (b"x = 1\n" * 1_000_000, "more than the 1,048,576 of a program"),
        (b"x = " + b"-" * 100_000 + b"1\n", "no Python 3"),
    ],
)
def test_what_no_program_is_like_is_one_line(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_bytes(content)
    with pytest.raises(DataError, match=said) as caught:
        read_program(tmp_path / "odd.py")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600
