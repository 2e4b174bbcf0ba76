"""Grading a class: a keeper for each submission, a few at a time, and the grades as they come.

A submission's program is run by the doctor in a copy of its folder, on one thread, within limits; what it evaluated is
compared with the instructor's rows. Programs with the instructor's rights need more than this to be held: it is no
sandbox against an attacker.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, final

from byhand.classroom.copying import copy_submission
from byhand.classroom.grade import Grade, ungraded
from byhand.classroom.keeper import KEPT
from byhand.classroom.rows import Known
from byhand.classroom.submissions import Submission
from byhand.classroom.task import FENCE, Task, read_grade
from byhand.doctor.run.linux import cores
from byhand.doctor.run.scratch import remove
from byhand.errors import DataError

__all__ = ["grade_all", "known_rows"]

_PAUSE: Final = 0.05  # seconds
_LEAVE: Final = 20.0  # seconds for a keeper to end what it keeps
_LOG: Final = "log.txt"


def known_rows(data: Path) -> Known:
    """The instructor's rows: of a folder or a file that ``byhand.load`` reads, or of the only NPZ file of a folder.

    Raises:
        DataError: the folder cannot be read as a data set.
    """
    from byhand.data.load import load  # here, because it imports much

    if not data.exists():
        raise DataError(f"there is no {data}; --data names the folder that submissions find in $BYHAND_DATA")
    packed = list(data.glob("*.npz")) if data.is_dir() else []
    whole = load(packed[0] if len(packed) == 1 else data, valid=0.0, sample=True)
    count, height, width = whole.train.images.shape
    return Known(
        whole.test.images.reshape(len(whole.test), height * width),
        whole.test.labels,
        whole.train.images.reshape(count, height * width),
        whole.train.labels,
        (height, width),
    )


def grade_all(
    submissions: Sequence[Submission],
    data: Path,
    known: Known,
    *,
    mark: float,
    budget: float,
    at_once: int | None = None,
    done: Callable[[list[Grade]], None] = lambda _: None,
) -> list[Grade]:
    """Grade submissions; the grades in the order of the submissions.

    Args:
        submissions: what was handed in.
        data: the folder that the programs find in ``$BYHAND_DATA``.
        known: its rows.
        mark: the accuracy that the low end of the interval must reach.
        budget: seconds for each program.
        at_once: submissions at a time; by default as many as there are cores, and as memory lets.
        done: told the grades so far, whenever there is one more.

    Raises:
        DataError: there is no room for the copies, or no process can be started.
    """
    if not hasattr(os, "fork"):
        raise DataError("the doctor runs programs by fork, which this system lacks; on Windows, use it within WSL")
    grades: dict[str, Grade] = {}
    waiting, running = deque(enumerate(submissions)), list[_Running]()
    base = Path(os.path.realpath(tempfile.mkdtemp(prefix="byhand-class-")))
    try:
        (base / "known").mkdir()
        known.save(base / "known")
        while waiting or running:
            while waiting and len(running) < (at_once or _at_once()):
                number, one = waiting.popleft()
                started = _start(base / f"{number}", one, data, base / "known", mark, budget)
                if isinstance(started, Grade):
                    grades[one.name] = started
                    done(_in_order(submissions, grades))
                else:
                    running.append(started)
            for keeper in [one for one in running if one.process.poll() is not None]:
                running.remove(keeper)
                keeper.end()
                grades[keeper.task.name] = _result(keeper)
                remove(keeper.task.folder)
                done(_in_order(submissions, grades))
            time.sleep(_PAUSE)
    except OSError as error:
        raise DataError(f"cannot grade: {error.strerror or error}: {error.filename or base}") from error
    finally:
        for keeper in running:
            keeper.end()
        remove(base)
    return _in_order(submissions, grades)


@final
@dataclass(frozen=True, slots=True)
class _Running:
    task: Task
    process: subprocess.Popen[bytes]
    began: float

    def end(self) -> None:
        """Have the keeper end all, and wait for it."""
        if self.process.stdin:
            self.process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(_LEAVE)
        self.process.kill()
        self.process.wait()


def _start(folder: Path, one: Submission, data: Path, known: Path, mark: float, budget: float) -> _Running | Grade:
    """Copy a submission and start its keeper; its grade where there is nothing to start."""
    if one.program is None:
        return ungraded(one.name, "", one.why)
    file = one.program.name if one.alone else one.program.relative_to(one.folder).as_posix()
    (folder / "stage").mkdir(parents=True)
    (folder / "tmp").mkdir()
    try:
        program = copy_submission(one, one.program, folder / "stage")
    except DataError as error:
        remove(folder)
        return ungraded(one.name, file, str(error))
    task = Task(one.name, file, folder, program, known, mark, budget)
    task.save()
    with (folder / _LOG).open("wb") as log:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-P", "-m", "byhand.classroom.keeper", str(folder)],
            env={**os.environ, **_environment(data, folder)},
            stdin=subprocess.PIPE,  # it closes when this process ends, however it ends
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    return _Running(task, process, time.monotonic())


def _environment(data: Path, folder: Path) -> dict[str, str]:
    """What all programs find: the data, a temporary folder, and nothing that makes two runs differ."""
    threads = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return {
        **dict.fromkeys(threads, "1"),
        "BYHAND_DATA": os.path.abspath(data),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "TMPDIR": str(folder / "tmp"),
    }


def _result(keeper: _Running) -> Grade:
    """The grade that a keeper's examiner left, and how the keeper saw it end."""
    task, seconds = keeper.task, time.monotonic() - keeper.began
    kept = task.folder / KEPT
    reason = kept.read_text("utf-8", errors="replace") if kept.exists() else ""
    grade = read_grade(task)
    if grade is not None and not reason:
        return replace(grade, seconds=seconds)
    if not reason:
        log = (task.folder / _LOG).read_text("utf-8", errors="replace").strip().splitlines()
        reason = f"it could not be examined: {(log or ['no reason'])[-1]}"
    return ungraded(task.name, task.file, reason, seconds)


def _in_order(submissions: Sequence[Submission], grades: dict[str, Grade]) -> list[Grade]:
    return [grades[one.name] for one in submissions if one.name in grades]


def _at_once() -> int:
    """A submission for each core, but no more than what memory holds, each with half of what it may have."""
    most = cores()
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return most
    return max(1, min(most, total // (FENCE.memory // 2)))
