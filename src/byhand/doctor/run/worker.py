"""The worker: a process that imports the libraries once, starts no thread, and forks a child for each job.

``python -m byhand.doctor.run.worker CHANNEL FOLDER MODULE...``: jobs come over a socket, a line of JSON each; a line
goes back when one has started and when it has ended. When the other end closes, for whatever reason, the worker kills
all that it started, removes the folder, and ends.
"""

import gc
import importlib
import json
import math
import os
import selectors
import signal
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final

from byhand.doctor.job import Job
from byhand.doctor.run.child import become
from byhand.doctor.run.linux import adopt_orphans, children
from byhand.doctor.run.scratch import remove

_GRACE: Final = 3.0  # seconds between "write the trace now" and the end


@final
@dataclass(slots=True)
class _Child:
    number: int
    began: float
    due: list[tuple[float, signal.Signals]]  # what is sent to it and when, the next one last
    stopped: bool = False  # it was told to end


@final
class _Worker:
    """Starts children, keeps their time, and reports their ends."""

    def __init__(self, channel: socket.socket, folder: Path) -> None:
        self._channel = channel
        self._folder = folder
        self._children: dict[int, _Child] = {}
        self._inherited: tuple[socket.socket | selectors.BaseSelector, ...] = ()
        self._rest = b""

    def serve(self) -> None:
        """Go on until the other end of the channel closes."""
        awake, alarm = socket.socketpair()
        for end in (awake, alarm):
            end.setblocking(False)
        signal.set_wakeup_fd(alarm.fileno())
        signal.signal(signal.SIGCHLD, _awake)
        with selectors.DefaultSelector() as selector:
            selector.register(self._channel, selectors.EVENT_READ)
            selector.register(awake, selectors.EVENT_READ)
            self._inherited = (self._channel, awake, alarm, selector)
            while True:
                ready = {key.fileobj for key, _ in selector.select(self._patience())}
                if awake in ready:
                    with suppress(BlockingIOError):
                        awake.recv(4096)
                self._reap()
                self._signal()
                if self._channel in ready and not self._receive():
                    return

    def end(self) -> None:
        """Kill every child and what it started."""
        for process in self._children:
            _kill(process)
        self._children.clear()
        _kill_orphans()

    def _patience(self) -> float | None:
        """Seconds until a child must be sent a signal."""
        due = [child.due[-1][0] for child in self._children.values() if child.due]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _receive(self) -> bool:
        """Start what the channel asks for; False when it has closed."""
        try:
            data = self._channel.recv(1 << 20)
        except ConnectionError:
            data = b""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "job" in message:
                self._start(message["number"], Job.from_json(message["job"]))
            else:
                self._hurry(time.monotonic(), message["soft"], message["hard"])
        return bool(data)

    def _send(self, **message: Any) -> None:
        with suppress(OSError):  # nobody listens any more: the next thing to be read is the end
            self._channel.sendall(json.dumps(message).encode() + b"\n")

    def _start(self, number: int, job: Job) -> None:
        began = time.monotonic()
        try:
            process = os.fork()
        except OSError as error:
            self._send(number=number, status=None, seconds=0.0, stopped=False, error=error.strerror)
            return
        if process == 0:
            signal.set_wakeup_fd(-1)
            for inherited in self._inherited:
                inherited.close()
            become(job, self._folder / f"job-{number}", os.getppid())
        self._children[process] = _Child(number, began, _due(began, job.soft, job.hard))
        self._send(number=number, process=process)

    def _hurry(self, now: float, soft: float, hard: float) -> None:
        """All that runs gets so many seconds from now."""
        for child in self._children.values():
            child.due = _due(now, soft, hard)

    def _signal(self) -> None:
        """Send what is due."""
        now = time.monotonic()
        for process, child in self._children.items():
            while child.due and child.due[-1][0] <= now:
                what = child.due.pop()[1]
                if what == signal.SIGKILL:
                    _kill(process)
                else:
                    child.stopped |= what == signal.SIGTERM
                    with suppress(ProcessLookupError):
                        os.kill(process, what)

    def _reap(self) -> None:
        """Report the children that have ended, and end what they left running."""
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                process, status = ended
                if child := self._children.pop(process, None):
                    _kill_group(process)
                    if not self._children:
                        _kill_orphans()
                    self._send(
                        number=child.number,
                        status=os.waitstatus_to_exitcode(status),
                        seconds=time.monotonic() - child.began,
                        stopped=child.stopped,
                    )


def _due(now: float, soft: float, hard: float) -> list[tuple[float, signal.Signals]]:
    """What a child is sent, and when, the next one last."""
    times = [
        (now + hard + _GRACE, signal.SIGKILL),
        (now + hard, signal.SIGTERM),
        (now + soft, signal.SIGUSR1),
    ]
    return sorted(((when, what) for when, what in times if when < math.inf), reverse=True)


def _awake(*_: object) -> None:
    """A signal's handler must be Python's for the signal to wake the selector; there is nothing to do in it."""


def _kill(process: int) -> None:
    """Kill a child that has not been waited for, with its group; it may not have come to lead one yet."""
    _kill_group(process)
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)


def _kill_group(process: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process, signal.SIGKILL)


def _kill_orphans() -> None:
    """Kill what has left its group: with no child at work, every process here is an orphan of one that has ended."""
    while orphans := children():
        for process in orphans:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(process, 0)


def main() -> None:
    """Import what the command line names, then serve."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    folder = Path(sys.argv[2])
    adopt_orphans()
    for name in sys.argv[3:]:
        with suppress(Exception):  # one that cannot be imported is the program's to meet, if it does at all
            importlib.import_module(name)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # from here on there may be children to end first
    gc.collect()
    gc.freeze()  # a child that collects garbage does not touch, and so copy, the libraries' objects
    worker = _Worker(channel, folder)
    try:
        worker.serve()
    finally:
        worker.end()
        remove(folder)


if __name__ == "__main__":
    main()
