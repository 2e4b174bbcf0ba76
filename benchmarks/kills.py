"""Kill `byhand train` again and again, anywhere, and see whether anything is lost.

Each run is the command itself, `byhand train …` or `byhand train --resume …`, in a process of its own, forked from one
that has torch loaded. SIGKILL comes at a random moment: one kill in five within all the time that the undisturbed run
takes, the others after its first save, early more often than late, so that much is left to be killed again. Then the
run is taken up, and killed again, up to eight times. After each kill must hold

    every file that has its name is whole: run.json, the history, the weights with their checksums, the states;
    the run stands at or after the last state whose save had returned;

and when the run has come to its end, all its files but times.json are byte for byte those of the undisturbed run, with
none more. A kill of the process is no cut of the power: what the system was told to sync is not put to the test.

    python benchmarks/kills.py [--kills 3000] [--seed 0] [--json] [--save]
"""

import argparse
import contextlib
import gc
import itertools
import json
import math
import mmap
import os
import random
import signal
import struct
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from byhand import checkpoint, cli, weights

KINDS = {
    "linear, momentum, a state each step": "--lr 0.3 --momentum 0.9 --save-every 1",
    "MLP, dropout, Adam, a state each 2 steps": "--lr 0.01 --hidden 7 --dropout 0.3 --opt adam --save-every 2",
    "MLP, rate found, one-cycle, a state each 3 steps": "--hidden 5,4 --schedule one-cycle --save-every 3",
}
COMMON = "--epochs 12 --batch-size 60 --quiet"
BATCHES = 4  # an epoch
PHASES = ("on the way to the first step", "between saves", "in a save")
ROWS = 300


class Told(NamedTuple):
    """What a process tells of itself in memory that outlives it."""

    phase: int
    step: int  # of the last state whose save returned


class Shared:
    """That memory."""

    def __init__(self) -> None:
        self.memory = mmap.mmap(-1, 16)

    def tell(self, phase: int, step: int | None = None) -> None:
        self.memory[:16] = struct.pack("qq", phase, self.told.step if step is None else step)

    @property
    def told(self) -> Told:
        return Told(*struct.unpack("qq", self.memory[:16]))


def prepare(place: Path) -> str:
    """Go to an empty folder, make the data there, and have all code loaded; the words that name the data."""
    os.chdir(place)
    os.environ["BYHAND_HOME"] = str(place / "home")
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    labels = np.arange(ROWS) % 3
    images = rng.integers(0, 256, (ROWS, 4, 4), dtype=np.uint8) // 2
    images[np.arange(ROWS), labels, labels] += 120
    np.savez(place / "data.npz", x_train=images, y_train=labels)
    time.sleep(0.05)  # the cache keeps no file that is younger than a tick of its clock
    for words in (f"{COMMON} --out warm", f"--lr 0.1 {COMMON} --out warmer"):  # the second reads the cache
        must(cli._run(["train", "data.npz", *words.split()]) == 0, "the data are not taken")
    gc.collect()
    gc.freeze()  # or each fork would copy what its collector touches
    return "data.npz"


def start(words: str, shared: Shared | None = None, before: Callable[[], None] = lambda: None) -> int:
    """Fork a process that runs the command; its number. What it prints goes to the file ``said``."""
    sys.stdout.flush()  # or the child would say it too
    if process := os.fork():
        return process
    status = 70
    try:
        said = os.open("said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        os.dup2(said, 1)
        os.dup2(said, 2)
        if shared:
            _watch(shared)
        before()
        status = cli._run(words.split())
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:  # noqa: BLE001, this process may not go on as its parent
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(status)


def _watch(shared: Shared) -> None:
    """Have the saves of this process tell what they do."""
    write, write_state = checkpoint.write_atomically, checkpoint.write_state

    def telling(path: Path, content: Any) -> None:
        shared.tell(2)
        write(path, content)
        shared.tell(1)

    def telling_state(folder: Path, state: Any) -> None:
        write_state(folder, state)
        shared.tell(1, state.epochs * BATCHES + state.step)

    checkpoint.write_atomically = weights.write_atomically = telling
    checkpoint.write_state = telling_state


def must(holds: bool, what: str) -> None:
    """AssertionError unless it holds."""
    if not holds:
        raise AssertionError(what)


def wait(process: int) -> int:
    """The exit status of a process; minus the signal's number for one that was killed."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def content(folder: Path) -> dict[str, bytes]:
    """Every file of a run's folder but its times."""
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name != "times.json"}


def check(folder: Path, step: int) -> None:
    """What must hold of a run after a kill: ``step`` is that of the last state whose save returned."""
    if not (folder / "run.json").exists():
        must(step == -1, "a run without run.json, after a state")
        return
    record = checkpoint.read_run(folder)
    if (folder / "history.jsonl").exists():
        checkpoint.read_history(folder)
    if (folder / "model.safetensors").exists():
        checkpoint.read_weights(folder)
    if record["status"] == "finished":
        return
    state, damaged = checkpoint.read_state(folder)
    must(not damaged, "; ".join(damaged))
    now = -1 if state is None else state.epochs * BATCHES + state.step
    must(now >= step, f"a state of step {step} was saved, and the run stands at step {now}")


def next_words(folder: Path, options: str) -> str:
    """What a person would type now: train anew where nothing is, else take the run up."""
    return f"train --resume {folder} --quiet" if (folder / "run.json").exists() else f"train {options} --out {folder}"


def is_over(folder: Path) -> bool:
    """Whether the run has come to its end."""
    return (folder / "run.json").exists() and checkpoint.read_run(folder)["status"] == "finished"


def finish(folder: Path, options: str, whole: dict[str, bytes]) -> None:
    """Let a run go on undisturbed; its files must be the undisturbed run's."""
    over = is_over(folder)
    status = wait(start(next_words(folder, options)))
    must(status == (2 if over else 0), f"status {status}: {Path('said').read_text()}")
    found = content(folder)
    must(found.keys() == whole.keys(), f"its files are {sorted(found)}")
    other = [name for name in whole if found[name] != whole[name]]
    must(not other, f"other bytes in {', '.join(other)}")


def campaign(place: Path, kills: int, seed: int) -> dict[str, Any]:
    """Kill that often; what was met on the way. AssertionError at the first thing that is lost."""
    rng = random.Random(seed)  # noqa: S311
    data = prepare(place)
    undisturbed = {kind: _undisturbed(f"{data} {words} {COMMON}", place) for kind, words in KINDS.items()}
    met: Counter[str] = Counter()
    for life, kind in zip(itertools.count(), itertools.cycle(KINDS)):
        if met["kills"] >= kills:
            break
        whole, before, after = undisturbed[kind]
        folder, options = place / f"run{life}", f"{data} {KINDS[kind]} {COMMON}"
        shared, step = Shared(), -1
        for _ in range(rng.randint(1, 8)):
            if met["kills"] >= kills or is_over(folder):
                break
            words = next_words(folder, options)
            shared.tell(0, step)
            process = start(words, shared)
            if rng.random() < 0.2:
                time.sleep(rng.uniform(0, before + after))
            else:
                _until_it_saves(shared)
                time.sleep(rng.random() ** 2 * after)
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
            status = wait(process)
            phase, step = shared.told
            if status == -signal.SIGKILL:
                met["kills"] += 1
                met[PHASES[phase]] += 1
                met["of runs taken up"] += "--resume" in words
            else:
                must(status == 0, Path("said").read_text())
            check(folder, step)
        finish(folder, options, whole)
        met["runs"] += 1
    return dict(met) | {"kinds": len(KINDS), "seed": seed}


def _undisturbed(options: str, place: Path) -> tuple[dict[str, bytes], float, float]:
    """The files of a run that nobody kills, and its seconds before and after its first save."""
    before = after = math.inf
    for _ in range(4):  # the fastest: a busy machine must not make the kills come too late
        out = Path(tempfile.mkdtemp(dir=place))
        shared, begun = Shared(), time.perf_counter()
        shared.tell(0, -1)
        process = start(f"train {options} --out {out}", shared)
        _until_it_saves(shared)
        saves = time.perf_counter()
        must(wait(process) == 0, Path("said").read_text())
        before, after = min(before, saves - begun), min(after, time.perf_counter() - saves)
    return content(out), before, after


def _until_it_saves(shared: Shared) -> None:
    end = time.monotonic() + 60
    while shared.told.phase == 0 and time.monotonic() < end:
        time.sleep(1e-4)


def lines(met: dict[str, Any]) -> Iterator[str]:
    """The report."""
    yield f"{met['kills']:,} times SIGKILL in {met['runs']:,} runs of {met['kinds']} kinds, seed {met['seed']}"
    for phase in PHASES:
        yield f"  {phase:<32} {met.get(phase, 0):,}"
    yield f"  {'of runs that were taken up':<32} {met.get('of runs taken up', 0):,}"
    yield "unusable runs 0, saved states lost 0, runs whose files differ from the undisturbed run's 0"


def main() -> None:
    from measure import report, versions

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print the counts as JSON")
    parser.add_argument("--save", action="store_true", help="keep what is printed in benchmarks/results")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="byhand-kills-") as place:
        met = campaign(Path(place), told.kills, told.seed)
        os.chdir("/")
    if told.json:
        print(json.dumps(met))
    else:
        report("kills", [versions("byhand", "torch"), *lines(met)], told.save)


if __name__ == "__main__":
    main()
