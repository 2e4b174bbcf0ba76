"""The keeper of one submission: starts its examiner, counts what the submission uses, and leaves nothing of it running.

``python -m byhand.classroom.keeper FOLDER``. The processes form a chain, keeper → examiner → worker → the program →
whatever it starts; an orphan falls to the next one up the chain that lives. When standard input closes, or the
examiner ends, everything below is killed.
"""

import os
import select
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn, final

from byhand.classroom import processes
from byhand.classroom.task import FENCE, TASK, Task, write_grade
from byhand.doctor.run.linux import adopt_orphans, die_with
from byhand.doctor.run.scratch import remove

__all__ = ["KEPT"]

KEPT: Final = "kept.txt"
"""The file that says why the program, or its examination, was ended."""

_PAUSE: Final = 0.05  # seconds between two looks
_USUAL: Final = 8  # processes of one program; where there are more, they are looked at more often
_DISK: Final = 2 << 30  # bytes in the submission's folders, and what is recorded of it
_FILES: Final = 50_000
_RARELY: Final = 1.0  # seconds between two looks at the disk
_LATER: Final = 300.0  # seconds for the examination after the run


@final
class _Keeper:
    def __init__(self, task: Task, examiner: int) -> None:
        self._task = task
        self._examiner = examiner
        self._until = time.monotonic() + 1.2 * task.budget + _LATER
        self._disk = 0.0  # when to look at it next

    def keep(self) -> bool:
        """Go on until the examiner has ended; whether somebody still waits for it."""
        while not self._ended():
            if reason := self._too_much():
                (self._task.folder / KEPT).write_text(reason, "utf-8")
                processes.end(self._workers(), roots_too=False)
            elif time.monotonic() > self._until:
                (self._task.folder / KEPT).write_text("its examination did not end", "utf-8")
                processes.end([os.getpid()], roots_too=False)
            for stray in set(processes.children(os.getpid())) - {self._examiner}:
                processes.end([stray], roots_too=True)
            many = len(processes.below(self._workers())) > _USUAL
            if select.select([sys.stdin], [], [], _PAUSE / 20 if many else _PAUSE)[0]:
                return False
        return True

    def close(self) -> None:
        """End whatever is left."""
        while processes.children(os.getpid()):
            processes.end([os.getpid()], roots_too=False)
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            time.sleep(_PAUSE / 10)

    def _ended(self) -> bool:
        with suppress(ChildProcessError):
            while process := os.waitpid(-1, os.WNOHANG)[0]:
                if process == self._examiner:
                    return True
        return False

    def _workers(self) -> list[int]:
        return processes.children(self._examiner)

    def _too_much(self) -> str | None:
        """Which limit the program and all that it has started exceed together."""
        own = processes.below(self._workers())
        if len(own) > FENCE.processes:
            return f"killed: more than {FENCE.processes} processes"
        if processes.memory(own, FENCE.memory) > FENCE.memory:
            return f"killed: more than {FENCE.memory >> 30} GiB of memory"
        began = time.monotonic()
        if began >= self._disk:
            size, count = _used(self._task.folder)
            self._disk = began + _RARELY + 10 * (time.monotonic() - began)
            if size > _DISK or count > _FILES:
                return f"killed: it wrote more than {_DISK >> 30} GiB or {_FILES:,} files"
        return None


def _used(folder: Path) -> tuple[int, int]:
    """Bytes and files of a folder, as far as it takes to know that they are too many."""
    size = count = 0
    for root, folders, files in os.walk(folder):
        for name in files:
            with suppress(OSError):
                size += os.lstat(os.path.join(root, name)).st_blocks * 512
        count += len(files) + len(folders)
        if size > _DISK or count > _FILES:
            break
    return size, count


def _examine(task: Task, parent: int) -> NoReturn:
    """Become the examiner."""
    status = 0
    try:
        die_with(parent)
        adopt_orphans()  # of a worker that the program has killed
        from byhand.classroom.examiner import grade  # here, because it imports much

        write_grade(task, grade(task))
    except BaseException:  # noqa: BLE001 - this process must not run on into the keeper's code
        traceback.print_exc()
        status = 1
    finally:
        sys.stderr.flush()
        os._exit(status)


def main() -> None:
    """Keep the submission of a folder."""
    task = Task.open(Path(sys.argv[1]))
    adopt_orphans()
    keeper = os.getpid()
    process = os.fork()
    if process == 0:
        _examine(task, keeper)
    kept = _Keeper(task, process)
    try:
        waited_for = kept.keep()
    finally:
        kept.close()
    if not waited_for:  # whoever started this is gone, or wants it no more
        remove(task.folder)
        whole = task.folder.parent
        if not any((place / TASK).exists() for place in whole.iterdir()):
            remove(whole)


if __name__ == "__main__":
    main()
