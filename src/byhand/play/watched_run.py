"""One run of the user's program, watched: in a process of its own, with a thread for each thing to wait for."""

import os
import re
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, final

from byhand.doctor.finding import Finding
from byhand.doctor.job import Job
from byhand.doctor.judge import judge
from byhand.doctor.run import mailbox
from byhand.doctor.run.preload import preload
from byhand.doctor.run.workshop import Workshop
from byhand.doctor.show.sentences import ended
from byhand.doctor.text.program import Program
from byhand.doctor.text.reading import read_program
from byhand.doctor.trace import Trace
from byhand.errors import DataError
from byhand.play.seen import Seen
from byhand.text import one_line

__all__ = ["WatchedRun"]

_LOOK: Final = 0.04  # seconds between two looks into the mailbox
_CURVES: Final = 0.35  # seconds between two events with whole curves, at least
_FIRST: Final = 2.0  # seconds to the first judgement of the run so far; twice as many to each of the next ones
_SLOWEST: Final = 30.0
_SHARE: Final = 9  # times as long as a judgement takes is the least time to the next one
_PATIENCE: Final = 90.0  # with a run that gives no trace of what there is so far; then it is asked anew
_PRINTED: Final = 4_000  # characters of what the program printed
_SOFT: Final = 5.0  # seconds that a program has after its training loops were ended
_OVERWRITTEN: Final = re.compile(r"[^\n]*\r(?!\n)")  # by what follows on the same line, as in a progress bar


@final
class WatchedRun:
    """Starts with ``start`` and goes on by itself.

    Args:
        script: the program, a script or a notebook.
        arguments: for the program.
        publish: told what is new, as ``Hub.publish`` is.
    """

    def __init__(self, script: Path, arguments: Sequence[str], publish: Callable[[str, dict[str, Any]], None]) -> None:
        self._script, self._arguments, self._hub = script, tuple(arguments), publish
        self._lock = threading.Lock()
        self._shop: Workshop | None = None
        self._over = threading.Event()
        self._given_up = self._stopped = False
        self._status, self._how = "starting", ""
        self._began, self._seconds = 0.0, 0.0
        self._seen, self._printed, self._output = Seen(), "", -1
        self._findings: list[dict[str, Any]] = []
        self._fine: int | None = None
        self._notes: list[str] = []
        self._thread = threading.Thread(target=self._run, name="byhand-watch", daemon=True)

    def start(self, after: "WatchedRun | None" = None) -> None:
        """Begin, once the run before has ended."""
        self._after = after
        self._thread.start()

    def stop(self) -> None:
        """Ask the program to end its training loops, and soon to end at all; asked again, it ends at once."""
        with self._lock:
            again, self._stopped, shop = self._stopped, True, self._shop
        if shop is not None and self._status == "running":
            shop.hurry(0.0, 0.0 if again else _SOFT)
        elif shop is not None:
            self.give_up()

    def give_up(self) -> None:
        """End every process of the run."""
        with self._lock:
            self._given_up = True
            if self._shop is not None:
                self._shop.give_up()
        self._over.set()

    def join(self) -> None:
        """Wait until nothing of it is left."""
        self._thread.join()

    def state(self) -> dict[str, Any]:
        """Everything that is known of the run."""
        with self._lock:
            return {**self._now(), **self._seen.curves(), **self._found()}

    # The run.

    def _run(self) -> None:
        if self._after is not None:
            self._after.join()
            self._after = None
        try:
            program = read_program(self._script)
            trace = self._watch(program)
        except DataError as error:
            self._end("stopped" if self._given_up else "error", "" if self._given_up else str(error))
            return
        except Exception as error:  # noqa: BLE001, or the page would wait for ever
            self._end("error", f"it could not be watched: {type(error).__name__}: {error}")
            return
        how = trace.end.how
        status = "stopped" if self._stopped and how in ("stopped", "shortened") else "done"
        self._seconds = trace.end.seconds
        self._notes = [one_line(note) for note in trace.notes]
        self._end("error" if how in ("error", "killed") else status, ended(trace) or "")
        self._judge(program, trace)

    def _watch(self, program: Program) -> Trace:
        folder = program.folder.resolve() if program.notebook else Path.cwd()
        job = Job(Path(os.path.abspath(self._script)), folder, self._arguments, live=True)
        with Workshop(preload(program)) as shop:
            with self._lock:
                self._shop = shop
                if self._given_up:
                    raise DataError("it was ended before it began")
            place = shop.place(1)
            threads = [
                threading.Thread(target=self._read, args=[place], name="byhand-watch-read", daemon=True),
                threading.Thread(
                    target=self._judge_so_far, args=[program, place], name="byhand-watch-judge", daemon=True
                ),
            ]
            for thread in threads:
                thread.start()
            try:
                return shop.run(job, over=self._take_last)
            finally:
                self._over.set()
                for thread in threads:
                    thread.join()
                with self._lock:
                    self._shop = None

    def _end(self, status: str, how: str) -> None:
        with self._lock:
            self._status, self._how = status, one_line(how)
            if not self._seconds and self._began:
                self._seconds = time.monotonic() - self._began
            now, curves = self._now(), self._seen.curves()
        self._tell("curves", curves)
        self._tell("watch", now)

    # What it tells.

    def _read(self, place: Path) -> None:
        """Look into the mailbox until the run is over."""
        drawn, fresh = 0.0, False
        while not self._over.wait(_LOOK):
            with self._lock:
                new = self._take(place)
                now = self._now() if new else None
                curves = None
                fresh = fresh or new
                if fresh and time.monotonic() - drawn > _CURVES:
                    curves, drawn, fresh = self._seen.curves(), time.monotonic(), False
            if now:
                self._tell("watch", now)
            if curves:
                self._tell("curves", curves)

    def _take_last(self, place: Path) -> None:
        with self._lock:
            self._take(place)
            if line := mailbox.take(place, mailbox.LAST):
                self._seen.add(line)

    def _take(self, place: Path) -> bool:
        """Take what is new; whether anything is. Call it under the lock."""
        output = place / "output.txt"
        try:
            size = output.stat().st_size
        except OSError:
            return False
        begins = self._status == "starting"
        if begins:
            self._status, self._began = "running", time.monotonic()
        if printed := size != self._output:
            self._output = size
            self._printed = _tail(output, size)
        line = mailbox.take(place)
        if line:
            self._seen.add(line)
        return begins or printed or line is not None

    def _tell(self, event: str, data: dict[str, Any]) -> None:
        if not self._given_up:  # another run may have begun
            self._hub(event, data)

    def _now(self) -> dict[str, Any]:
        running = self._status == "running"
        return {
            "status": self._status,
            "how": self._how,
            "seconds": time.monotonic() - self._began if running else self._seconds,
            "updates": self._seen.updates,
            "parameters": self._seen.parameters(),
            "printed": self._printed,
            "notes": self._notes,
        }

    # What the checks say.

    def _judge_so_far(self, program: Program, place: Path) -> None:
        """Every few seconds, judge the run so far."""
        pause = _FIRST
        took = 0.0
        while not self._over.wait(max(pause, _SHARE * took)):
            pause = min(2 * pause, _SLOWEST)
            asked, trace = time.monotonic(), None
            with suppress(OSError, DataError):
                mailbox.ask(place)
                while trace is None and time.monotonic() - asked < _PATIENCE and not self._over.wait(_LOOK):
                    trace = mailbox.take_trace(place)
            if trace is not None:
                begun = time.monotonic()
                self._judge(program, trace)
                took = time.monotonic() - begun

    def _judge(self, program: Program, trace: Trace) -> None:
        so_far = trace.end.how == "running"
        try:
            judged = judge(program, trace)
        except Exception as error:  # noqa: BLE001, half a run may be what a check has never met
            if not so_far:
                self._notes = [*self._notes, one_line(f"the checks failed: {type(error).__name__}: {error}")]
            return
        with self._lock:
            self._findings = [_fields(finding, so_far) for finding in judged.findings]
            self._fine = judged.fine
            found = self._found()
        self._tell("findings", found)

    def _found(self) -> dict[str, Any]:
        return {"findings": self._findings, "fine": self._fine}


def _fields(finding: Finding, so_far: bool) -> dict[str, Any]:
    place = finding.place
    return {
        "check": finding.check,
        "level": finding.level,
        "file": place.file if place else None,
        "line": place.line if place else None,
        "cell": place.cell if place else None,
        "saw": finding.saw,
        "so": finding.so,
        "instead": finding.instead,
        "so_far": so_far,
    }


def _tail(file: Path, size: int) -> str:
    """The last of what was printed, as a terminal would show it."""
    with file.open("rb") as stream:
        stream.seek(max(0, size - 4 * _PRINTED))  # a character has at most four bytes
        text = stream.read(4 * _PRINTED).decode("utf-8", errors="replace")
    return _OVERWRITTEN.sub("", text)[-_PRINTED:]
