"""The examination: run the program once as it is, let every check look at it, prove what they say.

read ─→ a scratch copy ─→ one watched run ─→ audit ─→ checks ─→ ignored lines ─→ experiments on copies
"""

import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, final

from byhand.doctor.audit.audit import Audit, audit
from byhand.doctor.audit.derived import clocks_to_probe, setting_up
from byhand.doctor.audit.evidence import Evidence
from byhand.doctor.checks.program.style import style_notes
from byhand.doctor.checks.table import GAIN
from byhand.doctor.finding import Finding
from byhand.doctor.fold import fold
from byhand.doctor.job import Fence, Job
from byhand.doctor.judge import leave_ignored, look, silent
from byhand.doctor.run.linux import cores
from byhand.doctor.run.preload import preload
from byhand.doctor.run.scratch import Scratch
from byhand.doctor.run.workshop import NETWORK, Workshop
from byhand.doctor.text.edits import Edits, apply
from byhand.doctor.text.program import Program
from byhand.doctor.text.reading import read_program
from byhand.doctor.trace import Trace
from byhand.doctor.trial.bench import updates
from byhand.doctor.trial.outcome import Outcome, outcome
from byhand.doctor.trial.prove import Proven, prove

__all__ = ["Examination", "examine"]

_FIRST: Final = 0.45  # of the budget, for the program's own run; at its end the training loops are ended
_CROWDING: Final = 1.6  # two arms share the cores that the program had for itself
_GRACE: Final = 0.2  # of the budget, for what comes after those loops
_SOFT: Final = 0.9  # of the time that is left, for an arm; at its end its training loops are ended
_REST: Final = 0.2  # of the budget, the most that may be kept from the experiments for what comes after them
_PROBING: Final = 60.0  # seconds for finite differences, the most
_SHARE: Final = 0.2  # of the budget, the most for them


@final
@dataclass(frozen=True, slots=True)
class Examination:
    """What was found."""

    program: Program
    trace: Trace
    audit: Audit
    proven: Proven
    fine: tuple[str, ...]  # checks that had something to look at and found nothing wrong
    ignored: int  # findings that a comment of the user's silences
    seconds: float

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, the worst first."""
        return self.proven.findings


def examine(
    path: Path,
    arguments: Sequence[str] = (),
    *,
    home: Path | None = None,
    budget: float = 60.0,
    proofs: bool = True,
    fence: Fence | None = None,
    reserve: Callable[[Evidence], float] = lambda _: 0.0,
    say: Callable[[str], None] = lambda _: None,
) -> Examination:
    """Examine a script or a notebook.

    Args:
        path: the program. A script runs in the working directory, a notebook in its own folder.
        arguments: for the program.
        home: the folder that the program stands in, if not its file's.
        budget: seconds for everything.
        proofs: whether to try fixes on copies.
        fence: run it in its own folder, on one thread, within these limits, writing nowhere else than there and in the
            folder above: for somebody else's program, in folders that are copies already.
        reserve: seconds of the budget that the caller wants for itself afterwards; more than a fifth is refused.
        say: told what goes on, in a line.

    Raises:
        DataError: the program cannot be read or is no Python.
    """
    began = time.monotonic()
    program = read_program(path, home)
    folder = program.folder.resolve() if program.notebook or fence else Path.cwd()
    with Workshop(preload(program)) as shop, Scratch(folder, program.folder, inside=shop.folder) as scratch:
        say(f"running {path.name} as it is ...")
        first = _FIRST if proofs else 1 - _GRACE
        job = Job(
            Path(os.path.abspath(path)),
            folder,
            tuple(arguments),
            home=home,
            soft=first * budget,
            hard=(first + _GRACE) * budget,
            copy={folder.parent: folder.parent} if fence else None,
            fence=fence,
            threads=1 if fence else None,
        )
        trace = shop.run(job)
        broken = _first_not_finite(trace)
        if broken is not None and (fence or budget - (time.monotonic() - began) > 2 * trace.end.seconds):
            say("looking at the step where the loss broke ...")
            closer = replace(job, copy=scratch.fresh(), clocks=(broken,), light=True)
            trace = replace(trace, tapes=(*trace.tapes, *shop.run(closer).tapes))
        clocks, patience = clocks_to_probe(trace), 1.5 * setting_up(trace) + min(_PROBING, _SHARE * budget)
        if clocks and budget - (time.monotonic() - began) > patience:
            say("comparing its gradients with finite differences ...")
            closer = replace(
                job, copy=scratch.fresh(), probe=clocks, light=True, threads=1, soft=patience, hard=2 * patience
            )
            trace = replace(trace, probes=shop.run(closer).probes)
        evidence = Evidence(program, trace, audit(trace))
        everything = look(evidence)
        found, ignored = leave_ignored(program, everything)
        if NETWORK in trace.notes:
            scratch.refresh()

        def again(sets: Sequence[Edits], steps: int | None, shift: int) -> list[Trace]:
            say(f"trying {len(sets)} {'fix' if len(sets) == 1 else 'fixes'} on copies ...")
            left = max(5.0, budget - (time.monotonic() - began))
            copies = [scratch.fresh() for _ in sets]
            jobs = [
                replace(
                    job, copy=copy, sources=apply(program, edits), shift=shift, light=True,
                    steps=_of_one_training(trace, steps), soft=_SOFT * left, hard=left, threads=_threads(),
                )
                for copy, edits in zip(copies, sets, strict=True)
            ]  # fmt: skip
            traces = shop.run_all(jobs, at_once=_at_once())
            for copy in copies:
                scratch.drop(copy)
            return traces

        def reached(one: Trace) -> Outcome | None:
            return outcome(one, audit(one).measured)

        later = reserve(evidence) if proofs else 0.0
        spare = budget - (time.monotonic() - began) - (later if later <= _REST * budget else 0.0) if proofs else 0.0
        proven = prove(
            evidence, found, again, spare, measure=reached, gains=GAIN, at_once=_at_once(), crowding=_CROWDING
        )
    proven = replace(proven, findings=fold([*proven.findings, *style_notes(evidence)]))
    return Examination(
        program,
        trace,
        evidence.audit,
        proven,
        silent(evidence, everything),
        ignored,
        time.monotonic() - began,
    )


def _of_one_training(trace: Trace, steps: int | None) -> int | None:
    """Of a run's updates, those of its longest training: a program may train several models, one after another."""
    longest = max((one.last - one.first for one in trace.trainings), default=0)
    return None if steps is None else max(1, round(steps * longest / max(1, updates(trace))))


def _first_not_finite(trace: Trace) -> int | None:
    """The clock of the first backward pass on a loss that is no number, if nothing was written down there."""
    broken = (one.clock for one in trace.backwards if one.loss is not None and not math.isfinite(one.loss))
    clock = next(broken, None)
    return None if any(tape.clock == clock for tape in trace.tapes) else clock


def _at_once() -> int:
    return max(1, min(4, cores()))


def _threads() -> int:
    """Of each arm, the same for all."""
    return max(1, cores() // _at_once())
