"""The readers of what a run leaves for whoever watches it or grades it: traces, the mailbox, grades."""

import csv
import hashlib
import io
import json
import tempfile
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from byhand.classroom.grade import ungraded
from byhand.classroom.table import lines, summary, to_csv
from byhand.classroom.task import Task, read_grade
from byhand.doctor import trace_file
from byhand.doctor.place import Place, Summary
from byhand.doctor.run import mailbox
from byhand.doctor.trace import Comparison, End, Forward, Prediction, Trace
from byhand.errors import DataError
from byhand.json_text import json_text
from byhand.play.seen import Seen
from tests.fuzz import bombs
from tests.fuzz.judge import Reader
from tests.fuzz.read_data import put
from tests.fuzz.read_doctor import JSON

__all__ = ["READERS"]

CAP = 1 << 30  # of the readers of what a run leaves

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


# Grades


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
    none = ungraded("ada", "work.py", "it ran for too long", 60.0)
    found = replace(none, passed=True, accuracy=0.93, low=0.92, high=0.94, n=10_000, rows="test part, all 10,000")
    found = replace(found, printed=0.9, errors=("broadcast-accuracy work.py:28",), first_fix="preds == yb.squeeze(1)")
    found = replace(found, ended="done", ran=True)
    return json_text(asdict(found)).encode(), json_text(asdict(none)).encode()


RECORD, ARRAYS = sound_trace()
READERS = (
    Reader("trace", (RECORD,), check_trace, CAP, 0, JSON, bombs=bombs.json_texts),
    Reader("trace-arrays", (ARRAYS,), check_arrays, CAP, 0, (b"PK\x03\x04", b"NUMPY"), bombs=bombs.arrays),
    Reader("trace-crafted", (RECORD.partition(b"\n")[0],), check_crafted, CAP, 0, JSON, bombs=bombs.json_texts),
    Reader("trace-arrays-crafted", (ARRAYS,), check_crafted_arrays, CAP, 0, (b"PK\x03\x04",), bombs=bombs.arrays),
    Reader(
        "mailbox",
        (json.dumps(LINE).encode(),),
        check_mailbox,
        CAP,
        0,
        (*JSON, b"[0, 0.5]", b'"rows": 0', b"9007199254740993", b"true"),
        bombs=bombs.json_texts,
    ),
    Reader("grade", sound_grades(), check_grade, CAP, 0, (*JSON, b'""', b"true"), bombs=bombs.json_texts),
)
