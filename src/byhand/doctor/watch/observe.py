"""The observer: runs the user's program in this process, rewritten in memory, and writes down what it did.

The process is a forked child that exists for this one run (``child``): torch, builtins and signal handlers are changed
for good.
"""

import builtins
import linecache
import os
import signal
import sys
import time
import traceback
import types
import warnings
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any, Final, final

from byhand.doctor import trace_file
from byhand.doctor.job import Job
from byhand.doctor.place import Place
from byhand.doctor.text.edits import key
from byhand.doctor.text.program import Unit
from byhand.doctor.text.reading import read_program, read_source
from byhand.doctor.trace import End, SourceFile
from byhand.doctor.watch.branch import end_branch
from byhand.doctor.watch.build import build
from byhand.doctor.watch.frames import OWN, Frames
from byhand.doctor.watch.hooks import Hooks
from byhand.doctor.watch.imports import install, main_module
from byhand.doctor.watch.imports import run as run_code
from byhand.doctor.watch.live import Live
from byhand.doctor.watch.loops import Stopped
from byhand.doctor.watch.probing import Probing
from byhand.doctor.watch.recorder import Recorder
from byhand.doctor.watch.rewrite import rewrite
from byhand.doctor.watch.seeds import moved, set_seeds, states, watch_seeds
from byhand.doctor.watch.sofar import write_so_far
from byhand.doctor.watch.stand_ins import Left, held_back, stand_in
from byhand.doctor.watch.warned import watch_warnings
from byhand.doctor.watch.written import watch_streams

__all__ = ["observe"]

_LIBRARIES: Final = (
    "torch", "torchvision", "numpy", "sklearn", "scipy", "pandas", "matplotlib", "tensorflow", "keras", "fastai", "jax",
)  # fmt: skip


def observe(job: Job, folder: Path) -> None:
    """Run a job's program and write its trace into ``folder``.

    Raises:
        DataError: the program cannot be read, or is no Python.
    """
    began = time.monotonic()
    program = read_program(job.program, job.home)
    observer = _Observer(job)
    for unit in program.units:
        observer.take(unit, shown=program.notebook)
    if job.live:
        observer.tell(folder.parent, began)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*non-interactive.*")  # plots are drawn for nobody
        end = observer.run(job.program, began)
    folder.mkdir(exist_ok=True)
    observer.write(folder, end)


@final
class _Observer:
    """The user's code, compiled so that it tells what it does, and who is told."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._frames = Frames()
        self.recorder = Recorder(self._frames)
        self._places: list[Place] = []
        self._blocks: list[tuple[int, int]] = []
        self._ran = bytearray()
        self._spans: list[tuple[Unit, int, int]] = []  # a unit, and which blocks are its own
        self._codes: list[tuple[types.CodeType, int | None]] = []
        self._hooks = Hooks(self.recorder, self._places)
        self._root = Path(os.path.realpath(job.home)) if job.home else Path(os.path.realpath(job.program)).parent
        self._notebook = False
        self._generators: dict[str, bytes] = {}
        self._live: Live | None = None

    def take(self, unit: Unit, shown: bool) -> None:
        """Compile the script, or the next cell of the notebook."""
        name = str(self._root / unit.file) + (f"#cell{unit.cell}" if unit.cell else "")
        self._notebook = shown
        self._codes.append((self._compile(unit, name, shown), unit.cell))

    def tell(self, folder: Path, began: float) -> None:
        """Tell what goes on while it does, through files in this folder."""

        def write(place: Path) -> None:
            self.write(place, End("running", time.monotonic() - began, training=self.recorder.steps.seconds()))

        self._live = self.recorder.samples.live = Live(self.recorder, folder, lambda: write_so_far(write, folder))

    def write(self, folder: Path, end: End) -> None:
        """Write the trace; nothing is recorded after that."""
        libraries = tuple(name for name in _LIBRARIES if name in sys.modules)
        trace = build(self.recorder, end, self._files(), libraries)
        if self._live and end.how != "running":
            self._live.close()
        trace_file.write(folder, trace)

    def _compile(self, unit: Unit, filename: str, shown: bool) -> types.CodeType:
        edited = self._job.sources.get(key(unit))
        if edited is not None:
            unit = Unit(unit.file, unit.cell, edited, edited, unit.skipped)
        done = rewrite(unit, self._places, self._blocks, arithmetic="numpy" in sys.modules, last_shown=shown)
        self._ran.extend(bytes(len(done.blocks)))
        self._spans.append((unit, done.first_block, len(done.blocks)))
        self._frames.register(filename, unit.file, unit.cell, unit.code)
        if unit.cell is not None:  # inspect and tracebacks look for a file
            linecache.cache[filename] = (len(unit.code), None, unit.code.splitlines(keepends=True), filename)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            return compile(done.tree, filename, "exec", dont_inherit=True)

    def run(self, path: Path, began: float) -> End:
        """Run it all, whatever it does."""
        recorder = self.recorder
        setattr(builtins, "__byhand__", self._hooks)  # noqa: B010, names that no type checker knows
        setattr(builtins, "__byhand_ran__", self._ran)  # noqa: B010
        stand_in(recorder.note, self._display, notebook=self._notebook)
        watch_streams(self._frames, recorder.told, self._written)
        watch_warnings(self._frames.is_own)
        install(self._root, self._module)
        set_seeds(self._job.seed)
        recorder.shift, self._generators = self._job.shift, states()
        watch_seeds(recorder)
        recorder.options.watch()
        recorder.loops.limit = self._job.steps
        recorder.tape.wanted = frozenset(self._job.clocks)
        recorder.tape.only = recorder.forwards.trained.off = recorder.forwards.evaluated.off = self._job.light
        if self._job.probe:
            Probing(self._hooks, recorder, self._places, self._job.probe, began + self._job.soft)
        os.register_at_fork(after_in_child=self._off)
        signal.signal(signal.SIGUSR1, self._shorten)
        signal.signal(signal.SIGTERM, self._stop)
        main = main_module(path, notebook=self._notebook)
        how, error, place = "done", None, None
        try:
            with held_back(), self._watch():
                for code, _ in self._codes:
                    run_code(code, main)
        except Stopped as stop:
            how, place = "stopped", self._frames.of_error(stop)
        except Left as left:
            how, error = ("done", None) if left.status == 0 else ("exit", f"os._exit({left.status!r})")
        except SystemExit as exit_:
            how = "done" if exit_.code in (None, 0) else "exit"
            error = None if how == "done" else f"sys.exit({exit_.code!r})"
            if not isinstance(exit_.code, int | None):
                print(exit_.code, file=sys.stderr)  # noqa: T201, as Python does
        except BaseException as raised:  # noqa: BLE001, a program that fails is a report too
            how, error, place = "error", _one_line(raised), self._frames.of_error(raised)
            self._show(raised)
        end_branch(recorder)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        with recorder.safe:
            self._hooks.flush()
        recorder.on = False
        with recorder.safe:
            recorder.drew = moved(self._generators)
        if how == "done" and recorder.loops.shortened:
            how = "shortened"
        return End(how, time.monotonic() - began, error, place, training=recorder.steps.seconds())

    def _files(self) -> tuple[SourceFile, ...]:
        """The units that ran, with the lines of blocks that never did."""
        found: list[SourceFile] = []
        for unit, first, count in self._spans:
            never = [self._blocks[i] for i in range(first, first + count) if not self._ran[i]]
            found.append(SourceFile(unit.file, unit.cell, tuple(_outermost(never)), unit.skipped))
        return tuple(found)

    def _watch(self) -> Any:
        if "torch" not in sys.modules:
            return nullcontext()
        from byhand.doctor.watch.clipping import watch_clipping
        from byhand.doctor.watch.torch_calls import watch

        watch_clipping(self.recorder)
        return watch(self.recorder)

    def _module(self, file: Path, name: str) -> types.CodeType:
        """Compile a module of the user's own folder."""
        text = read_source(file)
        return self._compile(
            Unit(Path(os.path.realpath(file)).relative_to(self._root).as_posix(), None, text, text),
            str(file),
            shown=False,
        )

    def _display(self, text: str, value: object) -> None:
        with self.recorder.told:
            print(text)  # noqa: T201, as IPython does
        self._written(text, self._frames.innermost(), (value,) if type(value) is float else ())

    def _written(self, text: str, place: Place | None, values: tuple[float, ...] = ()) -> None:
        if self.recorder.on:
            with self.recorder.safe:
                self._hooks.flush()
                self.recorder.print(text, values, place)

    def _off(self) -> None:
        self.recorder.on = False  # a process that the program starts tells nothing, and may be ended as any other
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def _shorten(self, *_: object) -> None:
        self.recorder.loops.ending = True

    def _stop(self, *_: object) -> None:
        self.recorder.loops.stopping = True  # if the program catches everything, its next round is its last
        raise Stopped

    def _show(self, error: BaseException) -> None:
        """Print the traceback, as Python does, without the observer's own frames."""
        lines = traceback.TracebackException.from_exception(error)
        _leave_own(lines)
        with suppress(OSError):  # it may have failed because it printed too much
            print("".join(lines.format()), file=sys.stderr, end="")  # noqa: T201


def _leave_own(lines: traceback.TracebackException) -> None:
    """Leave out the observer's own frames."""
    lines.stack[:] = [frame for frame in lines.stack if not frame.filename.startswith(OWN)]
    for other in (lines.__cause__, lines.__context__):
        if other is not None:
            _leave_own(other)


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _outermost(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans without those that lie within another, in order."""
    kept: list[tuple[int, int]] = []
    for span in sorted(spans, key=lambda span: (span[0], -span[1])):
        if not kept or span[1] > kept[-1][1]:
            kept.append(span)
    return kept
