"""A second way for a run to go on: what would the program have done, had this number been another?

The process forks in the midst of the run. The branch changes something, returns into the program, tells what came of it
when what it waited for happens, and ends. The run itself goes on as if nothing had been.

    branch = start(recorder, seconds=2)
    if branch.inside:
        array += 1e-6                 # then return to the program; somewhere later: branch.tell(b"...")
    else:
        answer = branch.answer()      # None where the branch has ended, or its time has, without telling

What a branch writes goes nowhere: not to standard output, and files only where the run itself may write. So branch in a
light run, on a copy.
"""

import os
import select
import signal
import struct
import sys
import time
import warnings
from contextlib import suppress
from typing import Final, NoReturn, final

from byhand.doctor.run.linux import die_with
from byhand.doctor.watch.forked import be_quiet
from byhand.doctor.watch.recorder import Recorder

__all__ = ["Branch", "end_branch", "start"]

_LENGTH: Final = struct.Struct("<Q")


@final
class Branch:
    """A branch, seen from the inside or from the run that it left."""

    def __init__(self, process: int, pipe: int, end: float) -> None:
        self.inside = process == 0
        self._process, self._pipe, self._end = process, pipe, end

    def tell(self, message: bytes) -> NoReturn:
        """From the inside: say what there is to say, and end this process."""
        data = memoryview(_LENGTH.pack(len(message)) + message)
        with suppress(OSError):
            while data:
                data = data[os.write(self._pipe, data) :]
        os._exit(0)

    def answer(self) -> bytes | None:
        """From the outside: wait for what the branch tells, and for its end; at the end of its time it is ended."""
        data = bytearray()
        while len(data) < _LENGTH.size or len(data) < _LENGTH.size + _LENGTH.unpack_from(data)[0]:
            ready, _, _ = select.select([self._pipe], [], [], max(0.0, self._end - time.monotonic()))
            part = os.read(self._pipe, 1 << 20) if ready else b""
            if not part:
                break
            data += part
        os.close(self._pipe)
        with suppress(ProcessLookupError):
            os.kill(self._process, signal.SIGKILL)  # it has told, or it never will
        with suppress(ChildProcessError):  # a program may wait for any process at all
            os.waitpid(self._process, 0)
        whole = len(data) >= _LENGTH.size and len(data) == _LENGTH.size + _LENGTH.unpack_from(data)[0]
        return bytes(data[_LENGTH.size :]) if whole else None


def start(recorder: Recorder, seconds: float) -> Branch:
    """Fork; both processes return. The branch is watched like the run, and has so many seconds.

    Raises:
        OSError: the system has no process left to give.
    """
    parent = os.getpid()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    reading, writing = os.pipe()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # a program with threads: they stay behind
            process = os.fork()
    except OSError:
        os.close(reading)
        os.close(writing)
        raise
    if process:
        os.close(writing)
        return Branch(process, reading, time.monotonic() + seconds)
    die_with(parent)
    os.close(reading)
    be_quiet(seconds)
    recorder.on = recorder.branched = True  # at a fork it is switched off, for processes that the program starts
    return Branch(0, writing, 0.0)


def end_branch(recorder: Recorder) -> None:
    """End this process if it is a branch: the program is over, and what it waited for has not come."""
    if recorder.branched:
        os._exit(0)
