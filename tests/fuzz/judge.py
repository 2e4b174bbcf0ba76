"""Whether a reader bears what it is given: each input is refused in one line, or what was read of it is right.

A campaign's inputs are judged one after the other in a forked child that may take twice the reader's memory and no
more. When an input ends the child (a crash, a kill for its silence), the next ones have a child of their own.
"""

import json
import mmap
import os
import re
import resource
import select
import signal
import struct
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import torch

from byhand.errors import ByhandError

__all__ = ["Reader", "Report", "campaign", "judged"]

SILENCE = 10.0  # seconds on one input; two are promised, and a busy machine is given five times that
_LARGEST = 64 << 20  # bytes of an input
_LONG = 1200  # characters of a message
_SLACK = 64 << 20  # bytes of the interpreter's own beside a reader's: the judge, the references
_OWN_FAULT = 86  # a status that no reader ends a child with
_NO_MEMORY = "does not fit into this machine's memory"


@dataclass(frozen=True)
class Reader:
    """What reads an input, and what is known of it."""

    name: str
    sounds: tuple[bytes, ...]  # contents that are read
    check: Callable[[Path, bytes], None]
    """Puts a content into an empty folder and reads it. Raises what the reader raises, AssertionError for a wrong
    acceptance."""
    cap: int  # the most bytes of memory that the reader takes
    head: int = 0  # the first bytes, each of which is put in the place of every other value
    words: tuple[bytes, ...] = ()  # of its language, to be put in
    names_file: bool = True  # a message names the file or its folder
    bombs: Callable[[], Iterable[bytes]] = tuple  # contents that ask for more than they are


@dataclass
class Report:
    """What became of a campaign's inputs."""

    count: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    faults: list[tuple[bytes, str]] = field(default_factory=list)
    slowest: float = 0.0  # seconds of the processor until an input was refused
    peak: int = 0  # bytes of memory beyond those of the child as it began

    def add(self, other: "Report") -> None:
        self.count += other.count
        self.outcomes += other.outcomes
        self.faults += other.faults
        self.slowest = max(self.slowest, other.slowest)
        self.peak = max(self.peak, other.peak)


def judged(reader: Reader, folder: Path, content: bytes) -> str:
    """ "right", or the kind of the refusal: its words without names and numbers.

    Raises:
        AssertionError: a wrong acceptance, or a refusal that is no line as it should be.
        Exception: whatever else the reader lets out.
    """
    try:
        reader.check(folder, content)
    except ByhandError as error:
        message = str(error)
        assert message.isprintable(), f"more than one plain line: {message!r}"
        assert 0 < len(message) < _LONG, f"{len(message)} characters: {message[:200]}…"
        assert not reader.names_file or str(folder) in message, f"names no file: {message}"
        assert _NO_MEMORY not in message, f"more than twice the cap: {message}"
        return re.sub(r"'.*'|\(.*\)|\"[^\"]*\"|0x\w+|[\d,.]+", "#", message.replace(str(folder), "FOLDER"))[:100]
    return "right"


def campaign(reader: Reader, folder: Path, inputs: Callable[[], Iterable[bytes]], stop_at: int = 20) -> Report:
    """Judge the inputs, which come in the same order each time; end early after ``stop_at`` faults."""
    report, done = Report(), 0
    shared = mmap.mmap(-1, 16 + _LARGEST)  # how many were begun; the size of the last one, and the last one itself
    while len(report.faults) < stop_at:
        one, begun, ended = _child(reader, folder, inputs, done, shared, stop_at - len(report.faults))
        report.add(one)
        done = begun
        if ended:
            break
    return report


def _child(
    reader: Reader, folder: Path, inputs: Callable[[], Iterable[bytes]], done: int, shared: mmap.mmap, stop_at: int
) -> tuple[Report, int, bool]:
    """One child from input ``done`` on: its report, how many inputs were begun so far, whether it came to the end."""
    told, tell = os.pipe()
    shared[:8] = struct.pack("<Q", done)
    sys.stdout.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of threads, none of which is in anything that the child calls
        child = os.fork()
    if child == 0:
        os.close(told)
        status = 1
        try:
            _work(reader, folder, inputs, done, shared, tell, stop_at)
            status = 0
        except BaseException:  # noqa: BLE001, nothing of the parent's may run on here
            traceback.print_exc()
            status = _OWN_FAULT
        finally:
            os._exit(status)
    os.close(tell)
    report, last, text = Report(), done, b""
    fault = ""
    with open(told, "rb", buffering=0) as stream:
        while True:
            ready, _, _ = select.select([stream], [], [], SILENCE)
            if ready:
                if not (piece := stream.read(1 << 16)):
                    break
                text += piece
            elif (begun := struct.unpack("<Q", shared[:8])[0]) == last:
                os.kill(child, signal.SIGKILL)
                fault = f"silent for {SILENCE:g} seconds"
                break
            else:
                last = begun
    _, status = os.waitpid(child, 0)
    for line in text.splitlines():
        one = json.loads(line)
        report.count += one["count"]
        report.outcomes += Counter(one["outcomes"])
        report.faults += [(bytes.fromhex(content), what) for content, what in one["faults"]]
        report.slowest = max(report.slowest, one["slowest"])
        report.peak = max(report.peak, one["peak"])
    if os.waitstatus_to_exitcode(status) == _OWN_FAULT:
        raise RuntimeError(f"{reader.name}: what makes the inputs has failed after {done}")
    begun, size = struct.unpack("<QQ", shared[:16])
    report.count = begun - done  # what a child that ended early had not told is counted too
    if status != 0:
        report.faults.append((shared[16 : 16 + size], fault or f"the child ended with status {status}"))
    return report, begun, status == 0


def _work(
    reader: Reader,
    folder: Path,
    inputs: Callable[[], Iterable[bytes]],
    done: int,
    shared: mmap.mmap,
    tell: int,
    stop_at: int,
) -> None:
    warnings.simplefilter("error")
    torch.set_num_threads(1)  # the parent's other threads are not in a forked child, which would wait for them for ever
    pages, resident = (int(word) * resource.getpagesize() for word in Path("/proc/self/statm").read_text().split()[:2])
    most = pages + 2 * reader.cap + _SLACK
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    Path("/proc/self/clear_refs").write_text("5")  # forget the highest so far
    report, told = Report(), time.monotonic()
    for number, content in enumerate(islice(inputs(), done, None), done + 1):
        shared[8:16] = struct.pack("<Q", min(len(content), _LARGEST))
        shared[16 : 16 + min(len(content), _LARGEST)] = content[:_LARGEST]
        shared[:8] = struct.pack("<Q", number)
        began = time.process_time()
        try:
            outcome = judged(reader, folder, content)
            report.outcomes[outcome] += 1
            if outcome != "right":
                report.slowest = max(report.slowest, time.process_time() - began)
        except BaseException as error:  # noqa: BLE001, whatever comes out is what is looked for
            where = traceback.extract_tb(error.__traceback__)[-1]
            what = f"{type(error).__name__}: {str(error)[:300]} ({Path(where.filename).name}:{where.lineno})"
            report.faults.append((content, what))
        report.count += 1
        if time.monotonic() - told > 1.0:
            _tell(report, tell, resident)
            report, told, stop_at = Report(), time.monotonic(), stop_at - len(report.faults)
        if len(report.faults) >= stop_at:
            break
    _tell(report, tell, resident)


def _tell(report: Report, tell: int, resident: int) -> None:
    status = Path("/proc/self/status").read_text()
    found = re.search(r"VmHWM:\s*(\d+) kB", status)
    peak = max(0, int(found[1]) * 1024 - resident) if found else 0
    faults = [(content.hex(), what) for content, what in report.faults]
    record = {"count": report.count, "outcomes": report.outcomes, "faults": faults}
    data = json.dumps(record | {"slowest": report.slowest, "peak": peak}).encode() + b"\n"
    while data:
        data = data[os.write(tell, data) :]
