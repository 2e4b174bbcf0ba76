"""``%doctor`` in a notebook: the cells that were run in this session, examined in a process beside the kernel.

Nothing is run in the kernel, and nothing of it is changed. The answer is HTML and plain text, so that it is there when
the notebook is opened again.
"""

import importlib
import json
import math
import os
import shlex
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from signal import SIGINT
from threading import Thread
from typing import IO, Any, Final, final

from byhand.errors import DataError, UsageError
from byhand.text import one_line

__all__ = ["HELP", "load", "options"]

HELP: Final = """\
%doctor [--budget SECONDS] [--no-prove] [-o FILE.html]     the cells that were run in this session, in that order
%%doctor [--budget SECONDS] [--no-prove] [-o FILE.html]    this cell alone, as a program of its own

They run in a process beside this one, in the notebook's folder, with your rights; the session stays as it is.
--budget is for everything, 60 by default; --no-prove tries no fixes; -o writes the report as a page too."""

_MODULE: Final = "byhand.doctor.show.session"
_LEAVE: Final = 10.0  # seconds for the process beside to clear up


def load(shell: Any) -> None:
    """Give an IPython shell the magic."""
    raised: dict[int, str] = {}

    def note(result: Any) -> None:  # what IPython before 9 does not keep
        error = result.error_before_exec or result.error_in_exec
        if error is not None and result.execution_count:
            raised[result.execution_count] = type(error).__name__

    def doctor(line: str, cell: str | None = None) -> None:
        try:
            wanted = options(line)
        except UsageError as error:
            raise _usage(str(error)) from None
        if wanted is None:
            print(HELP)  # noqa: T201
            return
        folder = _folder(shell)
        if wanted["out"] and not (folder / wanted["out"]).parent.is_dir():
            raise _usage(f"there is no folder for {wanted['out']}; make it, or choose another")
        _show({**wanted, **_history(shell, raised), "body": cell, "folder": str(folder)}, _Stage(shell))

    shell.events.register("post_run_cell", note)
    shell.register_magic_function(doctor, "line_cell", "doctor")


def options(line: str) -> dict[str, Any] | None:
    """What follows ``%doctor`` on its line; None where it asks for help.

    Raises:
        UsageError: it says something else.
    """
    found: dict[str, Any] = {"budget": 60.0, "proofs": True, "out": None, "width": 100}
    try:
        words = deque(shlex.split(line, comments=True))
    except ValueError as error:
        raise UsageError(f"%doctor: {error}") from error
    while words:
        name, _, value = words.popleft().partition("=")
        if name in ("-h", "--help", "?"):
            return None
        if name == "--no-prove":
            found["proofs"] = False
            continue
        if name not in ("--budget", "-o", "--out"):
            raise UsageError(f"%doctor knows no {name}; %doctor --help names its options")
        value = value or (words.popleft() if words else "")
        if name == "--budget":
            found["budget"] = _seconds(value)
        elif not value.lower().endswith((".html", ".htm")):
            raise UsageError(f"{name} {value}: the report is a page; let its name end in .html")
        else:
            found["out"] = value
    return found


def _seconds(text: str) -> float:
    with suppress(ValueError):
        if 0 < (value := float(text)) < math.inf:
            return value
    raise UsageError(f"--budget {text}: give seconds above 0")


def _history(shell: Any, raised: Mapping[int, str]) -> dict[str, Any]:
    """The cells as they were typed, [k - 1] what was run as [k], and what some of them raised."""
    history = shell.history_manager
    kept = getattr(history, "exceptions", {})
    names = {number: str(one.get("ename") or "an error") for number, one in kept.items()}
    return {"cells": list(history.input_hist_raw[1:]), "raised": {**raised, **names}}


def _folder(shell: Any) -> Path:
    """The notebook's folder: where the kernel was started."""
    folder = Path(getattr(shell, "starting_dir", None) or os.getcwd())
    return folder if folder.is_dir() else Path.cwd()


def _show(request: dict[str, Any], stage: "_Stage") -> None:
    try:
        told = _answer(request, stage.progress)
    except KeyboardInterrupt:
        stage.end("<p>interrupted</p>", "interrupted")
    except DataError as error:
        raise _usage(str(error)) from None
    else:
        stage.end(told["html"], told["text"])


def _answer(request: dict[str, Any], say: Callable[[str], None]) -> dict[str, str]:
    """Ask a process of its own.

    Raises:
        DataError: it could not answer; the message says why.
    """
    said: list[str] = []
    line = ""
    with subprocess.Popen(  # noqa: S603
        [sys.executable, "-P", "-m", _MODULE],
        cwd=request["folder"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="backslashreplace",
        start_new_session=True,  # the kernel is told of an interruption, and tells on
    ) as process:
        try:
            asking, answering, telling = map(_pipe, (process.stdin, process.stdout, process.stderr))
            with asking:
                asking.write(json.dumps(request))
            reader = Thread(target=lambda: said.append(answering.read()), daemon=True)
            reader.start()
            for line in telling:
                say(line.rstrip())
            reader.join()
        except BaseException:
            _end(process)
            raise
    try:
        told = json.loads("".join(said))
    except ValueError as error:
        raise DataError(f"the doctor ended without an answer: {line.strip() or process.returncode}") from error
    if "error" in told:
        raise DataError(told["error"])
    return told


def _pipe(stream: IO[str] | None) -> IO[str]:
    if stream is None:
        raise DataError("this system gives no pipes")
    return stream


def _end(process: "subprocess.Popen[str]") -> None:
    process.send_signal(SIGINT)
    try:
        process.wait(_LEAVE)
    except subprocess.TimeoutExpired:
        process.kill()


def _usage(message: str) -> Exception:
    shown: Any = importlib.import_module("IPython.core.error")
    return shown.UsageError(f"byhand: {one_line(message)}")


@final
class _Stage:
    """Where the answer appears: one output of the cell, which tells the progress until the answer takes its place.

    A terminal cannot take back what it has shown: it gets the progress line by line.
    """

    def __init__(self, shell: Any) -> None:
        self._kernel = getattr(shell, "kernel", None) is not None
        self._handle: Any = None

    def progress(self, line: str) -> None:
        if not self._kernel:
            print(one_line(line), file=sys.stderr)  # noqa: T201
            return
        text = one_line(line)
        escaped = text.replace("&", "&amp;").replace("<", "&lt;")
        self._put(f"<p>byhand doctor: {escaped}</p>", f"byhand doctor: {text}")

    def end(self, html: str, text: str) -> None:
        if self._kernel:
            self._put(html, text)
        else:
            print(text)  # noqa: T201

    def _put(self, html: str, text: str) -> None:
        data = {"text/html": html, "text/plain": text}
        if self._handle is None:
            shown: Any = importlib.import_module("IPython.display")
            self._handle = shown.display(data, raw=True, display_id=True)
        else:
            self._handle.update(data, raw=True)
