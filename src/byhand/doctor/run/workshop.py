"""The workshop: a worker process, runs of the user's program in children that it forks, and what became of each."""

import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self, final

from byhand.doctor import trace_file
from byhand.doctor.job import Job
from byhand.doctor.run.scratch import remove
from byhand.doctor.trace import LIMIT, End, Trace
from byhand.errors import DataError

__all__ = ["NETWORK", "Workshop"]

NETWORK: Final = "it used the network"
"""A note of the trace: what it fetched may be among the files that a replay needs."""

_WORKER: Final = "byhand.doctor.run.worker"
_LEAVE: Final = 10.0  # seconds for the worker to end its children and clear up


@final
class Workshop:
    """Runs jobs, each in a process of its own that was forked from one with the libraries loaded.

    Nothing outlives it: neither a process nor a file, however the program, this process or the worker ends.

    Args:
        preload: modules for the worker to import before the first fork. One that starts threads, or that the program
            must be able to set up itself (matplotlib), has no place here.

    Attributes:
        folder: a temporary folder that goes with the workshop; the place for scratch copies.
    """

    def __init__(self, preload: Sequence[str] = ("numpy",)) -> None:
        self._preload = tuple(preload)
        self._started = 0
        self._children: dict[int, int] = {}  # process by number of the job
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._jobs: dict[int, Job] = {}
        self._lines: deque[bytes] = deque()
        self._rest = b""

    def __enter__(self) -> Self:
        if not hasattr(os, "fork"):
            raise DataError("the doctor runs programs by fork, which this system lacks; on Windows, use it within WSL")
        self.folder = Path(os.path.realpath(tempfile.mkdtemp(prefix="byhand-")))
        try:
            self._channel, theirs = socket.socketpair()
            with theirs, (self.folder / "worker.txt").open("wb") as log:
                # -P: a random.py in the user's folder is not the one that torch imports.
                self._process = subprocess.Popen(  # noqa: S603
                    [sys.executable, "-P", "-m", _WORKER, str(theirs.fileno()), str(self.folder), *self._preload],
                    env={**os.environ, **_environment()},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=log,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,  # Ctrl-C is for this process; the worker learns of it by the channel's end
                )
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, job: Job, over: Callable[[Path], None] = lambda _: None) -> Trace:
        """Run one job to its end; ``over`` is called with its folder before that goes."""
        return self.run_all([job], over=over)[0]

    def run_all(
        self, jobs: Sequence[Job], at_once: int = 1, over: Callable[[Path], None] = lambda _: None
    ) -> list[Trace]:
        """Run jobs, at most ``at_once`` at a time; their traces in the order of the jobs.

        Raises:
            DataError: the worker process has ended.
        """
        traces: dict[int, Trace] = {}
        try:
            waiting, order = deque(jobs), list[int]()
            while waiting or self._jobs:
                while waiting and len(self._jobs) < max(1, at_once):
                    order.append(self._start(waiting.popleft()))
                number, trace = self._finished(over)
                traces[number] = trace
        except BaseException:
            self.close()
            raise
        return [traces[number] for number in order]

    def close(self) -> None:
        """End every process of the workshop and remove its folder."""
        if self._channel:
            self._channel.close()
        if self._process:
            with suppress(ProcessLookupError):
                self._process.terminate()  # counts while it is still importing; afterwards it heeds the channel alone
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_LEAVE)
            self._process.kill()
            self._process.wait()
        for process in self._children.values():  # the worker has done so, unless it was killed itself
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process, signal.SIGKILL)
        self._children.clear()
        self._jobs.clear()
        remove(self.folder)

    def hurry(self, soft: float, hard: float) -> None:
        """Give what runs so many seconds from now, as ``Job.soft`` and ``Job.hard`` do. From any thread."""
        with suppress(OSError):  # it is over already
            if self._channel:
                self._channel.sendall(f'{{"soft": {soft}, "hard": {hard}}}\n'.encode())

    def give_up(self) -> None:
        """End it all: ``run`` raises DataError, in the thread that waits for it. From any thread."""
        with suppress(OSError):
            if self._channel:
                self._channel.shutdown(socket.SHUT_RDWR)

    def place(self, number: int) -> Path:
        """The folder of a job while it runs; they are numbered from 1."""
        return self.folder / f"job-{number}"

    def _start(self, job: Job) -> int:
        self._started += 1
        number, place = self._started, self.place(self._started)
        try:
            for folder in (place, place / "trace", place / "tmp"):
                folder.mkdir()
        except FileNotFoundError as error:  # a worker that ends takes the workshop's folder with it
            raise self._lost() from error
        self._jobs[number] = job
        try:
            if self._channel:
                self._channel.sendall(f'{{"number": {number}, "job": {job.to_json()}}}\n'.encode())
        except OSError as error:
            raise self._lost() from error
        return number

    def _finished(self, over: Callable[[Path], None]) -> tuple[int, Trace]:
        """The next job that ends, and its trace."""
        while True:
            message = self._message()
            number = message["number"]
            if "process" in message:
                self._children[number] = message["process"]
                continue
            self._children.pop(number, None)
            job, place = self._jobs.pop(number), self.place(number)
            trace = _trace(job, place, message)
            over(place)
            remove(place)
            return number, trace

    def _message(self) -> dict[str, Any]:
        while not self._lines:
            try:
                data = self._channel.recv(65536) if self._channel else b""
            except ConnectionError:
                data = b""
            if not data:
                raise self._lost()
            *lines, self._rest = (self._rest + data).split(b"\n")
            self._lines.extend(lines)
        return json.loads(self._lines.popleft())

    def _lost(self) -> DataError:
        words = _tail(self.folder / "worker.txt").strip().splitlines()
        said = f" ({words[-1]})" if words else ""
        return DataError(f"the process that runs the program has ended{said}; run the doctor again")


def _environment() -> dict[str, str]:
    """What the program's environment has beside the user's own."""
    return {
        "MPLBACKEND": "Agg",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "PASSIVE"),
    }


def _trace(job: Job, place: Path, message: dict[str, Any]) -> Trace:
    """What a job left behind, or how it ended where it left nothing."""
    output = _tail(place / "output.txt")
    notes = (NETWORK,) if (place / "network").exists() else ()
    try:
        trace = trace_file.read(place / "trace")
    except DataError:
        return Trace(_end(job, place, message), output, seeded=False, notes=notes, files=())
    return dataclasses.replace(trace, output=output, notes=trace.notes + notes)


def _tail(file: Path) -> str:
    """The last ``LIMIT`` characters of a file, which may be far longer and need not be text."""
    try:
        with file.open("rb") as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - 4 * LIMIT))  # a character has at most four bytes
            return stream.read().decode("utf-8", errors="replace")[-LIMIT:]
    except FileNotFoundError:  # it was never written, or went with the worker
        return ""


def _end(job: Job, place: Path, message: dict[str, Any]) -> End:
    """How a run ended that left no trace."""
    seconds: float = message["seconds"]
    status: int | None = message["status"]  # as Popen counts it: minus the signal, or the exit status
    fault = place / "fault.txt"
    if status is None:
        return End("killed", seconds, f"it could not be started: {message['error']}")
    if message["stopped"]:
        return End("stopped", seconds, f"stopped after {min(job.hard, round(seconds, 1)):g} s")
    if fault.exists():
        return End("killed", seconds, f"watching it failed: {fault.read_text('utf-8').strip().splitlines()[-1]}")
    if status >= 0:
        return End("killed", seconds, f"ended itself with os._exit({status})")
    memory = ", as when memory runs out" if status == -signal.SIGKILL else ""
    return End("killed", seconds, f"killed by signal {-status} ({signal.Signals(-status).name}){memory}")
