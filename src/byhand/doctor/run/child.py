"""The forked child: turns itself into the process that the program expects, has it observed, and ends."""

import atexit
import importlib
import os
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn, TextIO, cast

from byhand.doctor.job import Job
from byhand.doctor.run.guard import close_network, keep_inside, note_network, switch_off_tracking
from byhand.doctor.run.limits import put_limits
from byhand.doctor.run.linux import die_with, flush

__all__ = ["become"]

_LEAVE: Final = 2.0  # seconds for the program's threads, and again for its exit functions


def become(job: Job, place: Path, parent: int) -> NoReturn:
    """Run a job in this process, which was forked for it, and end the process.

    Args:
        job: as it was asked for; the observer gets it with its paths in the copy.
        place: the job's own folder: the trace goes to ``trace/``, what is printed to ``output.txt``, a fault of the
            observer's to ``fault.txt``, and ``network`` is there if the program used the network.
        parent: the process that forked this one.
    """
    status = 0
    try:
        os.setsid()
        die_with(parent)
        _print_to(place / "output.txt")
        _ordinary_signals()
        module, _, function = job.observer.partition(":")
        observe = getattr(importlib.import_module(module), function)  # before the user's folder is searched for modules
        _settle(job.placed(), place)
        observe(job.placed(), place / "trace")
        _leave()
    except BaseException:  # noqa: BLE001 - whatever it is, this process must not run on into the worker's code
        status = 1
        with suppress(OSError):
            (place / "fault.txt").write_text(traceback.format_exc(), "utf-8")
    finally:
        _flush()
        os._exit(status)


def _print_to(file: Path) -> None:
    """Send standard output and error to one file, in the order in which they are written."""
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.close(handle)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)


def _ordinary_signals() -> None:
    """Undo what the worker has set. SIGUSR1 does nothing until the observer wants it: its default is to kill."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)


def _settle(job: Job, place: Path) -> None:
    """Make the surroundings those of ``python program arguments``."""
    os.chdir(job.folder)
    os.environ["PWD"] = str(job.folder)
    inside = job.program.is_relative_to(job.folder)
    sys.argv = [str(job.program.relative_to(job.folder) if inside else job.program), *job.arguments]
    sys.path.insert(0, str(job.home or job.program.parent))
    if job.fence:
        put_limits(job.fence)  # before anything starts a thread
    if job.threads:
        _limit_threads(job.threads)
    if job.light or job.fence:
        switch_off_tracking(place / "tmp")
        close_network()
        if job.copy is not None:
            keep_inside(job.copy, place)
    else:
        note_network(place / "network")


def _limit_threads(count: int) -> None:
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(count)  # for what is loaded from here on
    with suppress(ImportError):  # comes with scikit-learn, but not by any promise
        importlib.import_module("threadpoolctl").threadpool_limits(count)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(count)


def _leave() -> None:
    """End as an interpreter does, threads first, then exit functions, but not wait for either without end."""
    _flush()
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # kills, even where no Python code comes to run
    signal.setitimer(signal.ITIMER_REAL, 2 * _LEAVE)
    end = time.monotonic() + _LEAVE
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(max(0.0, end - time.monotonic()))
    atexit._run_exitfuncs()  # pyright: ignore[reportPrivateUsage] - os._exit skips them


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        with suppress(OSError, ValueError, AttributeError):  # closed, full, or replaced by something else
            cast("TextIO", stream).flush()
    flush()
