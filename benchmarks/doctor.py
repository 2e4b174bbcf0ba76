"""What does the doctor find in programs of known faults, what does it say of clean ones, and what does watching cost?

``doctor_programs/`` holds programs in the manners of different people, each with 0 to 3 faults that were put in on
purpose; ``manifest.json`` names them, with the lines at which they may be reported, the consequences that are true of
them as well, and other names under which a fault may be told. Each is examined as ``byhand doctor`` does it,
experiments included. A fault counts as found where a finding of its check stands at one of its lines, elsewhere where
it stands at another. An error or warning that is neither a fault nor a consequence, by the manifest or as one that the
report puts under a fault, counts as untrue.

Each group of programs has its own table of recall: the first 56, and those that the manifest marks "wide", most of them
in NumPy, whose author had not read the code of the checks.

Two more tables: watched against alone, in turns, and whether both print the same, byte for byte. Alone is the program
within a fresh Python that has imported what the doctor's child has, timed without that. Watched is the whole of a run:
fork, watching, building the trace, writing and reading it.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import measure

from byhand.doctor.examine import Examination, examine
from byhand.doctor.finding import Finding
from byhand.doctor.job import Job
from byhand.doctor.run.workshop import Workshop

PROGRAMS = Path(__file__).with_name("doctor_programs")
EXAMPLES = Path(__file__).parents[1] / "examples"
LIBRARIES = ("numpy", "torch", "sklearn.metrics")
LOOPS: dict[str, tuple[Path, tuple[str, ...]]] = {
    "the seeds' loop": (EXAMPLES / "first_attempt.py", ("--epochs", "5")),
    "an MLP, nn.Module": (PROGRAMS / "module_2.py", ()),
    "a NumPy loop": (PROGRAMS / "numpy_2.py", ()),
}
ALONE = """
import ast, importlib, json, runpy, sys, time, warnings
path, libraries, threads, cells, *arguments = sys.argv[1:]
for name in json.loads(libraries):
    importlib.import_module(name)
import torch
torch.set_num_threads(int(threads))
sys.argv = [path, *arguments]
sys.path.insert(0, path.rpartition("/")[0])
began = time.perf_counter()
if not cells:
    runpy.run_path(path, run_name="__main__")
space = {"__name__": "__main__"}
for code, shown in json.loads(cells or "[]"):
    body = ast.parse(code).body
    last = [body.pop()] if shown else []
    exec(compile(ast.Module(body, []), path, "exec"), space)
    exec(compile(ast.Interactive(last), path, "single"), space)
print("", time.perf_counter() - began, sep="\\n")
"""
_VARYING = re.compile(r"0x[0-9a-f]+|\d\d:\d\d:\d\d")  # addresses and the time of day


@dataclass(frozen=True)
class Row:
    """A program, and what the doctor said of it."""

    name: str
    style: str
    group: str
    mnist: bool
    found: tuple[str, ...]
    elsewhere: tuple[str, ...]
    missed: tuple[str, ...]
    consequences: tuple[str, ...]
    untrue: tuple[str, ...]
    notes: tuple[str, ...]
    printed: float | None
    actual: float | None
    fixed: float | None
    seconds: float

    @property
    def faults(self) -> tuple[str, ...]:
        return self.found + self.elsewhere + self.missed


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="programs whose name has this part")
    parser.add_argument("--rounds", type=int, default=5, help="how often each loop runs watched and alone [5]")
    parser.add_argument("--budget", type=float, default=60.0, help="seconds for each program [60]")
    parser.add_argument("--save", action="store_true", help="keep what is printed in benchmarks/results")
    args = parser.parse_args()
    os.environ["MNIST_DIR"] = os.environ["BYHAND_DATA"] = str(_mnist() or "")
    manifest = json.loads((PROGRAMS / "manifest.json").read_text("utf-8"))
    chosen = [about for about in manifest if not args.only or any(part in about["file"] for part in args.only)]
    skipped = [about["file"] for about in chosen if about["data"] == "mnist" and not _mnist()]
    chosen = [about for about in chosen if about["file"] not in skipped]
    load = os.getloadavg()[1]
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for about in chosen:
            rows.append(judge(about, args.budget))
            print("\n".join(program_lines(rows[-1])), file=sys.stderr, flush=True)
        lines = [
            measure.versions("torch", "numpy", "scikit-learn") + f"; {len(os.sched_getaffinity(0))} cores to use, "
            f"load {load:.1f} at the start",
            f"{args.budget:g} s for each program, experiments included; n = {len(rows)} programs, each examined once",
            *([f"left out, as they need MNIST: {', '.join(skipped)}"] if skipped else []),
            "",
            *(line for row in rows for line in program_lines(row)),
        ]
        for name in dict.fromkeys(row.group for row in rows):
            group = [row for row in rows if row.group == name]
            lines += ["", f"the group {name!r}, {len(group)} programs", *recall(group)]
        if not args.only:
            lines += ["", *overhead(args.rounds), "", *identity(chosen)]
    measure.report("doctor", lines, args.save)


def _mnist() -> Path | None:
    """The folder of MNIST's files; None where there is none."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data" / "mnist"
    folder = Path(os.environ.get("BYHAND_DATA") or beside)
    return folder if folder.is_dir() else None


# What it says.


def judge(about: dict[str, Any], budget: float) -> Row:
    """Examine a program, and hold what is said against what is true."""
    report = examine(PROGRAMS / about["file"], budget=budget)
    found: list[str] = []
    elsewhere: list[str] = []
    missed: list[str] = []
    for fault in about["faults"]:
        names = (fault["check"], *fault.get("as", ()))
        same = [finding for finding in report.findings if finding.check in names]
        right = next((finding for finding in same if _is_at(finding, fault, about["file"])), None)
        kept = found if right else elsewhere if same else missed
        kept.append(_told(right or (same or [None])[0]) or fault["check"])
    faults = {name for fault in about["faults"] for name in (fault["check"], *fault.get("as", ()))}
    true = {name for fault in about["faults"] for name in fault.get("consequences", ())}
    others = [finding for finding in report.findings if finding.check not in faults]
    loud = [finding for finding in others if finding.level != "note"]
    follows = [finding for finding in loud if finding.check in true or finding.under in faults]
    accuracy = report.audit.accuracy
    return Row(
        about["file"],
        about["style"],
        about.get("set", "first"),
        about["data"] == "mnist",
        tuple(found),
        tuple(elsewhere),
        tuple(missed),
        tuple(map(_told, follows)),
        tuple(_told(finding) for finding in loud if finding not in follows),
        tuple(finding.check for finding in others if finding.level == "note"),
        accuracy.printed if accuracy else None,
        accuracy.actual if accuracy else None,
        _fixed(report),
        report.seconds,
    )


def _is_at(finding: Finding, fault: dict[str, Any], file: str) -> bool:
    """Whether a finding stands at one of the lines of a fault."""
    place = finding.place
    if place is None or Path(place.file).name != Path(fault.get("file", file)).name:
        return False
    lines = {(fault.get("cell"), line) for line in (fault["line"], *fault["lines"])}
    lines |= {(other["cell"], other["line"]) for other in fault.get("other_cells", ())}
    return (place.cell, place.line) in lines


def _told(finding: Finding | None) -> str:
    """A finding as the table has it: its check, line, level and effect."""
    if finding is None:
        return ""
    place = finding.place
    where = "?" if place is None else f"{f'{place.cell}:' if place.cell else ''}{place.line}"
    effect = finding.effect
    known = effect is not None and effect.before is not None and effect.after is not None
    what = "loss " if effect and effect.measure == "loss" else ""
    gain = f" {what}{effect.before:.3f} → {effect.after:.3f}" if known and effect else ""
    return f"{finding.check}@{where} {finding.level}{gain}" + (f", under {finding.under}" if finding.under else "")


def _fixed(report: Examination) -> float | None:
    return report.proven.all_fixed if report.proven.measure == "accuracy" else None


def program_lines(row: Row) -> list[str]:
    """A program in the table: a line, and one for each thing that was said or missed."""

    def number(value: float | None) -> str:
        return "    -" if value is None else f"{value:.3f}"

    head = (
        f"{row.name:20} {row.style[:58]:58} printed {number(row.printed)} actual {number(row.actual)} "
        f"fixed {number(row.fixed)} {row.seconds:5.1f} s" + ("" if row.faults else "  clean")
    )
    kinds = {
        "found": row.found,
        "ELSEWHERE": row.elsewhere,
        "MISSED": row.missed,
        "follows": row.consequences,
        "UNTRUE": row.untrue,
        "note": row.notes,
    }
    return [head, *(f"    {kind:10} {'; '.join(said)}" for kind, said in kinds.items() if said)]


def recall(rows: Sequence[Row]) -> Iterator[str]:
    """How many faults were found, by check and in all, and what was said without truth."""
    total: Counter[str] = Counter()
    found: Counter[str] = Counter()
    named: Counter[str] = Counter()
    for row in rows:
        total.update(_check(said) for said in row.faults)
        found.update(_check(said) for said in row.found)
        named.update(_check(said) for said in row.found + row.elsewhere)
    yield f"{'fault':32}found at its line, of"
    for check in sorted(total):
        also = f", {named[check] - found[check]} elsewhere" if named[check] > found[check] else ""
        yield f"{check:32}{found[check]} of {total[check]}{also}"
    faults, hits = sum(total.values()), sum(found.values())
    notes = sum(" note" in said for row in rows for said in row.found)
    share = f" = {hits / faults:.1%}, {notes} of them as a note" if faults else ""
    yield f"{'all':32}{hits} of {faults}{share}"
    clean = [row for row in rows if not row.faults]
    alarms = [row for row in clean if row.untrue]
    wrong = sum(len(row.untrue) for row in rows if row.faults)
    yield f"clean programs with an error or a warning: {len(alarms)} of {len(clean)}"
    yield f"errors and warnings on the others that are neither fault nor consequence: {wrong}"
    seconds = measure.spread((row.seconds for row in rows), lambda x: f"{x:.0f}") if rows else "-"
    yield f"seconds a program: {seconds}"


def _check(said: str) -> str:
    return said.partition("@")[0]


# What watching costs, and whether it changes anything.


def overhead(rounds: int) -> Iterator[str]:
    """Watched against alone, in turns."""
    load = os.getloadavg()[0]
    yield f"watched against alone: median (least to most) of {rounds} rounds, one thread, load {load:.1f} before"
    with Workshop(LIBRARIES) as shop:
        for name, (path, arguments) in LOOPS.items():
            if path.parent == EXAMPLES and not _mnist():
                continue
            alone: list[float] = []
            watched: list[float] = []
            for turn in range(rounds + 1):
                seconds, _ = run_alone(path, arguments)
                began = time.perf_counter()
                shop.run(Job(path, Path.cwd(), arguments, threads=1))
                if turn:
                    alone.append(seconds)
                    watched.append(time.perf_counter() - began)
            yield (
                f"{name:20} alone {measure.spread(alone, measure.milliseconds):32} watched "
                f"{measure.spread(watched, measure.milliseconds):32} ratio {measure.ratio(watched, alone)}"
            )


def identity(chosen: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Whether programs that set their seeds print the same, watched and alone, but for the time and addresses."""
    same: list[str] = []
    other: list[str] = []
    with Workshop(LIBRARIES) as shop:
        for about in chosen:
            path = PROGRAMS / about["file"]
            trace = shop.run(Job(path, Path.cwd() if path.suffix == ".py" else path.parent, threads=1))
            if trace.seeded and trace.output:
                _, output = run_alone(path, ())
                texts = [_VARYING.sub("", text) for text in (output, trace.output)]
                (same if texts[0] == texts[1] else other).append(about["file"])
    yield f"the same output to the byte, watched and alone: {len(same)} of {len(same + other)} that seed themselves"
    if other:
        yield f"not: {', '.join(other)}"


def run_alone(path: Path, arguments: Sequence[str]) -> tuple[float, str]:
    """A program without the doctor, on one thread: its seconds, and what it printed."""
    from byhand.doctor.text.notebook import read_notebook, shows_last

    cells = [[unit.code, shows_last(unit)] for unit in read_notebook(path)] if path.suffix == ".ipynb" else ""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    done = subprocess.run(
        [sys.executable, "-u", "-c", ALONE, str(path), json.dumps(LIBRARIES), "1",
         json.dumps(cells) if cells else "", *arguments],
        env={**os.environ, "MPLBACKEND": "Agg", **dict.fromkeys(names, "1")},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True,
    )  # fmt: skip
    output, _, seconds = done.stdout.decode().removesuffix("\n").rpartition("\n")
    return float(seconds), output


if __name__ == "__main__":
    main()
