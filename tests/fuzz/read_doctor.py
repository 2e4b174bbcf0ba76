"""The readers of programs: scripts and notebooks beside Python's own reader, traces, the mailbox, a class's folder."""

import ast
import csv
import hashlib
import io
import json
import tempfile
import warnings
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from byhand.classroom.grade import ungraded
from byhand.classroom.submissions import find_submissions
from byhand.classroom.table import lines, summary, to_csv
from byhand.classroom.task import Task, read_grade
from byhand.doctor import trace_file
from byhand.doctor.place import Place, Summary
from byhand.doctor.run import mailbox
from byhand.doctor.text.reading import read_program
from byhand.doctor.text.shown import read_shown
from byhand.doctor.text.stored import read_stored
from byhand.doctor.trace import Comparison, End, Forward, Prediction, Trace
from byhand.errors import DataError
from byhand.json_text import json_text
from byhand.play.seen import Seen
from tests.fuzz import bombs
from tests.fuzz.judge import Reader
from tests.fuzz.read_data import put

__all__ = ["READERS"]

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


# Traces


@cache
def trace() -> Trace:
    place, summary = Place("train.py", 3, 0, 3, 9), Summary((4, 9), "float32", 0.0, None, 0.5, 1.5, True, False)
    rows, empty = np.arange(4), np.zeros(0, np.int64)
    forward = Forward(0, place, 1, "eval", 4, rows, rows % 2, summary, False, ("Dropout",), (), None, None, (place,))
    scores = np.arange(8, dtype=np.float32).reshape(4, 2)
    chosen = Prediction(0, place, "argmax", 1, scores, rows % 2)
    compared = Comparison(0, 0, place, "==", (4,), (4,), (4,), 4, 4, empty)
    return Trace(
        End("done", 0.5),
        "é\n",
        seeded=False,
        notes=("a",),
        files=(),
        forwards=(forward,),
        predictions=(chosen,),
        comparisons=(compared,),
    )


@cache
def sound_trace() -> tuple[bytes, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        trace_file.write(Path(folder), trace())
        return (Path(folder) / "trace.json").read_bytes(), (Path(folder) / "arrays.npz").read_bytes()


def _read_trace(folder: Path, record: bytes, arrays: bytes) -> Trace:
    put(folder / "trace.json", record)
    put(folder / "arrays.npz", arrays)
    return trace_file.read(folder)


def check_trace(folder: Path, content: bytes) -> None:
    assert _alike(_read_trace(folder, content, sound_trace()[1]), trace())


def check_arrays(folder: Path, content: bytes) -> None:
    assert _alike(_read_trace(folder, sound_trace()[0], content), trace())


def check_crafted(folder: Path, content: bytes) -> None:
    """The record is broken by somebody who computes its checksum anew: what is accepted comes back as it is."""
    _comes_back(folder, content, sound_trace()[1])


def check_crafted_arrays(folder: Path, content: bytes) -> None:
    _comes_back(folder, sound_trace()[0].partition(b"\n")[0], content)


def _comes_back(folder: Path, record: bytes, arrays: bytes) -> None:
    record = record.replace(b"\n", b" ")
    check = json.dumps({"sha256": hashlib.sha256(hashlib.sha256(arrays).digest() + record).hexdigest()})
    found = _read_trace(folder, record + b"\n" + check.encode() + b"\n", arrays)
    again = folder / "again"
    again.mkdir(exist_ok=True)
    trace_file.write(again, found)
    assert _alike(trace_file.read(again), found)


def _alike(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        return (
            isinstance(other, np.ndarray)
            and one.shape == other.shape
            and one.astype("f8").tobytes() == other.astype("f8").tobytes()
        )
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(_alike, one, other))
    if hasattr(one, "__dataclass_fields__"):
        names = one.__dataclass_fields__
        return type(one) is type(other) and all(_alike(getattr(one, name), getattr(other, name)) for name in names)
    if isinstance(one, dict):
        return {str(key) for key in one} == {str(key) for key in other}
    return bool(one == other) or str(one) == str(other)


LINE: dict[str, Any] = {
    "clock": 3,
    "losses": [[1, 0.5], [2, None], [2, 0.25]],
    "shown": [{"file": "a.py", "cell": None, "line": 3, "clock": 2, "numbers": [[0.5, "loss: "], [3, "epoch"]]}],
    "judged": [{"file": "a.ipynb", "cell": 2, "line": 9, "clock": 2, "right": 3, "rows": 4}],
    "parameters": [
        {"name": "w", "shape": [4, 3], "norm": 0.5, "gradient": None, "step": 0.1, "picture": None},
        {"name": "é", "shape": [9], "norm": 1, "gradient": 2.5, "step": None}
        | {"picture": {"shape": [3, 3], "count": 12, "shown": 1, "scale": 0.5, "data": "AAAAAAAAAAAA"}},
    ],
}


def check_mailbox(folder: Path, content: bytes) -> None:
    put(folder / mailbox.LINE, content)
    found = mailbox.take(folder)
    assert mailbox.take(folder) is None
    if found is None:
        raise DataError(f"{folder}: nothing in it")
    assert found == json.loads(content)
    seen = Seen()
    for _ in range(2):  # what a line says of a parameter may come from the one before
        seen.add(json.loads(content))
    assert seen.updates == found["clock"]
    drawn = seen.curves()
    assert [list(point) for point in drawn["losses"]][-1:] == [one for one in found["losses"] if one[1] is not None][
        -1:
    ]
    json_text([drawn, seen.parameters()])


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


def check_grade(folder: Path, content: bytes) -> None:
    """A grade that an examiner left: what is taken is what it says, and has a place in the table."""
    task = Task("ada", "work.py", folder, folder / "work.py", folder, 0.9, 60.0)
    put(task.grade, content)
    found = read_grade(task)
    if found is None:
        raise DataError(f"{folder}: no grade")
    assert json.loads(json.dumps(asdict(found))) == json.loads(content)
    assert len(list(csv.reader(io.StringIO(to_csv([found]))))) == 2
    assert all(line.isprintable() for line in lines([found]))
    assert summary([found], 0.9)


def sound_grades() -> tuple[bytes, bytes]:
    """Of a program that was judged, and of one that could not be."""
    none = ungraded("ada", "work.py", "it ran for too long", 60.0, "make it faster")
    found = replace(none, passed=True, accuracy=0.93, low=0.92, high=0.94, n=10_000, rows="test part, all 10,000")
    found = replace(found, printed=0.9, errors=("broadcast-accuracy work.py:28",), ended="done", ran=True)
    return json_text(asdict(found)).encode(), json_text(asdict(none)).encode()


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
_JSON = (
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
_JSON += (
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

RECORD, ARRAYS = sound_trace()
READERS = (
    Reader("script", (SCRIPT.encode(),), check_script, CAP, 0, _WORDS, bombs=deep_script),
    Reader("notebook", (notebook(), notebook(old=True)), check_notebook, CAP, 0, _JSON, bombs=bombs_of_notebooks),
    Reader("cell", tuple(cell.encode() for cell in CELLS), check_cell, CAP, 0, _WORDS, bombs=deep_script),
    Reader("trace", (RECORD,), check_trace, CAP, 0, _JSON, bombs=bombs.json_texts),
    Reader("trace-arrays", (ARRAYS,), check_arrays, CAP, 0, (b"PK\x03\x04", b"NUMPY"), bombs=bombs.arrays),
    Reader("trace-crafted", (RECORD.partition(b"\n")[0],), check_crafted, CAP, 0, _JSON, bombs=bombs.json_texts),
    Reader("trace-arrays-crafted", (ARRAYS,), check_crafted_arrays, CAP, 0, (b"PK\x03\x04",), bombs=bombs.arrays),
    Reader(
        "mailbox",
        (json.dumps(LINE).encode(),),
        check_mailbox,
        CAP,
        0,
        (*_JSON, b"[0, 0.5]", b'"rows": 0', b"9007199254740993", b"true"),
        bombs=bombs.json_texts,
    ),
    Reader("grade", sound_grades(), check_grade, CAP, 0, (*_JSON, b'""', b"true"), bombs=bombs.json_texts),
    Reader("class", (SCRIPT.encode(),), check_class, CAP, 0, _WORDS, bombs=deep_script),
)
