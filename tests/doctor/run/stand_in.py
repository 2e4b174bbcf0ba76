"""An observer that only runs the program: what the workshop's tests watch with. The children import it by name."""

import json
import os
import runpy
import signal
import time
from pathlib import Path
from typing import NoReturn

from byhand.doctor import trace_file
from byhand.doctor.job import Job
from byhand.doctor.trace import End, Trace


class Stop(BaseException):
    pass


def run(job: Job, folder: Path) -> None:
    """Run a script to its end, to its error, or to the signal that ends it."""
    began = time.monotonic()
    here = os.getpid()

    def stop(number: int, _: object) -> None:
        if os.getpid() == here:
            raise Stop({signal.SIGUSR1: "shortened", signal.SIGTERM: "stopped"}[signal.Signals(number)])
        os._exit(1)

    for number in (signal.SIGUSR1, signal.SIGTERM):
        signal.signal(number, stop)
    how, error = "done", None
    try:
        runpy.run_path(str(job.program), run_name="__main__")
    except SystemExit as end:
        how, error = "exit", str(end.code)
    except Stop as end:
        how = str(end)
    except Exception as fault:  # noqa: BLE001 - it is whatever the program raises
        how, error = "error", f"{type(fault).__name__}: {fault}"
    for number in (signal.SIGUSR1, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    end = End(how, time.monotonic() - began, error)
    trace_file.write(folder, Trace(end, "", seeded=False, notes=("watched",), files=()))


def deaf(job: Job, _: Path) -> None:
    """Run a script and heed no signal but the last."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    runpy.run_path(str(job.program), run_name="__main__")


def broken(job: Job, folder: Path) -> NoReturn:
    raise KeyError("the observer's own")


def tell(job: Job, folder: Path) -> None:
    """Write down the job as it came."""
    (folder.parents[1] / "job.json").write_text(job.to_json())
    trace_file.write(folder, Trace(End("done", 0.0), "", seeded=False, notes=(json.dumps(job.seed),), files=()))
