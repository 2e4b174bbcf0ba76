"""The readers of programs: scripts and notebooks beside Python's own reader, a class's folder."""

import ast
import io
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from byhand.classroom.submissions import find_submissions
from byhand.doctor.text.reading import read_program
from byhand.doctor.text.shown import read_shown
from byhand.doctor.text.stored import read_stored
from byhand.errors import DataError
from tests.fuzz.judge import Reader
from tests.fuzz.read_data import put

__all__ = ["JSON", "READERS"]

CAP = 1 << 30  # of the readers of programs

SCRIPT = """# -*- coding: utf-8 -*-
import numpy as np

def loss(z, y):
    '''é'''
    return -np.log(z[range(len(y)), y]).mean()

W = np.zeros((784, 10))
for epoch in range(3):
    W -= 0.1 * (lambda x: x)(W)
    print(f"{epoch}: {W.sum():.3f}", "ü")
"""

CELLS = [
    "%matplotlib inline\nimport numpy as np\nx = 1",
    "!pip install torch\n%time y = x + 1\ny",
    "%%time\nfor i in range(3):\n    x += i\nx?",
    "print('é', x)",
]


# Programs


def parse(code: str | bytes) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd escapes
        return ast.parse(code)


def check_script(folder: Path, content: bytes) -> None:
    """Read as Python itself compiles these bytes, and every place in it is where its words stand."""
    program = read_program(put(folder / "train.py", content))
    (unit,) = program.units
    assert unit.code == unit.source
    assert ast.dump(unit.tree, include_attributes=True) == ast.dump(parse(content), include_attributes=True)
    _check_places(program)
    stored = read_stored(program, "train.py")
    assert io.StringIO(stored.text, newline=None).read() == unit.source
    assert stored.encode(stored.text) == content


def _check_places(program: Any) -> None:
    for unit in program.units:
        for node in ast.walk(
            unit.tree if len(unit.code) < 10_000 else ast.Module([], [])
        ):  # each takes the line's time
            if unit.code == unit.source and isinstance(node, ast.expr | ast.stmt):
                assert program.text(unit.place(node)) == ast.get_source_segment(unit.code, node)


def check_notebook(folder: Path, content: bytes) -> None:
    """The code cells are those that JSON holds, each is plain Python, and stands where the text has it."""
    file = put(folder / "a.ipynb", content)
    program = read_program(file)
    shown = read_shown(file)
    right = list(_cells(json.loads(content.decode("utf-8-sig"))))
    assert [unit.source for unit in program.units] == right
    assert [unit.cell for unit in program.units] == list(range(1, len(right) + 1))
    assert shown == () or len(shown) == len(right)
    for unit in program.units:
        parse(unit.code)
        assert unit.code.count("\n") == unit.source.count("\n")
    _check_places(program)
    stored = read_stored(program, "a.ipynb")
    assert stored.cells is not None
    assert ["".join(said for *_, said in strings) for strings in stored.cells] == right
    assert stored.encode(stored.text) == content


def check_cell(folder: Path, content: bytes) -> None:
    """A cell's own text is broken, not the notebook."""
    cell = {"cell_type": "code", "source": content.decode("utf-8", "replace")}
    check_notebook(folder, json.dumps({"cells": [cell]}).encode())


def _cells(notebook: Any) -> Iterator[str]:
    for sheet in [notebook] if "cells" in notebook else notebook["worksheets"]:
        for cell in sheet["cells"]:
            if cell.get("cell_type") == "code":
                source = cell.get("source", cell.get("input", ""))
                yield source if isinstance(source, str) else "".join(source)


def notebook(old: bool = False) -> bytes:
    if old:
        cells: list[Any] = [{"cell_type": "code", "input": [cell], "outputs": []} for cell in CELLS]
        return json.dumps({"worksheets": [{"cells": cells[:2]}, {"cells": cells[2:]}], "nbformat": 3}).encode()
    outputs = [{"output_type": "stream", "name": "stdout", "text": ["0.5\n", "ü\n"]}]
    cells = [
        {"cell_type": "code", "source": cell.splitlines(keepends=True), "outputs": outputs, "execution_count": n}
        for n, cell in enumerate(CELLS)
    ]
    cells.insert(1, {"cell_type": "markdown", "source": ["# Title"]})
    about = {"kernelspec": {"language": "python"}}
    return json.dumps({"cells": cells, "metadata": about, "nbformat": 4}, ensure_ascii=False, indent=1).encode()


# A class


def check_class(folder: Path, content: bytes) -> None:
    """A student's folder with a helper, and a program that may be anything: nothing that it says is a fault of ours."""
    place = folder / "ada"
    place.mkdir(exist_ok=True)
    put(place / "helper.py", b"def f():\n    return 1\n")
    put(place / "work.py", content)
    (one,), others = find_submissions(folder)
    assert (one.name, others) == ("ada", [])
    try:
        acts = len(content) <= 1 << 20 and _acts(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        acts = False
    assert one.program == (place / "work.py" if acts else None)
    if one.program is None:
        assert one.why.isprintable()
        raise DataError(f"{folder}: {one.why}")


def _acts(content: bytes) -> bool:
    kinds = (ast.For, ast.While, ast.With, ast.If, ast.Try)
    return any(
        isinstance(node, kinds) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call))
        for node in parse(content).body
    )


# Bombs


def deep_script() -> Iterator[bytes]:
    yield b"x = " + b"(" * 50_000
    yield b"x = " + b"-" * 100_000 + b"1\n"
    yield b"x = 1" + b" + 1" * 100_000 + b"\nprint(x)\n"
    yield b"x" + b".a" * 100_000 + b"\n"
    yield b"if x:\n" + b"".join(b" " * n + b"if x:\n" for n in range(1, 200)) + b" " * 200 + b"f()\n"
    yield b"f(" * 3000 + b")" * 3000 + b"\n"
    yield b"'" + b"a" * (1 << 25) + b"'\n"
    yield b"x = 1\n" * 5_000_000
    yield b"[" + b"1," * 5_000_000 + b"]\n"
    yield b"x = " + b"9" * 5_000_000 + b"\n"
    yield b"\0" * (1 << 25)
    yield b"# coding: idna\nx = 1\n"
    yield b"# coding: unicode_escape\nx = 1\n"
    yield b"# coding: rot13\nk = 1\n"
    yield b"# coding: zlib\nx = 1\n"
    yield b"# coding: utf-16\nx = 1\n"
    yield b"# coding: " + b"u" * 100_000 + b"\nx = 1\n"


def bombs_of_notebooks() -> Iterator[bytes]:
    yield b"[" * 5_000_000
    yield b'{"a":' * 5_000_000
    yield b'{"cells": [' + b'{"cell_type": "code"},' * 1_000_000 + b"{}]}"
    yield b'{"cells": ' + b"[" * 900 + b"]" * 900 + b"}"
    yield b'{"metadata": ' + b'{"a":' * 900 + b"1" + b"}" * 900 + b', "cells": [{"cell_type": "code", "source": "x"}]}'
    yield b"{" + b",".join(b'"%d": 0' % n for n in range(1_000_000)) + b', "cells": []}'
    yield b'{"cells": [{"cell_type": "code", "source": "' + b"a" * (1 << 25) + b'"}]}'
    yield b'{"cells": [' + b"1" * 5_000_000 + b"]}"
    yield b'{"cells": [' + b"[]," * 10_000_000 + b"[]]}"
    for line in ("!ls", "%time x", "x = !ls", "x?", "%%time", ">>> x", "%%bash", "  !ls", "x = %time y", "!ls \\"):
        for count in (3, 300, 20_000) if line in ("!ls", "x?", "%%time") else (3, 100):
            yield json.dumps({"cells": [{"cell_type": "code", "source": f"{line}\n" * count}]}).encode()
    yield json.dumps(
        {"worksheets": [{"cells": []}] * 150 + [{"cells": [{"cell_type": "code", "input": "f()"}]}]}
    ).encode()


_WORDS = (b"!", b"%", b"%%", b"?", b"\\", b"\n", b"\r", b"\x0c", b"\t", b"\0", b"\xef\xbb\xbf", b"'''", b"(", b"async ")
_WORDS += (
    b"# coding: latin-1\n",
    b"\xe2\x80\xa8",
    b"\\\n",
    b"lambda:",
    b"f'{x!r:{y}}'",
    b"%time ",
    b"x = !",
    b"%%bash\n",
)
JSON = (
    b"null",
    b"NaN",
    b'"\\ud800"',
    b"[[",
    b'{"cells": []}',
    b'"cells"',
    b'"source"',
    b'"input"',
    b'"cell_type"',
    b"1e999",
)
JSON += (
    b'"code"',
    b'"worksheets"',
    b'"metadata"',
    b'"language"',
    b"\\n",
    b"\\u0021",
    b"\\\\",
    b'\\"',
    b"/* */",
    b"1_0",
    b"-1",
)

READERS = (
    Reader("script", (SCRIPT.encode(),), check_script, CAP, 0, _WORDS, bombs=deep_script),
    Reader("notebook", (notebook(), notebook(old=True)), check_notebook, CAP, 0, JSON, bombs=bombs_of_notebooks),
    Reader("cell", tuple(cell.encode() for cell in CELLS), check_cell, CAP, 0, _WORDS, bombs=deep_script),
    Reader("class", (SCRIPT.encode(),), check_class, CAP, 0, _WORDS, bombs=deep_script),
)
