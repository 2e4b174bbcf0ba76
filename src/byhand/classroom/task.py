"""What a keeper and its examiner are told of one submission, and the limits that hold for all."""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self, final

from byhand.classroom.grade import Grade
from byhand.doctor.job import Fence
from byhand.files import read_at_most
from byhand.json_form import fits
from byhand.json_text import json_text, parsed

__all__ = ["FENCE", "TASK", "Task", "read_grade", "write_grade"]

FENCE: Final = Fence(memory=4 << 30, file=256 << 20, files=1024, processes=64)
"""What a submission's program may use: 4 GiB of memory, 256 MiB in a file or printed, 64 processes at once."""

TASK: Final = "task.json"
"""The file of a task's folder that holds it."""

_LONGEST: Final = 1 << 20  # bytes of a grade


@final
@dataclass(frozen=True, slots=True)
class Task:
    """A submission to grade. Everything is in ``folder``, which goes when it is graded."""

    name: str
    file: str  # the program, within the submission
    folder: Path
    program: Path  # in a copy of the submission
    known: Path  # the instructor's rows
    mark: float  # the accuracy that the interval's low end must reach
    budget: float  # seconds

    @property
    def grade(self) -> Path:
        """Where the examiner writes the grade."""
        return self.folder / "grade.json"

    def save(self) -> None:
        """Write it into its folder."""
        (self.folder / TASK).write_text(json_text(dataclasses.asdict(self)), "utf-8")

    @classmethod
    def open(cls, folder: Path) -> Self:
        """The task of a folder."""
        record: dict[str, Any] = json.loads((folder / TASK).read_text("utf-8"))
        for name in ("folder", "program", "known"):
            record[name] = Path(record[name])
        return cls(**record)


def write_grade(task: Task, grade: Grade) -> None:
    """Write a grade into the task's folder."""
    task.grade.write_text(json_text(dataclasses.asdict(grade)), "utf-8")


def read_grade(task: Task) -> Grade | None:
    """The grade that was written; None where there is none, or something else."""
    try:
        record: dict[str, Any] = parsed(read_at_most(task.grade, _LONGEST))
    except (OSError, ValueError):
        return None
    if not fits(record, Grade) or len({record[name] is None for name in ("accuracy", "low", "high")}) > 1:
        return None
    for name in ("errors", "warnings", "suspected"):
        record[name] = tuple(record[name])
    return Grade(**record)
