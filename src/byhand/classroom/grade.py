"""A grade: what a submission's program truly reached, on which of the instructor's rows, and what is wrong with it."""

from dataclasses import dataclass
from typing import final

__all__ = ["Grade", "ungraded"]


@final
@dataclass(frozen=True, slots=True)
class Grade:
    """One row of the table. Only ``seconds`` depends on the machine."""

    name: str
    file: str  # the program, within the submission
    passed: bool
    accuracy: float | None  # of the evaluation that counts, recomputed; None where there is none
    low: float | None  # Wilson's interval at 95 %
    high: float | None
    n: int | None
    rows: str  # which rows those were: "test part, all 10,000"
    printed: float | None  # what the program says of them
    errors: tuple[str, ...]  # "broadcast-accuracy main.py:28"
    warnings: tuple[str, ...]
    suspected: tuple[str, ...]  # checks that only an experiment would tell
    first_fix: str
    ended: str  # "done", or why not
    ran: bool  # to an end at which it can be judged
    seconds: float


def ungraded(name: str, file: str, ended: str, seconds: float = 0.0) -> Grade:
    """The grade of a program that could not be run."""
    return Grade(
        name, file, passed=False, accuracy=None, low=None, high=None, n=None, rows="", printed=None, errors=(),
        warnings=(), suspected=(), first_fix="", ended=ended, ran=False, seconds=seconds,
    )  # fmt: skip
