"""When do more processes pay? The same losses, their speed on this machine, and what follows for several machines.

(a) In float64, the losses of 100 steps with the same batches at 2 and 4 processes against one process's.
(b) Seconds a step of the training loop: 2 processes of a thread each, beside one process of 1 and of 2 threads, and
    beside PyTorch's DistributedDataParallel. The groups of processes live side by side and take turns.
(c) What a sum over all costs: L seconds and b seconds a byte, for two processes over gloo.
(d) From these, with d seconds that a step takes whatever its rows, c seconds a row, B rows a batch and n bytes to sum:

        t(W) = d + c · B / W + (W − 1) · L + 2 · (W − 1) / W · b · n         (W > 1; t(1) = d + c · B)

    A ring of W, as gloo has it, passes n / W bytes on 2 · (W − 1) times; L and b are those of W = 2.

    python benchmarks/distributed.py [--rounds 5] [--quick] [--save]
"""

import contextlib
import itertools
import json
import math
import os
import socket
import statistics
import subprocess
import sys
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import measure

MODELS: dict[str, list[int]] = {"784-10": [], "784-30-10": [30], "784-512-10": [512], "784-2048-2048-10": [2048, 2048]}
BATCHES = (256, 1024, 4096)
SUMS = [2**k for k in range(10, 27, 2)]  # 1 KiB to 64 MiB
SECONDS = 0.6  # of training that are timed at once, about
NETWORKS = {"10 Gbit/s": (10e9 / 8, 25e-6), "1 Gbit/s": (1e9 / 8, 100e-6)}  # bytes a second, seconds a message: assumed
ONE, TWO_THREADS, TWO, DDP = "1 process", "1 process, 2 threads", "2 processes", "DDP, 2 processes"


class Group:
    """Processes that train together, started as torchrun starts them, and told what to do."""

    def __init__(self, size: int, threads: int) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": size, "LOCAL_WORLD_SIZE": size}
        shared |= {"TORCHELASTIC_RUN_ID": "benchmark", "OMP_NUM_THREADS": threads}
        self.processes = [
            subprocess.Popen(
                [sys.executable, Path(__file__).with_name("distributed_worker.py"), str(threads)],
                env=os.environ | {k: str(v) for k, v in {**shared, "RANK": rank, "LOCAL_RANK": rank}.items()},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for rank in range(size)
        ]

    def answers(self) -> list[Any]:
        """A line of each process."""
        lines = [process.stdout.readline() for process in self.processes if process.stdout]
        if not all(lines):
            sys.exit("a process has ended: see its lines above")
        return [json.loads(line) for line in lines]

    def do(self, *job: object) -> list[Any]:
        """Let all do one job."""
        for process in self.processes:
            if process.stdin:
                process.stdin.write(json.dumps(job) + "\n")
                process.stdin.flush()
        return self.answers()

    def __enter__(self) -> Self:
        self.answers()
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            if process.stdin:
                process.stdin.close()
        for process in self.processes:
            process.wait()


@contextlib.contextmanager
def groups() -> Generator[dict[str, Group]]:
    """The groups that take turns."""
    with Group(1, 1) as one, Group(1, 2) as threads, Group(2, 1) as two:
        yield {ONE: one, TWO_THREADS: threads, TWO: two, DDP: two}


def same_losses(one: Group, two: Group, models: Sequence[str], steps: int) -> list[str]:
    """Part (a): the largest difference between the losses of one process and of more."""
    lines = []
    with Group(4, 1) as four:
        for name in models:
            alone, halves, quarters = (group.do("losses", MODELS[name], 256, steps)[0] for group in (one, two, four))
            worst = [max(abs(a - b) / a for a, b in zip(alone, other, strict=True)) for other in (halves, quarters)]
            lines.append(f"{name:20}2 processes: {worst[0]:.1e}   4 processes: {worst[1]:.1e}   bar: at most 1e-12")
    return lines


def speeds(found: dict[str, Group], name: str, batch: int, rounds: int, seconds: float) -> dict[str, list[float]]:
    """Part (b): seconds a step of each rival, round by round; one process takes about so many seconds for a round."""
    about = found[ONE].do("train", MODELS[name], batch, 1)[0]
    steps = max(2, round(seconds / about))
    times: dict[str, list[float]] = {rival: [] for rival in found}
    for _ in range(rounds):
        for rival, group in found.items():
            job = "ddp" if rival == DDP else "train"
            times[rival].append(max(group.do(job, MODELS[name], batch, steps)))
    return times


def sums(two: Group, rounds: int, sizes: Sequence[int]) -> dict[str, dict[int, list[float]]]:
    """Part (c): seconds of a sum over both, ``alone`` and as a ``step`` makes it: the median of each round."""
    times: dict[str, dict[int, list[float]]] = {name: {size: [] for size in sizes} for name in ("alone", "step")}
    for _, size in itertools.product(range(rounds), sizes):
        for name, seconds in two.do("sums", size, min(200, max(5, 2**25 // size)))[0].items():
            times[name][size].append(statistics.median(seconds))
    return times


def line_through(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The a and b, both at least 0, of y ≈ a + b · x with the least Σ |y − a − b · x| / y.

    Such a line goes through two of the points, or through one and the origin, or is level through one: all are tried.
    One point far off moves it little.
    """
    through = [(0.0, y / x) for x, y in points] + [(y, 0.0) for _, y in points]
    for (x0, y0), (x1, y1) in itertools.combinations(points, 2):
        b = (y1 - y0) / (x1 - x0)
        through.append((y0 - b * x0, b))
    fair = [(a, b) for a, b in through if a >= 0 and b >= 0]
    return min(fair, key=lambda line: sum(abs(y - line[0] - line[1] * x) / y for x, y in points))


class Cost(NamedTuple):
    """What the formula is made of, in seconds and bytes."""

    step: float  # d
    row: float  # c
    latency: float  # L
    byte: float  # b
    size: int  # n

    def seconds(self, batch: int, w: int) -> float:
        """t(W)."""
        alone = self.step + self.row * batch / w
        return alone if w == 1 else alone + (w - 1) * self.latency + 2 * (w - 1) / w * self.byte * self.size

    def gain(self, batch: int, w: int) -> float:
        """t(1) / t(W)."""
        return self.seconds(batch, 1) / self.seconds(batch, w)

    def half(self, batch: int) -> int:
        """The most machines that each do at least half of what one alone does: the gain is at least W / 2."""
        return max(w for w in range(1, batch + 1) if self.gain(batch, w) >= w / 2)

    def best(self, batch: int) -> int:
        """The number of machines with the largest gain, at most one a row."""
        return max(range(1, batch + 1), key=lambda w: self.gain(batch, w))


def bytes_of(name: str) -> int:
    """What the ranks sum at a step: float32 gradients, and a few numbers more."""
    sizes = [784, *MODELS[name], 10]
    shapes = list(itertools.pairwise(sizes))
    return 4 * (sum(i * o + o for i, o in shapes) + 2 * len(shapes) + 3)


def fitted(times: dict[tuple[str, int], dict[str, list[float]]], rival: str, name: str) -> tuple[float, float]:
    """The d and c of a model."""
    return line_through([(batch, statistics.median(t[rival])) for (n, batch), t in times.items() if n == name])


def table_of_speeds(times: dict[tuple[str, int], dict[str, list[float]]]) -> list[str]:
    """Part (b), a row for each model and batch."""
    lines = [
        f"{'':24}images a second (median) by            2 processes' images a second, times those of",
        f"{'model':18}{'batch':>5} {'1 process':>10}{'2 threads':>10}{'2 proc.':>10}{'DDP':>9}   "
        f"{'1 process':22}{'1 process, 2 threads':22}DDP",
    ]
    for (name, batch), t in times.items():
        speed = [f"{batch / statistics.median(t[rival]):,.0f}" for rival in (ONE, TWO_THREADS, TWO, DDP)]
        ratios = [f"{measure.ratio(t[rival], t[TWO]):22}" for rival in (ONE, TWO_THREADS, DDP)]
        lines.append(
            f"{name:18}{batch:>5} {speed[0]:>10}{speed[1]:>10}{speed[2]:>10}{speed[3]:>9}   " + "".join(ratios).rstrip()
        )
    return lines


def medians(times: dict[int, list[float]]) -> list[tuple[float, float]]:
    """Bytes and seconds."""
    return [(float(size), statistics.median(t)) for size, t in times.items()]


def table_of_sums(summed: dict[str, dict[int, list[float]]]) -> list[str]:
    """Part (c), a row for each size, and the lines through them."""
    lines = [f"{'':16}{'all_reduce alone':42}as a step makes it"]
    for size, alone in summed["alone"].items():
        cells = [measure.spread(t, lambda s: f"{1e6 * s:,.0f} µs") for t in (alone, summed["step"][size])]
        lines.append(f"{size / 1024:>8,.0f} KiB    {cells[0]:42}{cells[1]}")
    for name, words in (("alone", "all_reduce alone"), ("step", "as a step makes it")):
        points = medians(summed[name])
        a, b = line_through(points)
        off = max(abs(math.log2(t / (a + b * size))) for size, t in points)
        lines.append(
            f"{words}: L = {1e6 * a:.0f} µs, b = {1e9 * b:.2f} ns a byte; a median is at most {2**off:.2f} times off"
        )
    return lines


def table_of_predictions(
    times: dict[tuple[str, int], dict[str, list[float]]], latency: float, byte: float
) -> list[str]:
    """Part (d): the formula at W = 2 beside what was measured."""
    lines = [f"{'model':18}{'batch':>5}{'formula':>11}{'measured':>11}   measured / formula"]
    for (name, batch), t in times.items():
        cost = Cost(*fitted(times, ONE, name), latency, byte, bytes_of(name))
        said = cost.seconds(batch, 2)
        lines.append(
            f"{name:18}{batch:>5}{1000 * said:8.2f} ms{1000 * statistics.median(t[TWO]):8.2f} ms   "
            + measure.spread((s / said for s in t[TWO]), lambda x: f"{x:.2f}")
        )
    return lines


def table_of_machines(times: dict[tuple[str, int], dict[str, list[float]]], latency: float, byte: float) -> list[str]:
    """Part (d): what the formula says of machines like this one in a network, as the table of docs/scale.md."""
    heads = [f"{network}: 2 machines | at least half as efficient | fastest" for network in NETWORKS]
    lines = [f"| model | batch | {' | '.join(heads)} |", "|---|---" + "|---|---|---" * len(NETWORKS) + "|"]
    for name, batch in times:
        cells = [name, f"{batch:,}"]
        for speed, message in NETWORKS.values():
            cost = Cost(*fitted(times, TWO_THREADS, name), latency + 2 * message, max(byte, 1 / speed), bytes_of(name))
            best = cost.best(batch)
            half = f"up to {most}" if (most := cost.half(batch)) > 1 else "one alone"
            fastest = f"× {cost.gain(batch, best):.1f} with {best}" if best > 1 else "one alone"
            cells += [f"× {cost.gain(batch, 2):.2f}", half, fastest]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def main() -> None:
    """Print the tables."""
    args = measure.options(__doc__, rounds=5, quick="two models, two batches, two rounds")
    models = ["784-10", "784-512-10"] if args.quick else list(MODELS)
    batches, rounds, seconds = (BATCHES[:2], 2, 0.1) if args.quick else (BATCHES, args.rounds, SECONDS)
    with groups() as found:
        worst = same_losses(found[ONE], found[TWO], models, 100)
        times = {
            (name, batch): speeds(found, name, batch, rounds, seconds)
            for name, batch in itertools.product(models, batches)
        }
        summed = sums(found[TWO], rounds, SUMS)
    latency, byte = line_through(medians(summed["step"]))
    lines = [
        "When do more processes pay? MNIST, SGD, gloo.",
        measure.versions("torch", "numpy") + f"; n = {rounds}",
        "",
        "(a) float64, 100 steps in batches of 256: the largest relative difference of a loss to one process's",
        *worst,
        "",
        "(b) the training loop on two cores",
        *table_of_speeds(times),
        "",
        "(c) a sum over 2 processes",
        *table_of_sums(summed),
        "",
        "(d) t(W) = d + c · B / W + (W − 1) · L + 2 · (W − 1) / W · b · n",
        *(
            f"{name:18}{bytes_of(name) / 1e6:8.3f} MB   "
            + "   ".join(
                f"{words}: d = {1e6 * d:,.0f} µs, c = {1e6 * c:.2f} µs"
                for words, (d, c) in ((r, fitted(times, r, name)) for r in (ONE, TWO_THREADS))
            )
            for name in models
        ),
        "",
        *table_of_predictions(times, latency, byte),
        "",
        "Machines like this one (1 process, 2 threads each) in a network. Assumed: "
        + "; ".join(f"{name} and {1e6 * message:.0f} µs a message" for name, (_, message) in NETWORKS.items())
        + ". L is this machine's and two messages', b this machine's and the wire's.",
        *table_of_machines(times, latency, byte),
    ]
    measure.report(Path(__file__).stem, lines, args.save)


if __name__ == "__main__":
    main()
