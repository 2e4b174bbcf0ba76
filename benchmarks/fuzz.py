"""Long fuzzing by hand: the readers of tests/fuzz on inputs that no test has drawn, for as long as one likes.

``python benchmarks/fuzz.py --hours H [READER…]`` takes the readers in turn, some hundred seeds each, until the time is
over. Without ``--hours`` it is the tests' own campaign of each reader, once, with the seeds of the full suite: that
makes the table of docs/broken-input.md. What breaks a reader is kept in tests/fuzz/corpus/READER, where the quick suite
finds it.
"""

import argparse
import hashlib
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import measure

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.fuzz.judge import Reader, Report, campaign  # noqa: E402
from tests.fuzz.readers import CORPUS, READERS, drawn, whole  # noqa: E402

MANY = 6_000  # seeds a reader, as in tests/fuzz/test_campaign.py
TURN = 500  # seeds a reader and turn
LARGE = 64 << 10  # bytes: a larger input is named, not kept


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("readers", nargs="*", metavar="READER", help=f"of {', '.join(READERS)} [all]")
    parser.add_argument("--hours", type=float, help="for how long; without it the tests' campaign runs, once")
    parser.add_argument("--seed", type=int, help="of the first input [drawn]")
    parser.add_argument("--save", action="store_true", help="keep what is printed in benchmarks/results")
    args = parser.parse_args()
    if unknown := set(args.readers) - READERS.keys():
        parser.error(f"no such reader: {', '.join(sorted(unknown))}")
    readers = [READERS[name] for name in args.readers or READERS]
    reports = {reader.name: Report() for reader in readers}
    seconds = dict.fromkeys(reports, 0.0)
    seed = random.SystemRandom().randrange(10**9, 10**15) if args.seed is None else args.seed
    began, turn = time.monotonic(), 0
    while not turn or (args.hours is not None and time.monotonic() - began < 3600 * args.hours):
        for reader in readers:
            first = seed + turn * TURN
            start = time.monotonic()
            one = judge(reader, drawn_from(reader, first) if args.hours is not None else whole_of(reader))
            seconds[reader.name] += time.monotonic() - start
            reports[reader.name].add(one)
            for content, what in one.faults:
                print(f"{reader.name}: {what}: {keep(reader, content)}", flush=True)
        turn += 1
    kind = f"{turn} turns of {TURN} seeds from {seed}" if args.hours is not None else "the tests' campaign, once"
    where = measure.versions("byhand", "numpy", "pillow", "safetensors", "torch")
    lines = [where, f"{kind}; {(time.monotonic() - began) / 60:.1f} minutes", "", *table(reports, seconds)]
    measure.report("fuzz", lines, save=args.save)


def drawn_from(reader: Reader, first: int) -> Callable[[], Iterable[bytes]]:
    return lambda: drawn(reader, range(first, first + TURN))


def whole_of(reader: Reader) -> Callable[[], Iterable[bytes]]:
    return lambda: whole(reader, range(MANY))


def judge(reader: Reader, inputs: Callable[[], Iterable[bytes]]) -> Report:
    memory = Path("/dev/shm")  # noqa: S108
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        return campaign(reader, Path(folder), inputs)


def keep(reader: Reader, content: bytes) -> str:
    """Put what was found into the corpus; where it is."""
    name = hashlib.sha256(content).hexdigest()[:16]
    if len(content) > LARGE:
        return f"{len(content):,} bytes, which begin {content[:60]!r}: not kept"
    place = CORPUS / reader.name / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return str(place.relative_to(ROOT))


def table(reports: dict[str, Report], seconds: dict[str, float]) -> Iterable[str]:
    """A line a reader, and one for all."""
    yield f"{'reader':22}{'inputs':>10}{'refused':>10}{'right':>9}{'kinds':>7}{'faults':>8}{'a second':>10}{'slowest':>10}{'memory':>10}"  # noqa: E501
    whole = Report()
    for name, report in reports.items():
        yield line(name, report, seconds[name])
        whole.add(report)
    yield line("all", whole, sum(seconds.values()))


def line(name: str, report: Report, seconds: float) -> str:
    right = report.outcomes["right"]
    refused = sum(report.outcomes.values()) - right
    kinds = len(report.outcomes.keys() - {"right"})
    return (
        f"{name:22}{report.count:10,}{refused:10,}{right:9,}{kinds:7,}{len(report.faults):8,}"
        f"{report.count / max(seconds, 1e-9):10,.0f}{report.slowest:8.2f} s{report.peak / 2**20:6,.0f} MiB"
    )


if __name__ == "__main__":
    main()
