"""A grade goes through a file of the examiner's; what else that file holds is no grade."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from byhand.classroom.grade import Grade, ungraded
from byhand.classroom.task import Task, read_grade, write_grade

GRADE = Grade(
    "anna", "main.py", passed=True, accuracy=0.95, low=0.93, high=0.964, n=500, rows="test part, all 500", printed=0.95,
    errors=("broadcast-loss main.py:3", "é"), warnings=(), suspected=(), first_fix="", ended="done", ran=True,
    seconds=3.5,
)  # fmt: skip


@pytest.fixture
def task(tmp_path: Path) -> Task:
    return Task("anna", "main.py", tmp_path, tmp_path / "main.py", tmp_path, 0.9, 60.0)


@pytest.mark.parametrize("grade", [GRADE, ungraded("anna", "main.py", "it ran for too long", 60.0)])
def test_a_grade_comes_back(task: Task, grade: Grade) -> None:
    assert read_grade(task) is None
    write_grade(task, grade)
    assert read_grade(task) == grade


def test_a_task_comes_back(task: Task) -> None:
    task.save()
    assert Task.open(task.folder) == task


@pytest.mark.parametrize(
    "change",
    [
        {"errors": 3},
        {"errors": [1]},
        {"accuracy": "0.95"},
        {"accuracy": None},
        {"low": None},
        {"passed": 1},
        {"seconds": None},
        {"n": 1.5},
        {"more": 1},
    ],
)
def test_what_has_another_form_is_no_grade(task: Task, change: dict[str, object]) -> None:
    task.grade.write_text(json.dumps({**asdict(GRADE), **change}))
    assert read_grade(task) is None


@pytest.mark.parametrize("content", [b"", b"null", b"{}", b"[[]]", b"[" * 100_000, b"\xff", b"{" + b" " * (1 << 20)])
def test_what_is_no_json_of_that_size_is_no_grade(task: Task, content: bytes) -> None:
    task.grade.write_bytes(content)
    assert read_grade(task) is None


def test_a_field_that_is_missing(task: Task) -> None:
    write_grade(task, replace(GRADE, n=None))
    record = json.loads(task.grade.read_text())
    for name in record:
        task.grade.write_text(json.dumps({key: value for key, value in record.items() if key != name}))
        assert read_grade(task) is None
