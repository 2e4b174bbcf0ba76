"""What the benchmarks share: timing rivals in turn, and saying what was measured where.

A machine's speed drifts while a benchmark runs. So the rivals take turns, round after round, and a ratio is taken
within each round before it is summed up.
"""

import argparse
import datetime
import gc
import importlib.metadata
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

RESULTS = Path(__file__).with_name("results")


def options(description: str | None, rounds: int, quick: str = "") -> argparse.Namespace:
    """The options of every benchmark: ``--rounds`` and ``--save``; with a text of what it leaves out, ``--quick``."""
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=rounds, help=f"how often each rival runs [{rounds}]")
    if quick:
        parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--save", action="store_true", help="keep what is printed in benchmarks/results")
    return parser.parse_args()


def data_folder() -> Path:
    """Where the genuine MNIST files are: ``$BYHAND_DATA``, or ``../shared/data/mnist`` beside the project."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data" / "mnist"
    folder = Path(os.environ.get("BYHAND_DATA", beside))
    if not folder.is_dir():
        sys.exit("MNIST is needed: set BYHAND_DATA to the folder of its four files (byhand data get mnist)")
    return folder


def in_turn(rivals: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each run of each rival: one round to warm up, then ``rounds`` that count."""
    seconds: dict[str, list[float]] = {name: [] for name in rivals}
    for turn in range(rounds + 1):
        for name, run in rivals.items():
            gc.collect()
            start = time.perf_counter()
            run()
            if turn:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def spread(values: Iterable[float], form: Callable[[float], str]) -> str:
    """Median (smallest to largest)."""
    values = list(values)
    return f"{form(statistics.median(values))} ({form(min(values))} to {form(max(values))})"


def milliseconds(value: float) -> str:
    """Seconds as milliseconds."""
    return f"{1000 * value:.1f} ms" if value < 1 else f"{value:.2f} s"


def ratio(slow: list[float], fast: list[float]) -> str:
    """How many times ``fast`` goes into ``slow``, round by round."""
    return spread((s / f for s, f in zip(slow, fast, strict=True)), lambda x: f"{x:.2f}")


def versions(*packages: str) -> str:
    """A line on the machine and the packages."""
    names = [f"{name} {importlib.metadata.version(name)}" for name in packages]
    return f"Python {platform.python_version()}, {', '.join(names)}; {os.cpu_count()} cores, {_processor()}"


def report(name: str, lines: list[str], save: bool) -> None:
    """Print the lines, and keep them under today's date if asked to."""
    text = "\n".join(lines)
    print(text)
    if save:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{datetime.date.today()}-{name}.txt").write_text(text + "\n", encoding="utf-8")


def _processor() -> str:
    """The processor's name and what it multiplies fast, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    fields = {key.strip(): value.strip() for key, value in fields.items()}
    wide = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in fields.get("flags", "").split()]
    return " ".join([fields.get("model name", platform.machine()), *wide])
